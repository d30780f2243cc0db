/* Initializers: the moments and bounds of what they draw, and properties written in .nn. */
#include "tests/golden_values/golden.h"

#include <math.h>
#include <stdlib.h>

static double number(const cJSON *expect, const char *name) {
    const cJSON *v = cJSON_GetObjectItemCaseSensitive(expect, name);
    return cJSON_IsNumber(v) ? v->valuedouble : NAN;
}

static bool initializer_source(Str *s, const Case *c, const Rule *r) {
    const cJSON *expect = cJSON_GetObjectItemCaseSensitive(c->json, "expect");
    str_add(s, "layer Drawn(shape, init)(x) {\n    param w: [..shape] ~ init\n    return w\n}\n\n"
               "export fn golden() {\n    let init = ");
    if (!golden_fill(s, r->make, c)) return false;
    str_add(s, "\n    let w = init(");
    if (!golden_fill(s, "{shape}", c)) return false;
    double in = number(expect, "fan_in"), out = number(expect, "fan_out");
    str_add(s, ", %g, %g)\n    return (mean(w), std(w), min(w), max(w), ", isnan(in) ? 0 : in, isnan(out) ? 0 : out);
    if (!golden_fill(s, r->body ? r->body : "0.0", c)) return false;
    str_add(s, ")\n}\n");
    return true;
}

static void keep(Outcome *o, double error, const char *where) {
    if (isnan(error)) error = INFINITY;
    if (error <= o->worst) return;
    o->worst = error;
    snprintf(o->where, sizeof o->where, "%s", where);
}

/* mean, std, min, max and the error of a property in units of its tolerance, as far as the case tells them */
static void judge(const Case *c, const double *got, Outcome *o) {
    const cJSON *expect = cJSON_GetObjectItemCaseSensitive(c->json, "expect");
    const cJSON *bound = cJSON_GetObjectItemCaseSensitive(expect, "bound");
    double std = number(expect, "std");
    if (!isnan(number(expect, "mean_tolerance")))
        keep(o, fabs(got[0] - number(expect, "mean")) / number(expect, "mean_tolerance"), "the mean");
    if (!isnan(std) && !isnan(number(expect, "std_relative_tolerance")))
        keep(o, fabs(got[1] - std) / (std * number(expect, "std_relative_tolerance")), "the standard deviation");
    if (cJSON_IsArray(bound)) {
        double lo = cJSON_GetArrayItem(bound, 0)->valuedouble, hi = cJSON_GetArrayItem(bound, 1)->valuedouble;
        double slack = 1e-6 * (hi - lo); /* for the rounding of f32 */
        if (got[2] < lo - slack || got[3] > hi + slack) keep(o, INFINITY, "the bounds");
    }
    keep(o, got[4], "the property");
    o->verdict = o->worst <= 1 ? GOLDEN_PASSED : GOLDEN_FAILED;
}

/* The parameter stays as it is drawn. */
static void as_drawn(Driver *d, void *self) { (void)d, (void)self; }

Outcome golden_run_initializer(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = 0, .where = "the program"};
    Str source = {0};
    if (!initializer_source(&source, c, r)) bug("%s: the rule names an attribute that the case lacks", c->id);
    char *path = golden_write(source.at);
    Options options = golden_options(path, f64);
    Driver *d = driver_open(&options);
    CallResult result = {0};
    if (d && driver_call(d, "golden", NULL, 0, NULL, 0, as_drawn, NULL, &result)) {
        double got[5];
        for (int i = 0; i < 5; i++) got[i] = rt_element(result.results[i].data, result.results[i].dtype, 0);
        judge(c, got, &o);
    } else {
        if (d) driver_failed(d);
        o.worst = INFINITY;
    }
    call_free(&result);
    driver_close(d);
    golden_remove(path);
    vec_free(&source);
    return o;
}
