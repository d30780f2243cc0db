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
    IntList *readers; /* per buffer */
    int *writer;      /* per buffer; -1 */
    int *copy;      /* per buffer: the kernel that makes it the next value of a carry, where it could be in its place */
    IntList *ready; /* per scope: a heap, the first item on top */
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
    if (from != to) vec_push(&o->after[from], to);
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
            else if (o->u->kernels.at[k]->last) /* the next value of a carry, after the first */
                add_edge(o, o->writer[a.buffer], (int)k);
            else
                bug("buffer %d is written by kernels %d and %zu", a.buffer, o->writer[a.buffer], k);
        }
}

static bool touches(const Accesses *acc, int buffer, bool write) {
    for (size_t i = 0; i < acc->len; i++)
        if (acc->at[i].buffer == buffer && acc->at[i].write == write) return true;
    return false;
}

static bool runs_in(const LoopUnit *u, int kernel, int scan) {
    int s = u->kernels.at[kernel]->scan;
    while (s && s != scan) s = u->scans[s].parent;
    return s != 0;
}

/* The next value of a carry would like to be made where the carry is: kernels that only copy show which. */
static void find_next_values(Order *o, int *home) {
    const LoopUnit *u = o->u;
    for (size_t k = 0; k < u->kernels.len; k++) {
        const Accesses *acc = &o->accesses[k];
        if (!u->kernels.at[k]->last || acc->len != 2) continue;
        int from = acc->at[0].buffer, to = acc->at[1].buffer, writer = o->writer[from];
        const Buffer *f = &u->buffers.at[from], *t = &u->buffers.at[to];
        bool fits = f->base == BASE_ARENA && !f->constant && !f->carry && f->elems == t->elems && f->dtype == t->dtype;
        if (!fits || writer < 0 || home[from] >= 0) continue;
        if (u->kernels.at[writer]->scan != t->scan || u->kernels.at[writer]->decides) continue;
        for (size_t i = 0; i < o->readers[from].len; i++) fits = fits && runs_in(u, o->readers[from].at[i], t->scan);
        if (!fits) continue;
        home[from] = to;
        o->copy[from] = (int)k;
    }
}

/* Whether the writer of b could write over its old value, as far as the kernel itself is concerned. */
static bool could_overwrite(const Order *o, int b, int old) {
    int k = o->writer[b];
    return k >= 0 && (o->writer[old] < 0 || o->u->buffers.at[old].carry) &&
           (!touches(&o->accesses[k], old, false) || plan_overwrites(o->u, o->u->kernels.at[k], old, b));
}

/* Adds the kernels of one scope in order: those that run in scan `scope` itself (0: in none), and each scan inside as
 * one item, named after its first kernel. They run as early as their number allows, those that end an iteration at its
 * end; in a while those that decide about an iteration come first. Where waiting for the readers of old values closes a
 * circle, one of them gives up its place over the old value.
 */
typedef struct {
    Order *o;
    const IntList *wishes;
    int scope;
    bool decide; /* the items that decide, or all others */
    int *item;   /* per kernel: the item that it is part of; -1: none of this scope */
    int *hard, *waits;
    bool *queued;
    int items, done;
} Scope;

static void order_scope(Order *o, const IntList *wishes, int scope);

static void find_items(Scope *s) {
    const LoopUnit *u = s->o->u;
    int *first = xcalloc((size_t)u->nscans + 1, sizeof *first);
    for (int i = 1; i <= u->nscans; i++) first[i] = -1;
    for (size_t k = 0; k < u->kernels.len; k++) {
        const Kernel *kernel = u->kernels.at[k];
        int inner = loop_scan_below(u, kernel, s->scope);
        s->item[k] = -1;
        if (!inner && (kernel->scan != s->scope || kernel->last)) continue;
        if (s->decide != (inner ? u->scans[inner].decides : kernel->decides)) continue;
        if (inner && first[inner] < 0) first[inner] = (int)k;
        s->item[k] = inner ? first[inner] : (int)k;
        s->items += s->item[k] == (int)k;
    }
    free(first);
}

/* Adds `by` to what the items wait for through kernel k. */
static void count_waits(Scope *s, size_t k, int by, bool queue) {
    int from = s->item[k];
    for (int turn = 0; turn < 2; turn++) {
        const IntList *after = turn ? &s->wishes[k] : &s->o->after[k];
        for (size_t i = 0; i < after->len; i++) {
            int to = s->item[after->at[i]];
            if (to < 0 || to == from) continue;
            if (!turn) s->hard[to] += by;
            s->waits[to] += by;
            if (queue && !s->waits[to] && !s->queued[to]) heap_push(&s->o->ready[s->scope], to), s->queued[to] = true;
        }
    }
}

