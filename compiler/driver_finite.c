/* Steps whose numbers stop being numbers: without --check-nan one warning; with it the step is repeated, from a copy of
 * the variables, with every tensor watched, and the run ends with the name of the first expression that is to blame. */
#include "compiler/driver_blame.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool finite_all(const void *data, RtDType t, int64_t n) {
    double sum = 0;
    float single = 0;
    if (t == RT_F32)
        for (int64_t i = 0; i < n; i++) single += 0 * ((const float *)data)[i];
    else if (t == RT_F64)
        for (int64_t i = 0; i < n; i++) sum += 0 * ((const double *)data)[i];
    else if (rt_dtype_is_float(t))
        for (int64_t i = 0; i < n; i++) sum += 0 * rt_element(data, t, i);
    return single == 0 && sum == 0;
}

static bool is_finite(Saved s) {
    RtArray a = driver_tensor_of(s).array;
    return finite_all(a.data, a.dtype, rt_array_elements(&a));
}

/* A variable that may hold what is not finite, as the best loss so far does before there is any, held it before. */
static const Variable *spoilt_variable(const BlockRun *b) {
    SavedList now = driver_saved(b->d, driver_values(b->d), true), then = driver_saved(b->d, b->kept, true);
    const Variable *found = NULL;
    for (size_t i = 0; i < now.len && !found; i++)
        if (!is_finite(now.at[i]) && is_finite(then.at[i])) found = now.at[i].var;
    vec_free(&now);
    vec_free(&then);
    return found;
}

void finite_keep(BlockRun *b) {
    size_t bytes = (size_t)MAX(b->d->variables.layout.size, 64);
    if (!b->kept) b->kept = xcalloc(bytes, 1);
    memcpy(b->kept, driver_values(b->d), bytes);
}

static void print_now(Driver *d) {
    if (isatty(2)) fputs("\r\x1b[K", stderr); /* over the live line */
    driver_failed(d);
}

static void warn(const LoopRun *l, size_t loss, double value) {
    BlockRun *b = l->block;
    Nnc *nnc = b->d->nnc;
    Diag *m = diag(nnc, l->full->unit->results.at[loss].at, DIAG_loss_not_finite, driver_number(nnc, value),
                   (long long)b->tick + 1, (long long)b->epoch);
    diag_help(nnc, m, "nnc train --check-nan names the expression that made it");
    b->warned = true;
    print_now(b->d);
}

void finite_check(LoopRun *l, const Code *c, const double *results) {
    BlockRun *b = l->block;
    size_t loss = 0, n = (size_t)c->unit->nlosses;
    while (loss < n && isfinite(results[loss])) loss++;
    if (!b->d->options.check_nan) {
        if (loss < n && !b->warned) warn(l, loss, results[loss]);
        return;
    }
    const Variable *spoilt = loss < n ? NULL : spoilt_variable(b);
    if (loss == n && !spoilt) return;
    blame(l, c, spoilt);
    b->failed = true;
}
