/* Sizes of a contraction's register tile and blocks, from the shapes and the machine alone. */
#include "compiler/loop/contract.h"

static int64_t size_of(const Contract *c) { return (int64_t)dtype_size(c->node->dtype); }

enum {
    MANY = 16,      /* blocks of rows for a panel that isn't in the second cache */
    REUSE = 4,      /* blocks of rows that a packed panel must serve */
    FAR = 128,      /* bytes from one sum to the next from which a is packed: lines of the cache would be read for a few
                       numbers; samples that a batch gathers are as far as can be */
    FARTHEST = 256, /* and up to which that makes blocks of sums shorter, where a is not packed */
    PANELS = 6,     /* that a packed block of a must serve */
    SHARED = 2,     /* units that the same rows are packed for from which on one kernel packs them for all */
    ABREAST = 8,    /* sums that a large b is read for at a time, which few rows need: rows of it, each in order */
    COPIED = 8,     /* vectors of lanes from which on it pays to pack a number of a once for each lane */
    UNITS = 16,     /* that a large contraction is cut into, for any number of threads */
    EVENLY = 4 * UNITS /* units from which on any number of threads shares them evenly */
};

/* Most rows of a tile `vectors` wide whose accumulators stay in registers, beside a row of b, an element of a, and the
 * product where it is an instruction of its own. */
static int64_t most_rows(const Machine *m, int vectors) {
    int64_t rows = (m->registers - vectors - (m->fma ? 1 : 2)) / vectors;
    return rows > 12 ? 12 : rows < 1 ? 1 : rows;
}

/* Cycles of a block for one step of the sum: two multiplications, two loads at a time, and the latency of an addition.
 * Where products are instructions of their own they overwrite an operand: a copy or a load, a multiplication and an
 * addition for each, six instructions at a time. What puts a number into all lanes takes the place of multiplications.
 */
static double step_cost(const Contract *c, int64_t rows, int vectors) {
    double fma = 0.5 * (double)rows * vectors, loads = 0.5 * (double)(rows + vectors);
    if (!c->b->m->broadcast) {
        if (c->copies == 1) return MAX(fma + 0.7 * (double)rows, 3.0) + 0.25;
        return MAX(MAX((double)(3 * rows * vectors + vectors) / 6, 0.75 * (double)(rows + vectors)), 3.0) + 0.5;
    }
    return MAX(MAX(fma, loads), 4.0) + 0.25;
}

/* Whether a vector with a number of a in all lanes is loaded as such: making it at each use would take longer. */
static void choose_copies(Contract *c) {
    bool pays = !c->b->m->broadcast && c->c.m > 1 && !c->c.streams && c->c.n >= (int64_t)COPIED * c->width;
    c->copies = pays ? c->width : 1;
}

/* The register tile, of so many lanes if not 0. */
static void choose_tile(Contract *c, int64_t lanes) {
    double least = 0;
    for (int v = 1; v <= CONTRACT_VECTORS; v++) {
        int64_t nr = (int64_t)v * c->width, most = most_rows(c->b->m, v);
        if (lanes && nr != lanes) continue;
        for (int64_t mr = most; mr >= 1; mr--) {
            double rest = c->c.m % mr ? step_cost(c, c->c.m % mr, v) : 0;
            double cost = (double)((c->c.n + nr - 1) / nr) * ((double)(c->c.m / mr) * step_cost(c, mr, v) + rest);
            if (c->mr && cost >= least * 0.999) continue;
            least = cost;
            c->mr = mr;
            c->nr = nr;
            c->vectors = v;
        }
    }
}

static void choose_lanes(Contract *c, int64_t lanes) {
    c->width = c->b->m->vector_bytes / (int)size_of(c);
    choose_copies(c);
    choose_tile(c, lanes);
}

int64_t contract_lanes(const Contract *c) {
    Contract tried = *c;
    choose_lanes(&tried, 0);
    return tried.nr;
}

