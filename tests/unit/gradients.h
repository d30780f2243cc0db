/* Small graphs made by hand, run by the reference interpreter, and their gradients against finite differences: what the
 * tests of the passes share. All floats are f64. */
#ifndef TESTS_GRADIENTS_H
#define TESTS_GRADIENTS_H

#include "compiler/pass/passes.h"
#include "tests/reference/interp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_INPUTS = 8 };

typedef struct {
    Nnc *nnc;
    Graph *g;
    int ninputs;
    Ref input[MOST_INPUTS];
    double *data[MOST_INPUTS]; /* of input `slot` */
} Fix;

static inline Fix fix_new(void) {
    Fix f = {.nnc = nnc_new()};
    f.g = ir_graph_new(f.nnc);
    return f;
}

static inline void fix_free(Fix *f) { nnc_free(f->nnc); }

#define DIMS(...)                                                                                                      \
    (int)COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) { __VA_ARGS__ }
#define SCALAR 0, NULL
static const Span nowhere = {0, 0, 0};

/* ---- index expressions ---- */

static inline const Aff *var(Fix *f, int v) { return aff_var(f->g->affs, v); }
static inline const Aff *plus(Fix *f, const Aff *a, const Aff *b) { return aff_add(f->g->affs, a, b); }
static inline const Aff *shift(Fix *f, const Aff *a, int64_t k) { return plus(f, a, aff_const(f->g->affs, k)); }
static inline const Aff *times(Fix *f, int64_t k, const Aff *a) { return aff_scale(f->g->affs, a, k); }
static inline const Aff *divide(Fix *f, const Aff *a, int64_t k) { return aff_div(f->g->affs, a, k); }
static inline const Aff *modulo(Fix *f, const Aff *a, int64_t k) { return aff_mod(f->g->affs, a, k); }

/* ---- expressions ---- */

static inline Ex load_at(Fix *f, Ref x, int n, const Aff *const *at) {
    Place *p = ARENA_ARRAY(f->nnc->arena, Place, n);
    for (int i = 0; i < n; i++) p[i].aff = at[i];
    return ex_load(f->g, x, p);
}
#define LOAD(f, x, ...) load_at(f, x, (int)COUNT(((const Aff *[]){__VA_ARGS__})), (const Aff *[]){__VA_ARGS__})

/* x at variables 0 .. rank-1 */
static inline Ex here(Fix *f, Ref x) {
    const Aff *at[8];
    int rank = ir_node(f->g, x)->rank;
    for (int i = 0; i < rank; i++) at[i] = var(f, i);
    return load_at(f, x, rank, at);
}

static inline Ex num(Fix *f, double v) { return ex_float(f->g, DT_F64, v); }
static inline Ex op1(Fix *f, ExKind k, Ex a) { return ex_op(f->g, k, a, 0, 0); }
static inline Ex op2(Fix *f, ExKind k, Ex a, Ex b) { return ex_op(f->g, k, a, b, 0); }
static inline Ex mul(Fix *f, Ex a, Ex b) { return op2(f, EX_MUL, a, b); }
static inline Ex add(Fix *f, Ex a, Ex b) { return op2(f, EX_ADD, a, b); }

/* a where lo <= at < hi, else b */
static inline Ex guarded(Fix *f, const Aff *at, int64_t lo, int64_t hi, Ex a, Ex b) {
    return ex_guard(f->g, 1, &(Cond){at, lo, hi}, a, b);
}

/* ---- nodes ---- */

static inline Ref comp(Fix *f, Combine c, int rank, int nred, const int64_t *extents, Ex body) {
    return ir_comp(f->g, c, rank, nred, extents, body, nowhere);
}
#define COMP(f, combine, rank, body, ...)                                                                              \
    comp(f, combine, rank, (int)COUNT(((int64_t[]){__VA_ARGS__})) - (rank), (int64_t[]){__VA_ARGS__}, body)

static inline Ref map(Fix *f, Ref like, Ex body) {
    const Node n = *ir_node(f->g, like);
    return comp(f, RED_NONE, n.rank, 0, n.dims, body);
}

/* A differentiable input of distinct elements between about lo and hi. */
static inline Ref input(Fix *f, double lo, double hi, int rank, const int64_t *dims) {
    int slot = f->ninputs++;
    Ref r = ir_leaf(f->g, LEAF_INPUT, slot, DT_F64, rank, dims, NULL, nowhere);
    int64_t n = ir_elements(ir_node(f->g, r));
    f->data[slot] = ARENA_ARRAY(f->nnc->arena, double, n);
    for (int64_t i = 0; i < n; i++) {
        double x = sin((double)(i * 7 + slot * 3 + 1) * 1.37) * 0.5 + 0.5;
        f->data[slot][i] = lo + (hi - lo) * x;
    }
    return f->input[slot] = r;
}

static inline Ref ints(Fix *f, int rank, const int64_t *dims, const int32_t *values) {
    return ir_constant(f->g, DT_I32, rank, dims, values);
}

