/* The report of a run: what has happened so far, as JSON, and the page that shows it. It may take a hundredth of the
 * run's time: what would cost more is left for later, but for the first histograms and the page at the end. */
#include "compiler/driver_report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double longest_wait = 30; /* seconds between pages inside of an epoch */

/* What the report spends time on. Each has a share of the run's time of its own, so that what is cheap and often cannot
 * keep what is dear from ever being done. */
typedef enum { COST_PAGE, COST_SNAPSHOT, COST_PROBE, COSTS } CostKind;

static const double shares[COSTS] = {0.003, 0.0015, 0.003};

struct Report {
    Driver *d;
    const BlockRuns *runs;
    const char *path;
    double started;                   /* on rt_seconds()'s clock */
    double spent[COSTS], last[COSTS]; /* seconds: in all, and the last time */
    double written;                   /* when the last page was */
    bool failed;                      /* to write; said once */
    cJSON *root, *blocks, *old;       /* `old`: of the page of the run that goes on */

    /* the block that runs */
    cJSON *block, *epochs, *snapshots, *curves;
    int old_curves;  /* of the run before */
    int64_t stride;  /* epochs from one snapshot to the next */
    int most;        /* snapshots */
    int64_t snapped; /* the last one's epoch */
    int32_t tick;    /* the block's when it was taken */
    bool complete;   /* it has gradients */
    int32_t whole;   /* the block's tick after the last whole epoch; -1: not known */
};

/* ---- time ---- */

static bool affordable(const Report *r, CostKind kind, double cost) {
    return r->spent[kind] + cost <= shares[kind] * (rt_seconds() - r->started);
}

static void pay(Report *r, CostKind kind, double since) {
    r->last[kind] = rt_seconds() - since;
    r->spent[kind] += r->last[kind];
}

/* ---- weights and gradients ---- */

static int tensors_of(const Driver *d) { return (int)MIN(d->program->params.len, REPORT_TENSORS); }

static const ProbeGradient *gradient_of(const BlockRun *b, const Variable *v) {
    for (size_t i = 0; i < b->loops.len; i++) {
        const Probe *p = b->loops.at[i]->probe;
        for (int k = 0; p && probe_is_fresh(p) && k < p->ngradients; k++)
            if (p->gradients[k].param == v) return &p->gradients[k];
    }
    return NULL;
}

static cJSON *histogram_of(const Variable *v, const void *values) {
    return cJSON_CreateRaw(rt_histogram(values, (RtDType)v->type.dtype, driver_elements(v->type)).text);
}

/* Every second snapshot goes, the first one stays. */
static void thin_snapshots(Report *r) {
    for (int i = cJSON_GetArraySize(r->snapshots) - 1; i > 0; i--)
        if (i % 2) cJSON_DeleteItemFromArray(r->snapshots, i);
    r->stride *= 2;
}

/* After the first epoch and at the end whatever it takes, which is a step, once compiled; else where there is time for
 * it. Who interrupts the run waits for nothing. */
static void run_probes(Report *r, const BlockRun *b, bool must) {
    for (size_t i = 0; i < b->loops.len && !rt_signals_seen(b->signals); i++) {
        LoopRun *l = b->loops.at[i];
        bool first = !l->probe;
        Probe *p = l->loop->trains ? probe_of(l) : NULL;
        if (!p || probe_is_fresh(p)) continue;
        double since = rt_seconds();
        if (!first && !must && !affordable(r, COST_PROBE, r->last[COST_PROBE])) continue;
        probe_run(p, 0, 1);
        pay(r, COST_PROBE, since);
    }
}

static void take_snapshot(Report *r, const BlockRun *b, int64_t epoch, bool last) {
    if (epoch > 0) run_probes(r, b, last);
    double since = rt_seconds();
    Driver *d = r->d;
    bool any = false;
    if (cJSON_GetArraySize(r->snapshots) >= r->most) thin_snapshots(r);
    cJSON *o = cJSON_CreateObject(), *weights, *gradients = cJSON_CreateArray();
    cJSON_AddNumberToObject(o, "epoch", (double)epoch);
    weights = cJSON_AddArrayToObject(o, "weights");
    for (int i = 0; i < tensors_of(d); i++) {
        const Variable *v = d->program->params.at[i];
        const ProbeGradient *g = gradient_of(b, v);
        any = any || g;
        cJSON_AddItemToArray(weights, histogram_of(v, driver_values(d) + d->variables.layout.param[i]));
        cJSON_AddItemToArray(gradients, g ? histogram_of(v, g->values) : cJSON_CreateNull());
    }
    if (any)
        cJSON_AddItemToObject(o, "gradients", gradients);
    else
        cJSON_Delete(gradients);
    cJSON_AddItemToArray(r->snapshots, o);
    r->snapped = epoch;
    r->tick = b->tick;
    r->complete = any;
    pay(r, COST_SNAPSHOT, since);
}

/* ---- the page ---- */

