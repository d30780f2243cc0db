/* Memory of a unit.
 *
 * before    kernels over buffers; those of the arena have no offset yet
 * after     kernels in the order in which they run, arena offsets, arena_bytes
 * requires  one kernel writes each arena buffer
 * keeps     what the kernels compute
 * breaks    nothing
 *
 * A kernel may write over a buffer that it reads (a new parameter over the old one, an activation over a gradient that
 * dies here) where both are used at the same element only, in one loop body, read before written. */
#include "compiler/pass/plan.h"

#include <stdlib.h>
#include <string.h>

typedef VEC(int) IntList;

/* ---- order ---- */

typedef struct {
    LoopUnit *u;
    const Accesses *accesses;
    IntList *after;   /* per kernel: kernels that wait for it */
    int *waits;       /* per kernel: how many it waits for */
    IntList *readers; /* per buffer */
    int *writer;      /* per buffer; -1 */
    IntList ready;    /* a heap, the first kernel on top */
    IntList order;
} Order;

static void heap_push(IntList *h, int x) {
    vec_push(h, x);
    for (size_t i = h->len - 1; i && h->at[(i - 1) / 2] > h->at[i]; i = (i - 1) / 2) {
        int t = h->at[i];
        h->at[i] = h->at[(i - 1) / 2];
        h->at[(i - 1) / 2] = t;
    }
}

static int heap_pop(IntList *h) {
    int top = h->at[0];
    h->at[0] = h->at[--h->len];
    for (size_t i = 0, c; (c = 2 * i + 1) < h->len; i = c) {
        if (c + 1 < h->len && h->at[c + 1] < h->at[c]) c++;
        if (h->at[i] <= h->at[c]) break;
        int t = h->at[i];
        h->at[i] = h->at[c];
        h->at[c] = t;
    }
    return top;
}

static void add_edge(Order *o, int from, int to) {
    if (from == to) return;
    vec_push(&o->after[from], to);
    o->waits[to]++;
}

static void find_readers(Order *o) {
    for (size_t b = 0; b < o->u->buffers.len; b++) o->writer[b] = -1;
    for (size_t k = 0; k < o->u->kernels.len; k++)
        for (size_t i = 0; i < o->accesses[k].len; i++) {
            Access a = o->accesses[k].at[i];
            if (o->u->buffers.at[a.buffer].kind != BUF_MEMORY) continue;
            if (!a.write)
                vec_push(&o->readers[a.buffer], (int)k);
            else if (o->writer[a.buffer] < 0)
                o->writer[a.buffer] = (int)k;
            else
                bug("buffer %d is written by kernels %d and %zu", a.buffer, o->writer[a.buffer], k);
        }
}

static bool touches(const Accesses *acc, int buffer, bool write) {
    for (size_t i = 0; i < acc->len; i++)
        if (acc->at[i].buffer == buffer && acc->at[i].write == write) return true;
    return false;
}

/* Whether the writer of b could write over its old value, as far as the kernel itself is concerned. */
static bool could_overwrite(const Order *o, int b, int old) {
    int k = o->writer[b];
    return k >= 0 && o->writer[old] < 0 &&
           (!touches(&o->accesses[k], old, false) || plan_overwrites(o->u, o->u->kernels.at[k], old, b));
}

/* Kernels run as early as their number allows. Where waiting for the readers of old values closes a circle, one of them
 * gives up its place over the old value. */
static void run_order(Order *o, IntList *wishes) {
    size_t n = o->u->kernels.len, scan = 0;
    bool *done = xcalloc(n, sizeof *done), *queued = xcalloc(n, sizeof *queued);
    int *hard = xcalloc(n, sizeof *hard);
    memcpy(hard, o->waits, n * sizeof *hard);
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < wishes[k].len; i++) o->waits[wishes[k].at[i]]++;
    for (size_t k = 0; k < n; k++)
        if (!o->waits[k]) heap_push(&o->ready, (int)k), queued[k] = true;
    while (o->order.len < n) {
        if (!o->ready.len) {
            for (scan = 0; scan < n && (queued[scan] || hard[scan]); scan++) {
            }
            if (scan == n) bug("kernels wait for each other");
            heap_push(&o->ready, (int)scan);
            queued[scan] = true;
        }
        int k = heap_pop(&o->ready);
        done[k] = true;
        vec_push(&o->order, k);
        for (size_t i = 0; i < o->after[k].len; i++) {
            int to = o->after[k].at[i];
            hard[to]--;
            if (!--o->waits[to] && !queued[to]) heap_push(&o->ready, to), queued[to] = true;
        }
        for (size_t i = 0; i < wishes[k].len; i++)
            if (!--o->waits[wishes[k].at[i]] && !queued[wishes[k].at[i]])
                heap_push(&o->ready, wishes[k].at[i]), queued[wishes[k].at[i]] = true;
    }
    free(done);
    free(queued);
    free(hard);
}

