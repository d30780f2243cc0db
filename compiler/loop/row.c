/* Row kernels: maps, reductions along rows and columns, and chains of them that share rows (softmax, layer norm,
 * cross-entropy). Also the general case: any node alone is a row kernel.
 *
 *   lanes inside the row                     lanes along the rows
 *     for each row of the tile                 for each chunk of rows of the tile
 *       reg s; s = 0                             reg s[4 vectors]; s = 0
 *       vector j: s += exp(x[row, j])            for k: unroll u: vector l: s[u, l] += x[k, row(u, l)]
 *       vector j: y[row, j] = ... / s            unroll u: vector l: y[row(u, l)] = ... s[u, l] */
#include "compiler/loop/row.h"

#include <string.h>

enum {
    REDUCTION_VECTORS = 4, /* accumulators along the rows: enough to hide the latency of an addition */
    SMALLER = 4            /* tiles, where there are several */
};

static double nanoseconds(const Rows *r) {
    double work = 0;
    for (int i = 0; i < r->group->nmembers; i++) {
        const Node *n = ir_node(r->b->g, r->group->members[i]);
        double points = 1;
        for (int d = 0; d < n->rank + n->comp.nred; d++) points *= (double)n->comp.extents[d];
        work += points * (loop_cost(r->b->g, n->comp.body) + 1);
    }
    return work / r->width * r->abreast * 0.4;
}

static bool any_reduction(const Rows *r) {
    for (int i = 0; i < r->group->nmembers; i++)
        if (row_reduces(ir_node(r->b->g, r->group->members[i]))) return true;
    return false;
}

static int abreast(const Rows *r) {
    int n = 1;
    for (int i = 0; i < r->group->nmembers; i++)
        n = MAX(n, loop_abreast(r->b->g, ir_node(r->b->g, r->group->members[i])->comp.body));
    return n;
}

/* How many lanes of the axis a unit takes, given how many units the other dims make. What passes from stage to stage
 * stays in registers, and so do sums: no more lanes than these hold. */
static void choose_chunk(Rows *r, int64_t outer, double ns) {
    if (r->nstages > 1 || any_reduction(r)) {
        int64_t vectors = (r->lanes + r->width - 1) / r->width;
        r->unroll = (int)MIN(vectors, REDUCTION_VECTORS / r->abreast);
        r->chunk = r->unroll == 1 ? MIN(r->width, r->lanes) : (int64_t)r->unroll * r->width;
        return;
    }
    int64_t least = 4 * r->width, chunks = (loop_tiles(INT64_MAX / 2, ns) + outer - 1) / outer;
    int64_t each = (r->lanes + chunks - 1) / chunks;
    r->unroll = 1;
    r->chunk = MIN(r->lanes, (each + least - 1) / least * least);
}

/* Opens the loops over units: the dims that aren't lanes, and the chunks of the axis that is. */
static void open_units(Rows *r, const char *name, Span at) {
    Builder *b = r->b;
    const int64_t *rows = ir_node(b->g, r->group->members[0])->dims;
    int64_t *dims = ARENA_ARRAY(b->arena, int64_t, r->group->nrow + 1), units = 1;
    const Aff **index = ARENA_ARRAY(b->arena, const Aff *, r->group->nrow + 1);
    double ns = nanoseconds(r);
    int n = 0;
    for (int d = 0; d < r->group->nrow; d++)
        if (!r->across || d < r->first_lane || d >= r->end_lane) units *= dims[n++] = rows[d];
    if (r->across) {
        choose_chunk(r, units, ns);
        units *= dims[n++] = (r->lanes + r->chunk - 1) / r->chunk;
    }
    /* Rows share nothing, so their tiles are small: the last ones then keep all threads busy. */
    int64_t tiles = loop_tiles(units, ns);
    r->n = nest_begin(b, name, at, tiles > 1 ? loop_tiles(units, (double)SMALLER * ns) : tiles);
    nest_unflatten(&r->n, nest_units(&r->n, units), dims, n, index);
    n = 0;
    for (int d = 0; d < r->group->nrow; d++)
        if (!r->across || d < r->first_lane || d >= r->end_lane) r->row[d] = index[n++];
    if (r->across) r->chunk_from = aff_scale(b->affs, index[n], r->chunk);
}

static const char *name_of(const Rows *r) {
    for (int i = r->group->nmembers - 1; i >= 0; i--) {
        const Node *n = ir_node(r->b->g, r->group->members[i]);
        if (n->name) return n->name;
    }
    return r->nstages > 1 ? "rows" : any_reduction(r) ? "reduce" : "map";
}

void loop_rows(Builder *b, const Group *group) {
    Rows r = {.b = b, .group = group, .widest = DT_F32, .unroll = 1};
    const Node *last = ir_node(b->g, group->members[group->nmembers - 1]);
    int most = 0;
    for (int i = 0; i < group->nmembers; i++) {
        const Node *n = ir_node(b->g, group->members[i]);
        most = MAX(most, n->rank + n->comp.nred);
    }
    r.row = ARENA_ARRAY(b->arena, const Aff *, most + 1);
    rows_stages(&r);
    rows_lanes(&r);
    r.abreast = abreast(&r);
    r.width *= r.abreast;
    open_units(&r, name_of(&r), last->at);
    rows_emit(&r);
    while (r.n.heads.len) nest_close(&r.n);
    for (int i = 0; i < group->nmembers; i++) r.n.k->flops += loop_flops(b->g, group->members[i]);
    nest_end(&r.n);
}
