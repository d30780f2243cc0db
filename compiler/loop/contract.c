/* Contractions: sums of products, by register tiles.
 *
 *   pack all rows of a, all panels of b, where many units read them: kernels of their own
 *   for each unit: outer indices, np panels of nr lanes, mc rows
 *     stack tile[np, mc, nr]
 *     for each block of kc sums
 *       pack the rows: a[row, k] -> [mc / mr, kc, mr]          where a is more than a load, far apart, or in one bank
 *       pack the panels: b[k, lane] -> [np, kc, nr]            where b isn't read in order anyway
 *       for each panel
 *         for each block of mr rows
 *           reg acc[mr, nr] = 0 or tile; for k: acc[r, lane] += a[r, k] * b[k, lane]; tile = acc
 *           what follows, if that is a copy of what the last of several blocks of sums left
 *     for each row of the tile: what follows, element by element    bias, activation, gradient masks, optimizer
 *
 * How the sums are cut depends on the shapes and the machine alone, so results don't depend on threads.
 */
#include "compiler/loop/contract.h"

static AffTable *affs(const Contract *c) { return c->b->affs; }

/* ---- cases that differ at compile time ---- */

void contract_each_case(Contract *c, const Aff *i, int64_t whole, bool rest, ContractCase *emit, void *self) {
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
    const Aff *from; /* its first row in the unit */
    int64_t rows;
} Block;

static void one_block(Contract *c, bool full, void *self) {
    const Block *b = self;
    int ifs = contract_open_where(c, b->rows, b->from);
    contract_block(c, b->rows, b->from, !full);
    contract_close(c, ifs);
}

static void block_of_rows(Contract *c, bool full, void *self) {
    Block *b = self;
    b->rows = full ? c->mr : c->c.m % c->mr;
    if (c->pack_b != B_DIRECT || c->b_in_panels)
        one_block(c, true, b);
    else
        contract_each_case(c, c->panel, c->c.n / c->nr, c->c.n % c->nr != 0, one_block, b);
}

/* ---- the loops of a unit ---- */

const Aff *contract_open_blocks(Contract *c, const Aff **from) {
    AffTable *t = affs(c);
    const Aff *i = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, c->mc / c->mr, c->unit_blocks, 0));
    *from = aff_scale(t, i, c->mr);
    return nest_stand(&c->nest, aff_add(t, c->first_block, i), contract_blocks(c));
}

/* The blocks of rows of the unit, for the current panel. */
static void emit_rows(Contract *c) {
    Block b;
    const Aff *block = contract_open_blocks(c, &b.from);
    contract_each_case(c, block, c->c.m / c->mr, c->c.m % c->mr != 0, block_of_rows, &b);
    if (c->at_once) contract_follow(c, b.from);
    if (c->block_tile) contract_follow_flat(c, b.from);
    nest_close(&c->nest);
}

/* The panels of the unit, for the current block of sums. */
static void emit_panels(Contract *c) {
    if (c->pack_a == A_BLOCK) contract_pack_a(c);
    if (c->pack_b == B_BLOCK) contract_pack_b(c);
    contract_open_panels(c);
    emit_rows(c);
    nest_close(&c->nest);
}

static void clear_tile(Contract *c) {
    const Aff *i = nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, c->np * c->mc * c->nr, NULL, c->width));
    nest_store(&c->nest, c->tile, i, ex_zero(c->b->g, c->node->dtype));
    nest_close(&c->nest);
}

/* Opens the loops over the blocks of sums; how many. */
static int open_cuts(Contract *c) {
    AffTable *t = affs(c);
    int64_t inner = c->kc / c->k_cut;
    int loops = 0;
    c->first_sum = c->first_k = aff_const(t, 0);
    if (c->kc == c->c.k) return 0;
    for (int i = 0; i <= c->level; i++) {
        int64_t extent = c->node->comp.extents[c->c.ks[i]], step = i == c->level ? c->k_cut : 1;
        int64_t count = (extent + step - 1) / step;
        const Aff *at = aff_const(t, 0);
        if (count > 1) {
            at = aff_scale(t, nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, count, NULL, 0)), step);
            loops++;
        }
        c->at[c->c.ks[i]] = c->first_k = at;
        c->first_sum = aff_add(t, aff_scale(t, c->first_sum, extent), at);
    }
    c->first_sum = aff_scale(t, c->first_sum, inner);
    return loops;
}

