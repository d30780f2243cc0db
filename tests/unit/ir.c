/* links: nnc_ir nnc_reference */
/* The IR: folding and algebra, canonical comprehensions, guards, verification, interpretation. */
#include "tests/reference/random_graph.h"
#include "tests/unit/graphs.h"

#include "compiler/ir/private.h"

#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* ---- scalars ---- */

Test(ir, constants_fold_in_their_type) {
    Fix f = fix_new();
    Graph *g = f.g;
    Ex a = ex_float(g, DT_F32, 0.1), b = ex_float(g, DT_F32, 0.2);
    cr_expect_eq(ex_op(g, EX_ADD, a, b, 0), ex_float(g, DT_F32, (double)(0.1f + 0.2f)));
    cr_expect_eq(ex_op(g, EX_ADD, ex_int(g, DT_I32, INT32_MAX), ex_int(g, DT_I32, 1), 0), ex_int(g, DT_I32, INT32_MIN));
    cr_expect_eq(ex_op(g, EX_MUL, ex_int(g, DT_U8, 16), ex_int(g, DT_U8, 17), 0), ex_int(g, DT_U8, 16));
    cr_expect_eq(ex_op(g, EX_IDIV, ex_int(g, DT_I32, -7), ex_int(g, DT_I32, 2), 0), ex_int(g, DT_I32, -4));
    cr_expect_eq(ex_op(g, EX_IMOD, ex_int(g, DT_I32, -7), ex_int(g, DT_I32, 3), 0), ex_int(g, DT_I32, 2));
    cr_expect_eq(ex_op(g, EX_IMOD, ex_int(g, DT_I32, 7), ex_int(g, DT_I32, -3), 0), ex_int(g, DT_I32, -2));
    cr_expect_eq(ex_op(g, EX_IDIV, ex_int(g, DT_I64, INT64_MIN), ex_int(g, DT_I64, -1), 0),
                 ex_int(g, DT_I64, INT64_MIN));
    cr_expect_eq(ex_op(g, EX_IDIV, ex_int(g, DT_I32, 5), ex_int(g, DT_I32, 0), 0), ex_int(g, DT_I32, 0));
    cr_expect_eq(ex_op(g, EX_LT, a, b, 0), ex_int(g, DT_BOOL, 1));
    cr_expect_eq(ex_op(g, EX_MAX, ex_float(g, DT_F64, NAN), ex_float(g, DT_F64, 1), 0), ex_float(g, DT_F64, NAN));
    cr_expect_eq(ex_cast(g, DT_U8, ex_float(g, DT_F32, 300.7)), ex_int(g, DT_U8, 255));
    cr_expect_eq(ex_cast(g, DT_I32, ex_float(g, DT_F32, NAN)), ex_int(g, DT_I32, 0));
    cr_expect_eq(ex_cast(g, DT_I64, ex_float(g, DT_F64, 1e30)), ex_int(g, DT_I64, INT64_MAX));
    cr_expect_eq(ex_cast(g, DT_U8, ex_int(g, DT_I32, 300)), ex_int(g, DT_U8, 44));
    cr_expect_neq(ex_float(g, DT_F32, 0.0), ex_float(g, DT_F32, -0.0));
    fix_free(&f);
}

