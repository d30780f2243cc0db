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

/* The unit's tile is [panel, row, lane]; that of a block, [row, lane]. */
static const Aff *in_tile(Contract *c, const Aff *row, const Aff *lane) {
    AffTable *t = affs(c);
    if (c->block_tile) return loop_index(&c->nest, in_registers(c, aff_mod(t, row, c->mr), lane), NULL, 0);
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

typedef struct {
    int64_t rows;
    const Aff *from; /* their first in the unit */
    int acc;
    bool partial;
} Block;

/* Some sums of a block: those from `from` on, below `limit` (NULL: from the first, to the last). Where not all rows
 * have all of them: each row those within its bands, from sum `after` on. */
typedef struct {
    const Aff *from, *limit, *after;
    bool each;
    bool edge; /* there are rows - 1 of them, none outside of the block */
} Sums;

/* Goes on where the row has the sum. */
static void open_row(Contract *c, const Sums *s, const Aff *row) {
    AffTable *t = affs(c);
    const Aff *k = c->at[c->c.ks[0]];
    Cond conds[3];
    int n = 0;
    for (int i = 0; i < c->c.nbands; i++) {
        const Aff *over = loop_index(&c->nest, aff_sub(t, k, contract_bound(c, i, row)), NULL, 0);
        conds[n++] = c->c.bands[i].upper ? (Cond){over, INT64_MIN, 0} : (Cond){over, 0, INT64_MAX};
    }
    if (s->after) conds[n++] = (Cond){loop_index(&c->nest, aff_sub(t, k, s->after), NULL, 0), 0, INT64_MAX};
    nest_if(&c->nest, n, conds);
}

/* Opens the loop over the rows - 1 sums at the edge of a band from number `from` on, of which it is known at compile
 * time which rows have them. */
static int open_edge(Contract *c, const Block *b, const Aff *from) {
    AffTable *t = affs(c);
    const Aff *k = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, b->rows - 1, NULL, 0));
    c->at[c->c.ks[0]] = c->k_in_block = nest_stand(&c->nest, aff_add(t, from, k), c->c.k);
    return 1;
}

static void multiply(Contract *c, const Block *b, const Sums *s) {
    AffTable *t = affs(c);
    int loops = s->edge ? open_edge(c, b, s->from) : contract_open_sums(c);
    if (!s->edge && (s->from || s->limit))
        nest_within(&c->nest, s->from ? aff_sub(t, s->from, c->first_k) : NULL,
                    s->limit ? aff_sub(t, s->limit, c->first_k) : NULL);
    if (c->b_far && !s->each) contract_ahead(c);
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, b->rows, NULL, 0)), *row = aff_add(t, b->from, r);
    if (s->each) open_row(c, s, aff_add(t, c->first_row, row));
    const Aff *lane = open_lanes(c, b->partial && c->pack_b == B_DIRECT);
    if (!c->pack_a) contract_set_row(c, aff_add(t, c->first_row, row));
    Ex x = c->pack_a ? contract_packed_a(c, row, lane) : contract_lowered(c, c->c.a);
    Ex y = c->pack_b == B_DIRECT ? contract_lowered(c, c->c.b) : contract_packed_b(c, lane);
    nest_accum(&c->nest, RED_SUM, b->acc, in_registers(c, r, lane), ex_op(c->b->g, EX_MUL, x, y, 0));
    contract_close(c, 3 + loops + s->each);
}

/* Whether there is one bound for each row, which is among the sums. */
static bool has_edge(const Contract *c) {
    const Band *b = &c->c.bands[0];
    int64_t lo, hi;
    if (c->c.nbands > 1 || c->kc < c->c.k || c->c.nwhen || c->c.ends[0]) return false;
    if (!aff_range(b->rest, c->node->comp.extents, c->node->rank, &lo, &hi)) return false;
    return (b->sign > 0 ? lo : lo - c->c.m + 1) >= 0 && (b->sign > 0 ? hi + c->c.m - 1 : hi) <= c->c.k;
}

/* The sums of a block whose rows have bounds: those that some rows have before those of all rows, and after them. */
static void multiply_bands(Contract *c, const Block *b) {
    AffTable *t = affs(c);
    const Aff *first = aff_add(t, c->first_row, b->from), *last = aff_add(t, first, aff_const(t, b->rows - 1));
    const Aff *low[2] = {NULL, NULL}, *high[2] = {NULL, NULL}; /* the least and the greatest bounds of the rows */
    if (c->c.k % c->kc) {                                      /* the last block is shorter */
        multiply(c, b, &(Sums){.each = true});
        return;
    }
    for (int i = 0; i < c->c.nbands; i++) {
        const Aff **to = c->c.bands[i].upper ? high : low;
        to[c->c.bands[i].sign < 0] = contract_bound(c, i, first);
        to[c->c.bands[i].sign > 0] = contract_bound(c, i, last);
    }
    bool several = b->rows > 1, edge = has_edge(c);
    if (low[0] && several) multiply(c, b, &(Sums){low[0], low[1], NULL, true, edge});
    multiply(c, b, &(Sums){.from = low[1], .limit = high[0]});
    if (high[0] && several) multiply(c, b, &(Sums){high[0], high[1], low[1], true, edge});
}

