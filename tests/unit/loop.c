/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* Loop nests compute what their graph means. */
#include "tests/unit/loops.h"

Test(loop, random_graphs) {
    const Machine *machines[] = {&sse, &avx2, &avx512};
    const DType types[] = {DT_F32, DT_F64};
    for (uint64_t seed = 0; seed < 300; seed++) {
        Nnc *nnc = nnc_new();
        Graph *g = random_graph(nnc, seed, types[seed % 5 == 0], 1 + (int)(seed % 40), RANDOM_SCANS | RANDOM_WHILES);
        expect_same(nnc, g, machines[seed % 3], seed);
        nnc_free(nnc);
    }
}

/* ---- contractions ---- */

static void expect_text_same(const char *text) {
    const Machine *machines[] = {&sse, &avx2, &avx512, &tight};
    for (size_t i = 0; i < COUNT(machines); i++) {
        Nnc *nnc = nnc_new();
        Graph *g = read_graph(nnc, text);
        cr_assert(g, "the graph doesn't read");
        expect_same(nnc, g, machines[i], 7);
        nnc_free(nnc);
    }
}

Test(loop, matrix_products_of_odd_sizes) {
    const int sizes[][3] = {{100, 50, 37}, {13, 16, 64},    {64, 10, 100},  {7, 300, 5},  {33, 33, 33},
                            {5, 24, 3000}, {200, 40, 1000}, {45, 260, 512}, {300, 70, 20}};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        Str s = {0};
        str_add(&s, "%%1 = input 0 \"a\" f32[%d, %d]\n%%2 = param 0 \"b\" f32[%d, %d]\n", m, k, k, n);
        str_add(&s, "%%3 = f32[%d, %d] sum k0:%d of mul(%%1[i0, k0], %%2[k0, i1])\nresult 0 \"y\" = %%3\n", m, n, k);
        expect_text_same(s.at);
        vec_free(&s);
    }
}

/* Operands whose neighbours in memory are rows instead of sums, or sums instead of lanes. */
Test(loop, products_of_transposed_matrices) {
    const int sizes[][3] = {{100, 50, 37}, {13, 16, 64}, {45, 130, 60}, {30, 37, 290}};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (int which = 1; which < 4; which++) {
            int m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
            bool a = which & 1, b = which & 2;
            Str s = {0};
            str_add(&s, "%%1 = input 0 \"a\" f32[%d, %d]\n%%2 = param 0 \"b\" f32[%d, %d]\n", a ? k : m, a ? m : k,
                    b ? n : k, b ? k : n);
            str_add(&s, "%%3 = f32[%d, %d] sum k0:%d of mul(%%1[%s], %%2[%s])\nresult 0 \"y\" = %%3\n", m, n, k,
                    a ? "k0, i0" : "i0, k0", b ? "i1, k0" : "k0, i1");
            expect_text_same(s.at);
            vec_free(&s);
        }
}

/* What follows on a product reads tensors of its size, which the second cache may hold or not: units differ; the lanes
 * of the last panel and the rows of the last block are fewer. */
Test(loop, updates_that_follow_a_product) {
    expect_text_same(
        "%1 = input 0 \"x\" f32[20, 150]\n%2 = input 1 \"d\" f32[20, 107]\n%3 = param 0 \"w\" f32[150, 107]\n"
        "%4 = state 0 \"m\" f32[150, 107]\n%5 = param 1 \"b\" f32[107]\n"
        "%6 = f32[150, 107] sum k0:20 of mul(%1[k0, i0], %2[k0, i1])\n"
        "%7 = f32[150, 107] of add(mul(%4[i0, i1], 0.9), add(%6[i0, i1], %5[i1]))\n"
        "%8 = f32[150, 107] of sub(%3[i0, i1], %7[i0, i1])\nparam 0 = %8\nstate 0 = %7\n");
}

