/* A unit's terms are taken in the order of their numbers: operands come first, so nothing here recurses. */
#include "compiler/lower/lower_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t lower_dim(Dim d) {
    int64_t value;
    if (!dim_is_const(d, &value)) {
        Str s = {0};
        dim_print(&s, d);
        bug("lowering needs numbers for all sizes, but found %s", s.at ? s.at : "nothing");
    }
    return value;
}

const int64_t *lower_dims(Lower *l, Type t) {
    int64_t *dims = ARENA_ARRAY(l->nnc->arena, int64_t, MAX(t.rank, 1));
    for (int d = 0; d < t.rank; d++) dims[d] = lower_dim(t.dims[d]);
    return dims;
}

DType lower_wide(DType t) { return t == DT_F16 || t == DT_BF16 ? DT_F32 : t; }

Place *lower_places(Lower *l, int n) { return ARENA_ARRAY(l->nnc->arena, Place, MAX(n, 1)); }
Place lower_at(const Aff *a) { return (Place){.aff = a}; }
Place lower_at_var(Lower *l, int var) { return lower_at(aff_var(l->g->affs, var)); }
Place lower_at_const(Lower *l, int64_t c) { return lower_at(aff_const(l->g->affs, c)); }

Ex lower_missing(Lower *l, DType t) { return dtype_is_float(t) ? ex_float(l->g, t, NAN) : ex_zero(l->g, t); }

static Ex number(Lower *l, const Term *t) {
    DType type = lower_wide(t->type.dtype);
    return dtype_is_float(type) ? ex_float(l->g, type, t->number) : ex_int(l->g, type, (int64_t)t->number);
}

Ref lower_ref(Lower *l, const Term *t) {
    Ref *r = &l->refs[t->id];
    if (!*r && t->kind == T_NUMBER) *r = lower_comp(l, t, RED_NONE, 0, NULL, number(l, t));
    if (!*r) bug("term %d is used before it has a node", t->id);
    return *r;
}

Ex lower_element(Lower *l, const Term *t, const Place *rows) {
    if (t->kind == T_NUMBER) return number(l, t);
    return ex_cast(l->g, lower_wide(t->type.dtype), ex_load(l->g, lower_ref(l, t), rows));
}

Ex lower_broadcast(Lower *l, const Term *t, int rank) {
    Place *rows = lower_places(l, t->type.rank);
    for (int d = 0; d < t->type.rank; d++)
        rows[d] = lower_dim(t->type.dims[d]) == 1 ? lower_at_const(l, 0) : lower_at_var(l, rank - t->type.rank + d);
    return lower_element(l, t, rows);
}

Ref lower_reduction(Lower *l, Combine c, int rank, int nred, const int64_t *extents, Ex body, Span at) {
    for (int k = 0; (c == RED_ARGMAX || c == RED_ARGMIN) && k < nred; k++)
        if (!extents[rank + k]) return ir_comp(l->g, RED_NONE, rank, 0, extents, ex_zero(l->g, DT_I32), at);
    return ir_comp(l->g, c, rank, nred, extents, body, at);
}

Ref lower_comp(Lower *l, const Term *t, Combine c, int nred, const int64_t *reds, Ex body) {
    Graph *g = l->g;
    int rank = t->type.rank;
    const int64_t *dims = lower_dims(l, t->type);
    int64_t *extents = ARENA_ARRAY(l->nnc->arena, int64_t, MAX(rank + nred, 1));
    if (rank) memcpy(extents, dims, (size_t)rank * sizeof *dims);
    if (nred) memcpy(extents + rank, reds, (size_t)nred * sizeof *reds);
    DType type = t->type.dtype;
    if (c == RED_NONE) return ir_comp(g, c, rank, nred, extents, ex_cast(g, type, body), t->at);
    Ref r = lower_reduction(l, c, rank, nred, extents, body, t->at);
    if (ir_node(g, r)->dtype == type) return r;
    Place *rows = lower_places(l, rank); /* what was reduced in another type is converted after it */
    for (int d = 0; d < rank; d++) rows[d] = lower_at_var(l, d);
    return ir_comp(g, RED_NONE, rank, 0, extents, ex_cast(g, type, ex_load(g, r, rows)), t->at);
}

Combine lower_combine(Name op) {
    static const struct {
        const char *name;
        Combine combine;
    } reducers[] = {{"sum", RED_SUM}, {"mean", RED_SUM},      {"prod", RED_PROD},    {"max", RED_MAX},
                    {"min", RED_MIN}, {"argmax", RED_ARGMAX}, {"argmin", RED_ARGMIN}};
    for (size_t i = 0; i < COUNT(reducers); i++)
        if (strcmp(op, reducers[i].name) == 0) return reducers[i].combine;
    bug("no reduction is named '%s'", op);
}

static Ref leaf(Lower *l, const Term *t) {
    LeafKind kind = t->kind == T_INPUT ? LEAF_INPUT : t->kind == T_PARAM ? LEAF_PARAM : LEAF_STATE;
    Name name = t->kind == T_INPUT   ? l->unit->inputs.at[t->slot].name
                : t->kind == T_PARAM ? l->program->params.at[t->slot]->path
                                     : l->program->states.at[t->slot]->path;
    return ir_leaf(l->g, kind, t->slot, t->type.dtype, t->type.rank, lower_dims(l, t->type), name, t->at);
}

