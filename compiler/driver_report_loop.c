/* What the steps of a loop give beside their reports. It costs next to nothing: scores and labels are computed anyway
 * and written in place. */
#include "compiler/driver_report.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_A_TICK = 64, MOST_BYTES = 1 << 28 }; /* that scores may take */

/* ---- before the steps are built ---- */

static void add_results(Driver *d, Unit *u, const UnitResult *more, size_t n) {
    size_t len = u->results.len;
    UnitResult *all = ARENA_ARRAY(d->nnc->arena, UnitResult, len + n);
    if (len) memcpy(all, u->results.at, len * sizeof *all);
    memcpy(all + len, more, n * sizeof *all);
    u->results.at = all;
    u->results.len = u->results.cap = len + n;
}

static void add_scores(Driver *d, Unit *u) {
    const UnitClassifier *c = &u->classifier;
    const UnitResult more[] = {{"scores", c->scores, c->scores->at}, {"labels", c->labels, c->labels->at}};
    add_results(d, u, more, COUNT(more));
}

/* How a loop's scores lie. */
static RtScoredShape shape_of(const TrainLoop *loop, int64_t batch, const UnitClassifier *c) {
    int64_t labels = driver_elements(c->labels->type);
    return (RtScoredShape){.count = driver_rt_data(loop->data)->count,
                           .batch = batch,
                           .places = labels / batch,
                           .classes = driver_elements(c->scores->type) / MAX(labels, 1),
                           .scores = (RtDType)c->scores->type.dtype,
                           .labels = (RtDType)c->labels->type.dtype};
}

/* Whether each sample has as many scores, and there is room for them. */
static bool shows_scores(const TrainLoop *loop, int64_t batch, const UnitClassifier *c) {
    if (loop->trains || !c->scores || driver_elements(c->labels->type) % batch) return false;
    RtScoredShape shape = shape_of(loop, batch, c);
    return shape.places && rt_scored_bytes(&shape) <= MOST_BYTES;
}

bool driver_add_scores(Driver *d, const TrainLoop *loop, int64_t batch, Unit *full, Unit *last) {
    if (!shows_scores(loop, batch, &full->classifier) || (last && !last->classifier.scores)) return false;
    add_scores(d, full);
    if (last) add_scores(d, last);
    return true;
}

void report_extend(LoopRun *l) {
    l->shown = ARENA_NEW(l->block->d->nnc->arena, LoopReport);
    l->shown->classifies =
        driver_add_scores(l->block->d, l->loop, l->batch, l->full->unit, l->last ? l->last->unit : NULL);
}

/* ---- room ---- */

static void begin_training(LoopRun *l) {
    LoopReport *s = l->shown;
    s->first = l->block->start.position.step;
    s->ncurves = MIN(l->nreports, REPORT_CURVES);
    s->curves = xcalloc((size_t)s->ncurves, sizeof *s->curves);
    for (int i = 0; i < s->ncurves; i++) s->curves[i].width = 1;
}

bool report_begin_loop(LoopRun *l) {
    LoopReport *s = l->shown;
    if (l->loop->trains) begin_training(l);
    if (!s->classifies) return true;
    RtScoredShape shape = shape_of(l->loop, l->batch, &l->full->unit->classifier);
    return rt_scored_new(&s->scored, &shape) && (!l->block->block->keep_best || rt_scored_new(&s->kept, &shape));
}

void report_free_loop(LoopRun *l) {
    LoopReport *s = l->shown;
    if (!s) return;
    free(s->curves);
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

void report_after_step(LoopRun *l, const int32_t *rows, int64_t n, const double *reports) {
    LoopReport *s = l->shown;
    for (int i = 0; i < s->ncurves; i++) rt_curve_add(&s->curves[i], reports[i]);
    if (s->classifies) rt_scored_add(&s->scored, rows, n);
    if (l->loop->trains && l->block->tick % STEPS_A_TICK == 0) report_tick(l->block);
}
