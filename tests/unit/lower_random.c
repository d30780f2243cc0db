/* links: nnc_lower nnc_lang nnc_ir nnc_reference nnc_rt */
/* Random numbers, bit by bit against the generator of the runtime, and their distribution. */
#include "runtime/random.h"
#include "tests/unit/terms.h"

enum { SEED = 11, STEP = -3 };
static const uint32_t site = 0x9abcdef0u;

static Term *random_term(Fix *f, const char *name, DType dtype, int rank, const int64_t *dims) {
    double *data = ARENA_ARRAY(f->nnc->arena, double, 2);
    data[0] = SEED, data[1] = STEP;
    Term *s = input(f, DT_I32, SCALAR, &data[0]), *t = input(f, DT_I32, SCALAR, &data[1]);
    Term *r = term(f, T_RANDOM, type_of(f, dtype, rank, dims), ARGS(s, t));
    r->op = intern(f->nnc->names, name);
    r->site = site;
    return r;
}

static uint32_t word(int64_t counter) {
    uint32_t out[2];
    rt_threefry(SEED, site, (uint32_t)STEP, (uint32_t)counter, out);
    return out[0];
}

static double uniform32(int64_t counter) { return (word(counter) >> 8) * 0x1p-24; }
static double uniform64(int64_t counter) {
    return ((double)(word(counter) >> 5) * 0x1p26 + (word(counter + 1) >> 6)) * 0x1p-53;
}

Test(lower_random, uniform_numbers_are_the_top_bits_of_the_generator) {
    Fix f = fix_new();
    double want32[15], want64[15];
    for (int e = 0; e < 15; e++) want32[e] = uniform32(e), want64[e] = uniform64(2 * e);
    EXPECT(run(&f, random_term(&f, "uniform", DT_F32, SHAPE(3, 5))), want32, 15);
    EXPECT(run(&f, random_term(&f, "uniform", DT_F64, SHAPE(5, 1, 3))), want64, 15);
    EXPECT(run(&f, random_term(&f, "uniform", DT_F32, SCALAR)), want32, 1);
    fix_free(&f);
}

Test(lower_random, normal_numbers_are_their_transform) {
    Fix f = fix_new();
    double want32[6], want64[6];
    for (int e = 0; e < 6; e++) {
        want32[e] = sqrt(-2 * log(1 - uniform32(2 * e))) * cos(6.283185307179586 * uniform32(2 * e + 1));
        want64[e] = sqrt(-2 * log(1 - uniform64(4 * e))) * cos(6.283185307179586 * uniform64(4 * e + 2));
    }
    EXPECT_NEAR(run(&f, random_term(&f, "normal", DT_F32, SHAPE(6))), want32, 6, 1e-5);
    EXPECT_NEAR(run(&f, random_term(&f, "normal", DT_F64, SHAPE(2, 3))), want64, 6, 1e-14);
    fix_free(&f);
}

Test(lower_random, distributions) {
    Fix f = fix_new();
    const double n = 20000;
    double *u = run(&f, random_term(&f, "uniform", DT_F32, SHAPE(20000))), mean = 0, square = 0;
    for (int i = 0; i < (int)n; i++) {
        cr_assert(u[i] >= 0 && u[i] < 1);
        mean += u[i] / n;
        square += (u[i] - 0.5) * (u[i] - 0.5) / n;
    }
    cr_expect_float_eq(mean, 0.5, 0.01);
    cr_expect_float_eq(square, 1.0 / 12, 0.005);
    double *z = run(&f, random_term(&f, "normal", DT_F32, SHAPE(20000)));
    mean = square = 0;
    for (int i = 0; i < (int)n; i++) mean += z[i] / n, square += z[i] * z[i] / n;
    cr_expect_float_eq(mean, 0, 0.03);
    cr_expect_float_eq(square, 1, 0.05);
    fix_free(&f);
}
