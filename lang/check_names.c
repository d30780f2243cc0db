/* Names, before anything is expanded: an unknown one is reported also where no expansion comes by, as in the branch of
 * an `if` that is not taken. Names are bound in blocks as evaluation does it, those of sizes by the types of
 * parameters. */
#include "lang/check.h"

#include <string.h>

typedef struct {
    Checker *c;
    Module *module;
    VEC(Name) names; /* bound, innermost last */
} Walk;

static void walk(Ast *e, void *arg);

static void bind(Walk *w, Name name) { arena_push(w->c, &w->names, name); }

static bool is_bound(const Walk *w, Name name) {
    for (size_t i = w->names.len; i-- > 0;)
        if (w->names.at[i] == name) return true;
    return module_has(w->c, w->module, name);
}

static void use(Walk *w, Name name, Span at) {
    if (is_bound(w, name)) return;
    Checker *c = w->c;
    Scope *s = scope_new(c, w->module->scope);
    for (size_t i = 0; i < w->names.len; i++) scope_define(c, s, w->names.at[i], value_none(), at);
    eval_unknown(c, s, name, at);
}

/* What is bound inside of `e` is not known behind it. */
static void walk_scoped(Walk *w, Ast *e) {
    size_t len = w->names.len;
    if (e) walk(e, w);
    w->names.len = len;
}

static void bind_sizes(Walk *w, const Ast *type) {
    if (!type) return;
    const AstList *dims = type->kind == AST_TUPLE ? &type->list : &type->type.dims;
    for (int i = 0; i < dims->len; i++) {
        const Ast *d = dims->at[i];
        if (d->kind == AST_TYPE) bind_sizes(w, d);
        if ((d->kind == AST_NAME || d->kind == AST_REST) && d->name) bind(w, d->name);
    }
}

static void walk_params(Walk *w, const AstParams *params) {
    for (int i = 0; i < params->len; i++) {
        bind_sizes(w, params->at[i].type);
        bind(w, params->at[i].name.name);
    }
    for (int i = 0; i < params->len; i++) {
        if (params->at[i].type) walk(params->at[i].type, w);
        if (params->at[i].value) walk(params->at[i].value, w);
    }
}

static void walk_function(Walk *w, Ast *fn) {
    size_t len = w->names.len;
    bool lambda = fn->kind == AST_LAMBDA;
    if (!lambda) walk_params(w, &fn->fn.hyper);
    walk_params(w, lambda ? &fn->lambda.params : &fn->fn.params);
    if (!lambda) bind_sizes(w, fn->fn.result);
    if (!lambda && fn->fn.result) walk(fn->fn.result, w);
    walk_scoped(w, lambda ? fn->lambda.body : fn->fn.body);
    w->names.len = len;
}

static void bind_indices(Walk *w, const AstList *items) {
    for (int i = 0; i < items->len; i++) {
        Ast *item = items->at[i];
        if (item->kind == AST_BINDER) walk(item->binder.range, w);
        Name name = item->kind == AST_BINDER                           ? item->binder.var.name
                    : item->kind == AST_NAME || item->kind == AST_REST ? item->name
                                                                       : NULL;
        if (name) bind(w, name);
    }
}

static void walk_define(Walk *w, Ast *e) {
    size_t len = w->names.len;
    bind_indices(w, &e->define.indices);
    walk(e->define.value, w);
    w->names.len = len;
    bind(w, e->define.name.name);
}

/* sum[k](...) binds k in its argument. */
static void walk_call(Walk *w, Ast *e) {
    size_t len = w->names.len;
    if (is_reducer_syntax(e->call.callee))
        bind_indices(w, &e->call.callee->index.items);
    else
        walk(e->call.callee, w);
    for (int i = 0; i < e->call.args.len; i++) walk(e->call.args.at[i].value, w);
    w->names.len = len;
}

static void walk_for(Walk *w, Ast *e) {
    size_t len = w->names.len;
    walk(e->loop.over, w);
    for (int i = 0; i < e->loop.names.len; i++) bind(w, e->loop.names.at[i].name);
    walk(e->loop.body, w);
    w->names.len = len;
}

static void walk_scan(Walk *w, Ast *e) {
    size_t len = w->names.len;
    walk(e->scan.range, w);
    for (int i = 0; i < e->scan.carries.len; i++) walk(e->scan.carries.at[i].value, w);
    bind(w, e->scan.var.name);
    for (int i = 0; i < e->scan.carries.len; i++) bind(w, e->scan.carries.at[i].name.name);
    walk(e->scan.body, w);
    w->names.len = len;
    for (int i = 0; i < e->scan.carries.len; i++) bind(w, e->scan.carries.at[i].name.name);
}

static void walk_states(Walk *w, Ast *e) {
    for (int i = 0; i < e->states.len; i++) {
        if (e->states.at[i].type) walk(e->states.at[i].type, w);
        walk(e->states.at[i].value, w);
        bind(w, e->states.at[i].name.name);
    }
}

static void walk(Ast *e, void *arg) {
    Walk *w = arg;
    switch (e->kind) {
    case AST_NAME: use(w, e->name, e->at); break;
    case AST_REST:
        if (e->name) use(w, e->name, e->at);
        break;
    case AST_LAMBDA: walk_function(w, e); break;
    case AST_CALL: walk_call(w, e); break;
    case AST_LET:
        walk(e->let.value, w);
        for (int i = 0; i < e->let.names.len; i++) bind(w, e->let.names.at[i].name);
        break;
    case AST_DEFINE: walk_define(w, e); break;
    case AST_FOR: walk_for(w, e); break;
    case AST_SCAN: walk_scan(w, e); break;
    case AST_PARAM:
        walk(e->param.type, w);
        walk(e->param.init, w);
        bind(w, e->param.name.name);
        break;
    case AST_STATE: walk_states(w, e); break;
    case AST_BLOCK: {
        size_t len = w->names.len;
        ast_each_child(e, walk, w);
        w->names.len = len;
        break;
    }
    default: ast_each_child(e, walk, w); break;
    }
}

/* A train block: its settings are no names, its loops know N. */
static void walk_train(Walk *w, const Ast *body) {
    size_t len = w->names.len;
    bind(w, check_name(w->c, "N"));
    for (int i = 0; i < body->list.len; i++) {
        Ast *a = body->list.at[i];
        if (a->kind == AST_LET || a->kind == AST_FOR) walk(a, w);
    }
    w->names.len = len;
}

void names_check(Checker *c, Module *m) {
    Walk w = {.c = c, .module = m};
    for (int i = 0; i < m->file->decls.len; i++) {
        Ast *a = m->file->decls.at[i];
        if (a->kind == AST_FUNCTION) walk_function(&w, a);
        if (a->kind == AST_TRAIN) walk_train(&w, a->train.body);
    }
}
