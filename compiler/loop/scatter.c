/* Scatter: zeros, then sums into places named by data, in the order of the domain.
 *
 * Tiles must not write the same place, so the work is cut along those dims of the result whose place is simply an index
 * of the domain (the columns of an embedding's gradient); all else runs in order within a tile.
 *
 *   for each chunk of columns of the tile:  out[..., chunk] = 0;  for q: vector c: out[ids[q], c] += g[q, c] */
#include "compiler/loop/common.h"

enum { FEWEST_VECTORS = 4 }; /* of a unit's columns: finding the place of a row takes as long as some vectors */

typedef struct {
    Builder *b;
    const Node *n;
    Nest nest;
    int dim, var;     /* the result's dim that is cut, and the domain's index that is its place; -1: none */
    int64_t chunk;    /* how much of it a unit takes */
    const Aff *first; /* where the unit begins */
    int width;
} Scatter;

/* Looks for the last dim whose place is an index itself: then two of its values never meet. */
static void find_free_dim(Scatter *s) {
    s->dim = -1;
    for (int d = s->n->rank - 1; d >= 0 && s->dim < 0; d--) {
        int var;
        const Place *p = &s->n->scatter.place[d];
        if (p->gather || !aff_is_var(p->aff, &var) || s->n->scatter.extents[var] != s->n->dims[d]) continue;
        s->dim = d;
        s->var = var;
    }
}

/* Opens a loop over the unit's part of the dim that is cut; its index. */
static const Aff *open_chunk(Scatter *s) {
    AffTable *t = s->b->affs;
    int64_t extent = s->n->dims[s->dim];
    const Aff *limit = extent % s->chunk ? aff_sub(t, aff_const(t, extent), s->first) : NULL;
    bool last = s->dim == s->n->rank - 1 && s->chunk > 1;
    int v = nest_for(&s->nest, last ? FOR_VECTOR : FOR_SERIAL, s->chunk, limit, last ? s->width : 0);
    return nest_stand(&s->nest, aff_add(t, s->first, nest_var(&s->nest, v)), extent);
}

static void emit_zeros(Scatter *s, View to) {
    const Aff **at = ARENA_ARRAY(s->b->arena, const Aff *, s->n->rank + 1);
    int opened = 0;
    for (int d = 0; d < s->n->rank; d++) {
        if (d == s->dim) continue;
        bool last = s->dim < 0 && d == s->n->rank - 1 && s->n->dims[d] > 1;
        at[d] = nest_var(&s->nest,
                         nest_for(&s->nest, last ? FOR_VECTOR : FOR_SERIAL, s->n->dims[d], NULL, last ? s->width : 0));
        opened++;
    }
    if (s->dim >= 0) at[s->dim] = open_chunk(s), opened++;
    nest_store(&s->nest, to.buffer, loop_offset(&s->nest, to, at, s->n->rank), ex_zero(s->b->g, s->n->dtype));
    while (opened--) nest_close(&s->nest);
}

static void emit_sums(Scatter *s, Ref r) {
    const Aff **at = ARENA_ARRAY(s->b->arena, const Aff *, s->n->scatter.ndomain + 1);
    int opened = 0;
    for (int v = 0; v < s->n->scatter.ndomain; v++) {
        if (s->dim >= 0 && v == s->var) continue;
        at[v] = nest_var(&s->nest, nest_for(&s->nest, FOR_SERIAL, s->n->scatter.extents[v], NULL, 0));
        opened++;
    }
    if (s->dim >= 0) at[s->var] = open_chunk(s), opened++;
    Place p = loop_place(&s->nest, r, s->n->scatter.place, at, s->n->scatter.ndomain);
    Ex value = loop_lower(&s->nest, s->n->scatter.body, at, s->n->scatter.ndomain);
    nest_accum(&s->nest, RED_SUM, loop_memory(s->b, r).buffer, p.aff, value);
    LoopBody *body = &s->nest.bodies.at[s->nest.bodies.len - 1];
    body->at[body->len - 1]->store.at.gather = p.gather;
    while (opened--) nest_close(&s->nest);
}

void loop_scatter(Builder *b, const Group *group) {
    Ref r = group->members[0];
    Scatter s = {.b = b, .n = ir_node(b->g, r), .width = loop_lanes(b, ir_node(b->g, r)->dtype)};
    double ns = (loop_cost(b->g, s.n->scatter.body) + 2) * 0.4;
    int64_t units = 1;
    for (int v = 0; v < s.n->scatter.ndomain; v++) ns *= (double)s.n->scatter.extents[v];
    find_free_dim(&s);
    if (s.dim >= 0) {
        int64_t extent = s.n->dims[s.dim], least = FEWEST_VECTORS * s.width;
        int64_t parts = loop_tiles((extent + least - 1) / least, ns / s.width);
        s.chunk = ((extent + parts - 1) / parts + s.width - 1) / s.width * s.width;
        s.chunk = MIN(s.chunk, extent);
        units = (extent + s.chunk - 1) / s.chunk;
    }
    s.nest = nest_begin(b, s.n->name ? s.n->name : "scatter", s.n->at, units);
    if (s.dim >= 0) s.first = aff_scale(b->affs, nest_units(&s.nest, units), s.chunk);
    emit_zeros(&s, loop_memory(b, r));
    emit_sums(&s, r);
    while (s.nest.heads.len) nest_close(&s.nest);
    s.nest.k->flops = loop_flops(b->g, r);
    nest_end(&s.nest);
}
