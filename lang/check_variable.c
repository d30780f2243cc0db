/* Parameters and states: the variables of the program, their first values, and their values in the unit being made. */
#include "lang/loop.h"

#include <string.h>

/* ---- variables ---- */

static bool same_type(Checker *c, Type a, Type b) {
    if (a.dtype != b.dtype || a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (dim_differs(c->dims, a.dims[i], b.dims[i])) return false;
    return true;
}

static bool sizes_known(Checker *c, Name path, Type t, Span at) {
    int64_t n;
    for (int i = 0; i < t.rank && !c->unit->symbolic; i++)
        if (!dim_is_const(t.dims[i], &n)) {
            err(c, at, size_unknown, path, type_text(c, t), dim_text(c, t.dims[i]));
            return false;
        }
    return true;
}

Variable *variable_at(Checker *c, Name path, Type t, bool is_param, bool of_optimizer, Span at, bool *made) {
    VarTable *vars = c->unit->vars;
    Variable *var = map_get(&vars->by_path, path);
    *made = false;
    if (var && same_type(c, var->type, t) && var->is_param == is_param) return var;
    if (var) {
        diag_label(c->nnc, err(c, at, variable_mismatch, path, type_text(c, t), type_text(c, var->type)), var->at,
                   "the other one");
        return NULL;
    }
    if (!sizes_known(c, path, t, at)) return NULL;
    *made = true;
    var = ARENA_NEW(check_arena(c), Variable);
    *var = (Variable){.path = path, .type = t, .at = at, .is_param = is_param, .is_optimizer_state = of_optimizer};
    map_put(c, &vars->by_path, path, var);
    var->slot = (int)vars->list.len;
    arena_push(c, &vars->list, var);
    if (vars != &c->vars) return var;
    Program *p = c->program;
    var->slot = (int)(is_param ? p->params.len : p->states.len);
    if (is_param)
        arena_push(c, &p->params, var);
    else
        arena_push(c, &p->states, var);
    return var;
}

static Slot *new_slot(Checker *c, Variable *var, Span at) {
    UnitState *u = c->unit;
    Slot *slot = ARENA_NEW(check_arena(c), Slot);
    slot->var = var;
    slot->first = slot->now = term_new(c, var->is_param ? T_PARAM : T_STATE, var->type, at, 0, NULL);
    slot->first->slot = var->slot;
    const char *dot = strrchr(var->path, '.');
    slot->first->name = dot ? intern(c->nnc->names, dot + 1) : var->path;
    map_put(c, &u->slots, var->path, slot);
    arena_push(c, &u->order, slot);
    return slot;
}

Slot *variable_slot(Checker *c, Variable *var, Span at) {
    UnitState *u = c->unit;
    Slot *slot = map_get(&u->slots, var->path);
    if (!slot) slot = new_slot(c, var, at);
    if (!var->is_param) while_carries(c, slot, at);
    return slot;
}

Value variable_value(Checker *c, Variable *var, Span at) {
    return value_term(c->unit == &c->init ? var->init : variable_slot(c, var, at)->now);
}

Term **slots_now(Checker *c, size_t *n) {
    *n = c->unit->order.len;
    Term **now = ARENA_ARRAY(check_arena(c), Term *, *n + 1);
    for (size_t i = 0; i < *n; i++) now[i] = c->unit->order.at[i]->now;
    return now;
}

void slots_reset(Checker *c, Term **now, size_t n) {
    for (size_t i = 0; i < c->unit->order.len; i++) {
        Slot *slot = c->unit->order.at[i];
        slot->now = i < n ? now[i] : slot->first;
    }
}

/* ---- first values ---- */

Value initial_value(Checker *c, Value v) {
    const UnitState *u = c->init.around;
    if (v.kind != V_TENSOR || (v.term->kind != T_PARAM && v.term->kind != T_STATE)) return v;
    for (size_t i = 0; i < u->order.len; i++)
        if (u->order.at[i]->first == v.term) return value_term(u->order.at[i]->var->init);
    return v;
}

/* Whether a layer or function is checked by itself: its inputs may be parameters where it is used. */
static bool stands_for_parameters(Checker *c) {
    const Frame *f = c->frame;
    while (f->up) f = f->up;
    return c->init.around->alone && f->fn && f->fn->fn.kind != FN_MODEL;
}

/* A first value is made of random numbers, constants and other first values: nothing of the step that it is declared
 * in, nor of the loops around it there, whose terms are those in [around, own). */
static bool depends(Checker *c, const Term *t, int around, int own, NameMap *seen) {
    if (t->kind == T_PARAM || t->kind == T_STATE) return true;
    if (t->kind == T_CARRY || t->kind == T_ITERATION) return t->id >= around && t->id < own;
    if (t->kind == T_INPUT)
        return t != c->init.seed && t != c->init.tick && t != c->init.epoch && !stands_for_parameters(c);
    if (t->nargs == 0) return false;
    Name key = check_name(c, "%d", t->id);
    if (map_get(seen, key)) return false;
    map_put(c, seen, key, seen);
    for (int i = 0; i < t->nargs; i++)
        if (depends(c, t->args[i], around, own, seen)) return true;
    return false;
}

/* An initializer is a function of (shape, fan_in, fan_out); one that only has options, `orthogonal(gain = 1)`, makes
 * one. */
static Value draw(Checker *c, Value f, const Variable *var, Span at) {
    Type t = var->type;
    Value *shape = ARENA_ARRAY(check_arena(c), Value, t.rank + 1);
    for (int i = 0; i < t.rank; i++) shape[i] = value_dim(t.dims[i]);
    Dim one = dim_number(c->dims, 1), field = one;
    for (int i = 0; i < t.rank - 2; i++) field = dim_mul(c->dims, field, t.dims[i]);
    Dim in = t.rank ? dim_mul(c->dims, field, t.dims[MAX(t.rank - 2, 0)]) : one;
    Dim out = t.rank ? dim_mul(c->dims, field, t.dims[t.rank - 1]) : one;
    Value args[] = {value_list(c, V_LIST, shape, t.rank), value_dim(in), value_dim(out)};
    if (f.kind == V_FUNCTION && f.fn.ast->kind == AST_FUNCTION) {
        const AstParams *params = &f.fn.ast->fn.params;
        bool options = params->len > 0;
        for (int i = 0; i < params->len; i++) options = options && params->at[i].value;
        if (options) f = call_with(c, f, 0, NULL, at);
    }
    if (f.kind != V_FUNCTION && f.kind != V_BUILTIN && f.kind != V_POISON) {
        diag_help(c->nnc, err(c, at, bad_initializer, value_text(c, f)),
                  "an initializer is a function of (shape, fan_in, fan_out); '=' gives a value");
        return value_poison();
    }
    return call_with(c, f, 3, args, at);
}

static Term *fit(Checker *c, Variable *var, Value v, const ScanContext *scan, int own, Span at) {
    Term like = {.type = var->type};
    Term *t = value_to_term(c, v, &like, at);
    if (!t) return NULL;
    int rank, bad;
    const Dim *dims;
    bool fits = dims_broadcast(c, var->type, t->type, &rank, &dims, &bad) && rank == var->type.rank;
    for (int i = 0; fits && i < rank; i++) fits = !dim_differs(c->dims, dims[i], var->type.dims[i]);
    if (!fits || (dtype_is_float(t->type.dtype) && !dtype_is_float(var->type.dtype))) {
        diag_label(c->nnc, err(c, at, init_mismatch, var->path, type_text(c, var->type), type_text(c, t->type)),
                   var->at, "declared here");
        return NULL;
    }
    NameMap seen = {0};
    while (scan && scan->up) scan = scan->up;
    if (depends(c, t, scan ? scan->first_term : own, own, &seen)) {
        diag_help(c->nnc, err(c, at, init_depends, var->path),
                  "it is made before the first step: of random numbers, constants, and parameters by their names");
        return NULL;
    }
    return term_broadcast(c, term_cast(c, t, var->type.dtype, at), rank, var->type.dims, at);
}

void init_value(Checker *c, Variable *var, Scope *s, Ast *init, bool drawn) {
    UnitState *unit = c->unit;
    ScanContext *scan = c->scan;
    int own = c->terms;
    c->scan = NULL; /* a first value is the same in each iteration */
    c->init.symbolic = unit->symbolic;
    c->init.vars = unit->vars;
    c->init.around = unit;
    c->unit = &c->init;
    Frame frame;
    if (frame_push(c, &frame, NULL, NULL, init->at, s)) {
        Namer namer = {.path = var->path};
        frame.namer = &namer;
        Value v = eval_expr(c, s, init);
        if (drawn && v.kind != V_POISON) v = draw(c, v, var, init->at);
        var->init = fit(c, var, v, scan, own, init->at);
        frame_pop(c);
    }
    c->unit = unit;
    c->scan = scan;
    if (!var->init) init_number(c, var, 0);
}

void init_number(Checker *c, Variable *var, double x) {
    Term *number = term_number(c, x, var->type.dtype, var->at);
    var->init = term_broadcast(c, number, var->type.rank, var->type.dims, var->at);
}

/* ---- param and state ---- */

static bool may_declare(Checker *c, const char *what, Span at) {
    if (c->frame->owns_params && c->unit) return true;
    err(c, at, misplaced, what, "a layer or a model");
    return false;
}

/* Two declarations of one name in one body would be one tensor. */
static bool declare_path(Checker *c, Name name, Span at, Name *path) {
    Namer *namer = c->frame->namer;
    *path = value_path_join(c, namer->path, name);
    if (map_get(&namer->used, name)) {
        err(c, at, duplicate_variable, name);
        return false;
    }
    map_put(c, &namer->used, name, namer);
    return true;
}

Flow exec_param(Checker *c, Scope *s, Ast *a) {
    AstName name = a->param.name;
    Name path;
    Type t;
    bool made;
    if (!may_declare(c, "param", a->at)) return FLOW_NEXT;
    scope_define(c, s, name.name, value_poison(), name.at);
    if (!type_eval(c, s, a->param.type, &t) || !declare_path(c, name.name, name.at, &path)) return FLOW_NEXT;
    if (!dtype_is_float(t.dtype)) {
        diag_help(c->nnc, err(c, a->param.type->at, param_not_float, name.name, type_text(c, t)),
                  "what is not learned is a state");
        return FLOW_NEXT;
    }
    Variable *var = variable_at(c, path, t, true, false, a->param.type->at, &made);
    if (!var) return FLOW_NEXT;
    if (made) init_value(c, var, s, a->param.init, a->param.drawn);
    scope_define(c, s, name.name, value_none(), name.at)->var = var;
    return FLOW_NEXT;
}

static void layer_state(Checker *c, Scope *s, const AstField *f) {
    Name path;
    Type t;
    bool made;
    scope_define(c, s, f->name.name, value_poison(), f->name.at);
    if (!f->type) {
        err(c, f->name.at, state_untyped, f->name.name);
        return;
    }
    if (!type_eval(c, s, f->type, &t) || !declare_path(c, f->name.name, f->name.at, &path)) return;
    bool of_optimizer = c->unit->step != NULL; /* of a schedule, as Plateau is */
    Variable *var = variable_at(c, path, t, false, of_optimizer, f->type->at, &made);
    if (!var) return;
    if (made) init_value(c, var, s, f->value, false);
    scope_define(c, s, f->name.name, value_none(), f->name.at)->var = var;
}

Flow exec_states(Checker *c, Scope *s, Ast *a) {
    if (!c->frame->minimize && !may_declare(c, "state", a->at)) return FLOW_NEXT;
    for (int i = 0; i < a->states.len; i++) {
        if (c->frame->minimize)
            optimizer_state(c, s, &a->states.at[i]);
        else
            layer_state(c, s, &a->states.at[i]);
    }
    return FLOW_NEXT;
}

/* ---- randomness and the scalars of the run ---- */

/* A place in the program: the path of what it is in and its number there. What is expanded twice in one unit (a shared
 * layer) draws anew each time. */
uint32_t random_site(Checker *c) {
    Namer *namer = c->frame ? c->frame->namer : c->unit->namer;
    Name key = check_name(c, "%s#%d", namer->path, ++namer->randoms);
    while (map_get(&c->unit->sites, key)) key = check_name(c, "%s'", key);
    map_put(c, &c->unit->sites, key, c);
    uint32_t h = 2166136261u;
    for (const char *p = key; *p; p++) h = (h ^ (unsigned char)*p) * 16777619u;
    return h;
}

/* Steps have these inputs from the start, exported functions where they are used. */
Term *run_scalar(Checker *c, const char *name, Span at) {
    UnitState *u = c->unit;
    Term **t = strcmp(name, "seed") == 0 ? &u->seed : strcmp(name, "tick") == 0 ? &u->tick : &u->epoch;
    if (!*t) *t = term_input(c, u->unit, intern(c->nnc->names, name), type_scalar(DT_I32), -1, at);
    return *t;
}
