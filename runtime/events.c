/* Events as JSON lines. */
#include "runtime/events.h"
#include <cjson/cJSON.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static bool cannot_write(const RtEvents *v, RtError *e) {
    return rt_fail_system(e, "%s: cannot be written", v->train->log_path);
}

/* ---- the log ---- */

/* Seconds and bytes of it that are not on the disk at most. */
static const double SYNC_WAIT = 1;
enum { SYNC_BYTES = 1 << 16 };

bool rt_events_open(RtEvents *v, const RtTrain *t, RtError *e) {
    const char *tail = t->start.log_tail != NULL ? t->start.log_tail : "";
    int64_t kept = t->start.log_bytes - (int64_t)strlen(tail);
    struct stat st;
    *v = (RtEvents){.train = t, .log = -1, .out = t->json ? (t->out != NULL ? t->out : stdout) : NULL};
    if (t->log_path == NULL) return true;
    v->log = open(t->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (v->log < 0 || fstat(v->log, &st) != 0) return cannot_write(v, e);
    if (S_ISREG(st.st_mode) && st.st_size > kept && ftruncate(v->log, (off_t)kept) != 0) return cannot_write(v, e);
    v->safe = kept;
    v->next_sync = rt_seconds() + SYNC_WAIT;
    rt_lines_add_text(&v->lines, tail, strlen(tail));
    return rt_events_write(v, e);
}

int64_t rt_events_log_bytes(const RtEvents *v) { return v->log < 0 ? 0 : v->safe + (int64_t)v->lines.length; }

/* Waits for the disk now and then: checkpoints keep what is not on it yet. Not every file can be. */
static void sync_log(RtEvents *v) {
    double now = rt_seconds();
    if (v->written == 0 || (now < v->next_sync && v->written < SYNC_BYTES)) return;
    fdatasync(v->log);
    v->safe += (int64_t)v->written;
    rt_lines_drop(&v->lines, v->written);
    v->written = 0;
    v->next_sync = now + SYNC_WAIT;
}

bool rt_events_write(RtEvents *v, RtError *e) {
    if (v->log < 0) return true;
    if (!rt_lines_write(&v->lines, v->written, v->log)) return cannot_write(v, e);
    v->written = v->lines.length;
    sync_log(v);
    return true;
}

bool rt_events_save(RtEvents *v, RtError *e) {
    v->next_sync = 0;
    return rt_events_write(v, e);
}

bool rt_events_close(RtEvents *v, RtError *e) {
    bool good = rt_events_save(v, e);
    if (v->log >= 0 && close(v->log) != 0 && good)
        good = rt_fail(e, "%s: could not be written in full", v->train->log_path);
    v->log = -1;
    rt_lines_free(&v->lines);
    return good;
}

/* ---- events ---- */

static bool is_told(const RtEvents *v) { return v->log >= 0 || v->out != NULL; }

/* The event that began at `from` of the lines is whole. */
static bool end_event(RtEvents *v, size_t from, RtError *e) {
    rt_lines_add_text(&v->lines, "}\n", 2);
    if (v->lines.failed) return rt_fail(e, "no memory for an event");
    if (v->out != NULL) {
        fputs(v->lines.text + from, v->out);
        fflush(v->out);
    }
    if (v->log < 0) rt_lines_cut(&v->lines, from);
    return true;
}

static void add_name(RtLines *l, const char *name) {
    rt_lines_add_text(l, ",", 1);
    rt_lines_add_quoted(l, name);
    rt_lines_add_text(l, ":", 1);
}

static size_t begin_event(RtEvents *v, const char *name) {
    size_t from = v->lines.length;
    rt_lines_add(&v->lines, "{\"event\":\"%s\"", name);
    return from;
}

static void add_text(RtLines *l, const char *name, const char *text) {
    add_name(l, name);
    rt_lines_add_quoted(l, text);
}

static void add_number(RtLines *l, const char *name, double v) {
    add_name(l, name);
    rt_lines_add_number(l, v);
}

/* Times and rates to three decimals: more is noise. */
static void add_measure(RtLines *l, const char *name, double v) { add_number(l, name, round(v * 1000) / 1000); }

static void add_reports(RtLines *l, const RtReport *reports, int n) {
    for (int i = 0; i < n; i++) add_number(l, reports[i].name, reports[i].value);
}

bool rt_event_start(RtEvents *v, RtError *e) {
    const RtTrain *t = v->train;
    RtLines *l = &v->lines;
    size_t from = begin_event(v, "start");
    if (t->name != NULL) add_text(l, "name", t->name);
    if (t->epochs > 0) add_number(l, "epochs", (double)t->epochs);
    if (t->steps > 0) add_number(l, "steps", (double)t->steps);
    rt_lines_add(l, ",\"seed\":%llu", (unsigned long long)t->seed); /* a double would round it */
    for (int i = 0; i < t->nloops; i++) {                           /* the first training loop stands for the run */
        if (!t->loops[i].trains) continue;
        add_number(l, "batch", (double)t->loops[i].batch);
        add_number(l, "samples", (double)t->loops[i].data->count);
        break;
    }
    if (t->start.position.step > 0) add_number(l, "resumed_at_step", (double)t->start.position.step);
    for (int i = 0; i < t->nfacts; i++) {
        if (t->facts[i].text != NULL)
            add_text(l, t->facts[i].name, t->facts[i].text);
        else
            add_number(l, t->facts[i].name, t->facts[i].number);
    }
    return end_event(v, from, e);
}

bool rt_event_step(RtEvents *v, int64_t step, const RtReport *reports, int n, RtError *e) {
    if (!is_told(v)) return true;
    size_t from = begin_event(v, "step");
    add_number(&v->lines, "step", (double)step);
    add_reports(&v->lines, reports, n);
    return end_event(v, from, e);
}

bool rt_event_epoch(RtEvents *v, int64_t number, const RtEpoch *epoch, RtError *e) {
    if (!is_told(v)) return true;
    size_t from = begin_event(v, "epoch");
    RtLines *l = &v->lines;
    add_number(l, "epoch", (double)number);
    add_reports(l, epoch->reports, epoch->nreports);
    add_number(l, "step", (double)epoch->point.position.step);
    if (epoch->weights != NULL) add_text(l, "weights_sha256", epoch->weights);
    add_measure(l, "samples_per_s", epoch->samples_per_s);
    add_measure(l, "seconds", epoch->seconds);
    return end_event(v, from, e);
}

static int64_t peak_of_process(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (int64_t)usage.ru_maxrss * 1024 : 0;
}

bool rt_event_end(RtEvents *v, const RtTrained *result, RtError *e) {
    static const char *const reasons[] = {"epochs", "steps", "stopped", "signal"};
    const RtTrain *t = v->train;
    RtLines *l = &v->lines;
    size_t from = begin_event(v, "end");
    if (t->weights != NULL) add_text(l, "weights", t->weights);
    add_text(l, "reason", reasons[result->end]);
    add_number(l, "step", (double)result->position.step);
    add_measure(l, "seconds", result->seconds);
    add_number(l, "peak_bytes", (double)(t->peak_bytes > 0 ? t->peak_bytes : peak_of_process()));
    return end_event(v, from, e);
}

/* ---- reading ---- */

static int64_t count_of(const cJSON *member) {
    return cJSON_IsNumber(member) && fabs(member->valuedouble) < 0x1p53 ? (int64_t)member->valuedouble : 0;
}

/* What rt_event_epoch() wrote: members before the reports and after them are known by their places. */
static bool read_epoch(const cJSON *event, int64_t *number, RtEpoch *epoch) {
    enum { BEFORE = 2 };
    const int after = 3 + (cJSON_GetObjectItemCaseSensitive(event, "weights_sha256") != NULL);
    int n = cJSON_GetArraySize(event) - BEFORE - after;
    RtReport *reports = n >= 0 ? calloc((size_t)n + 1, sizeof *reports) : NULL;
    if (reports == NULL) return false;
    const cJSON *member = event->child->next;
    *number = count_of(member);
    for (int i = 0; i < n; i++) {
        member = member->next;
        reports[i] = (RtReport){member->string, cJSON_IsNumber(member) ? member->valuedouble : NAN};
    }
    const cJSON *step = member->next, *seconds = event->child->prev; /* the first one's `prev` is the last one */
    *epoch = (RtEpoch){.point.position.step = count_of(step),
                       .nreports = n,
                       .reports = reports,
                       .samples_per_s = seconds->prev->valuedouble,
                       .seconds = seconds->valuedouble};
    return true;
}

bool rt_events_read(const char *lines, void (*epoch)(void *self, const char *block, int64_t number, const RtEpoch *),
                    void *self) {
    static const char start[] = "{\"event\":\"start\"", whole[] = "{\"event\":\"epoch\"";
    cJSON *block = NULL; /* the start event of the epochs that follow */
    bool good = true;
    for (const char *line = lines, *end; good && (end = strchr(line, '\n')) != NULL; line = end + 1) {
        bool is_start = strncmp(line, start, sizeof start - 1) == 0;
        if (!is_start && strncmp(line, whole, sizeof whole - 1) != 0) continue;
        cJSON *event = cJSON_ParseWithLength(line, (size_t)(end - line));
        RtEpoch told;
        int64_t number;
        if (is_start) {
            cJSON_Delete(block);
            block = event;
            continue;
        }
        good = event != NULL && read_epoch(event, &number, &told);
        const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(block, "name"));
        if (good) epoch(self, name, number, &told);
        if (good) free((RtReport *)told.reports);
        cJSON_Delete(event);
    }
    cJSON_Delete(block);
    return good;
}
