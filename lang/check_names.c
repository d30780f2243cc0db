/* Names, before anything is expanded: an unknown one is reported also where no expansion comes by, as in the branch of
 * an `if` that is not taken, and so is what is bound and never used. Names are bound in blocks as evaluation does it,
 * those of sizes by the types of parameters. */
#include "lang/check.h"

#include <string.h>

typedef enum { BOUND, BOUND_LET, BOUND_PARAM, BOUND_STATE } BoundKind; /* all but the first are meant to be used */

/* A name bound in a body. */
typedef struct Bound {
    Name name;
    Span at;
    BoundKind kind;
    bool used, assigned;
    struct Bound *shadowed; /* what the name was before */
} Bound;

/* The statements still to come in the blocks around. */
typedef struct Rest {
    const struct Rest *up;
    const AstList *list;
    int next;
} Rest;

typedef struct {
    Checker *c;
    Module *module;
    const Rest *rest;
    VEC(Bound *) names; /* innermost last */
    NameMap innermost;  /* name to Bound */
    const Bound *own;   /* what is assigned: reading it for its own new value is no use */
    bool optimizer;     /* in the body of one */
    Ast *train;         /* the block around: its reports are names for schedules */
} Walk;

static void walk(Ast *e, void *arg);

/* ---- binding ---- */

static void bind_at(Walk *w, AstName name, BoundKind kind) {
    Bound *b = ARENA_NEW(check_arena(w->c), Bound);
    *b = (Bound){.name = name.name, .at = name.at, .shadowed = map_get(&w->innermost, name.name)};
    b->kind = name.name[0] == '_' ? BOUND : kind;
    map_put(w->c, &w->innermost, name.name, b);
    arena_push(w->c, &w->names, b);
}

static void bind(Walk *w, Name name) { bind_at(w, (AstName){.name = name}, BOUND); }

static void warn_unused(Walk *w, const Bound *b) {
    Checker *c = w->c;
    if (b->used || b->kind == BOUND) return;
    if (b->kind == BOUND_LET)
        diag_help(c->nnc, err(c, b->at, unused_let, b->name), "leave it out, or begin its name with '_'");
    else if (b->kind == BOUND_PARAM)
        err(c, b->at, unused_param, b->name);
    else if (b->assigned) /* one that is not is reported where the optimizer is expanded */
        err(c, b->at, unused_state, b->name);
}

/* Forgets the names bound since there were `len`. */
static void leave(Walk *w, size_t len) {
    for (size_t i = len; i < w->names.len; i++) warn_unused(w, w->names.at[i]);
    while (w->names.len > len) {
        const Bound *b = w->names.at[--w->names.len];
        map_put(w->c, &w->innermost, b->name, b->shadowed);
    }
}

/* ---- using ---- */

static const AstName *bound_in(const AstNames *names, Name name) {
    for (int i = 0; i < names->len; i++)
        if (names->at[i].name == name) return &names->at[i];
    return NULL;
}

/* Where a statement still to come binds the name, or NULL. */
static const AstName *bound_later(const Rest *rest, Name name) {
    const AstName *found = NULL;
    for (; rest && !found; rest = rest->up)
        for (int i = rest->next; i < rest->list->len && !found; i++) {
            const Ast *a = rest->list->at[i];
            if (a->kind == AST_LET) found = bound_in(&a->let.names, name);
            if (a->kind == AST_DEFINE && a->define.name.name == name) found = &a->define.name;
            if (a->kind == AST_PARAM && a->param.name.name == name) found = &a->param.name;
        }
    return found;
}

static void unknown(Walk *w, Name name, Span at) {
    Checker *c = w->c;
    bool enough = diag_enough(c->nnc); /* of errors: no search for more to say */
    const AstName *later = enough ? NULL : bound_later(w->rest, name);
    if (later) {
        diag_label(c->nnc, err(c, at, unknown_name, name), later->at, "'%s' is bound only here", name);
        return;
    }
    Scope *s = scope_new(c, w->module->scope);
    for (size_t i = 0; i < w->names.len && !enough; i++) scope_define(c, s, w->names.at[i]->name, value_none(), at);
    eval_unknown(c, s, name, at);
}