static void settle_homes(Order *o, int *home, const int *position) {
    for (size_t b = 0; b < o->u->buffers.len; b++) {
        if (home[b] < 0) continue;
        int old = home[b], k = o->writer[b];
        bool fine = could_overwrite(o, (int)b, old);
        for (size_t i = 0; i < o->readers[old].len && fine; i++) fine = position[o->readers[old].at[i]] <= position[k];
        if (!fine) continue;
        o->u->buffers.at[b].base = o->u->buffers.at[old].base;
        o->u->buffers.at[b].offset = o->u->buffers.at[old].offset;
        home[b] = -1;
    }
}

static void free_lists(IntList *lists, size_t n) {
    for (size_t i = 0; i < n; i++) vec_free(&lists[i]);
    free(lists);
}

void plan_order(LoopUnit *u, int *home) {
    size_t nk = u->kernels.len, nb = u->buffers.len;
    if (!nk) return; /* every result is a constant or an input */
    Order o = {.u = u, .accesses = plan_accesses(u)};
    o.after = xcalloc(nk, sizeof *o.after);
    o.waits = xcalloc(nk, sizeof *o.waits);
    o.readers = xcalloc(nb, sizeof *o.readers);
    o.writer = xcalloc(nb, sizeof *o.writer);
    IntList *wishes = xcalloc(nk, sizeof *wishes);
    find_readers(&o);
    for (size_t b = 0; b < nb; b++)
        for (size_t i = 0; i < o.readers[b].len && o.writer[b] >= 0; i++) add_edge(&o, o.writer[b], o.readers[b].at[i]);
    for (size_t b = 0; b < nb; b++) {
        if (home[b] < 0 || !could_overwrite(&o, (int)b, home[b])) continue;
        for (size_t i = 0; i < o.readers[home[b]].len; i++)
            if (o.readers[home[b]].at[i] != o.writer[b]) vec_push(&wishes[o.readers[home[b]].at[i]], o.writer[b]);
    }
    run_order(&o, wishes);
    Kernel **sorted = ARENA_ARRAY(u->nnc->arena, Kernel *, nk);
    int *position = ARENA_ARRAY(u->nnc->arena, int, nk);
    for (size_t i = 0; i < nk; i++) {
        sorted[i] = u->kernels.at[o.order.at[i]];
        position[o.order.at[i]] = (int)i;
    }
    settle_homes(&o, home, position);
    memcpy(u->kernels.at, sorted, nk * sizeof *sorted);
    free_lists(o.after, nk);
    free_lists(wishes, nk);
    free_lists(o.readers, nb);
    free(o.waits);
    free(o.writer);
    vec_free(&o.ready);
    vec_free(&o.order);
}

/* ---- places ---- */

typedef struct {
    int64_t from, to;
} Gap;

typedef struct {
    LoopUnit *u;
    VEC(Gap) gaps; /* free parts of the arena below `end`, by offset */
    int64_t end;
} Space;

static int64_t room(const Buffer *b) {
    int64_t bytes = b->elems * (int64_t)dtype_size(b->dtype);
    return MAX((bytes + 63) / 64 * 64, 64);
}

static bool in_arena(const Buffer *b) { return b->kind == BUF_MEMORY && b->base == BASE_ARENA && !b->constant; }

