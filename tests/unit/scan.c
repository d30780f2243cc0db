/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* Scans: their text, their meaning, and the loop nests and memory plans that come of them. */
#include "compiler/pass/passes.h"
#include "tests/unit/loops.h"

/* Reads, prints, reads and prints again; then compares the loop nests with the interpreter, also after simplification.
 */
static void expect_scan(const char *text) {
    const Machine *machines[] = {&sse, &avx2, &avx512};
    for (int i = 0; i < 3; i++) {
        Nnc *nnc = nnc_new();
        Graph *g = read_graph(nnc, text);
        cr_assert(g, "the graph doesn't read");
        char *first = graph_text(g), *second = graph_text(read_graph(nnc, first));
        cr_assert_str_eq(first, second);
        Graph *simple = pass_simplify(nnc, g);
        ir_verify(simple, "simplify");
        expect_same(nnc, g, machines[i], 7);
        expect_same(nnc, simple, machines[i], 7);
        free(first);
        free(second);
        nnc_free(nnc);
    }
}

Test(scan, recurrence_over_slices) {
    expect_scan("%1 = input 0 \"x\" f32[3, 7, 5]\n%2 = param 0 \"w\" f32[5, 5]\n%3 = f32[3, 5] of 0.5\n"
                "%4 = iteration 0\n%5 = carry 0 0 \"h\" f32[3, 5]\n"
                "%6 = f32[3, 5] sum k0:5 of mul(%5[i0, k0], %2[k0, i1])\n"
                "%7 = f32[3, 5] of tanh(add(%1[i0, 0 + {%4}, i1], %6[i0, i1]))\n"
                "%8 = scan 0 in 7 (%3 -> %7) yields (%7)\n%9 = result 0 of %8\n%10 = result 1 of %8\n"
                "result 0 = %9\nresult 1 = %10\n");
}

Test(scan, carries_change_places_and_are_yielded) {
    expect_scan("%1 = input 0 f32[40]\n%2 = input 1 f32[40]\n%3 = iteration 0\n%4 = carry 0 0 f32[40]\n"
                "%5 = carry 0 1 f32[40]\n%6 = carry 0 2 f32[40]\n%7 = f32[40] of add(%6[i0], mul(%4[i0], f32(%3)))\n"
                "%8 = scan 0 in 5 reverse (%1 -> %5, %2 -> %4, %1 -> %7) yields (%4, %3, %2, none)\n"
                "%9 = result 0 of %8\n%10 = result 1 of %8\n%11 = result 2 of %8\n%12 = result 3 of %8\n"
                "%13 = result 4 of %8\n%14 = result 5 of %8\n"
                "%15 = f32[5, 40] of add(mul(%12[i0, i1], f32(%13[i0])), %14[i0, i1])\n"
                "result 0 = %9\nresult 1 = %10\nresult 2 = %11\nresult 3 = %15\n");
}

Test(scan, one_value_yielded_twice) {
    expect_scan("%1 = input 0 f32[24]\n%2 = carry 0 0 f32[24]\n%3 = f32[24] of add(mul(%2[i0], 0.5), 1.0)\n"
                "%4 = scan 0 in 3 (%1 -> %3) yields (%3, %3)\n%5 = result 1 of %4\n%6 = result 2 of %4\n"
                "result 0 = %5\nresult 1 = %6\n");
}

Test(scan, scans_inside_scans) {
    expect_scan("%1 = input 0 f32[6, 4, 9]\n%2 = f32[9] of 1.0\n%3 = iteration 0\n%4 = carry 0 0 f32[9]\n"
                "%5 = iteration 1\n%6 = carry 1 0 f32[9]\n"
                "%7 = f32[9] of add(mul(%6[i0], 0.5), %1[0 + {%3}, 0 + {%5}, i0])\n"
                "%8 = scan 1 in 4 (%4 -> %7) yields (%7)\n%9 = result 0 of %8\n%10 = result 1 of %8\n"
                "%11 = f32[9] sum k0:4 of %10[k0, i0]\n%12 = f32[9] of sub(%11[i0], %9[i0])\n"
                "%13 = scan 0 in 6 (%2 -> %12) yields (%9)\n%14 = result 0 of %13\n%15 = result 1 of %13\n"
                "result 0 = %14\nresult 1 = %15\n");
}

Test(scan, sorts_inside) {
    expect_scan("%1 = input 0 f32[6, 20]\n%2 = f32[20] of 1.0\n%3 = iteration 0\n%4 = carry 0 0 f32[20]\n"
                "%5 = f32[20] of add(%4[i0], %1[0 + {%3}, i0])\n%6 = sort %5 descending first 20\n"
                "%7 = f32[20] of %5[{%6[i0]}]\n%8 = scan 0 in 6 (%2 -> %7) yields (%6)\n%9 = result 0 of %8\n"
                "%10 = result 1 of %8\nresult 0 = %9\nresult 1 = %10\n");
}

