/* links: nnc_loop nnc_lower nnc_lang nnc_pass nnc_reference nnc_stdlib */
/* Programs with whiles, from their text to values: what they mean, gradients inside of them against differences, and
 * that passes and loop nests keep both. */
#include "compiler/pass/passes.h"
#include "tests/unit/loops.h"
#include "tests/unit/nn.h"

static Graph *optimized(Nnc *nnc, Graph *g) {
    g = pass_simplify(nnc, pass_autodiff(nnc, pass_simplify(nnc, g)));
    ir_verify(g, "simplify");
    return g;
}

static double element(const Node *n, const void *data, int64_t i) {
    Scalar x = scalar_read(n->dtype, data, i);
    return dtype_is_float(n->dtype) ? x.f : (double)x.i;
}

static void expect_values(const Graph *g, const void *const *inputs, int n, const double *want, const char *text) {
    static const double zero;
    const void *const states[] = {&zero};
    InterpEnv env = {.inputs = inputs, .states = states};
    interp_run(g, &env);
    const Node *y = ir_node(g, g->outputs.at[0].node);
    for (int i = 0; i < n; i++) {
        double got = element(y, env.outputs[0], i);
        cr_expect(fabs(got - want[i]) <= 2e-6 * (1 + fabs(want[i])), "element %d is %.15g, not %.15g, in\n%s", i, got,
                  want[i], text);
    }
    interp_free(g, &env);
}

/* The first result of exported function `f` in f64, of all stages. */
static void expect(const char *text, const void *const *inputs, int n, const double *want) {
    Nnc *nnc = nnc_new();
    nnc->float_type = DT_F64;
    Graph *g = nn_export(nn_load(nnc, text, (DataOpener){0}), "f"), *best = optimized(nnc, g);
    expect_values(pass_autodiff(nnc, g), inputs, n, want, text);
    expect_values(best, inputs, n, want, text);
    const Machine *machines[] = {&sse, &avx512};
    for (int i = 0; i < 2; i++) expect_same(nnc, best, machines[i], 5);
    nnc_free(nnc);
}

Test(while_nn, iterations_of_numbers) {
    expect("export fn f(a: []) { let x = 1; while abs(x * x - abs(a)) > 1e-9 { x = (x + abs(a) / x) / 2 }; return x }",
           INPUTS(D(2)), WANT(1.41421356237));
    expect("export fn f(a: []) {\n let lo = 0\n let hi = 2\n while hi - lo > 1e-9 {\n let m = (lo + hi) / 2\n"
           " let below = m^3 < a\n lo = if below then m else lo\n hi = if below then hi else m\n }\n return lo\n}",
           INPUTS(D(3)), WANT(1.44224957));
    expect("export fn f(a: int[], b: int[]) {\n while b != 0 { (a, b) = (b, a - b * int(a / b)) }\n return a\n}",
           INPUTS(I(84), I(36)), WANT(12));
}

/* What is assigned in it, is carried; what is bound in it, is not; shadowing; a tuple; a branch that is not taken. */
Test(while_nn, names) {
    expect("export fn f(x: [3]) {\n let n = 0\n let y = x\n while n < 3 {\n let y = y * 2\n n = n + 1\n x = x + y\n"
           " if false { n = n - 1 } else { let n = 7 }\n for k in 0..2 { x = x + k }\n }\n return x + 100 * y\n}",
           INPUTS(D(1, 2, 3)), WANT(110, 217, 324));
    expect("fn twice(x) { let n = 0; while n < 2 { x = 2 * x; n = n + 1 }; return x }\n"
           "export fn f(x: [2]) {\n let n = 5\n while n > 3 { x = twice(x) + n; n = n - 1 }\n return x\n}",
           INPUTS(D(1, 2)), WANT(40, 56));
}

