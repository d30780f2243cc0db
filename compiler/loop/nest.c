/* The writer of loop nests: statements go into the innermost open body. */
#include "compiler/loop/common.h"

#include <ctype.h>
#include <string.h>

static int new_var(Nest *n, int64_t extent, const Aff *stands) {
    vec_push(&n->extents, extent);
    vec_push(&n->stands, stands);
    return (int)n->extents.len - 1;
}

/* A name for people and the linker: letters, digits and _. */
static const char *kernel_name(Builder *b, const char *what) {
    char *s = arena_printf(b->arena, "k%zu_%s", b->u->kernels.len, what);
    for (char *p = s; *p; p++)
        if (!isalnum((unsigned char)*p)) *p = '_';
    return s;
}

Nest nest_begin(Builder *b, const char *what, Span at, int64_t tiles) {
    Nest n = {.b = b, .k = ARENA_NEW(b->arena, Kernel)};
    n.k->name = kernel_name(b, what);
    n.k->at = at;
    n.k->tiles = tiles;
    n.k->scan = b->scan;
    n.k->decides = b->decides;
    new_var(&n, tiles, NULL);
    int depth = b->scan ? b->u->scans[b->scan].depth : 0;
    for (int d = 0; d < depth; d++) new_var(&n, 0, NULL);
    for (int s = b->scan; s; s = b->u->scans[s].parent) n.extents.at[b->u->scans[s].depth] = b->u->scans[s].extent;
    vec_push(&n.bodies, (LoopBody){0});
    return n;
}

/* Moves a finished body into the arena. */
static void seal(Nest *n, LoopBody *to) {
    LoopBody *from = &n->bodies.at[--n->bodies.len];
    to->at = arena_copy(n->b->arena, from->at ? (const void *)from->at : "", from->len * sizeof *from->at);
    to->len = to->cap = from->len;
    vec_free(from);
}

void nest_end(Nest *n) {
    if (n->heads.len) bug("kernel '%s' ends inside a loop", n->k->name);
    seal(n, &n->k->body);
    n->k->nvars = (int)n->extents.len;
    n->k->extents = arena_copy(n->b->arena, n->extents.at, n->extents.len * sizeof(int64_t));
    vec_push(&n->b->u->kernels, n->k);
    vec_free(&n->extents);
    vec_free(&n->stands);
    vec_free(&n->heads);
    vec_free(&n->bodies);
}

void nest_add(Nest *n, LoopStmt *s) {
    s->at = n->k->at;
    LoopBody *body = &n->bodies.at[n->bodies.len - 1];
    vec_push(body, s);
}

static void nest_open(Nest *n, LoopStmt *s) {
    nest_add(n, s);
    vec_push(&n->heads, s);
    vec_push(&n->bodies, (LoopBody){0});
}

int nest_for(Nest *n, ForMode mode, int64_t count, const Aff *limit, int width) {
    LoopStmt *s = ARENA_NEW(n->b->arena, LoopStmt);
    s->kind = LS_FOR;
    s->loop.mode = mode;
    s->loop.var = new_var(n, count, NULL);
    s->loop.count = count;
    s->loop.limit = limit ? loop_index(n, limit, NULL, 0) : NULL;
    s->loop.width = width;
    nest_open(n, s);
    return s->loop.var;
}

void nest_within(Nest *n, const Aff *from, const Aff *limit) {
    LoopStmt *s = n->heads.at[n->heads.len - 1];
    if (from) s->loop.from = loop_index(n, from, NULL, 0);
    if (limit) s->loop.limit = loop_index(n, limit, NULL, 0);
}

void nest_if(Nest *n, int nconds, const Cond *conds) {
    LoopStmt *s = ARENA_NEW(n->b->arena, LoopStmt);
    s->kind = LS_IF;
    s->when.n = nconds;
    s->when.conds = arena_copy(n->b->arena, conds, (size_t)nconds * sizeof *conds);
    nest_open(n, s);
}

void nest_close(Nest *n) {
    LoopStmt *s = n->heads.at[--n->heads.len];
    seal(n, s->kind == LS_FOR ? &s->loop.body : &s->when.then);
}

void nest_decl(Nest *n, int buffer) {
    LoopStmt *s = ARENA_NEW(n->b->arena, LoopStmt);
    s->kind = LS_DECL;
    s->decl = buffer;
    nest_add(n, s);
}

void nest_store(Nest *n, int buffer, const Aff *at, Ex value) {
    LoopStmt *s = ARENA_NEW(n->b->arena, LoopStmt);
    s->kind = LS_STORE;
    s->store.buffer = buffer;
    s->store.at.aff = at;
    s->store.value = loop_convert(n->b, n->b->u->buffers.at[buffer].dtype, value);
    nest_add(n, s);
}

void nest_accum(Nest *n, Combine c, int buffer, const Aff *at, Ex value) {
    LoopStmt *s = ARENA_NEW(n->b->arena, LoopStmt);
    s->kind = LS_ACCUM;
    s->store.buffer = buffer;
    s->store.at.aff = at;
    s->store.value = loop_convert(n->b, n->b->u->buffers.at[buffer].dtype, value);
    s->store.combine = c;
    s->store.fused = c == RED_SUM && ir_expr(n->b->g, s->store.value)->kind == EX_MUL &&
                     dtype_is_float(n->b->u->buffers.at[buffer].dtype);
    nest_add(n, s);
}

void nest_ahead(Nest *n, int buffer, const Aff *at, int64_t by) {
    LoopStmt *s = ARENA_NEW(n->b->arena, LoopStmt);
    s->kind = LS_AHEAD;
    s->ahead.buffer = buffer;
    s->ahead.at = at;
    s->ahead.by = by;
    nest_add(n, s);
}

const Aff *nest_var(Nest *n, int var) { return aff_var(n->b->affs, var); }

const Aff *nest_stand(Nest *n, const Aff *a, int64_t extent) {
    int64_t lo, hi;
    const Aff *plain = loop_index(n, a, NULL, 0);
    if (extent == 1) return aff_const(n->b->affs, 0);
    if (aff_range(plain, n->extents.at, (int)n->extents.len, &lo, &hi) && lo >= 0 && hi < extent) return plain;
    return nest_var(n, new_var(n, extent, plain));
}

const Aff *nest_units(Nest *n, int64_t count) {
    AffTable *t = n->b->affs;
    int64_t tiles = n->k->tiles, each = (count + tiles - 1) / tiles;
    const Aff *first = aff_scale(t, nest_var(n, 0), each);
    if (tiles == 1) first = aff_const(t, 0);
    if (each == 1) return nest_stand(n, first, count);
    const Aff *limit = each * tiles == count ? NULL : aff_sub(t, aff_const(t, count), first);
    int r = nest_for(n, FOR_SERIAL, each, limit, 0);
    return nest_stand(n, aff_add(t, first, nest_var(n, r)), count);
}

void nest_unflatten(Nest *n, const Aff *z, const int64_t *dims, int ndims, const Aff **out) {
    AffTable *t = n->b->affs;
    int64_t step = 1;
    for (int d = ndims - 1; d >= 0; d--) {
        const Aff *q = aff_div(t, z, step);
        out[d] = d ? aff_mod(t, q, dims[d]) : q;
        step *= dims[d];
    }
}
