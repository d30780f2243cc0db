/* Packing the operands of a contraction: what the inner loop reads is consecutive. */
#include "compiler/loop/contract.h"

enum { AHEAD = 1024 }; /* bytes: the processor itself looks ahead within a page, and only once a page is begun */

static AffTable *affs(const Contract *c) { return c->b->affs; }

static int64_t extent_of_sum(const Contract *c, int i) { return c->node->comp.extents[c->c.ks[i]]; }

/* ---- indices ---- */

void contract_set_row(Contract *c, const Aff *row) {
    int64_t *dims = ARENA_ARRAY(c->b->arena, int64_t, c->c.nrows + 1);
    const Aff **index = ARENA_ARRAY(c->b->arena, const Aff *, c->c.nrows + 1);
    for (int i = 0; i < c->c.nrows; i++) dims[i] = c->node->comp.extents[c->c.rows[i]] / c->c.step[c->c.rows[i]];
    nest_unflatten(&c->nest, nest_stand(&c->nest, row, c->c.m), dims, c->c.nrows, index);
    for (int i = 0; i < c->c.nrows; i++) {
        int v = c->c.rows[i];
        c->at[v] = index[i];
        if (c->c.step[v] > 1) c->at[v] = aff_add(affs(c), aff_scale(affs(c), index[i], c->c.step[v]), c->outer_at[v]);
    }
}

Ex contract_lowered(Contract *c, Ex e) { return loop_lower(&c->nest, e, c->at, c->node->rank + c->node->comp.nred); }

void contract_close(Contract *c, int loops) {
    while (loops--) nest_close(&c->nest);
}

/* Whether neighbours along sums i and i + 1 follow each other in operand `e`, as the places of one longer index. */
static bool consecutive(const Contract *c, Ex e, int i) {
    const Expr *x = ir_expr(c->b->g, e);
    AffTable *t = affs(c);
    const Aff *rest;
    int64_t slow, fast;
    bool sums = (e == c->c.a && c->a_sums) || (e == c->c.b && c->b_sums);
    if (!is_plain_load(c->b->g, e) || (sums && i + 2 == c->c.nks)) return false;
    const Aff *at = load_offset(c->b->g, x, c->node->comp.extents, c->node->rank + c->node->comp.nred);
    return aff_split(t, at, c->c.ks[i], &slow, &rest) && aff_split(t, at, c->c.ks[i + 1], &fast, &rest) &&
           slow == fast * extent_of_sum(c, i + 1);
}

/* How many sums from number i on one loop can count through: `a`, `b` say which operands are read where they are. */
static int together(const Contract *c, int i, bool a, bool b) {
    int n = 1;
    while (i + n < c->c.nks && (c->whole || !c->c.ends[i + n]) && (!a || consecutive(c, c->c.a, i + n - 1)) &&
           (!b || consecutive(c, c->c.b, i + n - 1)))
        n++;
    return n;
}

/* Where the index of sum i ends, if not at its extent: the first for which coef * index + rest reaches the condition's
 * end. */
static const Aff *end_of_sum(Contract *c, int i) {
    AffTable *t = affs(c);
    const Cond *end = c->whole ? NULL : c->c.ends[i];
    const Aff *rest;
    int64_t coef;
    if (!end) return NULL;
    if (!aff_split(t, end->aff, c->c.ks[i], &coef, &rest)) bug("the end of a sum is no multiple of its index");
    rest = loop_index(&c->nest, rest, c->at, c->node->rank);
    return aff_div(t, aff_sub(t, aff_const(t, end->hi + coef - 1), rest), coef);
}

