/* Layers and models: instances, their names, and the expansion of their bodies. */
#include "lang/check.h"

#include <ctype.h>
#include <string.h>

/* ---- names ---- */

Name value_path_join(Checker *c, Name path, Name child) {
    return path[0] ? check_name(c, "%s.%s", path, child) : child;
}

bool value_path_within(Name path, Name whole) {
    size_t n = strlen(whole);
    return strncmp(path, whole, n) == 0 && (path[n] == 0 || path[n] == '.');
}

/* The name itself where it is free, else with the first free number behind it. Names stay taken, so the search goes on
 * where it ended before. */
static Name child_name(Checker *c, Namer *namer, const char *base, bool counted) {
    Name name = intern(c->nnc->names, base);
    int *next = map_get(&namer->numbers, name);
    if (!next) {
        next = ARENA_ARRAY(check_arena(c), int, 2);
        next[false] = 2, next[true] = 1;
        map_put(c, &namer->numbers, name, next);
    }
    Name plain = name;
    for (bool taken = counted; taken || map_get(&namer->used, name); taken = false)
        name = check_name(c, "%s%d", plain, next[counted]++);
    map_put(c, &namer->used, name, namer);
    return value_path_join(c, namer->path, name);
}

void name_instance(Checker *c, Value v, Name name) {
    if (v.kind == V_INSTANCE && !v.instance->path) v.instance->path = child_name(c, v.instance->home, name, false);
}

/* Dense makes dense1, dense2, ... */
Name instance_path(Checker *c, Instance *in) {
    if (in->path) return in->path;
    char *base = arena_printf(check_arena(c), "%s", in->layer->fn.name.name);
    for (char *p = base; *p; p++) *p = (char)tolower((unsigned char)*p);
    return in->path = child_name(c, in->home, base, true);
}

/* Layers without a name that a layer was given are its children, as those are that its body makes:
 * Sequential([Dense(8)]) has sequential1.dense1. In later calls they have their names, which are not free for others
 * then. */
static void adopt(Checker *c, Value v, Namer *namer) {
    for (int i = 0; (v.kind == V_LIST || v.kind == V_TUPLE) && i < v.list.len; i++) adopt(c, v.list.at[i], namer);
    if (v.kind != V_INSTANCE) return;
    Instance *in = v.instance;
    if (!in->path)
        in->home = namer;
    else if (value_path_within(in->path, namer->path))
        map_put(c, &namer->used, intern(c->nnc->names, in->path + strlen(namer->path) + 1), namer);
}

Namer *namer_here(Checker *c) { return c->frame ? c->frame->namer : c->unit ? c->unit->namer : &c->top; }

Name value_path(Value v) {
    if (v.kind == V_MODEL) return v.fn.ast->fn.name.name;
    if (v.kind == V_PART) return v.path;
    return v.kind == V_INSTANCE ? v.instance->path : NULL;
}

/* ---- instances ---- */

Value make_instance(Checker *c, Value layer, Args args, Span at) {
    Ast *ast = layer.fn.ast;
    Instance *in = ARENA_NEW(check_arena(c), Instance);
    in->layer = ast;
    in->scope = layer.fn.scope;
    in->home = namer_here(c);
    in->hyper = ARENA_ARRAY(check_arena(c), Value, ast->fn.hyper.len + 1);
    in->places = ARENA_ARRAY(check_arena(c), Span, ast->fn.hyper.len + 1);
    if (!args_place(c, &ast->fn.hyper, args, ast, ast->fn.name.name, at, in->hyper, in->places)) return value_poison();
    return (Value){.kind = V_INSTANCE, .instance = in};
}

/* ---- the record of calls, for the summary ---- */

static Type first_type(Value v) {
    if ((v.kind == V_TUPLE || v.kind == V_LIST) && v.list.len) v = v.list.at[0];
    return v.kind == V_TENSOR ? v.term->type : (Type){.rank = -1};
}

static size_t record_call(Checker *c, Name path, const Frame *f, const Value *inputs, int n) {
    Unit *u = c->unit->unit;
    LayerCall call = {.path = path, .layer = f->name, .at = f->call, .input = {.rank = -1}, .result = {.rank = -1}};
    for (int i = 0; i < n && call.input.rank < 0; i++) call.input = first_type(inputs[i]);
    for (const Frame *up = f->up; up; up = up->up) call.depth += up->owns_params;
    arena_push(c, &u->layers, call);
    return u->layers.len - 1;
}