Test(scan, of_no_iteration) {
    expect_scan("%1 = input 0 f32[8]\n%2 = carry 0 0 f32[8]\n%3 = f32[8] of mul(%2[i0], 2.0)\n"
                "%4 = scan 0 in 0 (%1 -> %3) yields (%3)\n%5 = result 0 of %4\n%6 = result 1 of %4\n"
                "%7 = f32[8] sum k0:0 of %6[k0, i0]\nresult 0 = %5\nresult 1 = %7\n");
}

/* What a scan keeps for its gradient grows with its length, and only with that. */
static int64_t arena_of(int length) {
    Nnc *nnc = nnc_new();
    Str s = {0};
    str_add(&s, "%%1 = input 0 f32[%d, 16]\n%%2 = param 0 f32[16, 16]\n%%3 = f32[4, 16] of 0.5\n%%4 = iteration 0\n",
            length);
    str_add(&s, "%%5 = carry 0 0 f32[4, 16]\n%%6 = f32[4, 16] sum k0:16 of mul(%%5[i0, k0], %%2[k0, i1])\n"
                "%%7 = f32[4, 16] of tanh(add(%%6[i0, i1], %%1[0 + {%%4}, i1]))\n");
    str_add(&s, "%%8 = scan 0 in %d (%%3 -> %%7) yields ()\n%%9 = result 0 of %%8\n", length);
    str_add(&s, "%%10 = f32[] sum k0:4, k1:16 of %%9[k0, k1]\n%%11 = grad %%10 wrt %%2\n%%12 = grad %%10 wrt %%1\n"
                "result 0 = %%11\nresult 1 = %%12\n");
    Graph *g = pass_simplify(nnc, pass_autodiff(nnc, pass_simplify(nnc, read_graph(nnc, s.at))));
    ir_verify(g, "autodiff");
    expect_same(nnc, g, &avx2, 3);
    int64_t bytes = build(nnc, g, &avx2).unit->arena_bytes;
    vec_free(&s);
    nnc_free(nnc);
    return bytes;
}

Test(scan, memory_is_linear_in_the_length) {
    int64_t a = arena_of(20), b = arena_of(40), c = arena_of(60);
    cr_expect_eq(c - b, b - a, "%lld, %lld, %lld bytes", (long long)a, (long long)b, (long long)c);
}

static int count(const char *text, const char *what) {
    int n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++) n++;
    return n;
}

/* Products and functions of the body are computed once: for their gradients the forward scan stacks them. What is
 * cheap is computed again, and what no gradient needs (the product itself) is not stacked. */
Test(scan, gradients_keep_what_is_dear) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, "%1 = input 0 f32[9, 16]\n%2 = param 0 f32[16, 16]\n%3 = f32[4, 16] of 0.5\n"
                               "%4 = iteration 0\n%5 = carry 0 0 f32[4, 16]\n"
                               "%6 = f32[4, 16] sum k0:16 of mul(%5[i0, k0], %2[k0, i1])\n"
                               "%7 = f32[4, 16] of tanh(add(%6[i0, i1], %1[0 + {%4}, i1]))\n"
                               "%8 = f32[4, 16] of mul(%7[i0, i1], add(%7[i0, i1], %5[i0, i1]))\n"
                               "%9 = scan 0 in 9 (%3 -> %8) yields ()\n%10 = result 0 of %9\n"
                               "%11 = f32[] sum k0:4, k1:16 of %10[k0, k1]\n%12 = grad %11 wrt %2\nresult 0 = %12\n");
    g = pass_simplify(nnc, pass_autodiff(nnc, pass_simplify(nnc, g)));
    ir_verify(g, "autodiff");
    expect_same(nnc, g, &avx2, 3);
    char *text = graph_text(g);
    cr_expect_eq(count(text, "tanh("), 1);
    cr_expect_eq(count(text, " sum "), 3, "forward, towards the carry, towards the weight");
    cr_expect(strstr(text, "yields (%") && count(text, "none") == 1, "%s", text);
    free(text);
    nnc_free(nnc);
}

/* A weight that all iterations multiply by is packed once, in front of the scan. */
Test(scan, weights_are_packed_once) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, "%1 = param 0 \"w\" f32[64, 64]\n%2 = f32[8, 64] of 0.5\n%3 = carry 0 0 f32[8, 64]\n"
                               "%4 = f32[8, 64] sum k0:64 of mul(%3[i0, k0], %1[i1, k0])\n"
                               "%5 = f32[8, 64] of tanh(%4[i0, i1])\n"
                               "%6 = scan 0 in 9 (%2 -> %5) yields ()\n%7 = result 0 of %6\nresult 0 = %7\n");
    expect_same(nnc, g, &avx2, 3);
    LoopUnit *u = build(nnc, g, &avx2).unit;
    int packs = 0;
    for (size_t i = 0; i < u->kernels.len; i++) {
        if (!strstr(u->kernels.at[i]->name, "pack")) continue;
        packs++;
        cr_expect_eq(u->kernels.at[i]->scan, 0);
    }
    cr_expect_eq(packs, 1);
    nnc_free(nnc);
}
