/* Warnings that help: what a run's data and its first epochs tell about what is going to go wrong. */
#include "compiler/driver_probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the data ---- */

/* A table with columns whose sizes are worlds apart: the large ones drown the others. */
static void judge_spread(LoopRun *l, const RtField *f, const double *std) {
    static const double APART = 1000;
    Nnc *nnc = l->block->d->nnc;
    int64_t least = -1, most = -1;
    for (int64_t i = 0; i < rt_field_elements(f); i++) {
        if (!(std[i] > 0)) continue; /* constant, or not finite */
        if (least < 0 || std[i] < std[least]) least = i;
        if (most < 0 || std[i] > std[most]) most = i;
    }
    if (least < 0 || !(std[most] > APART * std[least])) return;
    Diag *m =
        diag(nnc, l->loop->at, DIAG_columns_apart, f->names[most], f->source, std[most] / std[least], f->names[least]);
    diag_help(nnc, m, "subtract the mean and divide by the deviation: (x - mean_of(data)) / std_of(data)");
}

/* Whether a column's only value fills much of the other columns too, as it does at the border of pictures, behind short
 * texts and for categories that do not occur: there a constant column means nothing. */
static bool is_filler(const RtData *data, const RtField *f, const double *std, double value) {
    static const double MUCH = 0.125;
    int64_t n = rt_field_elements(f), filled = 0, others = 0;
    for (int64_t i = 0; i < data->count; i++) {
        const char *row = (const char *)f->data + (data->rows ? data->rows[i] : i) * f->stride;
        for (int64_t k = 0; k < n; k++) filled += std[k] > 0 && rt_element(row, f->dtype, k) == value;
    }
    for (int64_t k = 0; k < n; k++) others += (std[k] > 0) * data->count;
    return (double)filled > MUCH * (double)others;
}

/* Columns with one value in all samples: the first are named. Where the loss became NaN they may be why. */
static void judge_constant(LoopRun *l, const RtData *data, const RtField *f, const double *mean, const double *std) {
    enum { NAMED = 3 };
    const Driver *d = l->block->d;
    int64_t n = rt_field_elements(f), count = 0, last = -1;
    bool filler = false;
    Str names = {0};
    for (int64_t i = 0; i < n && data->count > 1; i++) {
        if (std[i] != 0) continue;
        if (!l->block->warned && (last < 0 || mean[i] != mean[last])) filler = is_filler(data, f, std, mean[i]);
        last = i;
        if (!filler && count++ < NAMED) str_add(&names, "%s'%s'", count == 1 ? "" : ", ", f->names[i]);
    }
    if (count > NAMED) str_add(&names, " and %lld more", (long long)(count - NAMED));
    if (count) {
        Diag *m = diag(d->nnc, l->loop->at, DIAG_columns_constant, f->source, count == 1 ? "" : "s", names.at);
        diag_help(d->nnc, m,
                  driver_scales_data(d)
                      ? "leave it out, or divide by std_of(data) + 1e-6: its deviation is 0, and 0 / 0 is NaN"
                      : "nothing can be learned from what never changes: leave it out, or look into the file");
    }
    vec_free(&names);
}

static void judge_columns(LoopRun *l, const RtData *data, const RtField *f) {
    int64_t n = rt_field_elements(f);
    double *mean = xcalloc((size_t)n, sizeof *mean), *std = xcalloc((size_t)n, sizeof *std);
    rt_data_mean_std(data, (int)(f - data->fields), mean, std);
    judge_constant(l, data, f, mean, std);
    if (!driver_scales_data(l->block->d)) judge_spread(l, f, std);
    free(mean);
    free(std);
}