Test(while_nn, nests) {
    expect("export fn f(n: int[]) {\n let s = 0\n let i = 0\n while i < 5 {\n let j = 0\n"
           " while j < i { s = s + j * i; j = j + 1 }\n i = i + 1\n }\n return s + 0 * n\n}",
           INPUTS(I(1)), WANT(35));
    expect("export fn f(x: [2]) = scan t in 0..3 with h = x {\n while max(abs(h)) > 1 { h = h / 2 }\n h = 3 * h\n"
           " yield h\n}",
           INPUTS(D(1.5, -1)), WANT(2.25, -1.5, 1.6875, -1.125, 2.53125, -1.6875));
    expect("export fn f(x: [2]) {\n let n = 0\n while n < 3 {\n"
           " let s = scan t in 0..2 with c = x { c = c + t + n; yield c }\n x = sum(s, axis = 0) / 2\n n = n + 1\n }\n"
           " return x\n}",
           INPUTS(D(0, 1)), WANT(6, 7));
}

/* At the top level, where no unit is made, beside loops of the function that uses it. */
Test(while_nn, outside_of_functions) {
    expect("fn power(limit) { let x = 1; while x < limit { x = x * 2 }; return x }\n"
           "let big = power(100)\nlet table = scan t in 0..2 with h = 1 { h = 3 * h; yield h }\n"
           "export fn f(x: [2]) {\n let k = 0\n while k < 2 { x = x + big; k = k + 1 }\n"
           " let s = scan t in 0..3 with h = x { h = h + table }\n return h\n}",
           INPUTS(D(0, 1)), WANT(256 + 9, 257 + 27));
}

/* The state of a layer that is called in it. */
Test(while_nn, states) {
    expect("layer Count()(x: [N]) -> [N] {\n state n: [] = 0\n n = n + 1\n return x + n\n}\n"
           "export fn f(x: [2]) {\n let count = Count()\n let k = 0\n x = count(x)\n"
           " while k < 2 {\n let j = 0\n while j < 2 { x = count(x); j = j + 1 }\n k = k + 1\n }\n return count(x)\n}",
           INPUTS(D(0, 1)), WANT(21, 22));
}

/* Newton's method for a minimum; the derivatives are those of the values that the body binds. */
Test(while_nn, gradients_by_what_the_body_binds) {
    expect("export fn f(x: []) {\n let n = 0\n while n < 8 {\n let e = x^4 - 3 * x^2 + x\n let g = grad(e, x)\n"
           " x = x - g / grad(g, x)\n n = n + 1\n }\n return x\n}",
           INPUTS(D(1.5)), WANT(1.1309011226));
}

/* Gradients and central differences of step h. */
static const char network[] =
    "let h = 1e-6\n"
    "fn hidden(x, w) = tanh(x @ reshape(w[0..12], [3, 4]) + w[12..16])\n"
    "fn loss(x, y, w) = mean((sum(hidden(x, w) * w[16..20], axis = 1) - y)^2) + 0.01 * sum(w^4)\n";

static double data_x[12] = {.3, -.8, 1.2, -.4, .9, .1, -1.1, .7, .2, .5, -.6, -.9}, data_y[4] = {1, -1, .5, 0};
static double data_w[20] = {.1,  -.2, .3,   .4,  -.5, .6,   .7,  -.8, .9,   -1,
                            .15, .25, -.35, .45, .55, -.65, .75, .85, -.95, .05};

static void expect_network(const char *body, int n, const double *want) {
    Nnc *nnc = nnc_new();
    const char *text = arena_printf(nnc->arena,
                                    "%sexport fn f(x: [4, 3], y: [4], w: [20]) {\n let u = w[:] / 2 + 0.1\n"
                                    " let worst = 0\n let n = 0\n%s}\n",
                                    network, body);
    expect(text, INPUTS(data_x, data_y, data_w), n, want);
    nnc_free(nnc);
}

/* At a point that is carried, of a matrix product with what stands outside. */
Test(while_nn, gradients_at_a_carried_point) {
    expect_network(" while n < 5 {\n let d = grad(loss(x, y, w), w)\n"
                   " let along = (loss(x, y, w + h * u) - loss(x, y, w - h * u)) / (2 * h)\n"
                   " worst = max(worst, abs(sum(d * u) - along))\n w = w - 0.3 * d\n n = n + 1\n }\n return worst\n",
                   WANT(0));
}

