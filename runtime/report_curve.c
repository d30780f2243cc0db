/* Curves of any length in a fixed number of points. */
#include "runtime/report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* NaN where either is: what went wrong in a step must not be averaged away. */
static float least_of(float a, float b) { return isnan(a) || a < b ? a : b; }
static float most_of(float a, float b) { return isnan(a) || a > b ? a : b; }

static void join_neighbours(RtCurve *c) {
    for (int i = 0; i < RT_CURVE_POINTS / 2; i++) {
        c->mean[i] = 0.5F * (c->mean[2 * i] + c->mean[2 * i + 1]);
        c->least[i] = least_of(c->least[2 * i], c->least[2 * i + 1]);
        c->most[i] = most_of(c->most[2 * i], c->most[2 * i + 1]);
    }
    c->n = RT_CURVE_POINTS / 2;
    c->width *= 2;
}

void rt_curve_add(RtCurve *c, double v) {
    float single = (float)v;
    c->least_held = c->held ? least_of(c->least_held, single) : single;
    c->most_held = c->held ? most_of(c->most_held, single) : single;
    c->sum += v;
    if (++c->held < c->width) return;
    if (c->n == RT_CURVE_POINTS) join_neighbours(c);
    if (c->held < c->width) return;
    c->mean[c->n] = (float)(c->sum / (double)c->held);
    c->least[c->n] = c->least_held;
    c->most[c->n++] = c->most_held;
    c->held = 0;
    c->sum = 0;
}

static void add_part(cJSON *o, const char *key, const float *values, int n, bool more, float last) {
    float all[RT_CURVE_POINTS + 1];
    memcpy(all, values, (size_t)n * sizeof *all);
    if (more) all[n] = last;
    rt_report_add_floats(o, key, all, n + more);
}

cJSON *rt_curve_json(const RtCurve *c, const char *name, int64_t first) {
    cJSON *o = cJSON_CreateObject();
    bool more = c->held > 0;
    cJSON_AddStringToObject(o, "name", name);
    cJSON_AddNumberToObject(o, "first", (double)first);
    cJSON_AddNumberToObject(o, "width", (double)c->width);
    cJSON_AddNumberToObject(o, "held", (double)c->held);
    add_part(o, "mean", c->mean, c->n, more, more ? (float)(c->sum / (double)c->held) : 0);
    if (c->width > 1) {
        add_part(o, "least", c->least, c->n, more, c->least_held);
        add_part(o, "most", c->most, c->n, more, c->most_held);
    }
    return o;
}
