/* One function a structure goes both ways, so that what is written and what is read cannot differ. Buffers and
 * expressions are numbered in the order in which they are met; an expression is written where it is first used. */
#include "compiler/loop/kernel_bytes.h"

#include <stdlib.h>
#include <string.h>

/* Reading where `out` is NULL. */
typedef struct {
    const LoopUnit *from; /* writing: the unit */
    LoopUnit *unit;       /* reading: the new unit */
    Graph *graph;
    Str *out;
    const unsigned char *in, *end;
    VEC(int) buffers;  /* writing: those met so far */
    uint32_t *numbers; /* writing: of an expression, 0 where it has none yet */
    uint32_t nexprs;
} Bytes;

/* ---- numbers ---- */

static unsigned char get_byte(Bytes *b) {
    if (b->in == b->end) bug("a kernel's bytes end early");
    return *b->in++;
}

/* Seven bits a byte, the sign in the lowest. */
static void put_number(Bytes *b, int64_t v) {
    uint64_t u = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63);
    char bytes[10];
    size_t n = 0;
    for (; u >= 128; u >>= 7) bytes[n++] = (char)(u | 128);
    bytes[n++] = (char)u;
    str_put(b->out, bytes, n);
}

static int64_t get_number(Bytes *b) {
    uint64_t u = 0;
    unsigned char byte;
    int shift = 0;
    do {
        byte = get_byte(b);
        u |= (uint64_t)(byte & 127) << shift;
        shift += 7;
    } while (byte & 128 && shift < 64);
    return (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
}

static int64_t pass_number(Bytes *b, int64_t v) {
    if (!b->out) return get_number(b);
    put_number(b, v);
    return v;
}

static void pass_long(Bytes *b, int64_t *v) { *v = pass_number(b, *v); }
static void pass_int(Bytes *b, int *v) { *v = (int)pass_number(b, *v); }
static void pass_bool(Bytes *b, bool *v) { *v = pass_number(b, *v) != 0; }

/* ---- index expressions ---- */

static const Aff *read_aff(Bytes *b);
static void write_aff(Bytes *b, const Aff *a);

static const Aff *read_term(Bytes *b) {
    AffTable *t = b->graph->affs;
    int64_t coef = get_number(b);
    AtomKind kind = (AtomKind)get_number(b);
    if (kind == ATOM_VAR) return aff_scale(t, aff_var(t, (int)get_number(b)), coef);
    int64_t by = get_number(b);
    const Aff *of = read_aff(b);
    return aff_scale(t, kind == ATOM_DIV ? aff_div(t, of, by) : aff_mod(t, of, by), coef);
}

static const Aff *read_aff(Bytes *b) {
    const Aff *a = aff_const(b->graph->affs, get_number(b));
    for (int64_t n = get_number(b); n > 0; n--) a = aff_add(b->graph->affs, a, read_term(b));
    return a;
}

static void write_aff(Bytes *b, const Aff *a) {
    put_number(b, a->constant);
    put_number(b, a->nterms);
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *t = &a->terms[i];
        put_number(b, t->coef);
        put_number(b, t->kind);
        put_number(b, t->kind == ATOM_VAR ? t->var : t->by);
        if (t->kind != ATOM_VAR) write_aff(b, t->of);
    }
}

static void pass_aff(Bytes *b, const Aff **a) {
    if (b->out)
        write_aff(b, *a);
    else
        *a = read_aff(b);
}

static void pass_conds(Bytes *b, int *n, const Cond **at) {
    pass_int(b, n);
    Cond *read = b->out ? NULL : ARENA_ARRAY(b->graph->nnc->arena, Cond, *n);
    for (int i = 0; i < *n; i++) {
        Cond c = b->out ? (*at)[i] : (Cond){0};
        pass_aff(b, &c.aff);
        pass_long(b, &c.lo);
        pass_long(b, &c.hi);
        if (read) read[i] = c;
    }
    if (read) *at = read;
}

/* ---- buffers and expressions ---- */

static int number_of(Bytes *b, int buffer) {
    for (size_t i = 0; i < b->buffers.len; i++)
        if (b->buffers.at[i] == buffer) return (int)i;
    vec_push(&b->buffers, buffer);
    return (int)b->buffers.len - 1;
}

static void pass_buffer(Bytes *b, int *buffer) { *buffer = (int)pass_number(b, b->out ? number_of(b, *buffer) : 0); }

static void pass_ex(Bytes *b, Ex *x);

static void pass_place(Bytes *b, Place *p) {
    pass_aff(b, &p->aff);
    pass_ex(b, &p->gather);
}

static void pass_expr(Bytes *b, Expr *x) {
    x->kind = (ExKind)pass_number(b, x->kind);
    x->dtype = (DType)pass_number(b, x->dtype);
    for (int i = 0; i < 4; i++) pass_ex(b, &x->arg[i]);
    switch (x->kind) {
    case EX_CONST: pass_long(b, &x->i); break; /* floats by their bits */
    case EX_INDEX: pass_aff(b, &x->index); break;
    case EX_GUARD: pass_conds(b, &x->guard.n, &x->guard.at); break;
    case EX_FETCH:
        pass_buffer(b, &x->fetch.buffer);
        pass_place(b, &x->fetch.at);
        break;
    default: break;
    }
}