/* A step of two layers with momentum, whose weights are large beside the caches of `tight`: rows of few or many
 * samples, panels of which the last is partial, and the second weight transposed in the first layer's gradient. */
static Graph *step_of_two_layers(Nnc *nnc, int n, int in, int width, int out) {
    Str s = {0};
    str_add(&s, "%%1 = input 0 \"x\" f32[%d, %d]\n%%2 = input 1 \"t\" f32[%d, %d]\n", n, in, n, out);
    str_add(&s, "%%3 = param 0 \"w\" f32[%d, %d]\n%%4 = param 1 \"v\" f32[%d, %d]\n", in, width, width, out);
    str_add(&s, "%%5 = state 0 \"m\" f32[%d, %d]\n%%6 = state 1 \"o\" f32[%d, %d]\n", in, width, width, out);
    str_add(&s, "%%7 = f32[%d, %d] sum k0:%d of mul(%%1[i0, k0], %%3[k0, i1])\n", n, width, in);
    str_add(&s, "%%8 = f32[%d, %d] sum k0:%d of mul(%%7[i0, k0], %%4[k0, i1])\n", n, out, width);
    str_add(&s, "%%9 = f32[%d, %d] of sub(%%8[i0, i1], %%2[i0, i1])\n", n, out);
    str_add(&s, "%%10 = f32[%d, %d] sum k0:%d of mul(%%7[k0, i0], %%9[k0, i1])\n", width, out, n);
    str_add(&s, "%%11 = f32[%d, %d] sum k0:%d of mul(%%9[i0, k0], %%4[i1, k0])\n", n, width, out);
    str_add(&s, "%%12 = f32[%d, %d] sum k0:%d of mul(%%1[k0, i0], %%11[k0, i1])\n", in, width, n);
    str_add(&s, "%%13 = f32[%d, %d] of add(mul(%%6[i0, i1], 0.9), %%10[i0, i1])\n", width, out);
    str_add(&s, "%%14 = f32[%d, %d] of sub(%%4[i0, i1], mul(%%13[i0, i1], 0.01))\n", width, out);
    str_add(&s, "%%15 = f32[%d, %d] of add(mul(%%5[i0, i1], 0.9), %%12[i0, i1])\n", in, width);
    str_add(&s, "%%16 = f32[%d, %d] of sub(%%3[i0, i1], mul(%%15[i0, i1], 0.01))\n", in, width);
    str_add(&s, "result 0 = %%9\nparam 0 = %%16\nparam 1 = %%14\nstate 0 = %%15\nstate 1 = %%13\n");
    Graph *g = read_graph(nnc, s.at);
    vec_free(&s);
    return g;
}

Test(loop, weights_in_panels) {
    const int sizes[][4] = {{20, 40, 67, 45}, {50, 32, 48, 64}, {37, 30, 43, 90}, {9, 50, 37, 41}};
    const Machine *machines[] = {&tight, &sse, &avx2, &avx512};
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t m = 0; m < COUNT(machines); m++) {
            Nnc *nnc = nnc_new();
            Machine small = *machines[m];
            small.l2 = 8 << 10;
            Graph *g = step_of_two_layers(nnc, sizes[i][0], sizes[i][1], sizes[i][2], sizes[i][3]);
            cr_assert(g, "the graph doesn't read");
            cr_expect_eq(build(nnc, g, &small).unit->npanels, 4, "sizes %zu, machine %zu: %d in panels", i, m,
                         build(nnc, g, &small).unit->npanels);
            expect_same(nnc, g, &small, i);
            nnc_free(nnc);
        }
}

