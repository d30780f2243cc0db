/* links: nnc_pass nnc_ir nnc_reference */
/* Random graphs in f64: simplification keeps their values, and gradients agree with a difference along a direction. */
#include "compiler/pass/passes.h"
#include "tests/reference/random_graph.h"

#include <criterion/criterion.h>
#include <math.h>

enum { GRAPHS = 300, NODES = 12, MOST_LEAVES = 64 };
static const Span nowhere = {0, 0, 0};

static Graph *verified(Graph *g, const char *after) {
    ir_verify(g, after);
    return g;
}

static bool close_to(double a, double b, double tolerance) {
    return (isnan(a) && isnan(b)) || a == b || fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

static double element(const Node *n, const void *data, int64_t i) {
    switch (n->dtype) {
    case DT_F64: return ((const double *)data)[i];
    case DT_I32: return ((const int32_t *)data)[i];
    case DT_I64: return (double)((const int64_t *)data)[i];
    default: return ((const uint8_t *)data)[i];
    }
}

Test(random_passes, simplification_keeps_values) {
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) {
        Nnc *nnc = nnc_new();
        Graph *g = random_graph(nnc, seed, DT_F64, NODES, RANDOM_SCANS | RANDOM_WHILES),
              *s = verified(pass_simplify(nnc, g), "simplify");
        RandomData before = random_data(g, seed), after = random_data(g, seed);
        interp_run(g, &before.env);
        interp_run(s, &after.env);
        for (size_t o = 0; o < g->outputs.len; o++) {
            const Node *n = ir_node(g, g->outputs.at[o].node);
            for (int64_t i = 0; i < ir_elements(n); i++) {
                double want = element(n, before.env.outputs[o], i), got = element(n, after.env.outputs[o], i);
                cr_assert(close_to(got, want, 1e-9), "seed %lu, output %zu[%ld]: %.15g, not %.15g", (unsigned long)seed,
                          o, (long)i, got, want);
            }
        }
        random_data_free(g, &before);
        random_data_free(g, &after);
        nnc_free(nnc);
    }
}

/* ---- gradients ---- */

/* A graph, the scalar that it computes, and its float leaves. */
typedef struct {
    Nnc *nnc;
    Graph *g;
    Ref loss;
    int nleaves;
    Ref leaf[MOST_LEAVES];
} Case;

static Ex load_here(Graph *g, Ref r) {
    int rank = ir_node(g, r)->rank;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, rank);
    for (int i = 0; i < rank; i++) at[i].aff = aff_var(g->affs, i);
    return ex_load(g, r, at);
}

/* The sum of sin(x[i] + flat(i)) over everything that the graph gives: no two elements count the same. */
static Case random_case(uint64_t seed) {
    Case c = {.nnc = nnc_new()};
    Graph *g = c.g = random_graph(c.nnc, seed, DT_F64, NODES, RANDOM_SCANS);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        bool fed = n->kind == N_LEAF && n->leaf.kind < LEAF_CONST;
        if (fed && n->dtype == DT_F64 && c.nleaves < MOST_LEAVES) c.leaf[c.nleaves++] = r;
    }
    Ex sum = ex_zero(g, DT_F64);
    for (size_t o = 0; o < g->outputs.len; o++) {
        Ref r = g->outputs.at[o].node;
        const Node n = *ir_node(g, r);
        if (n.dtype != DT_F64) continue;
        const Aff *flat = aff_const(g->affs, (int64_t)o);
        for (int d = 0; d < n.rank; d++)
            flat = aff_add(g->affs, aff_scale(g->affs, flat, n.dims[d]), aff_var(g->affs, d));
        Ex phase = ex_cast(g, DT_F64, ex_index(g, DT_I64, flat));
        Ex body = ex_op(g, EX_SIN, ex_op(g, EX_ADD, load_here(g, r), phase, 0), 0, 0);
        Ref part = ir_comp(g, n.rank ? RED_SUM : RED_NONE, 0, n.rank, n.dims, body, nowhere);
        sum = ex_op(g, EX_ADD, sum, load_here(g, part), 0);
    }
    c.loss = ir_comp(g, RED_NONE, 0, 0, NULL, sum, nowhere);
    return c;
}