static void refresh_curves(Report *r, const BlockRun *b) {
    while (cJSON_GetArraySize(r->curves) > r->old_curves) cJSON_DeleteItemFromArray(r->curves, r->old_curves);
    for (size_t i = 0, first = 0; i < b->loops.len; first += (size_t)b->loops.at[i++]->nreports) {
        const LoopReport *s = b->loops.at[i]->shown;
        for (int k = 0; k < s->ncurves; k++)
            cJSON_AddItemToArray(r->curves, rt_curve_json(&s->curves[k], b->names[first + (size_t)k], s->first));
    }
}

/* The first loop that shows one. */
static void refresh_classifier(Report *r, const BlockRun *b) {
    cJSON_DeleteItemFromObject(r->block, "classifier");
    for (size_t i = 0; i < b->loops.len; i++) {
        const LoopRun *l = b->loops.at[i];
        if (!l->shown->classifies) continue;
        bool best = l->shown->kept.at > 0;
        cJSON *o = rt_scored_json(best ? &l->shown->kept : &l->shown->scored, driver_rt_data(l->loop->data));
        if (!o) continue;
        cJSON_AddBoolToObject(o, "best_epoch", best);
        cJSON_AddItemToObject(r->block, "classifier", o);
        return;
    }
}

static void set_number(cJSON *o, const char *key, double v) {
    cJSON_DeleteItemFromObject(o, key);
    rt_report_add_number(o, key, v);
}

static void set_text(cJSON *o, const char *key, const char *text) {
    cJSON_DeleteItemFromObject(o, key);
    cJSON_AddStringToObject(o, key, text);
}

static void write_page(Report *r, const BlockRun *b, const char *state) {
    double since = rt_seconds();
    RtError err;
    char now[32];
    time_t t = time(NULL);
    struct tm parts;
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&t, &parts));
    refresh_curves(r, b);
    refresh_classifier(r, b);
    set_text(r->block, "state", state);
    set_text(r->root, "updated", now);
    set_number(r->root, "seconds", since - r->started);
    set_number(r->root, "report_seconds", r->spent[COST_PAGE] + r->spent[COST_SNAPSHOT] + r->spent[COST_PROBE]);
    if (!rt_report_write(r->path, r->root, &err) && !r->failed) {
        fflush(stdout);
        fprintf(stderr, "warning: %s\n", err.text);
        r->failed = true;
    }
    pay(r, COST_PAGE, since);
    r->written = rt_seconds();
}

/* ---- a run that goes on ---- */

static void take_over(cJSON *to, const cJSON *from, const char *key, int64_t epoch) {
    for (const cJSON *c = cJSON_GetObjectItemCaseSensitive(from, key)->child; c; c = c->next) {
        const cJSON *number = cJSON_IsArray(c) ? c->child : cJSON_GetObjectItemCaseSensitive(c, "epoch");
        if (epoch < 0 || (cJSON_IsNumber(number) && number->valuedouble <= (double)epoch))
            cJSON_AddItemToArray(to, cJSON_Duplicate(c, true));
    }
}

/* The blocks before this one, and of this one what came before the point where it goes on. */
static void take_up(Report *r, const BlockRun *b) {
    const cJSON *blocks = cJSON_GetObjectItemCaseSensitive(r->old, "blocks"), *o;
    cJSON_ArrayForEach(o, blocks) {
        const cJSON *index = cJSON_GetObjectItemCaseSensitive(o, "index");
        if (!cJSON_IsNumber(index)) return;
        if (index->valuedouble < b->index) cJSON_AddItemToArray(r->blocks, cJSON_Duplicate(o, true));
        if (index->valuedouble != b->index) continue;
        static const char *const keys[] = {"epochs", "snapshots", "curves"};
        for (size_t i = 0; i < COUNT(keys); i++)
            if (!cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(o, keys[i]))) return;
        int64_t epoch = b->start.position.epoch;
        take_over(r->epochs, o, "epochs", epoch);
        take_over(r->snapshots, o, "snapshots", epoch);
        take_over(r->curves, o, "curves", -1);
        return;
    }
}

/* ---- following a run ---- */

Report *report_new(Driver *d, const BlockRuns *runs, const char *dir, double started) {
    Report *r = xcalloc(1, sizeof *r);
    *r = (Report){.d = d, .runs = runs, .started = started, .path = arena_printf(d->nnc->arena, "%s/report.html", dir)};
    r->last[COST_PAGE] = 1e-3; /* until one was written */
    r->written = rt_seconds();
    r->root = cJSON_CreateObject();
    if (d->options.resume) r->old = rt_report_read(r->path);
    report_add_facts(r->root, d, runs);
    r->blocks = cJSON_AddArrayToObject(r->root, "blocks");
    for (size_t i = 0; i < runs->len; i++) runs->at[i]->report = r;
    r->spent[COST_PAGE] = rt_seconds() - r->written;
    return r;
}

void report_free(Report *r) {
    if (!r) return;
    for (size_t i = 0; i < r->runs->len; i++)
        for (size_t k = 0; k < r->runs->at[i]->loops.len; k++) report_free_loop(r->runs->at[i]->loops.at[k]);
    cJSON_Delete(r->root);
    cJSON_Delete(r->old);
    free(r);
}