static void run_item(Scope *s, int item) {
    const LoopUnit *u = s->o->u;
    int inner = loop_scan_below(u, u->kernels.at[item], s->scope);
    s->done++;
    if (!inner)
        vec_push(&s->o->order, item);
    else
        order_scope(s->o, s->wishes, inner);
    for (size_t k = (size_t)item; k < (inner ? u->kernels.len : (size_t)item + 1); k++)
        if (s->item[k] == item) count_waits(s, k, -1, true);
}

static void order_items(Order *o, const IntList *wishes, int scope, bool decide) {
    size_t n = o->u->kernels.len;
    IntList *ready = &o->ready[scope];
    Scope s = {.o = o, .wishes = wishes, .scope = scope, .decide = decide};
    s.item = xcalloc(n, sizeof *s.item);
    s.hard = xcalloc(n, sizeof *s.hard);
    s.waits = xcalloc(n, sizeof *s.waits);
    s.queued = xcalloc(n, sizeof *s.queued);
    find_items(&s);
    for (size_t k = 0; k < n; k++)
        if (s.item[k] >= 0) count_waits(&s, k, 1, false);
    for (size_t k = 0; k < n; k++)
        if (s.item[k] == (int)k && !s.waits[k]) heap_push(ready, (int)k), s.queued[k] = true;
    while (s.done < s.items) {
        if (!ready->len) {
            size_t next = 0;
            while (next < n && (s.item[next] != (int)next || s.queued[next] || s.hard[next])) next++;
            if (next == n) bug("kernels wait for each other");
            heap_push(ready, (int)next);
            s.queued[next] = true;
        }
        run_item(&s, heap_pop(ready));
    }
    free(s.item);
    free(s.hard);
    free(s.waits);
    free(s.queued);
}

static void order_scope(Order *o, const IntList *wishes, int scope) {
    if (scope && o->u->scans[scope].cond >= 0) order_items(o, wishes, scope, true);
    order_items(o, wishes, scope, false);
    for (size_t k = 0; k < o->u->kernels.len; k++)
        if (o->u->kernels.at[k]->scan == scope && o->u->kernels.at[k]->last) vec_push(&o->order, (int)k);
}

/* Which kernels a scan runs, once they are in order. */
static void find_extents(LoopUnit *u) {
    for (size_t k = 0; k < u->kernels.len; k++) {
        bool decides = u->kernels.at[k]->decides;
        for (int i = u->kernels.at[k]->scan; i; i = u->scans[i].parent) {
            LoopScan *s = &u->scans[i];
            if (s->from == s->to) s->from = s->body = k;
            s->to = k + 1;
            if (decides) s->body = k + 1;
            decides = s->decides;
        }
    }
}

/* Whether a new value in the place of `old` would be in the way of this reader: behind a loop its last value is read.
 */
static bool replaces(const Order *o, int old, int reader) {
    const Buffer *b = &o->u->buffers.at[old];
    return !b->carry || runs_in(o->u, reader, b->scan);
}

static void settle_homes(Order *o, int *home, const int *position) {
    for (size_t b = 0; b < o->u->buffers.len; b++) {
        if (home[b] < 0) continue;
        int old = home[b], k = o->writer[b];
        bool fine = could_overwrite(o, (int)b, old);
        for (size_t i = 0; i < o->readers[old].len && fine; i++)
            fine = !replaces(o, old, o->readers[old].at[i]) || position[o->readers[old].at[i]] <= position[k];
        if (!fine) continue;
        home[b] = -1;
        if (o->u->buffers.at[old].carry) {
            o->u->buffers.at[b].shares = old;
            o->u->kernels.at[o->copy[b]]->tiles = 0;
            continue;
        }
        o->u->buffers.at[b].base = o->u->buffers.at[old].base;
        o->u->buffers.at[b].offset = o->u->buffers.at[old].offset;
    }
}

static void free_lists(IntList *lists, size_t n) {
    for (size_t i = 0; i < n; i++) vec_free(&lists[i]);
    free(lists);
}

