/* Graphs through the whole way to loop nests, run, and compared with what the graph means. */
#ifndef TESTS_UNIT_LOOPS_H
#define TESTS_UNIT_LOOPS_H

#include "compiler/ir/private.h"
#include "compiler/loop/loop.h"
#include "compiler/pass/plan.h"
#include "tests/reference/interp.h"
#include "tests/reference/loop_interp.h"
#include "tests/reference/random_graph.h"
#include "tests/unit/graphs.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const Machine sse = {.vector_bytes = 16, .registers = 16, .l1 = 32 << 10, .l2 = 256 << 10, .fma = false};
static const Machine avx2 = {
    .vector_bytes = 32, .registers = 16, .l1 = 32 << 10, .l2 = 512 << 10, .fma = true, .broadcast = true};
static const Machine tight = {
    .vector_bytes = 32, .registers = 16, .l1 = 4 << 10, .l2 = 32 << 10, .fma = true, .broadcast = true};
static const Machine avx512 = {
    .vector_bytes = 64, .registers = 32, .l1 = 48 << 10, .l2 = 1 << 20, .fma = true, .broadcast = true};

enum { SLOTS = 256 };

typedef struct {
    LoopUnit *unit;
    int64_t param[SLOTS], state[SLOTS]; /* offsets */
    int64_t variables;                  /* bytes */
    int ninputs, nresults;
} Built;

static inline int64_t bytes_of(const Node *n) { return ir_elements(n) * (int64_t)dtype_size(n->dtype); }

static inline void lay_out(Built *b, const Machine *m, LeafKind kind, int slot, const Node *n) {
    int64_t *at = kind == LEAF_PARAM ? b->param : b->state;
    if (kind != LEAF_PARAM && kind != LEAF_STATE) return;
    cr_assert_lt(slot, SLOTS);
    if (at[slot] >= 0) return;
    at[slot] = b->variables;
    b->variables += (loop_variable_bytes(m, n->dtype, n->dims, n->rank) + 63) / 64 * 64;
}

/* The unit of a graph, with an arena of so many bytes if that can be, verified. */
static inline Built build_within(Nnc *nnc, const Graph *g, const Machine *m, int64_t bytes) {
    Built b = {0};
    for (int i = 0; i < SLOTS; i++) b.param[i] = b.state[i] = -1;
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_LEAF) continue;
        lay_out(&b, m, n->leaf.kind, n->leaf.slot, n);
        if (n->leaf.kind == LEAF_INPUT) b.ninputs = MAX(b.ninputs, n->leaf.slot + 1);
    }
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        if (o->kind == OUT_RESULT) b.nresults = MAX(b.nresults, o->slot + 1);
        if (o->kind != OUT_RESULT)
            lay_out(&b, m, o->kind == OUT_PARAM ? LEAF_PARAM : LEAF_STATE, o->slot, ir_node(g, o->node));
    }
    VarLayout vars = {b.param, b.state, b.variables, true};
    b.unit = loop_build_within(nnc, g, "test", b.ninputs, b.nresults, &vars, m, bytes);
    loop_verify(b.unit);
    plan_verify(b.unit);
    return b;
}

static inline Built build(Nnc *nnc, const Graph *g, const Machine *m) { return build_within(nnc, g, m, INT64_MAX); }

/* ---- running ---- */

/* An array of its own for each base, so that a sanitizer sees what goes beyond. */
typedef struct {
    void **at;
    int n;
} Bases;

static inline void load_leaves(const Built *b, const Graph *g, const InterpEnv *env, Bases *bases) {
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind != N_LEAF || n->leaf.kind >= LEAF_CONST) continue;
        size_t bytes = (size_t)bytes_of(n);
        if (n->leaf.kind == LEAF_INPUT) {
            void **to = &bases->at[BASE_FIRST_INPUT + n->leaf.slot];
            *to = *to ? *to : xcalloc(bytes, 1);
            memcpy(*to, env->inputs[n->leaf.slot], bytes);
            continue;
        }
        bool param = n->leaf.kind == LEAF_PARAM;
        int64_t at = param ? b->param[n->leaf.slot] : b->state[n->leaf.slot];
        const void *from = param ? env->params[n->leaf.slot] : env->states[n->leaf.slot];
        memcpy((char *)bases->at[BASE_VARIABLES] + at, from, bytes);
    }
}

