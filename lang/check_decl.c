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

/* Scalars come first: the types of tensors mention them. */
static void make_up(Checker *c, Scope *s, const AstParams *params, int pack, bool tensors, Value *given, Span *places) {
    for (int i = 0; i < params->len; i++) {
        const AstParam *p = &params->at[i];
        bool tensor = p->type && !p->type->type.scalar;
        if (tensor != tensors) continue;
        given[i] = made_up(c, s, p, pack);
        places[i] = p->name.at;
        if (given[i].kind != V_NONE && !tensor) scope_define(c, s, p->name.name, given[i], p->name.at);
        if (given[i].kind == V_NONE && !tensor) scope_define(c, s, p->name.name, eval_expr(c, s, p->value), p->name.at);
    }
}

/* An optimizer sees a parameter of `rank` dims. */
static void make_up_parameter(Checker *c, Value *given, Span *places, const AstParams *params, int rank) {
    static const char *const names[] = {"P", "Q", "R"};
    Dim dims[3];
    for (int i = 0; i < rank; i++) dims[i] = dim_fresh(c->dims, check_name(c, "%s", names[i]));
    Type t = type_of(c, type_float(c), rank, dims);
    for (int i = 0; i < params->len; i++) {
        places[i] = params->at[i].name.at;
        given[i] = i < 2 ? value_term(term_input(c, c->unit->unit, params->at[i].name.name, t, -1, places[i])) : value_poison();
    }
}

/* A slot for the parameter that an optimizer is checked with. */
static Minimize check_minimize(Checker *c, Value p) {
    bool made;
    Type t = p.kind == V_TENSOR ? p.term->type : type_scalar(type_float(c));
    Variable *var = variable_at(c, check_name(c, "p"), t, true, false, (Span){0}, &made);
    return (Minimize){.prefix = check_name(c, "optimizer"), .param = variable_slot(c, var, (Span){0})};
}

static void expand_once(Checker *c, Module *m, Ast *fn, int pack) {
    UnitState u;
    Name name = fn->fn.name.name;
    unit_begin(c, &u, UNIT_EXPORT, name, true);
    const AstParams *hyper = &fn->fn.hyper, *params = &fn->fn.params;
    Value *given = ARENA_ARRAY(check_arena(c), Value, hyper->len + params->len + 1);
    Span *places = ARENA_ARRAY(check_arena(c), Span, hyper->len + params->len + 1);
    Scope *types = scope_new(c, m->scope);
    make_up(c, types, hyper, pack, false, given, places);
    if (fn->fn.kind == FN_OPTIMIZER) {
        make_up_parameter(c, given + hyper->len, places + hyper->len, params, pack);
        u.step = run_scalar(c, "tick", fn->at);
    } else {
        make_up(c, types, params, pack, false, given + hyper->len, places + hyper->len);
        make_up(c, types, params, pack, true, given + hyper->len, places + hyper->len);
    }
    Frame frame;
    if (frame_push(c, &frame, fn, NULL, (Span){0}, m->scope)) {
        Namer namer = {.path = name};
        Minimize minimize = {0};
        frame.namer = &namer;
        frame.owns_params = fn->fn.kind == FN_LAYER || fn->fn.kind == FN_MODEL;
        ParamGroup groups[] = {{hyper, given, places}, {params, given + hyper->len, places + hyper->len}};
        if (fn->fn.kind == FN_OPTIMIZER && params->len >= 2) {
            minimize = check_minimize(c, given[hyper->len]);
            frame.minimize = &minimize;
        }
        if (bind_params(c, frame.scope, groups, 2, name)) {
            if (fn->fn.kind == FN_OPTIMIZER)
                exec_block(c, frame.scope, fn->fn.body);
            else
                function_body(c, fn, frame.scope);
        }
        frame_pop(c);
    }
    unit_end(c, &u);
}

/* What `..` and an optimizer's parameter may be is not said: one number of dims that fits is enough. */
void check_declaration(Checker *c, Module *m, Ast *fn) {
    static const int packs[] = {1, 2, 0, 3};
    Diags *diags = &c->nnc->diags;
    for (size_t i = 0; i < COUNT(packs); i++) {
        int errors = diags->errors, warnings = diags->warnings;
        diags->muted++;
        expand_once(c, m, fn, packs[i]);
        diags->muted--;
        bool ok = diags->errors == errors;
        diags->errors = errors, diags->warnings = warnings;
        if (ok) return;
    }
    expand_once(c, m, fn, packs[0]);
}
