/* links: golden_cases */
/* What an optimizer of all parameters gets from its objective: the same batch, the same random draws, everything that
 * is minimized, and no change to the states of layers. */
#include "tests/golden_values/steps.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

/* A loss with dropout, batch norm, a scan, a while, a gather, a penalty and a gradient, over parameters of several
 * shapes. */
#define NET                                                                                                            \
    "data steps = npy(\"g0.npy\")\n"                                                                                   \
    "model net(x: [B, T, 3]) -> [B, 2] {\n"                                                                            \
    "    param table: [5, 3] ~ normal_init(1)\n"                                                                       \
    "    param w: [3, 3] ~ glorot_uniform\n"                                                                           \
    "    param scale: [] = 1\n"                                                                                        \
    "    let picked = table[[1, 4, 1]]\n"                                                                              \
    "    let hs = scan t in 0..T with h = zeros([B, 3]) {\n"                                                           \
    "        h = tanh(x[:, t] @ w + h @ picked + 0.1 * normal([B, 3]))\n"                                              \
    "        yield h\n"                                                                                                \
    "    }\n"                                                                                                          \
    "    return scale * (hs[-1] |> BatchNorm() |> Dropout(0.3) |> Dense(2))\n"                                         \
    "}\n"                                                                                                              \
    "fn loss_of(x) {\n"                                                                                                \
    "    let at = x\n"                                                                                                 \
    "    let e = sum(net(at)^2)\n"                                                                                     \
    "    let half = stop(e)\n"                                                                                         \
    "    while half > 1 {\n"                                                                                           \
    "        half = half / 2\n"                                                                                        \
    "    }\n"                                                                                                          \
    "    return e + half * sum(at) * l2(net) + sum(grad(e, at)^2)\n"                                                   \
    "}\n"                                                                                                              \
    "train {\n"                                                                                                        \
    "    batch = 1\n"                                                                                                  \
    "    for step in steps {\n"                                                                                        \
    "        minimize loss_of(normal([4, 2, 3])) using %s\n"                                                           \
    "    }\n"                                                                                                          \
    "}\n"

#define PLAIN                                                                                                          \
    "optimizer Whole(lr)(p, g, objective) {\n"                                                                         \
    "    p = p - lr * g\n"                                                                                             \
    "}\n"

/* At p, by way of other terms, and elsewhere, in a loop. */
#define PROBING                                                                                                        \
    "optimizer Whole(lr)(p: [P], g, objective) {\n"                                                                    \
    "    state zero = 0, difference: [] = 0, elsewhere: [] = 0, rounds: int[] = 0\n"                                   \
    "    let (f, _) = objective(p)\n"                                                                                  \
    "    let (f0, g0) = objective(p + zero)\n"                                                                         \
    "    difference = abs(f - f0) + max(abs(g - g0))\n"                                                                \
    "    let q = p\n"                                                                                                  \
    "    rounds = 0\n"                                                                                                 \
    "    while rounds < 3 {\n"                                                                                         \
    "        let (fq, gq) = objective(q + 0.25)\n"                                                                     \
    "        q = q - lr * gq\n"                                                                                        \
    "        rounds = rounds + 1\n"                                                                                    \
    "        elsewhere = elsewhere + fq\n"                                                                             \
    "    }\n"                                                                                                          \
    "    zero = stop(0 * zero)\n"                                                                                      \
    "    p = p - lr * g\n"                                                                                             \
    "}\n"

enum { STEPS = 4 };

typedef struct {
    double losses[STEPS], scale, table[15], mean[3], difference, elsewhere;
} Run;

static void run(const char *optimizer, const char *call, Run *r) {
    Str source = {0};
    Steps s;
    str_add(&source, "%s", optimizer);
    str_add(&source, NET, call);
    cr_assert(steps_open(&s, source.at, true, NULL, NULL), "%s", source.at);
    for (int i = 0; i < STEPS; i++) steps_call(&s, 0, &r->losses[i]);
    memcpy(&r->scale, steps_get(&s, "scale"), sizeof r->scale);
    memcpy(r->table, steps_get(&s, "table"), sizeof r->table);
    memcpy(r->mean, steps_get(&s, "running_mean"), sizeof r->mean);
    bool probing = optimizer[0] && strstr(optimizer, "elsewhere");
    if (probing) memcpy(&r->difference, steps_get(&s, "difference"), sizeof r->difference);
    if (probing) memcpy(&r->elsewhere, steps_get(&s, "elsewhere"), sizeof r->elsewhere);
    steps_close(&s);
    vec_free(&source);
}

static void same(const double *a, const double *b, int n, const char *what) {
    for (int i = 0; i < n; i++) cr_expect_float_eq(a[i], b[i], 1e-12, "%s: %.17g and %.17g", what, a[i], b[i]);
}

static void same_run(const Run *a, const Run *b) {
    same(a->losses, b->losses, STEPS, "a loss");
    same(&a->scale, &b->scale, 1, "scale");
    same(a->table, b->table, 15, "table");
    same(a->mean, b->mean, 3, "the running mean");
}

/* Gradient descent over one vector is gradient descent. */
Test(objective, descent) {
    Run each = {0}, whole = {0};
    run("", "GD(0.001)", &each);
    run(PLAIN, "Whole(0.001)", &whole);
    same_run(&each, &whole);
    cr_expect_neq(each.losses[0], each.losses[3]);
}

Test(objective, elsewhere) {
    Run whole = {0}, probing = {0};
    run(PLAIN, "Whole(0.001)", &whole);
    run(PROBING, "Whole(0.001)", &probing);
    same_run(&whole, &probing);
    cr_expect(probing.difference <= 1e-12, "at the same point the objective differs by %g", probing.difference);
    cr_expect(isfinite(probing.elsewhere) && fabs(probing.elsewhere - 3 * whole.losses[3]) > 1e-3,
              "elsewhere it is %g, here %g", probing.elsewhere, whole.losses[3]);
}
