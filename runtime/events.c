/* Events as JSON lines. */
#include "runtime/events.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot_write(const RtEvents *v, RtError *e) {
    return rt_fail(e, "%s: cannot be written: %s", v->train->log_path, strerror(errno));
}

bool rt_events_open(RtEvents *v, const RtTrain *t, RtError *e) {
    *v = (RtEvents){.train = t, .out = t->json ? (t->out != NULL ? t->out : stdout) : NULL};
    if (t->log_path == NULL) return true;
    v->log = fopen(t->log_path, "a");
    struct stat st;
    if (v->log == NULL || fstat(fileno(v->log), &st) != 0) return cannot_write(v, e);
    if (S_ISREG(st.st_mode) && st.st_size > t->start.log_bytes &&
        ftruncate(fileno(v->log), (off_t)t->start.log_bytes) != 0)
        return cannot_write(v, e);
    return true;
}

int64_t rt_events_log_bytes(const RtEvents *v) {
    struct stat st;
    return v->log != NULL && fstat(fileno(v->log), &st) == 0 ? (int64_t)st.st_size : 0;
}

bool rt_events_close(RtEvents *v, RtError *e) {
    if (v->log == NULL) return true;
    bool good = !ferror(v->log);
    good = fclose(v->log) == 0 && good;
    v->log = NULL;
    return good || rt_fail(e, "%s: could not be written in full", v->train->log_path);
}

/* Writes the event, one line to each place, and frees it. */
static bool emit(RtEvents *v, cJSON *event, RtError *e) {
    char *text = cJSON_PrintUnformatted(event);
    cJSON_Delete(event);
    if (text == NULL) return rt_fail(e, "no memory for an event");
    FILE *places[2] = {v->log, v->out};
    bool good = true;
    for (int i = 0; i < 2; i++) {
        if (places[i] == NULL) continue;
        bool written = fprintf(places[i], "%s\n", text) >= 0 && fflush(places[i]) == 0;
        if (!written && places[i] == v->log) good = cannot_write(v, e);
    }
    cJSON_free(text);
    return good;
}

static cJSON *event_named(const char *name) {
    cJSON *event = cJSON_CreateObject();
    cJSON_AddStringToObject(event, "event", name);
    return event;
}

static void add_number(cJSON *event, const char *name, double v) { cJSON_AddNumberToObject(event, name, v); }

/* Times and rates to three decimals: more is noise. */
static void add_measure(cJSON *event, const char *name, double v) { add_number(event, name, round(v * 1000) / 1000); }

bool rt_event_start(RtEvents *v, RtError *e) {
    const RtTrain *t = v->train;
    cJSON *event = event_named("start");
    if (t->name != NULL) cJSON_AddStringToObject(event, "name", t->name);
    if (t->epochs > 0) add_number(event, "epochs", (double)t->epochs);
    if (t->steps > 0) add_number(event, "steps", (double)t->steps);
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->seed);
    cJSON_AddRawToObject(event, "seed", seed); /* a double would round it */
    for (int i = 0; i < t->nloops; i++) {      /* the first training loop stands for the run */
        if (!t->loops[i].trains) continue;
        add_number(event, "batch", (double)t->loops[i].batch);
        add_number(event, "samples", (double)t->loops[i].data->count);
        break;
    }
    if (t->start.position.step > 0) add_number(event, "resumed_at_step", (double)t->start.position.step);
    for (int i = 0; i < t->nfacts; i++) {
        if (t->facts[i].text != NULL)
            cJSON_AddStringToObject(event, t->facts[i].name, t->facts[i].text);
        else
            add_number(event, t->facts[i].name, t->facts[i].number);
    }
    return emit(v, event, e);
}

static void add_reports(cJSON *event, const RtReport *reports, int n) {
    for (int i = 0; i < n; i++) add_number(event, reports[i].name, reports[i].value);
}

bool rt_event_step(RtEvents *v, int64_t step, const RtReport *reports, int n, RtError *e) {
    cJSON *event = event_named("step");
    add_number(event, "step", (double)step);
    add_reports(event, reports, n);
    return emit(v, event, e);
}

bool rt_event_epoch(RtEvents *v, int64_t number, const RtEpoch *epoch, RtError *e) {
    cJSON *event = event_named("epoch");
    add_number(event, "epoch", (double)number);
    add_reports(event, epoch->reports, epoch->nreports);
    add_number(event, "step", (double)epoch->point.position.step);
    if (epoch->weights != NULL) cJSON_AddStringToObject(event, "weights_sha256", epoch->weights);
    add_measure(event, "samples_per_s", epoch->samples_per_s);
    add_measure(event, "seconds", epoch->seconds);
    bool good = emit(v, event, e);
    if (v->log != NULL) fdatasync(fileno(v->log)); /* before a checkpoint counts on the line; not every file can */
    return good;
}

static int64_t peak_of_process(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

bool rt_event_end(RtEvents *v, const RtTrained *result, RtError *e) {
    static const char *const reasons[] = {"epochs", "steps", "stopped", "signal"};
    const RtTrain *t = v->train;
    cJSON *event = event_named("end");
    if (t->weights != NULL) cJSON_AddStringToObject(event, "weights", t->weights);
    cJSON_AddStringToObject(event, "reason", reasons[result->end]);
    add_number(event, "step", (double)result->position.step);
    add_measure(event, "seconds", result->seconds);
    add_number(event, "peak_bytes", (double)(t->peak_bytes > 0 ? t->peak_bytes : peak_of_process()));
    return emit(v, event, e);
}
