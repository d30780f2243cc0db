/* links: nnc_rt */
/* The epoch loop: order, batches, averages, limits, events, going on where a run stopped. */
#include "runtime/files.h"
#include "runtime/lines.h"
#include "runtime/train.h"
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SAMPLES = 10, MAX_CALLS = 1000 };

/* What the steps were called with. */
typedef struct {
    const RtData *data;
    int calls, evaluations;
    int64_t sizes[MAX_CALLS];
    int32_t order[MAX_CALLS * SAMPLES];
    int norder;
    int interrupt_at; /* the call that gets SIGINT */
    const RtSignals *signals;
    int stop_after, ended; /* epochs */
    RtPosition finished;
    RtPoint point; /* of finish(), its sums and tail kept here */
    double sums[3];
    char tail[4096];
    RtPoint kept; /* of the epoch `keep`, with its sums and tail */
    int keep;
    double kept_sums[3];
    char kept_tail[4096];
    double losses[MAX_CALLS]; /* the average of each whole epoch */
    int nlosses;
} Trace;

/* Reports as loss the mean of the row numbers. */
static void step(void *self, const int32_t *rows, int64_t n, double *reports) {
    Trace *t = self;
    t->sizes[t->calls++] = n;
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        t->order[t->norder++] = rows[i];
        sum += rows[i];
    }
    reports[0] = sum / (double)n;
    if (t->calls != t->interrupt_at) return;
    kill(getpid(), SIGINT);
    while (rt_signals_seen(t->signals) == 0) usleep(1000);
}

static void evaluate(void *self, const int32_t *rows, int64_t n, double *reports) {
    Trace *t = self;
    for (int64_t i = 0; i < n; i++) cr_assert(rows[i] == i, "not shuffled");
    t->evaluations++;
    reports[0] = (double)n;
    reports[1] = NAN;
}

static RtNext epoch_end(void *user, const RtEpoch *epoch, RtError *e) {
    Trace *t = user;
    t->ended++;
    if (t->stop_after < 0) {
        rt_fail(e, "the disk is full");
        return RT_FAILED;
    }
    cr_expect(epoch->nreports == 3);
    if (t->ended == t->keep) {
        t->kept = epoch->point;
        t->kept.sums = memcpy(t->kept_sums, epoch->point.sums, sizeof t->kept_sums);
        snprintf(t->kept_tail, sizeof t->kept_tail, "%s", epoch->point.log_tail);
        t->kept.log_tail = t->kept_tail;
    }
    if (epoch->whole) t->losses[t->nlosses++] = epoch->reports[0].value;
    return t->ended == t->stop_after ? RT_STOP : RT_GO_ON;
}

static bool finish(void *user, const RtPoint *point, RtError *e) {
    (void)e;
    Trace *t = user;
    t->finished = point->position;
    t->point = *point;
    cr_assert(point->nsums == 3);
    memcpy(t->sums, point->sums, sizeof t->sums);
    t->point.sums = t->sums;
    snprintf(t->tail, sizeof t->tail, "%s", point->log_tail != NULL ? point->log_tail : "");
    t->point.log_tail = t->tail;
    return true;
}

static RtData *make_data(void) {
    RtArray a = {.dtype = RT_F32, .rank = 1, .dims = {SAMPLES}};
    RtError e = {.number = 0};
    cr_assert(rt_array_alloc(&a, "test", &e));
    for (int i = 0; i < SAMPLES; i++) ((float *)a.data)[i] = (float)i;
    return rt_data_from_array(&a, "x", "test", &e);
}

/* A run of one training loop (batch 4: 4 + 4 + 2) and one evaluating loop (batch 10), with JSON events into `text`. */
typedef struct {
    Trace trace;
    RtData *data;
    RtLoop loops[2];
    RtTrain train;
    RtTrained result;
    RtError e;
    char *text;
    size_t size;
} Rig;