/* Lanes of a panel where `e` loads a variable in panels whose last dim is index `var`; else 0. */
static int64_t panel_along(const Contract *c, Ex e, int var) {
    const Expr *x = ir_expr(c->b->g, e);
    int panel = x->kind == EX_LOAD ? c->b->memory[x->load.node].panel : 0;
    return panel && x->load.at[x->load.rank - 1].aff == aff_var(c->b->affs, var) ? panel : 0;
}

static int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/* Equal blocks of at most `most`. */
static int64_t even(int64_t whole, int64_t most) { return ceil_div(whole, ceil_div(whole, MAX(most, 1))); }

/* So many sums of a block, in whole panels where an operand has them along the sums. */
static int64_t whole_panels(const Contract *c, int64_t sums) {
    int64_t panel = MAX(MAX(c->a_sums, c->b_sums), 1);
    return ceil_div(sums, panel) * panel;
}

int64_t contract_panels(const Contract *c) { return ceil_div(c->c.n, c->nr); }

int64_t contract_blocks(const Contract *c) { return ceil_div(c->c.m, c->mr); }

int64_t contract_outer(const Contract *c, int i) {
    int v = c->c.outer[i];
    return c->c.step[v] > 1 ? c->c.step[v] : c->node->comp.extents[v];
}

static int64_t outer_units(const Contract *c) {
    int64_t n = 1;
    for (int i = 0; i < c->c.nouter; i++) n *= contract_outer(c, i);
    return n;
}

double contract_nanoseconds(const Contract *c) {
    double work = (double)c->c.m * (double)c->c.n * (double)c->c.k;
    return work * (double)outer_units(c) / c->width * 0.25;
}

/* Bytes between a's neighbours along the sums, where it is read where it is: as far as blocks become short by that.
 * Half of those between copies for all lanes: most of a block of rows then stays in the first cache. */
static int64_t apart(const Contract *c) {
    if (c->copies > 1) return c->mr * c->copies * size_of(c) / 2;
    int64_t stride = load_stride(c->b->g, c->node, c->c.a, c->c.ks[c->c.nks - 1]);
    return c->pack_a || stride == INT64_MAX ? 0 : MIN(stride * size_of(c), FARTHEST);
}

/* Whether all sums of a panel of b fit into `room` bytes, and the lines that a row of a is spread over into the first
 * cache. */
static bool sums_fit(const Contract *c, int64_t room) {
    return c->c.k * c->nr * size_of(c) <= room && c->c.k * apart(c) <= c->b->m->l1 / 4 * 3;
}

/* All sums at once: the tile stays in registers. */
static void whole_sums(Contract *c) {
    c->level = 0;
    c->kc = c->c.k;
    c->k_cut = c->node->comp.extents[c->c.ks[0]];
}

/* Blocks of sums that leave a panel in half of the first cache, and in the other the lines that a few rows of a are
 * spread over: the next rows find them there. */
static void cut_sums(Contract *c) {
    int64_t each = MAX(c->nr * size_of(c), apart(c)), most = c->b->m->l1 / 2 / each, inner = c->c.k;
    whole_sums(c);
    if (sums_fit(c, c->b->m->l1 / 4 * 3)) return;
    for (c->level = 0; c->level < c->c.nks; c->level++) {
        int64_t extent = c->node->comp.extents[c->c.ks[c->level]];
        inner /= extent;
        if (inner > most) continue;
        c->k_cut = even(extent, most / inner);
        if (c->level == c->c.nks - 1) c->k_cut = MIN(extent, whole_panels(c, c->k_cut));
        c->kc = c->k_cut * inner;
        return;
    }
    bug("a contraction of %lld sums has no innermost index", (long long)c->c.k);
}

static bool is_load(const Contract *c, Ex e) { return ir_expr(c->b->g, e)->kind == EX_LOAD; }

