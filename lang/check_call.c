/* Calls: sorting arguments to parameters, binding them, and expanding the body of what is called. */
#include "lang/builtin.h"
#include "lang/doc.h"

#include <string.h>

/* ---- arguments ---- */

Args eval_args(Checker *c, Scope *s, Value callee, const Value *first, Span first_at, AstFields fields) {
    int n = fields.len + (first != NULL), k = 0;
    Arg *args = ARENA_ARRAY(check_arena(c), Arg, n + 1);
    if (first) args[k++] = (Arg){.value = *first, .at = first_at};
    for (int i = 0; i < fields.len; i++) {
        const AstField *f = &fields.at[i];
        Value v = eval_argument(c, s, callee, f, k);
        args[k++] = (Arg){f->name.name, v, f->value->at, f->name.at};
    }
    return (Args){args, n};
}

static int find_param(const AstParams *params, Name name) {
    for (int i = 0; i < params->len; i++)
        if (params->at[i].name.name == name) return i;
    return -1;
}

static bool report_named(Checker *c, const AstParams *params, const Arg *a, const char *what, const Ast *fn) {
    const char **names = ARENA_ARRAY(check_arena(c), const char *, params->len + 1);
    for (int i = 0; i < params->len; i++) names[i] = params->at[i].name.name;
    Diag *d = err(c, a->name_at, unknown_argument, what, a->name);
    const char *near = diag_nearest(a->name, names, (size_t)params->len);
    if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
    diag_help(c->nnc, d, "%s", doc_signature(c->nnc, fn));
    return false;
}

bool args_place(Checker *c, const AstParams *params, Args args, const Ast *fn, const char *what, Span at, Value *given,
                Span *places) {
    for (int i = 0; i < params->len; i++) given[i] = value_none(), places[i] = at;
    for (int i = 0, next = 0; i < args.len; i++) {
        const Arg *a = &args.at[i];
        int k = a->name ? find_param(params, a->name) : next++;
        if (a->name && k < 0) return report_named(c, params, a, what, fn);
        if (k >= params->len) {
            diag_help(c->nnc,
                      err(c, a->at, too_many_arguments, what, params->len, params->len == 1 ? "" : "s", args.len), "%s",
                      doc_signature(c->nnc, fn));
            return false;
        }
        if (given[k].kind != V_NONE) {
            diag_help(c->nnc, err(c, a->at, argument_twice, params->at[k].name.name, what), "%s",
                      doc_signature(c->nnc, fn));
            return false;
        }
        given[k] = a->value;
        places[k] = a->at;
    }
    for (int i = 0; i < params->len; i++)
        if (given[i].kind == V_NONE && !params->at[i].value) {
            diag_help(c->nnc, err(c, at, missing_argument, params->at[i].name.name, what), "%s",
                      doc_signature(c->nnc, fn));
            return false;
        }
    return true;
}

/* ---- binding ---- */

static bool is_tensor_type(const Ast *type) { return type && !type->type.scalar; }

static Value typed(Checker *c, Scope *s, const AstParam *p, Value v, Span at, Name owner) {
    if (!p->type) return v;
    const char *what = arena_printf(check_arena(c), "'%s' of '%s'", p->name.name, owner ? owner : "the function");
    return type_agree(c, s, p->type, v, at, what);
}

static void provisional(Checker *c, Scope *s, const AstParam *p, Value v, Span at) {
    scope_define(c, s, p->name.name, v, at);
    if (v.kind == V_TENSOR) type_bind(c, s, p->type, v.term, at);
    if (v.kind == V_POISON) type_bind_poison(c, s, p->type);
}

static void bind_given(Checker *c, Scope *s, const ParamGroup *g, Name owner, bool tensors) {
    for (int i = 0; i < g->params->len; i++) {
        const AstParam *p = &g->params->at[i];
        if (g->given[i].kind == V_NONE || is_tensor_type(p->type) != tensors) continue;
        if (tensors)
            provisional(c, s, p, g->given[i], g->places[i]);
        else
            scope_define(c, s, p->name.name, typed(c, s, p, g->given[i], g->places[i], owner), g->places[i]);
    }
}

static void bind_defaults(Checker *c, Scope *s, const ParamGroup *g, Name owner) {
    for (int i = 0; i < g->params->len; i++) {
        const AstParam *p = &g->params->at[i];
        if (g->given[i].kind != V_NONE) continue;
        g->given[i] = eval_expr(c, s, p->value);
        g->places[i] = p->value->at;
        if (is_tensor_type(p->type))
            provisional(c, s, p, g->given[i], g->places[i]);
        else
            scope_define(c, s, p->name.name, typed(c, s, p, g->given[i], g->places[i], owner), p->name.at);
    }
}

/* Plain parameters first, so that types can mention them; then the sizes that the tensors bring; then the defaults,
 * which can mention both; last the types are held against what is bound. */
bool bind_params(Checker *c, Scope *s, const ParamGroup *groups, int ngroups, Name owner) {
    int errors = c->nnc->diags.errors;
    for (int g = 0; g < ngroups; g++) bind_given(c, s, &groups[g], owner, false);
    for (int g = 0; g < ngroups; g++) bind_given(c, s, &groups[g], owner, true);
    for (int g = 0; g < ngroups; g++) bind_defaults(c, s, &groups[g], owner);
    for (int g = 0; g < ngroups; g++)
        for (int i = 0; i < groups[g].params->len; i++) {
            const AstParam *p = &groups[g].params->at[i];
            Value v = groups[g].given[i];
            if (is_tensor_type(p->type)) v = typed(c, s, p, v, groups[g].places[i], owner);
            if (is_tensor_type(p->type) || v.kind == V_TENSOR)
                scope_define(c, s, p->name.name, grad_mark(c, p->name.name, v, p->name.at), groups[g].places[i]);
        }
    return c->nnc->diags.errors == errors;
}