/* What is read in another order by something else stays in rows, and what is updated with it. */
Test(loop, weights_that_stay_in_rows) {
    const char *others[] = {"%9 = f32[] sum k0:107 of mul(%3[7, k0], %3[7, k0])\nresult 0 = %9\n",
                            "%9 = f32[150] of %4[i0, 5]\nresult 0 = %9\n", "result 0 = %8\n", "result 0 = %3\n",
                            "%9 = f32[107, 150] of neg(%7[i1, i0])\nresult 0 = %9\n"};
    for (size_t i = 0; i < COUNT(others); i++) {
        Nnc *nnc = nnc_new();
        Str s = {0};
        str_add(&s, "%%1 = input 0 \"x\" f32[20, 150]\n%%2 = input 1 \"d\" f32[20, 107]\n");
        str_add(&s, "%%3 = param 0 \"w\" f32[150, 107]\n%%4 = state 0 \"m\" f32[150, 107]\n");
        str_add(&s, "%%6 = f32[150, 107] sum k0:20 of mul(%%1[k0, i0], %%2[k0, i1])\n");
        str_add(&s, "%%7 = f32[150, 107] of add(mul(%%4[i0, i1], 0.9), %%6[i0, i1])\n");
        str_add(&s, "%%8 = f32[150, 107] of sub(%%3[i0, i1], %%7[i0, i1])\n%s", others[i]);
        str_add(&s, "param 0 = %%8\nstate 0 = %%7\n");
        Graph *g = read_graph(nnc, s.at);
        cr_assert(g, "the graph doesn't read");
        cr_expect_eq(build(nnc, g, &tight).unit->npanels, 0, "case %zu", i);
        expect_same(nnc, g, &tight, i);
        vec_free(&s);
        nnc_free(nnc);
    }
}

Test(loop, transposed_operands) {
    expect_text_same("%1 = input 0 \"x\" f32[60, 45]\n%2 = input 1 \"d\" f32[60, 21]\n"
                     "%3 = f32[45, 21] sum k0:60 of mul(%1[k0, i0], %2[k0, i1])\n"
                     "%4 = f32[60, 60] sum k0:45 of mul(%1[i0, k0], %1[i1, k0])\nresult 0 = %3\nresult 1 = %4\n");
}

/* Conditions that tie a row to a sum, a row to a lane, a lane to a sum: triangles, bands, some of them empty in places.
 */
Test(loop, triangles_and_bands) {
    const char *conds[] = {"0 <= %s - %s < 1000",  "-7 <= %s - %s < 12", "-1000 <= %s - %s < 0",
                           "20 <= %s + %s < 1000", "0 <= %s + %s < 37",  "-40 <= %s - %s < -20"};
    const int sizes[][3] = {{40, 35, 50}, {13, 24, 300}};
    const char *tied[][2] = {{"i1", "k0"}, {"k0", "i1"}, {"i1", "i2"}, {"i2", "k0"}};
    for (size_t i = 0; i < COUNT(conds) * COUNT(sizes) * COUNT(tied); i++) {
        const int *size = sizes[i / COUNT(tied) % COUNT(sizes)], m = size[0], n = size[1], k = size[2];
        const char *const *of = tied[i % COUNT(tied)];
        Str cond = {0}, s = {0};
        str_add(&cond, conds[i / COUNT(tied) / COUNT(sizes)], of[0], of[1]);
        str_add(&s, "%%1 = input 0 \"a\" f32[2, %d, %d]\n%%2 = input 1 \"b\" f32[2, %d, %d]\n", m, k, k, n);
        str_add(&s, "%%3 = f32[2, %d, %d] sum k0:%d of guard(%s ? mul(%%1[i0, i1, k0], %%2[i0, k0, i2]) : 0.0)\n", m, n,
                k, cond.at);
        str_add(&s, "%%4 = f32[2, %d, %d] of mul(%%3[i0, i1, i2], 3.0)\nresult 0 = %%4\n", m, n);
        expect_text_same(s.at);
        vec_free(&s);
        vec_free(&cond);
    }
}

