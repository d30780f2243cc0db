#include "compiler/pass/simplify.h"

#include <string.h>

/* A value without loads is computed again rather than loaded up to this cost: constants, counting, causal masks. */
enum { CHEAP = 4 };

typedef struct {
    int cost;
    bool loads;
} Work;

static void add_work(const Graph *g, Ex e, void *self) {
    Work *w = self;
    ExKind kind = ir_expr(g, e)->kind;
    if (kind == EX_LOAD) w->loads = true;
    else if (kind == EX_GUARD) w->cost++;
    else if (kind != EX_CONST && kind != EX_INDEX) w->cost += op_info(kind)->cost;
}

static bool cheap_without_loads(const Graph *g, Ex body) {
    Work w = {0};
    ex_walk(g, body, add_work, &w);
    return !w.loads && w.cost <= CHEAP;
}

/* One load, or one with a constant where it would be outside. */
static bool only_moves(const Graph *g, Ex body) {
    const Expr *x = ir_expr(g, body);
    if (x->kind == EX_GUARD && ir_expr(g, x->arg[1])->kind == EX_CONST) x = ir_expr(g, x->arg[0]);
    return x->kind == EX_LOAD;
}

/* x[f(v)] where v = data + rest: the data may only move into a row that is v plus something, and has no data of its own. */
static Ex load_through_data(Graph *g, const Expr *load, const Place *at, const Aff *const *map, int rank) {
    int inner = ir_node(g, load->load.node)->rank;
    Place *rows = ARENA_ARRAY(g->nnc->arena, Place, inner);
    for (int r = 0; r < inner; r++) {
        Place row = load->load.at[r];
        if (row.gather) return 0;
        rows[r].aff = aff_subst(g->affs, row.aff, map, rank);
        for (int v = 0; v < rank; v++) {
            int64_t coef;
            const Aff *rest;
            if (!at[v].gather || !aff_uses(row.aff, v)) continue;
            if (rows[r].gather || !aff_split(g->affs, row.aff, v, &coef, &rest) || coef != 1) return 0;
            rows[r].gather = at[v].gather;
        }
    }
    return ex_load(g, load->load.node, rows);
}

Ex simplify_load(Graph *g, Ref r, const Place *at) {
    const Node *n = ir_node(g, r);
    if (n->kind != N_COMP || n->comp.combine != RED_NONE) return 0;
    int rank = n->rank;
    Ex body = n->comp.body;
    if (ir_expr(g, body)->kind == EX_CONST) return body;
    bool moves = only_moves(g, body), by_data = false;
    if (!moves && !cheap_without_loads(g, body)) return 0;
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, rank);
    for (int v = 0; v < rank; v++) {
        map[v] = at[v].aff;
        by_data = by_data || at[v].gather;
    }
    if (!by_data) return ex_subst(g, body, map, rank);
    const Expr load = *ir_expr(g, body);
    return load.kind == EX_LOAD ? load_through_data(g, &load, at, map, rank) : 0;
}