static int loop_number(const Lower *l, uint32_t site) {
    for (int i = 0; i < l->nloops; i++)
        if (l->loops[i]->site == site) return i;
    bug("there is no loop %u", site);
}

static Ref loop(Lower *l, const Term *t) {
    int ncarry = t->slot, rest = t->nargs - 2 * ncarry;
    bool counted = t->kind == T_SCAN;
    Ref *refs = ARENA_ARRAY(l->nnc->arena, Ref, t->nargs + 1);
    for (int i = 0; i < t->nargs; i++) refs[i] = lower_ref(l, t->args[i]);
    return ir_scan(l->g,
                   &(ScanDesc){.id = loop_number(l, t->site),
                               .cond = counted ? 0 : refs[2 * ncarry],
                               .extent = counted ? lower_dim(t->begin[0]) : 0,
                               .ncarry = ncarry,
                               .nyield = counted ? rest : 0,
                               .init = refs,
                               .next = refs + ncarry,
                               .yield = refs + 2 * ncarry},
                   t->at);
}

static Ref term(Lower *l, const Term *t) {
    switch (t->kind) {
    case T_INPUT:
    case T_PARAM:
    case T_STATE: return leaf(l, t);
    case T_DEFINE:
    case T_FOLD:
    case T_ACCESS: return lower_define(l, t);
    case T_RANDOM: return lower_random(l, t);
    case T_GRAD: return ir_grad(l->g, lower_ref(l, t->args[0]), lower_ref(l, t->args[1]), t->at);
    case T_ITERATION: return ir_iteration(l->g, loop_number(l, t->site), t->at);
    case T_CARRY:
        return ir_carry(l->g, loop_number(l, t->site), t->slot, t->type.dtype, t->type.rank, lower_dims(l, t->type),
                        t->name, t->at);
    case T_SCAN:
    case T_WHILE: return loop(l, t);
    case T_RESULT: return ir_result(l->g, lower_ref(l, t->args[0]), t->slot, t->at);
    case T_MARK: return ir_mark(l->g, lower_ref(l, t->args[0]), t->at);
    default: return lower_tensor(l, t);
    }
}

typedef VEC(Term *) Terms;

static void want(Terms *list, Term *t) {
    if ((size_t)t->id >= list->len || !list->at[t->id]) {
        while (list->len <= (size_t)t->id) vec_push(list, NULL);
        list->at[t->id] = t;
    }
}

/* The terms that a unit's results and updates reach, by number; NULL in between. Operands have smaller numbers, so one
 * sweep from the largest down finds all. */
static Terms reached(const Unit *u) {
    Terms list = {0};
    for (size_t i = 0; i < u->results.len; i++) want(&list, u->results.at[i].value);
    for (size_t i = 0; i < u->updates.len; i++) want(&list, u->updates.at[i].value);
    for (size_t i = list.len; i-- > 0;) {
        Term *t = list.at[i];
        for (int k = 0; t && k < t->nargs; k++) {
            if (t->args[k]->id >= t->id) bug("operand %d of term %d does not come before it", t->args[k]->id, t->id);
            want(&list, t->args[k]);
        }
    }
    return list;
}

static void outputs(Lower *l, const Unit *u) {
    for (size_t i = 0; i < u->results.len; i++) {
        const UnitResult *r = &u->results.at[i];
        ir_output(l->g, OUT_RESULT, (int)i, lower_ref(l, r->value), r->name);
    }
    for (size_t i = 0; i < u->updates.len; i++) {
        const UnitUpdate *up = &u->updates.at[i];
        ir_output(l->g, up->var->is_param ? OUT_PARAM : OUT_STATE, up->var->slot, lower_ref(l, up->value),
                  up->var->path);
    }
}

/* Numbers in the graph are without gaps, in the order in which loops end. */
static void find_loops(Lower *l, Term *const *terms, size_t n) {
    for (size_t i = 0; i < n; i++) l->nloops += terms[i] && term_is_loop(terms[i]);
    l->loops = ARENA_ARRAY(l->nnc->arena, const Term *, l->nloops + 1);
    l->extents = ARENA_ARRAY(l->nnc->arena, int64_t, l->nloops + 1);
    int k = 0;
    for (size_t i = 0; i < n; i++) {
        if (!terms[i] || !term_is_loop(terms[i])) continue;
        if (terms[i]->kind == T_SCAN) l->extents[k] = lower_dim(terms[i]->begin[0]);
        l->loops[k++] = terms[i];
    }
}

Graph *lower_unit(Nnc *nnc, const Program *p, const Unit *u) {
    Terms list = reached(u);
    Lower l = {.nnc = nnc, .g = ir_graph_new(nnc), .program = p, .unit = u};
    l.refs = xcalloc(list.len + 1, sizeof *l.refs);
    l.free = xcalloc(list.len + 1, sizeof *l.free);
    find_loops(&l, list.at, list.len);
    for (size_t i = 0; i < list.len; i++) {
        const Term *t = list.at[i];
        if (!t) continue;
        l.free[i] = lower_free(&l, t);
        if (l.free[i].n || t->kind == T_NUMBER) continue; /* part of a body; made where it is used */
        l.refs[i] = term(&l, t);
        if (t->name) ir_name(l.g, l.refs[i], t->name);
    }
    outputs(&l, u);
    free(l.refs);
    free(l.free);
    vec_free(&list);
    return l.g;
}
