/* Scans and whiles: carries keep their place through the loop and hold the last values after it; a kernel whose result
 * is yielded writes it straight to its place among those of all iterations. */
#include "compiler/loop/common.h"

enum { SMALL_CARRY = 64 }; /* elements */

static Ref scan_of(const Builder *b, int id) {
    for (Ref r = 1; r < b->g->nodes.len; r++)
        if (ir_node(b->g, r)->kind == N_SCAN && ir_node(b->g, r)->scan.id == id) return r;
    bug("there is no scan %d", id);
}

static const Aff *iteration(Builder *b, int scan) { return aff_var(b->affs, b->u->scans[scan].depth); }

Ex loop_iteration(Builder *b, const Node *n) {
    return ex_index(b->g, DT_I32, iteration(b, b->scan_at[scan_of(b, n->leaf.slot)]));
}

int loop_scan_below(const LoopUnit *u, const Kernel *k, int scope) {
    int s = k->scan;
    if (s == scope) return 0;
    while (s && u->scans[s].parent != scope) s = u->scans[s].parent;
    return s;
}

/* ---- places ---- */

/* The stacked values of yield `y`; the kernel that computes it writes there, unless it has another place. */
static void place_yield(Builder *b, Ref scan, Ref y, Ref result) {
    const Node *n = ir_node(b->g, y);
    View to = loop_memory(b, result);
    bool kernel = n->kind == N_COMP || n->kind == N_SCATTER || n->kind == N_SORT;
    if (!ir_elements(n) || !kernel || b->memory[y].buffer >= 0) return;
    if (b->s->group_of[y] < 0 || b->s->groups[b->s->group_of[y]].home != scan) return;
    const Aff *base = aff_scale(b->affs, iteration(b, b->scan_at[scan]), ir_elements(n));
    b->memory[y] = (View){.buffer = to.buffer, .strides = loop_strides(b, n), .base = base};
}

static void place_results(Builder *b, Ref scan, const int *carry) {
    Graph *g = b->g;
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        bool own = n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY && n->leaf.slot == ir_node(g, scan)->scan.id;
        int k = n->kind == N_RESULT && n->result.of == scan ? n->result.index : own ? n->leaf.index : -1;
        if (k < 0) continue;
        int ncarry = ir_node(g, scan)->scan.ncarry;
        if (k < ncarry)
            b->memory[r] = (View){.buffer = carry[k], .strides = loop_strides(b, n)};
        else
            place_yield(b, scan, ir_node(g, scan)->scan.yield[k - ncarry], r);
    }
}

static void place_scan(Builder *b, Ref scan) {
    const Node *n = ir_node(b->g, scan);
    int *carry = ARENA_ARRAY(b->arena, int, n->scan.ncarry);
    for (int k = 0; k < n->scan.ncarry; k++) {
        const Node *init = ir_node(b->g, n->scan.init[k]);
        carry[k] = loop_buffer(b, BUF_MEMORY, init->dtype, ir_elements(init), init->name);
        b->u->buffers.at[carry[k]].carry = true;
        b->u->buffers.at[carry[k]].scan = b->scan_at[scan];
    }
    place_results(b, scan, carry);
}

void loop_find_scans(Builder *b) {
    Graph *g = b->g;
    LoopUnit *u = b->u;
    const Ref *home = b->home = ir_homes(g);
    for (Ref r = 1; r < g->nodes.len; r++)
        if (ir_node(g, r)->kind == N_SCAN) b->scan_at[r] = ++u->nscans;
    u->scans = ARENA_ARRAY(b->arena, LoopScan, u->nscans + 1);
    for (Ref r = (Ref)g->nodes.len - 1; r > 0; r--) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_SCAN) continue;
        int parent = home[r] ? b->scan_at[home[r]] : 0;
        u->scans[b->scan_at[r]] = (LoopScan){.parent = parent,
                                             .depth = u->scans[parent].depth + 1,
                                             .extent = n->scan.extent,
                                             .reverse = n->scan.reverse,
                                             .cond = -1,
                                             .decides = b->s->groups[b->s->group_of[r]].decides};
    }
    for (Ref r = 1; r < g->nodes.len; r++)
        if (ir_node(g, r)->kind == N_SCAN) place_scan(b, r);
}

typedef struct {
    const Builder *b;
    int scan;
} Innermost;

static void find_scan(const Graph *g, Ex e, void *self) {
    Innermost *in = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD || !in->b->home[x->load.node]) return;
    int scan = in->b->scan_at[in->b->home[x->load.node]];
    if (in->b->u->scans[scan].depth > in->b->u->scans[in->scan].depth) in->scan = scan;
}

int loop_scan_of(const Builder *b, Ex e) {
    Innermost in = {b, 0};
    ex_walk(b->g, e, find_scan, &in);
    return in.scan;
}

Nest loop_begin_outside(Builder *b, int scan, const char *what, Span at, int64_t tiles) {
    int inside = b->scan;
    bool decides = b->decides;
    for (; b->scan != scan; b->scan = b->u->scans[b->scan].parent) b->decides = b->u->scans[b->scan].decides;
    Nest n = nest_begin(b, what, at, tiles);
    b->scan = inside;
    b->decides = decides;
    return n;
}

