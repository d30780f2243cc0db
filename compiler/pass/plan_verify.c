/* The check of a memory plan, independent of how it was made: the arena and the variables are followed byte range by
 * byte range through the kernels. */
#include "compiler/pass/plan.h"

#include <stdlib.h>

/* Which buffer's value a range of a base holds now. */
typedef struct {
    int base;
    int64_t from, to;
    int buffer;
} Held;

typedef struct {
    const LoopUnit *u;
    VEC(Held) held;
    const Kernel *kernel;
} Check;

static bool followed(const Buffer *b) { return b->kind == BUF_MEMORY && !b->constant; }

static int64_t bytes_of(const Buffer *b) { return b->elems * (int64_t)dtype_size(b->dtype); }

/* A leaf's buffer holds its value from the start; all others must have been written, and not written over since. */
static void check_read(Check *c, int buffer, const bool *leaf) {
    const Buffer *b = &c->u->buffers.at[buffer];
    bool held = leaf[buffer] || !b->elems;
    for (size_t i = 0; i < c->held.len; i++) {
        const Held *h = &c->held.at[i];
        if (h->base != b->base || h->to <= b->offset || h->from >= b->offset + bytes_of(b)) continue;
        if (h->buffer != buffer)
            bug("kernel '%s' reads buffer %d, which buffer %d has overwritten", c->kernel->name, buffer, h->buffer);
        held = true;
    }
    if (!held) bug("kernel '%s' reads buffer %d before it is written", c->kernel->name, buffer);
}

static void do_write(Check *c, int buffer) {
    const Buffer *b = &c->u->buffers.at[buffer];
    int64_t from = b->offset, to = b->offset + bytes_of(b);
    size_t kept = 0;
    for (size_t i = 0; i < c->held.len; i++) {
        const Held *h = &c->held.at[i];
        if (h->base != b->base || h->to <= from || h->from >= to) c->held.at[kept++] = *h;
    }
    c->held.len = kept;
    vec_push(&c->held, (Held){b->base, from, to, buffer});
}

/* What has a value from the start: inputs, and variables that are read before they are written, if they are. */
static bool *find_leaves(const LoopUnit *u, const Accesses *acc) {
    bool *leaf = xcalloc(u->buffers.len, sizeof *leaf), *written = xcalloc(u->buffers.len, sizeof *written);
    for (size_t k = 0; k < u->kernels.len; k++) {
        for (size_t i = 0; i < acc[k].len; i++) {
            int b = acc[k].at[i].buffer, base = u->buffers.at[b].base;
            if (base == BASE_ARENA || base >= BASE_FIRST_INPUT + u->ninputs) continue;
            if (!acc[k].at[i].write && !written[b]) leaf[b] = true;
        }
        for (size_t i = 0; i < acc[k].len; i++) written[acc[k].at[i].buffer] |= acc[k].at[i].write;
    }
    free(written);
    return leaf;
}

static bool writes(const Accesses *acc, int buffer) {
    for (size_t i = 0; i < acc->len; i++)
        if (acc->at[i].buffer == buffer && acc->at[i].write) return true;
    return false;
}

static void check_kernel(Check *c, const Accesses *acc, const bool *leaf) {
    const LoopUnit *u = c->u;
    for (size_t i = 0; i < acc->len; i++)
        if (!acc->at[i].write && !writes(acc, acc->at[i].buffer) && followed(&u->buffers.at[acc->at[i].buffer]))
            check_read(c, acc->at[i].buffer, leaf);
    for (size_t i = 0; i < acc->len; i++) {
        const Buffer *b = &u->buffers.at[acc->at[i].buffer];
        if (!acc->at[i].write || !followed(b)) continue;
        if (b->offset < 0) bug("buffer %d has no place", acc->at[i].buffer);
        if (b->base == BASE_ARENA && b->offset + bytes_of(b) > u->arena_bytes)
            bug("buffer %d ends beyond the arena", acc->at[i].buffer);
        do_write(c, acc->at[i].buffer);
    }
}

/* Two iterations of a scan show what one leaves for the next. */
static void check_kernels(Check *c, const Accesses *acc, const bool *leaf, int scope, size_t from, size_t to) {
    for (size_t k = from; k < to; k++) {
        c->kernel = c->u->kernels.at[k];
        int inner = loop_scan_below(c->u, c->kernel, scope);
        if (!inner) {
            check_kernel(c, &acc[k], leaf);
            continue;
        }
        const LoopScan *s = &c->u->scans[inner];
        if (s->from != k) bug("the kernels of a scan do not stand together");
        for (int turn = 0; turn < 2; turn++) {
            check_kernels(c, acc, leaf, inner, s->from, s->body);
            if (s->cond >= 0) check_read(c, s->cond, leaf);
            check_kernels(c, acc, leaf, inner, s->body, s->to);
        }
        k = s->to - 1;
    }
}

void plan_verify(const LoopUnit *u) {
    Check c = {.u = u};
    const Accesses *acc = plan_accesses(u);
    bool *leaf = find_leaves(u, acc);
    check_kernels(&c, acc, leaf, 0, 0, u->kernels.len);
    vec_free(&c.held);
    free(leaf);
}