/* Whether neighbouring rows are whole lines of the cache apart: reads of one sum of all rows then wait for each other,
 * as they are in the same bank. */
static bool rows_meet(const Contract *c, int row) {
    int64_t stride = load_stride(c->b->g, c->node, c->c.a, row);
    return c->c.m > 1 && stride < INT64_MAX && stride * size_of(c) % CONTRACT_LINE == 0 && contract_panels(c) >= PANELS;
}

static void choose_pack_a(Contract *c) {
    int row = c->c.nrows == 1 ? c->c.rows[0] : -1, sum = c->c.ks[c->c.nks - 1];
    int64_t along_sums = load_stride(c->b->g, c->node, c->c.a, sum);
    bool far = along_sums >= FAR / size_of(c) && c->c.n > c->nr && row >= 0;
    c->for_order = is_load(c, c->c.a) && !far && c->copies == 1;
    c->pack_a = !c->for_order || (row >= 0 && !c->a_sums && rows_meet(c, row)) ? A_BLOCK : A_DIRECT;
    c->a_by_k = c->pack_a && row >= 0 && load_stride(c->b->g, c->node, c->c.a, row) == 1 && along_sums != 1;
}

/* Whether all of b stays in half of the second cache. */
static bool all_of_b(const Contract *c) {
    return c->kc == c->c.k && contract_panels(c) * c->nr * c->kc * size_of(c) <= c->b->m->l2 / 2;
}

typedef struct {
    const Contract *c;
    bool far, panels;
} Reads;

static void visit_read(const Graph *g, Ex e, void *self) {
    Reads *f = self;
    const Contract *c = f->c;
    const Expr *x = ir_expr(g, e);
    const int *group_of = c->b->s->group_of;
    if (x->kind != EX_LOAD || group_of[x->load.node] == group_of[c->r]) return;
    const Node *from = ir_node(g, x->load.node);
    bool large = ir_elements(from) * (int64_t)dtype_size(from->dtype) >= c->b->m->l2 / 2;
    f->panels = f->panels || c->b->memory[x->load.node].panel > 0;
    f->far = f->far || (large && load_stride(c->b->g, c->node, e, c->c.lane) == 1);
}

/* Whether what follows on the tile reads tensors along the lanes that no cache near holds: an optimizer's averages and
 * the weights. That is most of the time where sums are few, and comes fastest in long rows. */
static Reads reads_of(const Contract *c) {
    Reads f = {.c = c};
    for (int i = 1; i < c->group->nmembers; i++)
        ex_walk(c->b->g, ir_node(c->b->g, c->group->members[i])->comp.body, visit_read, &f);
    return f;
}

static bool reads_far(const Contract *c) { return c->kc == c->c.k && reads_of(c).far; }

/* Blocks of rows of a that a quarter of the second cache holds, half of it where these are copies; at least one. */
static int64_t rows_of_a(const Contract *c) {
    int64_t room = c->b->m->l2 / size_of(c) / (c->copies > 1 ? 2 : 4);
    return MIN(contract_blocks(c), MAX(room / (c->mr * c->kc * c->copies), 1));
}

/* Where most of the time is reading b, it is read in the order in which it lies: a few sums for all panels, not all
 * sums for a panel. In a scan it is packed in panels, which are in order anyway. */
static bool is_streamed(const Contract *c) { return c->c.streams && !c->b->scan; }

static void cut_streamed(Contract *c) {
    c->level = c->c.nks - 1;
    c->kc = c->k_cut = even(c->node->comp.extents[c->c.ks[c->level]], ABREAST);
}

/* Blocks of sums. Where units are not columns, sums are not cut if a panel takes a sixth of the second cache or less:
 * it comes from there as fast as it is needed, and the tile stays in registers. */