/* Rows whose lanes are on one side of a condition, or on both: softmax of a triangle. */
Test(loop, lanes_up_to_the_row) {
    const int lengths[] = {8, 21, 64, 1024};
    for (size_t i = 0; i < COUNT(lengths); i++) {
        int n = lengths[i];
        Str s = {0};
        str_add(&s, "%%1 = input 0 \"x\" f32[3, 40, %d]\n", n);
        str_add(&s, "%%2 = f32[3, 40] max k0:%d of guard(0 <= i1 - k0 < 99 ? %%1[i0, i1, k0] : -inf)\n", n);
        str_add(&s, "%%3 = f32[3, 40, %d] of guard(0 <= i1 - i2 < 99 ? exp(sub(%%1[i0, i1, i2], %%2[i0, i1])) : 0.0)\n",
                n);
        str_add(&s, "%%4 = f32[3, 40] sum k0:%d of guard(0 <= i1 - k0 < 99 ? %%3[i0, i1, k0] : 0.0)\n", n);
        str_add(&s, "%%5 = f32[3, 40, %d] of div(%%3[i0, i1, i2], %%4[i0, i1])\n", n);
        str_add(&s, "%%6 = f32[3, 40] sum k0:%d of guard(3 <= i1 + k0 < 99 ? %%1[i0, i1, k0] : 0.0)\n", n);
        str_add(&s, "result 0 = %%5\nresult 1 = %%6\n");
        expect_text_same(s.at);
        vec_free(&s);
    }
}

/* A row of one element is another space than none: two stages, without a sum. */
Test(loop, maps_of_two_ranks_share_rows) {
    expect_text_same("%1 = input 0 \"a\" f32[300]\n%2 = input 1 \"b\" f32[300, 1]\n"
                     "%3 = f32[300] of add(%1[i0], tanh(%2[i0, 0]))\n"
                     "%4 = f32[300, 1] of mul(%3[i0], %2[i0, 0])\n%5 = f32[300, 1] of mul(%3[i0], %4[i0, 0])\n"
                     "result 0 = %4\nresult 1 = %5\n");
}

Test(loop, one_index_through_two_dims) {
    expect_text_same("%1 = input 0 \"x\" f32[40, 7, 9]\n%2 = input 1 \"d\" f32[40, 50]\n"
                     "%3 = f32[63, 50] sum k0:40 of mul(%1[k0, i0 div 9, i0 mod 9], %2[k0, i1])\n"
                     "%4 = f32[40, 50] sum k0:63 of mul(%1[i0, k0 div 9, k0 mod 9], %3[k0, i1])\nresult 0 = %4\n");
}

Test(loop, convolution_with_padding) {
    expect_text_same("%1 = input 0 \"x\" f32[3, 9, 11, 5]\n%2 = param 0 \"w\" f32[3, 3, 5, 18]\n"
                     "%3 = f32[3, 9, 11, 18] sum k0:3, k1:3, k2:5 of mul(guard(1 <= i1 + k0 < 10, 1 <= i2 + k1 < 12 ? "
                     "%1[i0, i1 + k0 - 1, i2 + k1 - 1, k2] : 0.0), %2[k0, k1, k2, i3])\nresult 0 = %3\n");
}

/* Images that data chooses, the middle row of each from another one: the choice is not of i0 alone. */
Test(loop, padding_of_what_two_indices_choose) {
    expect_text_same("%1 = input 0 \"x\" f32[6, 9, 7]\n%2 = param 0 \"w\" f32[3, 7, 18]\n"
                     "%3 = input 1 \"ids\" i32[12]\n"
                     "%4 = f32[12, 9, 18] sum k0:3, k1:7 of mul(guard(1 <= i1 + k0 < 10 ? "
                     "%1[{guard(k0 == 1 ? 2 : max(0, min(%3[i0], 5)))}, i1 + k0 - 1, k1] : 0.0), %2[k0, k1, i2])\n"
                     "result 0 = %4\n");
}

/* What comes out of autodiff for the input of a convolution with stride 2: places and phases, which have 1, 2 or 4 of
 * the taps. */
