/* Gradients of everything in cases.def against central differences, in f64: first derivatives of a weighted sum of the
 * expression for all inputs, parameters and states that it reaches, then the derivatives of a weighted sum of these. */
#include "compiler/pass/passes.h"
#include "tests/reference/interp.h"
#include "tests/unit/nn.h"

#include <criterion/parameterized.h>
#include <math.h>

typedef struct {
    const char *name;
    double lo, hi;
    const char *declarations, *arguments, *expression;
    bool trains;
} Case;

static const Case cases[] = {
#define GRADIENT(name, lo, hi, declarations, arguments, expression)                                                    \
    {name, lo, hi, declarations, arguments, expression, false},
#define TRAINING(name, lo, hi, declarations, arguments, expression)                                                    \
    {name, lo, hi, declarations, arguments, expression, true},
#include "tests/gradient/cases.def"
};

/* Every element of the result counts with a weight of its own. */
static const char weigh[] = "fn weigh(y) {\n"
                            "    let i = float(arange(prod(shape(y))))\n"
                            "    return sum(reshape(y, [prod(shape(y))]) * (cos(2.1 * i + 0.3) + 0.1))\n"
                            "}\n";

enum { MOST_LEAVES = 32, MOST_PROBES = 12, DIRECTIONS = 3 };

typedef struct {
    Nnc *nnc;
    const Case *c;
    Graph *g;
    int n; /* leaves that can be differentiated for */
    Ref leaf[MOST_LEAVES];
    double *data[MOST_LEAVES]; /* what a run sees: base + step * along */
    double *base[MOST_LEAVES], *along[MOST_LEAVES];
    int64_t count[MOST_LEAVES];
    const void *values[3][MOST_LEAVES]; /* by leaf kind and slot */
} Fix;

/* ---- data ---- */

/* Distinct numbers between lo and hi, far apart from each other, and differently so for each leaf. */
static double spread(const Fix *f, int leaf, int64_t i) {
    static const double steps[] = {0.6180339887498949, 0.4142135623730951, 0.7320508075688772, 0.2360679774997898};
    double x = (double)(i + 1) * steps[leaf % 4] + 0.137 * leaf;
    return f->c->lo + (f->c->hi - f->c->lo) * (x - floor(x));
}

static void fill(Fix *f) {
    for (size_t i = 1; i < f->g->nodes.len; i++) {
        const Node *n = ir_node(f->g, (Ref)i);
        if (n->kind != N_LEAF || n->leaf.kind >= LEAF_CONST) continue;
        int64_t count = ir_elements(n);
        void *data = ARENA_ARRAY(f->nnc->arena, double, count);
        cr_assert(n->leaf.slot < MOST_LEAVES && f->n < MOST_LEAVES);
        f->values[n->leaf.kind][n->leaf.slot] = data;
        if (n->dtype == DT_I32) {
            for (int64_t k = 0; k < count; k++) ((int32_t *)data)[k] = (int32_t)((k * 5 + 1) % 3);
            continue;
        }
        cr_assert_eq(n->dtype, DT_F64, "%s holds %s", n->name, dtype_name(n->dtype));
        for (int64_t k = 0; k < count; k++) ((double *)data)[k] = spread(f, f->n, k);
        f->leaf[f->n] = (Ref)i;
        f->count[f->n] = count;
        f->data[f->n] = data;
        f->base[f->n] = arena_copy(f->nnc->arena, data, sizeof(double) * (size_t)count);
        f->along[f->n++] = ARENA_ARRAY(f->nnc->arena, double, count);
    }
}

/* ---- programs ---- */

/* A data set of one field x, whose dims the case's `sample` gives. */
static const DataInfo *open_data(void *self, Nnc *nnc, const DataExpr *e) {
    const Case *c = self;
    int64_t dims[8];
    int rank = 0;
    for (const char *s = strchr(c->arguments, '['); *s && *s != ']'; rank++) {
        char *end;
        dims[rank] = strtoll(s + 1, &end, 10);
        s = end;
    }
    DataField field = {.name = intern(nnc->names, "x"),
                       .dtype = DT_F64,
                       .rank = rank - 1,
                       .dims = arena_copy(nnc->arena, dims + 1, sizeof *dims * (size_t)(rank - 1))};
    DataInfo info = {.count = dims[0], .nfields = 1, .classes = -1, .expr = e};
    info.fields = arena_copy(nnc->arena, &field, sizeof field);
    return arena_copy(nnc->arena, &info, sizeof info);
}

static Graph *graph_of(Nnc *nnc, const Case *c) {
    DataOpener opener = {open_data, (void *)(uintptr_t)c};
    if (!c->trains) {
        char *text = arena_printf(nnc->arena, "%s%sexport fn value(%s) = weigh(%s)\n", weigh, c->declarations,
                                  c->arguments, c->expression);
        return nn_export(nn_load(nnc, text, opener), "value");
    }
    char *text = arena_printf(nnc->arena,
                              "%s%sdata d = npy(\"x\")\ntrain {\n    for x in d {\n"
                              "        minimize weigh(%s) using SGD(0.1)\n    }\n}\n",
                              weigh, c->declarations, c->expression);
    return nn_step(nn_load(nnc, text, opener), strtoll(strchr(c->arguments, '[') + 1, NULL, 10));
}

/* ---- graphs of results ---- */

static Graph *passed(Fix *f, const char *name, Graph *(*pass)(Nnc *, const Graph *), const Graph *g) {
    Graph *out = pass(f->nnc, g);
    ir_verify(out, name);
    return out;
}