/* ---- expansion ---- */

static Value expand(Checker *c, Ast *ast, Scope *module, const Value *hyper, const Span *hyper_at, Name path, Args args,
                    Span at) {
    Name name = ast->fn.name.name;
    if (!c->unit) {
        err(c, at, outside_body, name);
        return value_poison();
    }
    int nh = ast->fn.hyper.len, n = ast->fn.params.len;
    Value *given = ARENA_ARRAY(check_arena(c), Value, nh + n + 1);
    Span *places = ARENA_ARRAY(check_arena(c), Span, nh + n + 1);
    for (int i = 0; i < nh; i++) given[i] = hyper[i], places[i] = hyper_at[i];
    if (!args_place(c, &ast->fn.params, args, ast, name, at, given + nh, places + nh)) return value_poison();
    Frame frame;
    if (!frame_push(c, &frame, ast, name, at, module)) return value_poison();
    Namer namer = {.path = path};
    frame.namer = arena_copy(check_arena(c), &namer, sizeof namer); /* instances that it makes may outlive the call */
    for (int i = 0; i < nh; i++) adopt(c, hyper[i], frame.namer);
    frame.owns_params = true;
    ParamGroup groups[] = {{&ast->fn.hyper, given, places}, {&ast->fn.params, given + nh, places + nh}};
    Value v = value_poison();
    bool of_model = !c->unit->step; /* not of a schedule */
    size_t record = of_model ? record_call(c, path, &frame, given + nh, n) : 0;
    if (bind_params(c, frame.scope, groups, 2, name)) v = function_body(c, ast, frame.scope);
    if (of_model) c->unit->unit->layers.at[record].result = first_type(v);
    if (of_model && frame.record >= 0) c->unit->unit->calls.at[frame.record].layer = (int)record;
    frame_pop(c);
    return v;
}

Value call_instance(Checker *c, Instance *in, Args args, Span at) {
    return expand(c, in->layer, in->scope, in->hyper, in->places, instance_path(c, in), args, at);
}

Value call_model(Checker *c, Value model, Args args, Span at) {
    return expand(c, model.fn.ast, model.fn.scope, NULL, NULL, value_path(model), args, at);
}

/* ---- parts ---- */

static Value unknown_part(Checker *c, Name path, AstName field) {
    Names names = {0};
    size_t n = strlen(path);
    for (size_t i = 0; i < c->unit->vars->list.len; i++) {
        Name p = c->unit->vars->list.at[i]->path;
        if (!value_path_within(p, path) || p[n] == 0) continue;
        const char *rest = p + n + 1, *dot = strchr(rest, '.');
        Name child = dot ? intern_n(c->nnc->names, rest, (size_t)(dot - rest)) : intern(c->nnc->names, rest);
        arena_push(c, &names, child);
    }
    Diag *d = err(c, field.at, unknown_part, path, field.name);
    const char *near = diag_nearest(field.name, names.at, names.len);
    if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    if (!names.len) diag_help(c->nnc, d, "its parameters are made by its first call, which must come before this");
    return value_poison();
}

Value eval_field(Checker *c, Scope *s, Ast *e) {
    Value of = eval_expr(c, s, e->field.of);
    if (of.kind == V_POISON) return of;
    if (of.kind == V_INSTANCE) instance_path(c, of.instance);
    Name path = value_path(of);
    if (!path || !c->unit) {
        err(c, e->field.field.at, no_fields, value_text(c, of), e->field.field.name);
        return value_poison();
    }
    if (!vars_within(c->unit->vars, path)) model_params(c, of, e->at);
    Name child = value_path_join(c, path, e->field.field.name);
    Variable *var = map_get(&c->unit->vars->by_path, child);
    if (var) return value_term(variable_slot(c, var, e->at)->now);
    if (vars_within(c->unit->vars, child)) return (Value){.kind = V_PART, .path = child};
    return c->without_data ? value_poison() : unknown_part(c, path, e->field.field);
}
