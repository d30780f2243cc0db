/* Each declaration by itself, with made-up arguments: sizes are symbols, functions are unknown. */
#include "lang/check.h"

#include <string.h>

/* An argument made up for a parameter: NONE where the default is to be taken. */
static Value made_up(Checker *c, Scope *s, const AstParam *p, int pack) {
    DType dtype;
    if (p->value) return value_none();
    if (!p->type || !type_dtype(c, p->type, &dtype)) return value_poison();
    if (p->type->type.scalar) {
        if (dtype == DT_BOOL) return value_poison();
        return dtype_is_float(dtype) ? value_unknown_float() : value_dim(dim_fresh(c->dims, p->name.name));
    }
    Type t;
    if (!type_fresh(c, s, p->type, pack, &t)) return value_poison();
    return value_term(term_input(c, c->unit->unit, p->name.name, t, -1, p->type->at));
}

/* A default as far as the types of tensors may mention it: one that mentions tensors itself is unknown as yet. */
static Value early_default(Checker *c, Scope *s, Ast *e) {
    Diags *diags = &c->nnc->diags;
    int errors = diags->errors, warnings = diags->warnings;
    bool stopped = c->stopped;
    diags->muted++;
    Value v = eval_expr(c, s, e);
    diags->muted--;
    if (diags->errors != errors) v = value_poison();
    diags->errors = errors, diags->warnings = warnings, c->stopped = stopped;
    return v;
}

/* Scalars come first: the types of tensors mention them. */
static void make_up(Checker *c, Scope *s, const AstParams *params, int pack, bool tensors, Value *given, Span *places) {
    for (int i = 0; i < params->len; i++) {
        const AstParam *p = &params->at[i];
        bool tensor = p->type && !p->type->type.scalar;
        if (tensor != tensors) continue;
        given[i] = made_up(c, s, p, pack);
        places[i] = p->name.at;
        if (given[i].kind != V_NONE && !tensor) scope_define(c, s, p->name.name, given[i], p->name.at);
        if (given[i].kind == V_NONE && !tensor)
            scope_define(c, s, p->name.name, early_default(c, s, p->value), p->name.at);
    }
}

/* A declaration that is expanded by itself, with the arguments made up for it. */
typedef struct {
    UnitState unit;
    Frame frame;
    Namer namer;
    Value *given;
    Span *places;
} Trial;

static bool trial_begin(Checker *c, Trial *t, Module *m, Ast *fn) {
    unit_begin(c, &t->unit, UNIT_EXPORT, fn->fn.name.name, true);
    t->unit.alone = true;
    int n = fn->fn.hyper.len + fn->fn.params.len;
    t->given = ARENA_ARRAY(check_arena(c), Value, n + 1);
    t->places = ARENA_ARRAY(check_arena(c), Span, n + 1);
    t->namer = (Namer){.path = fn->fn.name.name};
    if (!frame_push(c, &t->frame, fn, NULL, (Span){0}, m->scope)) return false;
    t->frame.namer = &t->namer;
    t->frame.owns_params = fn->fn.kind == FN_LAYER || fn->fn.kind == FN_MODEL;
    return true;
}

static void trial_end(Checker *c, Trial *t) {
    frame_pop(c);
    unit_end(c, &t->unit);
}

static bool trial_bind(Checker *c, Trial *t, Ast *fn) {
    int nh = fn->fn.hyper.len;
    ParamGroup groups[] = {{&fn->fn.hyper, t->given, t->places}, {&fn->fn.params, t->given + nh, t->places + nh}};
    return bind_params(c, t->frame.scope, groups, 2, fn->fn.name.name);
}

/* What try_function works on. */
typedef struct {
    Module *module;
    Ast *fn;
} Declaration;

static void try_function(Checker *c, void *declaration, int pack) {
    const Declaration *d = declaration;
    const AstParams *hyper = &d->fn->fn.hyper, *params = &d->fn->fn.params;
    Trial t;
    if (!trial_begin(c, &t, d->module, d->fn)) return;
    Scope *types = scope_new(c, d->module->scope);
    Value *inputs = t.given + hyper->len;
    Span *places = t.places + hyper->len;
    make_up(c, types, hyper, pack, false, t.given, t.places);
    make_up(c, types, params, pack, false, inputs, places);
    make_up(c, types, params, pack, true, inputs, places);
    if (trial_bind(c, &t, d->fn)) function_body(c, d->fn, t.frame.scope);
    trial_end(c, &t);
}

