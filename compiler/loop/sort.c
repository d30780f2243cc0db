/* Sort: a row is ordered at a time, in room of the tile's own.
 *
 *   for each row of the tile:  to[row, 0..k] = places of the first k of keys[row, 0..n] in order */
#include "compiler/loop/common.h"

int64_t loop_sort_room(DType t, int64_t n) {
    int64_t words = dtype_size(t) > 4 ? 2 : 1; /* a key and its place */
    return 2 * words * ((n + LOOP_SORT_RUN - 1) / LOOP_SORT_RUN * LOOP_SORT_RUN);
}

/* Two nanoseconds for a key in each of log2(n) merges. */
static double nanoseconds(int64_t n) { return 2.0 * (double)n * (double)(64 - __builtin_clzll((uint64_t)n)); }

void loop_sort(Builder *b, const Group *group) {
    Ref r = group->members[0];
    const Node *n = ir_node(b->g, r), *of = ir_node(b->g, n->sort.of);
    int last = n->rank - 1;
    int64_t k = n->dims[last], rows = ir_elements(n) / k, each = loop_sort_room(of->dtype, of->dims[last]);
    View keys = loop_memory(b, n->sort.of), to = loop_memory(b, r);
    Nest nest =
        nest_begin(b, n->name ? n->name : "sort", n->at, loop_tiles(rows, (double)rows * nanoseconds(of->dims[last])));
    const Aff *tile = nest.k->tiles > 1 ? nest_var(&nest, 0) : aff_const(b->affs, 0);
    const Aff **at = ARENA_ARRAY(b->arena, const Aff *, n->rank);
    nest_unflatten(&nest, nest_units(&nest, rows), n->dims, last, at);
    at[last] = aff_const(b->affs, 0);
    LoopStmt *s = ARENA_NEW(b->arena, LoopStmt);
    s->kind = LS_SORT;
    s->sort.keys = keys.buffer;
    s->sort.to = to.buffer;
    s->sort.room = loop_buffer(b, BUF_MEMORY, DT_I64, nest.k->tiles * each, NULL);
    s->sort.keys_at = loop_offset(&nest, keys, at, n->rank);
    s->sort.to_at = loop_offset(&nest, to, at, n->rank);
    s->sort.room_at = aff_scale(b->affs, tile, each);
    s->sort.n = of->dims[last];
    s->sort.k = k;
    s->sort.descending = n->sort.descending;
    nest_add(&nest, s);
    while (nest.heads.len) nest_close(&nest);
    nest_end(&nest);
}