Test(ir, algebra_is_exact) {
    Fix f = fix_new();
    Graph *g = f.g;
    Ref r = leaf(&f, 0, DT_F32, 1, (int64_t[]){9});
    Ex x = load1(&f, r, var(&f, 0, 0)), zero = ex_float(g, DT_F32, 0), one = ex_float(g, DT_F32, 1);
    Ex minus = ex_op(g, EX_NEG, x, 0, 0);
    cr_expect_eq(ex_op(g, EX_MUL, one, x, 0), x);
    cr_expect_eq(ex_op(g, EX_ADD, x, ex_float(g, DT_F32, -0.0), 0), x);
    cr_expect_eq(ex_op(g, EX_SUB, x, zero, 0), x);
    cr_expect_eq(ex_op(g, EX_NEG, minus, 0, 0), x);
    cr_expect_eq(ex_op(g, EX_POW, x, ex_float(g, DT_F32, 2), 0), ex_op(g, EX_MUL, x, x, 0));
    cr_expect_eq(ex_op(g, EX_DIV, x, ex_float(g, DT_F32, 4), 0), ex_op(g, EX_MUL, x, ex_float(g, DT_F32, 0.25), 0));
    cr_expect_eq(ir_expr(g, ex_op(g, EX_DIV, x, ex_float(g, DT_F32, 3), 0))->kind, EX_DIV);
    cr_expect_eq(ex_op(g, EX_ADD, minus, one, 0), ex_op(g, EX_SUB, one, x, 0));
    cr_expect_eq(ex_op(g, EX_SELECT, ex_op(g, EX_LT, x, x, 0), x, one), one);
    cr_expect_eq(ex_cast(g, DT_F32, ex_cast(g, DT_F64, x)), x);
    /* these would be wrong for -0, NaN or infinity */
    cr_expect_eq(ir_expr(g, ex_op(g, EX_ADD, x, zero, 0))->kind, EX_ADD);
    cr_expect_eq(ir_expr(g, ex_op(g, EX_MUL, x, zero, 0))->kind, EX_MUL);
    cr_expect_eq(ir_expr(g, ex_op(g, EX_SUB, x, x, 0))->kind, EX_SUB);
    cr_expect_eq(ir_expr(g, ex_op(g, EX_SUB, zero, x, 0))->kind, EX_SUB);
    cr_expect_eq(ir_expr(g, ex_op(g, EX_EQ, x, x, 0))->kind, EX_EQ);
    cr_expect_eq(ir_expr(g, ex_cast(g, DT_F32, ex_cast(g, DT_F16, x)))->kind, EX_CAST);
    /* commutative operands have one order */
    cr_expect_eq(ex_op(g, EX_ADD, x, ex_op(g, EX_EXP, x, 0, 0), 0), ex_op(g, EX_ADD, ex_op(g, EX_EXP, x, 0, 0), x, 0));
    fix_free(&f);
}

/* Every rewrite keeps the number: random operations on awkward operands, folded late (loaded) and early (constants). */
Test(ir, algebra_agrees_with_values) {
    static const double awkward[] = {0.0, -0.0, 1, -1, 2, 0.5, -3, INFINITY, -INFINITY, NAN, 1e-45, 3e38};
    enum { N = COUNT(awkward), TRIALS = 400 };
    Fix f = fix_new();
    Graph *g = f.g;
    Ref r = leaf(&f, 0, DT_F32, 1, (int64_t[]){N});
    float data[N];
    for (int i = 0; i < N; i++) data[i] = (float)awkward[i];
    uint64_t seed = 7;
    Scalar want[TRIALS][N];
    for (int trial = 0; trial < TRIALS; trial++) {
        Ex sym[5] = {load1(&f, r, var(&f, 0, 0))};
        Scalar val[5][N];
        for (int i = 0; i < N; i++) val[0][i].f = (double)data[i];
        for (int k = 1; k < 5; k++) {
            static const ExKind ops[] = {EX_ADD, EX_SUB, EX_MUL, EX_DIV,   EX_NEG,
                                         EX_ABS, EX_MIN, EX_MAX, EX_FLOOR, EX_POW};
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            ExKind op = ops[(seed >> 33) % COUNT(ops)];
            int a = (int)((seed >> 40) % (uint64_t)k), b = (int)((seed >> 45) % (uint64_t)(k + 1)),
                c = (int)((seed >> 50) % N);
            bool binary = op_info(op)->arity == 2, number = binary && b == k, swap = (seed >> 60) % 2;
            Ex y = number ? ex_float(g, DT_F32, awkward[c]) : sym[b % k];
            sym[k] = !binary ? ex_op(g, op, sym[a], 0, 0)
                     : swap  ? ex_op(g, op, y, sym[a], 0)
                             : ex_op(g, op, sym[a], y, 0);
            for (int i = 0; i < N; i++) {
                Scalar v = number ? (Scalar){.f = (double)(float)awkward[c]} : val[b % k][i];
                val[k][i] = scalar_op(op, DT_F32, binary && swap ? (Scalar[]){v, val[a][i]} : (Scalar[]){val[a][i], v});
            }
        }
        memcpy(want[trial], val[4], sizeof want[trial]);
        ir_output(g, OUT_RESULT, trial, ir_comp(g, RED_NONE, 1, 0, (int64_t[]){N}, sym[4], nowhere), NULL);
    }
    InterpEnv env = {.inputs = (const void *[]){data}};
    interp_run(g, &env);
    for (int trial = 0; trial < TRIALS; trial++)
        for (int i = 0; i < N; i++) {
            double got = (double)((float *)env.outputs[trial])[i], is = want[trial][i].f;
            cr_assert(isnan(is) ? isnan(got) : got == is && signbit(got) == signbit(is), "trial %d: %g is not %g",
                      trial, got, is);
        }
    interp_free(g, &env);
    fix_free(&f);
}

