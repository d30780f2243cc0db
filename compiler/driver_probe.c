/* Warnings that help: what a run's data and its first epoch tell about what is going to go wrong. A probe is a step of
 * its own that gives the size of each parameter's gradient and the largest value of each unit behind a rectifier; it
 * changes nothing. */
#include "compiler/driver_blame.h"

#include "compiler/lower/lower.h"
#include "compiler/pass/passes.h"

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

/* ---- the probe ---- */

typedef struct {
    LoopRun *l;
    Graph *g;
    VEC(Ref) gradients, rectifiers; /* N_GRADs of parameters; nodes */
    VEC(void *) results;            /* room for what the probe gives of each */
} Probe;

static Ref parameter_of(const Graph *g, Ref r) {
    while (ir_node(g, r)->kind == N_MARK) r = ir_node(g, r)->grad.of;
    const Node *n = ir_node(g, r);
    return n->kind == N_LEAF && n->leaf.kind == LEAF_PARAM ? r : 0;
}

static bool is_zero(const Graph *g, Ex e) { return dtype_is_float(ir_expr(g, e)->dtype) && ex_is_zero(g, e); }

/* max(x, 0), or x where it is positive and else 0, over a batch. */
static bool is_rectifier(const Probe *p, const Node *n) {
    if (n->kind != N_COMP || n->comp.combine != RED_NONE || n->rank < 2 || n->dims[0] != p->l->batch) return false;
    const Expr *x = ir_expr(p->g, n->comp.body);
    if (x->kind == EX_MAX) return is_zero(p->g, x->arg[0]) || is_zero(p->g, x->arg[1]);
    if (x->kind != EX_SELECT || !(is_zero(p->g, x->arg[1]) || is_zero(p->g, x->arg[2]))) return false;
    const Expr *test = ir_expr(p->g, x->arg[0]);
    const Node *asked = test->kind == EX_LOAD ? ir_node(p->g, test->load.node) : NULL;
    if (asked && asked->kind == N_COMP) test = ir_expr(p->g, asked->comp.body);
    const Expr *other = ir_expr(p->g, x->arg[is_zero(p->g, x->arg[1]) ? 2 : 1]);
    bool compares =
        (test->kind == EX_LE || test->kind == EX_LT) && (is_zero(p->g, test->arg[0]) || is_zero(p->g, test->arg[1]));
    return compares && other->kind == EX_LOAD;
}

static Ex load(Graph *g, Ref r, const int *vars) {
    int rank = ir_node(g, r)->rank;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, rank + 1);
    for (int i = 0; i < rank; i++) at[i].aff = aff_var(g->affs, vars ? vars[i] : i);
    return ex_load(g, r, at);
}

static void add_result(Probe *p, Ref value) {
    ir_output(p->g, OUT_RESULT, (int)p->results.len, value, NULL);
    vec_push(&p->results, arena_alloc(p->g->nnc->arena, (size_t)ir_elements(ir_node(p->g, value)) * sizeof(double)));
}

/* The sum of the squares of a gradient. */
static void add_gradient(Probe *p, Ref r) {
    const Node n = *ir_node(p->g, r);
    Ex x = ex_cast(p->g, DT_F64, load(p->g, r, NULL));
    Combine how = n.rank ? RED_SUM : RED_NONE;
    add_result(p, ir_comp(p->g, how, 0, n.rank, n.dims, ex_op(p->g, EX_MUL, x, x, 0), n.at));
}

/* The largest value of each unit: of each element of the last dim. */
static void add_rectifier(Probe *p, Ref r) {
    const Node n = *ir_node(p->g, r);
    int64_t *extents = ARENA_ARRAY(p->g->nnc->arena, int64_t, n.rank);
    int *vars = ARENA_ARRAY(p->g->nnc->arena, int, n.rank);
    extents[0] = n.dims[n.rank - 1];
    vars[n.rank - 1] = 0;
    for (int i = 0; i + 1 < n.rank; i++) extents[i + 1] = n.dims[i], vars[i] = i + 1;
    add_result(p, ir_comp(p->g, RED_MAX, 1, n.rank - 1, extents, ex_cast(p->g, DT_F64, load(p->g, r, vars)), n.at));
}

/* The call of the layer that has the parameter `path`, or `otherwise`. */
static Span layer_of(const Probe *p, const char *path, Span otherwise) {
    const Unit *u = p->l->full->unit;
    const char *dot = path ? strrchr(path, '.') : NULL;
    size_t n = dot ? (size_t)(dot - path) : 0;
    for (size_t i = 0; dot && i < u->layers.len; i++)
        if (strlen(u->layers.at[i].path) == n && strncmp(u->layers.at[i].path, path, n) == 0) return u->layers.at[i].at;
    return otherwise;
}

static void reach(Ref used, void *live) { ((bool *)live)[used] = true; }

/* The last parameter that a node is computed from. */
static Name last_parameter(const Probe *p, Ref r) {
    bool *live = xcalloc(p->g->nodes.len, sizeof *live);
    Name found = NULL;
    live[r] = true;
    for (; r > 0 && !found; r--) {
        const Node *n = ir_node(p->g, r);
        if (!live[r]) continue;
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_PARAM) found = n->name;
        ir_uses(p->g, r, reach, live);
    }
    free(live);
    return found;
}