/* The variables that the unit keeps in panels: into them, or back into rows. */
static inline void reorder(const Built *b, const Bases *bases, void order(const Panels *p, void *at, void *room)) {
    for (int i = 0; i < b->unit->npanels; i++) {
        const Panels *p = &b->unit->panels[i];
        void *room = xcalloc((size_t)panels_bytes(p), 1);
        order(p, (char *)bases->at[BASE_VARIABLES] + p->offset, room);
        free(room);
    }
}

static inline Bases run(const Built *b, const Graph *g, const InterpEnv *env) {
    Bases bases = {.n = BASE_FIRST_INPUT + b->ninputs + b->nresults};
    bases.at = xcalloc((size_t)bases.n, sizeof(void *));
    bases.at[BASE_ARENA] = xcalloc((size_t)MAX(b->unit->arena_bytes, 1), 1);
    memset(bases.at[BASE_ARENA], 0xff, (size_t)b->unit->arena_bytes);
    bases.at[BASE_VARIABLES] = xcalloc((size_t)MAX(b->variables, 1), 1);
    load_leaves(b, g, env, &bases);
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        if (o->kind == OUT_RESULT)
            bases.at[BASE_FIRST_INPUT + b->ninputs + o->slot] = xcalloc((size_t)bytes_of(ir_node(g, o->node)) + 1, 1);
    }
    reorder(b, &bases, panels_from_rows);
    loop_interp_run(b->unit, bases.at);
    reorder(b, &bases, panels_to_rows);
    return bases;
}

static inline const void *output_at(const Built *b, const Bases *bases, const Output *o) {
    if (o->kind == OUT_RESULT) return bases->at[BASE_FIRST_INPUT + b->ninputs + o->slot];
    return (char *)bases->at[BASE_VARIABLES] + (o->kind == OUT_PARAM ? b->param[o->slot] : b->state[o->slot]);
}

static inline bool close_enough(DType t, Scalar got, Scalar want) {
    if (!dtype_is_float(t)) return got.i == want.i;
    if (isnan(want.f) || isinf(want.f)) return isnan(want.f) ? isnan(got.f) : got.f == want.f;
    double tolerance = t == DT_F64 ? 1e-10 : t == DT_F32 ? 2e-4 : 6e-2;
    return fabs(got.f - want.f) <= tolerance * (1 + fabs(want.f));
}

/* Builds and runs the graph for machine m and compares every output with the interpreter of the IR. */
static inline void expect_same(Nnc *nnc, const Graph *g, const Machine *m, uint64_t seed) {
    Built b = build(nnc, g, m);
    RandomData d = random_data(g, seed);
    interp_run(g, &d.env);
    Bases bases = run(&b, g, &d.env);
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Node *n = ir_node(g, g->outputs.at[i].node);
        const void *got = output_at(&b, &bases, &g->outputs.at[i]);
        for (int64_t e = 0; e < ir_elements(n); e++) {
            Scalar x = scalar_read(n->dtype, got, e), y = scalar_read(n->dtype, d.env.outputs[i], e);
            if (close_enough(n->dtype, x, y)) continue;
            ir_print(g, stderr);
            loop_print(b.unit, stderr);
            cr_assert_fail("seed %llu, vectors of %d bytes, output %zu, element %lld: %.9g or %lld, not %.9g or %lld",
                           (unsigned long long)seed, m->vector_bytes, i, (long long)e, x.f, (long long)x.i, y.f,
                           (long long)y.i);
        }
    }
    for (int i = 0; i < bases.n; i++) free(bases.at[i]);
    free(bases.at);
    interp_free(g, &d.env);
    random_data_free(g, &d);
}

#endif
