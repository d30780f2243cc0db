/* links: golden_cases */
/* Optimizers of all parameters as one vector on classical test functions: the minimum within 1e-6 in every coordinate,
 * in no more evaluations than 1.2 times those that SciPy 1.17's L-BFGS-B takes to come as near (gtol = 1e-12, ftol =
 * 1e-30, evaluations counted until one is at a point that near). Starting points are those of Moré, Garbow and
 * Hillstrom (1981). */
#include "tests/golden_values/steps.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

typedef struct {
    const char *name, *formula; /* of x */
    int n, period;              /* coordinates; start and minimum repeat */
    double start[4], minimum[4];
    int scipy; /* evaluations of L-BFGS-B */
} Function;

#define CHAINED "sum(100 * (x[1..] - x[0..-1]^2)^2 + (1 - x[0..-1])^2)"
#define EXTENDED "sum(100 * (x[1..shape(x)[0] by 2] - x[0..shape(x)[0] by 2]^2)^2 + (1 - x[0..shape(x)[0] by 2])^2)"
#define BEALE "(1.5 - x[0] + x[0] * x[1])^2 + (2.25 - x[0] + x[0] * x[1]^2)^2 + (2.625 - x[0] + x[0] * x[1]^3)^2"
#define POWELL "(x[0] + 10 * x[1])^2 + 5 * (x[2] - x[3])^2 + (x[1] - 2 * x[2])^4 + 10 * (x[0] - x[3])^4"
#define WOOD                                                                                                           \
    "100 * (x[1] - x[0]^2)^2 + (1 - x[0])^2 + 90 * (x[3] - x[2]^2)^2 + (1 - x[2])^2 + 10 * (x[1] + x[3] - 2)^2 + "     \
    "0.1 * (x[1] - x[3])^2"

static const Function rosenbrock = {"Rosenbrock", CHAINED, 2, 2, {-1.2, 1}, {1, 1}, 45};
static const Function chained_10 = {"chained Rosenbrock", CHAINED, 10, 2, {-1.2, 1}, {1, 1}, 87};
static const Function chained_100 = {"chained Rosenbrock", CHAINED, 100, 2, {-1.2, 1}, {1, 1}, 612};
static const Function extended_10 = {"extended Rosenbrock", EXTENDED, 10, 2, {-1.2, 1}, {1, 1}, 45};
static const Function extended_100 = {"extended Rosenbrock", EXTENDED, 100, 2, {-1.2, 1}, {1, 1}, 48};
static const Function beale = {"Beale", BEALE, 2, 2, {1, 1}, {3, 0.5}, 16};
static const Function powell = {"Powell", POWELL, 4, 4, {3, -1, 0, 1}, {0, 0, 0, 0}, 92};
static const Function wood = {"Wood", WOOD, 4, 4, {-3, -1, -3, -1}, {1, 1, 1, 1}, 118};

/* ---- running ---- */

typedef struct {
    double error; /* the largest of a coordinate */
    int evaluations;
} Reached;

static void put_program(Str *s, const Function *f, const char *optimizer) {
    str_add(s, "data steps = npy(\"g0.npy\")\nmodel point(step: [N]) -> [] {\n    param x: [%d] = [", f->n);
    for (int i = 0; i < f->n; i++) str_add(s, "%s%g", i ? ", " : "", f->start[i % f->period]);
    str_add(s, "]\n    return %s\n}\ntrain {\n    batch = 1\n    for step in steps {\n", f->formula);
    str_add(s, "        minimize point(step) using %s\n    }\n}\n", optimizer);
}

/* Steps until the minimum is reached, or no more evaluations are allowed. */
static Reached minimize(const Function *f, const char *optimizer, int most) {
    Str source = {0};
    Steps s;
    double loss;
    Reached o = {INFINITY, 0};
    put_program(&source, f, optimizer);
    cr_assert(steps_open(&s, source.at, true, NULL, NULL), "%s", source.at);
    while (o.error > 1e-6 && o.evaluations < most) {
        steps_call(&s, 0, &loss);
        int32_t evaluations;
        memcpy(&evaluations, steps_get(&s, "evaluations"), sizeof evaluations);
        const double *x = steps_get(&s, "x");
        o.error = 0;
        for (int i = 0; i < f->n; i++) o.error = fmax(o.error, fabs(x[i] - f->minimum[i % f->period]));
        if (evaluations == o.evaluations) break;
        o.evaluations = evaluations;
    }
    steps_close(&s);
    vec_free(&source);
    return o;
}

static void reaches(const Function *f, const char *optimizer, int most) {
    Reached o = minimize(f, optimizer, most);
    cr_expect(o.error <= 1e-6 && o.evaluations <= most, "%s on %s of %d: an error of %g after %d evaluations of %d",
              optimizer, f->name, f->n, o.error, o.evaluations, most);
}

/* 1.2 times SciPy's count */
static int budget(const Function *f) { return f->scipy * 6 / 5; }

/* ---- tests ---- */

/* One step, with as many evaluations as are allowed. */
static void in_one_step(const char *optimizer, const Function *f, int most) {
    Str call = {0};
    str_add(&call, "%s(max_iter = 1000, max_eval = %d, tolerance_grad = 0, tolerance_change = 1e-300)", optimizer,
            most - 1);
    reaches(f, call.at, most);
    vec_free(&call);
}

static const Function *const all[] = {&rosenbrock,   &chained_10, &chained_100, &extended_10,
                                      &extended_100, &beale,      &powell,      &wood};

Test(minimize, lbfgs) {
    for (size_t i = 0; i < COUNT(all); i++) in_one_step("LBFGS", all[i], budget(all[i]));
}

Test(minimize, bfgs) {
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i] != &powell) in_one_step("BFGS", all[i], budget(all[i]));
}

/* The chained function has another minimum near (-1, 1, 1, ...), where Newton's method ends from these starts. */
Test(minimize, newton_cg) {
    for (size_t i = 0; i < COUNT(all); i++)
        if (all[i] != &chained_10 && all[i] != &chained_100) reaches(all[i], "NewtonCG()", budget(all[i]));
}

Test(minimize, conjugate_gradients) {
    in_one_step("NonlinearCG", &rosenbrock, 2 * rosenbrock.scipy);
    in_one_step("NonlinearCG", &extended_100, 2 * extended_100.scipy);
    in_one_step("NonlinearCG", &beale, 2 * beale.scipy);
}
