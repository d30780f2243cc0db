/* What the epilogue reads from far, brought nearer while the sums are computed: an optimizer's averages and the weights
 * are too many for the second cache, and nothing else uses memory in the meantime. */
#include "compiler/loop/contract.h"

typedef struct {
    Contract *c;
    int64_t least; /* bytes */
} Find;

static bool is_member(const Group *g, Ref r) {
    for (int i = 0; i < g->nmembers; i++)
        if (g->members[i] == r) return true;
    return false;
}

/* Keeps a load of a large tensor along the lanes. */
static void find_stream(const Graph *g, Ex e, void *self) {
    Find *f = self;
    Contract *c = f->c;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD || is_member(c->group, x->load.node)) return;
    const Node *from = ir_node(g, x->load.node);
    if (from->kind == N_LEAF && from->leaf.kind == LEAF_ITER) return;
    if (ir_elements(from) * (int64_t)dtype_size(from->dtype) < f->least) return;
    if (load_stride(c->b->g, c->node, e, c->c.lane) != 1) return;
    for (int d = 0; d < from->rank; d++)
        if (x->load.at[d].gather) return;
    for (size_t i = 0; i < c->streams.len; i++)
        if (c->streams.at[i] == e) return;
    vec_push(&c->streams, e);
}

void contract_find_streams(Contract *c) {
    Find f = {c, c->b->m->l2 / 2};
    for (int i = 1; i < c->group->nmembers; i++)
        ex_walk(c->b->g, ir_node(c->b->g, c->group->members[i])->comp.body, find_stream, &f);
}

void contract_prefetch(Contract *c, int64_t rows, const Aff *from) {
    AffTable *t = c->b->affs;
    if (!c->streams.len) return;
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, rows, NULL, 0));
    contract_set_row(c, aff_add(t, aff_add(t, c->first_row, from), r));
    for (size_t i = 0; i < c->streams.len; i++) {
        const Expr *x = ir_expr(c->b->g, c->streams.at[i]);
        int64_t line = CONTRACT_LINE / (int64_t)dtype_size(x->dtype), lines = (c->nr + line - 1) / line;
        const Aff *k = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, lines, NULL, 0));
        c->at[c->c.lane] = nest_stand(&c->nest, aff_add(t, c->first_lane, aff_scale(t, k, line)), c->c.n);
        Place p = loop_place(&c->nest, x->load.node, x->load.at, c->at, c->node->rank);
        nest_prefetch(&c->nest, loop_view(c->b, x->load.node).buffer, p.aff);
        nest_close(&c->nest);
    }
    nest_close(&c->nest);
}
