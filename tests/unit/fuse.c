/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* What becomes one kernel, what is stored, and that it still computes the same. */
#include "tests/unit/loops.h"

#include "compiler/pass/contraction.h"

enum {
    KERNELS_OF_A_SCAN = 5
}; /* a first value, its copies into the carry and out of it, and the next value, in place */

static Built built(Nnc *nnc, const char *text) {
    Graph *g = read_graph(nnc, text);
    cr_assert(g, "the graph doesn't read");
    expect_same(nnc, g, &avx2, 3);
    expect_same(nnc, g, &avx512, 3);
    return build(nnc, g, &avx2);
}

static void expect_kernels(const char *text, size_t kernels) {
    Nnc *nnc = nnc_new();
    Built b = built(nnc, text);
    if (b.unit->kernels.len != kernels) loop_print(b.unit, stderr);
    cr_expect_eq(b.unit->kernels.len, kernels, "%zu kernels, not %zu", b.unit->kernels.len, kernels);
    nnc_free(nnc);
}

Test(fuse, softmax_is_one_kernel) {
    expect_kernels("%1 = input 0 \"x\" f32[100, 200]\n"
                   "%2 = f32[100] max k0:200 of %1[i0, k0]\n"
                   "%3 = f32[100, 200] of sub(%1[i0, i1], %2[i0])\n"
                   "%4 = f32[100, 200] of exp(%3[i0, i1])\n"
                   "%5 = f32[100] sum k0:200 of %4[i0, k0]\n"
                   "%6 = f32[100, 200] of div(%4[i0, i1], %5[i0])\n"
                   "result 0 = %6\n",
                   1);
}

Test(fuse, layer_norm_is_one_kernel) {
    expect_kernels("%1 = input 0 \"x\" f32[64, 300]\n%2 = input 1 \"g\" f32[300]\n%9 = input 2 \"b\" f32[300]\n"
                   "%3 = f32[64] sum k0:300 of mul(%1[i0, k0], 0.0033333334)\n"
                   "%4 = f32[64, 300] of sub(%1[i0, i1], %3[i0])\n"
                   "%5 = f32[64] sum k0:300 of mul(mul(%4[i0, k0], %4[i0, k0]), 0.0033333334)\n"
                   "%6 = f32[64] of rsqrt(add(%5[i0], 0.00001))\n"
                   "%7 = f32[64, 300] of mul(mul(%4[i0, i1], %6[i0]), %2[i1])\n"
                   "%8 = f32[64, 300] of add(%7[i0, i1], %9[i1])\n"
                   "result 0 = %8\n",
                   1);
}

Test(fuse, dense_with_activation_is_one_kernel) {
    expect_kernels("%1 = input 0 \"x\" f32[50, 40]\n%2 = param 0 \"w\" f32[40, 30]\n%3 = param 1 \"b\" f32[30]\n"
                   "%4 = f32[50, 30] sum k0:40 of mul(%1[i0, k0], %2[k0, i1])\n"
                   "%5 = f32[50, 30] of add(%4[i0, i1], %3[i1])\n"
                   "%6 = f32[50, 30] of max(%5[i0, i1], 0.0)\n"
                   "%7 = f32[50, 30] of tanh(%6[i0, i1])\n"
                   "result 0 = %6\nresult 1 = %7\n",
                   1);
}