/* What an optimizer of all parameters gets beside them, made up. */
static void make_up_whole(Checker *c, const Trial *t, Ast *fn, Type p, Objective *o, Value *inputs) {
    bool residuals = optimizer_form(fn) == OPTIMIZER_RESIDUALS;
    Dim m = dim_fresh(c->dims, check_name(c, "M"));
    Type r = type_of(c, type_float(c), 1, &m);
    const AstName *name = &fn->fn.params.at[1].name;
    *o = (Objective){.point = p, .type = residuals ? r : type_scalar(type_float(c)), .residuals = residuals};
    inputs[1] = value_term(term_input(c, t->unit.unit, name->name, residuals ? r : p, -1, name->at));
    inputs[2] = (Value){.kind = V_OBJECTIVE, .objective = o};
}

/* An optimizer of one parameter works on any number of dims; it is tried with `rank`. */
static void try_optimizer(Checker *c, Module *m, Ast *fn, int rank) {
    Trial t;
    int nh = fn->fn.hyper.len;
    if (!trial_begin(c, &t, m, fn)) return;
    make_up(c, scope_new(c, m->scope), &fn->fn.hyper, 0, false, t.given, t.places);
    Dim dims[] = {dim_fresh(c->dims, check_name(c, "P")), dim_fresh(c->dims, check_name(c, "Q"))};
    Type type = type_of(c, type_float(c), rank, dims);
    bool whole = fn->fn.params.len == 3;
    Objective objective;
    Minimize minimize = {
        .prefix = fn->fn.name.name, .type = type, .path = whole ? NULL : fn->fn.params.at[0].name.name};
    t.frame.minimize = &minimize;
    t.unit.step = run_scalar(c, "tick", fn->at);
    for (int i = 0; i < fn->fn.params.len; i++) {
        const AstName *name = &fn->fn.params.at[i].name;
        t.places[nh + i] = name->at;
        if (i < 2) t.given[nh + i] = value_term(term_input(c, t.unit.unit, name->name, type, -1, name->at));
    }
    if (whole) make_up_whole(c, &t, fn, type, &objective, t.given + nh);
    if (trial_bind(c, &t, fn)) optimizer_body(c, fn, t.frame.scope);
    trial_end(c, &t);
}

void check_declaration(Checker *c, Module *m, Ast *fn) {
    if (fn->fn.kind != FN_OPTIMIZER) {
        Declaration d = {m, fn};
        check_with_packs(c, &fn->fn.params, try_function, &d);
    } else if (optimizer_form(fn) == OPTIMIZER_BAD) {
        err(c, fn->fn.name.at, optimizer_inputs, fn->fn.name.name);
    } else {
        try_optimizer(c, m, fn, 1);
        if (optimizer_form(fn) == OPTIMIZER_EACH) try_optimizer(c, m, fn, 2);
    }
}

/* ---- a model by itself, to look at ---- */

typedef struct {
    const Model *model;
    Unit *unit;
} ModelTrial;

static void try_model(Checker *c, void *trial, int pack) {
    ModelTrial *t = trial;
    Ast *fn = t->model->ast;
    const AstParams *params = &fn->fn.params;
    UnitState u;
    unit_begin(c, &u, UNIT_EXPORT, fn->fn.name.name, true);
    u.training = true;
    Frame frame;
    if (frame_push(c, &frame, NULL, NULL, (Span){0}, t->model->module->scope)) {
        Value *given = ARENA_ARRAY(check_arena(c), Value, params->len + 1);
        Span *places = ARENA_ARRAY(check_arena(c), Span, params->len + 1);
        Arg *args = ARENA_ARRAY(check_arena(c), Arg, params->len + 1);
        int n = 0;
        make_up(c, frame.scope, params, pack, false, given, places);
        make_up(c, frame.scope, params, pack, true, given, places);
        for (int i = 0; i < params->len; i++)
            if (given[i].kind != V_NONE) args[n++] = (Arg){params->at[i].name.name, given[i], places[i], places[i]};
        Value model = module_lookup(c, t->model->module, t->model->name, fn->at);
        unit_results(c, t->model->name, call_model(c, model, (Args){args, n}, (Span){0}), fn->fn.body->at);
        frame_pop(c);
    }
    t->unit = unit_end(c, &u);
}

Unit *program_model_picture(Program *p, const Model *m) {
    ModelTrial t = {.model = m};
    check_with_packs(p->checker, &m->ast->fn.params, try_model, &t);
    return t.unit;
}
