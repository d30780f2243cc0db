/* Statements of bodies. A block ends early where it returns. */
#include "lang/loop.h"

#include <string.h>

/* ---- names that gradients are taken for ---- */

typedef struct {
    Checker *c;
    NameMap *names;
} Marks;

static void add_mark(Ast *e, void *arg) {
    Marks *m = arg;
    if (e->kind == AST_TUPLE) ast_each_child(e, add_mark, m);
    if (e->kind == AST_NAME) map_put(m->c, m->names, e->name, m->names);
}

/* Walks a body for `grad(e, x)`. */
static void find_marks(Ast *e, void *marks) {
    ast_each_child(e, find_marks, marks);
    bool grad = e->kind == AST_CALL && e->call.callee->kind == AST_NAME && strcmp(e->call.callee->name, "grad") == 0;
    if (grad && e->call.args.len == 2) add_mark(e->call.args.at[1].value, marks);
}

/* Kept by the place of the body: a function is expanded often. */
const NameMap *grad_marks(Checker *c, Ast *fn) {
    Name key = check_name(c, "%u:%u", fn->at.file, fn->at.begin);
    Marks marks = {c, map_get(&c->marks, key)};
    if (marks.names) return marks.names;
    marks.names = ARENA_NEW(check_arena(c), NameMap);
    find_marks(fn, &marks);
    map_put(c, &c->marks, key, marks.names);
    return marks.names;
}

Value grad_mark(Checker *c, Name name, Value v, Span at) {
    if (v.kind != V_TENSOR || !c->frame || !c->frame->marks) return v;
    TermKind kind = v.term->kind;
    if (kind == T_INPUT || kind == T_PARAM || kind == T_MARK || v.term->indexed) return v;
    return map_get(c->frame->marks, name) ? value_term(term_mark(c, v.term, at)) : v;
}

/* ---- binding ---- */

static void bind_name(Checker *c, Scope *s, AstName name, Value v) {
    if (strcmp(name.name, "_") == 0) return;
    v = grad_mark(c, name.name, v, name.at);
    if (v.kind == V_TENSOR && !v.term->name) v.term->name = name.name;
    scope_define(c, s, name.name, v, name.at);
}

void bind_pattern(Checker *c, Scope *s, const AstNames *names, bool is_tuple, Value v, Span at) {
    if (!is_tuple) {
        bind_name(c, s, names->at[0], v);
        return;
    }
    bool fits = (v.kind == V_TUPLE || v.kind == V_LIST) && v.list.len == names->len;
    if (!fits && v.kind != V_POISON) err(c, at, unpack, names->len, value_text(c, v));
    for (int i = 0; i < names->len; i++) bind_name(c, s, names->at[i], fits ? v.list.at[i] : value_poison());
}

/* A layer that a let binds is called by that name. */
static void exec_let(Checker *c, Scope *s, Ast *a) {
    Value v = eval_expr(c, s, a->let.value);
    bool several = a->let.is_tuple && (v.kind == V_TUPLE || v.kind == V_LIST) && v.list.len == a->let.names.len;
    for (int i = 0; i < a->let.names.len; i++)
        if (several || !a->let.is_tuple) name_instance(c, several ? v.list.at[i] : v, a->let.names.at[i].name);
    bind_pattern(c, s, &a->let.names, a->let.is_tuple, v, a->let.value->at);
}

/* ---- assignment ---- */

static void assign_state(Checker *c, Variable *var, Name name, Value v, Span at) {
    Slot *slot = variable_slot(c, var, at);
    Term *t = value_to_term(c, v, slot->now, at);
    if (!t) return;
    int rank, bad;
    const Dim *dims;
    bool fits = dims_broadcast(c, var->type, t->type, &rank, &dims, &bad) && rank == var->type.rank;
    for (int i = 0; fits && i < rank; i++) fits = !dim_differs(c->dims, dims[i], var->type.dims[i]);
    if (!fits || (dtype_is_float(t->type.dtype) && !dtype_is_float(var->type.dtype))) {
        Diag *d = err(c, at, state_mismatch, name, type_text(c, var->type), type_text(c, t->type));
        diag_label(c->nnc, d, var->at, "declared here");
        return;
    }
    t = term_broadcast(c, term_cast(c, t, var->type.dtype, at), rank, var->type.dims, at);
    slot->now = var->is_optimizer_state ? t : term_stop(c, t, at);
}