/* sum of x[i] * w[i] for fixed distinct weights: a loss in which every element counts differently */
static inline Ref weigh(Fix *f, Ref x) {
    const Node n = *ir_node(f->g, x);
    int64_t count = ir_elements(&n);
    double *w = ARENA_ARRAY(f->nnc->arena, double, count);
    for (int64_t i = 0; i < count; i++) w[i] = cos((double)i * 2.1 + 0.3) + 0.1;
    Ref weights = ir_constant(f->g, DT_F64, n.rank, n.dims, w);
    Ex body = mul(f, here(f, x), here(f, weights));
    return n.rank ? comp(f, RED_SUM, 0, n.rank, n.dims, body) : map(f, x, body);
}

static inline Ref grad(Fix *f, Ref of, Ref wrt) { return ir_grad(f->g, of, wrt, nowhere); }

/* ---- running ---- */

typedef Graph *(*Pass)(Nnc *, const Graph *);

static inline Graph *passed(Fix *f, Pass pass, const Graph *g, const char *name) {
    Graph *out = pass(f->nnc, g);
    ir_verify(out, name);
    return out;
}

/* Everything that the compiler does before fusion, or the gradients alone. */
static inline Graph *pipeline(Fix *f, const Graph *g, bool simplify) {
    ir_verify(g, "the test");
    if (simplify) g = passed(f, pass_simplify, g, "simplify");
    Graph *out = passed(f, pass_autodiff, g, "autodiff");
    return simplify ? passed(f, pass_simplify, out, "simplify, again") : out;
}

/* The fixture's graph with these results alone. */
static inline Graph *with_results(Fix *f, int n, const Ref *results) {
    f->g->outputs.len = 0;
    for (int i = 0; i < n; i++) ir_output(f->g, OUT_RESULT, i, results[i], NULL);
    return ir_compact(f->g, NULL);
}

/* Result number `output`, as doubles (in the arena) whatever its type. */
static inline double *run_output(Fix *f, const Graph *g, int output) {
    const void *inputs[MOST_INPUTS] = {0};
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_LEAF || n->leaf.kind != LEAF_INPUT) continue;
        inputs[n->leaf.slot] = f->data[n->leaf.slot];
        if (n->dtype == DT_F64) continue;
        cr_assert_eq(n->dtype, DT_F32);
        float *narrow = ARENA_ARRAY(f->nnc->arena, float, ir_elements(n));
        for (int64_t i = 0; i < ir_elements(n); i++) narrow[i] = (float)f->data[n->leaf.slot][i];
        inputs[n->leaf.slot] = narrow;
    }
    InterpEnv env = {.inputs = inputs};
    interp_run(g, &env);
    const Node *n = ir_node(g, g->outputs.at[output].node);
    double *out = ARENA_ARRAY(f->nnc->arena, double, ir_elements(n));
    for (int64_t i = 0; i < ir_elements(n); i++) {
        const void *p = env.outputs[output];
        if (n->dtype == DT_F64)
            out[i] = ((const double *)p)[i];
        else
            out[i] = n->dtype == DT_F32 ? (double)((const float *)p)[i] : (double)((const int32_t *)p)[i];
    }
    interp_free(g, &env);
    return out;
}

static inline double scalar(Fix *f, const Graph *g) { return run_output(f, g, 0)[0]; }

/* ---- gradients ---- */

/* The gradients of `loss` for all inputs against central differences of it, with and without simplification. */
static inline void check_gradients(Fix *f, Ref loss, int line) {
    const Graph *loss_alone = with_results(f, 1, &loss);
    Graph *value = pipeline(f, loss_alone, true);
    double got = scalar(f, value), direct = scalar(f, pipeline(f, loss_alone, false));
    cr_expect(fabs(got - direct) < 1e-9 * fmax(1, fabs(direct)), "line %d: simplified to %.10g, not %.10g", line, got,
              direct);
    Ref results[MOST_INPUTS + 1];
    for (int i = 0; i < f->ninputs; i++) results[i] = grad(f, loss, f->input[i]);
    Graph *asked = with_results(f, f->ninputs, results);
    Graph *plain = pipeline(f, asked, false), *simplified = pipeline(f, asked, true);
    const double h = 1e-5;
    for (int i = 0; i < f->ninputs; i++) {
        double *p = run_output(f, plain, i), *s = run_output(f, simplified, i);
        int64_t n = ir_elements(ir_node(f->g, f->input[i]));
        for (int64_t k = 0; k < n; k++) {
            double at = f->data[i][k];
            f->data[i][k] = at + h;
            double up = scalar(f, value);
            f->data[i][k] = at - h;
            double down = scalar(f, value);
            f->data[i][k] = at;
            double want = (up - down) / (2 * h), bound = 1e-6 * fmax(1, fabs(want));
            cr_expect(fabs(p[k] - want) < bound, "line %d, input %d[%ld]: %.10g, not %.10g", line, i, (long)k, p[k],
                      want);
            cr_expect(fabs(s[k] - want) < bound, "line %d, input %d[%ld] simplified: %.10g, not %.10g", line, i,
                      (long)k, s[k], want);
        }
    }
}

/* First and second derivatives: of the loss, and of a weighing of each of its gradients. */
static inline void check_both(Fix *f, Ref loss, int line) {
    check_gradients(f, loss, line);
    int n = f->ninputs;
    for (int i = 0; i < n; i++) check_gradients(f, weigh(f, grad(f, loss, f->input[i])), line);
}
#define CHECK(f, loss) check_gradients(f, loss, __LINE__)
#define CHECK2(f, loss) check_both(f, loss, __LINE__)

#endif
