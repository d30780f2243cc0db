/* links: nnc_pass nnc_ir */
/* What is computed only where it is read. */
#include "compiler/pass/passes.h"
#include "tests/unit/graphs.h"

static void expect_after(const char *before, const char *after) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, before);
    cr_assert(g, "the graph doesn't read");
    g = pass_needed(nnc, g);
    ir_verify(g, "needed");
    expect_text(g, after);
    nnc_free(nnc);
}

#define PRODUCT "%1 = input 0 \"x\" f32[9, 9]\n%2 = f32[9, 9] sum k0:9 of "
#define PLAIN "mul(%1[i0, k0], %1[i1, k0])\n"
#define GUARDED "guard(0 <= i0 - i1 < 9 ? mul(%1[i0, k0], %1[i1, k0]) : 0.0)\n"

Test(needed, sums_of_a_triangle) {
    const char *rest = "%3 = f32[9, 9] of mul(%2[i0, i1], 3.0)\n"
                       "%4 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? %3[i0, i1] : -inf)\nresult 0 = %4\n";
    char before[512], after[512];
    snprintf(before, sizeof before, "%s%s", PRODUCT PLAIN, rest);
    snprintf(after, sizeof after, "%s%s", PRODUCT GUARDED, rest);
    expect_after(before, after);
}

Test(needed, not_where_another_reader_takes_all) {
    const char *text = PRODUCT PLAIN "%3 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? %2[i0, i1] : 0.0)\n"
                                     "%4 = f32[9] sum k0:9 of %2[i0, k0]\nresult 0 = %3\nresult 1 = %4\n";
    expect_after(text, text);
}

Test(needed, not_where_it_is_read_elsewhere) {
    const char *text = PRODUCT PLAIN "%3 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? %2[i1, i0] : 0.0)\nresult 0 = %3\n";
    expect_after(text, text);
}

Test(needed, dear_functions) {
    expect_after("%1 = input 0 \"x\" f32[9, 9]\n%2 = f32[9, 9] of exp(%1[i0, i1])\n"
                 "%3 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? %2[i0, i1] : 0.0)\nresult 0 = %3\n",
                 "%1 = input 0 \"x\" f32[9, 9]\n%2 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? exp(%1[i0, i1]) : 0.0)\n"
                 "%3 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? %2[i0, i1] : 0.0)\nresult 0 = %3\n");
}

/* One head, or a batch of one. */
Test(needed, dims_of_one_are_in_nobodys_way) {
    Nnc *nnc = nnc_new();
    const char *rest = "%4 = f32[9, 9] of guard(0 <= i0 - i1 < 9 ? %3[";
    Str wide = {0}, plain = {0};
    str_add(&wide, "%%1 = input 0 \"x\" f32[9, 9]\n%%2 = f32[1, 9, 9] sum k0:9 of mul(%%1[i1, k0], %%1[i2, k0])\n");
    str_add(&wide, "%%3 = f32[9, 1, 9] of exp(%%2[0, i0, i2])\n%si0, 0, i1] : -inf)\nresult 0 = %%4\n", rest);
    str_add(&plain,
            "%%1 = input 0 \"x\" f32[9, 9]\n%%2 = f32[9, 9] sum k0:9 of mul(%%1[i0, k0], %%1[i1, k0])\n"
            "%%3 = f32[9, 9] of exp(%%2[i0, i1])\n%si0, i1] : -inf)\nresult 0 = %%4\n",
            rest);
    Graph *a = pass_needed(nnc, pass_simplify(nnc, read_graph(nnc, wide.at)));
    Graph *b = pass_needed(nnc, pass_simplify(nnc, read_graph(nnc, plain.at)));
    char *want = graph_text(b);
    expect_text(a, want);
    free(want);
    vec_free(&wide);
    vec_free(&plain);
    nnc_free(nnc);
}
