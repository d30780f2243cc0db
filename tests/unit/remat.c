/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* Recomputation: less memory, the same bits. */
#include "tests/unit/loops.h"

/* Builds with and without a budget and compares every byte of what comes out; the arenas' sizes in bytes[2]. */
static int compare(Nnc *nnc, const Graph *g, uint64_t seed, int64_t budget, int64_t *bytes) {
    Built b[] = {build(nnc, g, &avx2), build_within(nnc, g, &avx2, budget)};
    RandomData d = random_data(g, seed);
    Bases bases[] = {run(&b[0], g, &d.env), run(&b[1], g, &d.env)};
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        size_t n = (size_t)bytes_of(ir_node(g, o->node));
        if (memcmp(output_at(&b[0], &bases[0], o), output_at(&b[1], &bases[1], o), n) == 0) continue;
        loop_print(b[1].unit, stderr);
        cr_assert_fail("seed %llu: output %zu differs", (unsigned long long)seed, i);
    }
    for (int k = 0; k < 2; k++) {
        bytes[k] = b[k].unit->arena_bytes;
        for (int i = 0; i < bases[k].n; i++) free(bases[k].at[i]);
        free(bases[k].at);
    }
    random_data_free(g, &d);
    return b[1].unit->recomputed;
}

Test(remat, random_graphs) {
    int smaller = 0, recomputed = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        Nnc *nnc = nnc_new();
        Graph *g = random_graph(nnc, seed, DT_F32, 10 + (int)(seed % 30), RANDOM_SCANS | RANDOM_WHILES);
        int64_t bytes[2];
        recomputed += compare(nnc, g, seed, 0, bytes);
        cr_assert_leq(bytes[1], bytes[0]);
        smaller += bytes[1] < bytes[0];
        nnc_free(nnc);
    }
    cr_assert_gt(smaller, 5);
    cr_assert_gt(recomputed, smaller);
}

/* n layers a = tanh(a @ w), then their gradients, the last one first: each needs the value of its layer again. With
 * `scan`, this for each of five inputs, the last gradients added up. */
static Graph *layers(Nnc *nnc, int n, bool scan) {
    Str s = {0};
    str_add(&s, "%%1 = input 0 \"x\" f32[5, 32, 24]\n%%2 = param 0 \"w\" f32[24, 24]\n");
    if (scan) str_add(&s, "%%3 = iteration 0\n%%4 = carry 0 0 f32[32, 24]\n");
    str_add(&s, "%%%d = f32[32, 24] of %%1[%s, i0, i1]\n", scan ? 5 : 3, scan ? "{%3[]}" : "4");
    int next = scan ? 6 : 4, value = next - 1, gradient;
    int *values = xcalloc((size_t)n + 1, sizeof *values);
    for (int i = 1; i <= n; i++, value = next - 1) {
        str_add(&s, "%%%d = f32[32, 24] sum k0:24 of mul(%%%d[i0, k0], %%2[k0, i1])\n", next, value);
        str_add(&s, "%%%d = f32[32, 24] of tanh(%%%d[i0, i1])\n", next + 1, next);
        next += 2;
        values[i] = next - 1;
    }
    gradient = value;
    for (int i = n; i >= 1; i--) {
        str_add(&s, "%%%d = f32[32, 24] of mul(%%%d[i0, i1], sub(1.0, mul(%%%d[i0, i1], %%%d[i0, i1])))\n", next,
                gradient, values[i], values[i]);
        str_add(&s, "%%%d = f32[32, 24] sum k0:24 of mul(%%%d[i0, k0], %%2[i1, k0])\n", next + 1, next);
        gradient = next + 1;
        next += 2;
    }
    if (scan) {
        str_add(&s, "%%%d = f32[32, 24] of add(%%4[i0, i1], %%%d[i0, i1])\n%%%d = f32[32, 24] of 0.0\n", next, gradient,
                next + 1);
        str_add(&s, "%%%d = scan 0 in 5 (%%%d -> %%%d) yields ()\n%%%d = result 0 of %%%d\n", next + 2, next + 1, next,
                next + 3, next + 2);
        gradient = next + 3;
    }
    str_add(&s, "result 0 \"y\" = %%%d\n", gradient);
    Graph *g = read_graph(nnc, s.at);
    cr_assert(g, "the graph doesn't read:\n%s", s.at);
    vec_free(&s);
    free(values);
    return g;
}

Test(remat, halves_the_memory_of_layers) {
    Nnc *nnc = nnc_new();
    Graph *g = layers(nnc, 24, false);
    int64_t bytes[2], most = build(nnc, g, &avx2).unit->arena_bytes;
    cr_assert_gt(compare(nnc, g, 3, most / 2, bytes), 0);
    cr_assert_leq(bytes[1], most / 2);
    compare(nnc, g, 3, most / 3, bytes);
    cr_assert_leq(bytes[1], most / 3);
    nnc_free(nnc);
}

/* The kernels of a scan's iterations run again inside of it. */
Test(remat, inside_of_a_scan) {
    Nnc *nnc = nnc_new();
    Graph *g = layers(nnc, 12, true);
    int64_t bytes[2], most = build(nnc, g, &avx2).unit->arena_bytes, budget = most * 3 / 4;
    cr_assert_gt(compare(nnc, g, 3, budget, bytes), 0);
    cr_assert_leq(bytes[1], budget);
    const LoopUnit *u = build_within(nnc, g, &avx2, budget).unit;
    int again = 0;
    for (size_t k = 0; k < u->kernels.len; k++)
        again += u->kernels.at[k]->scan && strstr(u->kernels.at[k]->name, "_again");
    cr_assert_gt(again, 0);
    nnc_free(nnc);
}

Test(remat, leaves_what_fits) {
    Nnc *nnc = nnc_new();
    Graph *g = layers(nnc, 8, false);
    int64_t bytes[2], most = build(nnc, g, &avx2).unit->arena_bytes;
    cr_assert_eq(compare(nnc, g, 3, most, bytes), 0);
    cr_assert_eq(bytes[0], bytes[1]);
    nnc_free(nnc);
}