/* Names, and whether a training loop reports them. */
static void add_reports(cJSON *block, const BlockRun *b) {
    cJSON *list = cJSON_AddArrayToObject(block, "reports");
    for (size_t i = 0, k = 0; i < b->loops.len; i++)
        for (int n = 0; n < b->loops.at[i]->nreports; n++, k++) {
            cJSON *o = cJSON_CreateObject();
            cJSON_AddStringToObject(o, "name", b->names[k]);
            cJSON_AddBoolToObject(o, "trains", b->loops.at[i]->loop->trains);
            cJSON_AddItemToArray(list, o);
        }
}

static void add_tensors(cJSON *block, Driver *d) {
    cJSON *list = cJSON_AddArrayToObject(block, "tensors");
    for (int i = 0; i < tensors_of(d); i++) {
        const Variable *v = d->program->params.at[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", v->path);
        cJSON_AddStringToObject(o, "shape", driver_shape(d, v->type));
        cJSON_AddItemToArray(list, o);
    }
}

void report_begin(BlockRun *b) {
    Report *r = b->report;
    r->block = cJSON_CreateObject();
    cJSON_AddNumberToObject(r->block, "index", b->index);
    cJSON_AddStringToObject(r->block, "name", b->block->name);
    add_reports(r->block, b);
    add_tensors(r->block, r->d);
    r->epochs = cJSON_AddArrayToObject(r->block, "epochs");
    r->snapshots = cJSON_AddArrayToObject(r->block, "snapshots");
    r->curves = cJSON_AddArrayToObject(r->block, "curves");
    if (r->old) take_up(r, b);
    cJSON_Delete(r->old);
    r->old = NULL;
    cJSON_AddItemToArray(r->blocks, r->block);
    r->old_curves = cJSON_GetArraySize(r->curves);
    r->stride = 1;
    r->snapped = b->start.position.epoch;
    r->tick = b->tick;
    r->whole = b->start.position.loop || b->start.position.batch ? -1 : b->tick;
    r->complete = true;
    r->most = MAX(4, MIN(30, REPORT_HISTOGRAMS / MAX(1, 2 * tensors_of(r->d))));
    for (size_t i = 0; i < b->loops.len; i++)
        if (!report_begin_loop(b->loops.at[i])) bug("no memory for the report");
    if (!cJSON_GetArraySize(r->snapshots)) take_snapshot(r, b, b->start.position.epoch, false);
}

static void keep_best_pass(const BlockRun *b) {
    for (size_t i = 0; i < b->loops.len; i++) {
        LoopReport *s = b->loops.at[i]->shown;
        if (!s->kept.scores) continue;
        RtScored pass = s->scored; /* the next pass goes where the last best one was */
        s->scored = s->kept;
        s->kept = pass;
    }
}

static void add_epoch(Report *r, const BlockRun *b, const RtEpoch *epoch, int64_t number) {
    const double head[] = {(double)number, epoch->seconds, epoch->samples_per_s};
    cJSON *row = cJSON_CreateArray();
    char text[32];
    for (int i = 0, told = 0; i < (int)COUNT(head) + b->nnames; i++) {
        const char *name = i < (int)COUNT(head) ? NULL : b->names[i - (int)COUNT(head)];
        bool is_told = name && told < epoch->nreports && strcmp(epoch->reports[told].name, name) == 0;
        double v = !name ? head[i] : is_told ? epoch->reports[told++].value : NAN;
        snprintf(text, sizeof text, "%.6g", v);
        cJSON_AddItemToArray(row, isfinite(v) ? cJSON_CreateRaw(text) : cJSON_CreateNull());
    }
    cJSON_AddItemToArray(r->epochs, row);
}

void report_epoch(BlockRun *b, const RtEpoch *epoch) {
    Report *r = b->report;
    int64_t number = epoch->point.position.epoch + !epoch->whole;
    if (epoch->whole) r->whole = b->tick;
    add_epoch(r, b, epoch, number);
    if (epoch->whole && b->is_best) keep_best_pass(b);
    if (number % r->stride == 0 && affordable(r, COST_SNAPSHOT, r->last[COST_SNAPSHOT]))
        take_snapshot(r, b, number, false);
    if (affordable(r, COST_PAGE, r->last[COST_PAGE])) write_page(r, b, "running");
}

void report_tick(BlockRun *b) {
    Report *r = b->report;
    if (rt_seconds() - r->written > longest_wait && affordable(r, COST_PAGE, r->last[COST_PAGE]))
        write_page(r, b, "running");
}

void report_end(BlockRun *b, const char *state) {
    Report *r = b->report;
    int64_t number = b->epoch - 1 + (b->tick != r->whole); /* one that was begun counts */
    bool repeated = r->tick == b->tick && r->snapped > 0 && !r->complete && !rt_signals_seen(b->signals);
    if (repeated) cJSON_DeleteItemFromArray(r->snapshots, cJSON_GetArraySize(r->snapshots) - 1);
    if (repeated || r->tick != b->tick || number > r->snapped) take_snapshot(r, b, number, true);
    write_page(r, b, state);
}
