/* What the steps of a loop give beside their reports. It costs next to nothing: scores and labels are computed anyway
 * and written in place, gradients come from the smaller last batch of an epoch. Where there is no such batch they are
 * computed by a unit of their own, which is built once the run is long enough to pay for it. */
#include "compiler/driver_report.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_A_TICK = 64, MOST_BYTES = 1 << 28 }; /* that gradients, or scores, may take */

/* ---- before the steps are built ---- */

static void add_results(Driver *d, Unit *u, const UnitResult *more, size_t n) {
    size_t len = u->results.len;
    UnitResult *all = ARENA_ARRAY(d->nnc->arena, UnitResult, len + n);
    if (len) memcpy(all, u->results.at, len * sizeof *all);
    memcpy(all + len, more, n * sizeof *all);
    u->results.at = all;
    u->results.len = u->results.cap = len + n;
}

static bool is_listed(const LoopReport *s, const Variable *v) {
    for (int i = 0; i < s->ngradients; i++)
        if (s->gradients[i].param == v) return true;
    return false;
}

/* The gradients of the unit as results, of each parameter the first; returns how many. */
static int gradient_results(Driver *d, LoopReport *s, const Unit *u, UnitResult **results) {
    size_t n = MIN(u->gradients.len, REPORT_TENSORS);
    s->gradients = ARENA_ARRAY(d->nnc->arena, ReportGradient, n + 1);
    s->ngradients = 0;
    *results = ARENA_ARRAY(d->nnc->arena, UnitResult, n + 1);
    int64_t left = MOST_BYTES;
    for (size_t i = 0; i < u->gradients.len && s->ngradients < (int)n; i++) {
        const UnitGradient *g = &u->gradients.at[i];
        if (is_listed(s, g->param) || (left -= driver_bytes(g->param->type)) < 0) continue;
        (*results)[s->ngradients] = (UnitResult){g->param->path, g->value, g->value->at};
        s->gradients[s->ngradients++].param = g->param;
    }
    return s->ngradients;
}

static void add_scores(Driver *d, Unit *u) {
    const UnitClassifier *c = &u->classifier;
    const UnitResult more[] = {{"scores", c->scores, c->scores->at}, {"labels", c->labels, c->labels->at}};
    add_results(d, u, more, COUNT(more));
}

static bool shows_scores(const LoopRun *l, const Unit *u) {
    const Term *scores = u->classifier.scores;
    int64_t count = MIN(driver_rt_data(l->loop->data)->count, RT_SCORED_SAMPLES) + l->batch;
    return scores && count <= MOST_BYTES / (driver_bytes(scores->type) / l->batch);
}

void report_extend(LoopRun *l) {
    Driver *d = l->block->d;
    LoopReport *s = l->shown = ARENA_NEW(d->nnc->arena, LoopReport);
    if (l->loop->trains) {
        UnitResult *results;
        int n = gradient_results(d, s, (l->last ? l->last : l->full)->unit, &results);
        if (!l->last || !n) return;
        add_results(d, l->last->unit, results, (size_t)n);
        s->probe = l->last;
        return;
    }
    s->classifies = shows_scores(l, l->full->unit) && (!l->last || l->last->unit->classifier.scores);
    if (!s->classifies) return;
    add_scores(d, l->full->unit);
    if (l->last) add_scores(d, l->last->unit);
}

/* ---- room ---- */

static bool begin_training(LoopRun *l) {
    LoopReport *s = l->shown;
    bool room = true;
    s->first = l->block->start.position.step;
    s->ncurves = MIN(l->nreports, REPORT_CURVES);
    s->curves = xcalloc((size_t)s->ncurves, sizeof *s->curves);
    for (int i = 0; i < s->ncurves; i++) s->curves[i].width = 1;
    for (int i = 0; i < s->ngradients; i++) {
        s->gradients[i].values = malloc((size_t)driver_bytes(s->gradients[i].param->type) + 64);
        room = room && s->gradients[i].values;
        if (s->probe) l->more[i] = s->gradients[i].values;
    }
    return room;
}

