/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* Where things are: exact bytes, updates in place, orders that allow them. */
#include "tests/unit/loops.h"

static Built planned(Nnc *nnc, const char *text) {
    Graph *g = read_graph(nnc, text);
    cr_assert(g, "the graph doesn't read");
    expect_same(nnc, g, &avx2, 5);
    return build(nnc, g, &avx2);
}

static void expect_plan(const char *text, size_t kernels, int64_t arena) {
    Nnc *nnc = nnc_new();
    Built b = planned(nnc, text);
    if (b.unit->kernels.len != kernels || b.unit->arena_bytes != arena) loop_print(b.unit, stderr);
    cr_expect_eq(b.unit->kernels.len, kernels);
    cr_expect_eq(b.unit->arena_bytes, arena, "%lld bytes", (long long)b.unit->arena_bytes);
    nnc_free(nnc);
}

Test(plan, an_update_is_made_in_place) {
    expect_plan("%1 = param 0 \"p\" f32[1000]\n%2 = input 0 \"g\" f32[1000]\n"
                "%3 = f32[1000] of sub(%1[i0], mul(%2[i0], 0.1))\nparam 0 = %3\n",
                1, 0);
}

Test(plan, an_update_waits_for_the_readers_of_the_old_value) {
    expect_plan("%1 = param 0 \"p\" f32[1000]\n%2 = input 0 \"g\" f32[1000]\n"
                "%3 = f32[1000] of sub(%1[i0], mul(%2[i0], 0.1))\n"
                "%4 = f32[999] of mul(%1[i0], %1[i0 + 1])\nparam 0 = %3\nresult 0 = %4\n",
                2, 0);
}

Test(plan, a_shifted_update_is_copied) {
    expect_plan("%1 = param 0 \"p\" f32[1000]\n%2 = f32[1000] of mul(%1[-i0 + 999], 0.5)\nparam 0 = %2\n", 2, 4032);
}

Test(plan, parameters_that_change_places) {
    expect_plan("%1 = param 0 \"p\" f32[160]\n%2 = param 1 \"q\" f32[160]\n"
                "%3 = f32[160] of mul(%1[i0], 2.0)\n%4 = f32[160] of mul(%2[i0], 3.0)\n"
                "param 0 = %4\nparam 1 = %3\n",
                3, 640);
}

/* A chain of matrix products: two buffers take turns. */
Test(plan, memory_is_used_again) {
    expect_plan("%1 = input 0 \"x\" f32[32, 32]\n%2 = param 0 \"w\" f32[32, 32]\n"
                "%3 = f32[32, 32] sum k0:32 of mul(%1[i0, k0], %2[k0, i1])\n"
                "%4 = f32[32, 32] sum k0:32 of mul(%3[i0, k0], %2[k0, i1])\n"
                "%5 = f32[32, 32] sum k0:32 of mul(%4[i0, k0], %2[k0, i1])\n"
                "%6 = f32[32, 32] sum k0:32 of mul(%5[i0, k0], %2[k0, i1])\n"
                "%7 = f32[32, 32] sum k0:32 of mul(%6[i0, k0], %2[k0, i1])\nresult 0 = %7\n",
                5, 2 * 4096);
}

Test(plan, random_graphs_have_sound_plans) {
    for (uint64_t seed = 1000; seed < 1400; seed++) {
        Nnc *nnc = nnc_new();
        build(nnc, random_graph(nnc, seed, DT_F32, 60, RANDOM_SCANS | RANDOM_WHILES), &avx512);
        nnc_free(nnc);
    }
}
