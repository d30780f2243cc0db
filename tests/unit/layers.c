/* links: nnc_lower nnc_lang nnc_pass nnc_reference nnc_stdlib */
/* Layers of the library over training steps, computed by the reference interpreter: first values, states, copies of
 * layers and models with other parameters. */
#include "compiler/pass/passes.h"
#include "tests/reference/interp.h"
#include "tests/unit/nn.h"

#include <math.h>

/* ---- a run of a few steps ---- */

enum { ROWS = 4, COLUMNS = 3, MOST = 32 };

/* Between steps: the values of all parameters and states, by slot. */
typedef struct {
    Nnc *nnc;
    Program *p;
    Graph *step;
    double x[ROWS * COLUMNS];
    void *params[MOST], *states[MOST];
} Run;

static const DataInfo *open_x(void *self, Nnc *nnc, const DataExpr *e) {
    (void)self;
    static const int64_t columns[] = {COLUMNS};
    const DataField field = {.name = intern(nnc->names, "x"), .dtype = DT_F64, .rank = 1, .dims = columns};
    DataInfo info = {.count = ROWS, .nfields = 1, .classes = -1, .vocab = -1, .expr = e};
    info.fields = arena_copy(nnc->arena, &field, sizeof field);
    return arena_copy(nnc->arena, &info, sizeof info);
}

/* Takes over what a graph gives for parameters and states. */
static void take(Run *r, const Graph *g, const InterpEnv *env) {
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        if (o->kind == OUT_RESULT) continue;
        const Node *n = ir_node(g, o->node);
        cr_assert(o->slot < MOST);
        (o->kind == OUT_PARAM ? r->params : r->states)[o->slot] =
            arena_copy(r->nnc->arena, env->outputs[i], (size_t)ir_elements(n) * dtype_size(n->dtype));
    }
}

/* `body` stands in a loop over batches x of all rows. */
static Run run_new(const char *declarations, const char *body) {
    Run r = {.nnc = nnc_new()};
    r.nnc->float_type = DT_F64;
    const char *text = arena_printf(r.nnc->arena, "%s\ndata d = npy(\"x\")\ntrain {\n    for x in d {\n%s\n    }\n}\n",
                                    declarations, body);
    r.p = nn_load(r.nnc, text, (DataOpener){open_x, NULL});
    r.step = pass_autodiff(r.nnc, nn_step(r.p, ROWS));
    for (int i = 0; i < ROWS * COLUMNS; i++) r.x[i] = sin(1.7 * i) + 0.3 * (i % COLUMNS);
    Graph *first = lower_unit(r.nnc, r.p, program_init_unit(r.p));
    int32_t zero = 0;
    InterpEnv env = {.inputs = (const void *[]){&zero, &zero, &zero}};
    interp_run(first, &env);
    take(&r, first, &env);
    interp_free(first, &env);
    return r;
}

static void run_steps(Run *r, int n) {
    for (int32_t tick = 0; tick < n; tick++) {
        int32_t rows[ROWS] = {0, 1, 2, 3}, zero = 0;
        InterpEnv env = {.inputs = (const void *[]){r->x, rows, &zero, &tick, &zero},
                         .params = (const void *const *)r->params,
                         .states = (const void *const *)r->states};
        interp_run(r->step, &env);
        take(r, r->step, &env);
        interp_free(r->step, &env);
    }
}

static const double *value(const Run *r, const char *path) {
    for (size_t i = 0; i < r->p->params.len + r->p->states.len; i++) {
        bool param = i < r->p->params.len;
        size_t k = param ? i : i - r->p->params.len;
        if (strcmp((param ? r->p->params.at[k] : r->p->states.at[k])->path, path) == 0)
            return param ? r->params[k] : r->states[k];
    }
    cr_assert_fail("no parameter or state %s", path);
    return NULL;
}

/* What exported function f gives for x, with the values that the run is at. */
static const double *call(Run *r) {
    Graph *g = pass_autodiff(r->nnc, nn_export(r->p, "f"));
    InterpEnv env = {.inputs = (const void *[]){r->x},
                     .params = (const void *const *)r->params,
                     .states = (const void *const *)r->states};
    interp_run(g, &env);
    const Node *y = ir_node(g, g->outputs.at[0].node);
    const double *copy = arena_copy(r->nnc->arena, env.outputs[0], sizeof(double) * (size_t)ir_elements(y));
    interp_free(g, &env);
    return copy;
}

/* ---- states ---- */

