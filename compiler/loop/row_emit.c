/* The body of one unit of a row kernel: its stages one after the other. */
#include "compiler/loop/row.h"

#include <string.h>

enum { LOCAL_BYTES = 16 << 10 }; /* larger intermediates of a row go through memory */

/* ---- where intermediates are ---- */

static bool stored(const Rows *r, Ref m) { return r->b->s->stored[m]; }

static View local_view(Rows *r, BufKind kind, DType t, int64_t elems, Ref m) {
    Builder *b = r->b;
    View v = {.buffer = loop_buffer(b, kind, t, elems, ir_node(b->g, m)->name)};
    v.strides = ARENA_ARRAY(b->arena, int64_t, MAX(ir_node(b->g, m)->rank, 1));
    nest_decl(&r->n, v.buffer);
    return v;
}

/* A member that only later stages of its kernel read: an array of one row, in registers where the row is a number. */
static void declare_local(Rows *r, Ref m) {
    const Node *n = ir_node(r->b->g, m);
    int64_t elems = 1;
    if (r->across) {
        r->b->views[m] = local_view(r, BUF_REG, n->dtype, (int64_t)r->unroll * r->width, m);
        return;
    }
    for (int d = r->group->nrow; d < n->rank; d++) elems *= n->dims[d];
    if (elems * (int64_t)dtype_size(n->dtype) > LOCAL_BYTES) return; /* memory is made on demand */
    View v = local_view(r, elems == 1 ? BUF_REG : BUF_STACK, n->dtype, elems, m);
    int64_t *strides = ARENA_ARRAY(r->b->arena, int64_t, MAX(n->rank, 1));
    memcpy(strides, loop_strides(r->b, n), (size_t)n->rank * sizeof *strides);
    memset(strides, 0, (size_t)r->group->nrow * sizeof *strides);
    v.strides = strides;
    r->b->views[m] = v;
}

/* ---- lanes along the rows ---- */

static const Aff *open_lanes(Rows *r) {
    AffTable *t = r->b->affs;
    const Node *n = ir_node(r->b->g, r->group->members[0]);
    const Aff *inside = aff_const(t, 0);
    if (r->unroll > 1) inside = aff_scale(t, nest_var(&r->n, nest_for(&r->n, FOR_UNROLL, r->unroll, NULL, 0)), r->width);
    const Aff *limit = NULL;
    if (r->lanes % r->chunk) limit = aff_sub(t, aff_const(t, r->lanes), aff_add(t, r->chunk_from, inside));
    int64_t count = r->unroll > 1 ? r->width : r->chunk;
    int v = nest_for(&r->n, count > 1 ? FOR_VECTOR : FOR_SERIAL, count, limit, count > 1 ? r->width : 0);
    inside = aff_add(t, inside, nest_var(&r->n, v));
    const Aff *lane = nest_stand(&r->n, aff_add(t, r->chunk_from, inside), r->lanes);
    nest_unflatten(&r->n, lane, n->dims + r->first_lane, r->end_lane - r->first_lane, r->row + r->first_lane);
    for (int i = 0; i < r->group->nmembers; i++) {
        View *v2 = &r->b->views[r->group->members[i]];
        if (v2->buffer >= 0 && r->b->u->buffers.at[v2->buffer].kind == BUF_REG) v2->base = inside;
    }
    return inside;
}

static void close_lanes(Rows *r) {
    nest_close(&r->n);
    if (r->unroll > 1) nest_close(&r->n);
}

/* ---- reductions ---- */

static View declare_accumulator(Rows *r, Ref m) {
    const Node *n = ir_node(r->b->g, m);
    DType t = loop_accumulator(n->comp.combine, n->dtype);
    return local_view(r, BUF_REG, t, r->across ? (int64_t)r->unroll * r->width : 1, m);
}

static void store_identity(Rows *r, Ref m, View acc) {
    DType t = r->b->u->buffers.at[acc.buffer].dtype;
    const Aff *at = acc.base ? acc.base : aff_const(r->b->affs, 0);
    nest_store(&r->n, acc.buffer, at, loop_identity(r->b->g, ir_node(r->b->g, m)->comp.combine, t));
}

static void begin_reductions(Rows *r, const Stage *s) {
    int n = 0;
    for (int i = 0; i < s->nmembers; i++) {
        if (!row_reduces(ir_node(r->b->g, s->members[i]))) continue;
        r->b->views[s->members[i]] = declare_accumulator(r, s->members[i]);
        n++;
    }
    if (!n) return;
    if (r->across) open_lanes(r);
    for (int i = 0; i < s->nmembers; i++)
        if (row_reduces(ir_node(r->b->g, s->members[i]))) store_identity(r, s->members[i], r->b->views[s->members[i]]);
    if (r->across) close_lanes(r);
}

/* Writes what others read of a finished accumulator. */
static void write_result(Rows *r, Ref m) {
    Builder *b = r->b;
    View acc = b->views[m];
    b->views[m] = (View){.buffer = -1};
    int memory = b->u->buffers.len ? loop_memory(b, m).buffer : -1;
    const Aff *to = loop_own_place(&r->n, m, r->row);
    b->views[m] = acc;
    nest_store(&r->n, memory, to, loop_fetch(b, acc.buffer, acc.base ? acc.base : aff_const(b->affs, 0)));
}