bool report_begin_loop(LoopRun *l) {
    LoopReport *s = l->shown;
    if (l->loop->trains) return begin_training(l);
    if (!s->classifies) return true;
    const UnitClassifier *c = &l->full->unit->classifier;
    int64_t classes = 0, count = driver_rt_data(l->loop->data)->count;
    RtDType scores = (RtDType)c->scores->type.dtype, labels = (RtDType)c->labels->type.dtype;
    dim_is_const(c->scores->type.dims[1], &classes);
    return rt_scored_new(&s->scored, count, l->batch, classes, scores, labels) &&
           (!l->block->block->keep_best || rt_scored_new(&s->kept, count, l->batch, classes, scores, labels));
}

void report_free_loop(LoopRun *l) {
    LoopReport *s = l->shown;
    if (!s) return;
    for (int i = 0; i < s->ngradients; i++) free(s->gradients[i].values);
    free(s->curves);
    if (s->bases) free((void *)s->bases[BASE_ARENA]);
    free(s->probe_rows);
    rt_scored_free(&s->scored);
    rt_scored_free(&s->kept);
}

/* ---- around a step ---- */

void report_before_step(LoopRun *l) {
    LoopReport *s = l->shown;
    if (!s->classifies) return;
    void *scores, *labels;
    if (s->epoch != l->block->epoch) rt_scored_begin(&s->scored);
    s->epoch = l->block->epoch;
    rt_scored_place(&s->scored, &scores, &labels);
    l->more[0] = scores;
    l->more[1] = labels;
}

void report_after_step(LoopRun *l, const Code *c, const int32_t *rows, int64_t n, const double *reports) {
    LoopReport *s = l->shown;
    for (int i = 0; i < s->ncurves; i++) rt_curve_add(&s->curves[i], reports[i]);
    if (c == s->probe) s->has_gradients = true;
    if (s->classifies) rt_scored_add(&s->scored, rows, n);
    if (l->loop->trains && l->block->tick % STEPS_A_TICK == 0) report_tick(l->block);
}

/* ---- a unit of its own ---- */

static const void **probe_bases(LoopRun *l) {
    Driver *d = l->block->d;
    LoopReport *s = l->shown;
    const RtData *data = driver_rt_data(l->loop->data);
    const void **bases = driver_bases(d, s->probe->unit, data), **next = bases + BASE_FIRST_INPUT + data->nfields;
    size_t size = ((size_t)s->probe->loops->arena_bytes + 127) & ~(size_t)63;
    bases[BASE_ARENA] = aligned_alloc(64, size);
    s->probe_rows = xcalloc((size_t)l->batch, sizeof *s->probe_rows);
    for (int64_t i = 0; i < l->batch; i++) s->probe_rows[i] = data->rows ? data->rows[i] : (int32_t)i;
    *next++ = s->probe_rows;
    for (size_t i = 0; i < COUNT(l->scalars); i++) *next++ = &l->scalars[i];
    for (int i = 0; i < s->ngradients; i++) *next++ = s->gradients[i].values;
    return bases;
}

void report_build_probe(LoopRun *l) {
    Driver *d = l->block->d;
    LoopReport *s = l->shown;
    Unit *u = ARENA_NEW(d->nnc->arena, Unit);
    UnitResult *results;
    LoopReport unused = {0};
    int n = gradient_results(d, &unused, l->full->unit, &results);
    *u = *l->full->unit;
    u->name = "gradients";
    memset(&u->results, 0, sizeof u->results);
    memset(&u->updates, 0, sizeof u->updates);
    add_results(d, u, results, (size_t)n);
    Code *c = driver_add_unit(d, u);
    if (!driver_build_late(d, c)) return;
    s->probe = c;
    s->bases = probe_bases(l);
}

void report_run_probe(LoopRun *l) {
    LoopReport *s = l->shown;
    if (!s->bases || !s->bases[BASE_ARENA]) return;
    driver_run_code(l->block->d, s->probe, s->bases);
    s->has_gradients = true;
}
