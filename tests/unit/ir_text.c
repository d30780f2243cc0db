/* links: nnc_ir nnc_reference */
/* The IR as text, there and back, of random graphs too, which must be sound, tame and the same for the same seed. */
#include "compiler/ir/private.h"
#include "tests/reference/random_graph.h"
#include "tests/unit/graphs.h"

#include <criterion/criterion.h>
#include <math.h>

Test(ir_text, text_is_pleasant) {
    Fix f = fix_new();
    const char *text = "%1 = input 0 \"image\" u8[100, 784]\n"
                       "%2 = param 0 \"w\" f32[784, 500]\n"
                       "%3 = constant f32[2] {0.1, -inf}\n"
                       "%4 = f32[100, 500] \"hidden\" sum k0:784 of mul(%2[k0, i1], f32(%1[i0, k0]))\n"
                       "%5 = f32[100, 500] of {\n"
                       "    t0 = exp(%4[i0, i1])\n"
                       "    div(t0, add(t0, 1.0))\n"
                       "}\n"
                       "%6 = f32[] sum k0:100 of guard(1 <= k0 < 60 ? %4[k0 - 1, 0] : 0.5)\n"
                       "%7 = mark %2\n"
                       "%8 = grad %6 wrt %7\n"
                       "%9 = f64[500] of select(lt(%2[0, i0], %3[1]), f64(%2[1, i0]), f64(1e-05))\n"
                       "result 0 \"y\" = %5\n"
                       "result 1 = %9\n"
                       "param 0 \"w\" = %8\n";
    Graph *g = read_graph(f.nnc, text);
    if (!g) diag_print(f.nnc, stderr, false);
    cr_assert(g);
    expect_text(g, text);
    fix_free(&f);
}

static void expect_same_text(const Graph *a, const Graph *b, int seed) {
    char *x = graph_text(a), *y = graph_text(b);
    cr_assert_str_eq(x, y, "seed %d", seed);
    free(x);
    free(y);
}

static void expect_same_outputs(const Graph *a, const Graph *b, int seed) {
    RandomData x = random_data(a, (uint64_t)seed), y = random_data(b, (uint64_t)seed);
    interp_run(a, &x.env);
    interp_run(b, &y.env);
    for (size_t i = 0; i < a->outputs.len; i++) {
        const Node *n = ir_node(a, a->outputs.at[i].node);
        size_t size = (size_t)ir_elements(n) * dtype_size(n->dtype);
        cr_assert_eq(memcmp(x.env.outputs[i], y.env.outputs[i], size), 0, "seed %d, output %zu", seed, i);
    }
    random_data_free(a, &x);
    random_data_free(b, &y);
}

Test(ir_text, random_graphs_are_sound_and_read_back) {
    for (int seed = 1; seed <= 150; seed++) {
        Nnc *nnc = nnc_new();
        Graph *g = random_graph(nnc, (uint64_t)seed, seed % 3 ? DT_F32 : DT_F64, 12, RANDOM_SCANS | RANDOM_WHILES);
        ir_verify(g, "random_graph");
        char *text = graph_text(g);
        Graph *back = read_graph(nnc, text);
        if (!back) {
            fputs(text, stderr);
            diag_print(nnc, stderr, false);
        }
        cr_assert(back, "seed %d", seed);
        expect_same_text(g, back, seed);
        free(text);
        /* a copy is the same graph, and so is one without dead nodes, of which there are none but leaves */
        Graph *small = ir_compact(g, NULL);
        ir_verify(small, "ir_compact");
        expect_same_outputs(g, small, seed);
        nnc_free(nnc);
    }
}

static bool is_tame(const Node *n, const void *data) {
    for (int64_t i = 0; dtype_is_float(n->dtype) && i < ir_elements(n); i++)
        if (!(fabs(scalar_read(n->dtype, data, i).f) <= 200)) return false;
    return true;
}

