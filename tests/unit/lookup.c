/* links: nnc_pass nnc_ir nnc_reference */
/* Products of rows that are looked up. */
#include "compiler/pass/passes.h"
#include "tests/reference/random_graph.h"
#include "tests/unit/graphs.h"

#include <math.h>

#define TABLE "%1 = input 0 \"ids\" i32[8, 5]\n%2 = param 0 \"table\" f32[6, 16]\n%3 = param 1 \"w\" f32[16, 3]\n"
#define ROW(to)                                                                                                        \
    "{\n    t0 = %1[i0, i1]\n    select(and(lt(t0, 6), le(0, t0)), " to "[{min(max(t0, 0), 5)}, i2], nan)\n}\n"
#define ROWS "%4 = f32[8, 5, 16] of " ROW("%2")
#define PRODUCT "%5 = f32[8, 5, 3] sum k0:16 of mul(%4[i0, i1, k0], %3[k0, i2])\n"

static void expect_after(const char *before, const char *after) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, before), *want = read_graph(nnc, after);
    cr_assert(g && want, "the graph doesn't read");
    g = pass_lookup(nnc, g);
    ir_verify(g, "lookup");
    char *text = graph_text(pass_simplify(nnc, want));
    expect_text(pass_simplify(nnc, g), text);
    free(text);
    nnc_free(nnc);
}

static void expect_same(const char *text) { expect_after(text, text); }

Test(lookup, a_product_and_its_bias) {
    expect_after(TABLE ROWS PRODUCT "%6 = param 2 \"b\" f32[3]\n"
                                    "%7 = f32[8, 5, 3] \"z\" of add(%5[i0, i1, i2], %6[i2])\nresult 0 = %7\n",
                 TABLE "%4 = f32[6, 3] sum k0:16 of mul(%2[i0, k0], %3[k0, i1])\n"
                       "%5 = param 2 \"b\" f32[3]\n%6 = f32[6, 3] of add(%4[i0, i1], %5[i1])\n"
                       "%7 = f32[8, 5, 3] \"z\" of " ROW("%6") "result 0 = %7\n");
}

Test(lookup, not_of_few_rows) {
    expect_same("%1 = input 0 \"ids\" i32[8]\n%2 = param 0 \"table\" f32[6, 16]\n%3 = param 1 \"w\" f32[16, 3]\n"
                "%4 = f32[8, 16] of %2[{%1[i0]}, i1]\n"
                "%5 = f32[8, 3] sum k0:16 of mul(%4[i0, k0], %3[k0, i1])\nresult 0 = %5\n");
}

Test(lookup, not_what_depends_on_the_row_otherwise) {
    expect_same(TABLE ROWS "%5 = param 2 \"v\" f32[5, 16]\n"
                           "%6 = f32[8, 5] sum k0:16 of mul(%4[i0, i1, k0], %5[i1, k0])\nresult 0 = %6\n");
    expect_same(TABLE ROWS "%5 = f32[8, 3] sum k0:5, k1:16 of mul(%4[i0, k0, k1], %3[k1, i1])\nresult 0 = %5\n");
    expect_same(TABLE ROWS "%5 = f32[5] sum k0:16 of mul(%4[i0, i0, k0], %4[i0, i0, k0])\nresult 0 = %5\n");
}

/* max(NaN, 0) is a number, which the rows beyond the table would not be any more. */
Test(lookup, not_what_hides_nan) {
    expect_same(TABLE ROWS "%5 = f32[8, 5, 3] sum k0:16 of select(lt(%4[i0, i1, k0], 0.0), 0.0, %3[k0, i2])\n"
                           "result 0 = %5\n");
}

Test(lookup, not_where_a_gradient_is_asked_for_the_rows) {
    expect_same(TABLE ROWS PRODUCT "%6 = f32[] sum k0:8, k1:5, k2:3 of %5[k0, k1, k2]\n"
                                   "%7 = grad %6 wrt %4\nresult 0 = %7\n");
}

/* Numbers of random ids, many of them beyond the table, and gradients: what is no row adds nothing to them, where it
 * was NaN before. */
Test(lookup, values) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, TABLE ROWS PRODUCT
                          "%6 = f32[] sum k0:8, k1:5, k2:3 of {\n    t0 = %5[k0, k1, k2]\n"
                          "    select(lt(t0, inf), mul(t0, t0), 0.0)\n}\n"
                          "%7 = grad %6 wrt %2\n%8 = grad %6 wrt %3\nresult 0 = %5\nresult 1 = %7\nresult 2 = %8\n");
    cr_assert(g, "the graph doesn't read");
    Graph *plain = pass_simplify(nnc, pass_autodiff(nnc, g)), *to = pass_autodiff(nnc, pass_lookup(nnc, g));
    ir_verify(to, "autodiff");
    RandomData before = random_data(plain, 1), after = random_data(to, 1);
    interp_run(plain, &before.env);
    interp_run(to, &after.env);
    for (size_t o = 0; o < g->outputs.len; o++) {
        const float *want = before.env.outputs[o], *got = after.env.outputs[o];
        for (int64_t i = 0; i < ir_elements(ir_node(plain, plain->outputs.at[o].node)); i++)
            cr_assert((isnan(want[i]) && (o || isnan(got[i]))) ||
                          fabsf(got[i] - want[i]) <= 1e-4F * fmaxf(1, fabsf(want[i])),
                      "output %zu[%ld]: %g, not %g", o, (long)i, (double)got[i], (double)want[i]);
    }
    random_data_free(plain, &before);
    random_data_free(to, &after);
    nnc_free(nnc);
}
