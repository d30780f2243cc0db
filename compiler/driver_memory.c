/* `memory = 64MiB`: what a run takes against what it may, and the bill where that is too much. Variables (weights,
 * states of layers and optimizers) and the intermediate values of a step count; the data does not. */
#include "compiler/driver_private.h"

#include "compiler/pass/plan.h"

#include <stdlib.h>
#include <string.h>

/* The bytes that the steps of the block take; of all steps the largest. */
static int64_t bytes_of(const Driver *d, const TrainBlock *block, const Code **largest) {
    int64_t most = 0;
    for (size_t i = 0; i < d->codes.len; i++) {
        const Code *c = d->codes.at[i];
        if (c->block != block || c->loops->arena_bytes < most) continue;
        most = c->loops->arena_bytes;
        if (largest) *largest = c;
    }
    return d->variables.layout.size + most;
}

int driver_recomputed(const Driver *d, const TrainBlock *block) {
    int most = 0;
    for (size_t i = 0; i < d->codes.len; i++)
        if (d->codes.at[i]->block == block) most = MAX(most, d->codes.at[i]->loops->recomputed);
    return most;
}

const char *driver_memory_text(const Driver *d, const TrainBlock *block) {
    Arena *a = d->nnc->arena;
    int n = driver_recomputed(d, block);
    if (!block->memory) return NULL;
    const char *more = n ? arena_printf(a, ", recomputes %d tensor%s", n, n > 1 ? "s" : "") : "";
    return arena_printf(a, "%s of %s%s", driver_size(a, bytes_of(d, block, NULL)), driver_size(a, block->memory), more);
}

/* ---- the bill ---- */

typedef struct {
    int64_t bytes;
    Name name;
    Span at; /* of the kernel that makes it */
    int first, last;
} Item;

typedef VEC(Item) Bill;

static int by_bytes(const void *a, const void *b) {
    const Item *x = a, *y = b;
    return x->bytes != y->bytes ? (x->bytes < y->bytes) - (x->bytes > y->bytes) : x->first - y->first;
}

/* Every intermediate value with the kernels between which it lives. */
static Bill values_of(const LoopUnit *u) {
    const Accesses *acc = plan_accesses(u);
    Bill bill = {0};
    for (size_t b = 0; b < u->buffers.len; b++) {
        const Buffer *x = &u->buffers.at[b];
        vec_push(&bill, (Item){.bytes = x->elems * (int64_t)dtype_size(x->dtype), .name = x->name, .first = -1});
    }
    for (size_t k = 0; k < u->kernels.len; k++)
        for (size_t i = 0; i < acc[k].len; i++) {
            Item *item = &bill.at[acc[k].at[i].buffer];
            if (item->first < 0) item->first = (int)k, item->at = u->kernels.at[k]->at;
            item->last = (int)k;
        }
    size_t n = 0;
    for (size_t b = 0; b < bill.len; b++) {
        if (plan_in_arena(&u->buffers.at[b]) && bill.at[b].first >= 0) bill.at[n++] = bill.at[b];
    }
    bill.len = n;
    return bill;
}

/* The kernel at which most is alive. */
static int fullest(const LoopUnit *u, const Bill *bill) {
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

static void add_bill(Driver *d, Diag *diagnostic, const LoopUnit *u) {
    enum { LINES = 5 };
    Arena *a = d->nnc->arena;
    Bill bill = values_of(u);
    int at = fullest(u, &bill), lines = 0;
    if (bill.len) qsort(bill.at, bill.len, sizeof *bill.at, by_bytes);
    diag_help(d->nnc, diagnostic, "%s of weights and states, %s of intermediate values; the largest of these:",
              driver_size(a, d->variables.layout.size), driver_size(a, u->arena_bytes));
    for (size_t i = 0; i < bill.len && lines < LINES; i++) {
        const Item *x = &bill.at[i];
        if (x->first > at || x->last < at) continue;
        diag_help(d->nnc, diagnostic, "%10s  %s%s%s", driver_size(a, x->bytes), driver_place(d, x->at),
                  x->name ? "  " : "", x->name ? x->name : "");
        lines++;
    }
    diag_help(
        d->nnc, diagnostic,
        "a k-th of the batch with `accumulate k` gives the same updates, where samples do not depend on each other");
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
                 largest->loops);
        return false;
    }
    return true;
}