static void assign(Checker *c, Scope *s, AstName name, Value v) {
    if (strcmp(name.name, "_") == 0) return;
    Binding *b = scope_binding(s, name.name);
    bool local = false;
    for (Scope *in = s; in && b && !local; in = in->frame ? NULL : in->up)
        local = in->names.len && b >= in->names.at && b < in->names.at + in->names.len;
    if (!local) {
        Diag *d = err(c, name.at, assign_unbound, name.name);
        if (b)
            diag_label(c->nnc, d, b->at, "this one belongs to the function around");
        else
            diag_help(c->nnc, d, "'let %s = ...' binds a new name", name.name);
        return;
    }
    if (b->var && b->var->is_param) {
        diag_label(c->nnc, err(c, name.at, assign_param, name.name), b->var->at, "declared here");
        return;
    }
    if (!scan_assigns(c, s, b, name)) return;
    if (b->var) {
        assign_state(c, b->var, name.name, v, name.at);
        return;
    }
    v = grad_mark(c, name.name, v, name.at);
    if (v.kind == V_TENSOR && !v.term->name) v.term->name = name.name;
    b->value = v;
}

static void exec_assign(Checker *c, Scope *s, Ast *a) {
    Value v = eval_expr(c, s, a->let.value);
    if (!a->let.is_tuple) {
        assign(c, s, a->let.names.at[0], v);
        return;
    }
    bool fits = (v.kind == V_TUPLE || v.kind == V_LIST) && v.list.len == a->let.names.len;
    if (!fits && v.kind != V_POISON) err(c, a->let.value->at, unpack, a->let.names.len, value_text(c, v));
    for (int i = 0; i < a->let.names.len; i++) assign(c, s, a->let.names.at[i], fits ? v.list.at[i] : value_poison());
}

/* ---- what cannot be decided ---- */

static void poison_name(Scope *s, Name name) {
    Binding *b = scope_binding(s, name);
    if (b && !b->var) b->value = value_poison();
}

bool exec_poisoned(Checker *c, Scope *s, Ast *a) {
    if (!a) return false;
    bool returns = a->kind == AST_RETURN;
    if (a->kind == AST_BLOCK)
        for (int i = 0; i < a->list.len; i++) returns = exec_poisoned(c, s, a->list.at[i]) || returns;
    if (a->kind == AST_ASSIGN)
        for (int i = 0; i < a->let.names.len; i++) poison_name(s, a->let.names.at[i].name);
    if (a->kind == AST_WHEN) {
        returns = exec_poisoned(c, s, a->when.then);
        returns = exec_poisoned(c, s, a->when.els) || returns;
    }
    if (a->kind == AST_FOR) returns = exec_poisoned(c, s, a->loop.body);
    if (a->kind == AST_WHILE) returns = exec_poisoned(c, s, a->loop_while.body);
    return returns;
}

static Flow poisoned(Checker *c, Scope *s, Ast *a) {
    if (!exec_poisoned(c, s, a)) return FLOW_NEXT;
    c->frame->result = value_poison();
    return FLOW_RETURN;
}

/* ---- if and for ---- */

static Flow exec_when(Checker *c, Scope *s, Ast *a) {
    Value cond = eval_expr(c, s, a->when.cond);
    if (cond.kind == V_BOOL) {
        Ast *branch = cond.truth ? a->when.then : a->when.els;
        return branch ? exec_statement(c, scope_new(c, s), branch) : FLOW_NEXT;
    }
    if (cond.kind != V_POISON) {
        Diag *d = err(c, a->when.cond->at, when_not_static, value_text(c, cond));
        if (cond.kind == V_TENSOR)
            diag_help(c->nnc, d, "values that depend on data are chosen with the expression: if c then a else b");
    }
    return poisoned(c, s, a);
}

static bool range_values(Checker *c, Scope *s, Ast *range, Value *list) {
    Ast *parts[] = {range->range.lo, range->range.hi, range->range.step};
    int64_t n[] = {0, 0, 1};
    for (int i = 0; i < 3; i++) {
        if (!parts[i]) continue;
        Value v = eval_expr(c, s, parts[i]);
        if (v.kind == V_POISON) return false;
        if (value_is_known_int(v, &n[i])) continue;
        if (!value_is_number(v)) err(c, parts[i]->at, bad_bound, value_text(c, v));
        return false; /* a size that is not known yet */
    }
    if (n[2] == 0) {
        err(c, parts[2]->at, zero_step);
        return false;
    }
    int64_t from = n[2] > 0 ? n[0] : n[1], to = n[2] > 0 ? n[1] : n[0], step = n[2] > 0 ? n[2] : -n[2], span;
    if (__builtin_sub_overflow(to, from, &span)) span = to > from ? INT64_MAX : 0;
    int64_t count = span <= 0 ? 0 : (span - 1) / step + 1;
    if (count > CHECK_MAX_LOOP) {
        err(c, range->at, loop_too_long, (long long)count, CHECK_MAX_LOOP);
        return false;
    }
    if (!check_work(c, 2 * count, range->at)) return false; /* for the value and for the scope that it is bound in */
    Value *items = ARENA_ARRAY(check_arena(c), Value, count + 1);
    for (int64_t i = 0; i < count; i++) items[i] = value_int(c, n[0] + i * n[2]);
    *list = value_list(c, V_LIST, items, (int)count);
    return true;
}

