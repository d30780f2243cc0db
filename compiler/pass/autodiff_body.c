#include "compiler/pass/autodiff.h"

#include <string.h>

enum { LIVE_UNKNOWN, LIVE_NO, LIVE_YES };

/* A guard, whose sides are swept after its surroundings, as contexts of their own: what its inside computes is in range
 * only where the conditions hold, so they stand around each whole gradient and not around a factor of it. */
typedef struct {
    Ex guard, dy;
} Guarded;

/* One sweep over the expressions below a root, guards not entered. */
typedef struct {
    BodyGrad *b;
    int nconds; /* those around the root */
    const Cond *conds;
    VEC(Ex) order; /* operands first */
    VEC(Ex) grad;  /* of each */
    VEC(Guarded) guards;
    Partials *out;
} Sweep;

void autodiff_body_start(BodyGrad *b, const bool *need, size_t nneed) {
    b->need = need;
    b->nneed = nneed;
    if (b->live.len) memset(b->live.at, LIVE_UNKNOWN, b->live.len);
}

void autodiff_body_free(BodyGrad *b) {
    vec_free(&b->live);
    vec_free(&b->slot);
    vec_free(&b->depth);
}

static bool operand_live(BodyGrad *b, Ex e, int i) {
    const Expr *x = ir_expr(b->g, e);
    return dtype_is_float(ir_expr(b->g, x->arg[i])->dtype) && rules_passes(b->rules, x->kind, i) &&
           autodiff_body_live(b, x->arg[i]);
}

static bool find_live(BodyGrad *b, Ex e) {
    const Expr *x = ir_expr(b->g, e);
    if (!dtype_is_float(x->dtype)) return false;
    switch (x->kind) {
    case EX_CONST:
    case EX_INDEX: return false;
    case EX_LOAD: return x->load.node < b->nneed && b->need[x->load.node];
    case EX_GUARD: return autodiff_body_live(b, x->arg[0]) || autodiff_body_live(b, x->arg[1]);
    case EX_FETCH: bug("a kernel's buffer in a graph");
    default:
        for (int i = 0; i < op_info(x->kind)->arity; i++)
            if (operand_live(b, e, i)) return true;
        return false;
    }
}

bool autodiff_body_live(BodyGrad *b, Ex e) {
    while (b->live.len <= e) vec_push(&b->live, LIVE_UNKNOWN);
    if (b->live.at[e] == LIVE_UNKNOWN) {
        bool live = find_live(b, e);
        b->live.at[e] = live ? LIVE_YES : LIVE_NO;
    }
    return b->live.at[e] == LIVE_YES;
}

/* Operands have smaller numbers than what they stand in. */
bool autodiff_body_deep(BodyGrad *b, Ex body) {
    for (Ex e = (Ex)b->depth.len; e <= body; e++) {
        const Ex *arg = ir_expr(b->g, e)->arg;
        int depth = 0;
        for (size_t i = 0; i < COUNT(ir_expr(b->g, e)->arg); i++)
            if (arg[i]) depth = MAX(depth, 1 + b->depth.at[arg[i]]);
        vec_push(&b->depth, depth);
    }
    return b->depth.at[body] > AUTODIFF_DEEPEST;
}

/* Appends the live expressions below e to the order, each once. */
static void collect(Sweep *s, Ex e) {
    BodyGrad *b = s->b;
    while (b->slot.len <= e) vec_push(&b->slot, 0);
    if (b->slot.at[e] && b->slot.at[e] <= s->order.len && s->order.at[b->slot.at[e] - 1] == e) return;
    ExKind kind = ir_expr(b->g, e)->kind;
    if (kind != EX_LOAD && kind != EX_GUARD)
        for (int i = 0; i < op_info(kind)->arity; i++)
            if (operand_live(b, e, i)) collect(s, ir_expr(b->g, e)->arg[i]);
    vec_push(&s->order, e);
    vec_push(&s->grad, 0);
    b->slot.at[e] = (uint32_t)s->order.len;
}

static void add_grad(Sweep *s, Ex e, Ex dy) {
    Ex *sum = &s->grad.at[s->b->slot.at[e] - 1];
    *sum = *sum ? ex_op(s->b->g, EX_ADD, *sum, dy, 0) : dy;
}

static void sweep(BodyGrad *b, Ex root, Ex y, Ex dy, int nconds, const Cond *conds, Partials *out);

/* Both sides of a guard: inside under its conditions too, outside with the gradient masked by them. */
static void sweep_guard(const Sweep *s, Ex guard, Ex dy) {
    BodyGrad *b = s->b;
    const Expr x = *ir_expr(b->g, guard);
    if (autodiff_body_live(b, x.arg[0])) {
        int n = s->nconds + x.guard.n;
        Cond *all = ARENA_ARRAY(b->arena, Cond, n);
        if (s->nconds) memcpy(all, s->conds, sizeof *all * (size_t)s->nconds);
        memcpy(all + s->nconds, x.guard.at, sizeof *all * (size_t)x.guard.n);
        sweep(b, x.arg[0], x.arg[0], dy, n, all, s->out);
    }
    if (autodiff_body_live(b, x.arg[1])) {
        Ex masked = ex_guard(b->g, x.guard.n, x.guard.at, ex_zero(b->g, x.dtype), dy);
        sweep(b, x.arg[1], x.arg[1], masked, s->nconds, s->conds, s->out);
    }
}

static void sweep(BodyGrad *b, Ex root, Ex y, Ex dy, int nconds, const Cond *conds, Partials *out) {
    Sweep s = {.b = b, .nconds = nconds, .conds = conds, .out = out};
    collect(&s, root);
    add_grad(&s, root, dy);
    for (size_t i = s.order.len; i-- > 0;) {
        Ex e = s.order.at[i], grad = s.grad.at[i];
        ExKind kind = ir_expr(b->g, e)->kind;
        if (kind == EX_LOAD) {
            vec_push(out, (Partial){e, grad, nconds, conds});
        } else if (kind == EX_GUARD) {
            vec_push(&s.guards, (Guarded){e, grad});
        } else {
            for (int k = 0; k < op_info(kind)->arity; k++)
                if (operand_live(b, e, k))
                    add_grad(&s, ir_expr(b->g, e)->arg[k], rules_apply(b->rules, b->g, e, k, e == root ? y : e, grad));
        }
    }
    for (size_t i = 0; i < s.guards.len; i++) sweep_guard(&s, s.guards.at[i].guard, s.guards.at[i].dy);
    vec_free(&s.order);
    vec_free(&s.grad);
    vec_free(&s.guards);
}

void autodiff_body(BodyGrad *b, Ex body, Ex y, Ex dy, Partials *out) {
    if (autodiff_body_live(b, body)) sweep(b, body, y, dy, 0, NULL, out);
}
