/* The epoch loop. */
#include "runtime/train.h"
#include "runtime/events.h"
#include "runtime/progress.h"
#include "runtime/random.h"
#include "runtime/table.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Seconds, and bytes of the log, that wait to be written at most; what is told before a batch of half as long does not
 * wait for it. */
static const double LONGEST_WAIT = 0.1;
enum { MOST_WAITING = 1 << 16 };

/* What one loop of the run has come to in the epoch at hand. */
typedef struct {
    int32_t *rows;     /* of the data set in its own order; shuffled in place where the loop trains */
    double *sums;      /* of each report, weighted by samples; a part of Run.sums */
    RtReport *batch;   /* each report's value in the last batch */
    RtReport *average; /* a part of Run.averages */
    int64_t samples;   /* counted in the sums */
    int64_t resumed;   /* of them, those of before this run went on */
    double seconds;
} LoopState;

typedef struct {
    const RtTrain *t;
    RtError *e;
    RtEvents events;
    RtTable table;
    RtProgress progress;
    RtPosition at;
    LoopState *loops;
    int nreports; /* of all loops */
    RtReport *averages;
    RtReport *told; /* of them, those that an epoch has values for */
    double *sums;
    char **names; /* of all reports, distinct */
    double started, epoch_started;
    double next_write; /* when what is told is written, on rt_seconds() */
    bool waiting;      /* there is something to write */
    bool slow;         /* batches take so long that nothing should wait for the next one */
    bool failed, signalled;
    bool cut; /* the step limit came inside a loop, at `cut_at`; evaluating loops still run */
    RtPosition cut_at;
    int64_t cut_log; /* bytes of the log before that epoch is told: it will be told again when it is whole */
} Run;

/* ---- names ---- */

static bool is_taken(char *const *names, int n, const char *name) {
    for (int i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0) return true;
    }
    return false;
}

static bool evaluated(const RtTrain *t, const char *name) {
    for (int i = 0; i < t->nloops; i++) {
        const RtLoop *l = &t->loops[i];
        for (int k = 0; k < l->nreports && !l->trains; k++) {
            if (strcmp(l->report_names[k], name) == 0) return true;
        }
    }
    return false;
}

static char *distinct_name(const RtTrain *t, const RtLoop *l, const char *name, char *const *taken, int ntaken) {
    size_t room = strlen(name) + 32;
    char *text = malloc(room);
    if (text == NULL) return NULL;
    const char *prefix = l->trains && evaluated(t, name) ? "train_" : "";
    snprintf(text, room, "%s%s", prefix, name);
    for (int k = 2; is_taken(taken, ntaken, text); k++) snprintf(text, room, "%s%s_%d", prefix, name, k);
    return text;
}

char **rt_report_names(const RtTrain *t, int *n) {
    int total = 0;
    *n = 0;
    for (int i = 0; i < t->nloops; i++) total += t->loops[i].nreports;
    char **names = calloc((size_t)total + 1, sizeof *names);
    for (int i = 0; names != NULL && i < t->nloops; i++) {
        const RtLoop *l = &t->loops[i];
        for (int k = 0; k < l->nreports; k++) {
            char *name = distinct_name(t, l, l->report_names[k], names, *n);
            if (name == NULL) {
                rt_report_names_free(names, *n);
                return NULL;
            }
            names[(*n)++] = name;
        }
    }
    return names;
}

void rt_report_names_free(char **names, int n) {
    for (int i = 0; names != NULL && i < n; i++) free(names[i]);
    free(names);
}

/* ---- preparation ---- */

static bool check_loop(const RtLoop *l, RtError *e) {
    const char *source = l->data->fields[0].source;
    if (l->batch < 1) return rt_fail(e, "%s: a batch of %lld samples cannot be", source, (long long)l->batch);
    if (l->data->count >= l->batch && l->step == NULL) return rt_fail(e, "%s: no step for a full batch", source);
    if (l->data->count % l->batch != 0 && l->last_step == NULL) {
        return rt_fail(e, "%s: no step for the last %lld samples", source, (long long)(l->data->count % l->batch));
    }
    return true;
}

static bool prepare_loop(Run *run, int index, int first) {
    const RtLoop *l = &run->t->loops[index];
    LoopState *s = &run->loops[index];
    if (!check_loop(l, run->e)) return false;
    s->rows = malloc((size_t)l->data->count * sizeof *s->rows);
    s->batch = calloc((size_t)l->nreports + 1, sizeof *s->batch);
    s->sums = run->sums + first;
    s->average = run->averages + first;
    if (s->rows == NULL || s->batch == NULL) return rt_fail(run->e, "no memory to train");
    rt_data_rows(l->data, s->rows);
    for (int k = 0; k < l->nreports; k++) s->batch[k].name = s->average[k].name = run->names[first + k];
    return true;
}

