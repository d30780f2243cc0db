/* What kernels read and write. */
#include "compiler/pass/plan.h"

#include <stdlib.h>

typedef VEC(Access) AccessList;
/* ---- what a kernel touches ---- */

typedef struct {
    AccessList list;
    int *seen, *seen_write; /* per buffer: the number after the last kernel whose access was noted */
    int kernel;
} Collect;

static void note(Collect *c, int buffer, bool write) {
    int *seen = write ? c->seen_write : c->seen;
    if (seen[buffer] == c->kernel + 1) return;
    seen[buffer] = c->kernel + 1;
    vec_push(&c->list, (Access){buffer, write});
}

static void note_fetch(const Graph *g, Ex e, void *self) {
    if (ir_expr(g, e)->kind == EX_FETCH) note(self, ir_expr(g, e)->fetch.buffer, false);
}

static void collect(const LoopUnit *u, Collect *c, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        switch (s->kind) {
        case LS_FOR: collect(u, c, &s->loop.body); break;
        case LS_IF: collect(u, c, &s->when.then); break;
        case LS_DECL:
        case LS_AHEAD: break;
        case LS_SORT:
            note(c, s->sort.keys, false);
            note(c, s->sort.to, true);
            note(c, s->sort.room, true);
            break;
        case LS_ACCUM:
        case LS_STORE:
            ex_walk(u->graph, s->store.value, note_fetch, c);
            if (s->store.at.gather) ex_walk(u->graph, s->store.at.gather, note_fetch, c);
            note(c, s->store.buffer, true);
        }
    }
}

const Accesses *plan_accesses(const LoopUnit *u) {
    Collect c = {.seen = xcalloc(u->buffers.len, sizeof(int)), .seen_write = xcalloc(u->buffers.len, sizeof(int))};
    Accesses *out = ARENA_ARRAY(u->nnc->arena, Accesses, u->kernels.len);
    for (size_t k = 0; k < u->kernels.len; k++) {
        c.kernel = (int)k;
        c.list.len = 0;
        collect(u, &c, &u->kernels.at[k]->body);
        out[k].len = c.list.len;
        out[k].at = arena_copy(u->nnc->arena, c.list.at ? (void *)c.list.at : "", c.list.len * sizeof(Access));
    }
    vec_free(&c.list);
    free(c.seen);
    free(c.seen_write);
    return out;
}

/* ---- writing over what is read ---- */

typedef struct {
    const LoopUnit *u;
    int old, fresh;
    const LoopBody *body; /* of the store */
    const Aff *at;        /* its place */
    int stores;           /* more than 1: in ways that no other buffer's place allows */
    bool fine;
    const LoopBody *current;
    bool after; /* the store has been met */
} Over;

static void find_store(Over *o, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        if (s->kind == LS_FOR) find_store(o, &s->loop.body);
        if (s->kind == LS_IF) find_store(o, &s->when.then);
        if (s->kind == LS_SORT) o->stores += 2; /* reads and writes in an order of its own */
        if ((s->kind != LS_STORE && s->kind != LS_ACCUM) || s->store.buffer != o->fresh) continue;
        o->stores += s->kind == LS_STORE && !s->store.at.gather ? 1 : 2;
        o->body = body;
        o->at = s->store.at.aff;
    }
}

static void check_fetch(const Graph *g, Ex e, void *self) {
    Over *o = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_FETCH || x->fetch.buffer != o->old) return;
    o->fine = o->fine && !o->after && o->current == o->body && x->fetch.at.aff == o->at && !x->fetch.at.gather;
}

static void check_reads(Over *o, const LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        if (s->kind == LS_FOR) check_reads(o, &s->loop.body);
        if (s->kind == LS_IF) check_reads(o, &s->when.then);
        if (s->kind != LS_STORE && s->kind != LS_ACCUM) continue;
        o->current = body;
        ex_walk(o->u->graph, s->store.value, check_fetch, o);
        if (s->store.at.gather) ex_walk(o->u->graph, s->store.at.gather, check_fetch, o);
        o->after |= s->store.buffer == o->fresh;
    }
}

bool plan_overwrites(const LoopUnit *u, const Kernel *k, int old, int fresh) {
    if (dtype_size(u->buffers.at[old].dtype) != dtype_size(u->buffers.at[fresh].dtype)) return false;
    Over o = {.u = u, .old = old, .fresh = fresh, .fine = true};
    find_store(&o, &k->body);
    if (o.stores != 1) return false;
    check_reads(&o, &k->body);
    return o.fine;
}