/* Two loops over `count` sums, below `limit`: panels, and lanes of one; the number of the sum. */
static const Aff *open_panel_of_sums(Contract *c, int64_t count, const Aff *limit, int64_t panel, bool lanes) {
    AffTable *t = affs(c);
    const Aff *end = limit ? limit : aff_const(t, count);
    const Aff *all = limit ? aff_div(t, aff_add(t, limit, aff_const(t, panel - 1)), panel) : NULL;
    int p = nest_for(&c->nest, FOR_SERIAL, (count + panel - 1) / panel, all, 0);
    const Aff *first = aff_scale(t, nest_var(&c->nest, p), panel), *rest = aff_sub(t, end, first);
    int v = nest_for(&c->nest, lanes ? FOR_VECTOR : FOR_SERIAL, panel, limit || count % panel ? rest : NULL,
                     lanes ? c->width : 0);
    return aff_add(t, first, nest_var(&c->nest, v));
}

/* One loop over sums i .. i + n - 1 of the block, or two where they are in panels; how many. */
static int open_sum(Contract *c, int i, int n, int64_t panel, bool lanes) {
    AffTable *t = affs(c);
    int64_t extent = extent_of_sum(c, i), inner = 1, count = i == c->level ? c->k_cut : extent;
    for (int d = i + 1; d < i + n; d++) inner *= extent_of_sum(c, d);
    const Aff *end = end_of_sum(c, i), *limit = NULL;
    if (i == c->level && (end || extent % count))
        limit = aff_scale(t, aff_sub(t, end ? end : aff_const(t, extent), c->first_k), inner);
    else if (end)
        limit = aff_scale(t, end, inner);
    const Aff *k, *rest;
    if (panel)
        k = open_panel_of_sums(c, count, limit, panel, lanes);
    else
        k = nest_var(&c->nest,
                     nest_for(&c->nest, lanes ? FOR_VECTOR : FOR_SERIAL, count * inner, limit, lanes ? c->width : 0));
    rest = k;
    c->k_in_block = aff_add(t, aff_scale(t, c->k_in_block, count * inner), k);
    for (int d = i + n - 1; d > i; d--) {
        c->at[c->c.ks[d]] = aff_mod(t, rest, extent_of_sum(c, d));
        rest = aff_div(t, rest, extent_of_sum(c, d));
    }
    c->at[c->c.ks[i]] = i == c->level ? nest_stand(&c->nest, aff_add(t, c->first_k, rest), extent) : rest;
    return panel ? 2 : 1;
}

const Aff *contract_bound(Contract *c, int i, const Aff *row) {
    const Band *b = &c->c.bands[i];
    const Aff *rest = loop_index(&c->nest, b->rest, c->outer_at, c->node->rank);
    return aff_add(affs(c), aff_scale(affs(c), row, b->sign), rest);
}

/* Goes on only where there are sums at all, and where those in front of the block have not ended; how many ifs. */
static int open_when(Contract *c) {
    Cond *conds = ARENA_ARRAY(c->b->arena, Cond, c->c.nwhen + c->level + 1);
    int n = 0;
    for (int i = 0; i < c->c.nwhen; i++) conds[n++] = c->c.when[i];
    for (int i = 0; i < c->level; i++)
        if (c->c.ends[i]) conds[n++] = *c->c.ends[i];
    for (int i = 0; i < n; i++)
        conds[i].aff = loop_index(&c->nest, conds[i].aff, c->at, c->node->rank + c->node->comp.nred);
    if (n) nest_if(&c->nest, n, conds);
    return n > 0;
}

/* Loops over the sums of the block, as few as the operands that are read where they are allow. */
static int open_sums(Contract *c, bool a, bool b, bool vector) {
    int64_t panel = MAX(a ? c->a_sums : 0, b ? c->b_sums : 0);
    int loops = 0;
    c->k_in_block = aff_const(affs(c), 0);
    if (!c->whole) loops += open_when(c);
    for (int i = c->level, n; i < c->c.nks; i += n) {
        n = together(c, i, a, b);
        bool last = i + n == c->c.nks;
        loops += open_sum(c, i, n, last ? panel : 0, vector && last);
    }
    return loops;
}

int contract_open_sums(Contract *c) { return open_sums(c, !c->pack_a, c->pack_b == B_DIRECT, false); }

/* ---- a ---- */