static const char *const train_names[] = {"loss"}, *const test_names[] = {"size", "hole"};

static Rig *new_rig(void) {
    Rig *r = calloc(1, sizeof *r);
    r->data = make_data();
    r->loops[0] = (RtLoop){.data = r->data,
                           .trains = true,
                           .batch = 4,
                           .step = step,
                           .last_step = step,
                           .self = &r->trace,
                           .nreports = 1,
                           .report_names = train_names};
    r->loops[1] = (RtLoop){
        .data = r->data, .batch = 10, .step = evaluate, .self = &r->trace, .nreports = 2, .report_names = test_names};
    r->train = (RtTrain){.nloops = 2,
                         .loops = r->loops,
                         .epochs = 2,
                         .seed = 1,
                         .json = true,
                         .user = &r->trace,
                         .epoch_end = epoch_end,
                         .finish = finish,
                         .weights = "w.safetensors",
                         .peak_bytes = 99};
    return r;
}

static bool go(Rig *r) {
    free(r->text);
    r->train.out = open_memstream(&r->text, &r->size);
    bool good = rt_train(&r->train, &r->result, &r->e);
    fclose(r->train.out);
    return good;
}

static void free_rig(Rig *r) {
    rt_data_free(r->data);
    free(r->text);
    free(r);
}

/* The number of events of that name; the last of them is parsed into *last, which the caller deletes. */
static int events(const char *text, const char *name, cJSON **last) {
    int n = 0;
    *last = NULL;
    char *copy = strdup(text), *rest = copy;
    for (char *line; (line = strsep(&rest, "\n")) != NULL;) {
        if (*line == '\0') continue;
        cJSON *event = cJSON_Parse(line);
        cr_assert_not_null(event, "not JSON: %s", line);
        if (strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(event, "event")), name) == 0) {
            cJSON_Delete(*last);
            *last = event;
            n++;
        } else {
            cJSON_Delete(event);
        }
    }
    free(copy);
    return n;
}

static double number(const cJSON *event, const char *name) {
    return cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(event, name));
}

Test(train, epochs_batches_and_events) {
    Rig *r = new_rig();
    r->train.log_every = 2;
    cr_assert(go(r), "%s", r->e.text);
    const Trace *t = &r->trace;
    cr_expect(t->calls == 6 && t->evaluations == 2 && t->ended == 2);
    cr_expect(t->sizes[0] == 4 && t->sizes[1] == 4 && t->sizes[2] == 2);
    int seen[SAMPLES] = {0};
    for (int i = 0; i < SAMPLES; i++) seen[t->order[i]]++;
    for (int i = 0; i < SAMPLES; i++) cr_expect(seen[i] == 1, "row %d in the first epoch", i);
    cr_expect(memcmp(t->order, t->order + SAMPLES, SAMPLES * sizeof *t->order) != 0, "each epoch has its own order");
    cr_expect(r->result.end == RT_END_EPOCHS && r->result.position.epoch == 2 && r->result.position.step == 6);
    cr_expect(t->finished.epoch == 2);

    cJSON *event;
    cr_expect(events(r->text, "start", &event) == 1);
    cr_expect(number(event, "batch") == 4 && number(event, "samples") == 10 && number(event, "seed") == 1);
    cJSON_Delete(event);
    cr_expect(events(r->text, "step", &event) == 3);
    cr_expect(number(event, "step") == 6 && isfinite(number(event, "loss")));
    cJSON_Delete(event);
    cr_expect(events(r->text, "epoch", &event) == 2);
    cr_expect(number(event, "epoch") == 2 && number(event, "size") == 10);
    cr_expect(fabs(number(event, "loss") - 4.5) < 1e-12, "the mean over rows 0..9, the small batch weighted");
    cr_expect(cJSON_IsNull(cJSON_GetObjectItem(event, "hole")), "a NaN is null");
    cr_expect(number(event, "samples_per_s") > 0 && number(event, "seconds") >= 0);
    cJSON_Delete(event);
    cr_expect(events(r->text, "end", &event) == 1);
    cr_expect_str_eq(cJSON_GetStringValue(cJSON_GetObjectItem(event, "weights")), "w.safetensors");
    cr_expect(number(event, "peak_bytes") == 99);
    cJSON_Delete(event);
    free_rig(r);
}