/* A state that is read for its own new value alone may be there for the checkpoint, as an average of weights. */
static void use(Walk *w, Name name, Span at) {
    Bound *b = map_get(&w->innermost, name);
    if (b)
        b->used = b->used || b != w->own || b->kind == BOUND_STATE;
    else if (!module_has(w->c, w->module, name) && !(w->train && train_reports(w->c, w->train, name)))
        unknown(w, name, at);
}

/* ---- types and functions ---- */

/* What is bound inside of `e` is not known behind it. */
static void walk_scoped(Walk *w, Ast *e) {
    size_t len = w->names.len;
    if (e) walk(e, w);
    leave(w, len);
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

/* An optimizer's first input is given its new value. */
static void warn_unassigned(Walk *w, const Ast *fn) {
    Checker *c = w->c;
    if (!fn->fn.params.len) return;
    AstName p = fn->fn.params.at[0].name;
    const Bound *b = map_get(&w->innermost, p.name);
    if (!b->assigned)
        diag_help(c->nnc, err(c, p.at, optimizer_idle, fn->fn.name.name, p.name), "its new value: %s = …", p.name);
}

static void walk_function(Walk *w, Ast *fn) {
    size_t len = w->names.len;
    bool lambda = fn->kind == AST_LAMBDA;
    if (!lambda) walk_params(w, &fn->fn.hyper);
    walk_params(w, lambda ? &fn->lambda.params : &fn->fn.params);
    if (!lambda) bind_sizes(w, fn->fn.result);
    if (!lambda && fn->fn.result) walk(fn->fn.result, w);
    bool around = w->optimizer;
    w->optimizer = !lambda && fn->fn.kind == FN_OPTIMIZER;
    walk_scoped(w, lambda ? fn->lambda.body : fn->fn.body);
    if (w->optimizer) warn_unassigned(w, fn);
    w->optimizer = around;
    leave(w, len);
}

/* ---- index notation ---- */

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
    leave(w, len);
    bind_at(w, e->define.name, BOUND_LET);
}

/* sum[k](...) binds k in its argument. */
static void walk_call(Walk *w, Ast *e) {
    size_t len = w->names.len;
    if (is_reducer_syntax(e->call.callee))
        bind_indices(w, &e->call.callee->index.items);
    else
        walk(e->call.callee, w);
    for (int i = 0; i < e->call.args.len; i++) walk(e->call.args.at[i].value, w);
    leave(w, len);
}

/* ---- statements ---- */

static void walk_let(Walk *w, Ast *e) {
    walk(e->let.value, w);
    for (int i = 0; i < e->let.names.len; i++) /* of a tuple, a part is often all that is wanted */
        bind_at(w, e->let.names.at[i], e->let.is_tuple ? BOUND : BOUND_LET);
}

static void walk_assign(Walk *w, Ast *e) {
    const Bound *outer = w->own;
    for (int i = 0; i < e->let.names.len; i++) {
        Bound *b = map_get(&w->innermost, e->let.names.at[i].name);
        if (b) b->assigned = true;
        if (!e->let.is_tuple) w->own = b;
    }
    walk(e->let.value, w);
    w->own = outer;
}

static void walk_for(Walk *w, Ast *e) {
    size_t len = w->names.len;
    walk(e->loop.over, w);
    for (int i = 0; i < e->loop.names.len; i++) bind(w, e->loop.names.at[i].name);
    walk(e->loop.body, w);
    leave(w, len);
}

static void walk_scan(Walk *w, Ast *e) {
    size_t len = w->names.len;
    walk(e->scan.range, w);
    for (int i = 0; i < e->scan.carries.len; i++) walk(e->scan.carries.at[i].value, w);
    bind(w, e->scan.var.name);
    for (int i = 0; i < e->scan.carries.len; i++) bind(w, e->scan.carries.at[i].name.name);
    walk(e->scan.body, w);
    leave(w, len);
    for (int i = 0; i < e->scan.carries.len; i++) bind(w, e->scan.carries.at[i].name.name);
}