/* What the compiler makes of the graph with these results alone. */
static Graph *compiled(Fix *f, int n, const Ref *results) {
    f->g->outputs.len = 0;
    for (int i = 0; i < n; i++) ir_output(f->g, OUT_RESULT, i, results[i], NULL);
    Graph *g = passed(f, "simplify", pass_simplify, f->g);
    g = passed(f, "autodiff", pass_autodiff, g);
    return passed(f, "simplify, again", pass_simplify, g);
}

/* The sum of all gradients of `of`, each element weighted. */
static Ref slope_of(Fix *f, Ref of) {
    Graph *g = f->g;
    Ex total = ex_float(g, DT_F64, 0);
    for (int k = 0; k < f->n; k++) {
        Ref d = ir_grad(g, of, f->leaf[k], (Span){0});
        const Node n = *ir_node(g, d);
        double *w = ARENA_ARRAY(f->nnc->arena, double, f->count[k]);
        for (int64_t i = 0; i < f->count[k]; i++) w[i] = sin(1.7 * (double)i + k) + 0.2;
        Ref weights = ir_constant(g, DT_F64, n.rank, n.dims, w);
        Place *at = ARENA_ARRAY(f->nnc->arena, Place, n.rank);
        for (int d0 = 0; d0 < n.rank; d0++) at[d0].aff = aff_var(g->affs, d0);
        Ex product = ex_op(g, EX_MUL, ex_load(g, d, at), ex_load(g, weights, at), 0);
        Ref sum = ir_comp(g, n.rank ? RED_SUM : RED_NONE, 0, n.rank, n.dims, product, (Span){0});
        total = ex_op(g, EX_ADD, total, ex_load(g, sum, NULL), 0);
    }
    return ir_comp(g, RED_NONE, 0, 0, NULL, total, (Span){0});
}

/* ---- checks ---- */

static double value_at(Fix *f, const Graph *g, double step) {
    for (int k = 0; k < f->n; k++)
        for (int64_t i = 0; i < f->count[k]; i++) f->data[k][i] = f->base[k][i] + step * f->along[k][i];
    InterpEnv env = {f->values[LEAF_INPUT], f->values[LEAF_PARAM], f->values[LEAF_STATE], NULL};
    interp_run(g, &env);
    double y = *(double *)env.outputs[0];
    interp_free(g, &env);
    return y;
}

/* The derivative along f->along: differences of fourth order against the gradients. */
static void compare(Fix *f, const Graph *value, double **gradient, const char *what) {
    const double h = 1e-4;
    double far = value_at(f, value, 2 * h) - value_at(f, value, -2 * h);
    double near = value_at(f, value, h) - value_at(f, value, -h);
    double want = (8 * near - far) / (12 * h), got = 0, size = 1;
    for (int k = 0; k < f->n; k++)
        for (int64_t i = 0; i < f->count[k]; i++) {
            got += f->along[k][i] * gradient[k][i];
            size += fabs(f->along[k][i] * gradient[k][i]);
        }
    cr_expect(fabs(got - want) <= 1e-7 * fabs(want) + 1e-8 * size, "%s, %s: %.12g, but differences give %.12g",
              f->c->name, what, got, want);
}

/* Single elements of each leaf, then all leaves along a few directions. */
static void check(Fix *f, Ref of, const char *what) {
    Ref d[MOST_LEAVES];
    Graph *value = compiled(f, 1, &of);
    for (int k = 0; k < f->n; k++) d[k] = ir_grad(f->g, of, f->leaf[k], (Span){0});
    Graph *g = compiled(f, f->n, d);
    for (int k = 0; k < f->n; k++) memcpy(f->data[k], f->base[k], sizeof(double) * (size_t)f->count[k]);
    InterpEnv env = {f->values[LEAF_INPUT], f->values[LEAF_PARAM], f->values[LEAF_STATE], NULL};
    interp_run(g, &env);
    double **gradient = (double **)env.outputs;
    for (int k = 0; k < f->n; k++) {
        int64_t step = MAX(f->count[k] / MOST_PROBES, 1);
        for (int64_t i = k % step; i < f->count[k]; i += step) {
            f->along[k][i] = 1;
            compare(f, value, gradient, what);
            f->along[k][i] = 0;
        }
    }
    for (int t = 0; t < DIRECTIONS; t++) {
        for (int k = 0; k < f->n; k++)
            for (int64_t i = 0; i < f->count[k]; i++) f->along[k][i] = sin(12.9898 * (double)(i + 1) + 78.2 * (k + t));
        compare(f, value, gradient, what);
    }
    for (int k = 0; k < f->n; k++) memset(f->along[k], 0, sizeof(double) * (size_t)f->count[k]);
    interp_free(g, &env);
}

ParameterizedTestParameters(gradient, differences) {
    static int numbers[COUNT(cases)];
    for (size_t i = 0; i < COUNT(cases); i++) numbers[i] = (int)i;
    return cr_make_param_array(int, numbers, COUNT(cases));
}

ParameterizedTest(int *number, gradient, differences, .timeout = 60) {
    Fix f = {.nnc = nnc_new(), .c = &cases[*number]};
    const char *only = getenv("NNC_CASE"); /* a part of the name of those to run */
    if (only && !strstr(f.c->name, only)) cr_skip("not asked for");
    f.nnc->float_type = DT_F64;
    f.g = graph_of(f.nnc, f.c);
    Ref value = f.g->outputs.at[0].node;
    fill(&f);
    check(&f, value, "first derivative");
    check(&f, slope_of(&f, value), "second derivative");
    nnc_free(f.nnc);
}
