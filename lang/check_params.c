/* All parameters of a model: listed, replaced by other values, and a layer's own copies. */
#include "lang/builtin.h"
#include "lang/loop.h"

#include <string.h>

bool vars_within(const VarTable *vars, Name path) {
    for (size_t i = 0; i < vars->list.len; i++)
        if (value_path_within(vars->list.at[i]->path, path)) return true;
    return false;
}

/* A call for the parameters that it makes; what else it does, to states, random places and the record, is
 * undone. */
static void call_aside(Checker *c, Value callee, Args args, Span at) {
    NameMap sites = c->unit->sites, none = {0};
    size_t n, layers = c->unit->unit->layers.len;
    Term **now = slots_now(c, &n);
    ScanContext *scan = c->scan;
    c->unit->sites = none;
    c->scan = NULL; /* no loop carries these states */
    call_value(c, callee, args, at);
    c->unit->sites = sites;
    c->scan = scan;
    c->unit->unit->layers.len = layers;
    slots_reset(c, now, n);
}

/* ---- params(model) ---- */

typedef VEC(Slot *) Slots;

/* A model that was not called yet in this program, with inputs as its types say. */
static void dry_run(Checker *c, Value model, Span at) {
    const Ast *ast = model.kind == V_MODEL ? model.fn.ast : model.instance->layer;
    const AstParams *params = &ast->fn.params;
    Scope *s = scope_new(c, model.kind == V_MODEL ? model.fn.scope : model.instance->scope);
    Arg *args = ARENA_ARRAY(check_arena(c), Arg, params->len + 1);
    for (int i = 0; i < params->len; i++) {
        Type t;
        bool known = params->at[i].type && !params->at[i].type->type.scalar;
        args[i] = (Arg){.value = value_poison(), .at = at};
        if (known && type_fresh(c, s, params->at[i].type, 1, &t))
            args[i].value = value_term(term_new(c, T_INPUT, t, at, 0, NULL));
    }
    call_aside(c, model, (Args){args, params->len}, at);
}

static bool is_model(Value v) {
    return v.kind == V_MODEL || (v.kind == V_INSTANCE && v.instance->layer->fn.kind == FN_MODEL);
}

/* The paths of a layer and of the layers among its hyper-parameters, whose names come from where they were made. */
static void add_paths(Checker *c, Names *paths, Value v) {
    if (v.kind == V_LIST || v.kind == V_TUPLE)
        for (int i = 0; i < v.list.len; i++) add_paths(c, paths, v.list.at[i]);
    Name path = value_path(v);
    if (path) arena_push(c, paths, path);
    if (v.kind == V_INSTANCE)
        for (int i = 0; i < v.instance->layer->fn.hyper.len; i++) add_paths(c, paths, v.instance->hyper[i]);
}

/* The slots of all parameters, in the order in which they were made. */
static Slots param_slots(Checker *c, Value model, Span at) {
    Names paths = {0};
    Slots slots = {0};
    if (is_model(model) && !vars_within(c->unit->vars, value_path(model))) dry_run(c, model, at);
    add_paths(c, &paths, model);
    for (size_t i = 0; i < c->unit->vars->list.len; i++) {
        Variable *var = c->unit->vars->list.at[i];
        bool within = false;
        for (size_t k = 0; var->is_param && !within && k < paths.len; k++)
            within = value_path_within(var->path, paths.at[k]);
        if (within) arena_push(c, &slots, variable_slot(c, var, at));
    }
    return slots;
}

Value model_params(Checker *c, Value model, Span at) {
    Slots slots = param_slots(c, model, at);
    Value *items = ARENA_ARRAY(check_arena(c), Value, slots.len + 1);
    for (size_t i = 0; i < slots.len; i++) items[i] = value_term(slots.at[i]->now);
    return value_list(c, V_LIST, items, (int)slots.len);
}

Value builtin_params(Checker *c, BuiltinCall *b) {
    if (!value_path(b->args[0]) || !c->unit) {
        arg_bad(c, b, 0, "a model, a part of one or a named layer");
        return value_poison();
    }
    return model_params(c, b->args[0], b->at);
}

/* ---- with_params(model, values) ---- */

