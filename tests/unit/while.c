/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* Whiles: their text, their meaning, and the loop nests and memory plans that come of them. */
#include "compiler/pass/passes.h"
#include "tests/unit/loops.h"

static Graph *read_while(Nnc *nnc, const char *text) {
    Graph *g = read_graph(nnc, text);
    cr_assert(g, "the graph doesn't read");
    char *first = graph_text(g), *second = graph_text(read_graph(nnc, first));
    cr_assert_str_eq(first, second);
    free(first);
    free(second);
    return g;
}

/* Compares the loop nests with the interpreter, also after simplification, and the interpreter with the one element
 * that is expected of the first result. */
static void expect_while(const char *text, double want) {
    const Machine *machines[] = {&sse, &avx2, &avx512};
    for (int i = 0; i < 3; i++) {
        Nnc *nnc = nnc_new();
        Graph *g = read_while(nnc, text), *simple = pass_simplify(nnc, g);
        ir_verify(simple, "simplify");
        expect_same(nnc, g, machines[i], 7);
        expect_same(nnc, simple, machines[i], 7);
        RandomData d = random_data(g, 7);
        interp_run(g, &d.env);
        const Node *n = ir_node(g, g->outputs.at[0].node);
        Scalar got = scalar_read(n->dtype, d.env.outputs[0], 0);
        double value = dtype_is_float(n->dtype) ? got.f : (double)got.i;
        cr_expect_float_eq(value, want, 1e-4, "%g, not %g", value, want);
        random_data_free(g, &d);
        nnc_free(nnc);
    }
}

/* How many carries the loops of a graph have. */
static int carries(const Graph *g) {
    int n = 0;
    for (Ref r = 1; r < g->nodes.len; r++) n += ir_node(g, r)->kind == N_SCAN ? ir_node(g, r)->scan.ncarry : 0;
    return n;
}

Test(loop_while, square_root) {
    expect_while("%1 = f64[] of 2.0\n%2 = carry 0 0 f64[]\n"
                 "%3 = bool[] of lt(1e-9, abs(sub(mul(%2, %2), %1)))\n"
                 "%4 = f64[] of mul(add(%2, div(%1, %2)), 0.5)\n"
                 "%5 = while 0 if %3 (%1 -> %4)\n%6 = result 0 of %5\nresult 0 = %6\n",
                 1.4142135);
}

/* gcd(84, 36): carries change places */
Test(loop_while, greatest_divisor) {
    expect_while("%1 = i32[] of 84\n%2 = i32[] of 36\n%3 = carry 0 0 i32[]\n%4 = carry 0 1 i32[]\n"
                 "%5 = bool[] of ne(%4, 0)\n"
                 "%6 = i32[] of sub(%3, mul(i32(floor(div(f64(%3), f64(%4)))), %4))\n"
                 "%7 = while 0 if %5 (%1 -> %4, %2 -> %6)\n%8 = result 0 of %7\n%9 = result 1 of %7\n"
                 "result 0 = %8\nresult 1 = %9\n",
                 12);
}

Test(loop_while, condition_is_a_carry) {
    expect_while("%1 = bool[] of true\n%2 = f32[] of 1.0\n%3 = carry 0 0 bool[]\n%4 = carry 0 1 f32[]\n"
                 "%5 = f32[] of mul(%4, 2.0)\n%6 = bool[] of lt(%5, 50.0)\n"
                 "%7 = while 0 if %3 (%1 -> %6, %2 -> %5)\n%8 = result 1 of %7\nresult 0 = %8\n",
                 64);
}

Test(loop_while, never_begins) {
    expect_while("%1 = input 0 f32[40]\n%2 = i32[] of 3\n%3 = carry 0 0 f32[40]\n%4 = carry 0 1 i32[]\n"
                 "%5 = f32[40] of add(%3[i0], 1.0)\n%6 = bool[] of lt(%4, 2)\n%7 = i32[] of add(%4, 1)\n"
                 "%8 = while 0 if %6 (%1 -> %5, %2 -> %7)\n%9 = result 1 of %8\n%10 = result 0 of %8\n"
                 "result 0 = %9\nresult 1 = %10\n",
                 3);
}