/* Number `last` of `count` in the panels of an operand that depends on outer indices of extents `outer`. */
static const Aff *in_outer(const Contract *c, const int64_t *outer, const Aff *last, int64_t count) {
    AffTable *t = affs(c);
    const Aff *at = aff_const(t, 0);
    for (int i = 0; i < c->c.nouter; i++)
        if (outer[i] > 1) at = aff_add(t, aff_scale(t, at, outer[i]), c->outer_at[c->c.outer[i]]);
    return aff_add(t, aff_scale(t, at, count), last);
}

/* Where copy number `copy` of a row of the unit at the current sum is in a_pack: rows of a block follow each other. */
static const Aff *in_a(Contract *c, const Aff *row, const Aff *copy) {
    AffTable *t = affs(c);
    const Aff *block = aff_div(t, row, c->mr), *sum = c->k_in_block;
    if (c->pack_a == A_PANELS) {
        block = in_outer(c, c->a_outer, aff_add(t, aff_div(t, c->first_row, c->mr), block), contract_blocks(c));
        sum = aff_add(t, c->first_sum, sum);
    }
    const Aff *number = aff_add(t, aff_scale(t, sum, c->mr), aff_mod(t, row, c->mr));
    number = aff_add(t, aff_scale(t, block, c->a_stride), aff_scale(t, number, c->copies));
    return loop_index(&c->nest, aff_add(t, number, copy), NULL, 0);
}

typedef struct {
    const Aff *from; /* its first row in the unit */
    int64_t rows;
} Block;

static void store_a(Contract *c, const Block *b, const Aff *r) {
    const Aff *row = aff_add(affs(c), b->from, r), *copy = aff_const(affs(c), 0);
    contract_set_row(c, aff_add(affs(c), c->first_row, row));
    if (c->copies > 1) copy = nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, c->copies, NULL, 0));
    nest_store(&c->nest, c->a_pack, in_a(c, row, copy), contract_lowered(c, c->c.a));
    contract_close(c, c->copies > 1);
}

/* Vectors of sums of all rows, which the store interleaves. */
static void pack_sums(Contract *c, bool full, void *self) {
    Block *b = self;
    b->rows = full ? c->mr : c->c.m % c->mr;
    int loops = open_sums(c, true, false, extent_of_sum(c, c->c.nks - 1) >= 4);
    store_a(c, b, nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, b->rows, NULL, 0)));
    contract_close(c, loops + 1);
}

static void pack_rows(Contract *c, bool full, void *self) {
    Block *b = self;
    b->rows = full ? c->mr : c->c.m % c->mr;
    store_a(c, b, nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, b->rows, NULL, c->width)));
    nest_close(&c->nest);
}

void contract_pack_a(Contract *c) {
    Block b;
    int loops = c->a_by_k ? open_sums(c, true, false, false) : 0;
    const Aff *block = contract_open_blocks(c, &b.from);
    contract_each_case(c, block, c->c.m / c->mr, c->c.m % c->mr != 0, c->a_by_k ? pack_rows : pack_sums, &b);
    contract_close(c, loops + 1);
}

Ex contract_packed_a(Contract *c, const Aff *row, const Aff *lane) {
    return loop_fetch(c->b, c->a_pack, in_a(c, row, aff_mod(affs(c), lane, c->copies)));
}

/* ---- b ---- */

/* b at the current sum for a lane of the current panel; zeros beyond the last one of a partial panel. */
static Ex b_value(Contract *c, const Aff *inside, bool full) {
    const Aff *lane = aff_add(affs(c), c->first_lane, inside);
    c->at[c->c.lane] = nest_stand(&c->nest, lane, c->c.n);
    Ex value = contract_lowered(c, c->c.b);
    if (full) return value;
    Cond within = {loop_index(&c->nest, lane, NULL, 0), INT64_MIN, c->c.n};
    return ex_guard(c->b->g, 1, &within, value, ex_zero(c->b->g, c->node->dtype));
}

static void set_panel(Contract *c, const Aff *panel) {
    c->panel = panel;
    c->first_lane = aff_scale(affs(c), panel, c->nr);
}

