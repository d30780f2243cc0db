/* minimize and report: losses, their gradients, and the optimizer's body for each parameter. */
#include "lang/check.h"

#include <ctype.h>
#include <string.h>

/* ---- targets ---- */

static Name target_path(Checker *c, Scope *s, Ast *e) {
    if (e->kind == AST_FIELD) {
        Name of = target_path(c, s, e->field.of);
        return of ? value_path_join(c, of, e->field.field.name) : NULL;
    }
    Value v = eval_expr(c, s, e);
    Name path = value_path(v);
    if (!path && v.kind != V_POISON)
        diag_help(c->nnc, err(c, e->at, bad_over, value_text(c, v)),
                  "a model, a part of one (net.head) or a named layer");
    return path;
}

static bool is_param_within(const Slot *slot, const void *path) {
    return slot->var->is_param && (!path || value_path_within(slot->var->path, path));
}

/* Which slots are updated: those that the loss reaches, of them those in `over`. */
static bool find_targets(Checker *c, Scope *s, const Ast *a, const Term *loss, bool *chosen) {
    UnitState *u = c->unit;
    bool *reached = ARENA_ARRAY(check_arena(c), bool, u->order.len + 1), any = false;
    grad_reached(c, loss, reached);
    for (size_t i = 0; i < u->order.len; i++) {
        chosen[i] = reached[i] && a->minimize.over.len == 0;
        any = any || chosen[i];
    }
    for (int k = 0; k < a->minimize.over.len; k++) {
        Ast *target = a->minimize.over.at[k];
        Name path = target_path(c, s, target);
        if (!path) return false;
        bool found = false;
        for (size_t i = 0; i < u->order.len; i++)
            if (reached[i] && value_path_within(u->order.at[i]->var->path, path)) chosen[i] = found = true;
        if (!found) {
            grad_explain(c, err(c, target->at, over_nothing, path), loss, is_param_within, path);
            return false;
        }
        any = true;
    }
    if (!any) grad_explain(c, err(c, a->minimize.value->at, minimize_nothing), loss, is_param_within, NULL);
    return any;
}

/* ---- names ---- */

static Name optimizer_name(Checker *c, const Ast *e) {
    if (e->kind == AST_CALL) e = e->call.callee;
    char *base = arena_printf(check_arena(c), "%s", e->kind == AST_NAME ? e->name : "optimizer");
    for (char *p = base; *p; p++) *p = (char)tolower((unsigned char)*p);
    return check_name(c, "%s%s%d", c->unit->optimizer_prefix, base, ++c->unit->minimizes);
}

static Name loss_name(Checker *c, const Ast *a) {
    Name name = check_name(c, "loss");
    for (int i = 0; c->unit->many_losses && i < a->minimize.over.len; i++)
        name = check_name(c, "%s_%s", name, source_text(c, a->minimize.over.at[i]->at));
    return name;
}

/* ---- gradients ---- */

static Term *scalar_option(Checker *c, Scope *s, Ast *e, const char *what) {
    Value v = eval_expr(c, s, e);
    Term like = {.type = type_scalar(type_float(c))};
    Term *t = v.kind == V_POISON ? NULL : value_to_term(c, v, &like, e->at);
    double limit;
    if (!t) return NULL;
    if (value_number(v, &limit) && !(limit > 0)) {
        err(c, e->at, bad_limit, what, value_text(c, v));
        return NULL;
    }
    if (t->type.rank == 0) return term_to_float(c, t, e->at);
    err(c, e->at, option_not_scalar, what, type_text(c, t->type));
    return NULL;
}

static void clip_values(Checker *c, Term *limit, Term **g, size_t n, Span at) {
    for (size_t i = 0; i < n; i++) {
        Term *bound = term_cast(c, limit, g[i]->type.dtype, at);
        g[i] = term_binary(c, "max", term_binary(c, "min", g[i], bound, at), term_unary(c, "neg", bound, at), at);
    }
}