Test(train, step_limit_inside_an_epoch) {
    Rig *r = new_rig();
    r->train.steps = 4;
    r->train.epochs = 0;
    cr_assert(go(r), "%s", r->e.text);
    cr_expect(r->trace.calls == 4 && r->trace.evaluations == 2, "the evaluating loop still runs");
    cr_expect(r->result.end == RT_END_STEPS);
    RtPosition p = r->result.position;
    cr_expect(p.epoch == 1 && p.loop == 0 && p.batch == 1 && p.step == 4);
    free_rig(r);
}

static RtNext one_report(void *user, const RtEpoch *epoch, RtError *e) {
    (void)user, (void)e;
    cr_expect(!epoch->whole && epoch->nreports == 1 && strcmp(epoch->reports[0].name, "loss") == 0);
    return RT_GO_ON;
}

Test(train, a_loop_behind_the_step_limit_reports_nothing) {
    Rig *r = new_rig();
    r->train.steps = 2;
    r->loops[1].trains = true;
    r->train.epoch_end = one_report;
    cr_assert(go(r), "%s", r->e.text);
    cJSON *event;
    cr_expect(events(r->text, "epoch", &event) == 1 && isfinite(number(event, "loss")));
    cr_expect_not(cJSON_HasObjectItem(event, "size"));
    cJSON_Delete(event);
    free_rig(r);
}

/* Stopped at every step in turn and taken up from what finish() was told: the same batches, the same averages. */
Test(train, goes_on_where_it_stopped) {
    Rig *whole = new_rig();
    whole->train.epochs = 3;
    cr_assert(go(whole));
    for (int steps = 1; steps < 9; steps++) {
        Rig *half = new_rig();
        half->train.epochs = 3;
        half->train.steps = steps;
        cr_assert(go(half));
        half->train.start = half->trace.point;
        cr_assert(go(half), "the same limit again");
        half->train.start = half->trace.point;
        half->train.steps = 0;
        cr_assert(go(half));
        const Trace *w = &whole->trace, *h = &half->trace;
        cr_expect(h->calls == w->calls && h->norder == w->norder, "%d calls after %d steps", h->calls, steps);
        cr_expect(memcmp(h->order, w->order, (size_t)w->norder * sizeof(int32_t)) == 0);
        cr_expect(h->nlosses == 3 && memcmp(h->losses, w->losses, 3 * sizeof *h->losses) == 0, "after %d steps", steps);
        cr_expect(half->result.position.step == 9 && half->result.position.epoch == 3);
        free_rig(half);
    }
    free_rig(whole);
}

/* What a resumed run repeats is taken out of the log first. */
Test(train, the_log_is_cut_where_a_run_goes_on) {
    Rig *r = new_rig();
    char path[256];
    snprintf(path, sizeof path, "/tmp/rt-train-cut-%ld.jsonl", (long)getpid());
    r->train.log_path = path;
    r->train.quiet = true;
    r->train.steps = 4;
    cr_assert(go(r), "%s", r->e.text);
    cr_assert(r->trace.point.log_bytes > 0 && r->trace.point.log_bytes < r->result.log_bytes);
    r->train.start = r->trace.point;
    r->train.steps = 0;
    cr_assert(go(r), "%s", r->e.text);
    size_t size;
    char *log = rt_file_read(path, 1 << 20, &size, &r->e);
    cr_assert_not_null(log, "%s", r->e.text);
    cr_expect((int64_t)size == r->result.log_bytes);
    cJSON *event;
    cr_expect(events(log, "epoch", &event) == 2, "the cut epoch is told once: %s", log);
    cJSON_Delete(event);
    cr_expect(events(log, "end", &event) == 1);
    cJSON_Delete(event);
    cr_expect(events(log, "start", &event) == 2);
    cr_expect(number(event, "resumed_at_step") == 4);
    cJSON_Delete(event);
    free(log);
    unlink(path);
    free_rig(r);
}

