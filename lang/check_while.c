/* Whiles: loops in the compiled code that go on while a condition holds. They carry the outer names that their body
 * assigns and the states that it uses; as for scans the body is expanded once. */
#include "lang/loop.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is assigned ---- */

typedef struct {
    Checker *c;
    VEC(Name) inner; /* bound in the body, innermost last */
    AstNames found;  /* outer names that are assigned, each with its last place */
} Assigned;

static void walk(Assigned *w, Ast *a);

static void bind(Assigned *w, Name name) { arena_push(w->c, &w->inner, name); }

static void add_assigned(Assigned *w, AstName name) {
    for (size_t i = 0; i < w->inner.len; i++)
        if (w->inner.at[i] == name.name) return;
    for (int i = 0; i < w->found.len; i++)
        if (w->found.at[i].name == name.name) {
            w->found.at[i] = name;
            return;
        }
    AstName *more = ARENA_ARRAY(check_arena(w->c), AstName, w->found.len + 1);
    if (w->found.len) memcpy(more, w->found.at, sizeof *more * (size_t)w->found.len);
    more[w->found.len++] = name;
    w->found.at = more;
}

static void walk_scoped(Assigned *w, Ast *a) {
    size_t len = w->inner.len;
    if (a) walk(w, a);
    w->inner.len = len;
}

static void bind_all(Assigned *w, const AstNames *names) {
    for (int i = 0; i < names->len; i++) bind(w, names->at[i].name);
}

/* The carries of a scan are names in the scope around it from then on. */
static void bind_scans(Ast *e, void *self) {
    Assigned *w = self;
    if (e->kind == AST_SCAN)
        for (int i = 0; i < e->scan.carries.len; i++) bind(w, e->scan.carries.at[i].name.name);
    else
        ast_each_child(e, bind_scans, w);
}

static void walk(Assigned *w, Ast *a) {
    if (a->kind == AST_LET || a->kind == AST_ASSIGN) bind_scans(a->let.value, w);
    switch (a->kind) {
    case AST_BLOCK: {
        size_t len = w->inner.len;
        for (int i = 0; i < a->list.len; i++) walk(w, a->list.at[i]);
        w->inner.len = len;
        break;
    }
    case AST_ASSIGN:
        for (int i = 0; i < a->let.names.len; i++) add_assigned(w, a->let.names.at[i]);
        break;
    case AST_LET: bind_all(w, &a->let.names); break;
    case AST_DEFINE: bind(w, a->define.name.name); break;
    case AST_PARAM: bind(w, a->param.name.name); break;
    case AST_STATE:
        for (int i = 0; i < a->states.len; i++) bind(w, a->states.at[i].name.name);
        break;
    case AST_WHEN:
        walk_scoped(w, a->when.then);
        walk_scoped(w, a->when.els);
        break;
    case AST_FOR: {
        size_t len = w->inner.len;
        bind_all(w, &a->loop.names);
        walk(w, a->loop.body);
        w->inner.len = len;
        break;
    }
    case AST_WHILE: walk_scoped(w, a->loop_while.body); break;
    default: break;
    }
}

/* ---- carries ---- */

/* A name that is carried: its values before the loop, in the body, and after an iteration. */
typedef struct {
    AstName name;
    Term *first, *carry, *next;
} Carried;

typedef struct {
    ScanContext loop;
    Carried *names;
    int n;
} While;

static bool is_local(Scope *s, const Binding *b) {
    for (; s; s = s->frame ? NULL : s->up)
        if (s->names.len && b >= s->names.at && b < s->names.at + s->names.len) return true;
    return false;
}

/* A number before the loop is one of the float type, as in scans. */
static void find_carries(Checker *c, While *w, Scope *s, Ast *body) {
    Assigned a = {.c = c};
    walk(&a, body);
    w->names = ARENA_ARRAY(check_arena(c), Carried, a.found.len + 1);
    for (int i = 0; i < a.found.len; i++) {
        AstName name = a.found.at[i];
        const Binding *b = scope_binding(s, name.name);
        if (!b || b->var || !is_local(s, b)) continue; /* states are carried where they are used */
        Term *t = value_to_term(c, b->value, NULL, name.at);
        if (t && value_is_number(b->value)) t = term_to_float(c, t, name.at);
        w->names[w->n++] = (Carried){.name = name, .first = t};
    }
}

void while_carries(Checker *c, Slot *slot, Span at) {
    VEC(ScanContext *) loops = {0};
    for (ScanContext *l = c->scan; l; l = l->up)
        if (!l->extent && l->unit == c->unit) arena_push(c, &loops, l);
    for (size_t i = loops.len; i-- > 0;) { /* from the outermost on */
        ScanContext *l = loops.at[i];
        bool known = false;
        for (size_t k = 0; k < l->states.len; k++) known = known || l->states.at[k].slot == slot;
        if (known) continue;
        Term *carry = loop_carry(c, l, slot->first->name, slot->var->type, at);
        arena_push(c, &l->states, ((CarriedState){slot, slot->now, carry}));
        slot->now = carry;
    }
}

/* ---- the condition ---- */

typedef enum { NEVER, SOMETIMES, UNKNOWN } Outcome;