/* All gradients times min(1, limit / (norm + 1e-6)), the norm over all of them, as PyTorch does. */
static void clip_norms(Checker *c, Term *limit, Term **g, size_t n, Span at) {
    Term *sum = NULL;
    for (size_t i = 0; i < n; i++) {
        int axes[64], rank = g[i]->type.rank;
        for (int k = 0; k < rank; k++) axes[k] = k;
        Term *square = term_binary(c, "mul", g[i], g[i], at);
        Term *part = rank ? term_reduce(c, "sum", square, axes, rank, false, at) : square;
        part = term_cast(c, part, type_float(c), at);
        sum = sum ? term_binary(c, "add", sum, part, at) : part;
    }
    Term *norm = term_binary(c, "add", term_unary(c, "sqrt", sum, at), term_number(c, 1e-6, sum->type.dtype, at), at);
    Term *scale =
        term_binary(c, "min", term_number(c, 1, sum->type.dtype, at), term_binary(c, "div", limit, norm, at), at);
    for (size_t i = 0; i < n; i++) g[i] = term_binary(c, "mul", g[i], term_cast(c, scale, g[i]->type.dtype, at), at);
}

/* ---- states of optimizers ---- */

static Slot *counter(Checker *c, Name path, Type t, Span at) {
    bool made;
    Variable *var = variable_at(c, path, t, false, true, at, &made);
    if (!var) return NULL;
    if (made) init_number(c, var, 0);
    return variable_slot(c, var, at);
}

void optimizer_state(Checker *c, Scope *s, const AstField *f) {
    Minimize *m = c->frame->minimize;
    Type t = m->type;
    bool made;
    scope_define(c, s, f->name.name, value_poison(), f->name.at);
    if (f->type && !type_eval(c, s, f->type, &t)) return;
    Name path = check_name(c, "%s.%s%s%s", m->prefix, f->name.name, m->path ? "/" : "", m->path ? m->path : "");
    if (!m->path && strcmp(f->name.name, "step") == 0) {
        err(c, f->name.at, state_step);
        return;
    }
    if (map_get(&c->unit->slots, path)) {
        err(c, f->name.at, duplicate_variable, f->name.name);
        return;
    }
    Variable *var = variable_at(c, path, t, false, true, f->name.at, &made);
    if (!var) return;
    if (made) init_value(c, var, s, f->value, false);
    Slot *slot = variable_slot(c, var, f->name.at);
    slot->first->name = f->name.name;
    arena_push(c, &m->states, slot);
    scope_define(c, s, f->name.name, value_none(), f->name.at)->var = var;
}

/* ---- accumulation ---- */

/* Adds each gradient to its state; every k-th step the mean of k is what the optimizer gets. Returns whether this step
 * is such a one. */
static Term *accumulate(Checker *c, const Ast *a, Name prefix, int64_t k, Slot **params, Term **g, size_t n) {
    Span at = a->minimize.accumulate->at;
    Slot *micro = counter(c, check_name(c, "%s.accumulated", prefix), type_scalar(DT_I32), at);
    if (!micro) return NULL;
    Term *next = term_binary(c, "add", micro->now, term_number(c, 1, DT_I32, at), at);
    Term *full = term_binary(c, "eq", next, term_number(c, (double)k, DT_I32, at), at);
    micro->now = term_select(c, full, term_number(c, 0, DT_I32, at), next, at);
    for (size_t i = 0; i < n; i++) {
        Variable *p = params[i]->var;
        Slot *sum = counter(c, check_name(c, "%s.gradient/%s", prefix, p->path), p->type, at);
        if (!sum) return NULL;
        DType t = p->type.dtype;
        g[i] = term_binary(c, "add", sum->now, term_binary(c, "div", g[i], term_number(c, (double)k, t, at), at), at);
        Term *zero = term_broadcast(c, term_number(c, 0, t, at), p->type.rank, p->type.dims, at);
        sum->now = term_select(c, full, zero, g[i], at);
    }
    return full;
}

/* ---- the update ---- */