/* The smallest gap that is large enough, or new room at the end, into which a gap there grows. */
static int64_t take(Space *s, int64_t bytes) {
    size_t best = s->gaps.len;
    for (size_t i = 0; i < s->gaps.len; i++) {
        int64_t size = s->gaps.at[i].to - s->gaps.at[i].from;
        if (size >= bytes && (best == s->gaps.len || size < s->gaps.at[best].to - s->gaps.at[best].from)) best = i;
    }
    if (best == s->gaps.len) {
        int64_t at = s->end;
        if (s->gaps.len && s->gaps.at[s->gaps.len - 1].to == s->end) at = s->gaps.at[--s->gaps.len].from;
        s->end = at + bytes;
        return at;
    }
    int64_t at = s->gaps.at[best].from;
    s->gaps.at[best].from += bytes;
    if (s->gaps.at[best].from == s->gaps.at[best].to) {
        memmove(&s->gaps.at[best], &s->gaps.at[best + 1], (s->gaps.len - best - 1) * sizeof(Gap));
        s->gaps.len--;
    }
    return at;
}

static void give(Space *s, int64_t from, int64_t bytes) {
    size_t i = 0;
    while (i < s->gaps.len && s->gaps.at[i].from < from) i++;
    vec_push(&s->gaps, (Gap){0, 0});
    memmove(&s->gaps.at[i + 1], &s->gaps.at[i], (s->gaps.len - 1 - i) * sizeof(Gap));
    s->gaps.at[i] = (Gap){from, from + bytes};
    if (i + 1 < s->gaps.len && s->gaps.at[i].to == s->gaps.at[i + 1].from) {
        s->gaps.at[i].to = s->gaps.at[i + 1].to;
        memmove(&s->gaps.at[i + 1], &s->gaps.at[i + 2], (s->gaps.len - i - 2) * sizeof(Gap));
        s->gaps.len--;
    }
    if (i && s->gaps.at[i - 1].to == s->gaps.at[i].from) {
        s->gaps.at[i - 1].to = s->gaps.at[i].to;
        memmove(&s->gaps.at[i], &s->gaps.at[i + 1], (s->gaps.len - i - 1) * sizeof(Gap));
        s->gaps.len--;
    }
}

/* The place of a buffer that dies in kernel k and that the new one may be written over, or -1. */
static int64_t take_over(const LoopUnit *u, const Accesses *acc, int k, int buffer, int *last, int *heir) {
    for (size_t i = 0; i < acc[k].len; i++) {
        int old = acc[k].at[i].buffer;
        const Buffer *b = &u->buffers.at[old];
        if (acc[k].at[i].write || !in_arena(b) || last[old] != k || heir[old] >= 0 || b->offset < 0) continue;
        if (touches(&acc[k], old, true) || room(b) != room(&u->buffers.at[buffer]) ||
            !plan_overwrites(u, u->kernels.at[k], old, buffer))
            continue;
        heir[old] = buffer;
        return b->offset;
    }
    return -1;
}

static void place_kernel(Space *s, const Accesses *acc, int k, int *last, int *heir) {
    LoopUnit *u = s->u;
    for (size_t i = 0; i < acc[k].len; i++) {
        Buffer *b = &u->buffers.at[acc[k].at[i].buffer];
        if (!acc[k].at[i].write || !in_arena(b) || b->offset >= 0) continue;
        b->offset = take_over(u, acc, k, acc[k].at[i].buffer, last, heir);
        if (b->offset < 0) b->offset = take(s, room(b));
    }
    for (size_t i = 0; i < acc[k].len; i++) {
        int b = acc[k].at[i].buffer;
        if (!in_arena(&u->buffers.at[b]) || last[b] != k || heir[b] >= 0) continue;
        give(s, u->buffers.at[b].offset, room(&u->buffers.at[b]));
        last[b] = -1;
    }
}

void plan_place(LoopUnit *u) {
    Space s = {.u = u};
    const Accesses *acc = plan_accesses(u);
    int *last = ARENA_ARRAY(u->nnc->arena, int, u->buffers.len),
        *heir = ARENA_ARRAY(u->nnc->arena, int, u->buffers.len);
    for (size_t b = 0; b < u->buffers.len; b++) heir[b] = -1;
    for (size_t k = 0; k < u->kernels.len; k++)
        for (size_t i = 0; i < acc[k].len; i++) last[acc[k].at[i].buffer] = (int)k;
    for (size_t k = 0; k < u->kernels.len; k++) place_kernel(&s, acc, (int)k, last, heir);
    vec_free(&s.gaps);
    u->arena_bytes = s.end;
}