/* Its number, or NEW and the expression, which then has the next number. */
static void pass_ex(Bytes *b, Ex *x) {
    enum { NEW = -1 };
    int64_t number = b->out ? b->numbers[*x] : 0;
    if (b->out && *x && !number) number = NEW;
    number = pass_number(b, number);
    if (number != NEW) {
        if (!b->out) *x = (Ex)number;
        return;
    }
    Expr e = b->out ? *ir_expr(b->graph, *x) : (Expr){0};
    pass_expr(b, &e);
    if (b->out)
        b->numbers[*x] = ++b->nexprs;
    else
        *x = ex_add(b->graph, &e);
}

/* ---- statements ---- */

static void pass_body(Bytes *b, LoopBody *body);

static void pass_sort(Bytes *b, LoopStmt *s) {
    pass_buffer(b, &s->sort.keys);
    pass_buffer(b, &s->sort.to);
    pass_buffer(b, &s->sort.room);
    pass_aff(b, &s->sort.keys_at);
    pass_aff(b, &s->sort.to_at);
    pass_aff(b, &s->sort.room_at);
    pass_long(b, &s->sort.n);
    pass_long(b, &s->sort.k);
    pass_bool(b, &s->sort.descending);
}

static void pass_loop(Bytes *b, LoopStmt *s) {
    s->loop.mode = (ForMode)pass_number(b, s->loop.mode);
    pass_int(b, &s->loop.var);
    pass_long(b, &s->loop.count);
    pass_int(b, &s->loop.width);
    if (pass_number(b, s->loop.limit != NULL)) pass_aff(b, &s->loop.limit);
    if (pass_number(b, s->loop.from != NULL)) pass_aff(b, &s->loop.from);
    pass_body(b, &s->loop.body);
}

/* `s` is the reader's own, or a copy of the writer's. */
static void pass_stmt(Bytes *b, LoopStmt *s) {
    s->kind = (LoopStmtKind)pass_number(b, s->kind);
    switch (s->kind) {
    case LS_FOR: pass_loop(b, s); break;
    case LS_DECL: pass_buffer(b, &s->decl); break;
    case LS_STORE:
    case LS_ACCUM:
        pass_buffer(b, &s->store.buffer);
        pass_place(b, &s->store.at);
        pass_ex(b, &s->store.value);
        s->store.combine = (Combine)pass_number(b, s->store.combine);
        pass_bool(b, &s->store.fused);
        break;
    case LS_IF:
        pass_conds(b, &s->when.n, &s->when.conds);
        pass_body(b, &s->when.then);
        break;
    case LS_SORT: pass_sort(b, s); break;
    case LS_AHEAD:
        pass_buffer(b, &s->ahead.buffer);
        pass_aff(b, &s->ahead.at);
        pass_long(b, &s->ahead.by);
        break;
    }
}

static void pass_body(Bytes *b, LoopBody *body) {
    size_t n = (size_t)pass_number(b, (int64_t)body->len);
    Arena *a = b->graph->nnc->arena;
    if (!b->out) *body = (LoopBody){.at = ARENA_ARRAY(a, LoopStmt *, n), .len = n};
    for (size_t i = 0; i < n; i++) {
        LoopStmt copy = b->out ? *body->at[i] : (LoopStmt){0};
        if (!b->out) body->at[i] = ARENA_NEW(a, LoopStmt);
        pass_stmt(b, b->out ? &copy : body->at[i]);
    }
}

/* ---- places ---- */

bool loop_overlap(const Buffer *a, const Buffer *b) {
    if (a->base != b->base) return false;
    if (a->base < 0) return a->constant == b->constant;
    int64_t a_end = a->offset + a->elems * (int64_t)dtype_size(a->dtype);
    int64_t b_end = b->offset + b->elems * (int64_t)dtype_size(b->dtype);
    return a->offset < b_end && b->offset < a_end;
}

/* Numbers the pieces of memory that the buffers lie in: of[i] for the i-th of b->buffers, -1 for local ones. A piece
 * grows by whatever reaches into it, so that the search starts over. */
static void find_pieces(const Bytes *b, int *of) {
    const Buffer *all = b->from->buffers.at;
    for (size_t i = 0; i < b->buffers.len; i++) of[i] = all[b->buffers.at[i]].kind == BUF_MEMORY ? (int)i : -1;
    for (size_t i = 0; i < b->buffers.len; i++)
        for (size_t j = 0; j < i; j++) {
            if (of[i] < 0 || of[j] < 0 || of[i] == of[j]) continue;
            if (!loop_overlap(&all[b->buffers.at[i]], &all[b->buffers.at[j]])) continue;
            int from = MAX(of[i], of[j]), to = MIN(of[i], of[j]);
            for (size_t k = 0; k <= i; k++)
                if (of[k] == from) of[k] = to;
        }
}

