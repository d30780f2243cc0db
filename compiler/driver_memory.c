/* `memory = 64MiB`: what a run takes against what it may, and the bill where that is too much. Variables (weights,
 * states of layers and optimizers) and the intermediate values of a step count; the data does not. */
#include "compiler/driver_private.h"

#include "compiler/pass/plan.h"

#include <stdlib.h>
#include <string.h>

/* The bytes that the steps of the block take; of all steps the largest. */
static int64_t bytes_of(const Driver *d, const TrainBlock *block, const Code **largest) {
    int64_t most = -1;
    for (size_t i = 0; i < d->codes.len; i++) {
        const Code *c = d->codes.at[i];
        if (c->block != block || c->loops->arena_bytes <= most) continue;
        most = c->loops->arena_bytes;
        if (largest) *largest = c;
    }
    return d->variables.layout.size + MAX(most, 0);
}

int driver_recomputed(const Driver *d, const TrainBlock *block) {
    int most = 0;
    for (size_t i = 0; i < d->codes.len; i++)
        if (d->codes.at[i]->block == block) most = MAX(most, d->codes.at[i]->loops->recomputed);
    return most;
}

int64_t driver_part(const Driver *d, const TrainBlock *block, int64_t *batch) {
    for (size_t i = 0; i < d->codes.len; i++) {
        const Code *c = d->codes.at[i];
        if (c->block != block || !c->parts.part) continue;
        if (batch) *batch = c->parts.batch;
        return c->parts.part;
    }
    return 0;
}

const char *driver_memory_text(const Driver *d, const TrainBlock *block) {
    Arena *a = d->nnc->arena;
    int n = driver_recomputed(d, block);
    int64_t batch = 0, part = driver_part(d, block, &batch);
    if (!block->memory) return NULL;
    const char *parts =
        part ? arena_printf(a, ", batches of %lld in parts of %lld", (long long)batch, (long long)part) : "";
    const char *more = n ? arena_printf(a, ", recomputes %d tensor%s", n, n > 1 ? "s" : "") : "";
    return arena_printf(a, "%s of %s%s%s", driver_size(a, bytes_of(d, block, NULL)), driver_size(a, block->memory),
                        parts, more);
}

/* ---- the bill ---- */

static int by_bytes(const void *a, const void *b) {
    const MemoryValue *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes) : x->first - y->first;
}

MemoryValues driver_memory_values(const LoopUnit *u) {
    const Accesses *acc = plan_accesses(u);
    MemoryValues values = {0};
    for (size_t b = 0; b < u->buffers.len; b++) {
        const Buffer *x = &u->buffers.at[b];
        vec_push(&values, (MemoryValue){(int)b, x->elems * (int64_t)dtype_size(x->dtype), -1, -1});
    }
    for (size_t k = 0; k < u->kernels.len; k++)
        for (size_t i = 0; i < acc[k].len; i++) {
            MemoryValue *v = &values.at[acc[k].at[i].buffer];
            if (v->first < 0) v->first = (int)k;
            v->last = (int)k;
        }
    size_t n = 0;
    for (size_t b = 0; b < values.len; b++)
        if (plan_in_arena(&u->buffers.at[b]) && values.at[b].first >= 0) values.at[n++] = values.at[b];
    values.len = n;
    return values;
}

/* The kernel at which most is alive. */
static int fullest(const LoopUnit *u, const MemoryValues *bill) {
    int64_t most = -1;
    int at = 0;
    for (int k = 0; k < (int)u->kernels.len; k++) {
        int64_t sum = 0;
        for (size_t i = 0; i < bill->len; i++)
            if (bill->at[i].first <= k && bill->at[i].last >= k) sum += bill->at[i].bytes;
        if (sum <= most) continue;
        most = sum;
        at = k;
    }
    return at;
}

/* What would help where the batch cannot be smaller than it is. */
static void add_advice(Driver *d, Diag *diagnostic, const Code *c) {
    if (c->parts.mixed.file)
        diag_help(d->nnc, diagnostic,
                  "%s works on the batch as a whole, so it is not run in parts: a smaller batch needs less",
                  driver_mixed(d, c));
    else if (c->parts.part)
        diag_help(d->nnc, diagnostic, "this is with batches of %lld in parts of %lld: a smaller model needs less",
                  (long long)c->parts.batch, (long long)c->parts.part);
    else
        diag_help(d->nnc, diagnostic,
                  c->parts.batch > 1
                      ? "the batch in parts would need more, as all gradients are kept between them: a smaller "
                        "batch needs less"
                      : "a smaller model needs less");
}

static void add_bill(Driver *d, Diag *diagnostic, const Code *c) {
    enum { LINES = 5 };
    Arena *a = d->nnc->arena;
    const LoopUnit *u = c->loops;
    MemoryValues bill = driver_memory_values(u);
    int at = fullest(u, &bill), lines = 0;
    if (bill.len) qsort(bill.at, bill.len, sizeof *bill.at, by_bytes);
    diag_help(d->nnc, diagnostic, "%s of weights and states, %s of intermediate values; the largest of these:",
              driver_size(a, d->variables.layout.size), driver_size(a, u->arena_bytes));
    for (size_t i = 0; i < bill.len && lines < LINES; i++) {
        const MemoryValue *x = &bill.at[i];
        Name name = u->buffers.at[x->buffer].name;
        if (x->first > at || x->last < at) continue;
        diag_help(d->nnc, diagnostic, "%10s  %s%s%s", driver_size(a, x->bytes),
                  driver_place(d, u->kernels.at[x->first]->at), name ? "  " : "", name ? name : "");
        lines++;
    }
    add_advice(d, diagnostic, c);
    vec_free(&bill);
}

bool driver_within_memory(Driver *d) {
    for (size_t i = 0; i < d->codes.len; i++) {
        const TrainBlock *block = d->codes.at[i]->block;
        const Code *largest = NULL;
        int64_t need = block ? bytes_of(d, block, &largest) : 0;
        if (!block || !block->memory || need <= block->memory) continue;
        add_bill(d,
                 diag(d->nnc, block->at, DIAG_memory_budget, driver_size(d->nnc->arena, block->memory),
                      driver_size(d->nnc->arena, need)),
                 largest);
        return false;
    }
    return true;
}
