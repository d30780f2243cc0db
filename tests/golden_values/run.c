/* Running a case and comparing. */
#include "runtime/files.h"
#include "tests/golden_values/golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *golden_write(const char *source) {
    char folder[] = "/tmp/nnc-golden-XXXXXX";
    RtError err;
    if (!mkdtemp(folder)) bug("no temporary folder");
    char *path = xcalloc(strlen(folder) + 16, 1);
    sprintf(path, "%s/case.nn", folder);
    if (!rt_file_replace(path, source, strlen(source), &err)) bug("%s", err.text);
    return path;
}

void golden_remove(char *path) {
    unlink(path);
    *strrchr(path, '/') = 0;
    for (int i = 0; i < 8; i++) {
        char file[128];
        snprintf(file, sizeof file, "%s/g%d.npy", path, i);
        unlink(file);
    }
    rmdir(path);
    free(path);
}

static void keep_worst(Outcome *o, double error, const char *where) {
    if (!(error <= o->worst)) {
        o->worst = error;
        snprintf(o->where, sizeof o->where, "%s", where);
    }
}

/* The largest error in units of the tolerance: |got - want| / (atol + rtol |want|), want rounded to the type of got. */
static double array_error(const RtArray *got, const RtArray *want, double rtol, double atol) {
    if (got->rank != want->rank || memcmp(got->dims, want->dims, sizeof *got->dims * (size_t)got->rank) != 0)
        return INFINITY;
    double worst = 0;
    bool exact = !rt_dtype_is_float(want->dtype);
    int64_t n = rt_array_elements(want);
    for (int64_t i = 0; i < n; i++) {
        double g = rt_element(got->data, got->dtype, i), w = rt_element(want->data, want->dtype, i);
        if (got->dtype == RT_F32) w = (double)(float)w;
        if (isnan(g) && isnan(w)) continue;
        if (g == w) continue;
        if (exact || isnan(g) || isnan(w) || isinf(g) || isinf(w)) return INFINITY;
        double e = fabs(g - w) / (atol + rtol * fabs(w));
        if (!(e <= worst)) worst = e;
    }
    return worst;
}

void golden_compare(const Case *c, const cJSON *entry, const RtArray *got, bool f64, Outcome *o) {
    const char *key = cJSON_GetObjectItemCaseSensitive(entry, "key")->valuestring;
    const cJSON *tolerance = cJSON_GetObjectItemCaseSensitive(entry, f64 ? "f64" : "f32");
    const RtTensor *want = case_tensor(c, key);
    double rtol = cJSON_GetArrayItem(tolerance, 0)->valuedouble, atol = cJSON_GetArrayItem(tolerance, 1)->valuedouble;
    keep_worst(o, want ? array_error(got, &want->array, rtol, atol) : INFINITY, key);
    o->verdict = o->worst <= 1 ? GOLDEN_PASSED : GOLDEN_FAILED;
}

Options golden_options(const char *path, bool f64) {
    return (Options){.file = path,
                     .seed = 0,
                     .threads = 1,
                     .float_type = f64 ? DT_F64 : DT_F32,
                     .quiet = true,
                     .cpu = getenv("NNC_CPU")};
}

/* ---- functions and layers ---- */

typedef struct {
    const Case *c;
    const Rule *rule;
} Parameters;

char *golden_variable(Driver *d, const char *name, size_t len) {
    Program *p = driver_program(d);
    const VarLayout *v = driver_layout(d);
    for (size_t i = 0; i < p->params.len + p->states.len; i++) {
        bool is_param = i < p->params.len;
        const char *path = (is_param ? p->params.at[i] : p->states.at[i - p->params.len])->path;
        size_t n = strlen(path);
        if (n < len || strncmp(path + n - len, name, len) != 0 || (n > len && path[n - len - 1] != '.')) continue;
        return driver_values(d) + (is_param ? v->param[i] : v->state[i - p->params.len]);
    }
    return NULL;
}

