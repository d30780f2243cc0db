/* Sizes of a contraction's register tile and blocks. */
#include "compiler/loop/contract.h"

enum {
    TILE_BYTES = 12 << 10,  /* the part of the result that a unit works on */
    PANEL_BYTES = 32 << 10, /* a packed panel of b */
    ROWS_BYTES = 16 << 10,  /* packed rows of a */
    REUSE = 8               /* blocks of rows that a panel must serve to be worth packing */
};

/* Most rows of a tile `vectors` wide: accumulators, one vector of a row, and what the instructions need beside. */
static int64_t most_rows(const Machine *m, int vectors) {
    int64_t spare = m->registers >= 32 ? 4 : m->fma ? 3 : 5;
    int64_t rows = (m->registers - spare) / vectors;
    return rows > 12 ? 12 : rows < 1 ? 1 : rows;
}

/* Cycles of a block for one step of the sum: two multiplications, two loads at a time, and the latency of an addition.
 */
static double step_cost(int64_t rows, int vectors) {
    double fma = 0.5 * (double)rows * vectors, loads = 0.5 * (double)(rows + vectors);
    return MAX(MAX(fma, loads), 4.0) + 0.25;
}

static void choose_tile(Contract *c) {
    double least = 0;
    for (int v = 1; v <= 4; v++) {
        int64_t nr = (int64_t)v * c->width, most = most_rows(c->b->m, v);
        for (int64_t mr = most; mr >= 1; mr--) {
            double rest = c->c.m % mr ? step_cost(c->c.m % mr, v) : 0;
            double cost = (double)((c->c.n + nr - 1) / nr) * ((double)(c->c.m / mr) * step_cost(mr, v) + rest);
            if (c->mr && cost >= least * 0.999) continue;
            least = cost;
            c->mr = mr;
            c->nr = nr;
            c->vectors = v;
        }
    }
}

static int64_t size_of(const Contract *c) { return (int64_t)dtype_size(c->node->dtype); }

/* Equal blocks of at most `most`. */
static int64_t even(int64_t whole, int64_t most) {
    int64_t blocks = (whole + most - 1) / most;
    return (whole + blocks - 1) / blocks;
}

double contract_nanoseconds(const Contract *c) {
    double work = (double)c->c.m * (double)c->c.n * (double)c->c.k;
    for (int i = 0; i < c->c.nouter; i++) work *= (double)c->node->comp.extents[c->c.outer[i]];
    return work / c->width * 0.25;
}

static void choose_rows(Contract *c) {
    int64_t panels = (c->c.n + c->nr - 1) / c->nr, others = c->rows_first ? 1 : panels;
    for (int i = 0; i < c->c.nouter; i++) others *= c->node->comp.extents[c->c.outer[i]];
    int64_t wanted = loop_tiles(INT64_MAX / 2, contract_nanoseconds(c)), blocks = (c->c.m + c->mr - 1) / c->mr;
    int64_t most = c->rows_first ? 16 : MAX(TILE_BYTES / (c->nr * size_of(c)) / c->mr, 1);
    int64_t chunks = MAX((wanted + others - 1) / others, (blocks + most - 1) / most);
    c->mc = (blocks + chunks - 1) / chunks * c->mr;
}

/* Cuts the sums into blocks of at most `most`, along their first index; false where the other indices alone are more.
 */
static bool cut_sums(Contract *c, int64_t most) {
    int64_t first = c->node->comp.extents[c->c.ks[0]], inner = c->c.k / first;
    if (inner > most) return false;
    c->k_cut = MIN(c->k_cut, even(first, most / inner));
    c->kc = c->k_cut * inner;
    return true;
}

void contract_sizes(Contract *c) {
    int64_t size = size_of(c);
    c->width = c->b->m->vector_bytes / (int)size;
    c->kc = c->c.k;
    c->k_cut = c->node->comp.extents[c->c.ks[0]];
    choose_tile(c);
    c->pack_a = !is_plain_load(c->b->g, c->c.a);
    c->rows_first = c->pack_a && c->c.n > c->nr && c->c.k * c->mr * size <= ROWS_BYTES;
    choose_rows(c);
    bool pays = c->mc >= REUSE * c->mr && c->c.k * c->c.n * size > c->b->m->l1;
    c->pack_b = !c->rows_first && (!c->c.unit || pays) && cut_sums(c, PANEL_BYTES / (c->nr * size));
    if (c->pack_a) c->pack_a = cut_sums(c, ROWS_BYTES / (c->mr * size));
}