/* The states of layers can be read from outside, those of optimizers cannot. */
static void walk_states(Walk *w, Ast *e) {
    for (int i = 0; i < e->states.len; i++) {
        if (e->states.at[i].type) walk(e->states.at[i].type, w);
        walk(e->states.at[i].value, w);
        bind_at(w, e->states.at[i].name, w->optimizer ? BOUND_STATE : BOUND);
    }
}

/* Whether nothing behind the statement is ever reached. */
static bool returns(const Ast *a) {
    if (a->kind == AST_RETURN) return true;
    if (a->kind == AST_WHEN) return a->when.els && returns(a->when.then) && returns(a->when.els);
    for (int i = 0; a->kind == AST_BLOCK && i < a->list.len; i++)
        if (returns(a->list.at[i])) return true;
    return false;
}

static void walk_block(Walk *w, Ast *e) {
    size_t len = w->names.len;
    bool over = false;
    Rest rest = {.up = w->rest, .list = &e->list};
    w->rest = &rest;
    for (int i = 0; i < e->list.len; i++) {
        Ast *a = e->list.at[i];
        rest.next = i + 1;
        if (i > 0 && !over && returns(e->list.at[i - 1])) {
            Diag *d = err(w->c, a->at, unreachable);
            diag_label(w->c->nnc, d, e->list.at[i - 1]->at, "the function has returned here");
            over = true;
        }
        walk(a, w);
    }
    w->rest = rest.up;
    leave(w, len);
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
    case AST_LET: walk_let(w, e); break;
    case AST_ASSIGN: walk_assign(w, e); break;
    case AST_DEFINE: walk_define(w, e); break;
    case AST_FOR: walk_for(w, e); break;
    case AST_SCAN: walk_scan(w, e); break;
    case AST_PARAM:
        walk(e->param.type, w);
        walk(e->param.init, w);
        bind_at(w, e->param.name, BOUND_PARAM);
        break;
    case AST_STATE: walk_states(w, e); break;
    case AST_BLOCK: walk_block(w, e); break;
    default: ast_each_child(e, walk, w); break;
    }
}

/* A train block: its settings are no names, its loops know N. */
static void walk_train(Walk *w, Ast *train) {
    const Ast *body = train->train.body;
    size_t len = w->names.len;
    w->train = train;
    bind(w, check_name(w->c, "N"));
    for (int i = 0; i < body->list.len; i++) {
        Ast *a = body->list.at[i];
        if (a->kind == AST_LET || a->kind == AST_FOR) walk(a, w);
    }
    w->train = NULL;
    leave(w, len);
}

/* ---- data sets ---- */

typedef struct {
    Checker *c;
    NameMap names;
} Mentions;

static void mention(Ast *e, void *arg) {
    Mentions *m = arg;
    if (e->kind == AST_NAME) map_put(m->c, &m->names, e->name, m);
    ast_each_child(e, mention, m);
}

/* A program that trains has its data for that; a file without runs may have it for others. */
static void warn_unused_data(Checker *c, const Module *m) {
    Mentions mentions = {.c = c};
    if (m != c->main || !c->program->trains.len) return;
    for (int i = 0; i < m->file->decls.len; i++) mention(m->file->decls.at[i], &mentions);
    for (size_t i = 0; i < m->order.len; i++) {
        const Decl *d = m->order.at[i];
        if (d->ast->kind == AST_DATA && d->part < 0 && !map_get(&mentions.names, d->name))
            err(c, d->at, unused_data, d->name);
    }
}

void names_check(Checker *c, Module *m) {
    Walk w = {.c = c, .module = m};
    for (int i = 0; i < m->file->decls.len; i++) {
        Ast *a = m->file->decls.at[i];
        if (a->kind == AST_LET) walk(a->let.value, &w);
        if (a->kind == AST_FUNCTION) walk_function(&w, a);
        if (a->kind == AST_TRAIN) walk_train(&w, a);
    }
    warn_unused_data(c, m);
}
