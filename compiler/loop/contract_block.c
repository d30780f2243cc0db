/* The inner loops of a contraction: packing, the register tile, the epilogue. */
#include "compiler/loop/contract.h"

static AffTable *affs(const Contract *c) { return c->b->affs; }

/* ---- indices ---- */

static void set_row(Contract *c, const Aff *row) {
    int64_t *dims = ARENA_ARRAY(c->b->arena, int64_t, c->c.nrows + 1);
    const Aff **index = ARENA_ARRAY(c->b->arena, const Aff *, c->c.nrows + 1);
    for (int i = 0; i < c->c.nrows; i++) dims[i] = c->node->comp.extents[c->c.rows[i]];
    nest_unflatten(&c->nest, nest_stand(&c->nest, row, c->c.m), dims, c->c.nrows, index);
    for (int i = 0; i < c->c.nrows; i++) c->at[c->c.rows[i]] = index[i];
}

/* Loops over the sums of a block; `vector`: the innermost one by lanes. */
static void open_sums(Contract *c, const Aff *first_k, bool vector) {
    AffTable *t = affs(c);
    c->k_in_block = aff_const(t, 0);
    for (int i = 0; i < c->c.nks; i++) {
        int64_t extent = c->node->comp.extents[c->c.ks[i]], count = i ? extent : c->k_cut;
        const Aff *limit = extent % count ? aff_sub(t, aff_const(t, extent), first_k) : NULL;
        bool lanes = vector && i == c->c.nks - 1;
        const Aff *k =
            nest_var(&c->nest, nest_for(&c->nest, lanes ? FOR_VECTOR : FOR_SERIAL, count, limit, lanes ? c->width : 0));
        c->k_in_block = aff_add(t, aff_scale(t, c->k_in_block, count), k);
        c->at[c->c.ks[i]] = i ? k : nest_stand(&c->nest, aff_add(t, first_k, k), extent);
    }
}

static void close_loops(Contract *c, int n) {
    while (n--) nest_close(&c->nest);
}

/* Loops over the vectors of a panel; the lane within it. */
static const Aff *open_lanes(Contract *c, bool limited) {
    AffTable *t = affs(c);
    const Aff *inside = aff_const(t, 0), *limit = NULL;
    int u = nest_for(&c->nest, FOR_UNROLL, c->vectors, NULL, 0);
    inside = aff_scale(t, nest_var(&c->nest, u), c->width);
    if (limited) limit = aff_sub(t, aff_const(t, c->c.n), aff_add(t, c->first_lane, inside));
    int v = nest_for(&c->nest, FOR_VECTOR, c->width, limit, c->width);
    inside = aff_add(t, inside, nest_var(&c->nest, v));
    c->at[c->c.lane] = nest_stand(&c->nest, aff_add(t, c->first_lane, inside), c->c.n);
    return inside;
}

static const Aff *in_panel(const Contract *c, const Aff *row, const Aff *lane) {
    return aff_add(affs(c), aff_scale(affs(c), row, c->nr), lane);
}

static Ex lowered(Contract *c, Ex e) { return loop_lower(&c->nest, e, c->at, c->node->rank + c->node->comp.nred); }

/* ---- packing ---- */

void contract_pack_b(Contract *c, const Aff *first_k) {
    bool partial = c->c.n % c->nr != 0;
    open_sums(c, first_k, false);
    AffTable *t = affs(c);
    int v = nest_for(&c->nest, FOR_VECTOR, c->nr, NULL, c->width);
    const Aff *inside = nest_var(&c->nest, v), *lane = aff_add(t, c->first_lane, inside);
    Ex value;
    if (partial) { /* zeros beyond the last lane */
        Cond c0 = {loop_index(&c->nest, lane, NULL, 0), INT64_MIN, c->c.n};
        c->at[c->c.lane] = nest_stand(&c->nest, lane, c->c.n);
        value = ex_guard(c->b->g, 1, &c0, lowered(c, c->c.b), ex_zero(c->b->g, c->node->dtype));
    } else {
        c->at[c->c.lane] = lane;
        value = lowered(c, c->c.b);
    }
    nest_store(&c->nest, c->b_pack, loop_index(&c->nest, in_panel(c, c->k_in_block, inside), NULL, 0), value);
    close_loops(c, c->c.nks + 1);
}

static bool sums_in_lanes(Contract *c) { return c->node->comp.extents[c->c.ks[c->c.nks - 1]] >= 4; }

void contract_pack_a(Contract *c, int64_t rows, const Aff *from, const Aff *first_k) {
    AffTable *t = affs(c);
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, rows, NULL, 0));
    set_row(c, aff_add(t, from, r));
    open_sums(c, first_k, sums_in_lanes(c));
    const Aff *to = aff_add(t, aff_scale(t, r, c->kc), c->k_in_block);
    nest_store(&c->nest, c->a_pack, loop_index(&c->nest, to, NULL, 0), lowered(c, c->c.a));
    close_loops(c, c->c.nks + 1);
}