Test(layers, batch_norm_keeps_running_statistics) {
    Run r = run_new("model net(x: [N, 3]) = BatchNorm()(x)", "minimize mean(net(x)) using SGD(0.1)");
    const double *mean = value(&r, "net.batchnorm1.running_mean"), *var = value(&r, "net.batchnorm1.running_var");
    for (int c = 0; c < COLUMNS; c++) cr_expect(mean[c] == 0 && var[c] == 1);
    run_steps(&r, 2);
    mean = value(&r, "net.batchnorm1.running_mean"), var = value(&r, "net.batchnorm1.running_var");
    for (int c = 0; c < COLUMNS; c++) {
        double m = 0, v = 0;
        for (int i = 0; i < ROWS; i++) m += r.x[i * COLUMNS + c] / (double)ROWS;
        for (int i = 0; i < ROWS; i++) v += pow(r.x[i * COLUMNS + c] - m, 2) / (double)ROWS;
        cr_expect_float_eq(mean[c], 0.1 * m * (1 + 0.9), 1e-14);
        cr_expect_float_eq(var[c], 0.81 + 0.1 * v * (1 + 0.9), 1e-14);
    }
    nnc_free(r.nnc);
}

Test(layers, ema_follows_the_updated_parameters) {
    Run r = run_new("model net(x: [N, 3]) = Dense(1, init = constant(2))(x)\n"
                    "let slow = ema(net, 0.75)\n"
                    "export fn f(x: [4, 3]) = slow(x)",
                    "minimize mean(net(x)) using SGD(0.5)\n        let _ = slow(x)");
    const double *y = call(&r); /* before the first step: the parameters themselves */
    cr_expect_float_eq(y[0], 2 * (r.x[0] + r.x[1] + r.x[2]), 1e-13);
    double w = 2, b = 0, slow_w = 0, slow_b = 0, column = 0;
    for (int i = 0; i < ROWS; i++) column += r.x[i * COLUMNS] / (double)ROWS;
    for (int t = 0; t < 3; t++) {
        w -= 0.5 * column, b -= 0.5;
        slow_w = t ? 0.75 * slow_w + 0.25 * w : w;
        slow_b = t ? 0.75 * slow_b + 0.25 * b : b;
    }
    run_steps(&r, 3);
    cr_expect_float_eq(value(&r, "net.dense1.w")[0], w, 1e-13);
    cr_expect_float_eq(value(&r, "slow.movingaverage1.a")[0], slow_w, 1e-13);
    cr_expect_float_eq(value(&r, "slow.movingaverage2.a")[0], slow_b, 1e-13);
    const double *a = value(&r, "slow.movingaverage1.a");
    cr_expect_float_eq(call(&r)[0], r.x[0] * a[0] + r.x[1] * a[1] + r.x[2] * a[2] + slow_b, 1e-13);
    nnc_free(r.nnc);
}

/* ---- weights made of other parameters ---- */

Test(layers, weight_norm_starts_with_the_layers_own_weights) {
    Run r = run_new("model net(x: [N, 3]) = WeightNorm(Dense(2))(x)\nexport fn f(x: [4, 3]) = net(x)",
                    "minimize mean(net(x)^2) using SGD(0.1)");
    const double *w = value(&r, "net.weightnorm1.dense1.w"), *g = value(&r, "net.weightnorm1.lengths1.g"),
                 *y = call(&r);
    for (int u = 0; u < 2; u++) {
        cr_expect_float_eq(g[u], sqrt(w[u] * w[u] + w[2 + u] * w[2 + u] + w[4 + u] * w[4 + u]), 1e-14);
        cr_expect_float_eq(y[u], r.x[0] * w[u] + r.x[1] * w[2 + u] + r.x[2] * w[4 + u], 1e-14);
    }
    double before = g[0];
    run_steps(&r, 1);
    cr_expect_neq(value(&r, "net.weightnorm1.lengths1.g")[0], before);
    nnc_free(r.nnc);
}

Test(layers, spectral_norm_divides_by_the_largest_singular_value) {
    Run r = run_new("model net(x: [N, 3]) = SpectralNorm(Dense(2, bias = false))(x)\n"
                    "export fn f(x: [4, 3]) = net(x)",
                    "minimize 0 * mean(net(x)) using SGD(0.1)");
    double before = value(&r, "net.spectralnorm1.unitspectrum1.v")[0];
    run_steps(&r, 40);
    cr_expect_float_eq(value(&r, "net.spectralnorm1.unitspectrum1.v")[0], before, 1e-2); /* after 15 first steps */
    const double *w = value(&r, "net.spectralnorm1.dense1.w"), *y = call(&r);
    double a = 0, b = 0, d = 0; /* wᵀw = [a b; b d] */
    for (int i = 0; i < 3; i++)
        a += w[2 * i] * w[2 * i], b += w[2 * i] * w[2 * i + 1], d += w[2 * i + 1] * w[2 * i + 1];
    double sigma = sqrt((a + d) / 2 + sqrt((a - d) * (a - d) / 4 + b * b));
    cr_expect_float_eq(y[0], (r.x[0] * w[0] + r.x[1] * w[2] + r.x[2] * w[4]) / sigma, 1e-12);
    nnc_free(r.nnc);
}

/* ---- copies and replaced parameters ---- */