static Term *updated(Checker *c, Value v, const Minimize *m, Span at) {
    Term like = {.type = m->type};
    Term *t = value_to_term(c, v, &like, at);
    if (!t) return NULL;
    bool same = t->type.rank == m->type.rank && dtype_is_float(t->type.dtype);
    for (int i = 0; same && i < t->type.rank; i++) same = !dim_differs(c->dims, t->type.dims[i], m->type.dims[i]);
    if (same) return term_cast(c, t, m->type.dtype, at);
    if (m->path)
        err(c, at, update_mismatch, m->path, type_text(c, m->type), type_text(c, t->type));
    else
        err(c, at, vector_mismatch, type_text(c, m->type), type_text(c, t->type));
    return NULL;
}

static void warn_unused(Checker *c, const Minimize *m) {
    for (size_t i = 0; i < m->states.len; i++) {
        const Slot *slot = m->states.at[i];
        if (slot->now == slot->first) err(c, slot->var->at, state_unused, slot->first->name);
    }
}

Term *optimizer_body(Checker *c, Ast *fn, Scope *s) {
    const Minimize *m = c->frame->minimize;
    exec_block(c, s, fn->fn.body);
    AstName name = fn->fn.params.at[0].name;
    const Binding *b = scope_binding(s, name.name);
    if (!b) return NULL;
    warn_unused(c, m);
    return updated(c, b->value, m, b->value.kind == V_TENSOR ? b->value.term->at : name.at);
}

Term *optimizer_expand(Checker *c, const Update *up, Minimize *m, const Value *inputs, int n, Span at) {
    Ast *fn = up->optimizer;
    int nh = fn->fn.hyper.len;
    Value *given = ARENA_ARRAY(check_arena(c), Value, nh + n);
    Span *places = ARENA_ARRAY(check_arena(c), Span, nh + n);
    for (int i = 0; i < nh + n; i++) {
        given[i] = i < nh ? up->hyper[i] : inputs[i - nh];
        places[i] = i < nh ? up->places[i] : at;
    }
    Frame frame;
    if (!frame_push(c, &frame, fn, fn->fn.name.name, at, up->scope)) return NULL;
    frame.minimize = m;
    ParamGroup groups[] = {{&fn->fn.hyper, given, places}, {&fn->fn.params, given + nh, places + nh}};
    Term *p = bind_params(c, frame.scope, groups, 2, fn->fn.name.name) ? optimizer_body(c, fn, frame.scope) : NULL;
    frame_pop(c);
    return p;
}

/* The new value of one parameter; NULL after a diagnostic. */
static Term *update_one(Checker *c, const Update *up, Name prefix, Slot *param, Term *g, Term *full, Span at) {
    Minimize m = {.prefix = prefix, .path = param->var->path, .type = param->var->type};
    Term *p = optimizer_expand(c, up, &m, (Value[]){value_term(param->now), value_term(g)}, 2, at);
    for (size_t i = 0; full && i < m.states.len; i++) {
        Slot *slot = m.states.at[i];
        if (slot->now != slot->first) slot->now = term_select(c, full, slot->now, slot->first, at);
    }
    return p && full ? term_select(c, full, p, param->now, at) : p;
}

/* Schedules that have states are named after the optimizer. */
static Value with_schedules(Checker *c, Scope *s, Ast *e, Name prefix) {
    Namer *outer = c->frame->namer, namer = {.path = prefix};
    c->frame->namer = arena_copy(check_arena(c), &namer, sizeof namer);
    Value v = eval_expr(c, s, e);
    c->frame->namer = outer;
    return v;
}

static const Update *optimizer_of(Checker *c, Scope *s, Ast *e, Name prefix) {
    Value v = with_schedules(c, s, e, prefix);
    if (v.kind == V_OPTIMIZER) v = call_with(c, v, 0, NULL, e->at);
    if (v.kind == V_POISON) return NULL;
    if (v.kind != V_UPDATE) {
        diag_help(c->nnc, err(c, e->at, not_optimizer, value_text(c, v)), "such as: using Adam(lr = 1e-3)");
        return NULL;
    }
    const Ast *fn = v.update->optimizer;
    if (optimizer_form(fn) != OPTIMIZER_BAD) return v.update;
    err(c, fn->fn.name.at, optimizer_inputs, fn->fn.name.name);
    return NULL;
}