/* What a while tests is there before it, if nothing inside makes it. */
static void wait_for_condition(Order *o, int scan) {
    int cond = o->u->scans[scan].cond, k = cond < 0 ? -1 : o->writer[cond];
    if (k < 0 || runs_in(o->u, k, scan)) return;
    for (int i = 0; i < (int)o->u->kernels.len; i++)
        if (runs_in(o->u, i, scan)) add_edge(o, k, i);
}

/* A reader of a carry outside of the scan reads the last value. */
static void wait_for_scan(Order *o, int scan, int reader) {
    if (runs_in(o->u, reader, scan)) return;
    for (int k = 0; k < (int)o->u->kernels.len; k++)
        if (runs_in(o->u, k, scan)) add_edge(o, k, reader);
}

void plan_order(LoopUnit *u, int *home) {
    size_t nk = u->kernels.len, nb = u->buffers.len;
    if (!nk) return; /* every result is a constant or an input */
    Order o = {.u = u, .accesses = plan_accesses(u)};
    o.after = xcalloc(nk, sizeof *o.after);
    o.readers = xcalloc(nb, sizeof *o.readers);
    o.writer = xcalloc(nb, sizeof *o.writer);
    o.copy = xcalloc(nb, sizeof *o.copy);
    o.ready = xcalloc((size_t)u->nscans + 1, sizeof *o.ready);
    IntList *wishes = xcalloc(nk, sizeof *wishes);
    find_readers(&o);
    for (size_t b = 0; b < nb; b++)
        for (size_t i = 0; i < o.readers[b].len && o.writer[b] >= 0; i++) {
            add_edge(&o, o.writer[b], o.readers[b].at[i]);
            if (u->buffers.at[b].carry) wait_for_scan(&o, u->buffers.at[b].scan, o.readers[b].at[i]);
        }
    for (int s = 1; s <= u->nscans; s++) wait_for_condition(&o, s);
    find_next_values(&o, home);
    for (size_t b = 0; b < nb; b++) {
        if (home[b] < 0 || !could_overwrite(&o, (int)b, home[b])) continue;
        for (size_t i = 0; i < o.readers[home[b]].len; i++) {
            int reader = o.readers[home[b]].at[i];
            if (reader != o.writer[b] && replaces(&o, home[b], reader)) vec_push(&wishes[reader], o.writer[b]);
        }
    }
    order_scope(&o, wishes, 0);
    Kernel **sorted = ARENA_ARRAY(u->nnc->arena, Kernel *, nk);
    int *position = ARENA_ARRAY(u->nnc->arena, int, nk);
    for (size_t i = 0; i < nk; i++) {
        sorted[i] = u->kernels.at[o.order.at[i]];
        position[o.order.at[i]] = (int)i;
    }
    settle_homes(&o, home, position);
    memcpy(u->kernels.at, sorted, nk * sizeof *sorted);
    find_extents(u);
    free_lists(o.after, nk);
    free_lists(wishes, nk);
    free_lists(o.readers, nb);
    free_lists(o.ready, (size_t)u->nscans + 1);
    free(o.writer);
    free(o.copy);
    vec_free(&o.order);
}

/* ---- places ---- */

typedef struct {
    int64_t from, to;
} Gap;

typedef struct {
    LoopUnit *u;
    const Accesses *acc;
    int *first, *last; /* per buffer: the kernels from and to which it holds something; last is -1 once it is free */
    int *heir;         /* per buffer: the one that took its place over, or -1 */
    bool *lasting;     /* per buffer: lives through all iterations of a scan */
    VEC(Gap) gaps;     /* free parts of the arena below `end`, by offset */
    int64_t end;
} Space;

double plan_nanoseconds(double runs, double flops, double bytes) { return 500 * runs + MAX(flops / 20, bytes / 10); }

int64_t plan_room(const Buffer *b) {
    int64_t bytes = b->elems * (int64_t)dtype_size(b->dtype);
    return MAX((bytes + 63) / 64 * 64, 64);
}

bool plan_in_arena(const Buffer *b) {
    return b->kind == BUF_MEMORY && b->base == BASE_ARENA && !b->constant && b->shares < 0;
}

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
static int64_t take_over(const Space *s, int k, int buffer) {
    const LoopUnit *u = s->u;
    const Accesses *acc = &s->acc[k];
    for (size_t i = 0; i < acc->len; i++) {
        int old = acc->at[i].buffer;
        const Buffer *b = &u->buffers.at[old];
        if (acc->at[i].write || !plan_in_arena(b) || s->last[old] != k || s->heir[old] >= 0 || b->offset < 0) continue;
        if (s->lasting[old] || touches(acc, old, true) || plan_room(b) != plan_room(&u->buffers.at[buffer]) ||
            !plan_overwrites(u, u->kernels.at[k], old, buffer))
            continue;
        s->heir[old] = buffer;
        return b->offset;
    }
    return -1;
}