bool loop_values(Checker *c, Scope *s, Ast *over, Value *list) {
    if (over->kind == AST_RANGE) return range_values(c, s, over, list);
    *list = eval_expr(c, s, over);
    if (list->kind == V_LIST || list->kind == V_TUPLE) return true;
    if (list->kind == V_POISON) return false;
    Diag *d = err(c, over->at, bad_loop, value_text(c, *list));
    if (value_is_number(*list)) diag_help(c->nnc, d, "a range is written 0..n");
    if (value_path(*list)) diag_help(c->nnc, d, "params(m) is the list of a model's parameters");
    return false;
}

static Flow exec_for(Checker *c, Scope *s, Ast *a) {
    Value list;
    if (!loop_values(c, s, a->loop.over, &list)) return poisoned(c, s, a);
    for (int i = 0; i < list.list.len && !c->stopped; i++) {
        Scope *body = scope_new(c, s);
        bind_pattern(c, body, &a->loop.names, a->loop.is_tuple, list.list.at[i], a->loop.over->at);
        if (exec_block(c, body, a->loop.body) == FLOW_RETURN) return FLOW_RETURN;
    }
    return FLOW_NEXT;
}

/* ---- statements ---- */

static Flow exec_return(Checker *c, Scope *s, Ast *a) {
    if (!a->value) {
        err(c, a->at, empty_return);
        c->frame->result = value_poison();
    } else {
        c->frame->result = eval_expr(c, s, a->value);
    }
    return FLOW_RETURN;
}

static Flow exec_expr(Checker *c, Scope *s, Ast *a) {
    Value v = eval_expr(c, s, a->value);
    if (v.kind == V_POISON) return FLOW_NEXT;
    Diag *d = err(c, a->at, unused_value, value_text(c, v));
    diag_help(c->nnc, d, "write 'return' before it, or bind it with 'let'");
    return FLOW_NEXT;
}

static Flow misplaced(Checker *c, Ast *a, const char *what, const char *where) {
    err(c, a->at, misplaced, what, where);
    return FLOW_NEXT;
}

Flow exec_block(Checker *c, Scope *s, Ast *block) {
    for (int i = 0; i < block->list.len && !c->stopped; i++)
        if (exec_statement(c, s, block->list.at[i]) == FLOW_RETURN) return FLOW_RETURN;
    return FLOW_NEXT;
}

Flow exec_statement(Checker *c, Scope *s, Ast *a) {
    bool in_scan = c->scan && c->scan->frame == c->frame;
    bool in_loop = c->unit && c->unit->in_loop && !c->frame->fn && !c->scan;
    switch (a->kind) {
    case AST_BLOCK: return exec_block(c, s, a);
    case AST_LET: exec_let(c, s, a); break;
    case AST_DEFINE: return exec_define(c, s, a);
    case AST_ASSIGN: exec_assign(c, s, a); break;
    case AST_RETURN:
        if (in_scan) return misplaced(c, a, "return", "a function, outside of its scans and whiles");
        return c->frame->fn ? exec_return(c, s, a) : misplaced(c, a, "return", "a function");
    case AST_WHEN: return exec_when(c, s, a);
    case AST_FOR: return exec_for(c, s, a);
    case AST_PARAM: return exec_param(c, s, a);
    case AST_STATE: return exec_states(c, s, a);
    case AST_EXPR: return exec_expr(c, s, a);
    case AST_MINIMIZE: return in_loop ? exec_minimize(c, s, a) : misplaced(c, a, "minimize", "a loop of a train block");
    case AST_REPORT: return in_loop ? exec_report(c, s, a) : misplaced(c, a, "report", "a loop of a train block");
    case AST_LOAD: return misplaced(c, a, "load", "a train block, before its loops");
    case AST_STOP_WHEN: return misplaced(c, a, "stop_when", "a train block, after its loops");
    case AST_WHILE: return exec_while(c, s, a);
    case AST_YIELD: return in_scan && c->scan->extent ? exec_yield(c, s, a) : misplaced(c, a, "yield", "a scan");
    default: return misplaced(c, a, "this", "the top level of a file");
    }
    return FLOW_NEXT;
}