/* The accumulators begin with what the blocks of sums before left in the tile. Where more follows than a copy it was
 * cleared first: if each block asked whether it is the first one, LLVM would carry values past the inner loop, which
 * needs all registers. */
static void begin_block(Contract *c, const Block *b) {
    if (!c->at_once) {
        move_tile(c, b->acc, b->rows, b->from, c->kc < c->c.k ? LOAD_TILE : CLEAR);
        return;
    }
    nest_if(&c->nest, 1, &(Cond){c->first_sum, INT64_MIN, 1});
    move_tile(c, b->acc, b->rows, b->from, CLEAR);
    nest_close(&c->nest);
    nest_if(&c->nest, 1, &(Cond){c->first_sum, 1, INT64_MAX});
    move_tile(c, b->acc, b->rows, b->from, LOAD_TILE);
    nest_close(&c->nest);
}

void contract_block(Contract *c, int64_t rows, const Aff *from, bool partial) {
    Block b = {rows, from, loop_buffer(c->b, BUF_REG, c->node->dtype, rows * c->nr, NULL), partial};
    nest_decl(&c->nest, b.acc);
    begin_block(c, &b);
    if (c->c.nbands)
        multiply_bands(c, &b);
    else
        multiply(c, &b, &(Sums){0});
    move_tile(c, b.acc, rows, from, SAVE_TILE);
}

/* ---- results that are zero ---- */

/* The least and the greatest value of coef * i, where i runs from `first` over `n` places. */
static void range_over(AffTable *t, int64_t coef, const Aff *first, int64_t n, const Aff **least, const Aff **most) {
    const Aff *from = aff_scale(t, first, coef), *to = aff_add(t, from, aff_const(t, coef * (n - 1)));
    *least = aff_add(t, *least, coef < 0 ? to : from);
    *most = aff_add(t, *most, coef < 0 ? from : to);
}

/* Adds a condition that does not hold anyway. */
static int add_cond(const Contract *c, Cond *conds, int n, Cond cond) {
    int64_t lo, hi;
    bool known = aff_range(cond.aff, c->nest.extents.at, (int)c->nest.extents.len, &lo, &hi);
    if (known && lo >= cond.lo && hi < cond.hi) return n;
    conds[n] = cond;
    return n + 1;
}

int contract_open_where(Contract *c, int64_t rows, const Aff *from) {
    AffTable *t = affs(c);
    Cond *conds = ARENA_ARRAY(c->b->arena, Cond, 2 * c->c.nwhere + 1);
    int n = 0;
    for (int i = 0; i < c->c.nwhere && c->c.nrows == 1 && c->c.step[c->c.rows[0]] == 1; i++) {
        const Cond *w = &c->c.where[i];
        int64_t x, y;
        const Aff *rest, *most;
        if (!aff_split(t, w->aff, c->c.rows[0], &x, &rest) || !aff_split(t, rest, c->c.lane, &y, &rest)) continue;
        rest = most = loop_index(&c->nest, rest, c->outer_at, c->node->rank);
        range_over(t, x, aff_add(t, c->first_row, from), rows, &rest, &most);
        range_over(t, y, c->first_lane, c->nr, &rest, &most);
        n = add_cond(c, conds, n, (Cond){loop_index(&c->nest, most, NULL, 0), w->lo, INT64_MAX});
        n = add_cond(c, conds, n, (Cond){loop_index(&c->nest, rest, NULL, 0), INT64_MIN, w->hi});
    }
    if (n) nest_if(&c->nest, n, conds);
    return n > 0;
}

/* The result at the current point of the tile: 0 where there is none. */
static Ex result(Contract *c, const Aff *tile_at) {
    Graph *g = c->b->g;
    Cond *conds = arena_copy(c->b->arena, c->c.where, sizeof(Cond) * (size_t)c->c.nwhere);
    for (int i = 0; i < c->c.nwhere; i++) conds[i].aff = loop_index(&c->nest, conds[i].aff, c->at, c->node->rank);
    Ex value = loop_fetch(c->b, c->tile, tile_at);
    return c->c.nwhere ? ex_guard(g, c->c.nwhere, conds, value, ex_zero(g, c->node->dtype)) : value;
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
            values[i] = result(c, tile_at);
            b->local[m] = (View){.buffer = c->tile, .strides = none, .base = tile_at};
            if (!c->c.nwhere) continue;
        }
        int temp = loop_buffer(b, BUF_REG, ir_node(b->g, m)->dtype, 1, ir_node(b->g, m)->name);
        nest_decl(&c->nest, temp);
        if (i) values[i] = loop_lower(&c->nest, ir_node(b->g, m)->comp.body, c->at, rank);
        nest_store(&c->nest, temp, aff_const(b->affs, 0), values[i]);
        values[i] = loop_fetch(b, temp, aff_const(b->affs, 0));
        b->local[m] = (View){.buffer = temp, .strides = none};
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