/* By a value from outside, on a way that the carries have no part in. */
Test(while_nn, gradients_by_what_is_outside) {
    expect_network(" let v = u\n while n < 4 {\n let e = loss(x, y, w)\n let g = grad(e, w)\n"
                   " let hv = grad(sum(g * stop(v)), w)\n"
                   " let d = (grad(loss(x, y, w + h * stop(v)), w) - grad(loss(x, y, w - h * stop(v)), w)) / (2 * h)\n"
                   " worst = max(worst, max(abs(hv - d)))\n v = v / 2 + hv\n n = n + 1\n }\n return worst\n",
                   WANT(0));
}

/* Conjugate gradients on the Newton equations of what stands outside. */
Test(while_nn, newton_step) {
    expect_network(" let g = grad(loss(x, y, w), w) + w\n let d = zeros([20])\n let r = -g\n let v = r\n"
                   " while n < 60 and sum(r * r) > 1e-20 {\n let hv = grad(sum(g * stop(v)), w)\n"
                   " let a = sum(r * r) / sum(v * hv)\n d = d + a * v\n let next = r - a * hv\n"
                   " v = next + sum(next * next) / sum(r * r) * v\n r = next\n n = n + 1\n }\n"
                   " return max(abs(grad(sum(g * stop(d)), w) + g))\n",
                   WANT(0));
}

/* Through a scan in the body, and of a scan around. */
Test(while_nn, gradients_of_scans) {
    expect(
        "let h = 1e-6\nfn e(x, w) {\n let s = scan t in 0..3 with c = x { c = tanh(c * w + t); yield c }\n"
        " return sum(s^2) + sum(c)\n}\nexport fn f(x: [3], w: [3]) {\n let worst = 0\n let n = 0\n let u = ones([3])\n"
        " while n < 3 {\n let d = grad(e(x, w), w)\n"
        " worst = max(worst, abs(sum(d) - (e(x, w + h * u) - e(x, w - h * u)) / (2 * h)))\n w = w - 0.1 * d\n"
        " x = x + 0.1\n n = n + 1\n }\n return worst\n}",
        INPUTS(D(.1, .5, -.3), D(.7, -.4, 1.1)), WANT(0));
    /* a while in the body of a scan, beside the way of the gradient */
    expect("let h = 1e-6\nfn e(w) {\n let s = scan t in 0..3 with c = w {\n let k = 1\n"
           " while k < 3 * t { k = 2 * k }\n c = sin(c * k + w); yield c\n }\n return sum(s^2)\n}\n"
           "export fn f(w: [3]) = abs(sum(grad(e(w), w)) - (e(w + h) - e(w - h)) / (2 * h))",
           INPUTS(D(.7, -.4, 1.1)), WANT(0));
}

/* A matrix of the last points, a row of which each iteration replaces. */
Test(while_nn, history) {
    expect_network(
        " let s = zeros([3, 20])\n let i = arange(3)\n while n < 7 {\n w = w - 0.1 * grad(loss(x, y, w), w)\n"
        " let next[r, k] = if i[r] == n - 3 * floor(n / 3) then w[k] else s[r, k]\n s = next\n n = n + 1\n }\n"
        " return max(abs(s[0] - w))\n",
        WANT(0));
}

Test(while_nn, random_numbers_differ_from_iteration_to_iteration) {
    expect("export fn f(x: [], seed: int[], tick: int[]) {\n let n = 0\n let last = -1\n let same = 0\n"
           " while n < 20 {\n let j = 0\n while j < 3 {\n let u = uniform([])\n same = if u == last then same + 1 else "
           "same\n"
           " last = u\n j = j + 1\n }\n n = n + 1\n }\n return same\n}",
           INPUTS(D(0), I(1), I(1), I(7), I(9)), WANT(0));
}