Test(ir, narrow_floats_round_to_even) {
    cr_expect_eq(f16_bits(1), 0x3C00);
    cr_expect_eq(f16_bits(65504), 0x7BFF);
    cr_expect_eq(f16_bits(65520), 0x7C00);
    cr_expect_eq(f16_bits(0x1p-24), 1);
    cr_expect_eq(f16_bits(0x1p-25), 0);
    cr_expect_eq(f16_bits(-2), 0xC000);
    cr_expect_eq(f16_bits(1 + 0x1p-11), 0x3C00);
    cr_expect_eq(f16_bits(1 + 3 * 0x1p-11), 0x3C02);
    cr_expect_eq(bf16_bits(1), 0x3F80);
    for (uint32_t b = 0; b < 0x10000; b++) {
        double h = f16_value((uint16_t)b), w = bf16_value((uint16_t)b);
        if (!isnan(h)) cr_assert_eq(f16_bits(h), b);
        uint32_t bits = b << 16;
        float single;
        memcpy(&single, &bits, sizeof single);
        if (!isnan(w)) cr_assert(bf16_bits(w) == b && (double)single == w);
    }
}

Test(ir, threefry) {
    cr_expect_eq(interp_threefry(0, 0, 0, 0), 0x6b200159);
    cr_expect_eq(interp_threefry(0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff), 0x1cb996fc);
    cr_expect_eq(interp_threefry(0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3), 0xc4923a9c);
}

/* ---- comprehensions and guards ---- */