/* One step of a 36-48-10 network with cross-entropy and Adam, batch 20, as it comes out of autodiff. */
static const char *const mlp_step =
    "%1 = input 0 \"image\" u8[20, 36]\n%2 = input 1 \"label\" i32[20]\n"
    "%3 = param 0 \"w1\" f32[36, 48]\n%4 = param 1 \"b1\" f32[48]\n"
    "%5 = param 2 \"w2\" f32[48, 10]\n%6 = param 3 \"b2\" f32[10]\n"
    "%7 = state 0 \"m1\" f32[36, 48]\n%8 = state 1 \"v1\" f32[36, 48]\n"
    "%10 = f32[20, 36] of div(f32(%1[i0, i1]), 255.0)\n"
    "%11 = f32[20, 48] sum k0:36 of mul(%10[i0, k0], %3[k0, i1])\n"
    "%12 = f32[20, 48] of add(%11[i0, i1], %4[i1])\n"
    "%13 = f32[20, 48] of max(%12[i0, i1], 0.0)\n"
    "%14 = f32[20, 10] sum k0:48 of mul(%13[i0, k0], %5[k0, i1])\n"
    "%15 = f32[20, 10] of add(%14[i0, i1], %6[i1])\n"
    "%16 = f32[20] max k0:10 of %15[i0, k0]\n"
    "%17 = f32[20, 10] of exp(sub(%15[i0, i1], %16[i0]))\n"
    "%18 = f32[20] sum k0:10 of %17[i0, k0]\n"
    "%19 = f32[20] of sub(add(log(%18[i0]), %16[i0]), %15[i0, {imod(%2[i0], 10)}])\n"
    "%20 = f32[] sum k0:20 of mul(%19[k0], 0.05)\n"
    "%21 = f32[20, 10] of mul(sub(div(%17[i0, i1], %18[i0]), select(eq(i32[i1], imod(%2[i0], 10)), 1.0, 0.0)), 0.05)\n"
    "%22 = f32[48, 10] sum k0:20 of mul(%13[k0, i0], %21[k0, i1])\n"
    "%23 = f32[10] sum k0:20 of %21[k0, i0]\n"
    "%24 = f32[20, 48] sum k0:10 of mul(%21[i0, k0], %5[i1, k0])\n"
    "%25 = f32[20, 48] of select(lt(0.0, %12[i0, i1]), %24[i0, i1], 0.0)\n"
    "%26 = f32[36, 48] sum k0:20 of mul(%10[k0, i0], %25[k0, i1])\n"
    "%27 = f32[48] sum k0:20 of %25[k0, i0]\n"
    "%28 = f32[36, 48] of add(mul(%7[i0, i1], 0.9), mul(%26[i0, i1], 0.1))\n"
    "%29 = f32[36, 48] of add(mul(%8[i0, i1], 0.999), mul(mul(%26[i0, i1], %26[i0, i1]), 0.001))\n"
    "%30 = f32[36, 48] of sub(%3[i0, i1], div(mul(%28[i0, i1], 0.001), add(sqrt(abs(%29[i0, i1])), 0.00000001)))\n"
    "%31 = f32[48] of sub(%4[i0], mul(%27[i0], 0.01))\n"
    "%32 = f32[48, 10] of sub(%5[i0, i1], mul(%22[i0, i1], 0.01))\n"
    "%33 = f32[10] of sub(%6[i0], mul(%23[i0], 0.01))\n"
    "result 0 \"loss\" = %20\nparam 0 = %30\nparam 1 = %31\nparam 2 = %32\nparam 3 = %33\nstate 0 = %28\nstate 1 = "
    "%29\n";

/* A vector times a large matrix: some of the sums at a time for all lanes, then what follows on what these come to. */
Test(fuse, vector_times_matrix) {
    expect_kernels("%1 = input 0 f32[1024]\n%2 = param 0 f32[1024, 600]\n"
                   "%3 = f32[600] sum k0:1024 of mul(%1[k0], %2[k0, i0])\n"
                   "%4 = f32[600] of max(0.0, %3[i0])\nresult 0 = %4\n",
                   2);
}

Test(fuse, a_training_step) { expect_kernels(mlp_step, 8); }

/* The largest buffer of the arena, in elements. */
static int64_t largest(const Built *b) {
    int64_t most = 0;
    for (size_t i = 0; i < b->unit->buffers.len; i++) {
        const Buffer *x = &b->unit->buffers.at[i];
        if (x->kind == BUF_MEMORY && x->base == BASE_ARENA) most = MAX(most, x->elems);
    }
    return most;
}

Test(fuse, the_gradient_of_a_weight_is_not_stored) {
    Nnc *nnc = nnc_new();
    Built b = built(nnc, mlp_step);
    cr_expect_leq(largest(&b), 20 * 48); /* activations; the gradient would be 36 * 48 */
    nnc_free(nnc);
}

/* Padded operand, partial products over parts of the batch, their sum with what follows: the sums are shared out, not
 * the results, of which each unit would read the whole batch. */
Test(fuse, long_products_are_cut) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, "%1 = input 0 \"x\" f32[32, 16, 16, 16]\n%2 = input 1 \"d\" f32[32, 16, 16, 32]\n"
                               "%3 = param 0 \"w\" f32[3, 3, 16, 32]\n"
                               "%4 = f32[3, 3, 16, 32] sum k0:32, k1:16, k2:16 of mul(guard(1 <= i0 + k1 < 17, "
                               "1 <= i1 + k2 < 17 ? %1[k0, i0 + k1 - 1, i1 + k2 - 1, i2] : 0.0), %2[k0, k1, k2, i3])\n"
                               "%5 = f32[3, 3, 16, 32] of sub(%3[i0, i1, i2, i3], mul(%4[i0, i1, i2, i3], 0.5))\n"
                               "result 0 = %5\n");
    cr_assert(g, "the graph doesn't read");
    Built b = build(nnc, g, &avx2);
    cr_expect_eq(b.unit->kernels.len, 3, "%zu kernels", b.unit->kernels.len);
    cr_expect_eq(b.unit->kernels.at[1]->tiles, 32, "%lld tiles", (long long)b.unit->kernels.at[1]->tiles);
    nnc_free(nnc);
}

