/* From an optimized graph to the loop nests of a unit: fuse, schedule, one builder a kernel, plan. */
#include "compiler/loop/common.h"
#include "compiler/pass/fuse.h"
#include "compiler/pass/pad.h"
#include "compiler/pass/plan.h"
#include "compiler/pass/split.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    int from, to;
    Span at;
} Copy;

static View whole(int buffer) { return (View){.buffer = buffer}; }

static bool is_written(const Node *n) { return n->kind != N_LEAF && n->kind != N_RESULT; }

typedef VEC(Copy) CopyList;

/* The buffer of a variable whose old value is read. */
typedef struct {
    int64_t place;
    int buffer;
} Leaf;

typedef VEC(Leaf) LeafList;

/* ---- leaves and outputs ---- */

static int variable_buffer(Builder *b, const VarLayout *vars, OutKind kind, int slot, const Node *like, Name name) {
    int i = loop_buffer(b, BUF_MEMORY, like->dtype, ir_elements(like), name);
    b->u->buffers.at[i].base = BASE_VARIABLES;
    b->u->buffers.at[i].offset = kind == OUT_PARAM ? vars->param[slot] : vars->state[slot];
    if (b->u->buffers.at[i].offset < 0) bug("variable %d of unit '%s' has no place", slot, b->u->name);
    return i;
}

static void place_leaves(Builder *b, const VarLayout *vars) {
    for (Ref r = 1; r < b->g->nodes.len; r++) {
        b->memory[r].buffer = b->local[r].buffer = -1;
        const Node *n = ir_node(b->g, r);
        if (n->kind != N_LEAF || n->leaf.kind >= LEAF_ITER) continue;
        View v = {.strides = loop_strides(b, n)};
        if (n->leaf.kind == LEAF_CONST) {
            v.buffer = loop_buffer(b, BUF_MEMORY, n->dtype, ir_elements(n), n->name);
            b->u->buffers.at[v.buffer].base = -1;
            b->u->buffers.at[v.buffer].offset = 0;
            b->u->buffers.at[v.buffer].constant = n->leaf.data;
        } else if (n->leaf.kind == LEAF_INPUT) {
            v.buffer = loop_buffer(b, BUF_MEMORY, n->dtype, ir_elements(n), n->name);
            b->u->buffers.at[v.buffer].base = BASE_FIRST_INPUT + n->leaf.slot;
            b->u->buffers.at[v.buffer].offset = 0;
        } else {
            v.buffer =
                variable_buffer(b, vars, n->leaf.kind == LEAF_PARAM ? OUT_PARAM : OUT_STATE, n->leaf.slot, n, n->name);
        }
        b->memory[r] = v;
    }
}

/* The variable that an output replaces: its leaf's buffer, or a new one where nothing reads the old value. `leaves`:
 * the buffers of variables by place. */
static int home_of(Builder *b, const VarLayout *vars, const Output *o, const LeafList *leaves) {
    int64_t place = o->kind == OUT_PARAM ? vars->param[o->slot] : vars->state[o->slot];
    size_t from = 0, to = leaves->len;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (leaves->at[middle].place < place)
            from = middle + 1;
        else
            to = middle;
    }
    if (from < leaves->len && leaves->at[from].place == place) return leaves->at[from].buffer;
    return variable_buffer(b, vars, o->kind, o->slot, ir_node(b->g, o->node), o->name);
}