static void choose_cut(Contract *c) {
    cut_sums(c);
    if (is_streamed(c)) cut_streamed(c);
    bool fit = rows_of_a(c) == contract_blocks(c) && !all_of_b(c);
    c->columns = !c->by_panels && fit && (!c->pack_a || c->for_order) && !reads_far(c);
    if (!c->columns && !is_streamed(c) && sums_fit(c, c->b->m->l2 / 6)) whole_sums(c);
    c->at_once = c->kc < c->c.k && c->group->nmembers == 1;
}

/* About `parts` parts of `whole` that threads share evenly, where the units are `others` times as many: a power of two,
 * or a multiple of UNITS. */
static int64_t shared_evenly(int64_t parts, int64_t whole, int64_t others) {
    int64_t unit = UNITS;
    if (parts * others >= EVENLY) return parts;
    while (4 * parts < 3 * unit) unit /= 2;
    return MIN((parts + unit / 2) / unit * unit, whole);
}

/* A unit of about mb blocks of rows and np panels. */
static void set_unit(Contract *c, int64_t mb, int64_t np) {
    int64_t blocks = contract_blocks(c), panels = contract_panels(c), outer = outer_units(c);
    c->row_units = ceil_div(blocks, mb);
    c->panel_units = ceil_div(panels, np);
    c->row_units = shared_evenly(c->row_units, blocks, outer * c->panel_units);
    c->panel_units = shared_evenly(c->panel_units, panels, outer * c->row_units);
    c->mc = ceil_div(blocks, c->row_units) * c->mr;
    c->np = ceil_div(panels, c->panel_units);
}

static int64_t units_of(const Contract *c, int64_t mb, int64_t np) {
    return outer_units(c) * ceil_div(contract_blocks(c), mb) * ceil_div(contract_panels(c), np);
}

static int64_t least_units(const Contract *c, int64_t most) {
    return MIN(loop_tiles(INT64_MAX / 2, contract_nanoseconds(c)), most) * 3 / 4;
}

/* Where variables are in panels, units are few of them, for all rows or as many as a quarter of the second cache holds:
 * units that follow each other then go through memory in order, and all products that use a panel do so on one core. */
static void choose_unit_of_panels(Contract *c) {
    int64_t mb = rows_of_a(c), room = c->b->m->l2 / size_of(c) / 4; /* for the tile */
    int64_t np = MIN(contract_panels(c), MAX(room / (mb * c->mr * c->nr), 1));
    while (units_of(c, mb, np) < least_units(c, 2 * UNITS) && mb * np > 1) {
        if (np > 1)
            np = ceil_div(np, 2);
        else
            mb = ceil_div(mb, 2);
    }
    set_unit(c, mb, np);
}

/* Rows and panels of a unit: a block of a in a quarter of the second cache and the tile in another, then fewer until
 * there are nearly enough units. If all rows fit into one unit and the panels not, units are panels, and each of b is
 * packed where it is used. Else units are rows with as many panels as they can have: what follows on the tile then goes
 * through memory in order, and panels of b that the second cache doesn't hold are read for many rows each; fewer where
 * what follows comes from far, in rows as long as they can be. Where packing a is more than copying, panels stay
 * together. */
