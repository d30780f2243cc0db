/* Whole training runs: a model with the given first weights over the given batches; the loss and the norm of the
 * gradient at each step, the last weights, and what the model then says. */
#include "runtime/npy.h"
#include "tests/golden_values/steps.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROWS = 64, RESULTS = 2 }; /* of a step: grad_norm is reported behind the loss */

typedef struct {
    const Case *c;
    const Rule *rule;
    bool f64;
    int64_t batch, batches, steps;
    Steps s;
} Run;

static int64_t whole(const Case *c, const char *name) {
    return (int64_t)cJSON_GetObjectItemCaseSensitive(c->attrs, name)->valuedouble;
}

/* ---- the program ---- */

static bool run_source(Str *s, const Case *c, const Rule *r) {
    const RtTensor *x = case_input(c, "x");
    bool labelled = case_input(c, "y") != NULL;
    str_add(s, labelled ? "data rows = zip(npy(\"g0.npy\"), npy(\"g1.npy\"))\n\n" : "data rows = npy(\"g0.npy\")\n\n");
    if (!golden_fill(s, r->make, c)) return false;
    str_add(s, "\ntrain {\n    batch = %lld\n    for %s in rows {\n        let e = ", (long long)whole(c, "batch"),
            labelled ? "(x, y)" : "x");
    if (!golden_fill(s, r->body, c)) return false;
    str_add(s, "\n        let squares = 0.0\n        for p in params(net) {\n"
               "            squares = squares + sum(grad(e, p)^2)\n        }\n"
               "        report grad_norm = sqrt(squares)\n        minimize e using ");
    if (!golden_fill(s, r->optimizer, c)) return false;
    str_add(s, "\n    }\n}\n\nexport fn golden(x: %s[%lld", rt_dtype_is_float(x->array.dtype) ? "" : "i64",
            (long long)whole(c, "batch"));
    for (int i = 1; i < x->array.rank; i++) str_add(s, ", %lld", (long long)x->array.dims[i]);
    str_add(s, "]) = net(x)\n");
    return true;
}

static void write_data(const char *path, const void *self) {
    const Case *c = self;
    for (int i = 0; i < 2; i++) {
        const RtTensor *t = case_input(c, i ? "y" : "x");
        char file[160];
        RtError err;
        snprintf(file, sizeof file, "%.*s/g%d.npy", (int)(strrchr(path, '/') - path), path, i);
        if (t && !rt_npy_write(file, &t->array, &err)) bug("%s", err.text);
    }
}

/* ---- weights ---- */

/* The reference's name for what a rule places, `init_` or `final_` before it. */
static const char *named(const char *when, const Placement *p, char name[96]) {
    snprintf(name, 96, "%s_%s", when, p->input);
    return name;
}

static void set_weights(const Run *run) {
    char name[96];
    const char *words = run->rule->parameters;
    for (Placement p; golden_placement(&words, &p);) {
        const RtTensor *t = case_input(run->c, named("init", &p, name));
        char *bytes = golden_variable(run->s.d, p.name, p.name_len);
        if (!bytes) bug("%s: no parameter %.*s", run->c->id, (int)p.name_len, p.name);
        if (t) golden_place(bytes, run->f64, t->array, &p, false); /* states begin as they are */
    }
}

static RtArray like(const Run *run, const char *output) {
    RtError err;
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(run->c->outputs, output);
    RtArray a = case_tensor(run->c, cJSON_GetObjectItemCaseSensitive(entry, "key")->valuestring)->array;
    a.dtype = run->f64 ? RT_F64 : RT_F32;
    if (!rt_array_alloc(&a, output, &err)) bug("%s", err.text);
    return a;
}

static void compare(const Run *run, const char *output, RtArray *got, Outcome *o) {
    golden_compare(run->c, cJSON_GetObjectItemCaseSensitive(run->c->outputs, output), got, run->f64, o);
}

