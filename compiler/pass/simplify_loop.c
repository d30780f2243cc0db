/* What loops carry and stack: what nothing reads goes, a carry that never changes is its first value, and so is the
 * last value of what a while that never begins carries. */
#include "compiler/pass/simplify.h"

struct Loops {
    const Graph *from;
    Ref *scan_of; /* per number of a loop: its node, 0 for none */
    Ref *leaf;    /* per place in `kept`: the leaf of the carry, 0 where there is none */
    int *first;   /* per number of a loop: where its carries, and then its yields, begin in `kept` and `leaf` */
    bool *kept;   /* per carry and yield: something reads it */
};

Loops *loops_find(const Graph *g, const bool *barrier) {
    Arena *a = g->nnc->arena;
    Loops *l = ARENA_NEW(a, Loops);
    int total = 0;
    *l = (Loops){.from = g};
    l->scan_of = ARENA_ARRAY(a, Ref, g->nscans + 1);
    l->first = ARENA_ARRAY(a, int, g->nscans + 1);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_SCAN) continue;
        l->scan_of[n->scan.id] = r;
        l->first[n->scan.id] = total;
        total += n->scan.ncarry + n->scan.nyield;
    }
    l->kept = ARENA_ARRAY(a, bool, total + 1);
    l->leaf = ARENA_ARRAY(a, Ref, total + 1);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY && l->scan_of[n->leaf.slot] && !barrier[r])
            l->leaf[l->first[n->leaf.slot] + n->leaf.index] = r;
    }
    return l;
}

/* Whether carry k of a loop is its first value in all iterations, and that is known where the carry is read. */
static bool unchanged(const Loops *l, const Node *scan, int k) {
    Ref leaf = l->leaf[l->first[scan->scan.id] + k], init = scan->scan.init[k], next = scan->scan.next[k];
    return (next == init || next == leaf) && init < leaf;
}

static bool keep(Loops *l, const Node *scan, int k, bool *live) {
    bool *kept = &l->kept[l->first[scan->scan.id] + k];
    if (*kept) return false;
    *kept = true;
    live[scan->scan.init[k]] = true;
    if (!unchanged(l, scan, k)) live[scan->scan.next[k]] = true;
    return true;
}

Ref loops_mark(Loops *l, Ref r, bool *live) {
    const Graph *g = l->from;
    const Node *n = ir_node(g, r);
    if (n->kind == N_SCAN) {
        ir_mark_loop(g, r, live);
        return r;
    }
    ir_mark_live(g, r, live);
    if (n->kind == N_RESULT) {
        const Node *of = ir_node(g, n->result.of);
        if (n->result.index < of->scan.ncarry)
            keep(l, of, n->result.index, live);
        else
            l->kept[l->first[of->scan.id] + n->result.index] = true;
    }
    if (n->kind != N_LEAF || n->leaf.kind != LEAF_CARRY || !l->scan_of[n->leaf.slot]) return r;
    Ref scan = l->scan_of[n->leaf.slot];
    return keep(l, ir_node(g, scan), n->leaf.index, live) ? scan : r; /* its next value may be above */
}

/* The number that a carry gets. */
static int place(const Loops *l, const Node *scan, int k) {
    int n = 0;
    for (int i = 0; i < k; i++) n += l->kept[l->first[scan->scan.id] + i] && !unchanged(l, scan, i);
    return n;
}

static bool never_begins(const Graph *to, const Node *scan, const Ref *refs) {
    if (!scan->scan.cond) return false;
    const Node *cond = ir_node(to, refs[scan->scan.cond]);
    const Expr *body = cond->kind == N_COMP ? ir_expr(to, cond->comp.body) : NULL;
    return body && body->kind == EX_CONST && !body->i;
}

static Ref copy_scan(const Loops *l, Graph *to, const Node *n, const Ref *refs) {
    ScanDesc d = {.id = n->scan.id, .extent = n->scan.extent, .reverse = n->scan.reverse, .nyield = n->scan.nyield};
    Arena *a = to->nnc->arena;
    Ref *init = ARENA_ARRAY(a, Ref, n->scan.ncarry), *next = ARENA_ARRAY(a, Ref, n->scan.ncarry);
    Ref *yield = ARENA_ARRAY(a, Ref, n->scan.nyield);
    for (int k = 0; k < n->scan.ncarry; k++) {
        if (!l->kept[l->first[n->scan.id] + k] || unchanged(l, n, k)) continue;
        init[d.ncarry] = refs[n->scan.init[k]];
        next[d.ncarry++] = refs[n->scan.next[k]];
    }
    for (int k = 0; k < n->scan.nyield; k++)
        yield[k] = l->kept[l->first[n->scan.id] + n->scan.ncarry + k] ? refs[n->scan.yield[k]] : 0;
    d.init = init, d.next = next, d.yield = yield, d.cond = refs[n->scan.cond];
    return ir_scan(to, &d, n->at);
}

Ref loops_copy(const Loops *l, Graph *to, Ref r, const Ref *refs) {
    const Node n = *ir_node(l->from, r);
    if (n.kind == N_SCAN) return copy_scan(l, to, &n, refs);
    bool leaf = n.kind == N_LEAF && n.leaf.kind == LEAF_CARRY;
    Ref of = n.kind == N_RESULT ? n.result.of : leaf ? l->scan_of[n.leaf.slot] : 0;
    if (!of) return ir_copy(to, l->from, r, refs);
    const Node scan = *ir_node(l->from, of);
    int k = leaf ? n.leaf.index : n.result.index, ncarry = scan.scan.ncarry;
    if (k < ncarry && (unchanged(l, &scan, k) || (!leaf && never_begins(to, &scan, refs))))
        return refs[scan.scan.init[k]];
    if (leaf) return ir_carry(to, n.leaf.slot, place(l, &scan, k), n.dtype, n.rank, n.dims, n.name, n.at);
    int index = k < ncarry ? place(l, &scan, k) : place(l, &scan, ncarry) + k - ncarry;
    return ir_result(to, refs[of], index, n.at);
}