Test(ir, comprehensions_are_canonical) {
    Fix f = fix_new();
    Graph *g = f.g;
    Ref x = leaf(&f, 0, DT_F32, 1, (int64_t[]){8});
    Ex here = load1(&f, x, var(&f, 0, 0));
    cr_expect_eq(ir_comp(g, RED_NONE, 1, 0, (int64_t[]){8}, here, nowhere), x);
    Ref part = ir_comp(g, RED_NONE, 1, 0, (int64_t[]){7}, here, nowhere);
    cr_expect_neq(part, x);
    cr_expect_eq(ir_comp(g, RED_NONE, 1, 0, (int64_t[]){7}, here, nowhere), part);
    /* over one element, over nothing, over an index that isn't used */
    Ref one = ir_comp(g, RED_SUM, 1, 1, (int64_t[]){8, 1}, load1(&f, x, aff_add(g->affs, var(&f, 0, 0), var(&f, 1, 0))),
                      nowhere);
    cr_expect_eq(one, x);
    Ref none = ir_comp(g, RED_MAX, 1, 1, (int64_t[]){8, 0}, here, nowhere);
    cr_expect_eq(ir_node(g, none)->comp.body, ex_float(g, DT_F32, -INFINITY));
    cr_expect_eq(load1(&f, none, var(&f, 0, 0)), ex_float(g, DT_F32, -INFINITY));
    Ref many = ir_comp(g, RED_SUM, 1, 1, (int64_t[]){8, 5}, here, nowhere);
    cr_expect_eq(ir_node(g, many)->comp.body, ex_op(g, EX_MUL, here, ex_float(g, DT_F32, 5), 0));
    cr_expect_eq(ir_comp(g, RED_MIN, 1, 1, (int64_t[]){8, 5}, here, nowhere), x);
    /* a window of extent 1 disappears, the other keeps its place */
    Ex window = load1(&f, x, aff_add(g->affs, var(&f, 1, 0), var(&f, 2, 0)));
    Ref sum = ir_comp(g, RED_SUM, 1, 2, (int64_t[]){1, 1, 8}, window, nowhere);
    cr_expect_eq(ir_node(g, sum)->comp.nred, 1);
    cr_expect_eq(ir_node(g, sum)->comp.body, load1(&f, x, var(&f, 1, 0)));
    Ref empty = ir_comp(g, RED_SUM, 1, 1, (int64_t[]){0, 8}, here, nowhere);
    cr_expect_eq(ir_elements(ir_node(g, empty)), 0);
    float ones[2] = {1, 2};
    cr_expect_eq(ir_constant(g, DT_F32, 1, (int64_t[]){2}, ones), ir_constant(g, DT_F32, 1, (int64_t[]){2}, ones));
    cr_expect_neq(ir_constant(g, DT_F32, 1, (int64_t[]){2}, ones), ir_constant(g, DT_F32, 2, (int64_t[]){2, 1}, ones));
    ir_verify(g, "the test");
    fix_free(&f);
}

Test(ir, indices_fold_into_loads) {
    Fix f = fix_new();
    Graph *g = f.g;
    Ref x = leaf(&f, 0, DT_F32, 1, (int64_t[]){12});
    Ex i = ex_index(g, DT_I32, var(&f, 0, 0)), two = ex_int(g, DT_I32, 2);
    Ex place = ex_op(g, EX_ADD, ex_op(g, EX_MUL, i, two, 0), ex_int(g, DT_I32, 1), 0);
    Ex e = ex_load(g, x, &(Place){aff_const(g->affs, 0), place});
    cr_expect_eq(e, load1(&f, x, aff_add(g->affs, aff_scale(g->affs, aff_var(g->affs, 0), 2), aff_const(g->affs, 1))));
    /* with known ranges, comparisons and remainders of indices too */
    Ex even = ex_op(g, EX_IMOD, i, two, 0), small = ex_op(g, EX_LT, i, ex_int(g, DT_I32, 6), 0);
    Ex body = ex_op(g, EX_SELECT, small, ex_load(g, x, &(Place){aff_const(g->affs, 0), even}), ex_zero(g, DT_F32));
    Ref r = ir_comp(g, RED_NONE, 1, 0, (int64_t[]){6}, body, nowhere);
    ir_output(g, OUT_RESULT, 0, r, NULL);
    expect_text(g, "%1 = input 0 f32[12]\n%2 = f32[6] of %1[i0 mod 2]\nresult 0 = %2\n");
    fix_free(&f);
}

