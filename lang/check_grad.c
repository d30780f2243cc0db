/* Gradients: what an expression reaches, and grad(e, x). */
#include "lang/builtin.h"
#include "lang/loop.h"

#include <stdlib.h>
#include <string.h>

/* ---- reach ---- */

/* Nothing differentiable passes through integers, truth values and stop(). */
static bool blocks(const Term *t) {
    return !dtype_is_float(t->type.dtype) || (t->kind == T_OP && strcmp(t->op, "stop") == 0);
}

/* Sets of terms, a bit for each id. */
static bool has(const uint8_t *set, const Term *t) { return set[t->id / 8] >> (t->id % 8) & 1; }
static void put(uint8_t *set, const Term *t) { set[t->id / 8] = (uint8_t)(set[t->id / 8] | 1 << (t->id % 8)); }
static uint8_t *none(const Checker *c) { return xcalloc((size_t)c->terms / 8 + 1, 1); } /* the caller frees it */

/* The terms that `e` depends on with a gradient, from id `least` on. The caller frees the set. */
static uint8_t *reach(Checker *c, const Term *e, int least) {
    uint8_t *seen = none(c);
    VEC(const Term *) todo = {0};
    vec_push(&todo, e);
    while (todo.len) {
        const Term *t = todo.at[--todo.len];
        if (t->id < least || blocks(t) || has(seen, t)) continue;
        put(seen, t);
        for (int i = 0; i < t->nargs; i++) vec_push(&todo, t->args[i]);
    }
    vec_free(&todo);
    return seen;
}

void grad_reached(Checker *c, const Term *e, bool *reached) {
    uint8_t *seen = reach(c, e, 0);
    for (size_t i = 0; i < c->unit->order.len; i++) {
        const Slot *slot = c->unit->order.at[i];
        reached[i] = slot->var->is_param && has(seen, slot->now);
    }
    free(seen);
}

bool grad_reaches(Checker *c, const Term *e, const Term *x) {
    uint8_t *seen = reach(c, e, x->id); /* operands have smaller ids: what is older cannot depend on x */
    bool yes = has(seen, x);
    free(seen);
    return yes;
}

/* ---- what stands between ---- */

/* A walk from an expression to what a gradient of it reaches: through a loop from a result to the carry or yield that
 * it is, from a carry to its first and its next value. */
typedef struct {
    uint8_t *seen; /* by id: 1 where it was met on the way, 2 where what `loop` carries was met before it */
    VEC(const Term *) todo;
    VEC(uint8_t) how;
    const Term *loop;
} Between;

static void meet(Between *b, const Term *t, uint8_t how) {
    if (blocks(t) || (b->seen[t->id] & how)) return;
    b->seen[t->id] |= how;
    vec_push(&b->todo, t);
    vec_push(&b->how, how);
}

static void meet_carry(Between *b, const Term *loop, int k, uint8_t how) {
    if (loop == b->loop) how = 2;
    meet(b, loop->args[k], how);
    meet(b, loop->args[loop->slot + k], how);
}

/* The loop that a result is of, or a carry, where that one is complete. */
static const Term *loop_of(const Checker *c, const Term *t) {
    if (t->kind == T_RESULT) return t->args[0];
    return t->kind == T_CARRY && t->site < c->unit->loops.len ? c->unit->loops.at[t->site] : NULL;
}

static void meet_operands(Checker *c, Between *b, const Term *t, uint8_t how) {
    const Term *loop = loop_of(c, t);
    if (loop && t->slot < loop->slot)
        meet_carry(b, loop, t->slot, how);
    else if (loop)
        meet(b, loop->args[loop->slot + t->slot], how);
    else
        for (int i = 0; i < t->nargs; i++) meet(b, t->args[i], how);
}

bool grad_carried(Checker *c, const Term *e, const Term *x, const Term *loop) {
    Between b = {.seen = xcalloc((size_t)c->terms + 1, 1), .loop = loop};
    meet(&b, e, 1);
    while (b.todo.len && !(b.seen[x->id] & 2)) {
        const Term *t = b.todo.at[--b.todo.len];
        uint8_t how = b.how.at[--b.how.len];
        if (t != x) meet_operands(c, &b, t, how);
    }
    bool yes = b.seen[x->id] & 2;
    free(b.seen);
    vec_free(&b.todo);
    vec_free(&b.how);
    return yes;
}

bool grad_passes(Checker *c, const Term *e, const Term *x, Span at) {
    for (size_t i = 0; c->unit && i < c->unit->loops.len; i++) {
        const Term *loop = c->unit->loops.at[i];
        if (!loop || loop->kind != T_WHILE || !grad_carried(c, e, x, loop)) continue;
        Diag *d = err(c, at, grad_while);
        diag_label(c->nnc, d, loop->at, "the loop");
        diag_help(c->nnc, d, "stop(...) takes what it gives as a constant; a scan has a gradient");
        return false;
    }
    return true;
}

/* ---- where gradients end ---- */

/* What a search for the end of gradients looks for: terms from id `least` on. */
typedef struct {
    uint8_t *terms;
    int least;
} Wanted;