static Graph *with_results(Case *c, int n, const Ref *results) {
    c->g->outputs.len = 0;
    for (int i = 0; i < n; i++) ir_output(c->g, OUT_RESULT, i, results[i], NULL);
    return ir_compact(c->g, NULL);
}

static double direction(Ref leaf, int64_t i) { return cos((double)leaf * 3.7 + (double)i * 1.3); }

/* The loss with every leaf moved by `step` along the direction. */
static double loss_at(Case *c, const Graph *g, uint64_t seed, double step) {
    RandomData d = random_data(c->g, seed);
    for (int l = 0; l < c->nleaves; l++) {
        const Node *n = ir_node(c->g, c->leaf[l]);
        double *x = d.arrays[n->leaf.kind][n->leaf.slot];
        for (int64_t i = 0; i < ir_elements(n); i++) x[i] += step * direction(c->leaf[l], i);
    }
    interp_run(g, &d.env);
    double loss = *(double *)d.env.outputs[0];
    interp_free(g, &d.env);
    d.env.outputs = NULL;
    random_data_free(c->g, &d);
    return loss;
}

static double gradient_along(Case *c, const Graph *g, uint64_t seed) {
    RandomData d = random_data(c->g, seed);
    double sum = 0;
    interp_run(g, &d.env);
    for (int l = 0; l < c->nleaves; l++) {
        const double *slope = d.env.outputs[l];
        for (int64_t i = 0; i < ir_elements(ir_node(c->g, c->leaf[l])); i++) sum += slope[i] * direction(c->leaf[l], i);
    }
    interp_free(g, &d.env);
    d.env.outputs = NULL;
    random_data_free(c->g, &d);
    return sum;
}

/* Whether the seed was of use: it is not where the difference meets a kink. */
static bool check_seed(uint64_t seed) {
    Case c = random_case(seed);
    Ref grads[MOST_LEAVES];
    for (int l = 0; l < c.nleaves; l++) grads[l] = ir_grad(c.g, c.loss, c.leaf[l], nowhere);
    Graph *value = with_results(&c, 1, &c.loss), *asked = with_results(&c, c.nleaves, grads);
    const double h = 2e-6; /* small: kinks lie close together */
    double up = loss_at(&c, value, seed, h), mid = loss_at(&c, value, seed, 0), down = loss_at(&c, value, seed, -h);
    double want = (up - down) / (2 * h);
    bool smooth = fabs(up - 2 * mid + down) / h < 1e-2 * fmax(1, fabs(want));
    Graph *plain = verified(pass_autodiff(c.nnc, asked), "autodiff");
    Graph *simple = verified(pass_simplify(c.nnc, asked), "simplify");
    simple = verified(pass_autodiff(c.nnc, simple), "autodiff");
    simple = verified(pass_simplify(c.nnc, simple), "simplify, again");
    double got = gradient_along(&c, plain, seed), again = gradient_along(&c, simple, seed);
    cr_expect(close_to(again, got, 1e-9), "seed %lu: simplified to %.12g, not %.12g", (unsigned long)seed, again, got);
    if (smooth) cr_expect(close_to(got, want, 1e-6), "seed %lu: %.12g, not %.12g", (unsigned long)seed, got, want);
    nnc_free(c.nnc);
    return smooth;
}

Test(random_passes, gradients_agree_with_differences) {
    int used = 0;
    for (uint64_t seed = 1; seed <= GRAPHS; seed++) used += check_seed(seed);
    cr_expect(used > GRAPHS * 3 / 4, "only %d of %d graphs are smooth", used, GRAPHS);
}
