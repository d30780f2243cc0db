/* Buffers, and the small facts of reductions. */
#include "compiler/loop/common.h"

#include <math.h>

int loop_buffer(Builder *b, BufKind kind, DType t, int64_t elems, Name name) {
    vec_push(
        &b->u->buffers,
        (Buffer){
            .kind = kind, .dtype = t, .base = BASE_ARENA, .offset = -1, .elems = elems, .name = name, .shares = -1});
    return (int)b->u->buffers.len - 1;
}

const int64_t *loop_strides(Builder *b, const Node *n) {
    int64_t *s = ARENA_ARRAY(b->arena, int64_t, n->rank), step = 1;
    for (int d = n->rank - 1; d >= 0; d--) {
        s[d] = step;
        step *= n->dims[d];
    }
    return s;
}

View loop_memory(Builder *b, Ref r) {
    View *v = &b->memory[r];
    if (v->buffer < 0) {
        const Node *n = ir_node(b->g, r);
        v->buffer = loop_buffer(b, BUF_MEMORY, n->dtype, ir_elements(n), n->name);
        v->strides = loop_strides(b, n);
    }
    return *v;
}

View loop_view(Builder *b, Ref r) { return b->local[r].buffer >= 0 ? b->local[r] : loop_memory(b, r); }

Ex loop_identity(Graph *g, Combine c, DType t) {
    bool least = c == RED_MAX;
    switch (c) {
    case RED_SUM: return ex_zero(g, t);
    case RED_PROD: return dtype_is_float(t) ? ex_float(g, t, 1) : ex_int(g, t, 1);
    case RED_MAX:
    case RED_MIN:
        switch (t) {
        case DT_BOOL: return ex_int(g, t, !least);
        case DT_U8: return ex_int(g, t, least ? 0 : UINT8_MAX);
        case DT_I8: return ex_int(g, t, least ? INT8_MIN : INT8_MAX);
        case DT_I32: return ex_int(g, t, least ? INT32_MIN : INT32_MAX);
        case DT_I64: return ex_int(g, t, least ? INT64_MIN : INT64_MAX);
        default: return ex_float(g, t, least ? -INFINITY : INFINITY);
        }
    default: bug("no starting value for this reduction");
    }
}

DType loop_accumulator(Combine c, DType t) {
    bool shorter = t == DT_F16 || t == DT_BF16;
    return shorter && (c == RED_SUM || c == RED_PROD) ? DT_F32 : t;
}

Ex loop_fetch(Builder *b, int buffer, const Aff *at) {
    return ex_fetch(b->g, b->u->buffers.at[buffer].dtype, buffer, (Place){.aff = at});
}

Ex loop_convert(Builder *b, DType to, Ex e) { return ir_expr(b->g, e)->dtype == to ? e : ex_cast(b->g, to, e); }