static int by_place(const void *a, const void *b) {
    const Leaf *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

static LeafList variable_leaves(const Builder *b) {
    LeafList leaves = {0};
    for (size_t i = 0; i < b->u->buffers.len; i++)
        if (b->u->buffers.at[i].base == BASE_VARIABLES) vec_push(&leaves, (Leaf){b->u->buffers.at[i].offset, (int)i});
    if (leaves.len) qsort(leaves.at, leaves.len, sizeof *leaves.at, by_place);
    return leaves;
}

static int result_buffer(Builder *b, const Output *o) {
    const Node *n = ir_node(b->g, o->node);
    int i = loop_buffer(b, BUF_MEMORY, n->dtype, ir_elements(n), o->name);
    b->u->buffers.at[i].base = BASE_FIRST_INPUT + b->u->ninputs + o->slot;
    b->u->buffers.at[i].offset = 0;
    return i;
}

/* Gives outputs their buffers. The first result that a node is, is written straight to its place; a node that is more
 * than one output, or a leaf, is copied. `wishes` (buffer, variable): new values that would like to be where the old
 * ones are. */
static void place_outputs(Builder *b, const VarLayout *vars, CopyList *copies, CopyList *wishes) {
    bool *taken = ARENA_ARRAY(b->arena, bool, b->g->nodes.len);
    LeafList leaves = variable_leaves(b);
    for (size_t i = 0; i < b->g->outputs.len; i++) {
        const Output *o = &b->g->outputs.at[i];
        const Node *n = ir_node(b->g, o->node);
        if (o->kind == OUT_RESULT) {
            int to = result_buffer(b, o);
            if (!is_written(n) || taken[o->node])
                vec_push(copies, (Copy){loop_memory(b, o->node).buffer, to, n->at});
            else
                b->memory[o->node] = (View){.buffer = to, .strides = loop_strides(b, n)};
            taken[o->node] = true;
            continue;
        }
        int home = home_of(b, vars, o, &leaves), from = loop_memory(b, o->node).buffer;
        if (from == home) continue;
        if (!is_written(n) || taken[o->node]) {
            int fresh = loop_buffer(b, BUF_MEMORY, n->dtype, ir_elements(n), o->name);
            vec_push(copies, (Copy){from, fresh, n->at});
            from = fresh;
        }
        taken[o->node] = true;
        vec_push(wishes, (Copy){from, home, n->at});
    }
    vec_free(&leaves);
}

void nest_copy(Nest *n, View from, View to, int64_t elems) {
    Builder *b = n->b;
    DType t = b->u->buffers.at[from.buffer].dtype;
    int v = elems > 1 ? nest_for(n, FOR_VECTOR, elems, NULL, loop_lanes(b, t)) : 0;
    const Aff *i = elems > 1 ? nest_var(n, v) : aff_const(b->affs, 0);
    const Aff *write = to.base ? aff_add(b->affs, to.base, i) : i;
    nest_store(n, to.buffer, write, loop_fetch(b, from.buffer, from.base ? aff_add(b->affs, from.base, i) : i));
    if (elems > 1) nest_close(n);
}

void loop_copy(Builder *b, View from, View to, int64_t elems, Span at) {
    if (!elems) return;
    Nest n = nest_begin(b, "copy", at, 1);
    nest_copy(&n, from, to, elems);
    nest_end(&n);
}

static void copy_whole(Builder *b, const Copy *c) {
    loop_copy(b, whole(c->from), whole(c->to), b->u->buffers.at[c->to].elems, c->at);
}

/* ---- the whole way ---- */

static void build_kernels(Builder *b, const CopyList *copies) {
    for (int i = 0; i < b->s->ngroups; i++) {
        const Group *group = &b->s->groups[i];
        b->scan = group->home ? b->scan_at[group->home] : 0;
        b->decides = group->decides;
        switch (group->kind) {
        case GROUP_ROWS: loop_rows(b, group); break;
        case GROUP_CONTRACT: loop_contract(b, group); break;
        case GROUP_SCATTER: loop_scatter(b, group); break;
        case GROUP_SORT: loop_sort(b, group); break;
        case GROUP_SCAN: loop_scan(b, group); break;
        }
    }
    b->scan = 0;
    b->decides = false;
    for (size_t i = 0; i < copies->len; i++) copy_whole(b, &copies->at[i]);
}

static void plan(Builder *b, const CopyList *wishes, int64_t most) {
    int *home = ARENA_ARRAY(b->arena, int, b->u->buffers.len);
    for (size_t i = 0; i < b->u->buffers.len; i++) home[i] = -1;
    for (size_t i = 0; i < wishes->len; i++) home[wishes->at[i].from] = wishes->at[i].to;
    plan_order(b->u, home);
    for (size_t i = 0; i < wishes->len; i++)
        if (home[wishes->at[i].from] >= 0) copy_whole(b, &wishes->at[i]);
    plan_place(b->u);
    pass_remat(b->u, most);
}

static void count_bytes(LoopUnit *u) {
    const Accesses *acc = plan_accesses(u);
    for (size_t k = 0; k < u->kernels.len; k++) {
        Kernel *kernel = u->kernels.at[k];
        for (size_t i = 0; i < acc[k].len && kernel->tiles; i++) {
            const Buffer *b = &u->buffers.at[acc[k].at[i].buffer];
            if (b->kind == BUF_MEMORY) kernel->bytes += b->elems * (int64_t)dtype_size(b->dtype);
        }
        for (int s = kernel->scan; s; s = u->scans[s].parent) {
            if (u->scans[s].cond >= 0) continue; /* as if once: how often is known at run time */
            kernel->bytes *= u->scans[s].extent;
            kernel->flops *= u->scans[s].extent;
        }
    }
}

void loop_seal(Builder *b) {
    LoopUnit *u = b->u;
    Buffer *buffers = u->buffers.at;
    Kernel **kernels = u->kernels.at;
    u->buffers.at = arena_copy(b->arena, buffers ? (void *)buffers : "", u->buffers.len * sizeof *buffers);
    u->kernels.at = arena_copy(b->arena, kernels ? (void *)kernels : "", u->kernels.len * sizeof *kernels);
    u->buffers.cap = u->buffers.len;
    u->kernels.cap = u->kernels.len;
    vec_drop(buffers);
    vec_drop(kernels);
    free(b->stamp);
    free(b->memo);
}

LoopUnit *loop_build(Nnc *nnc, const Graph *g, const char *name, int ninputs, int nresults, const VarLayout *vars,
                     const Machine *m) {
    return loop_build_within(nnc, g, name, ninputs, nresults, vars, m, INT64_MAX);
}

LoopUnit *loop_build_within(Nnc *nnc, const Graph *g, const char *name, int ninputs, int nresults,
                            const VarLayout *vars, const Machine *m, int64_t arena_bytes) {
    Graph *fused = pass_split(nnc, pass_pad(nnc, pass_fuse(nnc, g)));
    const Schedule *s = pass_schedule(nnc, fused);
    Builder b = {
        .u = ARENA_NEW(nnc->arena, LoopUnit), .g = fused, .affs = fused->affs, .arena = nnc->arena, .m = m, .s = s};
    *b.u = (LoopUnit){.nnc = nnc, .graph = fused, .name = name, .ninputs = ninputs, .nresults = nresults};
    CopyList copies = {0}, wishes = {0};
    b.memory = ARENA_ARRAY(b.arena, View, fused->nodes.len);
    b.local = ARENA_ARRAY(b.arena, View, fused->nodes.len);
    b.scan_at = ARENA_ARRAY(b.arena, int, fused->nodes.len);
    place_leaves(&b, vars);
    loop_find_scans(&b);
    if (vars->panels) loop_choose_panels(&b);
    place_outputs(&b, vars, &copies, &wishes);
    build_kernels(&b, &copies);
    plan(&b, &wishes, arena_bytes);
    count_bytes(b.u);
    loop_seal(&b);
    vec_free(&copies);
    vec_free(&wishes);
    return b.u;
}