static bool prepare(Run *run) {
    const RtTrain *t = run->t;
    if (t->epochs <= 0 && t->steps <= 0) return rt_fail(run->e, "training needs a number of epochs or of steps");
    run->names = rt_report_names(t, &run->nreports);
    run->loops = calloc((size_t)t->nloops + 1, sizeof *run->loops);
    run->averages = calloc((size_t)run->nreports + 1, sizeof *run->averages);
    run->told = calloc((size_t)run->nreports + 1, sizeof *run->told);
    run->sums = calloc((size_t)run->nreports + 1, sizeof *run->sums);
    if (run->loops == NULL || run->averages == NULL || run->told == NULL || run->names == NULL || run->sums == NULL)
        return rt_fail(run->e, "no memory to train");
    for (int i = 0, first = 0; i < t->nloops; first += t->loops[i++].nreports) {
        if (!prepare_loop(run, i, first)) return false;
    }
    return true;
}

static void clean_up(Run *run) {
    for (int i = 0; run->loops != NULL && i < run->t->nloops; i++) {
        free(run->loops[i].rows);
        free(run->loops[i].batch);
    }
    rt_report_names_free(run->names, run->nreports);
    free(run->loops);
    free(run->averages);
    free(run->told);
    free(run->sums);
}

/* ---- progress ---- */

static double samples_per_s(const Run *run) {
    double samples = 0, seconds = 0;
    for (int i = 0; i < run->t->nloops; i++) {
        if (!run->t->loops[i].trains) continue;
        samples += (double)(run->loops[i].samples - run->loops[i].resumed);
        seconds += run->loops[i].seconds;
    }
    return seconds > 0 ? samples / seconds : 0;
}

/* The share of the epoch's samples, of all loops, that is done. */
static double epoch_done(const Run *run) {
    double done = 0, all = 0;
    for (int i = 0; i < run->t->nloops; i++) {
        const RtLoop *l = &run->t->loops[i];
        all += (double)l->data->count;
        if (i < run->at.loop)
            done += (double)l->data->count;
        else if (i == run->at.loop)
            done += (double)(l->batch * run->at.batch);
    }
    return done < all ? done / all : 1;
}

/* Seconds until the end at the pace so far; negative where the end is not known yet. */
static double seconds_left(const Run *run, double now, double done) {
    const RtTrain *t = run->t;
    double share = -1; /* of this run, from where it started */
    if (t->epochs > 0) {
        double epochs = (double)(run->at.epoch - t->start.position.epoch) + done;
        share = epochs / (double)(t->epochs - t->start.position.epoch);
    }
    if (t->steps > 0) {
        double steps = (double)(run->at.step - t->start.position.step) / (double)(t->steps - t->start.position.step);
        if (steps > share) share = steps;
    }
    return share > 0.001 && share <= 1 ? (now - run->started) * (1 / share - 1) : -1;
}

/* ---- what is told, on its way ---- */

/* Writes what was told: the log last, as the others are made to agree with it where a run goes on. */
static bool write_told(Run *run) {
    run->waiting = false;
    run->next_write = rt_seconds() + LONGEST_WAIT;
    rt_progress_write(&run->progress);
    if (run->t->written != NULL) run->t->written(run->t->user);
    run->failed = !rt_table_write(&run->table, run->e) || !rt_events_write(&run->events, run->e) || run->failed;
    return !run->failed;
}

/* Ten times a second, as each write costs as much as a short step. */
static bool is_due(const Run *run, double now) {
    return run->slow || now >= run->next_write || run->events.lines.length - run->events.written > MOST_WAITING;
}

static bool write_due(Run *run, double now) { return !run->waiting || !is_due(run, now) || write_told(run); }

static void show_progress(Run *run, double now) {
    double done = epoch_done(run);
    RtNow state = {.epoch = run->at.epoch + 1,
                   .done = done,
                   .samples_per_s = samples_per_s(run),
                   .left = seconds_left(run, now, done),
                   .nreports = run->nreports,
                   .reports = run->averages};
    rt_progress_draw(&run->progress, &state, now);
}

/* ---- loops ---- */

static bool limit_reached(const Run *run) { return run->t->steps > 0 && run->at.step >= run->t->steps; }