/* ---- bodies ---- */

Value function_body(Checker *c, Ast *fn, Scope *s) {
    bool lambda = fn->kind == AST_LAMBDA;
    Ast *body = lambda ? fn->lambda.body : fn->fn.body;
    Value v;
    if (body->kind != AST_BLOCK) {
        v = eval_expr(c, s, body);
    } else {
        exec_block(c, s, body);
        v = c->frame->result;
        if (c->stopped) return value_poison();
        if (v.kind == V_NONE) {
            err(c, lambda ? fn->at : fn->fn.name.at, no_return, lambda ? "the function" : fn->fn.name.name);
            v = value_poison();
        }
    }
    if (lambda || v.kind == V_POISON) return v;
    Name name = fn->fn.name.name;
    Span at = body->kind != AST_BLOCK ? body->at : v.kind == V_TENSOR ? v.term->at : fn->fn.name.at;
    if (fn->fn.result)
        v = type_agree(c, s, fn->fn.result, v, at, arena_printf(check_arena(c), "the result of '%s'", name));
    if (fn->fn.kind == FN_LOSS && v.kind == V_TENSOR && v.term->type.rank > 0) {
        diag_help(c->nnc, err(c, at, loss_not_scalar, name, type_text(c, v.term->type)),
                  "take the mean or the sum of it");
        return value_poison();
    }
    return v;
}

static Value call_function(Checker *c, Value f, Args args, Span at) {
    Ast *ast = f.fn.ast;
    const AstParams *params = ast->kind == AST_LAMBDA ? &ast->lambda.params : &ast->fn.params;
    Name name = ast->kind == AST_LAMBDA ? NULL : ast->fn.name.name;
    Value *given = ARENA_ARRAY(check_arena(c), Value, params->len + 1);
    Span *places = ARENA_ARRAY(check_arena(c), Span, params->len + 1);
    if (!args_place(c, params, args, ast, name ? name : "this function", at, given, places)) return value_poison();
    note_classifier(c, given, params->len);
    Frame frame;
    if (!frame_push(c, &frame, ast, name, at, f.fn.scope)) return value_poison();
    ParamGroup group = {params, given, places};
    Value v = value_poison();
    if (bind_params(c, frame.scope, &group, 1, name)) v = function_body(c, ast, frame.scope);
    frame_pop(c);
    return v;
}

static Value make_update(Checker *c, Value optimizer, Args args, Span at) {
    Ast *ast = optimizer.fn.ast;
    Value *given = ARENA_ARRAY(check_arena(c), Value, ast->fn.hyper.len + 1);
    Span *places = ARENA_ARRAY(check_arena(c), Span, ast->fn.hyper.len + 1);
    if (!args_place(c, &ast->fn.hyper, args, ast, ast->fn.name.name, at, given, places)) return value_poison();
    Update *u = ARENA_NEW(check_arena(c), Update);
    *u = (Update){ast, optimizer.fn.scope, given, places};
    return (Value){.kind = V_UPDATE, .update = u};
}

Value call_value(Checker *c, Value f, Args args, Span at) {
    if (c->stopped) return value_poison();
    switch (f.kind) {
    case V_POISON: return f;
    case V_FUNCTION: return call_function(c, f, args, at);
    case V_BUILTIN: return call_builtin(c, f.builtin, args, at);
    case V_LAYER: return make_instance(c, f, args, at);
    case V_INSTANCE: return call_instance(c, f.instance, args, at);
    case V_MODEL: return call_model(c, f, args, at);
    case V_REPLACED: return call_replaced(c, f.replaced, args, at);
    case V_OPTIMIZER: return make_update(c, f, args, at);
    case V_OBJECTIVE: return call_objective(c, f.objective, args, at);
    default: {
        Diag *d = err(c, at, not_callable, value_text(c, f));
        if (f.kind == V_TENSOR) diag_help(c->nnc, d, "elements are taken with brackets: x[0]");
        return value_poison();
    }
    }
}

Value call_with(Checker *c, Value callee, int n, const Value *values, Span at) {
    Arg *args = ARENA_ARRAY(check_arena(c), Arg, n + 1);
    for (int i = 0; i < n; i++) args[i] = (Arg){.value = values[i], .at = at};
    return call_value(c, callee, (Args){args, n}, at);
}

Value eval_call(Checker *c, Scope *s, Ast *e) {
    Ast *callee = e->call.callee;
    if (is_reducer(c, s, callee)) return eval_reducer(c, s, e);
    Value f = eval_expr(c, s, callee);
    Args args = eval_args(c, s, f, NULL, (Span){0}, e->call.args);
    return call_value(c, f, args, e->at);
}

/* x |> f(a) is f(x, a), x |> Layer(a) is Layer(a)(x), x |> g is g(x). */
Value eval_pipe(Checker *c, Scope *s, Ast *e) {
    Value x = eval_expr(c, s, e->pipe.value);
    Ast *into = e->pipe.into;
    bool call = into->kind == AST_CALL && !is_reducer(c, s, into->call.callee);
    Value f = eval_expr(c, s, call ? into->call.callee : into);
    Span at = into->at;
    if (f.kind == V_LAYER) {
        Args hyper = call ? eval_args(c, s, f, NULL, (Span){0}, into->call.args) : (Args){0};
        f = make_instance(c, f, hyper, at);
        call = false;
    }
    AstFields none = {0};
    return call_value(c, f, eval_args(c, s, f, &x, e->pipe.value->at, call ? into->call.args : none), at);
}
