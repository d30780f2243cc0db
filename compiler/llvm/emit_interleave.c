/* Stores of some vectors side by side, element by element: in a vector loop over k
 *
 *   unroll r in 0..6
 *     to[6*k + r] = from[100*r + k]
 *
 * the vectors of all r are transposed in registers, and what lies together is stored at once. */
#include "compiler/llvm/emit.h"

enum { MOST = MAX_LANES, /* vectors */ GROUP = 16 /* bytes within which shuffles are cheapest */ };

/* Element `at` of vector number `i` after two vectors, which are `unit` apart, have given each other half of their
 * pieces of `unit` elements: in turns within groups, and whole groups as they lie. Where it was in the first of them,
 * or `lanes` more where in the second. */
static int came_from(int i, int at, int lanes, int unit, int group) {
    int high = i & unit, inside = at % group, piece = inside / unit;
    if (unit >= group) return (at & unit ? lanes + at - unit : at) + high;
    return (piece % 2 ? lanes : 0) + at - inside + piece / 2 * unit + inside % unit + (high ? group / 2 : 0);
}

/* Transposes `lanes` vectors of as many elements. The place within a group of a column's number has its bits reversed
 * at the end: `columns` says which vector has column i. */
static void transpose(const L *l, V *rows, int lanes, int group, int *columns) {
    for (int unit = 1; unit < lanes; unit *= 2) {
        V out[MAX_LANES];
        for (int i = 0; i < lanes; i++) {
            int from[MAX_LANES];
            for (int at = 0; at < lanes; at++) from[at] = came_from(i, at, lanes, unit, group);
            out[i] = l_shuffle(l, rows[i & ~unit], rows[i | unit], from, lanes);
        }
        for (int i = 0; i < lanes; i++) rows[i] = out[i];
    }
    for (int i = 0; i < lanes; i++) {
        columns[i] = i - i % group;
        for (int bit = 1; bit < group; bit *= 2)
            if (i & bit) columns[i] += group / 2 / bit;
    }
}

/* Stores n vectors from `at` on, the elements of a lane next to each other, those of the next one `step` places on. */
static void store_columns(Emit *e, int buffer, const Aff *at, int64_t step, V *values, int n) {
    const L *l = &e->l;
    AffTable *t = e->graph->affs;
    int lanes = e->lanes, group = MIN(GROUP * 8 / l_bits(LLVMTypeOf(values[0])), lanes);
    for (int first = 0; first < n; first += lanes) {
        V rows[MAX_LANES];
        int columns[MAX_LANES], some[MAX_LANES], count = MIN(lanes, n - first);
        for (int i = 0; i < lanes; i++) {
            rows[i] = i < count ? values[first + i] : LLVMGetPoison(LLVMTypeOf(values[0]));
            some[i] = i;
        }
        transpose(l, rows, lanes, group, columns);
        for (int i = 0; i < lanes; i++) {
            V column = rows[columns[i]];
            if (count < lanes) column = count > 1 ? l_shuffle(l, column, column, some, count) : l_lane(l, column, 0);
            emit_plain_store(e, buffer, column,
                             emit_address(e, buffer, aff_add(t, at, aff_const(t, step * i + first))));
        }
    }
}

bool emit_interleaves(const Emit *e, const LoopStmt *s) {
    const LoopStmt *in = s->loop.body.len == 1 ? s->loop.body.at[0] : NULL;
    if (s->kind != LS_FOR || s->loop.mode != FOR_UNROLL || s->loop.limit || !in || !e->vector) return false;
    if (in->kind != LS_STORE || in->store.at.gather || s->loop.count < 2 || s->loop.count > MOST) return false;
    int64_t of_row, of_lane;
    const Aff *rest;
    const Buffer *b = &e->unit->buffers.at[in->store.buffer];
    bool apart = !(e->reads[in->store.value] & (e->slots[in->store.buffer].overlaps | buffer_bit(in->store.buffer)));
    return apart && b->kind != BUF_REG && (b->dtype == DT_F32 || b->dtype == DT_F64) &&
           aff_split(e->graph->affs, in->store.at.aff, s->loop.var, &of_row, &rest) && of_row == 1 &&
           aff_split(e->graph->affs, rest, e->vector->stmt->loop.var, &of_lane, &rest) && of_lane >= s->loop.count;
}

bool emit_interleaved(Emit *e, const LoopStmt *s) {
    if (e->lanes == 1 || e->mask || !emit_interleaves(e, s)) return false;
    const LoopStmt *store = s->loop.body.at[0];
    if (e->slots[store->store.buffer].lanes > 1) return false;
    V values[MOST];
    int64_t step;
    e->var_inside[s->loop.var] = true;
    for (int i = (int)s->loop.count - 1; i >= 0; i--) { /* the places are counted from those of the first */
        e->vars[s->loop.var] = l_i64(&e->l, i);
        scope_open(e, false);
        values[i] = emit_wide(e, emit_ex(e, store->store.value));
        scope_close(e);
    }
    if (!aff_in_lanes(e, store->store.at.aff, &step)) bug("kernel %s: places that no lane has", e->kernel->name);
    store_columns(e, store->store.buffer, store->store.at.aff, step, values, (int)s->loop.count);
    e->vars[s->loop.var] = NULL;
    emit_stored(e, store->store.buffer);
    return true;
}
