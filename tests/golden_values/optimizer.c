/* Optimizer trajectories: a layer whose loss Σ p·g has the given gradient g of each step, plus a curve where the case
 * has one. */
#include "runtime/npy.h"
#include "tests/golden_values/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 8 };

static int count_parameters(const Case *c) {
    int n = 0;
    char name[32];
    do snprintf(name, sizeof name, "p%d", n);
    while (n < MOST && case_input(c, name) && ++n);
    return n;
}

static void put_shape(Str *s, const RtArray *a, int from) {
    str_add(s, "[");
    for (int i = from; i < a->rank; i++) str_add(s, "%s%lld", i > from ? ", " : "", (long long)a->dims[i]);
    str_add(s, "]");
}

static bool optimizer_source(Str *s, const Case *c, const Rule *r, int n) {
    char name[32];
    str_add(s, n == 1 ? "data steps = npy(\"g0.npy\")\n\nlayer Sums()(" : "data steps = zip(");
    for (int i = 0; n > 1 && i < n; i++) str_add(s, "%snpy(\"g%d.npy\")", i ? ", " : "", i);
    if (n > 1) str_add(s, ")\n\nlayer Sums()(");
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "p%d", i);
        str_add(s, "%sg%d: ", i ? ", " : "", i);
        put_shape(s, &case_input(c, name)->array, 0);
    }
    str_add(s, ") -> [] {\n");
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "p%d", i);
        str_add(s, "    param p%d: ", i);
        put_shape(s, &case_input(c, name)->array, 0);
        str_add(s, " = 0\n");
    }
    str_add(s, "    return 0.0");
    for (int i = 0; i < n; i++) str_add(s, " + sum(p%d * g%d)", i, i);
    const cJSON *curve = cJSON_GetObjectItemCaseSensitive(c->attrs, "curve"); /* added to a loss that has none */
    if (curve) str_add(s, " + %s", curve->valuestring);
    str_add(s, "\n}\n\ntrain {\n    batch = 1\n    for (");
    if (n == 1) s->at[--s->len] = 0;
    for (int i = 0; i < n; i++) str_add(s, "%sg%d", i ? ", " : "", i);
    str_add(s, n == 1 ? " in steps {\n        minimize Sums()(" : ") in steps {\n        minimize Sums()(");
    for (int i = 0; i < n; i++) str_add(s, "%sg%d[0]", i ? ", " : "", i);
    str_add(s, ") using ");
    if (!golden_fill(s, r->make, c)) return false;
    str_add(s, "\n    }\n}\n");
    return true;
}

typedef struct {
    const Case *c;
    int n;
} Given;

static void write_gradients(const char *path, const void *self) {
    const Given *given = self;
    for (int i = 0; i < given->n; i++) {
        char name[32], file[160];
        RtError err;
        snprintf(name, sizeof name, "grad_p%d", i);
        snprintf(file, sizeof file, "%.*s/g%d.npy", (int)(strrchr(path, '/') - path), path, i);
        if (!rt_npy_write(file, &case_input(given->c, name)->array, &err)) bug("%s", err.text);
    }
}

/* The last value of a state, `state_average_p0`: named as in the library in our own cases alone. */
static void compare_state(Steps *s, const Case *c, const cJSON *output, Outcome *o) {
    char name[32], begin[40], end[16];
    int i;
    if (sscanf(output->string, "state_%31[a-z]_p%d", name, &i) != 2) return;
    snprintf(begin, sizeof begin, ".%s/", name);
    snprintf(end, sizeof end, ".p%d", i);
    const Program *p = driver_program(s->d);
    for (size_t k = 0; k < p->states.len; k++) {
        const char *path = p->states.at[k]->path, *dot = strrchr(path, '.');
        if (!strstr(path, begin) || strcmp(dot, end) != 0) continue;
        RtArray a = case_tensor(c, cJSON_GetObjectItemCaseSensitive(output, "key")->valuestring)->array;
        a.dtype = s->f64 ? RT_F64 : RT_F32;
        a.data = driver_values(s->d) + driver_layout(s->d)->state[k];
        golden_compare(c, output, &a, s->f64, o);
        return;
    }
    bug("%s: no state %s", c->id, output->string);
}

static void follow(Steps *s, const Case *c, int n, Outcome *o) {
    RtArray traj[MOST];
    RtError err;
    char name[32];
    double loss;
    int64_t steps = (int64_t)cJSON_GetObjectItemCaseSensitive(c->attrs, "steps")->valuedouble;
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "grad_p%d", i);
        traj[i] = case_input(c, name)->array;
        traj[i].dtype = s->f64 ? RT_F64 : RT_F32;
        if (!rt_array_alloc(&traj[i], "the trajectory", &err)) bug("%s", err.text);
        snprintf(name, sizeof name, "p%d", i);
        steps_set(s, name, &case_input(c, name)->array);
    }
    for (int64_t t = 0; t < steps; t++) {
        steps_call(s, (int32_t)t, &loss);
        for (int i = 0; i < n; i++) {
            size_t bytes = (size_t)(rt_array_elements(&traj[i]) / steps) * rt_dtype_size(traj[i].dtype);
            snprintf(name, sizeof name, "p%d", i);
            memcpy((char *)traj[i].data + (size_t)t * bytes, steps_get(s, name), bytes);
        }
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "traj_p%d", i);
        golden_compare(c, cJSON_GetObjectItemCaseSensitive(c->outputs, name), &traj[i], s->f64, o);
        rt_array_free(&traj[i]);
    }
    const cJSON *item;
    bool own = strcmp(c->op, "own/optimizer") == 0;
    cJSON_ArrayForEach(item, c->outputs) if (own) compare_state(s, c, item, o);
}

Outcome golden_run_optimizer(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = 0, .where = "the program"};
    Str source = {0};
    Steps s;
    Given given = {c, count_parameters(c)};
    if (!optimizer_source(&source, c, r, given.n)) bug("%s: the rule names an attribute that the case lacks", c->id);
    if (steps_open(&s, source.at, f64, write_gradients, &given))
        follow(&s, c, given.n, &o);
    else
        o.worst = INFINITY;
    steps_close(&s);
    vec_free(&source);
    return o;
}