Test(loop, input_gradient_of_a_strided_convolution) {
    expect_text_same("%1 = input 0 \"d\" f32[5, 4, 4, 12]\n%2 = param 0 \"w\" f32[3, 3, 9, 12]\n"
                     "%3 = f32[5, 8, 8, 9] sum k0:12, k1:2, k2:2 of guard(-3 <= k1 - i1 div 2 < 1, "
                     "0 <= 2*k1 + i1 mod 2 < 3, -3 <= k2 - i2 div 2 < 1, 0 <= 2*k2 + i2 mod 2 < 3 ? "
                     "mul(%1[i0, i1 div 2 - k1, i2 div 2 - k2, k0], %2[2*k1 + i1 mod 2, 2*k2 + i2 mod 2, i3, k0]) "
                     ": 0.0)\n%4 = f32[5, 8, 8, 9] of max(%3[i0, i1, i2, i3], 0.0)\nresult 0 = %4\n");
}
Test(loop, strided_gradient_with_an_offset) {
    expect_text_same("%1 = input 0 \"d\" f32[4, 5, 4, 20]\n%2 = param 0 \"w\" f32[3, 3, 18, 20]\n"
                     "%3 = f32[4, 15, 8, 18] sum k0:20, k1:2 of guard(0 <= i2 div 2 - k1 + (i2 + 1) mod 2 < 4, "
                     "0 <= 2*k1 + (i2 + 1) mod 2 < 3 ? mul(%1[i0, i1 div 3, i2 div 2 - k1 + (i2 + 1) mod 2, k0], "
                     "%2[i1 mod 3, 2*k1 + (i2 + 1) mod 2, i3, k0]) : 0.0)\nresult 0 = %3\n");
}
/* So many sums that they are cut: a phase ends the first of them, which blocks go through one by one. */
Test(loop, strided_gradient_with_many_channels) {
    expect_text_same("%1 = input 0 \"d\" f32[4, 5, 700]\n%2 = param 0 \"w\" f32[2, 700, 9]\n"
                     "%3 = f32[4, 4, 9] sum k0:2, k1:700 of guard(2*k0 + i1 mod 2 < 3 ? "
                     "mul(%1[i0, i1 div 2 + k0, k1], %2[k0, k1, i2]) : 0.0)\nresult 0 = %3\n");
}
Test(loop, strided_gradient_of_one_tap) {
    expect_text_same("%1 = input 0 \"d\" f32[5, 4, 3, 12]\n%2 = param 0 \"w\" f32[10, 12]\n"
                     "%3 = f32[5, 8, 9, 10] sum k0:12 of guard(i1 mod 2 == 0, i2 mod 3 == 1 ? "
                     "mul(%1[i0, i1 div 2, i2 div 3, k0], %2[i3, k0]) : 0.0)\nresult 0 = %3\n");
}
Test(loop, batched_product_of_converted_bytes) {
    expect_text_same("%1 = input 0 \"x\" u8[4, 20, 30]\n%2 = input 1 \"y\" f32[4, 30, 17]\n"
                     "%3 = f32[4, 20, 17] sum k0:30 of mul(div(f32(%1[i0, i1, k0]), 255.0), %2[i0, k0, i2])\n"
                     "result 0 = %3\n");
}

Test(loop, long_reductions_are_cut) {
    expect_text_same("%1 = input 0 \"x\" f32[600, 1000]\n%2 = f32[] sum k0:600, k1:1000 of mul(%1[k0, k1], 0.001)\n"
                     "%3 = f32[1000] max k0:600 of %1[k0, i0]\n"
                     "%4 = f32[1000] of add(%3[i0], %2)\nresult 0 = %4\n");
}