/* The number of each line's epoch event, in order, "s" and "e" for start and end. */
static void print_epochs(const char *path, char text[64]) {
    size_t size;
    char *log = rt_file_read(path, 1 << 20, &size, NULL);
    cr_assert_not_null(log);
    *text = 0;
    for (char *line = strtok(log, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        long epoch;
        size_t n = strlen(text);
        if (sscanf(line, "{\"event\":\"epoch\",\"epoch\":%ld", &epoch) == 1)
            snprintf(text + n, 64 - n, "%ld", epoch);
        else
            snprintf(text + n, 64 - n, "%c", line[strlen("{\"event\":\"")]);
    }
    free(log);
}

/* What a killed run had told and not written, or what the disk has lost of it, a checkpoint has: the log and the table
 * go on without a gap and without telling anything twice. */
Test(train, lost_lines_come_back_where_a_run_goes_on) {
    static const char *const columns[] = {"loss"};
    for (int losing = 0; losing < 2; losing++) {
        Rig *r = new_rig();
        char log[256], table[256], epochs[64];
        snprintf(log, sizeof log, "/tmp/rt-train-lost-%ld.jsonl", (long)getpid());
        snprintf(table, sizeof table, "/tmp/rt-train-lost-%ld.csv", (long)getpid());
        r->train.log_path = log;
        r->train.table_path = table;
        r->train.columns = columns;
        r->train.ncolumns = 1;
        r->train.quiet = true;
        r->train.epochs = 4;
        r->trace.keep = 3;
        cr_assert(go(r), "%s", r->e.text);
        RtPoint kept = r->trace.kept;
        cr_assert(*kept.log_tail && kept.position.epoch == 3, "epochs of microseconds wait to be written");
        print_epochs(log, epochs);
        cr_expect_str_eq(epochs, "s1234e");
        if (losing) cr_assert(truncate(log, (off_t)(kept.log_bytes - (int64_t)strlen(kept.log_tail))) == 0);
        if (losing) cr_assert(truncate(table, 3) == 0);
        r->train.start = kept;
        cr_assert(go(r), "%s", r->e.text);
        print_epochs(log, epochs);
        cr_expect_str_eq(epochs, "s123s4e");
        size_t size;
        char *rows = rt_file_read(table, 1 << 20, &size, &r->e);
        cr_assert_not_null(rows, "%s", r->e.text);
        cr_expect(strncmp(rows, "block,epoch,step,loss,samples_per_s,seconds\n", 43) == 0, "%s", rows);
        for (int i = 1; i <= 4; i++) {
            char row[64];
            snprintf(row, sizeof row, "\n,%d,%d,4.5,", i, 3 * i);
            cr_expect_not_null(strstr(rows, row), "no %s in %s", row, rows);
        }
        free(rows);
        unlink(log);
        unlink(table);
        free_rig(r);
    }
}

Test(train, numbers_and_strings_of_json) {
    static const struct {
        double v;
        const char *text;
    } numbers[] = {{0, "0"},
                   {-3, "-3"},
                   {0.1, "0.1"},
                   {1.0 / 3, "0.33333333333333331"},
                   {1e22, "1e+22"},
                   {NAN, "null"},
                   {INFINITY, "1e999"},
                   {-INFINITY, "-1e999"},
                   {-2.5, "-2.5"},
                   {123456789012.0, "123456789012"}};
    RtLines l = {0};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        rt_lines_cut(&l, 0);
        rt_lines_add_number(&l, numbers[i].v);
        cr_expect_str_eq(l.text, numbers[i].text);
    }
    rt_lines_cut(&l, 0);
    rt_lines_add_quoted(&l, "a\"b\\c\n\td\x01\xc3\xa9");
    cr_expect_str_eq(l.text, "\"a\\\"b\\\\c\\n\\td\\u0001\xc3\xa9\"");
    rt_lines_drop(&l, 2);
    cr_expect(l.text[0] == '\\');
    rt_lines_free(&l);
}