/* One batch of `n` samples from the `first`. */
static void run_batch(Run *run, const RtLoop *l, LoopState *s, int64_t first, int64_t n, double *reports) {
    (n == l->batch ? l->step : l->last_step)(l->self, s->rows + first, n, reports);
    s->samples += n;
    for (int k = 0; k < l->nreports; k++) {
        s->sums[k] += reports[k] * (double)n;
        s->batch[k].value = reports[k];
        s->average[k].value = s->sums[k] / (double)s->samples;
    }
    run->at.batch++;
    if (l->trains) run->at.step++;
}

/* Seconds so far that count for no loop: code was made. */
static double made_seconds(const RtTrain *t) { return t->making ? *t->making : 0; }

/* Tells of the batch that has just ended, where it is that one's turn. */
static bool tell_step(Run *run, const RtLoop *l, const LoopState *s) {
    int64_t every = run->t->log_every;
    if (!l->trains || every <= 0 || run->at.step % every != 0) return true;
    run->waiting = true;
    run->failed = !rt_event_step(&run->events, run->at.step, s->batch, l->nreports, run->e);
    return !run->failed;
}

/* The batches that are left of loop run->at.loop; false where the run must end here. */
static bool run_batches(Run *run, const RtLoop *l, LoopState *s, double *reports) {
    const RtTrain *t = run->t;
    double before = rt_seconds() - made_seconds(t) - s->seconds;
    for (;;) {
        int64_t first = run->at.batch * l->batch, left = l->data->count - first;
        if (left <= 0) return true;
        if (l->trains && limit_reached(run)) {
            if (!run->cut) run->cut_at = run->at;
            run->cut = true;
            return true;
        }
        run->signalled = rt_signals_seen(t->signals) != 0;
        if (run->signalled) return false;
        int64_t n = left < l->batch ? left : l->batch, next = left - n;
        rt_data_prefetch(l->data, s->rows + first + n, next < l->batch ? next : l->batch);
        run_batch(run, l, s, first, n, reports);
        if (t->failed != NULL && *t->failed) {
            run->failed = !rt_fail(run->e, "a step of training failed");
            return false;
        }
        double now = rt_seconds(), seconds = now - made_seconds(t) - before;
        run->slow = run->slow || seconds - s->seconds > LONGEST_WAIT / 2;
        s->seconds = seconds;
        if (!tell_step(run, l, s) || !write_due(run, now)) return false;
        if (l->trains && l->nreports > 0) rt_progress_step(&run->progress, s->batch[0].value);
        if (rt_progress_due(&run->progress, now)) show_progress(run, now);
    }
}

static bool run_loop(Run *run) {
    const RtLoop *l = &run->t->loops[run->at.loop];
    LoopState *s = &run->loops[run->at.loop];
    double *reports = calloc((size_t)l->nreports + 1, sizeof *reports);
    if (reports == NULL) {
        run->failed = !rt_fail(run->e, "no memory to train");
        return false;
    }
    if (l->trains) { /* from the data set's own order each time, so that the epoch alone decides */
        rt_data_rows(l->data, s->rows);
        rt_shuffle(s->rows, l->data->count, run->t->seed, (uint64_t)run->at.epoch);
    }
    bool goes_on = run_batches(run, l, s, reports);
    free(reports);
    return goes_on;
}

/* ---- epochs ---- */

static void begin_epoch(Run *run) {
    run->epoch_started = rt_seconds();
    for (int i = 0; i < run->t->nloops; i++) {
        LoopState *s = &run->loops[i];
        s->samples = s->resumed = 0;
        s->seconds = 0;
        for (int k = 0; k < run->t->loops[i].nreports; k++) {
            s->sums[k] = 0;
            s->average[k].value = NAN;
        }
    }
}

/* Puts back what the epoch at hand had come to when the run stopped. */
static void take_up(Run *run) {
    const RtTrain *t = run->t;
    for (int i = 0, first = 0; i < t->nloops && i <= run->at.loop; first += t->loops[i++].nreports) {
        const RtLoop *l = &t->loops[i];
        LoopState *s = &run->loops[i];
        int64_t count = l->data->count, done = i < run->at.loop ? count : run->at.batch * l->batch;
        s->samples = s->resumed = done < count ? done : count;
        for (int k = 0; k < l->nreports && s->samples > 0; k++) {
            s->sums[k] = t->start.sums != NULL ? t->start.sums[first + k] : 0;
            s->average[k].value = s->sums[k] / (double)s->samples;
        }
    }
}

static RtPoint point_of(const Run *run) {
    bool told = run->cut && run->cut_log > 0;
    return (RtPoint){.position = run->at,
                     .nsums = run->nreports,
                     .sums = run->sums,
                     .log_bytes = told ? run->cut_log : rt_events_log_bytes(&run->events),
                     .log_tail = told ? NULL : run->events.lines.text};
}