Test(ir, guards_simplify) {
    Fix f = fix_new();
    Graph *g = f.g;
    const Aff *i = var(&f, 0, 0), *shifted = var(&f, 0, -1);
    Ref x = leaf(&f, 0, DT_F32, 1, (int64_t[]){8});
    Ex zero = ex_zero(g, DT_F32), in = load1(&f, x, shifted);
    Ex a = ex_guard(g, 1, &(Cond){shifted, 0, 8}, in, zero), b = ex_guard(g, 1, &(Cond){i, 1, 9}, in, zero);
    cr_expect_eq(a, b);
    cr_expect_eq(ex_guard(g, 1, &(Cond){i, 3, 3}, in, zero), zero);
    cr_expect_eq(ex_guard(g, 1, &(Cond){i, 3, 9}, zero, zero), zero);
    cr_expect_eq(ex_guard(g, 1, &(Cond){aff_scale(g->affs, i, -2), -16, -1}, in, zero), b);
    cr_expect_eq(ex_guard(g, 1, &(Cond){aff_div(g->affs, shifted, 4), 0, 2}, in, zero), b);
    cr_expect_eq(ex_guard(g, 1, &(Cond){i, 0, 9}, ex_guard(g, 1, &(Cond){i, 1, 20}, in, zero), zero), b);
    /* over a domain where it always, never, or sometimes holds */
    Ref always = ir_comp(g, RED_NONE, 1, 0, (int64_t[]){7}, ex_subst(g, a, (const Aff *[]){var(&f, 0, 1)}, 1), nowhere);
    cr_expect_eq(ir_node(g, always)->comp.body, load1(&f, x, i));
    Ref never = ir_comp(g, RED_NONE, 1, 0, (int64_t[]){7}, ex_subst(g, a, (const Aff *[]){var(&f, 0, 9)}, 1), nowhere);
    cr_expect_eq(ir_node(g, never)->comp.body, zero);
    Ref some = ir_comp(g, RED_NONE, 1, 0, (int64_t[]){9}, a, nowhere);
    ir_output(g, OUT_RESULT, 0, some, intern(f.nnc->names, "y"));
    cr_expect_eq(ir_expr(g, ir_node(g, some)->comp.body)->kind, EX_GUARD);
    ir_verify(g, "the test");
    fix_free(&f);
}

/* What a body over one input of 9 elements prints as. */
static void expect_body(const char *body, const char *want) {
    Fix f = fix_new();
    Str from = {0}, to = {0};
    str_add(&from, "%%1 = input 0 f32[9]\n%%2 = f32[9] of %s\n", body);
    str_add(&to, "%%1 = input 0 f32[9]\n%%2 = f32[9] of %s\n", want);
    Graph *g = read_graph(f.nnc, from.at);
    cr_assert(g, "%s", body);
    expect_text(g, to.at);
    vec_free(&from);
    vec_free(&to);
    fix_free(&f);
}

Test(ir, guards_know_what_holds_inside) {
    expect_body("guard(i0 >= 4 ? guard(i0 >= 3 ? %1[0] : 0.5) : 1.5)", "guard(4 <= i0 < 9 ? %1[0] : 1.5)");
    expect_body("guard(i0 >= 4 ? guard(i0 >= 5 ? %1[0] : 0.5) : 1.5)",
                "guard(4 <= i0 < 9 ? guard(5 <= i0 < 9 ? %1[0] : 0.5) : 1.5)");
    expect_body("guard(i0 >= 4 ? guard(i0 < 4 ? %1[0] : 0.5) : 1.5)", "guard(4 <= i0 < 9 ? 0.5 : 1.5)");
    expect_body("guard(i0 >= 4 ? guard(i0 < 4 ? %1[0] : 1.5) : 1.5)", "1.5");
}

/* What stands outside is computed anywhere, so its loads need guards of their own. */
Test(ir, loads_outside_of_a_guard_cannot_rely_on_it) {
    Fix f = fix_new();
    cr_expect_null(read_graph(f.nnc, "%1 = input 0 f32[4]\n%2 = f32[9] of guard(i0 >= 4 ? 0.0 : %1[i0])\n"));
    cr_expect_not_null(
        read_graph(f.nnc, "%1 = input 0 f32[4]\n%2 = f32[9] of guard(i0 >= 4 ? 0.0 : guard(i0 < 4 ? %1[i0] : 1.0))\n"));
    fix_free(&f);
}

static int64_t roll(uint64_t *seed, int64_t lo, int64_t hi) {
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return lo + (int64_t)((*seed >> 33) % (uint64_t)(hi - lo + 1));
}

