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
    if (kind == EX_LOAD)
        w->loads = true;
    else if (kind == EX_GUARD)
        w->cost++;
    else if (kind != EX_CONST && kind != EX_INDEX)
        w->cost += op_info(kind)->cost;
}

static bool cheap_without_loads(const Graph *g, Ex body) {
    Work w = {0};
    ex_walk(g, body, add_work, &w);
    return !w.loads && w.cost <= CHEAP;
}

/* The load that a body is, or is inside of a guard with a constant where it would be outside; else 0. */
static Ex only_load(const Graph *g, Ex body) {
    const Expr *x = ir_expr(g, body);
    if (x->kind == EX_GUARD && ir_expr(g, x->arg[1])->kind == EX_CONST) body = x->arg[0];
    return ir_expr(g, body)->kind == EX_LOAD ? body : 0;
}

/* ---- how simple indices are ---- */

typedef bool (*Simple)(const Aff *a);

/* k*v + c: slices, transposes, repetitions. What loads through it has indices as simple as before. */
static bool is_plain(const Aff *a) { return a->nterms == 0 || (a->nterms == 1 && a->terms[0].kind == ATOM_VAR); }

/* v, v div a, v mod b, (v div a) mod b: a digit of one variable, which reshapes of whole tensors lead to. */
static bool is_digit(const Aff *a) {
    int var;
    if (aff_is_var(a, &var)) return true;
    return a->nterms == 1 && !a->constant && a->terms[0].coef == 1 && a->terms[0].kind != ATOM_VAR &&
           is_digit(a->terms[0].of);
}

/* Sums of digits. Quotients of anything else grow without end when they are put into each other. */
static bool has_digits(const Aff *a) {
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].kind != ATOM_VAR && !is_digit(a->terms[i].of)) return false;
    return true;
}

/* Whether all indices and conditions of a body that only_load() accepts are. */
static bool all_simple(const Graph *g, Ex body, Simple simple) {
    const Expr *x = ir_expr(g, body);
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n; i++)
        if (!simple(x->guard.at[i].aff)) return false;
    const Expr *load = ir_expr(g, only_load(g, body));
    for (int r = 0; r < load->load.rank; r++)
        if (!simple(load->load.at[r].aff)) return false;
    return true;
}

/* ---- loads ---- */

/* x[f(v)] where v = data + rest: the data may only move into a row that is v plus something, and has no data of its
 * own. */
static Ex load_through_data(Graph *g, Ex e, const Place *at, const Aff *const *map, int rank) {
    const Expr x = *ir_expr(g, e), *load = &x;
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

Ex simplify_load(Graph *g, Ref r, const Place *at, bool reshapes) {
    const Node *n = ir_node(g, r);
    if (n->kind != N_COMP || n->comp.combine != RED_NONE) return 0;
    int rank = n->rank;
    Ex body = n->comp.body, load = only_load(g, body);
    if (!load && !cheap_without_loads(g, body)) return 0;
    bool plain = !load || all_simple(g, body, is_plain), by_data = false;
    if (!plain && !reshapes) return 0;
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, rank);
    for (int v = 0; v < rank; v++) {
        map[v] = at[v].aff;
        by_data = by_data || at[v].gather;
    }
    Ex through = 0;
    if (!by_data)
        through = ex_subst(g, body, map, rank);
    else if (load == body)
        through = load_through_data(g, load, at, map, rank);
    if (!through || plain) return through;
    return only_load(g, through) && all_simple(g, through, has_digits) ? through : 0;
}
