/* Optimizer trajectories: a layer whose loss Σ p·g has the given gradient g of each step. */
#include "runtime/npy.h"
#include "tests/golden_values/golden.h"

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
    const cJSON *maximize = cJSON_GetObjectItemCaseSensitive(c->attrs, "maximize");
    str_add(s, "    let squares = 0.0");
    for (int i = 0; i < n; i++) str_add(s, " + sum(p%d^2)", i);
    str_add(s, "\n    return 0.0");
    for (int i = 0; i < n; i++) str_add(s, " %s sum(p%d * g%d)", cJSON_IsTrue(maximize) ? "-" : "+", i, i);
    if (r->body && !golden_fill(s, r->body, c)) return false;
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

static void write_gradients(const Case *c, const char *path, int n) {
    for (int i = 0; i < n; i++) {
        char name[32], file[160];
        RtError err;
        snprintf(name, sizeof name, "grad_p%d", i);
        snprintf(file, sizeof file, "%.*s/g%d.npy", (int)(strrchr(path, '/') - path), path, i);
        if (!rt_npy_write(file, &case_input(c, name)->array, &err)) bug("%s", err.text);
    }
}

char *golden_parameter(Driver *d, const char *name) {
    Program *p = driver_program(d);
    size_t n = strlen(name);
    for (size_t k = 0; k < p->params.len; k++) {
        const char *path = p->params.at[k]->path, *dot = path + strlen(path) - n - 1;
        if (dot > path && *dot == '.' && strcmp(dot + 1, name) == 0)
            return driver_variables(d)->bytes + driver_variables(d)->layout.param[k];
    }
    return NULL;
}

void golden_copy_in(char *bytes, const RtArray *a, bool f64) {
    for (int64_t k = 0; k < rt_array_elements(a); k++) {
        double x = rt_element(a->data, a->dtype, k);
        if (f64)
            ((double *)(void *)bytes)[k] = x;
        else
            ((float *)(void *)bytes)[k] = (float)x;
    }
}

void golden_call_step(Driver *d, const Code *code, int32_t row, double *loss) {
    const RtData *data = driver_rt_data(driver_program(d)->trains.at[0]->loops.at[0].data);
    int32_t scalars[] = {row, 0, row, 1}; /* rows, seed, tick, epoch */
    VEC(const void *) bases = {0};
    vec_push(&bases, driver_arena(d));
    vec_push(&bases, driver_variables(d)->bytes);
    for (int i = 0; i < data->nfields; i++) vec_push(&bases, data->fields[i].data);
    for (size_t i = 0; i < COUNT(scalars); i++) vec_push(&bases, &scalars[i]);
    vec_push(&bases, loss);
    code->run((void *const *)bases.at, NULL);
    vec_free(&bases);
}

static void follow(Driver *d, const Case *c, const Code *code, int n, bool f64, Outcome *o) {
    RtArray traj[MOST];
    RtError err;
    char name[32];
    int64_t steps = (int64_t)cJSON_GetObjectItemCaseSensitive(c->attrs, "steps")->valuedouble;
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "grad_p%d", i);
        traj[i] = case_input(c, name)->array;
        traj[i].dtype = f64 ? RT_F64 : RT_F32;
        if (!rt_array_alloc(&traj[i], "the trajectory", &err)) bug("%s", err.text);
        snprintf(name, sizeof name, "p%d", i);
        golden_copy_in(golden_parameter(d, name), &case_input(c, name)->array, f64);
    }
    for (int64_t t = 0; t < steps; t++) {
        double loss;
        golden_call_step(d, code, (int32_t)t, &loss);
        for (int i = 0; i < n; i++) {
            size_t bytes = (size_t)(rt_array_elements(&traj[i]) / steps) * rt_dtype_size(traj[i].dtype);
            snprintf(name, sizeof name, "p%d", i);
            memcpy((char *)traj[i].data + (size_t)t * bytes, golden_parameter(d, name), bytes);
        }
    }
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "traj_p%d", i);
        golden_compare(c, cJSON_GetObjectItemCaseSensitive(c->outputs, name), &traj[i], f64, o);
        rt_array_free(&traj[i]);
    }
}

Outcome golden_run_optimizer(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = 0, .where = "the program"};
    Str source = {0};
    int n = count_parameters(c);
    if (!optimizer_source(&source, c, r, n)) bug("%s: the rule names an attribute that the case lacks", c->id);
    char *path = golden_write(source.at);
    write_gradients(c, path, n);
    Options options = golden_options(path, f64);
    Driver *d = driver_open(&options);
    Code *code = NULL, *init = NULL;
    if (d) code = driver_add_unit(d, program_loop_unit(driver_program(d), driver_program(d)->trains.at[0], 0, 1));
    if (code) init = driver_add_init(d);
    if (init && driver_build(d, true) && driver_init_variables(d, init, 0))
        follow(d, c, code, n, f64, &o);
    else {
        if (d) driver_failed(d);
        o.worst = INFINITY;
    }
    driver_close(d);
    golden_remove(path);
    vec_free(&source);
    return o;
}
