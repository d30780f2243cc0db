/* Random leaves. */
#include "tests/reference/random_graph.h"

#include "compiler/ir/private.h"

#include <stdlib.h>

static uint64_t next(uint64_t *seed) { /* splitmix64 */
    uint64_t z = *seed += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static void *fill(const Node *n, uint64_t *seed) {
    int64_t len = ir_elements(n);
    void *data = xcalloc((size_t)len, dtype_size(n->dtype));
    for (int64_t i = 0; i < len; i++) {
        uint64_t r = next(seed);
        uint64_t values = n->dtype == DT_BOOL ? 2 : n->dtype == DT_U8 ? 256 : 12;
        Scalar v = {.f = (double)(r >> 11) * 0x1p-51 - 2, .i = (int64_t)(r % values)};
        scalar_write(n->dtype, data, i, v);
    }
    return data;
}

RandomData random_data(const Graph *g, uint64_t seed) {
    RandomData d = {0};
    for (size_t i = 1; i < g->nodes.len; i++) {
        const Node *n = ir_node(g, (Ref)i);
        if (n->kind == N_LEAF && n->leaf.kind < LEAF_CONST)
            d.count[n->leaf.kind] = MAX(d.count[n->leaf.kind], n->leaf.slot + 1);
    }
    for (int k = 0; k < 3; k++) d.arrays[k] = xcalloc((size_t)d.count[k], sizeof *d.arrays[k]);
    for (size_t i = 1; i < g->nodes.len; i++) {
        const Node *n = ir_node(g, (Ref)i);
        if (n->kind != N_LEAF || n->leaf.kind >= LEAF_CONST) continue;
        uint64_t own =
            seed * 31 + (uint64_t)n->leaf.kind * 1000 + (uint64_t)n->leaf.slot; /* whatever the node's number */
        d.arrays[n->leaf.kind][n->leaf.slot] = fill(n, &own);
    }
    d.env.inputs = (const void *const *)d.arrays[LEAF_INPUT];
    d.env.params = (const void *const *)d.arrays[LEAF_PARAM];
    d.env.states = (const void *const *)d.arrays[LEAF_STATE];
    return d;
}

void random_data_free(const Graph *g, RandomData *d) {
    interp_free(g, &d->env);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < d->count[k]; i++) free(d->arrays[k][i]);
        free(d->arrays[k]);
    }
}