Value builtin_with_params(Checker *c, BuiltinCall *b) {
    Value of = b->args[0], with = b->args[1];
    bool list = with.kind == V_LIST || with.kind == V_TUPLE;
    if (of.kind != V_MODEL && of.kind != V_INSTANCE) {
        arg_bad(c, b, 0, "a model or a layer");
        return value_poison();
    }
    if (!list && with.kind != V_FUNCTION && with.kind != V_BUILTIN) {
        arg_bad(c, b, 1, "a list of tensors or a function of a parameter");
        return value_poison();
    }
    Replaced r = {of, with, b->places[1]};
    return (Value){.kind = V_REPLACED, .replaced = arena_copy(check_arena(c), &r, sizeof r)};
}

/* The value that stands for a parameter, as one that gradients can be taken for. */
static Term *replacement(Checker *c, Value v, const Variable *var, Span at) {
    Term like = {.type = var->type};
    Term *t = value_to_term(c, v, &like, at);
    if (!t) return NULL;
    bool same = t->type.rank == var->type.rank && dtype_is_float(t->type.dtype);
    for (int i = 0; same && i < t->type.rank; i++) same = !dim_differs(c->dims, t->type.dims[i], var->type.dims[i]);
    if (same) return term_mark(c, term_cast(c, t, var->type.dtype, at), at);
    err(c, at, replaced_mismatch, var->path, type_text(c, var->type), type_text(c, t->type));
    return NULL;
}

/* The values for all parameters, in their order; NULL after a diagnostic. */
static Term **replacements(Checker *c, const Replaced *r, const Slots *slots) {
    bool list = r->values.kind == V_LIST || r->values.kind == V_TUPLE;
    int n = (int)slots->len;
    Term **terms = ARENA_ARRAY(check_arena(c), Term *, n + 1);
    if (list && r->values.list.len != n) {
        err(c, r->at, replaced_count, n, r->values.list.len);
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        const Slot *slot = slots->at[i];
        Value v = value_term(slot->now);
        v = list ? r->values.list.at[i] : call_with(c, r->values, 1, &v, r->at);
        terms[i] = replacement(c, v, slot->var, r->at);
        if (!terms[i]) return NULL;
    }
    return terms;
}

/* The call changes no state: the model's belong to its own parameters. */
Value call_replaced(Checker *c, const Replaced *r, Args args, Span at) {
    if (!c->unit) return call_value(c, r->callee, args, at); /* which reports it */
    Slots slots = param_slots(c, r->callee, at);
    if (!slots.len) call_aside(c, r->callee, args, at);
    if (!slots.len) slots = param_slots(c, r->callee, at);
    Term **terms = replacements(c, r, &slots);
    if (!terms) return value_poison();
    size_t n;
    Term **now = slots_now(c, &n);
    for (size_t i = 0; i < slots.len; i++) slots.at[i]->now = terms[i];
    Value v = call_value(c, r->callee, args, at);
    slots_reset(c, now, n);
    return v;
}

/* ---- clone(layer) ---- */

/* Layers among the hyper-parameters are copied, too; models and what functions refer to are not. */
static Value copy_of(Checker *c, Value v) {
    if (v.kind == V_LIST || v.kind == V_TUPLE) {
        Value *items = ARENA_ARRAY(check_arena(c), Value, v.list.len + 1);
        for (int i = 0; i < v.list.len; i++) items[i] = copy_of(c, v.list.at[i]);
        return value_list(c, v.kind, items, v.list.len);
    }
    if (v.kind != V_INSTANCE) return v;
    Instance *in = arena_copy(check_arena(c), v.instance, sizeof *in);
    int n = in->layer->fn.hyper.len;
    Value *hyper = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int i = 0; i < n; i++) hyper[i] = copy_of(c, in->hyper[i]);
    in->hyper = hyper;
    in->home = namer_here(c);
    in->path = NULL;
    return (Value){.kind = V_INSTANCE, .instance = in};
}

Value builtin_clone(Checker *c, BuiltinCall *b) {
    Value v = b->args[0];
    if (v.kind == V_MODEL) return make_instance(c, v, (Args){0}, b->at);
    if (v.kind == V_INSTANCE) return copy_of(c, v);
    arg_bad(c, b, 0, "a layer or a model");
    return value_poison();
}