static Outcome condition(Checker *c, Scope *s, Ast *cond, Term **t) {
    Value v = eval_expr(c, s, cond);
    if (v.kind == V_BOOL && !v.truth) return NEVER;
    if (v.kind == V_BOOL) {
        err(c, cond->at, while_endless);
        return UNKNOWN;
    }
    *t = v.kind == V_POISON ? NULL : value_to_term(c, v, NULL, cond->at);
    if (!*t) return UNKNOWN;
    if ((*t)->type.dtype == DT_BOOL && (*t)->type.rank == 0 && !(*t)->indexed) return SOMETIMES;
    Diag *d = err(c, cond->at, while_condition, type_text(c, (*t)->type));
    diag_help(c->nnc, d, (*t)->type.rank ? "reduce it to one number, and compare that" : "compare it with something");
    *t = NULL;
    return UNKNOWN;
}

/* Whether `t` depends on anything that another iteration of `loop` finds changed. */
static bool varies(Checker *c, Term *t, const Term *loop) {
    uint8_t *seen = xcalloc((size_t)c->terms / 8 + 1, 1);
    VEC(const Term *) todo = {0};
    bool found = false;
    vec_push(&todo, t);
    while (todo.len && !found) {
        const Term *x = todo.at[--todo.len];
        if (seen[x->id / 8] >> (x->id % 8) & 1) continue;
        seen[x->id / 8] = (uint8_t)(seen[x->id / 8] | 1 << (x->id % 8));
        if (x->kind == T_ITERATION) found = x->site == loop->site;
        if (x->kind == T_CARRY && x->site == loop->site) found = loop->args[loop->slot + x->slot] != x;
        for (int i = 0; i < x->nargs; i++) vec_push(&todo, x->args[i]);
    }
    vec_free(&todo);
    free(seen);
    return found;
}

/* ---- the statement ---- */

static void bind_carries(Checker *c, While *w) {
    for (int i = 0; i < w->n; i++) {
        Carried *x = &w->names[i];
        if (x->first) x->carry = loop_carry(c, &w->loop, x->name.name, x->first->type, x->name.at);
        Value v = x->carry ? grad_mark(c, x->name.name, value_term(x->carry), x->name.at) : value_poison();
        scope_define(c, w->loop.scope, x->name.name, v, x->name.at);
    }
}

static bool find_next(Checker *c, While *w) {
    bool known = true;
    for (int i = 0; i < w->n; i++) {
        Carried *x = &w->names[i];
        const Binding *b = scope_binding(w->loop.scope, x->name.name);
        if (x->carry) x->next = loop_next(c, b->value, x->carry, x->name.at);
        known = known && x->next;
    }
    return known;
}

static Term *while_term(Checker *c, const While *w, Term *cond, Span at) {
    int n = w->loop.ncarry;
    Term **args = ARENA_ARRAY(check_arena(c), Term *, 2 * n + 1);
    for (int i = 0; i < w->n; i++) {
        int slot = w->names[i].carry->slot;
        args[slot] = w->names[i].first, args[n + slot] = w->names[i].next;
    }
    for (size_t i = 0; i < w->loop.states.len; i++) {
        const CarriedState *x = &w->loop.states.at[i];
        args[x->carry->slot] = x->first, args[n + x->carry->slot] = x->slot->now;
    }
    args[2 * n] = cond;
    Term *t = term_new(c, T_WHILE, type_scalar(type_float(c)), at, 2 * n + 1, args);
    t->slot = n;
    return t;
}

/* Gives what was carried its last values. Where the loop is NULL, after an error, the first ones stand for them if
 * their types are right. */
static void finish(Checker *c, const While *w, Scope *s, Term *loop) {
    for (int i = 0; i < w->n; i++) {
        const Carried *x = &w->names[i];
        Binding *b = scope_binding(s, x->name.name);
        Term *last = loop ? loop_result(c, loop, x->carry->slot, x->carry->type) : x->next ? x->first : NULL;
        if (last && !last->name) last->name = x->name.name;
        b->value = last ? grad_mark(c, x->name.name, value_term(last), x->name.at) : value_poison();
    }
    for (size_t i = 0; i < w->loop.states.len; i++) {
        const CarriedState *x = &w->loop.states.at[i];
        bool changed = loop && x->slot->now != x->carry && x->slot->now != x->first;
        x->slot->now = changed ? loop_result(c, loop, x->carry->slot, x->carry->type) : x->first;
    }
}

/* A while that never begins leaves nothing behind. */
static void forget(Checker *c, const While *w) {
    for (size_t i = 0; i < w->loop.states.len; i++) w->loop.states.at[i].slot->now = w->loop.states.at[i].first;
    c->scan = w->loop.up;
}

Flow exec_while(Checker *c, Scope *s, Ast *a) {
    While w = {.n = 0};
    Term *cond = NULL, *t = NULL;
    find_carries(c, &w, s, a->loop_while.body);
    loop_begin(c, &w.loop, s, a->at);
    bind_carries(c, &w);
    Outcome outcome = condition(c, w.loop.scope, a->loop_while.cond, &cond);
    if (outcome == NEVER) {
        forget(c, &w);
        return FLOW_NEXT;
    }
    exec_block(c, scope_new(c, w.loop.scope), a->loop_while.body);
    if (find_next(c, &w) && cond) t = while_term(c, &w, cond, a->at);
    loop_end(c, &w.loop, t);
    if (t && !varies(c, cond, t)) {
        diag_help(c->nnc, err(c, a->loop_while.cond->at, while_constant),
                  "the body must assign to something that it depends on");
        t = NULL;
    }
    finish(c, &w, s, t);
    return FLOW_NEXT;
}