/* Where a lane of the current panel and sum is in b_pack. */
static const Aff *in_b(const Contract *c, const Aff *lane) {
    AffTable *t = affs(c);
    const Aff *sum = c->k_in_block;
    if (c->pack_b == B_BLOCK) sum = aff_add(t, aff_scale(t, c->panel_inside, c->kc), sum);
    if (c->pack_b == B_PANELS) {
        const Aff *panel = in_outer(c, c->b_outer, c->panel, contract_panels(c));
        sum = aff_add(t, c->first_sum, sum);
        sum = aff_add(t, aff_scale(t, sum, c->nr), aff_scale(t, panel, c->b_stride));
        return aff_add(t, sum, lane);
    }
    return aff_add(t, aff_scale(t, sum, c->nr), lane);
}

Ex contract_packed_b(Contract *c, const Aff *lane) {
    return loop_fetch(c->b, c->b_pack, loop_index(&c->nest, in_b(c, lane), NULL, 0));
}

void contract_ahead(Contract *c) {
    int64_t size = (int64_t)dtype_size(c->node->dtype), line = CONTRACT_LINE / size;
    for (int64_t lane = 0; lane < c->nr; lane += line) {
        const Aff *at = loop_index(&c->nest, in_b(c, aff_const(affs(c), lane)), NULL, 0);
        nest_ahead(&c->nest, c->b_pack, at, AHEAD / size);
    }
}

static void store_b(Contract *c, const Aff *lane, bool full) {
    nest_store(&c->nest, c->b_pack, loop_index(&c->nest, in_b(c, lane), NULL, 0), b_value(c, lane, full));
}

/* Vectors of lanes, for the current sum. */
static void pack_lanes(Contract *c, bool full, void *self) {
    (void)self;
    store_b(c, nest_var(&c->nest, nest_for(&c->nest, FOR_VECTOR, c->nr, NULL, c->width)), full);
    nest_close(&c->nest);
}

/* Vectors of sums of all lanes, which the store interleaves. */
static void pack_lane_by_lane(Contract *c, bool full, void *self) {
    (void)self;
    if (!full) set_panel(c, aff_const(affs(c), c->c.n / c->nr));
    int loops = open_sums(c, false, true, true);
    store_b(c, nest_var(&c->nest, nest_for(&c->nest, FOR_UNROLL, c->nr, NULL, 0)), full);
    contract_close(c, loops + 1);
}

/* Whether what is consecutive in b are sums, not lanes. */
static bool b_by_sums(const Contract *c) {
    int sum = c->c.ks[c->c.nks - 1];
    return !c->c.unit && is_plain_load(c->b->g, c->c.b) && load_stride(c->b->g, c->node, c->c.b, sum) == 1 &&
           c->node->comp.extents[sum] >= c->width;
}

/* Fills the current panel. */
static void pack_panel(Contract *c, ContractCase *how) {
    contract_each_case(c, c->panel, c->c.n / c->nr, c->c.n % c->nr != 0, how, NULL);
}

/* Sum by sum: what is read for all panels is near each other. */
void contract_pack_b(Contract *c) {
    bool by_sums = b_by_sums(c);
    int loops = by_sums ? 0 : open_sums(c, false, true, false);
    contract_open_panels(c);
    pack_panel(c, by_sums ? pack_lane_by_lane : pack_lanes);
    contract_close(c, loops + 1);
}

void contract_open_panels(Contract *c) {
    c->panel_inside = nest_var(&c->nest, nest_for(&c->nest, FOR_SERIAL, c->np, c->unit_panels, 0));
    const Aff *panel = aff_add(affs(c), c->first_panel, c->panel_inside);
    set_panel(c, nest_stand(&c->nest, panel, contract_panels(c)));
}

/* ---- all of an operand, in a kernel of its own ---- */