/* Every label the same. */
static void judge_labels(LoopRun *l, const RtData *data, const RtField *f) {
    int64_t stride = f->stride / (int64_t)rt_dtype_size(f->dtype);
    double first = rt_element(f->data, f->dtype, (data->rows ? data->rows[0] : 0) * stride);
    for (int64_t i = 1; i < data->count; i++)
        if (rt_element(f->data, f->dtype, (data->rows ? data->rows[i] : i) * stride) != first) return;
    if (data->count > 1) diag(l->block->d->nnc, l->loop->at, DIAG_labels_constant, f->source, first);
}

static void judge_data(LoopRun *l) {
    const RtData *data = driver_rt_data(l->loop->data);
    int label = rt_data_label_field(data);
    for (int i = 0; i < data->nfields; i++) {
        const RtField *f = &data->fields[i];
        bool table = rt_dtype_is_float(f->dtype) && f->rank == 1 && f->nnames == f->dims[0];
        if (table) judge_columns(l, data, f);
        if (i == label || (i > 0 && f->rank == 0)) judge_labels(l, data, f);
    }
}

/* ---- gradients ---- */

/* The call of the layer that has the parameter `path`, or `otherwise`. */
static Span layer_of(const LoopRun *l, const char *path, Span otherwise) {
    const Unit *u = l->full->unit;
    const char *dot = path ? strrchr(path, '.') : NULL;
    size_t n = dot ? (size_t)(dot - path) : 0;
    for (size_t i = 0; dot && i < u->layers.len; i++)
        if (strlen(u->layers.at[i].path) == n && strncmp(u->layers.at[i].path, path, n) == 0) return u->layers.at[i].at;
    return otherwise;
}

/* The size of a gradient's elements. */
static double size_of(const ProbeGradient *g) {
    int64_t n = driver_elements(g->param->type);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        double v = rt_element(g->values, (RtDType)g->param->type.dtype, i);
        sum += v * v;
    }
    return sqrt(sum / (double)MAX(n, 1));
}

/* Whether two parameters are of one model. */
static bool same_model(const Variable *a, const Variable *b) {
    size_t n = strcspn(a->path, ".");
    return n == strcspn(b->path, ".") && strncmp(a->path, b->path, n) == 0;
}

/* A parameter whose gradient is smaller than a millionth of the largest one of its model, as sizes go per element: of
 * matrices and kernels alone, as the gradients of shifts and scales are of another kind. */
static void judge_gradients(const Probe *p, const Variable *of) {
    static const double VANISHED = 1e-6, EXPLODED = 1e6;
    Nnc *nnc = p->l->block->d->nnc;
    double least = INFINITY, most = 0;
    const Variable *small = NULL, *large = NULL;
    for (int i = 0; i < p->ngradients; i++) {
        const Variable *v = p->gradients[i].param;
        double size = v->type.rank < 2 || !same_model(v, of) ? NAN : size_of(&p->gradients[i]);
        if (size < least) least = size, small = v;
        if (size > most && isfinite(size)) most = size, large = v;
    }
    if (!small || !large || small == large) return;
    if (most > EXPLODED) {
        Diag *m = diag(nnc, layer_of(p->l, large->path, large->at), DIAG_gradient_explodes, large->path, most);
        diag_help(nnc, m,
                  "clip_norm after the optimizer bounds it; a smaller learning rate or normalization keeps it small");
    } else if (least < VANISHED * most) {
        Diag *m = diag(nnc, layer_of(p->l, small->path, small->at), DIAG_gradient_vanishes, small->path, least,
                       large->path, most);
        diag_help(nnc, m,
                  "residual connections, normalization, another activation or another initializer keep it alive");
    }
}

/* Each model once. */
static void judge_models(const Probe *p) {
    for (int i = 0; i < p->ngradients; i++) {
        bool again = false;
        for (int k = 0; k < i && !again; k++) again = same_model(p->gradients[k].param, p->gradients[i].param);
        if (!again) judge_gradients(p, p->gradients[i].param);
    }
}

/* ---- rectifiers ---- */

enum { BATCHES = 16 }; /* that a unit must be 0 in to be dead */

