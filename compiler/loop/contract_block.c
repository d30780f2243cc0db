/* The inner loops of a contraction: the register tile, and what follows on the tile. */
#include "compiler/loop/contract.h"

static AffTable *affs(const Contract *c) { return c->b->affs; }

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

static const Aff *in_registers(const Contract *c, const Aff *row, const Aff *lane) {
    return aff_add(affs(c), aff_scale(affs(c), row, c->nr), lane);
}

/* The unit's tile is [panel, row, lane]. */
static const Aff *in_tile(Contract *c, const Aff *row, const Aff *lane) {
    AffTable *t = affs(c);
    const Aff *panel = aff_scale(t, c->panel_inside, c->mc * c->nr);
    return loop_index(&c->nest, aff_add(t, panel, in_registers(c, row, lane)), NULL, 0);
}

/* ---- the register tile ---- */

typedef enum { LOAD_TILE, CLEAR, SAVE_TILE } Move;

/* Between the accumulators and the tile in memory. */
static void move_tile(Contract *c, int acc, int64_t rows, const Aff *to, Move how) {
    AffTable *t = affs(c);
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, rows, NULL, 0));
    const Aff *lane = open_lanes(c, false);
    const Aff *reg = in_registers(c, r, lane), *tile = in_tile(c, aff_add(t, to, r), lane);
    if (how == SAVE_TILE)
        nest_store(&c->nest, c->tile, tile, loop_fetch(c->b, acc, reg));
    else
        nest_store(&c->nest, acc, reg,
                   how == CLEAR ? ex_zero(c->b->g, c->node->dtype) : loop_fetch(c->b, c->tile, tile));
    contract_close(c, 3);
}

void contract_block(Contract *c, int64_t rows, const Aff *from, bool partial) {
    AffTable *t = affs(c);
    int acc = loop_buffer(c->b, BUF_REG, c->node->dtype, rows * c->nr, NULL);
    nest_decl(&c->nest, acc);
    contract_prefetch(c, rows, from);
    move_tile(c, acc, rows, from, c->kc < c->c.k ? LOAD_TILE : CLEAR);
    int loops = contract_open_sums(c);
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, rows, NULL, 0));
    const Aff *lane = open_lanes(c, partial && c->pack_b == B_DIRECT), *row = aff_add(t, from, r);
    if (!c->pack_a) contract_set_row(c, aff_add(t, c->first_row, row));
    Ex a = c->pack_a ? contract_packed_a(c, row) : contract_lowered(c, c->c.a);
    Ex b = c->pack_b == B_DIRECT ? contract_lowered(c, c->c.b) : contract_packed_b(c, lane);
    nest_accum(&c->nest, RED_SUM, acc, in_registers(c, r, lane), ex_op(c->b->g, EX_MUL, a, b, 0));
    contract_close(c, 3 + loops);
    move_tile(c, acc, rows, from, SAVE_TILE);
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

static int epilogue_width(const Contract *c) {
    int abreast = 1;
    for (int i = 1; i < c->group->nmembers; i++)
        abreast = MAX(abreast, loop_abreast(c->b->g, ir_node(c->b->g, c->group->members[i])->comp.body));
    return c->vectors > 1 ? abreast * c->width : c->width;
}

void contract_epilogue(Contract *c, const Aff *first_panel) {
    AffTable *t = affs(c);
    const Aff *row_limit = c->c.m % c->mc ? aff_sub(t, aff_const(t, c->c.m), c->first_row) : NULL;
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, c->mc, row_limit, 0));
    contract_set_row(c, aff_add(t, c->first_row, r));
    contract_open_panels(c, first_panel);
    const Aff *lane_limit = c->c.n % c->nr ? aff_sub(t, aff_const(t, c->c.n), c->first_lane) : NULL;
    const Aff *lane = nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, c->nr, lane_limit, epilogue_width(c)));
    c->at[c->c.lane] = nest_stand(&c->nest, aff_add(t, c->first_lane, lane), c->c.n);
    follow(c, in_tile(c, r, lane));
    contract_close(c, 3);
}