static void choose_unit(Contract *c) {
    int64_t l2 = c->b->m->l2 / size_of(c), blocks = contract_blocks(c), panels = contract_panels(c);
    int64_t mb = rows_of_a(c), np = panels;
    bool together = c->pack_a && !is_load(c, c->c.a), all = all_of_b(c), far = reads_far(c);
    bool few = all || together;
    int64_t room = far ? l2 / 2 : l2 / 4; /* for the tile */
    if (!c->columns) mb = MIN(mb, MAX(room / (c->mr * panels * c->nr), few ? 1 : far ? REUSE : MANY));
    int64_t packed = mb == blocks && !all ? c->kc : 1; /* of each panel, by the unit itself */
    np = MIN(np, MAX((far ? l2 : room) / (MAX(mb * c->mr, packed) * c->nr), 1));
    int64_t half = c->b->m->l1 / 2 / size_of(c), row = panels * c->nr;
    if (!c->pack_a && c->kc == c->c.k && row * c->kc <= half) { /* few sums: the first cache holds b and the tile */
        np = panels;
        mb = MIN(blocks, MAX(half / (c->mr * row), 1));
        few = true;
    }
    int64_t least = !few ? MANY / 2 : c->pack_a ? 1 : REUSE; /* blocks of rows, rather than other panels */
    while (units_of(c, mb, np) < least_units(c, UNITS)) {
        bool rows = mb > 1 && (np == 1 || (!c->columns && mb > least));
        if (!rows && np == 1) break;
        if (rows)
            mb = ceil_div(mb, 2);
        else
            np = ceil_div(np, 2);
    }
    set_unit(c, mb, np);
}

/* The scan that the kernel runs in, or one around it, of which b still changes. */
static int scan_of_b(const Contract *c) { return loop_scan_of(c->b, c->c.b); }

static void choose_pack_b(Contract *c) {
    int64_t units = c->row_units;
    bool large = c->c.k * c->c.n * size_of(c) > c->b->m->l1 / 2, masked = c->c.n % c->nr != 0;
    bool few = c->np * c->kc * c->nr * size_of(c) <= c->b->m->l2 / 4;
    bool pays = c->mc >= REUSE * c->mr && (large || masked);
    if (c->b->scan && scan_of_b(c) != c->b->scan)
        c->pack_b = B_PANELS;
    else if (c->b_in_panels)
        c->pack_b = B_DIRECT;
    else if (!c->c.unit)
        c->pack_b = units > 1 ? B_PANELS : B_BLOCK;
    else
        c->pack_b = !pays ? B_DIRECT : units >= REUSE || (units > 1 && !few) ? B_PANELS : B_BLOCK;
    bool far = contract_panels(c) * c->nr * c->c.k * size_of(c) > c->b->m->l2 / 2;
    c->b_far = c->pack_b == B_PANELS && far && !c->b->scan;
}

/* Rows that several units would pack are packed before, unless there are more of them than numbers: windows that
 * overlap. */
static void share_rows(Contract *c) {
    int64_t packed = c->c.m * c->c.k;
    if (c->pack_a != A_BLOCK || !is_load(c, c->c.a) || c->panel_units < SHARED) return;
    if (c->copies > 1 && c->np >= MANY) return; /* a unit's own copies are near, and pay */
    for (int i = 0; i < c->c.nouter; i++)
        if (c->c.a_uses[c->c.outer[i]]) packed *= contract_outer(c, i);
    if (packed <= ir_elements(ir_node(c->b->g, ir_expr(c->b->g, c->c.a)->load.node))) c->pack_a = A_PANELS;
}

void contract_sizes(Contract *c) {
    int sum = c->c.ks[c->c.nks - 1];
    int64_t lanes = panel_along(c, c->c.b, c->c.lane);
    c->b_in_panels = lanes > 0;
    c->a_sums = panel_along(c, c->c.a, sum);
    c->b_sums = panel_along(c, c->c.b, sum);
    choose_lanes(c, lanes);
    choose_pack_a(c);
    c->by_panels = c->b_in_panels || reads_of(c).panels;
    choose_cut(c);
    if (c->by_panels)
        choose_unit_of_panels(c);
    else
        choose_unit(c);
    share_rows(c);
    choose_pack_b(c);
    c->flat = c->by_panels && contract_follows_flat(c);
    c->block_tile = c->flat && c->kc == c->c.k && !c->c.nbands;
    int64_t line = CONTRACT_LINE / size_of(c);
    c->a_stride = (c->pack_a == A_PANELS ? c->c.k : c->kc) * c->mr * c->copies + (c->pack_a == A_PANELS ? line : 0);
    c->b_stride = c->c.k * c->nr + line;
}