/* A condition that does not vary, and is false. */
Test(loop_while, condition_from_outside) {
    expect_while(
        "%1 = i32[] of 3\n%2 = state 0 f32[8]\n%3 = f32[] sum k0:8 of abs(%2[k0])\n%4 = bool[] of lt(%3, 0.0)\n"
        "%5 = carry 0 0 i32[]\n%6 = i32[] of add(%5, 1)\n%7 = while 0 if %4 (%1 -> %6)\n%8 = result 0 of %7\n"
        "%9 = f32[8] of add(%2[i0], 1.0)\nresult 0 = %8\nstate 0 = %9\n",
        3);
}

/* The number of iterations counts; the carried matrix is multiplied, and read by the condition. */
Test(loop_while, products) {
    expect_while("%1 = input 0 f32[6, 6]\n%2 = f32[6, 6] of mul(%1[i0, i1], 0.1)\n%3 = i32[] of 0\n"
                 "%4 = carry 0 0 f32[6, 6]\n%5 = carry 0 1 i32[]\n"
                 "%6 = f32[] max k0:6, k1:6 of abs(%4[k0, k1])\n"
                 "%7 = bool[] of and(lt(1e-6, %6), lt(%5, 9))\n"
                 "%8 = f32[6, 6] sum k0:6 of mul(%4[i0, k0], %2[k0, i1])\n"
                 "%9 = i32[] of add(%5, 1)\n%10 = while 0 if %7 (%1 -> %8, %3 -> %9)\n"
                 "%11 = result 1 of %10\n%12 = result 0 of %10\n%13 = f32[] of mul(f32(%11), 0.0)\n"
                 "result 0 = %13\nresult 1 = %12\nresult 2 = %11\n",
                 0);
}

/* Iterations of the inner loop: 0 + 1 + 2 + 3 + 4 */
Test(loop_while, nested) {
    expect_while("%1 = i32[] of 0\n%2 = carry 0 0 \"i\" i32[]\n%3 = carry 0 1 \"n\" i32[]\n"
                 "%4 = bool[] of lt(%2, 5)\n%5 = carry 1 0 \"j\" i32[]\n%6 = carry 1 1 \"n\" i32[]\n"
                 "%7 = bool[] of lt(%5, %2)\n%8 = i32[] of add(%5, 1)\n%9 = i32[] of add(%6, 1)\n"
                 "%10 = while 1 if %7 (%1 -> %8, %3 -> %9)\n%11 = result 1 of %10\n%12 = i32[] of add(%2, 1)\n"
                 "%13 = while 0 if %4 (%1 -> %12, %1 -> %11)\n%14 = result 1 of %13\nresult 0 = %14\n",
                 10);
}

/* The condition of the outer loop is what an inner one gives: that one runs once more than the rest of the body. */
Test(loop_while, condition_with_a_loop) {
    expect_while("%1 = f32[] of 100.0\n%2 = i32[] of 0\n%3 = carry 0 0 f32[]\n%4 = carry 0 1 i32[]\n"
                 "%5 = carry 1 0 f32[]\n%6 = bool[] of lt(8.0, %5)\n%7 = f32[] of mul(%5, 0.5)\n"
                 "%8 = while 1 if %6 (%3 -> %7)\n%9 = result 0 of %8\n%10 = bool[] of lt(5.0, %9)\n"
                 "%11 = f32[] of sub(%9, 1.0)\n%12 = i32[] of add(%4, 1)\n"
                 "%13 = while 0 if %10 (%1 -> %11, %2 -> %12)\n%14 = result 1 of %13\n%15 = result 0 of %13\n"
                 "result 0 = %14\nresult 1 = %15\n",
                 2);
}

Test(loop_while, scan_inside) {
    expect_while("%1 = input 0 f32[4, 9]\n%2 = i32[] of 0\n%3 = f32[9] of 0.0\n%4 = carry 0 0 f32[9]\n"
                 "%5 = carry 0 1 i32[]\n%6 = bool[] of lt(%5, 3)\n%7 = iteration 1\n%8 = carry 1 0 f32[9]\n"
                 "%9 = f32[9] of add(mul(%8[i0], 0.5), %1[0 + {%7}, i0])\n%10 = scan 1 in 4 (%4 -> %9) yields (%9)\n"
                 "%11 = result 0 of %10\n%12 = result 1 of %10\n%13 = f32[9] sum k0:4 of %12[k0, i0]\n"
                 "%14 = f32[9] of sub(%13[i0], %11[i0])\n%15 = i32[] of add(%5, 1)\n"
                 "%16 = while 0 if %6 (%3 -> %14, %2 -> %15)\n%17 = result 1 of %16\n%18 = result 0 of %16\n"
                 "result 0 = %17\nresult 1 = %18\n",
                 3);
}