static void put(void *data, bool f64, int64_t i, double x) {
    if (f64)
        ((double *)data)[i] = x;
    else
        ((float *)data)[i] = (float)x;
}

/* `k` counts through the variable, `from` is where its element stands in the reference's tensor. */
void golden_place(char *bytes, bool f64, RtArray value, const Placement *p, bool out) {
    if (p && p->parts > 1) {
        value.dims[0] /= p->parts;
        value.data = (char *)value.data + (size_t)(rt_array_elements(&value) * p->part) * rt_dtype_size(value.dtype);
    }
    const char *digits = p ? p->digits : "";
    size_t ndigits = p ? p->ndigits : 0;
    int64_t n = rt_array_elements(&value), at[RT_MAX_RANK] = {0};
    for (int64_t k = 0; k < n; k++) {
        int64_t from = 0;
        for (int s = 0; s < value.rank; s++) {
            int64_t index = at[s];
            for (size_t q = 0; q < ndigits; q++)
                if (digits[q] - '0' == s) index = at[q];
            from = from * value.dims[s] + index;
        }
        if (out)
            put(value.data, f64, from, rt_element(bytes, f64 ? RT_F64 : RT_F32, k));
        else
            put(bytes, f64, k, rt_element(value.data, value.dtype, from));
        for (int s = value.rank - 1; s >= 0; s--) {
            int64_t extent = value.dims[ndigits ? digits[s] - '0' : s];
            if (++at[s] < extent) break;
            at[s] = 0;
        }
    }
}

static void set_parameters(Driver *d, void *self) {
    const Parameters *s = self;
    const char *words = s->rule->parameters;
    for (Placement p; golden_placement(&words, &p);) {
        const RtTensor *t = case_input(s->c, p.input);
        char *bytes = t ? golden_variable(d, p.name, p.name_len) : NULL;
        if (bytes) golden_place(bytes, driver_nnc(d)->float_type == DT_F64, t->array, &p, false);
    }
}

static int collect_arguments(const Case *c, CallArg *args) {
    int n = 0;
    const cJSON *item;
    cJSON_ArrayForEach(item, c->inputs) args[n++] = (CallArg){item->string, case_tensor(c, item->valuestring)->array};
    cJSON_ArrayForEach(item, c->cotangents) {
        char *name = xcalloc(strlen(item->string) + 5, 1);
        sprintf(name, "cot_%s", item->string);
        args[n++] = (CallArg){name, case_tensor(c, item->valuestring)->array};
    }
    return n;
}

Outcome golden_run(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = 0, .where = "the program"};
    Str source = {0};
    CallArg args[32];
    if (!golden_source(&source, c, r)) bug("%s: the rule names an attribute that the case lacks", c->id);
    char *path = golden_write(source.at);
    Options options = golden_options(path, f64);
    Driver *d = driver_open(&options);
    int nargs = collect_arguments(c, args), first_cot = cJSON_GetArraySize(c->inputs), k = 0;
    Parameters set = {c, r};
    CallResult result = {0};
    if (d && driver_call(d, "golden", args, nargs, NULL, 0, set_parameters, &set, &result)) {
        const cJSON *item;
        cJSON_ArrayForEach(item, c->outputs) golden_compare(c, item, &result.results[k++], f64, &o);
        cJSON_ArrayForEach(item, c->gradients) golden_compare(c, item, &result.results[k++], f64, &o);
    } else {
        if (d) driver_failed(d);
        o.worst = INFINITY;
    }
    call_free(&result);
    driver_close(d);
    for (int i = first_cot; i < nargs; i++) free((char *)args[i].name);
    golden_remove(path);
    if (o.worst == INFINITY && getenv("NNC_GOLDEN_VERBOSE")) fprintf(stderr, "%s\n", source.at);
    vec_free(&source);
    return o;
}