static void release(Space *s, int b) {
    if (s->heir[b] < 0) give(s, s->u->buffers.at[b].offset, plan_room(&s->u->buffers.at[b]));
    s->last[b] = -1;
}

static void place_kernel(Space *s, int k, const IntList *lasting) {
    LoopUnit *u = s->u;
    const Accesses *acc = &s->acc[k];
    for (size_t i = 0; i < lasting->len; i++) {
        Buffer *b = &u->buffers.at[lasting->at[i]];
        if (s->first[lasting->at[i]] == k) b->offset = take(s, plan_room(b));
    }
    for (size_t i = 0; i < acc->len; i++) {
        Buffer *b = &u->buffers.at[acc->at[i].buffer];
        if (!acc->at[i].write || !plan_in_arena(b) || b->offset >= 0) continue;
        b->offset = take_over(s, k, acc->at[i].buffer);
        if (b->offset < 0) b->offset = take(s, plan_room(b));
    }
    for (size_t i = 0; i < acc->len; i++) {
        int b = acc->at[i].buffer;
        if (plan_in_arena(&u->buffers.at[b]) && s->last[b] == k && !s->lasting[b]) release(s, b);
    }
    for (size_t i = 0; i < lasting->len; i++)
        if (s->last[lasting->at[i]] == k) release(s, lasting->at[i]);
}

/* A buffer that is used in a scan and outside of it, or is carried, lives through the whole of it. */
static IntList find_lasting(Space *s) {
    const LoopUnit *u = s->u;
    IntList list = {0};
    for (bool changed = true; changed;) {
        changed = false;
        for (size_t b = 0; b < u->buffers.len; b++) {
            if (!plan_in_arena(&u->buffers.at[b]) || s->last[b] < 0) continue;
            for (int i = 1; i <= u->nscans; i++) {
                int from = (int)u->scans[i].from, to = (int)u->scans[i].to - 1;
                bool inside = s->first[b] >= from && s->last[b] <= to, apart = s->last[b] < from || s->first[b] > to;
                if (from > to || inside || apart || (s->first[b] <= from && s->last[b] >= to && s->lasting[b]))
                    continue;
                changed |= s->first[b] > from || s->last[b] < to || !s->lasting[b];
                s->first[b] = MIN(s->first[b], from);
                s->last[b] = MAX(s->last[b], to);
                if (!s->lasting[b]) vec_push(&list, (int)b);
                s->lasting[b] = true;
            }
        }
    }
    return list;
}

void plan_place(LoopUnit *u) {
    size_t n = u->buffers.len;
    Space s = {.u = u, .acc = plan_accesses(u)};
    s.first = ARENA_ARRAY(u->nnc->arena, int, n);
    s.last = ARENA_ARRAY(u->nnc->arena, int, n);
    s.heir = ARENA_ARRAY(u->nnc->arena, int, n);
    s.lasting = ARENA_ARRAY(u->nnc->arena, bool, n);
    for (size_t b = 0; b < n; b++) s.first[b] = s.last[b] = s.heir[b] = -1;
    for (size_t k = 0; k < u->kernels.len; k++)
        for (size_t i = 0; i < s.acc[k].len; i++) {
            int b = s.acc[k].at[i].buffer;
            if (s.first[b] < 0) s.first[b] = (int)k;
            s.last[b] = (int)k;
        }
    for (int i = 1; i <= u->nscans; i++) /* a condition is tested before the first kernel that depends on it */
        if (u->scans[i].cond >= 0)
            s.last[u->scans[i].cond] =
                MAX(s.last[u->scans[i].cond], (int)MAX(u->scans[i].body, u->scans[i].from + 1) - 1);
    IntList lasting = find_lasting(&s);
    for (size_t k = 0; k < u->kernels.len; k++) place_kernel(&s, (int)k, &lasting);
    for (size_t b = 0; b < n; b++)
        if (u->buffers.at[b].shares >= 0) u->buffers.at[b].offset = u->buffers.at[u->buffers.at[b].shares].offset;
    vec_free(&lasting);
    vec_free(&s.gaps);
    for (int i = 1; i <= u->nscans; i++, s.end += 64) u->scans[i].cell = s.end;
    u->arena_bytes = s.end;
}