Test(loop_while, inside_a_scan) {
    expect_while(
        "%1 = input 0 f32[4, 9]\n%2 = f32[9] of 1.0\n%3 = i32[] of 0\n%4 = iteration 0\n%5 = carry 0 0 f32[9]\n"
        "%6 = carry 0 1 i32[]\n%7 = carry 1 0 f32[9]\n%8 = carry 1 1 i32[]\n"
        "%9 = f32[] max k0:9 of abs(%7[k0])\n%10 = bool[] of lt(0.5, %9)\n"
        "%11 = f32[9] of mul(%7[i0], 0.5)\n%12 = i32[] of add(%8, 1)\n"
        "%13 = while 1 if %10 (%5 -> %11, %6 -> %12)\n%14 = result 0 of %13\n%15 = result 1 of %13\n"
        "%16 = f32[9] of add(%14[i0], mul(%1[0 + {%4}, i0], 0.0))\n%17 = f32[9] of mul(%16[i0], 4.0)\n"
        "%18 = scan 0 in 4 (%2 -> %17, %3 -> %15) yields (%14)\n"
        "%19 = result 1 of %18\n%20 = result 0 of %18\n%21 = result 2 of %18\n"
        "result 0 = %19\nresult 1 = %20\nresult 2 = %21\n",
        7);
}

/* A carry that the body assigns but nothing reads before the loop ends. */
Test(loop_while, last_value_of_what_is_not_read) {
    expect_while("%1 = i32[] of 0\n%2 = f32[3] of 9.0\n%3 = carry 0 0 i32[]\n%4 = bool[] of lt(%3, 4)\n"
                 "%5 = i32[] of add(%3, 1)\n%6 = f32[3] of mul(f32(%5), 10.0)\n"
                 "%7 = while 0 if %4 (%1 -> %5, %2 -> %6)\n%8 = result 1 of %7\nresult 0 = %8\n",
                 40);
}

Test(loop_while, of_random_numbers) {
    expect_while("%1 = input 0 i32[]\n%2 = i32[] of 0\n%3 = iteration 0\n%4 = carry 0 0 i32[]\n"
                 "%5 = i32[] of random(%1, 2, %3, 3)\n%6 = bool[] of lt(%4, 5)\n"
                 "%7 = i32[] of add(%4, 1)\n%8 = carry 0 1 i32[]\n%9 = i32[] of add(%8, %5)\n"
                 "%11 = while 0 if %6 (%2 -> %7, %2 -> %9)\n%12 = result 0 of %11\n%13 = result 1 of %11\n"
                 "result 0 = %12\nresult 1 = %13\n",
                 5);
}

/* One carry changes; one never does, one is never read. */
Test(loop_while, carries_that_are_not_needed_go) {
    Nnc *nnc = nnc_new();
    Graph *g = read_while(nnc, "%1 = i32[] of 0\n%2 = input 0 f32[5]\n%3 = carry 0 0 i32[]\n%4 = carry 0 1 f32[5]\n"
                               "%5 = carry 0 2 f32[5]\n%6 = bool[] of lt(%3, 4)\n%7 = i32[] of add(%3, 1)\n"
                               "%8 = f32[5] of add(%5[i0], %4[i0])\n"
                               "%9 = while 0 if %6 (%1 -> %7, %2 -> %4, %2 -> %8)\n"
                               "%10 = result 0 of %9\n%11 = result 1 of %9\nresult 0 = %10\nresult 1 = %11\n");
    Graph *simple = pass_simplify(nnc, g);
    ir_verify(simple, "simplify");
    cr_expect_eq(carries(simple), 1);
    expect_same(nnc, simple, &avx2, 3);
    nnc_free(nnc);
}
