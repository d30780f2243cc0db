/* Closed loops: an optimizer on a test function, whose loss and point are followed. */
#include "tests/golden_values/steps.h"

#include <math.h>
#include <string.h>

/* The test function that a case names, of a vector x. */
static const char *function_of(const Case *c) {
    static const char *const functions[][2] = {
        {"rosenbrock", "sum(100 * (x[1..] - x[0..-1]^2)^2 + (1 - x[0..-1])^2)"},
        {"quadratic", "sum(0.5 * (arange(shape(x)[0]) + 1) * x^2)"},
    };
    const char *name = cJSON_GetObjectItemCaseSensitive(c->attrs, "objective")->valuestring;
    for (size_t i = 0; i < COUNT(functions); i++)
        if (strcmp(functions[i][0], name) == 0) return functions[i][1];
    bug("%s: there is no test function '%s'", c->id, name);
}

static bool put_program(Str *s, const Case *c, const Rule *r) {
    long long n = (long long)case_input(c, "x0")->array.dims[0];
    str_add(s, "data steps = npy(\"g0.npy\")\n\n");
    str_add(s, "model point(step: [N]) -> [] {\n    param x: [%lld] = 0\n    return %s\n}\n\n", n, function_of(c));
    str_add(s, "train {\n    batch = 1\n    for step in steps {\n        minimize point(step) using ");
    if (!golden_fill(s, r->make, c)) return false;
    str_add(s, "\n    }\n}\n");
    return true;
}

static int64_t count_steps(const Case *c) {
    return (int64_t)cJSON_GetObjectItemCaseSensitive(c->attrs, "steps")->valuedouble;
}

/* A row of data for each step, and one to evaluate the last point with. */
static void write_rows(const char *path, const void *c) { steps_write_rows(path, count_steps(c) + 1); }

static RtArray values(int64_t steps, int64_t n) {
    RtArray a = {.dtype = RT_F64, .rank = n ? 2 : steps ? 1 : 0, .dims = {steps, n}};
    RtError err;
    if (!rt_array_alloc(&a, "the trajectory", &err)) bug("%s", err.text);
    return a;
}

/* The program computes in f64: the cases mean nothing in f32. */
static void follow(Steps *s, const Case *c, Outcome *o) {
    const RtArray *start = &case_input(c, "x0")->array;
    int64_t steps = count_steps(c), n = start->dims[0];
    RtArray losses = values(steps, 0), last = values(0, 0), points = values(steps, n);
    steps_set(s, "x", start);
    for (int64_t t = 0; t < steps; t++) {
        steps_call(s, (int32_t)t, (double *)losses.data + t);
        memcpy((double *)points.data + t * n, steps_get(s, "x"), (size_t)n * sizeof(double));
    }
    steps_call(s, (int32_t)steps, last.data);
    golden_compare(c, cJSON_GetObjectItemCaseSensitive(c->outputs, "loss_before"), &losses, true, o);
    golden_compare(c, cJSON_GetObjectItemCaseSensitive(c->outputs, "traj_x"), &points, true, o);
    golden_compare(c, cJSON_GetObjectItemCaseSensitive(c->outputs, "final_loss"), &last, true, o);
    rt_array_free(&losses);
    rt_array_free(&last);
    rt_array_free(&points);
}

Outcome golden_run_closed_loop(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = 0, .where = "the program"};
    Str source = {0};
    Steps s;
    if (!f64 || !put_program(&source, c, r)) bug("%s: the rule names an attribute that the case lacks", c->id);
    if (steps_open(&s, source.at, f64, write_rows, c))
        follow(&s, c, &o);
    else
        o.worst = INFINITY;
    steps_close(&s);
    vec_free(&source);
    return o;
}