/* Each tensor of the reference is put together from the parameters that hold its parts. */
static void compare_weights(const Run *run, Outcome *o) {
    const cJSON *item;
    char name[96];
    cJSON_ArrayForEach(item, run->c->outputs) {
        if (strncmp(item->string, "final_", 6) != 0) continue;
        RtArray got = like(run, item->string);
        int parts = 0;
        const char *words = run->rule->parameters;
        for (Placement p; golden_placement(&words, &p);)
            if (strcmp(named("final", &p, name), item->string) == 0) {
                golden_place(golden_variable(run->s.d, p.name, p.name_len), run->f64, got, &p, true);
                parts++;
            }
        if (!parts) bug("%s: no parameter is %s", run->c->id, item->string);
        compare(run, item->string, &got, o);
        rt_array_free(&got);
    }
}

/* ---- the run ---- */

static void follow(Run *run, Outcome *o) {
    static const char *const names[RESULTS] = {"loss", "grad_norm"};
    RtArray curve[RESULTS];
    size_t size = run->f64 ? sizeof(double) : sizeof(float);
    for (int i = 0; i < RESULTS; i++) curve[i] = like(run, names[i]);
    for (int64_t t = 0; t < run->steps; t++) {
        int32_t rows[MOST_ROWS];
        for (int64_t i = 0; i < run->batch; i++) rows[i] = (int32_t)(t % run->batches * run->batch + i);
        void *results[RESULTS + 1] = {NULL};
        for (int i = 0; i < RESULTS; i++) results[i] = (char *)curve[i].data + (size_t)t * size;
        steps_call_rows(&run->s, rows, (int32_t)t, results);
    }
    for (int i = 0; i < RESULTS; i++) {
        compare(run, names[i], &curve[i], o);
        rt_array_free(&curve[i]);
    }
    compare_weights(run, o);
}

/* The trained parameters and states, for a program compiled anew: their names are the same. */
static void take_weights(Driver *d, void *self) {
    const Run *run = self;
    const Program *p = driver_program(d);
    for (size_t i = 0; i < p->params.len + p->states.len; i++) {
        bool is_param = i < p->params.len;
        size_t k = is_param ? i : i - p->params.len;
        Name path = is_param ? p->params.at[k]->path : p->states.at[k]->path;
        int64_t at = is_param ? driver_layout(d)->param[k] : driver_layout(d)->state[k], n = 1, dim;
        const Type *t = is_param ? &p->params.at[k]->type : &p->states.at[k]->type;
        for (int s = 0; s < t->rank && dim_is_const(t->dims[s], &dim); s++) n *= dim;
        memcpy(driver_values(d) + at, golden_variable(run->s.d, path, strlen(path)),
               (size_t)n * (run->f64 ? sizeof(double) : sizeof(float)));
    }
}

static bool evaluate(Run *run, Outcome *o) {
    Options options = golden_options(run->s.path, run->f64);
    Driver *d = driver_open(&options);
    CallResult result = {0};
    CallArg x = {"x", case_input(run->c, "x")->array};
    x.array.dims[0] = run->batch;
    bool ok = d && driver_call(d, "golden", &x, 1, NULL, 0, take_weights, run, &result);
    if (ok) compare(run, "eval_output", &result.results[0], o);
    if (d && !ok) driver_failed(d);
    call_free(&result);
    driver_close(d);
    return ok;
}

Outcome golden_run_training(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = 0, .where = "the program"};
    Run run = {c, r, f64, whole(c, "batch"), whole(c, "batches"), whole(c, "steps"), {0}};
    Str source = {0};
    if (!run_source(&source, c, r)) bug("%s: the rule names an attribute that the case lacks", c->id);
    bool ok = steps_open_batch(&run.s, source.at, run.batch, f64, write_data, c);
    if (ok) {
        set_weights(&run);
        follow(&run, &o);
        ok = evaluate(&run, &o);
    }
    if (!ok) o = (Outcome){GOLDEN_FAILED, INFINITY, "the program"};
    if (!ok && getenv("NNC_GOLDEN_VERBOSE")) fprintf(stderr, "%s\n", source.at);
    steps_close(&run.s);
    vec_free(&source);
    return o;
}