Test(ir_text, random_graphs_are_tame_and_repeatable) {
    for (int seed = 1; seed <= 60; seed++) {
        Nnc *nnc = nnc_new();
        Graph *g = random_graph(nnc, (uint64_t)seed, DT_F32, 15, RANDOM_SCANS | RANDOM_WHILES),
              *again = random_graph(nnc, (uint64_t)seed, DT_F32, 15, RANDOM_SCANS | RANDOM_WHILES);
        expect_same_text(g, again, seed);
        RandomData d = random_data(g, 3);
        interp_run(g, &d.env);
        for (size_t i = 0; i < g->outputs.len; i++)
            cr_assert(is_tame(ir_node(g, g->outputs.at[i].node), d.env.outputs[i]), "seed %d, output %zu", seed, i);
        random_data_free(g, &d);
        nnc_free(nnc);
    }
}

Test(ir_text, shared_and_deep_bodies_print_in_linear_size) {
    Fix f = fix_new();
    Ref x = leaf(&f, 0, DT_F32, 1, (int64_t[]){4});
    Ex e = load1(&f, x, var(&f, 0, 0));
    for (int i = 0; i < 60; i++) e = ex_op(f.g, EX_MUL, ex_op(f.g, EX_SIN, e, 0, 0), ex_op(f.g, EX_COS, e, 0, 0), 0);
    for (int i = 0; i < 3000; i++) e = ex_op(f.g, i % 2 ? EX_EXP : EX_LOG, e, 0, 0);
    ir_output(f.g, OUT_RESULT, 0, ir_comp(f.g, RED_NONE, 1, 0, (int64_t[]){4}, e, nowhere), NULL);
    char *text = graph_text(f.g);
    cr_expect_lt(strlen(text), 60000);
    Graph *back = read_graph(f.nnc, text);
    cr_assert(back);
    expect_same_text(f.g, back, 0);
    free(text);
    fix_free(&f);
}

Test(ir_text, faulty_text_is_reported) {
    static const char *const faulty[] = {
        "%1 = input 0 f32[4",
        "%1 = input 0 q32[4]",
        "%1 = f32[4] of %2[i0]",
        "%1 = input 0 f32[4]\n%1 = f32[4] of %1[i0]",
        "%1 = input 0 f32[4]\n%2 = f32[4] of %1[i1]",
        "%1 = input 0 f32[4]\n%2 = f32[4] of %1[i0, i0]",
        "%1 = input 0 f32[4]\n%2 = f32[4] of %1[i0 + 1]",
        "%1 = input 0 f32[4]\n%2 = f32[4] of guard(i0 < 4 ? %1[i0 + 1] : 0.0)",
        "%1 = input 0 f32[4]\n%2 = f64[4] of %1[i0]",
        "%1 = input 0 f32[4]\n%2 = f32[4] of idiv(%1[i0], 2)",
        "%1 = input 0 f32[4]\n%2 = f32[4] of add(%1[i0], i32[i0])",
        "%1 = input 0 f32[4]\n%2 = f32[4] of nonsense(%1[i0])",
        "%1 = input 0 f32[4]\n%2 = f32[4] of add(%1[i0])",
        "%1 = input 0 f32[4]\n%2 = i32[] argmax k0:0 of %1[k0]",
        "%1 = input 0 f32[4]\n%2 = grad %1 wrt %1",
        "%1 = constant f32[1000000000] {1.0}",
        "%1 = f32[] of 99999999999999999999999999999i",
        "%1 = input 0 f32[4]\n%2 = f32[3] scatter q0:4 of %1[q0] at [q0]",
        "%1 = input 0 f32[4]\n%2 = sort %1 first 5",
        "%1 = input 0 f32[]\n%2 = sort %1 first 0",
        "result 0 = %1",
        "hello",
    };
    for (size_t i = 0; i < COUNT(faulty); i++) {
        Nnc *nnc = nnc_new();
        cr_expect_null(read_graph(nnc, faulty[i]), "%s", faulty[i]);
        cr_expect_eq(nnc->diags.errors, 1, "%s", faulty[i]);
        nnc_free(nnc);
    }
}