/* What the epoch came to; a loop that the limit of steps came before has nothing to tell. */
static int told_reports(const Run *run) {
    int n = 0;
    for (int i = 0; i < run->t->nloops; i++) {
        for (int k = 0; k < run->t->loops[i].nreports && run->loops[i].samples > 0; k++)
            run->told[n++] = run->loops[i].average[k];
    }
    return n;
}

/* What the user makes of an epoch: that may take its time, over the first one or for a large checkpoint. */
static RtNext judge_epoch(Run *run, const RtEpoch *epoch) {
    const RtTrain *t = run->t;
    if (t->epoch_end == NULL) return RT_GO_ON;
    if (run->at.epoch <= t->start.position.epoch + 1 || is_due(run, rt_seconds())) rt_progress_write(&run->progress);
    return t->epoch_end(t->user, epoch, run->e);
}

/* Tells of the epoch that has just ended; false where the run must end, then *end says why. */
static bool end_epoch(Run *run, RtEnd *end) {
    int64_t number = ++run->at.epoch;
    run->at.loop = 0;
    run->at.batch = 0;
    if (run->cut) {
        run->failed = !write_told(run) || !rt_events_save(&run->events, run->e);
        if (run->failed) return false;
        run->at = run->cut_at;
        run->cut_log = rt_events_log_bytes(&run->events);
    }
    RtEpoch epoch = {.point = point_of(run),
                     .whole = !run->cut,
                     .nreports = told_reports(run),
                     .reports = run->told,
                     .samples_per_s = samples_per_s(run),
                     .seconds = rt_seconds() - run->epoch_started};
    if (run->t->weights_hash != NULL) epoch.weights = run->t->weights_hash(run->t->user);
    rt_progress_epoch(&run->progress, number, &epoch);
    rt_table_epoch(&run->table, number, &epoch);
    run->failed = !rt_event_epoch(&run->events, number, &epoch, run->e);
    run->waiting = true;
    epoch.point = point_of(run); /* its event is in the log now */
    RtNext next = run->failed ? RT_FAILED : judge_epoch(run, &epoch);
    run->failed = next == RT_FAILED || !write_due(run, rt_seconds());
    *end = next == RT_STOP ? RT_END_STOPPED : RT_END_STEPS;
    return !run->failed && next == RT_GO_ON && !limit_reached(run);
}

static RtEnd run_epochs(Run *run) {
    const RtTrain *t = run->t;
    RtEnd end = RT_END_STEPS;
    begin_epoch(run);
    take_up(run);
    if (limit_reached(run)) return end;
    while (t->epochs <= 0 || run->at.epoch < t->epochs) {
        for (; run->at.loop < t->nloops; run->at.loop++, run->at.batch = 0) {
            if (run_loop(run)) continue;
            if (run->cut) run->at = run->cut_at; /* the loops behind the cut are repeated */
            return RT_END_SIGNAL;
        }
        if (!end_epoch(run, &end)) return end;
        begin_epoch(run);
    }
    return RT_END_EPOCHS;
}

static bool run_all(Run *run, RtTrained *result) {
    const RtTrain *t = run->t;
    run->started = rt_seconds();
    run->at = t->start.position;
    run->next_write = run->started + LONGEST_WAIT;
    run->waiting = true;
    if (!rt_event_start(&run->events, run->e)) return false;
    result->end = run_epochs(run);
    rt_progress_close(&run->progress);
    result->signal = run->signalled ? rt_signals_seen(t->signals) : 0;
    result->position = run->at;
    if (run->failed || !write_told(run)) return false;
    RtPoint point = point_of(run);
    if (t->finish != NULL && !t->finish(t->user, &point, run->e)) return false;
    result->seconds = rt_seconds() - run->started;
    bool good = rt_event_end(&run->events, result, run->e);
    result->log_bytes = rt_events_log_bytes(&run->events);
    return good;
}

bool rt_train(const RtTrain *t, RtTrained *result, RtError *e) {
    Run run = {.t = t, .e = e, .events.log = -1, .table.file = -1};
    *result = (RtTrained){.end = RT_END_STOPPED};
    rt_progress_open(&run.progress, t);
    bool good = prepare(&run) && rt_events_open(&run.events, t, e) && rt_table_open(&run.table, t, e);
    good = good && run_all(&run, result);
    good = rt_events_close(&run.events, good ? e : NULL) && good;
    good = rt_table_close(&run.table, good ? e : NULL) && good;
    clean_up(&run);
    return good;
}