static void emit_unit(Contract *c) {
    if (c->kc < c->c.k && !c->at_once) clear_tile(c);
    int cuts = open_cuts(c);
    emit_panels(c);
    contract_close(c, cuts);
    if (!c->at_once && !c->block_tile) contract_follow_all(c);
}

/* ---- the kernel ---- */

/* The first of part number `i` of `whole`, which is cut into `parts`; how many it has, or NULL if all have as many. */
static const Aff *part(AffTable *t, const Aff *i, int64_t whole, int64_t parts, const Aff **count) {
    const Aff *first = aff_div(t, aff_scale(t, i, whole), parts), *next = aff_add(t, i, aff_const(t, 1));
    *count = whole % parts ? aff_sub(t, aff_div(t, aff_scale(t, next, whole), parts), first) : NULL;
    return first;
}

/* Opens the loop over units: outer indices, panels, rows. */
static void open_units(Contract *c, const char *name) {
    AffTable *t = affs(c);
    int n = c->c.nouter;
    int64_t *dims = ARENA_ARRAY(c->b->arena, int64_t, n + 2), units = 1;
    const Aff **index = ARENA_ARRAY(c->b->arena, const Aff *, n + 2);
    for (int i = 0; i < n; i++) dims[i] = contract_outer(c, i);
    dims[n] = c->panel_units;
    dims[n + 1] = c->row_units;
    for (int i = 0; i < n + 2; i++) units *= dims[i];
    c->nest = nest_begin(c->b, name, c->node->at, loop_tiles(units, contract_nanoseconds(c)));
    nest_unflatten(&c->nest, nest_units(&c->nest, units), dims, n + 2, index);
    for (int i = 0; i < n; i++) c->at[c->c.outer[i]] = c->outer_at[c->c.outer[i]] = index[i];
    c->first_panel = part(t, index[n], contract_panels(c), c->panel_units, &c->unit_panels);
    c->first_block = part(t, index[n + 1], contract_blocks(c), c->row_units, &c->unit_blocks);
    c->first_row = aff_scale(t, c->first_block, c->mr);
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

void contract_begin(Contract *c, Builder *b, const Group *group) {
    *c = (Contract){.b = b, .group = group, .r = group->members[0]};
    if (!contraction_of(b->g, c->r, b->home, &c->c)) bug("node %u is no contraction", c->r);
    contraction_phases(b->g, c->r, &c->c);
    c->node = ir_node(b->g, c->r);
}

void loop_contract(Builder *b, const Group *group) {
    Contract c;
    contract_begin(&c, b, group);
    c.at = ARENA_ARRAY(b->arena, const Aff *, c.node->rank + c.node->comp.nred);
    c.outer_at = ARENA_ARRAY(b->arena, const Aff *, c.node->rank + 1);
    contract_sizes(&c);
    if (c.pack_a == A_PANELS) contract_pack_all_a(&c);
    if (c.pack_b == B_PANELS) contract_pack_all_b(&c);
    open_units(&c, name_of(&c));
    c.tile = local(&c, c.block_tile ? c.mr * c.nr : c.np * c.mc * c.nr);
    if (c.pack_b == B_BLOCK) c.b_pack = local(&c, c.np * c.kc * c.nr);
    if (c.pack_a == A_BLOCK) c.a_pack = local(&c, c.mc * c.kc * c.copies);
    emit_unit(&c);
    while (c.nest.heads.len) nest_close(&c.nest);
    Kernel *k = c.nest.k;
    k->flops = (int64_t)(c.c.share * (double)loop_flops(b->g, c.r));
    for (int i = 1; i < group->nmembers; i++) k->flops += loop_flops(b->g, group->members[i]);
    nest_end(&c.nest);
}
