/* Contractions: sums of products, by register tiles.
 *
 *   for each unit: outer indices, a panel of nr lanes, mc rows
 *     stack tile[mc, nr]
 *     for each block of kc sums
 *       pack the panel: b[k, lane] -> [kc, nr]                        where it isn't read in order anyway
 *       for each block of mr rows
 *         pack the rows: a[row, k] -> [mr, kc]                        where a is more than a load (padding,
 * conversions) reg acc[mr, nr] = tile; for k: acc[r, lane] += a[r, k] * b[k, lane]; tile = acc for each row of the
 * tile: what follows, element by element      bias, activation, gradient masks, optimizer
 *
 * Where rows are packed and there are several panels, the rows come first and all panels are gone through for each
 * block of them. How the sums are cut depends on the shapes and the machine alone, so results don't depend on threads.
 */
#include "compiler/loop/contract.h"

static AffTable *affs(const Contract *c) { return c->b->affs; }

static const Aff *zero(const Contract *c) { return aff_const(affs(c), 0); }

/* ---- cases that differ at compile time ---- */

/* Runs `emit` for number `i` of the `whole` full ones with full set, and for the partial one after them, if there is
 * one. */
static void each_case(Contract *c, const Aff *i, int64_t whole, bool rest,
                      void (*emit)(Contract *c, bool full, void *self), void *self) {
    if (!rest || !whole) {
        emit(c, whole > 0, self);
        return;
    }
    const Aff *at = loop_index(&c->nest, i, NULL, 0);
    nest_if(&c->nest, 1, &(Cond){at, INT64_MIN, whole});
    emit(c, true, self);
    nest_close(&c->nest);
    nest_if(&c->nest, 1, &(Cond){at, whole, whole + 1});
    emit(c, false, self);
    nest_close(&c->nest);
}

typedef struct {
    const Aff *block; /* number of the block of rows */
    const Aff *to;    /* its first row in the tile */
    const Aff *first_k;
    int64_t rows;
} Block;

static const Aff *first_of(const Contract *c, const Block *b) { return aff_scale(affs(c), b->block, c->mr); }

static void one_block(Contract *c, bool full, void *self) {
    const Block *b = self;
    contract_block(c, b->rows, first_of(c, b), b->to, b->first_k, !full);
}

static void panel_cases(Contract *c, Block *b) {
    if (c->pack_b)
        one_block(c, true, b);
    else
        each_case(c, c->panel, c->c.n / c->nr, c->c.n % c->nr != 0, one_block, b);
}

/* ---- panels first ---- */

static void rows_of_panel(Contract *c, bool full, void *self) {
    Block *b = self;
    b->rows = full ? c->mr : c->c.m % c->mr;
    if (c->pack_a) contract_pack_a(c, b->rows, first_of(c, b), b->first_k);
    panel_cases(c, b);
}

/* The loop over the blocks of rows of the unit; the number of the block. */
static const Aff *open_blocks(Contract *c, const Aff *first_block, Block *b) {
    AffTable *t = affs(c);
    int64_t blocks = (c->c.m + c->mr - 1) / c->mr, each = c->mc / c->mr;
    const Aff *limit = blocks % each ? aff_sub(t, aff_const(t, blocks), first_block) : NULL;
    const Aff *i = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, each, limit, 0));
    b->to = aff_scale(t, i, c->mr);
    b->block = nest_stand(&c->nest, aff_add(t, first_block, i), blocks);
    return b->block;
}

static void clear_tile(Contract *c) {
    const Aff *i = nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, c->mc * c->nr, NULL, c->width));
    nest_store(&c->nest, c->tile, i, ex_zero(c->b->g, c->node->dtype));
    nest_close(&c->nest);
}

static void emit_panel(Contract *c, const Aff *first_block) {
    AffTable *t = affs(c);
    Block b = {.first_k = zero(c)};
    int64_t first = c->node->comp.extents[c->c.ks[0]], cuts = (first + c->k_cut - 1) / c->k_cut;
    if (cuts > 1) {
        clear_tile(c);
        const Aff *i = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, cuts, NULL, 0));
        b.first_k = aff_scale(t, i, c->k_cut);
    }
    if (c->pack_b) contract_pack_b(c, b.first_k);
    open_blocks(c, first_block, &b);
    each_case(c, b.block, c->c.m / c->mr, c->c.m % c->mr != 0, rows_of_panel, &b);
    nest_close(&c->nest);
    if (cuts > 1) nest_close(&c->nest);
    contract_epilogue(c, aff_scale(t, first_block, c->mr), c->mc);
}

