/* What is decided after each epoch: whether it is the best one (keep_best), whether the run ends (stop_when). */
#include "compiler/driver_train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- preparation ---- */

static bool check_name_of(const BlockRun *b, const char *what, Name name) {
    Str known = {0};
    bool found = false;
    for (int i = 0; i < b->nnames; i++) {
        found = found || strcmp(b->names[i], name) == 0;
        str_add(&known, "%s%s", i ? ", " : "", b->names[i]);
    }
    if (!found)
        driver_error(b->d, "%s names '%s', which no loop reports: there is %s", what, name,
                     b->nnames ? known.at : "no report at all");
    vec_free(&known);
    return found;
}

static bool prepare_stop(BlockRun *b, const StopTerm *s) {
    if (s == NULL) return true;
    bool named = s->kind == STOP_REPORT || s->kind == STOP_NO_IMPROVEMENT;
    if (named && !check_name_of(b, "'stop_when'", s->report)) return false;
    if (s->kind == STOP_NO_IMPROVEMENT && b->ntrends == MAX_TRENDS)
        return driver_error(b->d, "more than %d 'no_improvement' in one train block", MAX_TRENDS);
    if (s->kind == STOP_NO_IMPROVEMENT) b->trends[b->ntrends++] = (Trend){s->report, NAN, 0};
    return s->kind != STOP_OP || (prepare_stop(b, s->a) && prepare_stop(b, s->b));
}

bool decide_prepare(BlockRun *b, const RtLoop *loops) {
    RtTrain t = {.loops = loops, .nloops = (int)b->loops.len};
    b->keep_best = (Trend){b->block->keep_best, NAN, 0};
    b->names = rt_report_names(&t, &b->nnames);
    if (!b->names) return driver_error(b->d, "no memory to train");
    if (b->block->keep_best && !check_name_of(b, "'keep_best'", b->block->keep_best)) return false;
    for (size_t i = 0; i < b->block->stops.len; i++)
        if (!prepare_stop(b, b->block->stops.at[i])) return false;
    for (size_t i = 0; i < b->block->reported.len; i++)
        if (!check_name_of(b, "a schedule", b->block->reported.at[i].report)) return false;
    return true;
}

void decide_keep(BlockRun *b) {
    size_t bytes = (size_t)MAX(b->d->variables.layout.size, 64);
    if (!b->best) b->best = xcalloc(bytes, 1);
    memcpy(b->best, driver_values(b->d), bytes);
}

void decide_take_best(BlockRun *b) {
    if (!b->best) return;
    SavedList from = driver_saved(b->d, b->best, false), to = driver_saved(b->d, driver_values(b->d), false);
    for (size_t i = 0; i < to.len; i++) {
        RtArray a = driver_tensor_of(to.at[i]).array;
        memcpy(to.at[i].bytes, from.at[i].bytes, (size_t)rt_array_elements(&a) * rt_dtype_size(a.dtype));
    }
    vec_free(&from);
    vec_free(&to);
}

void decide_free(BlockRun *b) {
    rt_report_names_free(b->names, b->nnames);
    free(b->best);
    free(b->kept);
    b->names = NULL;
    b->best = b->kept = NULL;
}

/* ---- epochs ---- */

static double report_of(const BlockRun *b, const RtReport *reports, Name name) {
    for (int i = 0; i < b->nnames; i++)
        if (strcmp(b->names[i], name) == 0) return reports[i].value;
    bug("'%s' is not reported", name);
}

/* A NaN never improves anything. */
static bool improves(Trend *t, double value, bool less) {
    bool better = !isnan(value) && (isnan(t->best) || (less ? value < t->best : value > t->best));
    if (better) t->best = value;
    t->since = better ? 0 : t->since + 1;
    return better;
}

static double apply(AstOperator op, double x, double y) {
    switch (op) {
    case OP_AST_NEG: return -x;
    case OP_AST_NOT: return x == 0;
    case OP_AST_ADD: return x + y;
    case OP_AST_SUB: return x - y;
    case OP_AST_MUL: return x * y;
    case OP_AST_DIV: return x / y;
    case OP_AST_POW: return pow(x, y);
    case OP_AST_EQ: return x == y;
    case OP_AST_NE: return x != y;
    case OP_AST_LT: return x < y;
    case OP_AST_LE: return x <= y;
    case OP_AST_GT: return x > y;
    case OP_AST_GE: return x >= y;
    case OP_AST_AND: return x != 0 && y != 0;
    case OP_AST_OR: return x != 0 || y != 0;
    case OP_AST_MATMUL: break;
    }
    bug("operator %d in stop_when", (int)op);
}

/* Both sides of every operator are looked at: a trend sees each epoch once. */
static double evaluate(BlockRun *b, const StopTerm *s, const RtReport *reports, Trend **trend) {
    switch (s->kind) {
    case STOP_NUMBER: return s->number;
    case STOP_REPORT: return report_of(b, reports, s->report);
    case STOP_NO_IMPROVEMENT: {
        Trend *t = (*trend)++;
        improves(t, report_of(b, reports, s->report), s->less);
        return (double)t->since >= s->number;
    }
    case STOP_OP: {
        double x = evaluate(b, s->a, reports, trend);
        return apply(s->op, x, s->b ? evaluate(b, s->b, reports, trend) : 0);
    }
    }
    bug("kind %d in stop_when", (int)s->kind);
}

/* Schedules read the last epoch's reports as variables, which checkpoints keep. */
static void tell_schedules(BlockRun *b, const RtReport *reports) {
    const Variables *v = &b->d->variables;
    for (size_t i = 0; i < b->block->reported.len; i++) {
        const Reported *r = &b->block->reported.at[i];
        void *at = v->bytes + v->layout.state[r->var->slot];
        double value = report_of(b, reports, r->report);
        if (r->var->type.dtype == DT_F64)
            *(double *)at = value;
        else
            *(float *)at = (float)value;
    }
}

void decide_epoch(BlockRun *b, const RtReport *reports) {
    const TrainBlock *t = b->block;
    tell_schedules(b, reports);
    b->is_best = t->keep_best && improves(&b->keep_best, report_of(b, reports, t->keep_best), t->keep_best_less);
    if (b->is_best) decide_keep(b);
    Trend *trend = b->trends;
    for (size_t i = 0; i < t->stops.len; i++)
        if (evaluate(b, t->stops.at[i], reports, &trend) != 0) b->stopped = true;
}