Test(train, a_callback_stops_or_fails) {
    Rig *r = new_rig();
    r->trace.stop_after = 1;
    cr_assert(go(r));
    cr_expect(r->result.end == RT_END_STOPPED && r->trace.calls == 3);
    free_rig(r);
    r = new_rig();
    r->trace.stop_after = -1;
    cr_expect(!go(r));
    cr_expect_str_eq(r->e.text, "the disk is full");
    free_rig(r);
}

Test(train, ctrl_c_ends_after_the_step) {
    Rig *r = new_rig();
    RtSignals *s = rt_signals_new(&r->e);
    cr_assert_not_null(s, "%s", r->e.text);
    r->train.signals = s;
    r->train.epochs = 100;
    r->trace.signals = s;
    r->trace.interrupt_at = 2;
    cr_assert(go(r));
    cr_expect(r->result.end == RT_END_SIGNAL && r->result.signal == SIGINT);
    cr_expect(r->trace.calls == 2 && r->result.position.step == 2, "the step at hand is the last");
    cr_expect(r->trace.finished.step == 2, "finish() saves after a signal too");
    rt_signals_free(s);
    free_rig(r);
}

/* After the first signal the second one ends the process. */
Test(train, second_ctrl_c_kills, .signal = SIGINT) {
    RtError e;
    RtSignals *s = rt_signals_new(&e);
    kill(getpid(), SIGINT);
    while (rt_signals_seen(s) == 0) usleep(1000);
    kill(getpid(), SIGINT);
    sleep(5);
}

Test(train, doubled_names_are_told_apart) {
    Rig *r = new_rig();
    static const char *const names[] = {"loss", "hole"};
    r->loops[1].report_names = names;
    cr_assert(go(r));
    cJSON *event;
    events(r->text, "epoch", &event);
    cr_expect(number(event, "loss") == 10 && fabs(number(event, "train_loss") - 4.5) < 1e-12, "%s", r->text);
    cJSON_Delete(event);
    free_rig(r);
}

Test(train, plain_lines_where_there_is_no_terminal) {
    Rig *r = new_rig();
    char path[256];
    snprintf(path, sizeof path, "/tmp/rt-train-%ld.jsonl", (long)getpid());
    r->train.json = false;
    r->train.log_path = path;
    cr_assert(go(r), "%s", r->e.text);
    cr_expect(strncmp(r->text, "epoch 1/2  loss 4.5  size 10", 28) == 0, "%s", r->text);
    cr_expect_null(strpbrk(r->text, "\r\x1b"), "nothing is drawn over");
    size_t size;
    char *log = rt_file_read(path, 1 << 20, &size, &r->e);
    cr_assert_not_null(log, "%s", r->e.text);
    cJSON *event;
    cr_expect(events(log, "epoch", &event) == 2);
    cJSON_Delete(event);
    free(log);
    r->train.quiet = true;
    cr_assert(go(r));
    cr_expect(r->size == 0, "quiet");
    unlink(path);
    free_rig(r);
}

Test(train, a_missing_step_is_an_error) {
    Rig *r = new_rig();
    r->loops[0].last_step = NULL;
    cr_expect(!go(r));
    cr_expect_not_null(strstr(r->e.text, "last 2 samples"), "%s", r->e.text);
    r->loops[0].last_step = step;
    r->train.epochs = 0;
    cr_expect(!go(r), "neither epochs nor steps");
    free_rig(r);
}
