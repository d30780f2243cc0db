/* links: golden_cases */
/* The nonlinear regressions of NIST, in f64: how many certified parameters an optimizer finds to 4 digits. NNC_GOLDEN
 * names the folder of their data; without it nothing is compared. */
#include "tests/golden_values/steps.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *name, *model;
} Regression;

static const Regression regressions[] = {
#define REGRESSION(name, model) {name, model},
#include "tests/golden_values/regressions.def"
#undef REGRESSION
};

/* The tensors, or NULL where there are none. */
static RtTensors *open_data(void) {
    const char *folder = getenv("NNC_GOLDEN");
    if (!folder) folder = NNC_SOURCE_DIR "/../shared/golden/data";
    Str path = {0};
    RtError err;
    struct stat s;
    str_add(&path, "%s/strd.safetensors", folder);
    RtTensors *t = stat(path.at, &s) == 0 ? rt_safetensors_read(path.at, &err) : NULL;
    vec_free(&path);
    return t;
}

static const RtArray *tensor(const RtTensors *all, const Regression *r, const char *name) {
    char key[96];
    snprintf(key, sizeof key, "strd/%s/in/%s", r->name, name);
    const RtTensor *t = rt_tensors_find(all, key);
    if (!t) bug("there is no %s", key);
    return &t->array;
}

/* ---- programs ---- */

static void put_list(Str *s, const RtArray *a, int dim, int64_t first) {
    int64_t size = 1;
    for (int d = dim + 1; d < a->rank; d++) size *= a->dims[d];
    str_add(s, "[");
    for (int64_t i = 0; i < a->dims[dim]; i++) {
        str_add(s, "%s", i ? ", " : "");
        if (dim + 1 < a->rank)
            put_list(s, a, dim + 1, first + i * size);
        else
            str_add(s, "%.17g", rt_element(a->data, a->dtype, first + i));
    }
    str_add(s, "]");
}

static void put_tensor(Str *s, const char *name, const RtArray *a) {
    str_add(s, "    let %s = 1 * ", name);
    put_list(s, a, 0, 0);
    str_add(s, "\n");
}

/* The parameters are u, in units of the start where `in_units`, else b itself. */
static void put_program(Str *s, const RtTensors *data, const Regression *r, const char *start, bool in_units,
                        const char *minimize) {
    str_add(s, "data steps = npy(\"g0.npy\")\nmodel fit(step: [N]) {\n");
    put_tensor(s, "start", tensor(data, r, start));
    put_tensor(s, "x", tensor(data, r, "x"));
    put_tensor(s, "y", tensor(data, r, "y"));
    str_add(s, "    param u: [%lld] = ", (long long)tensor(data, r, start)->dims[0]);
    if (in_units)
        str_add(s, "1\n    let b = start * u\n");
    else
        put_list(s, tensor(data, r, start), 0, 0), str_add(s, "\n    let b = u\n");
    str_add(s, "    return y - (%s)\n}\n", r->model);
    str_add(s, "train {\n    batch = 1\n    for step in steps {\n        minimize %s\n    }\n}\n", minimize);
}

/* ---- fits ---- */

/* The digits that the worst parameter has right. */
static double digits(const double *u, const RtArray *start, const RtArray *certified, bool in_units) {
    double worst = INFINITY;
    for (int64_t i = 0; i < certified->dims[0]; i++) {
        double want = rt_element(certified->data, certified->dtype, i);
        double got = in_units ? u[i] * rt_element(start->data, start->dtype, i) : u[i];
        double right = -log10(fabs(got - want) / fabs(want));
        worst = isnan(right) ? -INFINITY : fmin(worst, right);
    }
    return worst;
}

typedef struct {
    const char *minimize;
    bool in_units;
    int steps;
} Fit;

static bool finds(const RtTensors *data, const Regression *r, const char *start, const Fit *fit) {
    Str source = {0};
    Steps s;
    double loss;
    put_program(&source, data, r, start, fit->in_units, fit->minimize);
    cr_assert(steps_open(&s, source.at, true, NULL, NULL), "%s", source.at);
    for (int i = 0; i < fit->steps; i++) steps_call(&s, 0, &loss);
    double right = digits(steps_get(&s, "u"), tensor(data, r, start), tensor(data, r, "certified"), fit->in_units);
    steps_close(&s);
    vec_free(&source);
    if (!(right >= 4)) cr_log_info("%s from %s with %s: %.1f digits\n", r->name, start, fit->minimize, right);
    return right >= 4;
}

static void count(const Fit *fit, int least_first, int least_second) {
    RtTensors *data = open_data();
    int found[2] = {0};
    if (!data) cr_skip_test("no reference values: nothing is compared");
    for (size_t i = 0; i < COUNT(regressions); i++) {
        found[0] += finds(data, &regressions[i], "start1", fit);
        found[1] += finds(data, &regressions[i], "start2", fit);
    }
    rt_tensors_free(data);
    cr_expect(found[0] >= least_first && found[1] >= least_second, "%d from the first starts, %d from the second",
              found[0], found[1]);
}

/* From as far as the first starts many programs fail at one or the other: BoxBOD, MGH17. */
Test(regressions, levenberg_marquardt) { count(&(Fit){"fit(step) using LevenbergMarquardt()", false, 500}, 13, 14); }

Test(regressions, gauss_newton) { count(&(Fit){"fit(step) using GaussNewton()", false, 100}, 12, 14); }

/* A method without a model of squares needs parameters of one size: in units of the start. */
Test(regressions, lbfgs) {
    count(&(Fit){"0.5 * sum(fit(step)^2) using LBFGS(max_iter = 2000, tolerance_grad = 0, tolerance_change = 1e-300)",
                 true, 1},
          10, 12);
}