/* ---- rows first ---- */

static void set_panel(Contract *c, const Aff *panel) {
    c->panel = panel;
    c->first_lane = aff_scale(affs(c), panel, c->nr);
}

static void panels_of_rows(Contract *c, bool full, void *self) {
    Block *b = self;
    b->rows = full ? c->mr : c->c.m % c->mr;
    contract_pack_a(c, b->rows, first_of(c, b), b->first_k);
    int v = nest_for(&c->nest, FOR_SERIAL, (c->c.n + c->nr - 1) / c->nr, NULL, 0);
    set_panel(c, nest_var(&c->nest, v));
    panel_cases(c, b);
    contract_epilogue(c, first_of(c, b), b->rows);
    nest_close(&c->nest);
}

static void emit_rows(Contract *c, const Aff *first_block) {
    Block b = {.first_k = zero(c)};
    open_blocks(c, first_block, &b);
    b.to = zero(c);
    each_case(c, b.block, c->c.m / c->mr, c->c.m % c->mr != 0, panels_of_rows, &b);
    nest_close(&c->nest);
}

/* ---- the kernel ---- */

static const Aff *open_units(Contract *c, const char *name) {
    int n = c->c.nouter;
    int64_t *dims = ARENA_ARRAY(c->b->arena, int64_t, n + 2), units = 1;
    const Aff **index = ARENA_ARRAY(c->b->arena, const Aff *, n + 2);
    for (int i = 0; i < n; i++) dims[i] = c->node->comp.extents[c->c.outer[i]];
    dims[n] = c->rows_first ? 1 : (c->c.n + c->nr - 1) / c->nr;
    dims[n + 1] = (c->c.m + c->mc - 1) / c->mc;
    for (int i = 0; i < n + 2; i++) units *= dims[i];
    c->nest = nest_begin(c->b, name, c->node->at, loop_tiles(units, contract_nanoseconds(c)));
    nest_unflatten(&c->nest, nest_units(&c->nest, units), dims, n + 2, index);
    for (int i = 0; i < n; i++) c->at[c->c.outer[i]] = index[i];
    set_panel(c, index[n]);
    return aff_scale(affs(c), index[n + 1], c->mc / c->mr);
}

static int local(Contract *c, int64_t elems) {
    int i = loop_buffer(c->b, BUF_STACK, c->node->dtype, elems, NULL);
    nest_decl(&c->nest, i);
    return i;
}

static const char *name_of(const Contract *c) {
    for (int i = c->group->nmembers - 1; i >= 0; i--) {
        const Node *n = ir_node(c->b->g, c->group->members[i]);
        if (n->name) return n->name;
    }
    return "contract";
}

void loop_contract(Builder *b, const Group *group) {
    Contract c = {.b = b, .group = group, .r = group->members[0]};
    c.node = ir_node(b->g, c.r);
    if (!contraction_of(b->g, c.r, &c.c)) bug("node %u is no contraction", c.r);
    c.at = ARENA_ARRAY(b->arena, const Aff *, c.node->rank + c.node->comp.nred);
    contract_sizes(&c);
    const Aff *first_block = open_units(&c, name_of(&c));
    c.tile = local(&c, (c.rows_first ? c.mr : c.mc) * c.nr);
    if (c.pack_b) c.b_pack = local(&c, c.kc * c.nr);
    if (c.pack_a) c.a_pack = local(&c, c.mr * c.kc);
    if (c.rows_first)
        emit_rows(&c, first_block);
    else
        emit_panel(&c, first_block);
    while (c.nest.heads.len) nest_close(&c.nest);
    Kernel *k = c.nest.k;
    for (int i = 0; i < group->nmembers; i++) k->flops += loop_flops(b->g, group->members[i]);
    nest_end(&c.nest);
}