static bool options(Checker *c, Scope *s, const Ast *a, Name prefix, Slot **params, Term **g, size_t n, Term **full) {
    if (a->minimize.accumulate) {
        int64_t k;
        Value v = eval_expr(c, s, a->minimize.accumulate);
        if (v.kind == V_POISON) return false;
        if (!value_is_known_int(v, &k) || k < 1) {
            err(c, a->minimize.accumulate->at, bad_count, "accumulate", value_text(c, v));
            return false;
        }
        if (k > 1) *full = accumulate(c, a, prefix, k, params, g, n);
        if (k > 1 && !*full) return false;
    }
    if (a->minimize.clip_value) {
        Term *limit = scalar_option(c, s, a->minimize.clip_value, "clip_value");
        if (!limit) return false;
        clip_values(c, limit, g, n, a->minimize.clip_value->at);
    }
    if (a->minimize.clip_norm) {
        Term *limit = scalar_option(c, s, a->minimize.clip_norm, "clip_norm");
        if (!limit) return false;
        clip_norms(c, limit, g, n, a->minimize.clip_norm->at);
    }
    return true;
}

/* One parameter after the other; false after a diagnostic. */
static bool minimize_each(Checker *c, Scope *s, const Ast *a, const Update *up, Name prefix, Slot **params, size_t n,
                          Term *loss, Term **full) {
    Term **g = ARENA_ARRAY(check_arena(c), Term *, n), **p = ARENA_ARRAY(check_arena(c), Term *, n);
    for (size_t i = 0; i < n; i++) g[i] = term_grad(c, loss, params[i]->now, a->minimize.value->at);
    if (!options(c, s, a, prefix, params, g, n, full)) return false;
    Span at = a->minimize.optimizer->at;
    for (size_t i = 0; i < n; i++) p[i] = update_one(c, up, prefix, params[i], g[i], *full, at);
    for (size_t i = 0; i < n; i++) /* for the statements after it a value like any other */
        if (p[i]) params[i]->now = term_mark(c, term_stop(c, p[i], at), at);
    return true;
}

/* ---- what is minimized ---- */

/* A result as a scalar of the float type; NULL after a diagnostic. */
static Term *scalar_result(Checker *c, Value v, Ast *e, const char *what, const char *more) {
    Term like = {.type = type_scalar(type_float(c))};
    Term *t = v.kind == V_POISON ? NULL : value_to_term(c, v, &like, e->at);
    if (!t) return NULL;
    if (t->type.rank == 0) return term_cast(c, t, type_float(c), e->at);
    Diag *d = err(c, e->at, result_not_scalar, what, type_text(c, t->type));
    diag_help(c->nnc, d, "take the mean or the sum of it");
    if (more) diag_help(c->nnc, d, "%s", more);
    return NULL;
}

/* Residuals of any shape as one vector; NULL after a diagnostic. */
static Term *residuals(Checker *c, Value v, Ast *e) {
    Term like = {.type = type_scalar(type_float(c))};
    Term *t = v.kind == V_POISON ? NULL : value_to_term(c, v, &like, e->at);
    if (!t) return NULL;
    Dim count = type_count(c, t->type);
    return term_reshape(c, term_to_float(c, t, e->at), 1, &count, e->at);
}

/* half the sum of squares */
static Term *half_squares(Checker *c, Term *r, Span at) {
    Term *sum = term_reduce(c, "sum", term_binary(c, "mul", r, r, at), (int[]){0}, 1, false, at);
    return term_cast(c, term_binary(c, "mul", sum, term_number(c, 0.5, sum->type.dtype, at), at), type_float(c), at);
}