/* The extents of the outer indices that the operand uses, 1 for the others; *elems becomes so many times as much. */
static const int64_t *outer_extents(const Contract *c, const bool *uses, int64_t *elems) {
    int64_t *outer = ARENA_ARRAY(c->b->arena, int64_t, c->c.nouter + 1);
    for (int i = 0; i < c->c.nouter; i++) {
        outer[i] = uses[c->c.outer[i]] ? contract_outer(c, i) : 1;
        *elems *= outer[i];
    }
    return outer;
}

/* Begins the kernel, and opens the loop over what its tiles share out: the outer indices and, where the operand is read
 * sum by sum, its first sum, else one of `count` parts; that one. */
static const Aff *open_shares(Contract *c, Ex operand, const int64_t *outer, bool by_sum, int64_t count,
                              int64_t elems) {
    int n = c->c.nouter, first = c->c.ks[0];
    int64_t *dims = ARENA_ARRAY(c->b->arena, int64_t, n + 1), shares = 1;
    const Aff **index = ARENA_ARRAY(c->b->arena, const Aff *, n + 1);
    c->at = ARENA_ARRAY(c->b->arena, const Aff *, c->node->rank + c->node->comp.nred);
    c->outer_at = ARENA_ARRAY(c->b->arena, const Aff *, c->node->rank + 1);
    c->whole = true;
    for (int i = 0; i < n; i++) dims[i] = outer[i];
    dims[n] = by_sum ? extent_of_sum(c, 0) : count;
    for (int i = 0; i <= n; i++) shares *= dims[i];
    int scan = loop_scan_of(c->b, operand);
    c->nest = loop_begin_outside(c->b, scan, "pack", c->node->at, loop_tiles(shares, (double)elems));
    nest_unflatten(&c->nest, nest_units(&c->nest, shares), dims, n + 1, index);
    for (int i = 0; i < n; i++) c->at[c->c.outer[i]] = c->outer_at[c->c.outer[i]] = index[i];
    c->first_k = c->first_sum = aff_const(affs(c), 0);
    c->level = by_sum;
    if (by_sum) {
        c->at[first] = index[n];
        c->first_sum = aff_scale(affs(c), index[n], c->c.k / extent_of_sum(c, 0));
    }
    if (c->level < c->c.nks) c->k_cut = extent_of_sum(c, c->level);
    return index[n];
}

static void close_shares(Contract *c) {
    while (c->nest.heads.len) nest_close(&c->nest);
    nest_end(&c->nest);
}

void contract_pack_all_a(Contract *c) {
    int64_t elems = contract_blocks(c) * c->a_stride;
    c->a_outer = outer_extents(c, c->c.a_uses, &elems);
    c->a_pack = loop_buffer(c->b, BUF_MEMORY, c->node->dtype, elems, NULL);
    Contract p = *c;
    const Aff *share = open_shares(&p, c->c.a, c->a_outer, c->a_by_k, contract_blocks(c), elems);
    p.mc = c->a_by_k ? contract_blocks(c) * c->mr : c->mr;
    p.first_block = c->a_by_k ? aff_const(affs(c), 0) : share;
    p.first_row = aff_scale(affs(c), p.first_block, c->mr);
    contract_pack_a(&p);
    close_shares(&p);
}

void contract_pack_all_b(Contract *c) {
    int64_t elems = contract_panels(c) * c->b_stride;
    c->b_outer = outer_extents(c, c->c.b_uses, &elems);
    c->b_pack = loop_buffer(c->b, BUF_MEMORY, c->node->dtype, elems, NULL);
    Contract p = *c;
    const Aff *share = open_shares(&p, c->c.b, c->b_outer, c->c.unit, contract_panels(c), elems);
    bool by_sums = b_by_sums(c);
    p.np = contract_panels(c);
    p.first_panel = aff_const(affs(c), 0);
    if (!c->c.unit) set_panel(&p, share);
    if (!by_sums) open_sums(&p, false, true, false);
    if (c->c.unit) contract_open_panels(&p);
    pack_panel(&p, by_sums ? pack_lane_by_lane : pack_lanes);
    close_shares(&p);
}