static const Aff *random_aff(Graph *g, uint64_t *seed) {
    const Aff *a = aff_const(g->affs, roll(seed, -6, 6));
    for (int i = 0; i < 3; i++) a = aff_add(g->affs, a, aff_scale(g->affs, aff_var(g->affs, i), roll(seed, -2, 3)));
    int64_t by = roll(seed, 1, 9), kind = roll(seed, 0, 3);
    return kind == 0 ? aff_div(g->affs, a, by) : kind == 1 ? aff_mod(g->affs, a, by) : a;
}

/* guards around loads, indices compared and divided */
static Ex random_body(Graph *g, Ref x, uint64_t *seed, int depth) {
    int64_t len = ir_node(g, x)->dims[0], kind = depth ? roll(seed, 0, 3) : 0;
    if (kind == 0) return ex_load(g, x, &(Place){aff_mod(g->affs, random_aff(g, seed), len), 0});
    Ex a = random_body(g, x, seed, depth - 1), b = random_body(g, x, seed, depth - 1);
    if (kind == 1) return ex_op(g, EX_SUB, a, b, 0);
    if (kind == 2) {
        Ex i = ex_index(g, DT_I32, random_aff(g, seed)), j = ex_index(g, DT_I32, random_aff(g, seed));
        i = ex_op(g, roll(seed, 0, 1) ? EX_IDIV : EX_IMOD, i, ex_int(g, DT_I32, roll(seed, 1, 5)), 0);
        return ex_op(g, EX_SELECT, ex_op(g, (ExKind)(EX_EQ + roll(seed, 0, 3)), i, j, 0), a, b);
    }
    Cond c[2];
    int n = (int)roll(seed, 1, 2);
    for (int i = 0; i < n; i++) {
        c[i] = (Cond){random_aff(g, seed), roll(seed, -4, 4), roll(seed, 0, 9)};
        if (roll(seed, 0, 3) == 0) c[i].hi = INT64_MAX;
        if (roll(seed, 0, 3) == 0) c[i].lo = INT64_MIN;
    }
    return ex_guard(g, n, c, a, b);
}

/* What ir_comp makes of a body by its extents gives, at every point, what the body gives with constants for indices. */
Test(ir, simplified_bodies_keep_their_values) {
    for (uint64_t seed = 1; seed <= 250; seed++) {
        Fix f = fix_new();
        Graph *g = f.g;
        uint64_t state = seed;
        Ref x = leaf(&f, 0, DT_F32, 1, (int64_t[]){11});
        float data[11];
        for (int i = 0; i < 11; i++) data[i] = (float)(i * i + 1);
        int64_t ext[3] = {roll(&state, 1, 4), roll(&state, 1, 5), roll(&state, 1, 4)}, slot = 0;
        Ex body = random_body(g, x, &state, 3);
        ir_output(g, OUT_RESULT, 0, ir_comp(g, RED_NONE, 3, 0, ext, body, nowhere), NULL);
        for (int64_t p = 0; p < ext[0] * ext[1] * ext[2]; p++) {
            const int64_t at[3] = {p / ext[2] / ext[1], p / ext[2] % ext[1], p % ext[2]};
            const Aff *map[3];
            for (int i = 0; i < 3; i++) map[i] = aff_const(g->affs, at[i]);
            Ref point = ir_comp(g, RED_NONE, 0, 0, NULL, ex_subst(g, body, map, 3), nowhere);
            ir_output(g, OUT_RESULT, (int)++slot, point, NULL);
        }
        ir_verify(g, "the test");
        InterpEnv env = {.inputs = (const void *[]){data}};
        interp_run(g, &env);
        for (int64_t p = 0; p < slot; p++)
            cr_assert_eq(((float *)env.outputs[0])[p], *(float *)env.outputs[p + 1], "seed %d", (int)seed);
        interp_free(g, &env);
        fix_free(&f);
    }
}

