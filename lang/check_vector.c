/* Optimizers of all parameters as one vector: (p, g, objective), and (p: [P], r: [M], objective) for residuals. */
#include "lang/check.h"

#include <string.h>

/* ---- forms of optimizers ---- */

/* The name of the only dim of a declared vector; NULL for any other type. */
static Name length_of(const AstParam *p) {
    if (!p->type || p->type->kind == AST_TUPLE || p->type->type.scalar || p->type->type.dims.len != 1) return NULL;
    const Ast *d = p->type->type.dims.at[0];
    return d->kind == AST_NAME ? d->name : NULL;
}

OptimizerForm optimizer_form(const Ast *fn) {
    const AstParams *in = &fn->fn.params;
    if (in->len == 2) return OPTIMIZER_EACH;
    if (in->len != 3) return OPTIMIZER_BAD;
    Name p = length_of(&in->at[0]), second = length_of(&in->at[1]);
    return p && second && p != second ? OPTIMIZER_RESIDUALS : OPTIMIZER_WHOLE;
}

/* ---- vectors and their parts ---- */

static Term *joined(Checker *c, Slot **params, size_t n, Span at) {
    DType t = params[0]->var->type.dtype;
    Dim size = dim_number(c->dims, 0);
    Term **parts = ARENA_ARRAY(check_arena(c), Term *, n);
    for (size_t i = 0; i < n; i++) t = dtype_join(c, t, params[i]->var->type.dtype);
    for (size_t i = 0; i < n; i++) {
        Dim count = type_count(c, params[i]->var->type);
        parts[i] = term_cast(c, term_reshape(c, params[i]->now, 1, &count, at), t, at);
        size = dim_add(c->dims, size, count);
    }
    if (n == 1) return parts[0];
    Term *all = term_new(c, T_CONCAT, type_of(c, t, 1, &size), at, (int)n, parts);
    all->naxes = 1;
    all->axes = ARENA_ARRAY(check_arena(c), int, 1);
    return all;
}

/* The parameters that a vector holds, each as something that a gradient can be taken for. */
static Term **parts_of(Checker *c, Term *vector, Slot **params, size_t n, Span at) {
    Term **parts = ARENA_ARRAY(check_arena(c), Term *, n);
    Dim begin = dim_number(c->dims, 0);
    for (size_t i = 0; i < n; i++) {
        Type t = params[i]->var->type;
        Dim count = type_count(c, t);
        Term *part = term_slice(c, vector, &count, &begin, (int64_t[]){1}, at);
        part = term_reshape(c, term_cast(c, part, t.dtype, at), t.rank, t.dims, at);
        parts[i] = term_mark(c, part, at);
        parts[i]->name = params[i]->first->name;
        begin = dim_add(c->dims, begin, count);
    }
    return parts;
}

/* ---- the objective ---- */

/* A declaration by itself is not told what it minimizes. */
static Evaluation made_up(Checker *c, const Objective *o, Term *at, Span place) {
    Unit *unit = c->unit->unit;
    Term *value = term_input(c, unit, check_name(c, "value"), o->type, -1, place);
    return (Evaluation){at, value, term_input(c, unit, check_name(c, "gradient"), o->point, -1, place)};
}

static Term **current(Checker *c, const Objective *o) {
    Term **now = ARENA_ARRAY(check_arena(c), Term *, o->n);
    for (size_t i = 0; i < o->n; i++) now[i] = o->params[i]->now;
    return now;
}

static Evaluation evaluation_of(Checker *c, const Objective *o, Term *at, Term *point, Term *value, Span place) {
    return (Evaluation){at, value, o->residuals ? NULL : term_grad(c, value, point, place)};
}

static Evaluation evaluate(Checker *c, Objective *o, Term *at, Span place) {
    for (size_t i = 0; i < o->known.len; i++)
        if (o->known.at[i].at == at) return o->known.at[i];
    Evaluation e;
    if (!o->value) {
        e = made_up(c, o, at, place);
    } else {
        Term *value = o->value, *point = at->kind == T_MARK ? at : term_mark(c, at, place);
        terms_replace(c, &value, 1, current(c, o), parts_of(c, point, o->params, o->n, place), o->n);
        e = evaluation_of(c, o, at, point, value, place);
    }
    arena_push(c, &o->known, e);
    return e;
}

