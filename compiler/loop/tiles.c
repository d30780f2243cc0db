/* Sizes from the target's numbers, and what work costs. */
#include "compiler/loop/common.h"

int loop_lanes(const Builder *b, DType t) {
    size_t bytes = MAX(dtype_size(t), (size_t)4); /* shorter numbers are computed with as f32 or i32 */
    return b->m->vector_bytes / (int)bytes;
}

/* A tile is worth about 5 microseconds; some hundreds are enough for any number of threads. */
int64_t loop_tiles(int64_t units, double nanoseconds) {
    double tiles = nanoseconds / 5000;
    int64_t n = tiles < 1 ? 1 : tiles > 256 ? 256 : (int64_t)tiles;
    n = MIN(n, units);
    int64_t each = (units + n - 1) / n;
    return (units + each - 1) / each;
}

typedef struct {
    double cost;
    int64_t flops;
} Tally;

static void tally(const Graph *g, Ex e, void *self) {
    Tally *t = self;
    const Expr *x = ir_expr(g, e);
    switch (x->kind) {
    case EX_CONST:
    case EX_INDEX: break;
    case EX_LOAD:
    case EX_FETCH: t->cost += 1; break;
    case EX_GUARD: t->cost += x->guard.n; break;
    default:
        t->cost += op_info(x->kind)->cost;
        t->flops += x->kind != EX_CAST && x->kind != EX_SELECT && dtype_is_float(x->dtype);
    }
}

double loop_cost(const Graph *g, Ex body) {
    Tally t = {0};
    ex_walk(g, body, tally, &t);
    return t.cost;
}

enum { CHAIN = 12 }; /* vector instructions */

static void find_chain(const Graph *g, Ex e, void *abreast) {
    const Expr *x = ir_expr(g, e);
    bool operation =
        x->kind != EX_CONST && x->kind != EX_INDEX && x->kind != EX_LOAD && x->kind != EX_FETCH && x->kind != EX_GUARD;
    if (operation && dtype_is_float(x->dtype) && op_info(x->kind)->cost >= CHAIN) *(int *)abreast = 2;
}

int loop_abreast(const Graph *g, Ex body) {
    int abreast = 1;
    ex_walk(g, body, find_chain, &abreast);
    return abreast;
}

static int64_t points(const int64_t *extents, int n) {
    int64_t p = 1;
    for (int i = 0; i < n; i++) p *= extents[i];
    return p;
}

int64_t loop_flops(const Graph *g, Ref r) {
    const Node *n = ir_node(g, r);
    Tally t = {0};
    if (n->kind == N_SCATTER) {
        ex_walk(g, n->scatter.body, tally, &t);
        return (t.flops + 1) * points(n->scatter.extents, n->scatter.ndomain);
    }
    ex_walk(g, n->comp.body, tally, &t);
    return (t.flops + (n->comp.combine != RED_NONE)) * points(n->comp.extents, n->rank + n->comp.nred);
}
