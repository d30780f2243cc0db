/* Schedules that read a report: a whole run whose epochs report the given metric; the rate of each is in its log. */
#include "runtime/files.h"
#include "runtime/npy.h"
#include "tests/golden_values/golden.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The data set is one sample: the metrics of all epochs. The parameter becomes the rate. */
static bool schedule_source(Str *s, const Case *c, const Rule *r) {
    int64_t n = case_input(c, "metric")->array.dims[0];
    str_add(s, "data metrics = npy(\"g0.npy\")\n\n"
               "layer Point()(x) -> [] {\n    param p: [] = 0\n    return p + 0 * mean(x)\n}\nlet point = Point()\n\n"
               "optimizer Show(lr)(p, g) {\n    p = lr + 0 * g\n}\n\n");
    str_add(s, "train {\n    epochs = %lld\n    for x in metrics {\n        minimize point(x) using Show(",
            (long long)n);
    if (!golden_fill(s, r->make, c)) return false;
    str_add(s, ")\n        report metric = x[0, epoch - 1]\n        report rate = point.p\n    }\n}\n");
    return true;
}

static void write_metrics(const Case *c, const char *path) {
    RtError err;
    char file[160];
    RtArray a = case_input(c, "metric")->array;
    a.dims[1] = a.dims[0], a.dims[0] = 1, a.rank = 2;
    snprintf(file, sizeof file, "%.*s/g0.npy", (int)(strrchr(path, '/') - path), path);
    if (!rt_npy_write(file, &a, &err)) bug("%s", err.text);
}

/* The rates in the order of the epochs; how many there are. */
static int64_t read_rates(const char *log, double *rate, int64_t most) {
    RtError err;
    size_t size;
    char *text = rt_file_read(log, 1 << 24, &size, &err), *end;
    int64_t n = 0;
    for (char *line = text; line && (end = strchr(line, '\n')) && n < most; line = end + 1) {
        *end = 0;
        cJSON *event = cJSON_Parse(line);
        const cJSON *v = cJSON_GetObjectItemCaseSensitive(event, "rate");
        if (cJSON_IsNumber(v)) rate[n++] = v->valuedouble;
        cJSON_Delete(event);
    }
    free(text);
    return n;
}

static void compare_rates(const Case *c, const char *log, bool f64, Outcome *o) {
    const cJSON *entry = cJSON_GetObjectItemCaseSensitive(c->outputs, "lr");
    RtArray got = case_input(c, "metric")->array;
    RtError err;
    got.dtype = RT_F64;
    if (!rt_array_alloc(&got, "the rates", &err)) bug("%s", err.text);
    if (read_rates(log, got.data, got.dims[0]) == got.dims[0])
        golden_compare(c, entry, &got, f64, o);
    else
        *o = (Outcome){GOLDEN_FAILED, INFINITY, "the log"};
    rt_array_free(&got);
}

static void remove_run(const char *folder) {
    static const char *const files[] = {"log.jsonl", "checkpoint.safetensors", "weights.safetensors", ".lock"};
    char file[192];
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(file, sizeof file, "%s/%s", folder, files[i]);
        unlink(file);
    }
    rmdir(folder);
}

Outcome golden_run_schedule(const Case *c, const Rule *r, bool f64) {
    Outcome o = {.verdict = GOLDEN_FAILED, .worst = INFINITY, .where = "the program"};
    Str source = {0};
    if (!schedule_source(&source, c, r)) bug("%s: the rule names an attribute that the case lacks", c->id);
    char *path = golden_write(source.at), out[160], log[192];
    write_metrics(c, path);
    snprintf(out, sizeof out, "%.*s/run", (int)(strrchr(path, '/') - path), path);
    snprintf(log, sizeof log, "%s/log.jsonl", out);
    Options options = golden_options(path, f64);
    options.out = out;
    options.seed = -1;
    Driver *d = driver_open(&options);
    if (d && driver_train(d, false) == 0) {
        o.worst = 0;
        compare_rates(c, log, f64, &o);
    }
    driver_close(d);
    remove_run(out);
    golden_remove(path);
    vec_free(&source);
    return o;
}