/* What is large and little work from a tensor that is kept is computed twice, not stored. */
Test(fuse, a_large_function_of_a_kept_tensor_is_not_stored) {
    Nnc *nnc = nnc_new();
    Built b = built(nnc, "%1 = input 0 f32[512, 512]\n%2 = input 1 f32[512]\n%3 = input 2 f32[512, 512]\n"
                         "%4 = f32[512, 512] of add(%1[i0, i1], %2[i1])\n%5 = f32[512, 512] of mul(%4[i0, i1], 0.7)\n"
                         "%6 = f32[512, 512] of sigmoid(%5[i0, i1])\n%7 = f32[512, 512] of add(%6[i0, i1], 1.0)\n"
                         "%8 = f32[512, 512] of mul(%7[i0, i1], %4[i0, i1])\n"
                         "%9 = f32[512] sum k0:512 of mul(%7[k0, i0], %3[k0, i0])\n"
                         "result 0 = %4\nresult 1 = %8\nresult 2 = %9\n");
    cr_expect_lt(b.unit->arena_bytes, 512 * 512 * 4);
    nnc_free(nnc);
}

/* Nor is what takes an operation or two from such a tensor, though several read it: deviations from a mean. */
Test(fuse, deviations_of_a_kept_tensor_are_not_stored) {
    Nnc *nnc = nnc_new();
    Built b = built(nnc, "%1 = input 0 f32[512, 512]\n%2 = f32[512, 512] of exp(%1[i0, i1])\n"
                         "%3 = f32[512] sum k0:512 of %2[k0, i0]\n"
                         "%4 = f32[512, 512] of sub(%2[i0, i1], %3[i1])\n"
                         "%5 = f32[512] sum k0:512 of mul(%4[k0, i0], %4[k0, i0])\n"
                         "%6 = f32[512, 512] of mul(%4[i0, i1], %5[i1])\n"
                         "%7 = f32[512] sum k0:512 of mul(%4[k0, i0], %6[k0, i0])\n"
                         "%8 = f32[512, 512] of add(%4[i0, i1], %7[i1])\n"
                         "result 0 = %2\nresult 1 = %6\nresult 2 = %8\n");
    cr_expect_lt(b.unit->arena_bytes, 512 * 512 * 4);
    nnc_free(nnc);
}

/* Where sums are few, results are written in the order in which they lie, though the weights are transposed for it. */
Test(fuse, lanes_of_short_products_follow_each_other) {
    Nnc *nnc = nnc_new();
    Graph *g = read_graph(nnc, "%1 = input 0 f32[64, 64]\n%2 = param 0 \"w\" f32[1024, 64]\n"
                               "%3 = f32[64, 1024] sum k0:64 of mul(%1[i0, k0], %2[i1, k0])\nresult 0 = %3\n");
    Contraction c;
    cr_assert(contraction_of(g, g->outputs.at[0].node, ir_homes(g), &c));
    cr_expect_eq(c.lane, 1);
    nnc_free(nnc);
}

/* What iterations read a part of each is made there; what each of them reads is made once before, as is what a product
 * reads. */
Test(fuse, parts_are_made_in_iterations) {
    expect_kernels("%1 = input 0 f32[7, 40]\n%2 = f32[40] of 0.5\n%3 = f32[7, 40] of exp(%1[i0, i1])\n"
                   "%4 = iteration 0\n%5 = carry 0 0 f32[40]\n%6 = f32[40] of mul(%5[i0], %3[0 + {%4}, i0])\n"
                   "%7 = scan 0 in 7 (%2 -> %6) yields ()\n%8 = result 0 of %7\nresult 0 = %8\n",
                   KERNELS_OF_A_SCAN);
    expect_kernels("%1 = input 0 f32[40]\n%2 = f32[40] of 0.5\n%3 = f32[40] of exp(%1[i0])\n"
                   "%5 = carry 0 0 f32[40]\n%6 = f32[40] of mul(%5[i0], %3[i0])\n"
                   "%7 = scan 0 in 7 (%2 -> %6) yields ()\n%8 = result 0 of %7\nresult 0 = %8\n",
                   KERNELS_OF_A_SCAN + 1);
    expect_kernels("%1 = input 0 f32[7, 40]\n%2 = f32[40] of 0.5\n%3 = f32[7, 40] of exp(%1[i0, i1])\n"
                   "%4 = iteration 0\n%5 = carry 0 0 f32[40]\n%9 = f32[] sum k0:40 of %3[0 + {%4}, k0]\n"
                   "%6 = f32[40] of mul(%5[i0], %9)\n"
                   "%7 = scan 0 in 7 (%2 -> %6) yields ()\n%8 = result 0 of %7\nresult 0 = %8\n",
                   KERNELS_OF_A_SCAN + 1);
}