static int64_t count_dead(const ProbeRectifier *r) {
    int64_t dead = 0;
    for (int64_t i = 0; i < r->units; i++) dead += r->most[i] <= 0;
    return 2 * dead < r->units || r->units < 2 ? 0 : dead;
}

/* What the most of each unit was in earlier batches. */
static void join(ProbeRectifier *r, const double *earlier) {
    for (int64_t i = 0; i < r->units; i++) r->most[i] = fmax(r->most[i], earlier[i]);
}

/* Looks at one batch, and only where many units seem to be dead at more. Returns the number of samples. */
static int64_t look_at_more(Probe *p) {
    const int64_t count = driver_rt_data(p->l->loop->data)->count;
    int batches = (int)MIN(BATCHES, count / p->l->batch), k = 1;
    Arena *a = p->l->block->d->nnc->arena;
    double **before = ARENA_ARRAY(a, double *, p->nrectifiers + 1);
    for (; k < batches; k++) {
        bool any = false;
        for (int i = 0; i < p->nrectifiers; i++) {
            const ProbeRectifier *r = &p->rectifiers[i];
            any = any || count_dead(r);
            before[i] = arena_copy(a, r->most, (size_t)r->units * sizeof *r->most);
        }
        if (!any) break;
        probe_run(p, k, batches);
        for (int i = 0; i < p->nrectifiers; i++) join(&p->rectifiers[i], before[i]);
    }
    return k * p->l->batch;
}

static void judge_rectifiers(Probe *p) {
    Nnc *nnc = p->l->block->d->nnc;
    int64_t samples = look_at_more(p);
    for (int i = 0; i < p->nrectifiers; i++) {
        const ProbeRectifier *r = &p->rectifiers[i];
        int64_t dead = count_dead(r);
        if (!dead) continue;
        Diag *m = diag(nnc, layer_of(p->l, r->param, r->at), DIAG_units_dead, (long long)dead, (long long)r->units,
                       (long long)samples);
        diag_help(nnc, m,
                  "a unit that is 0 for every sample gets no gradient: a smaller learning rate, another initializer "
                  "or leaky_relu help");
    }
}

static void judge_loop(LoopRun *l) {
    Probe *p = probe_of(l);
    if (!p) return;
    probe_run(p, 0, 1);
    judge_models(p);
    judge_rectifiers(p);
}

/* ---- epochs ---- */

/* A loss that is the same after some epochs as in the first. */
static void judge_loss(BlockRun *b, const RtEpoch *epoch) {
    enum { EPOCHS = 3 };
    static const double STILL = 1e-6;
    double loss = epoch->reports[0].value;
    if (epoch->point.position.epoch == 1) b->first_loss = loss;
    if (epoch->point.position.epoch != EPOCHS || !isfinite(loss)) return;
    if (fabs(loss - b->first_loss) > STILL * fabs(b->first_loss) || loss == 0) return;
    Diag *m = diag(b->d->nnc, b->loops.at[0]->full->unit->results.at[0].at, DIAG_loss_still, loss, EPOCHS);
    diag_help(b->d->nnc, m, "the learning rate may be 0 or far too small, or no gradient reaches the parameters");
}

void warn_epoch(BlockRun *b, const RtEpoch *epoch) {
    bool trains = b->loops.len && b->loops.at[0]->loop->trains && epoch->nreports > 0;
    if (b->d->options.quiet || b->start.position.step || !trains || rt_signals_seen(b->signals)) return;
    if (!b->warned) judge_loss(b, epoch);
    for (size_t i = 0; i < b->loops.len && epoch->point.position.epoch == 1; i++) {
        LoopRun *l = b->loops.at[i];
        if (!l->loop->trains) continue;
        if (driver_judges_data(l->loop->data)) judge_data(l);
        if (!b->warned) judge_loop(l);
    }
    driver_failed(b->d);
}
