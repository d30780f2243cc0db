/* Expressions: what each kind of node means. Operators, calls, slices and index notation have files of their own. */
#include "lang/loop.h"

#include <string.h>

/* ---- names ---- */

bool eval_is_ambient(const char *name) {
    return strcmp(name, "training") == 0 || strcmp(name, "step") == 0 || strcmp(name, "epoch") == 0;
}

/* Words that the run supplies: known only where it does. */
static Value ambient(Checker *c, Name name, Span at) {
    if (!eval_is_ambient(name)) return value_none();
    UnitState *u = c->unit;
    if (u && strcmp(name, "training") == 0) return value_bool(u->training);
    bool step = strcmp(name, "step") == 0;
    if (u && step && u->step) return value_term(u->step);
    if (u && !step && (u->step || u->in_loop)) return value_term(run_scalar(c, "epoch", at));
    if (u && u->alone) return value_poison(); /* a schedule by itself */
    Diag *d = err(c, at, no_step, name);
    if (step) diag_help(c->nnc, d, "it counts the updates of an optimizer, for it and its hyper-parameters");
    return value_poison();
}

Value eval_lookup(Checker *c, Scope *s, Name name, Span at) {
    const Binding *b = scope_binding(s, name);
    if (b && b->var) return variable_value(c, b->var, at);
    if (b) return c->unit == &c->init ? initial_value(c, b->value) : b->value;
    while (s->up) s = s->up;
    Value v = module_lookup(c, s->module, name, at);
    return v.kind != V_NONE ? v : ambient(c, name, at);
}

Value eval_unknown(Checker *c, Scope *s, Name name, Span at) {
    Diag *d = err(c, at, unknown_name, name);
    const char *near = diag_enough(c->nnc) ? NULL : scope_nearest(c, s, name);
    if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    return value_poison();
}

static Value eval_name(Checker *c, Scope *s, Ast *e) {
    Value v = eval_lookup(c, s, e->name, e->at);
    return v.kind != V_NONE ? v : eval_unknown(c, s, e->name, e->at);
}

/* ---- sequences ---- */

static Value eval_sequence(Checker *c, Scope *s, Ast *e) {
    Value *items = ARENA_ARRAY(check_arena(c), Value, e->list.len + 1);
    for (int i = 0; i < e->list.len; i++) items[i] = eval_expr(c, s, e->list.at[i]);
    Value v = value_list(c, e->kind == AST_LIST ? V_LIST : V_TUPLE, NULL, 0);
    v.list.at = items;
    v.list.len = e->list.len;
    return v;
}

/* `..B` as a value: the sizes that it was bound to. */
static Value eval_rest(Checker *c, Scope *s, Ast *e) {
    if (e->name) {
        Value v = eval_lookup(c, s, e->name, e->at);
        if (v.kind == V_LIST || v.kind == V_POISON) return v;
    }
    err(c, e->at, stray_rest);
    return value_poison();
}

static Value eval_number(Checker *c, Ast *e) {
    return e->number.is_int ? value_int(c, e->number.integer) : value_float(e->number.value);
}

static Value eval_string(Checker *c, Ast *e) {
    return value_string(intern_n(c->nnc->names, e->string.text, e->string.len));
}

static Value eval_lambda(Scope *s, Ast *e) { return (Value){.kind = V_FUNCTION, .fn = {.ast = e, .scope = s}}; }

static Value unsupported(Checker *c, Ast *e, const char *what) {
    err(c, e->at, unsupported, what);
    return value_poison();
}

/* `a and b` looks at b only where a leaves it open. */
static Value eval_logic(Checker *c, Scope *s, Ast *e) {
    bool is_and = e->op.op == OP_AST_AND;
    Value a = eval_expr(c, s, e->op.a);
    if (a.kind == V_BOOL && a.truth != is_and) return a;
    Value b = eval_expr(c, s, e->op.b);
    if (b.kind == V_BOOL && a.kind == V_POISON && b.truth != is_and) return b;
    return eval_binary(c, e->op.op, a, b, e);
}

static Value eval_operator(Checker *c, Scope *s, Ast *e) {
    if (e->op.op == OP_AST_AND || e->op.op == OP_AST_OR) return eval_logic(c, s, e);
    Value a = eval_expr(c, s, e->op.a);
    if (e->kind == AST_UNARY) return eval_unary(c, e->op.op, a, e);
    Value b = eval_expr(c, s, e->op.b);
    if (e->op.op == OP_AST_MATMUL) return eval_matmul(c, s, a, b, e);
    return eval_binary(c, e->op.op, a, b, e);
}

bool check_work(Checker *c, int64_t amount, Span at) {
    if (c->stopped) return false;
    if (at.file) c->place = at;
    c->work += (int)MIN(amount, CHECK_MAX_WORK);
    if (c->work < CHECK_MAX_WORK) return true;
    err(c, c->place, too_much_work);
    check_stop(c);
    return false;
}

static Value eval_kind(Checker *c, Scope *s, Ast *e) {
    switch (e->kind) {
    case AST_NUMBER: return eval_number(c, e);
    case AST_STRING: return eval_string(c, e);
    case AST_BOOL: return value_bool(e->boolean);
    case AST_NAME: return eval_name(c, s, e);
    case AST_UNARY:
    case AST_BINARY: return eval_operator(c, s, e);
    case AST_PIPE: return eval_pipe(c, s, e);
    case AST_IF: return eval_if(c, s, e);
    case AST_CALL: return eval_call(c, s, e);
    case AST_INDEX: return eval_index(c, s, e);
    case AST_FIELD: return eval_field(c, s, e);
    case AST_LIST:
    case AST_TUPLE: return eval_sequence(c, s, e);
    case AST_LAMBDA: return eval_lambda(s, e);
    case AST_REST: return eval_rest(c, s, e);
    case AST_SCAN: return eval_scan(c, s, e);
    default: return unsupported(c, e, "this");
    }
}

/* The stack holds so many: a body of deep expressions may call another one, and a let read the next. */
static bool too_nested(Checker *c, Span at) {
    if (c->nesting < CHECK_MAX_NESTING) return false;
    err(c, at, too_nested, CHECK_MAX_NESTING);
    check_stop(c);
    return true;
}

Value eval_expr(Checker *c, Scope *s, Ast *e) {
    if (!check_work(c, 1, e->at) || too_nested(c, e->at)) return value_poison();
    c->nesting++;
    Value v = eval_kind(c, s, e);
    c->nesting--;
    return v;
}