/* Row number `r` of the unit, lanes of the current panel. */
static void follow_row(Contract *c, const Aff *r) {
    AffTable *t = affs(c);
    const Aff *lane_limit = c->c.n % c->nr ? aff_sub(t, aff_const(t, c->c.n), c->first_lane) : NULL;
    const Aff *lane = nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, c->nr, lane_limit, epilogue_width(c)));
    c->at[c->c.lane] = nest_stand(&c->nest, aff_add(t, c->first_lane, lane), c->c.n);
    follow(c, in_tile(c, r, lane));
    nest_close(&c->nest);
}

/* Opens the loop over the block of rows from row `from` of the unit on; the row. */
static const Aff *open_followed(Contract *c, const Aff *from) {
    AffTable *t = affs(c);
    const Aff *left = aff_sub(t, aff_const(t, c->c.m), aff_add(t, c->first_row, from));
    const Aff *r = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, c->mr, c->c.m % c->mr ? left : NULL, 0));
    r = aff_add(t, from, r);
    contract_set_row(c, aff_add(t, c->first_row, r));
    return r;
}

typedef struct {
    const Contract *c;
    bool flat;
} Follows;

static void visit_follow(const Graph *g, Ex e, void *self) {
    Follows *f = self;
    const Contract *c = f->c;
    const Expr *x = ir_expr(g, e);
    bool *uses = ARENA_ARRAY(c->b->arena, bool, c->node->rank);
    const int *group_of = c->b->s->group_of;
    bool near = x->kind == EX_LOAD && group_of[x->load.node] == group_of[c->r];
    if (x->kind != EX_LOAD && x->kind != EX_INDEX && x->kind != EX_GUARD) return;
    if (near || (x->kind == EX_LOAD && c->b->memory[x->load.node].panel == c->nr)) return;
    ex_used_by(g, e, uses, c->node->rank);
    if (uses[c->c.lane] || uses[c->c.rows[0]]) f->flat = false;
}

bool contract_follows_flat(const Contract *c) {
    Follows f = {c, c->c.nrows == 1 && c->c.step[c->c.rows[0]] == 1 && !c->c.nwhere};
    for (int i = 0; i < c->group->nmembers && f.flat; i++) {
        Ref m = c->group->members[i];
        if (c->b->s->stored[m] && c->b->memory[m].panel != c->nr) return false;
        if (i) ex_walk(c->b->g, ir_node(c->b->g, m)->comp.body, visit_follow, &f);
    }
    return f.flat;
}

void contract_follow_flat(Contract *c, const Aff *from) {
    AffTable *t = affs(c);
    const Aff *left = aff_scale(t, aff_sub(t, aff_const(t, c->c.m), aff_add(t, c->first_row, from)), c->nr);
    int v = nest_for(&c->nest, FOR_VECTOR, c->mr * c->nr, c->c.m % c->mr ? left : NULL, epilogue_width(c));
    const Aff *row = aff_add(t, from, aff_div(t, nest_var(&c->nest, v), c->nr));
    const Aff *lane = aff_mod(t, nest_var(&c->nest, v), c->nr);
    contract_set_row(c, aff_add(t, c->first_row, row));
    c->at[c->c.lane] = nest_stand(&c->nest, aff_add(t, c->first_lane, lane), c->c.n);
    follow(c, in_tile(c, row, lane));
    nest_close(&c->nest);
}

void contract_follow_all(Contract *c) {
    const Aff *from;
    if (c->flat) {
        contract_open_panels(c);
        contract_open_blocks(c, &from);
        contract_follow_flat(c, from);
        contract_close(c, 2);
        return;
    }
    contract_open_blocks(c, &from);
    const Aff *r = open_followed(c, from);
    contract_open_panels(c);
    follow_row(c, r);
    contract_close(c, 3);
}

void contract_follow(Contract *c, const Aff *from) {
    nest_if(&c->nest, 1, &(Cond){c->first_sum, c->c.k - c->kc, INT64_MAX});
    follow_row(c, open_followed(c, from));
    contract_close(c, 2);
}