static void write_buffers(Bytes *b, KernelPlaces *places) {
    size_t n = b->buffers.len, before = places->len;
    int *of = xcalloc(n, sizeof *of), *place = xcalloc(n, sizeof *place);
    find_pieces(b, of);
    for (size_t i = 0; i < n; i++) {
        const Buffer *x = &b->from->buffers.at[b->buffers.at[i]];
        if (of[i] < 0) continue;
        if (of[i] == (int)i) {
            place[i] = (int)(places->len - before);
            vec_push(places, (KernelPlace){x->base, x->offset, x->base < 0 ? x->constant : NULL});
        }
        KernelPlace *p = &places->at[before + (size_t)place[of[i]]];
        p->offset = MIN(p->offset, x->offset);
    }
    put_number(b, (int64_t)n);
    for (size_t i = 0; i < n; i++) {
        const Buffer *x = &b->from->buffers.at[b->buffers.at[i]];
        put_number(b, x->kind);
        put_number(b, x->dtype);
        put_number(b, x->elems);
        if (of[i] < 0) continue;
        put_number(b, place[of[i]]);
        put_number(b, x->offset - places->at[before + (size_t)place[of[i]]].offset);
    }
    free(of);
    free(place);
}

static void read_buffers(Bytes *b) {
    size_t n = (size_t)get_number(b);
    Buffer *all = ARENA_ARRAY(b->graph->nnc->arena, Buffer, n);
    for (size_t i = 0; i < n; i++) {
        all[i].kind = (BufKind)get_number(b);
        all[i].dtype = (DType)get_number(b);
        all[i].elems = get_number(b);
        if (all[i].kind != BUF_MEMORY) continue;
        all[i].base = (int)get_number(b);
        all[i].offset = get_number(b);
        b->unit->ninputs = MAX(b->unit->ninputs, all[i].base + 1);
    }
    b->unit->buffers.at = all;
    b->unit->buffers.len = n;
}

/* The iteration numbers of the scans around are places too, the innermost first. */
static void write_cells(Bytes *b, const Kernel *k, KernelPlaces *places, size_t before) {
    int depth = k->scan ? b->from->scans[k->scan].depth : 0;
    put_number(b, depth);
    if (depth) put_number(b, (int64_t)(places->len - before));
    for (int s = k->scan; s; s = b->from->scans[s].parent)
        vec_push(places, (KernelPlace){b->from->scans[s].base, b->from->scans[s].cell, NULL});
}

static void read_cells(Bytes *b, Kernel *k) {
    int depth = (int)get_number(b);
    if (!depth) return;
    int place = (int)get_number(b);
    b->unit->nscans = k->scan = depth;
    b->unit->scans = ARENA_ARRAY(b->graph->nnc->arena, LoopScan, depth + 1);
    b->unit->ninputs = place + depth;
    for (int s = depth; s; s--) b->unit->scans[s] = (LoopScan){.parent = s - 1, .depth = s, .base = place++};
}

/* ---- kernels ---- */

/* What code depends on beside statements and buffers. */
static void pass_kernel(Bytes *b, Kernel *k) {
    k->tiles = pass_number(b, k->tiles > 1 ? 2 : k->tiles); /* any number but one is alike */
    pass_int(b, &k->nvars);
    int64_t *extents = b->out ? k->extents : ARENA_ARRAY(b->graph->nnc->arena, int64_t, MAX(k->nvars, 1));
    for (int i = 0; i < k->nvars; i++) extents[i] = pass_number(b, extents[i]);
    k->extents = extents;
    pass_body(b, &k->body);
}

void loop_kernel_write(const LoopUnit *u, const Kernel *k, Str *out, KernelPlaces *places) {
    Bytes b = {.from = u, .graph = u->graph, .out = out, .numbers = xcalloc(u->graph->exprs.len, sizeof *b.numbers)};
    size_t before = places->len;
    Kernel copy = *k;
    pass_kernel(&b, &copy);
    write_buffers(&b, places);
    write_cells(&b, k, places, before);
    free(b.numbers);
    vec_free(&b.buffers);
}

LoopUnit *loop_kernel_read(Nnc *nnc, const char *bytes, size_t n) {
    LoopUnit *u = ARENA_NEW(nnc->arena, LoopUnit);
    Kernel *k = ARENA_NEW(nnc->arena, Kernel);
    *u = (LoopUnit){.nnc = nnc, .graph = ir_graph_new(nnc), .name = "kernel"};
    Bytes b = {
        .unit = u, .graph = u->graph, .in = (const unsigned char *)bytes, .end = (const unsigned char *)bytes + n};
    k->name = "alone";
    pass_kernel(&b, k);
    read_buffers(&b);
    read_cells(&b, k);
    u->kernels.at = ARENA_NEW(nnc->arena, Kernel *);
    u->kernels.at[0] = k;
    u->kernels.len = 1;
    return u;
}