Value call_objective(Checker *c, Objective *o, Args args, Span at) {
    if (args.len != 1 || args.at[0].name) {
        err(c, at, objective_arguments);
        return value_poison();
    }
    Term like = {.type = o->point};
    Term *q = value_to_term(c, args.at[0].value, &like, args.at[0].at);
    if (!q) return value_poison();
    bool fits = q->type.rank == 1 && !q->indexed && dtype_join(c, q->type.dtype, o->point.dtype) == o->point.dtype;
    if (!fits || dim_differs(c->dims, q->type.dims[0], o->point.dims[0])) {
        err(c, args.at[0].at, objective_point, type_text(c, o->point), type_text(c, q->type));
        return value_poison();
    }
    Evaluation e = evaluate(c, o, term_cast(c, q, o->point.dtype, at), at);
    if (o->residuals) return value_term(e.value);
    return value_list(c, V_TUPLE, (Value[]){value_term(e.value), value_term(e.gradient)}, 2);
}

/* ---- the update ---- */

/* What is minimized, and the new values of layer states with it, are computed from `p` from here on. */
static Evaluation evaluate_here(Checker *c, Objective *o, Term *p, Span at) {
    UnitState *u = c->unit;
    Term **roots = ARENA_ARRAY(check_arena(c), Term *, u->order.len + 1);
    Slot **states = ARENA_ARRAY(check_arena(c), Slot *, u->order.len + 1);
    int n = 0;
    for (size_t i = 0; i < u->order.len; i++) {
        Slot *slot = u->order.at[i];
        if (slot->var->is_param || slot->var->is_optimizer_state) continue;
        roots[n] = slot->now;
        states[n++] = slot;
    }
    roots[n] = o->value;
    terms_replace(c, roots, n + 1, current(c, o), parts_of(c, p, o->params, o->n, at), o->n);
    for (int i = 0; i < n; i++) states[i]->now = roots[i];
    Evaluation e = evaluation_of(c, o, p, p, roots[n], at);
    arena_push(c, &o->known, e);
    return e;
}

static bool no_options(Checker *c, const Ast *a) {
    const Ast *options[] = {a->minimize.clip_norm, a->minimize.clip_value, a->minimize.accumulate};
    static const char *const names[] = {"clip_norm", "clip_value", "accumulate"};
    for (size_t i = 0; i < COUNT(options); i++) {
        if (!options[i]) continue;
        Diag *d = err(c, options[i]->at, objective_option, names[i]);
        diag_help(c->nnc, d,
                  "the gradients that it gets from 'objective' would not be changed with the one that it is given");
        return false;
    }
    return true;
}

Term *minimize_whole(Checker *c, const Ast *a, const Update *up, Name prefix, Slot **params, size_t n, Term *value) {
    Span at = a->minimize.optimizer->at;
    if (!no_options(c, a)) return NULL;
    Term *p = term_mark(c, joined(c, params, n, at), at);
    Objective o = {.point = p->type, .type = value->type, .value = value, .params = params, .n = n};
    o.residuals = optimizer_form(up->optimizer) == OPTIMIZER_RESIDUALS;
    const Evaluation here = evaluate_here(c, &o, p, a->minimize.value->at);
    Minimize m = {.prefix = prefix, .type = p->type};
    Value inputs[] = {
        value_term(p), value_term(o.residuals ? here.value : here.gradient), {.kind = V_OBJECTIVE, .objective = &o}};
    Term *next = optimizer_expand(c, up, &m, inputs, 3, at);
    Term **parts = next ? parts_of(c, term_stop(c, next, at), params, n, at) : NULL;
    for (size_t i = 0; next && i < n; i++) params[i]->now = parts[i];
    return here.value;
}