Test(layers, clones_have_parameters_of_their_own) {
    Run r = run_new("model net(x: [N, 3]) {\n"
                    "    let one = Sequential([Dense(2), Dense(1)])\n"
                    "    let two = clone(one)\n"
                    "    return one(x) - two(x)\n"
                    "}\n"
                    "let twin = clone(net)",
                    "minimize mean(net(x) + twin(x)) using SGD(0.1)");
    const double *a = value(&r, "net.one.dense1.w"), *b = value(&r, "net.two.dense1.w"),
                 *c = value(&r, "twin.one.dense1.w");
    cr_expect_eq(r.p->params.len, 16);
    cr_expect(a[0] != b[0] && a[0] != c[0] && b[0] != c[0]);
    nnc_free(r.nnc);
}

Test(layers, bidirectional_makes_two_layers_of_one) {
    Run r = run_new("model net(x: [N, 3]) = Bidirectional(RNN(2))(expand_dims(x, 2))\n"
                    "export fn f(x: [4, 3]) = net(x)",
                    "minimize mean(net(x)) using SGD(0.1)");
    const double *y = call(&r);
    const double *in = value(&r, "net.bidirectional1.forward.wx"), *back = value(&r, "net.bidirectional1.backward.wx");
    cr_expect_eq(r.p->params.len, 6);
    cr_expect_float_eq(y[0], tanh(r.x[0] * in[0]), 1e-14);    /* the first of the sequence, forwards */
    cr_expect_float_eq(y[10], tanh(r.x[2] * back[0]), 1e-14); /* the last, backwards */
    nnc_free(r.nnc);
}

Test(layers, a_model_runs_with_other_parameters) {
    Run r = run_new("model net(x: [N, 3]) = x |> BatchNorm() |> Dense(1, bias = false)\n"
                    "model inner(x: [N, 3]) = Dense(1, bias = false, init = constant(1))(x)\n"
                    "fn adapted(x) {\n" /* a gradient step inside of the loss, as in MAML */
                    "    let w = params(inner)[0]\n"
                    "    let y = inner(x)\n"
                    "    let g = grad(mean(y^2), w)\n"
                    "    return with_params(inner, [w - 0.1 * g])(x)\n"
                    "}\n"
                    "export fn f(x: [4, 3]) = adapted(x)",
                    "minimize mean(with_params(net, fn(p) = 2 * p)(x)) + mean(adapted(x)) using SGD(1)");
    double m[COLUMNS] = {0}, g[COLUMNS] = {0}; /* of w: mean of 2·y·x */
    for (int i = 0; i < ROWS; i++)
        for (int c = 0; c < COLUMNS; c++) {
            const double *x = r.x + i * COLUMNS;
            m[c] += x[c] / (double)ROWS;
            g[c] += 2 * (x[0] + x[1] + x[2]) * x[c] / (double)ROWS;
        }
    double want = 0;
    for (int c = 0; c < COLUMNS; c++) want += r.x[c] * (1 - 0.1 * g[c]);
    cr_expect_float_eq(call(&r)[0], want, 1e-13);
    run_steps(&r, 1);
    cr_expect_eq(value(&r, "net.batchnorm1.running_mean")[0], 0); /* a call with other parameters changes no state */
    double step = 0; /* of inner's first weight: the gradient through the inner step */
    for (int c = 0; c < COLUMNS; c++) {
        double h = 0;
        for (int i = 0; i < ROWS; i++) h += 2 * r.x[i * COLUMNS] * r.x[i * COLUMNS + c] / (double)ROWS;
        step += m[c] * ((c == 0) - 0.1 * h);
    }
    cr_expect_float_eq(value(&r, "inner.dense1.w")[0], 1 - step, 1e-13);
    nnc_free(r.nnc);
}

/* ---- experts ---- */

Test(layers, experts_are_weighed_by_the_largest_gates) {
    Run r = run_new("model net(x: [N, 3]) = MoE(Dense(2, bias = false), 4, k = 2)(x)\n"
                    "export fn f(x: [4, 3]) = net(x)",
                    "minimize mean(net(x)^2) using SGD(0.1)");
    run_steps(&r, 2);
    const double *gate = value(&r, "net.moe1.w"), *y = call(&r);
    double h[4] = {0}, total = 0, want = 0;
    cr_expect_neq(gate[0], 0);
    for (int e = 0; e < 4; e++)
        for (int c = 0; c < COLUMNS; c++) h[e] += r.x[c] * gate[c * 4 + e];
    for (int e = 0; e < 4; e++) {
        int ahead = 0;
        for (int k = 0; k < 4; k++) ahead += h[k] > h[e];
        if (ahead >= 2) continue;
        const double *w = value(&r, arena_printf(r.nnc->arena, "net.moe1.dense%d.w", e + 1));
        total += exp(h[e]);
        want += exp(h[e]) * (r.x[0] * w[0] + r.x[1] * w[2] + r.x[2] * w[4]);
    }
    cr_expect_float_eq(y[0], want / total, 1e-13);
    nnc_free(r.nnc);
}