Test(loop, weight_gradient_of_a_convolution) {
    expect_text_same("%1 = input 0 \"x\" f32[4, 16, 16, 3]\n%2 = input 1 \"d\" f32[4, 16, 16, 16]\n"
                     "%3 = f32[3, 3, 3, 16] sum k0:4, k1:16, k2:16 of mul(guard(1 <= i0 + k1 < 17, 1 <= i1 + k2 < 17 ? "
                     "%1[k0, i0 + k1 - 1, i1 + k2 - 1, i2] : 0.0), %2[k0, k1, k2, i3])\nresult 0 = %3\n");
}

/* Parts of a row that conditions on the lane tell apart are loops of their own, without conditions. */
Test(loop, rows_side_by_side) {
    const char *text = "%1 = input 0 f32[20, 160]\n%2 = f32[20] max k0:160 of %1[i0, k0]\n"
                       "%3 = f32[20, 160] of exp(sub(%1[i0, i1], %2[i0]))\n"
                       "%4 = f32[20, 480] of add(guard(0 <= i1 < 160 ? %3[i0, i1] : 0.0), add("
                       "guard(160 <= i1 < 320 ? mul(%3[i0, i1 - 160], 2.0) : 0.0), "
                       "guard(320 <= i1 < 480 ? %1[i0, i1 - 320] : 0.0)))\n"
                       "%5 = f32[20] sum k0:480 of %4[i0, k0]\nresult 0 = %4\nresult 1 = %5\n";
    expect_text_same(text);
    Nnc *nnc = nnc_new();
    Built b = build(nnc, read_graph(nnc, text), &avx2);
    char *plan = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&plan, &len);
    loop_print(b.unit, out);
    fclose(out);
    cr_expect(!strstr(plan, "guard"), "%s", plan);
    free(plan);
    nnc_free(nnc);
}

Test(loop, vectors_and_matrices) {
    expect_text_same("%1 = param 0 \"w\" f32[70, 90]\n%2 = input 0 \"x\" f32[70]\n%3 = input 1 \"y\" f32[90]\n"
                     "%4 = f32[90] sum k0:70 of mul(%1[k0, i0], %2[k0])\n"
                     "%5 = f32[70] sum k0:90 of mul(%1[i0, k0], %3[k0])\nresult 0 = %4\nresult 1 = %5\n");
}

/* Few rows of a large matrix, which is read in order: vectors, some rows, what follows, sums that are cut unevenly and
 * a number that is a factor of each. */
Test(loop, few_rows_and_a_large_matrix) {
    const int sizes[][3] = {{1, 500, 784}, {2, 400, 331}, {3, 2100, 70}, {8, 64, 2100}};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        int m = sizes[i][0], n = sizes[i][1], k = sizes[i][2];
        Str s = {0};
        str_add(&s, "%%1 = input 0 \"a\" f32[%d, %d]\n%%2 = param 0 \"b\" f32[%d, %d]\n", m, k, k, n);
        str_add(&s, "%%3 = input 1 \"c\" f32[%d]\n%%4 = input 2 \"x\" f32[]\n", n);
        str_add(&s, "%%5 = f32[%d, %d] sum k0:%d of mul(mul(%%1[i0, k0], %%2[k0, i1]), %%4)\n", m, n, k);
        str_add(&s, "%%6 = f32[%d, %d] of max(0.0, add(%%5[i0, i1], %%3[i1]))\nresult 0 = %%6\n", m, n);
        str_add(&s, "%%7 = f32[%d] sum k0:%d of mul(%%2[k0, i0], %%1[0, k0])\nresult 1 = %%7\n", n, k);
        expect_text_same(s.at);
        vec_free(&s);
    }
}

Test(loop, products_of_many_factors) {
    expect_text_same(
        "%1 = input 0 \"x\" f32[20, 30]\n%2 = input 1 \"y\" f32[30, 20]\n"
        "%3 = f32[20, 20] sum k0:30 of {\n    t0 = mul(%1[i0, k0], %2[k0, i1])\n    t1 = mul(t0, t0)\n"
        "    t2 = mul(t1, t1)\n    t3 = mul(t2, t2)\n    mul(t3, mul(%1[i0, k0], t1))\n}\nresult 0 = %3\n");
}