/* Whether `t` depends on anything wanted, with a gradient or without; what was `seen` before does not. */
static bool depends(const Term *t, const Wanted *w, uint8_t *seen) {
    VEC(const Term *) todo = {0};
    bool found = false;
    vec_push(&todo, t);
    while (todo.len && !found) {
        t = todo.at[--todo.len];
        if (t->id < w->least || has(seen, t)) continue;
        put(seen, t);
        found = has(w->terms, t);
        for (int i = 0; i < t->nargs; i++) vec_push(&todo, t->args[i]);
    }
    vec_free(&todo);
    return found;
}

/* An integer or a truth value through which `e` depends on one of the wanted terms; NULL where there is none. */
static const Term *barrier(Checker *c, const Term *e, const Wanted *w) {
    uint8_t *seen = none(c), *behind = none(c);
    const Term *found = NULL;
    VEC(const Term *) todo = {0};
    vec_push(&todo, e);
    while (todo.len && !found) {
        const Term *t = todo.at[--todo.len];
        if (t->id < w->least || has(seen, t)) continue;
        put(seen, t);
        if (!dtype_is_float(t->type.dtype) && depends(t, w, behind)) found = t;
        for (int i = 0; i < t->nargs && !blocks(t); i++) vec_push(&todo, t->args[i]);
    }
    vec_free(&todo);
    free(seen);
    free(behind);
    return found;
}

static void label_barrier(Checker *c, Diag *d, const Term *t) {
    diag_label(c->nnc, d, t->at, "no gradient passes through %s",
               t->type.dtype == DT_BOOL ? "truth values" : "integers");
}

void grad_explain(Checker *c, Diag *d, const Term *e, bool (*wanted)(const Slot *, const void *), const void *arg) {
    Wanted w = {.terms = none(c)};
    for (size_t i = 0; i < c->unit->order.len; i++)
        if (wanted(c->unit->order.at[i], arg)) put(w.terms, c->unit->order.at[i]->now);
    const Term *t = barrier(c, e, &w);
    if (t) label_barrier(c, d, t);
    free(w.terms);
}

/* A gradient that is zero because only integers lead to x is hardly meant. */
static void warn_zero(Checker *c, const Term *e, const Term *x, Span at) {
    Wanted w = {none(c), x->id};
    put(w.terms, x);
    const Term *t = barrier(c, e, &w);
    if (t) label_barrier(c, err(c, at, grad_zero, x->name ? x->name : "it"), t);
    free(w.terms);
}

/* ---- grad(e, x) ---- */

Term *term_grad(Checker *c, Term *e, Term *x, Span at) { return term_new(c, T_GRAD, x->type, at, 2, (Term *[]){e, x}); }

static Value grad_of_one(Checker *c, Term *e, Value x, Span at, Span x_at) {
    if (x.kind == V_POISON) return x;
    if (x.kind != V_TENSOR) {
        err(c, x_at, grad_of_value, value_text(c, x));
        return value_poison();
    }
    Term *t = x.term;
    if (t->kind != T_PARAM && t->kind != T_INPUT && t->kind != T_MARK) {
        diag_help(c->nnc, err(c, x_at, grad_of_expression),
                  "give it a name with 'let' and compute the expression from that name");
        return value_poison();
    }
    if (!dtype_is_float(t->type.dtype)) {
        err(c, x_at, grad_of_integer, type_text(c, t->type));
        return value_poison();
    }
    if (!grad_passes(c, e, t, at)) return value_poison();
    if (c->scan) arena_push(c, &c->scan->grads, ((InnerGrad){e, t, at}));
    if (!grad_reaches(c, e, t)) { /* constant in x */
        warn_zero(c, e, t, at);
        Term *zero = term_number(c, 0, t->type.dtype, at);
        return value_term(term_broadcast(c, zero, t->type.rank, t->type.dims, at));
    }
    return value_term(term_grad(c, e, t, at));
}

Value eval_grad(Checker *c, Value e, Value x, Span at, Span x_at) {
    Term *t = value_to_term(c, e, NULL, at);
    if (!t) return value_poison();
    if (t->type.rank > 0 || !dtype_is_float(t->type.dtype) || t->indexed) {
        diag_help(c->nnc, err(c, at, grad_not_scalar, type_text(c, t->type)), "%s",
                  t->type.rank > 0 || t->indexed ? "take the mean or the sum of it"
                                                 : "no gradient passes through integers");
        return value_poison();
    }
    if (x.kind == V_MODEL || x.kind == V_PART || x.kind == V_INSTANCE) {
        x = model_params(c, x, x_at);
        x.kind = V_TUPLE;
    }
    if (x.kind != V_TUPLE && x.kind != V_LIST) return grad_of_one(c, t, x, at, x_at);
    Value *items = ARENA_ARRAY(check_arena(c), Value, x.list.len + 1);
    for (int i = 0; i < x.list.len; i++) items[i] = grad_of_one(c, t, x.list.at[i], at, x_at);
    return value_list(c, V_TUPLE, items, x.list.len);
}