/* ---- copies ---- */

static View fresh(Builder *b, const Node *n) {
    return (View){.buffer = loop_buffer(b, BUF_MEMORY, n->dtype, ir_elements(n), n->name)};
}

/* The value of a node that is copied: the iteration number has no place until it is stored. */
static View value_of(Builder *b, Ref r) {
    const Node *n = ir_node(b->g, r);
    if (n->kind != N_LEAF || n->leaf.kind != LEAF_ITER) return loop_memory(b, r);
    View to = fresh(b, n);
    Nest nest = nest_begin(b, "iteration", n->at, 1);
    nest_store(&nest, to.buffer, aff_const(b->affs, 0), loop_iteration(b, n));
    nest_end(&nest);
    return to;
}

static void copy_yields(Builder *b, Ref scan) {
    Graph *g = b->g;
    const Node s = *ir_node(g, scan);
    for (Ref r = scan + 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_RESULT || n->result.of != scan || n->result.index < s.scan.ncarry) continue;
        Ref y = s.scan.yield[n->result.index - s.scan.ncarry];
        View to = loop_memory(b, r);
        if (b->memory[y].buffer == to.buffer) continue;
        to.base = aff_scale(b->affs, iteration(b, b->scan_at[scan]), ir_elements(ir_node(g, y)));
        loop_copy(b, value_of(b, y), to, ir_elements(ir_node(g, y)), n->at);
    }
}

/* The places of a scan's carries, which were made one after another. */
static int first_carry(const Builder *b, int scan) {
    int i = 0;
    while (!b->u->buffers.at[i].carry || b->u->buffers.at[i].scan != scan) i++;
    return i;
}

/* Gives all carries values: the small ones in one kernel, each larger one in its own. */
static void copy_carries(Builder *b, Ref scan, const View *from, bool last) {
    const Node s = *ir_node(b->g, scan);
    size_t before = b->u->kernels.len;
    int first = s.scan.ncarry ? first_carry(b, b->scan_at[scan]) : 0, small = 0;
    Nest n = {0};
    for (int k = 0; k < s.scan.ncarry; k++) {
        int64_t elems = b->u->buffers.at[first + k].elems;
        if (!elems || elems > SMALL_CARRY) continue;
        if (!small++) n = nest_begin(b, "copies", s.at, 1);
        nest_copy(&n, from[k], (View){.buffer = first + k}, elems);
    }
    if (small) nest_end(&n);
    for (int k = 0; k < s.scan.ncarry; k++) {
        int64_t elems = b->u->buffers.at[first + k].elems;
        if (elems > SMALL_CARRY) loop_copy(b, from[k], (View){.buffer = first + k}, elems, s.at);
    }
    for (size_t k = before; k < b->u->kernels.len; k++) b->u->kernels.at[k]->last = last;
}

/* What a carry becomes may be a carry itself: those are copied before any of them changes. */
static void copy_next(Builder *b, Ref scan) {
    const Node s = *ir_node(b->g, scan);
    View *from = ARENA_ARRAY(b->arena, View, s.scan.ncarry);
    for (int k = 0; k < s.scan.ncarry; k++) {
        const Node *next = ir_node(b->g, s.scan.next[k]);
        from[k] = value_of(b, s.scan.next[k]);
        if (next->kind != N_LEAF || next->leaf.kind != LEAF_CARRY || next->leaf.slot != s.scan.id) continue;
        View copy = fresh(b, next);
        loop_copy(b, from[k], copy, ir_elements(next), s.at);
        from[k] = copy;
    }
    copy_carries(b, scan, from, true);
}

static bool runs_each_time(const Builder *b, Ref scan, Ref cond) {
    const Node *n = ir_node(b->g, cond);
    int group = b->s->group_of[cond];
    return group >= 0 ? b->s->groups[group].home == scan
                      : n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY && n->leaf.slot == ir_node(b->g, scan)->scan.id;
}

/* Where a while finds its condition. What does not vary is kept for it: its own place may get another value. */
static int condition(Builder *b, Ref scan) {
    Ref cond = ir_node(b->g, scan)->scan.cond;
    if (!cond) return -1;
    View v = loop_memory(b, cond);
    if (runs_each_time(b, scan, cond)) return v.buffer;
    View copy = fresh(b, ir_node(b->g, cond));
    loop_copy(b, v, copy, 1, ir_node(b->g, scan)->at);
    return copy.buffer;
}

void loop_scan(Builder *b, const Group *group) {
    Ref scan = group->members[0];
    const Node s = *ir_node(b->g, scan);
    b->u->scans[b->scan_at[scan]].cond = condition(b, scan);
    View *from = ARENA_ARRAY(b->arena, View, s.scan.ncarry);
    for (int k = 0; k < s.scan.ncarry; k++) from[k] = value_of(b, s.scan.init[k]);
    copy_carries(b, scan, from, false);
    b->scan = b->scan_at[scan];
    b->decides = false;
    copy_yields(b, scan);
    copy_next(b, scan);
}