Test(loop, lanes_that_a_limit_leaves_depend_on_the_tile) {
    expect_text_same("%1 = input 0 \"x\" f64[1, 8, 4, 3]\n"
                     "%2 = f64[1, 5, 24] sum k0:4 of mul(%1[0, i2 mod 8, k0, i2 div 8], f64(and(lt(i32[4*i1], "
                     "i32[5*k0 + 5]), lt(i32[5*k0], i32[4*i1 + 4]))))\nresult 0 = %2\n");
}

Test(loop, passes_through_what_it_is_given) {
    expect_text_same("%1 = param 0 \"p\" f32[5]\n%2 = param 1 \"q\" f32[5]\n%3 = input 0 \"x\" f32[5]\n"
                     "result 0 = %3\nresult 1 = %1\nparam 0 = %2\nparam 1 = %1\n");
}

Test(loop, one_value_for_several_outputs) {
    expect_text_same("%1 = param 0 \"p\" f32[5]\n%2 = state 0 \"q\" f32[5]\n%3 = f32[5] of mul(%1[i0], 2.0)\n"
                     "result 0 = %3\nresult 1 = %3\nparam 0 = %3\nstate 0 = %3\n");
}

Test(loop, nothing_at_all) {
    expect_text_same("%1 = param 0 \"p\" f32[0, 5]\n%2 = input 0 \"x\" f32[5]\n%3 = f32[0, 5] of mul(%1[i0, i1], 2.0)\n"
                     "%4 = f32[5] of add(%2[i0], guard(0 <= i0 < 0 ? %3[i0, 0] : 1.0))\n"
                     "result 0 = %3\nresult 1 = %4\nparam 0 = %1\n");
}

/* ---- sorts ---- */

Test(loop, sorts) {
    expect_text_same("%1 = input 0 \"x\" f32[300, 7, 40]\n%2 = f32[300, 7, 40] of mul(%1[i0, i1, i2], -2.0)\n"
                     "%3 = sort %2 first 40\n%4 = sort %2 descending first 3 \"top\"\n"
                     "%5 = f32[300, 7, 40] of %2[i0, i1, {%3[i0, i1, i2]}]\n"
                     "result 0 = %3\nresult 1 = %4\nresult 2 = %5\n");
    expect_text_same("%1 = input 0 \"x\" i32[100]\n%2 = input 1 \"b\" u8[20, 90]\n%3 = sort %1 first 100\n"
                     "%4 = sort %2 descending first 90\n%5 = sort %3 first 10\n"
                     "result 0 = %3\nresult 1 = %4\nresult 2 = %5\n");
    expect_text_same("%1 = input 0 \"x\" f32[5, 1]\n%2 = input 1 \"y\" f32[0, 4]\n%3 = sort %1 first 1\n"
                     "%4 = sort %2 first 2\nresult 0 = %3\nresult 1 = %4\n");
}

/* A row is ordered in room of the tile's own, and what it reads is stored. */
Test(loop, rows_of_a_sort_are_tiles) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, "%1 = input 0 \"x\" f64[1000, 100]\n%2 = f64[1000, 100] of abs(%1[i0, i1])\n"
                               "%3 = sort %2 first 100\nresult 0 = %3\n");
    Built b = build(nnc, g, &avx2);
    cr_assert_eq(b.unit->kernels.len, 2);
    int64_t tiles = b.unit->kernels.at[1]->tiles, room = tiles * 2 * 104 * 16;
    cr_expect_gt(tiles, 10);
    cr_expect_eq(b.unit->arena_bytes, 1000 * 100 * 8 + room, "%lld bytes", (long long)b.unit->arena_bytes);
    nnc_free(nnc);
}