/* The step's graph with the probe's results instead of its own; compiled. */
static Code *build(Probe *p) {
    Driver *d = p->l->block->d;
    const Ref *homes;
    p->g = lower_unit(d->nnc, d->program, p->l->full->unit);
    homes = ir_homes(p->g);
    size_t n = p->g->nodes.len;
    for (Ref r = 1; r < n; r++) {
        const Node *x = ir_node(p->g, r);
        if (homes[r]) continue;
        if (x->kind == N_GRAD && parameter_of(p->g, x->grad.wrt)) vec_push(&p->gradients, r);
        if (is_rectifier(p, x)) vec_push(&p->rectifiers, r);
    }
    p->g->outputs.len = 0;
    for (size_t i = 0; i < p->gradients.len; i++) add_gradient(p, p->gradients.at[i]);
    for (size_t i = 0; i < p->rectifiers.len; i++) add_rectifier(p, p->rectifiers.at[i]);
    if (!p->results.len) return NULL;
    Code *c = ARENA_NEW(d->nnc->arena, Code);
    c->unit = p->l->full->unit;
    c->graph = pass_simplify(d->nnc, pass_autodiff(d->nnc, pass_simplify(d->nnc, ir_compact(p->g, NULL))));
    return c;
}

/* ---- what it says ---- */

/* A parameter whose gradient is smaller than a millionth of the largest one, as sizes go per element: of matrices and
 * kernels alone, as the gradients of shifts and scales are of another kind. */
static void judge_gradients(const Probe *p) {
    static const double VANISHED = 1e-6, EXPLODED = 1e6;
    Nnc *nnc = p->g->nnc;
    double least = INFINITY, most = 0;
    Ref small = 0, large = 0;
    for (size_t i = 0; i < p->gradients.len; i++) {
        const Node *n = ir_node(p->g, p->gradients.at[i]);
        double size = sqrt(*(double *)p->results.at[i] / (double)MAX(ir_elements(n), 1));
        if (n->rank < 2 || !isfinite(size)) continue;
        Ref r = parameter_of(p->g, n->grad.wrt);
        if (size < least) least = size, small = r;
        if (size > most) most = size, large = r;
    }
    if (!small || small == large) return;
    const Node *s = ir_node(p->g, small), *b = ir_node(p->g, large);
    if (most > EXPLODED) {
        Diag *m = diag(nnc, layer_of(p, b->name, b->at), DIAG_gradient_explodes, b->name, most);
        diag_help(nnc, m,
                  "clip_norm after the optimizer bounds it; a smaller learning rate or normalization keeps it small");
    } else if (least < VANISHED * most) {
        Diag *m = diag(nnc, layer_of(p, s->name, s->at), DIAG_gradient_vanishes, s->name, least, b->name, most);
        diag_help(nnc, m,
                  "residual connections, normalization, another activation or another initializer keep it alive");
    }
}

static void judge_rectifiers(const Probe *p) {
    Nnc *nnc = p->g->nnc;
    for (size_t i = 0; i < p->rectifiers.len; i++) {
        const Node *n = ir_node(p->g, p->rectifiers.at[i]);
        const double *most = p->results.at[p->gradients.len + i];
        int64_t units = n->dims[n->rank - 1], dead = 0;
        for (int64_t k = 0; k < units; k++) dead += most[k] <= 0;
        if (units < 2 || 2 * dead < units) continue;
        const Span at = layer_of(p, last_parameter(p, p->rectifiers.at[i]), n->at);
        Diag *m = diag(nnc, at, DIAG_units_dead, (long long)dead, (long long)units, (long long)p->l->batch);
        diag_help(nnc, m,
                  "a unit that is 0 for every sample gets no gradient: a smaller learning rate, another initializer "
                  "or leaky_relu help");
    }
}

/* ---- running it ---- */

static bool run(const Probe *p, const Code *c) {
    LoopRun *l = p->l;
    const RtData *data = driver_rt_data(l->loop->data);
    int32_t *rows = ARENA_ARRAY(p->g->nnc->arena, int32_t, l->batch);
    for (int64_t i = 0; i < l->batch; i++) rows[i] = data->rows ? data->rows[i] : (int32_t)i;
    *l->rows = rows;
    return blame_run(&(Blame){.l = l, .code = c}, c->graph, p->results.at, (int)p->results.len);
}

static void probe_loop(LoopRun *l) {
    Probe p = {.l = l};
    Code *c = build(&p);
    if (c && run(&p, c)) {
        judge_gradients(&p);
        judge_rectifiers(&p);
    }
    vec_free(&p.gradients);
    vec_free(&p.rectifiers);
    vec_free(&p.results);
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

void probe_epoch(BlockRun *b, const RtEpoch *epoch) {
    bool trains = b->loops.len && b->loops.at[0]->loop->trains && epoch->nreports > 0;
    if (b->d->options.quiet || b->start.position.step || !trains) return;
    if (!b->warned) judge_loss(b, epoch);
    for (size_t i = 0; i < b->loops.len && epoch->point.position.epoch == 1; i++) {
        LoopRun *l = b->loops.at[i];
        if (!l->loop->trains) continue;
        if (driver_judges_data(l->loop->data)) judge_data(l);
        if (!b->warned) probe_loop(l);
    }
    driver_failed(b->d);
}