/* Ties in order of place, NaN the largest; equal sorts are one node, and one element is no sort. */
Test(ir, sorts) {
    Fix f = fix_new();
    Graph *g =
        read_graph(f.nnc, "%1 = input 0 f32[2, 5]\n%2 = sort %1 first 5\n%3 = sort %1 descending first 3 \"top\"\n"
                          "%4 = sort %1 first 5\n%5 = f32[1, 4] of %1[0, i1]\n"
                          "%6 = f32[4, 1] of %5[0, i0]\n%7 = sort %6 first 1\n"
                          "result 0 = %2\nresult 1 = %3\nresult 2 = %4\nresult 3 = %7\n");
    cr_assert(g);
    const float x[] = {2, 1, 2, (float)NAN, -1, 0, -0.0f, -INFINITY, 0, INFINITY};
    const int32_t up[] = {4, 1, 0, 2, 3, 2, 0, 1, 3, 4}, down[] = {3, 0, 2, 4, 0, 1};
    InterpEnv env = {.inputs = (const void *[]){x}};
    interp_run(g, &env);
    cr_expect_arr_eq(env.outputs[0], up, sizeof up);
    cr_expect_arr_eq(env.outputs[1], down, sizeof down);
    cr_expect_eq(g->outputs.at[0].node, g->outputs.at[2].node);
    cr_expect_eq(ir_node(g, g->outputs.at[3].node)->kind, N_COMP);
    interp_free(g, &env);
    fix_free(&f);
}

Test(ir, scatter_adds_in_order) {
    Fix f = fix_new();
    const char *text = "%1 = input 0 i32[4]\n%2 = input 1 f32[4]\n"
                       "%3 = f32[3] scatter q0:4 of %2[q0] at [{%1[q0]}]\n"
                       "%4 = i32[] argmax k0:4 of %2[k0]\n%5 = f32[] prod k0:4 of %2[k0]\n"
                       "%6 = f32[2] max k0:3 of guard(i0 + k0 < 4 ? %2[i0 + k0] : -inf)\n"
                       "result 0 = %3\nresult 1 = %4\nresult 2 = %5\nresult 3 = %6\n";
    Graph *g = read_graph(f.nnc, text);
    cr_assert(g);
    const int32_t at[] = {2, 0, 2, 0};
    const float x[] = {1, 5, 3, 5};
    InterpEnv env = {.inputs = (const void *[]){at, x}};
    interp_run(g, &env);
    const float *sum = env.outputs[0], *window = env.outputs[3];
    cr_expect(sum[0] == 10 && sum[1] == 0 && sum[2] == 4);
    cr_expect_eq(*(int32_t *)env.outputs[1], 1);
    cr_expect_eq(*(float *)env.outputs[2], 75);
    cr_expect(window[0] == 5 && window[1] == 5);
    interp_free(g, &env);
    fix_free(&f);
}

/* ---- verification ---- */

static Ref faulty_window(Fix *f, int64_t n, int64_t hi) {
    Ref x = leaf(f, 0, DT_F32, 1, &n);
    const Aff *at = aff_add(f->g->affs, var(f, 0, -1), var(f, 1, 0));
    Ex e = ex_guard(f->g, 1, &(Cond){at, 0, hi}, load1(f, x, at), ex_zero(f->g, DT_F32));
    return ir_comp(f->g, RED_SUM, 1, 1, (int64_t[]){n, 3}, e, nowhere);
}

Test(ir, verify_accepts_a_padded_window) {
    Fix f = fix_new();
    faulty_window(&f, 100000, 100000);
    ir_verify(f.g, "the test");
    fix_free(&f);
}

Test(ir, verify_finds_a_load_beyond_a_guard, .signal = SIGABRT) {
    Fix f = fix_new();
    faulty_window(&f, 8, 9);
    ir_verify(f.g, "the test");
}

Test(ir, verify_finds_a_corner_of_a_large_domain, .signal = SIGABRT) {
    Fix f = fix_new();
    faulty_window(&f, 100000, 100001);
    ir_verify(f.g, "the test");
}

Test(ir, a_type_error_is_a_bug, .signal = SIGABRT) {
    Fix f = fix_new();
    ex_op(f.g, EX_ADD, ex_float(f.g, DT_F32, 1), ex_float(f.g, DT_F64, 1), 0);
}
