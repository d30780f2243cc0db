/* The kernels that come of recomputation: a kernel that runs again writes, and those behind it read, buffers of their
 * own. */
#include "compiler/pass/remat.h"

typedef struct {
    Remat *r;
    int *now;      /* per old buffer: the one that it stands for in the kernel at hand */
    bool *dropped; /* per old buffer: what the kernel writes there is not wanted */
} Rename;

static LoopBody rename_body(const Rename *n, const LoopBody *body);

static LoopStmt *rename_stmt(const Rename *n, const LoopStmt *old) {
    Graph *g = n->r->u->graph;
    LoopStmt *s = arena_copy(n->r->arena, old, sizeof *old);
    switch (s->kind) {
    case LS_FOR: s->loop.body = rename_body(n, &old->loop.body); break;
    case LS_IF: s->when.then = rename_body(n, &old->when.then); break;
    case LS_DECL: break;
    case LS_SORT:
        s->sort.keys = n->now[s->sort.keys];
        s->sort.to = n->now[s->sort.to];
        s->sort.room = n->now[s->sort.room];
        break;
    case LS_AHEAD: s->ahead.buffer = n->now[s->ahead.buffer]; break;
    case LS_STORE:
    case LS_ACCUM:
        s->store.buffer = n->now[s->store.buffer];
        s->store.value = ex_renamed(g, s->store.value, n->now);
        if (s->store.at.gather) s->store.at.gather = ex_renamed(g, s->store.at.gather, n->now);
    }
    return s;
}

static LoopBody rename_body(const Rename *n, const LoopBody *body) {
    LoopBody out = {.at = ARENA_ARRAY(n->r->arena, LoopStmt *, body->len), .cap = body->len};
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        bool stores = s->kind == LS_STORE || s->kind == LS_ACCUM;
        if (stores && n->dropped[s->store.buffer]) continue;
        LoopStmt *copy = rename_stmt(n, s);
        bool empty = (s->kind == LS_FOR && !copy->loop.body.len) || (s->kind == LS_IF && !copy->when.then.len);
        if (!empty) out.at[out.len++] = copy;
    }
    return out;
}

static Kernel *rename_kernel(Rename *n, const Step *s, Kernel *old, int number) {
    Remat *r = n->r;
    bool changed = s->again;
    for (int b = 0; b < (int)r->nbuffers; b++) {
        n->now[b] = b;
        n->dropped[b] = s->again && r->u->buffers.at[b].kind == BUF_MEMORY;
    }
    for (int i = 0; i < s->nuses; i++) {
        n->now[s->uses[i].text] = s->uses[i].now;
        n->dropped[s->uses[i].text] = n->dropped[s->uses[i].text] && !s->uses[i].write;
        changed = changed || s->uses[i].now != s->uses[i].text;
    }
    if (!changed) return old;
    Kernel *k = arena_copy(r->arena, old, sizeof *old);
    k->body = rename_body(n, &old->body);
    if (s->again) k->name = arena_printf(r->arena, "%s_again%d", old->name, number);
    return k;
}

/* Where the loops of step i are now. */
static void place_loops(Remat *r, size_t i) {
    LoopUnit *u = r->u;
    const Step *s = &r->steps.at[i];
    for (int k = 1; k <= u->nscans; k++) {
        const LoopScan *old = &r->scans[k];
        if (k == s->scan || old->from < s->from || old->from >= s->to) continue;
        u->scans[k].from = old->from - s->from + u->kernels.len;
        u->scans[k].body = old->body - s->from + u->kernels.len;
        u->scans[k].to = old->to - s->from + u->kernels.len;
    }
    if (!s->scan) return;
    LoopScan *outer = &u->scans[s->scan];
    if (!i || r->steps.at[i - 1].scan != s->scan) outer->from = outer->body = u->kernels.len;
    outer->to = u->kernels.len + (s->to - s->from);
}

void remat_write(Remat *r) {
    LoopUnit *u = r->u;
    Rename n = {.r = r};
    n.now = ARENA_ARRAY(r->arena, int, r->nbuffers);
    n.dropped = ARENA_ARRAY(r->arena, bool, r->nbuffers);
    u->buffers.len = r->nbuffers;
    u->kernels.len = 0;
    u->recomputed = 0;
    for (size_t i = 0; i < r->steps.len; i++) {
        const Step *s = &r->steps.at[i];
        for (int k = 0; k < s->nuses && s->again; k++) u->recomputed += s->uses[k].write;
        place_loops(r, i);
        for (size_t k = s->from; k < s->to; k++) vec_push(&u->kernels, rename_kernel(&n, s, r->kernels[k], (int)i));
    }
    for (size_t b = r->nbuffers; b < r->text.len; b++) {
        Buffer copy = u->buffers.at[r->text.at[b]];
        vec_push(&u->buffers, copy);
    }
    for (size_t b = 0; b < u->buffers.len; b++)
        if (plan_in_arena(&u->buffers.at[b])) u->buffers.at[b].offset = -1;
    plan_place(u);
}