static Term *minimized(Checker *c, Value v, Ast *e, OptimizerForm form) {
    if (form == OPTIMIZER_RESIDUALS) return residuals(c, v, e);
    return scalar_result(c, v, e, "what is minimized", "an optimizer (p: [P], r: [M], objective) takes residuals");
}

static void note_gradients(Checker *c, Slot **params, size_t n, Term *loss, Span at) {
    for (size_t i = 0; i < n; i++) {
        UnitGradient g = {params[i]->var, term_grad(c, loss, params[i]->now, at)};
        arena_push(c, &c->unit->unit->gradients, g);
    }
}

/* What is minimized becomes a result, the parameters and the optimizer's states get new values. */
static void minimize_with(Checker *c, Scope *s, Ast *a, Value v, const Update *up, Name prefix, Slot *count) {
    UnitState *u = c->unit;
    OptimizerForm form = optimizer_form(up->optimizer);
    Term *value = minimized(c, v, a->minimize.value, form), *full = NULL;
    if (!value) return;
    bool *chosen = ARENA_ARRAY(check_arena(c), bool, u->order.len + 1);
    Slot **params = ARENA_ARRAY(check_arena(c), Slot *, u->order.len + 1);
    if (!find_targets(c, s, a, value, chosen)) return;
    size_t n = 0, all = u->order.len, result = u->unit->results.len;
    for (size_t i = 0; i < all; i++)
        if (chosen[i]) params[n++] = u->order.at[i];
    for (size_t i = 0; i < n; i++)
        if (!grad_passes(c, value, params[i]->now, a->minimize.value->at)) return;
    UnitResult r = {.name = loss_name(c, a), .value = value, .at = a->at};
    arena_push(c, &u->unit->results, r);
    Span at = a->minimize.value->at;
    note_gradients(c, params, n, form == OPTIMIZER_RESIDUALS ? half_squares(c, value, at) : value, at);
    bool done;
    if (form == OPTIMIZER_EACH) {
        done = minimize_each(c, s, a, up, prefix, params, n, value, &full);
    } else {
        Term *before = minimize_whole(c, a, up, prefix, params, n, value);
        done = before != NULL;
        if (done && form == OPTIMIZER_RESIDUALS) before = half_squares(c, before, at);
        u->unit->results.at[result].value = before;
    }
    if (done) count->now = full ? term_select(c, full, u->step, count->now, a->minimize.optimizer->at) : u->step;
}

Flow exec_minimize(Checker *c, Scope *s, Ast *a) {
    Span at = a->minimize.optimizer->at;
    Value v = eval_expr(c, s, a->minimize.value);
    Name prefix = optimizer_name(c, a->minimize.optimizer);
    Slot *count = counter(c, check_name(c, "%s.step", prefix), type_scalar(DT_I32), at);
    if (v.kind == V_POISON || !count) return FLOW_NEXT;
    c->unit->step = term_binary(c, "add", count->now, term_number(c, 1, DT_I32, at), at);
    c->unit->step->name = check_name(c, "step");
    const Update *up = optimizer_of(c, s, a->minimize.optimizer, prefix);
    if (up) minimize_with(c, s, a, v, up, prefix, count);
    c->unit->step = NULL;
    return FLOW_NEXT;
}

/* A report looks at the model and changes nothing: what its expression does to states is undone. */
Flow exec_report(Checker *c, Scope *s, Ast *a) {
    UnitState *u = c->unit;
    size_t n;
    Term **now = slots_now(c, &n);
    Term *t = scalar_result(c, eval_expr(c, s, a->report.value), a->report.value, "what is reported", NULL);
    slots_reset(c, now, n);
    for (size_t i = 0; i < u->reports.len; i++)
        if (u->reports.at[i].name == a->report.name.name) {
            diag_label(c->nnc, err(c, a->report.name.at, report_twice, a->report.name.name), u->reports.at[i].at,
                       "the first");
            return FLOW_NEXT;
        }
    UnitResult r = {.name = a->report.name.name, .value = t, .at = a->at};
    arena_push(c, &u->reports, r);
    return FLOW_NEXT;
}