/* ---- the register tile ---- */

typedef enum { LOAD_TILE, CLEAR, SAVE_TILE } Move;

/* Between the accumulators and the tile in memory. */
static void move_tile(Contract *c, int acc, int64_t rows, const Aff *to, Move how) {
    AffTable *t = affs(c);
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, rows, NULL, 0));
    const Aff *lane = open_lanes(c, false);
    const Aff *reg = in_panel(c, r, lane), *tile = loop_index(&c->nest, in_panel(c, aff_add(t, to, r), lane), NULL, 0);
    if (how == SAVE_TILE)
        nest_store(&c->nest, c->tile, tile, loop_fetch(c->b, acc, reg));
    else
        nest_store(&c->nest, acc, reg,
                   how == CLEAR ? ex_zero(c->b->g, c->node->dtype) : loop_fetch(c->b, c->tile, tile));
    close_loops(c, 3);
}

void contract_block(Contract *c, int64_t rows, const Aff *from, const Aff *to, const Aff *first_k, bool partial) {
    AffTable *t = affs(c);
    int acc = loop_buffer(c->b, BUF_REG, c->node->dtype, rows * c->nr, NULL);
    nest_decl(&c->nest, acc);
    move_tile(c, acc, rows, to, c->kc < c->c.k ? LOAD_TILE : CLEAR);
    open_sums(c, first_k, false);
    const Aff *k = c->k_in_block;
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, rows, NULL, 0));
    const Aff *lane = open_lanes(c, partial && !c->pack_b);
    set_row(c, aff_add(t, from, r));
    Ex a = c->pack_a ? loop_fetch(c->b, c->a_pack, loop_index(&c->nest, aff_add(t, aff_scale(t, r, c->kc), k), NULL, 0))
                     : lowered(c, c->c.a);
    Ex b = c->pack_b ? loop_fetch(c->b, c->b_pack, loop_index(&c->nest, in_panel(c, k, lane), NULL, 0))
                     : lowered(c, c->c.b);
    nest_accum(&c->nest, RED_SUM, acc, in_panel(c, r, lane), ex_op(c->b->g, EX_MUL, a, b, 0));
    close_loops(c, 3 + c->c.nks);
    move_tile(c, acc, rows, to, SAVE_TILE);
}

/* ---- the epilogue ---- */

/* Every value is computed before any is written: an update in place overwrites what others at this point read. */
static void follow(Contract *c, const Aff *tile_at) {
    Builder *b = c->b;
    const Group *g = c->group;
    Ex *values = ARENA_ARRAY(b->arena, Ex, g->nmembers);
    for (int i = 0; i < g->nmembers; i++) {
        Ref m = g->members[i];
        int rank = ir_node(b->g, m)->rank;
        const int64_t *none = ARENA_ARRAY(b->arena, int64_t, rank + 1);
        if (i == 0) {
            values[i] = loop_fetch(b, c->tile, tile_at);
            b->local[m] = (View){c->tile, none, tile_at};
            continue;
        }
        int temp = loop_buffer(b, BUF_REG, ir_node(b->g, m)->dtype, 1, ir_node(b->g, m)->name);
        nest_decl(&c->nest, temp);
        nest_store(&c->nest, temp, aff_const(b->affs, 0),
                   loop_lower(&c->nest, ir_node(b->g, m)->comp.body, c->at, rank));
        values[i] = loop_fetch(b, temp, aff_const(b->affs, 0));
        b->local[m] = (View){temp, none, NULL};
    }
    for (int i = 0; i < g->nmembers; i++) {
        Ref m = g->members[i];
        b->local[m].buffer = -1;
        if (!b->s->stored[m]) continue;
        View to = loop_memory(b, m);
        nest_store(&c->nest, to.buffer, loop_offset(&c->nest, to, c->at, ir_node(b->g, m)->rank), values[i]);
    }
}

void contract_epilogue(Contract *c, const Aff *from, int64_t count) {
    AffTable *t = affs(c);
    const Aff *row_limit = c->c.m % count ? aff_sub(t, aff_const(t, c->c.m), from) : NULL;
    const Aff *lane_limit = c->c.n % c->nr ? aff_sub(t, aff_const(t, c->c.n), c->first_lane) : NULL;
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, count, row_limit, 0));
    const Aff *lane = nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, c->nr, lane_limit, c->width));
    set_row(c, aff_add(t, from, r));
    c->at[c->c.lane] = nest_stand(&c->nest, aff_add(t, c->first_lane, lane), c->c.n);
    follow(c, loop_index(&c->nest, in_panel(c, r, lane), NULL, 0));
    close_loops(c, 2);
}
