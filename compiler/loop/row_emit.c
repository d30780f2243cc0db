/* The body of one unit of a row kernel: its stages one after the other. */
#include "compiler/loop/row.h"

#include <string.h>

enum {
    LOCAL_SHARE = 8, /* of the second cache: larger intermediates of a row go through memory */
    MOST_PIECES = 8,
    SHORTEST_PIECE = 4, /* vectors */
    LONG_ROW = 1024     /* elements: what a shorter row leaves out, the caches have fetched ahead already */
};

static const Node *node_of(const Rows *r, Ref m) { return ir_node(r->b->g, m); }
static bool reduces(const Rows *r, Ref m) { return row_reduces(node_of(r, m)); }

static const Aff *view_base(const Rows *r, View v) { return v.base ? v.base : aff_const(r->b->affs, 0); }

/* A new local array; all its strides are 0. */
static View declare(Rows *r, BufKind kind, DType t, int64_t elems, Ref m) {
    Builder *b = r->b;
    View v = {.buffer = loop_buffer(b, kind, t, elems, node_of(r, m)->name)};
    v.strides = ARENA_ARRAY(b->arena, int64_t, MAX(node_of(r, m)->rank, 1));
    nest_decl(&r->n, v.buffer);
    return v;
}

/* A place for what only later stages of the kernel read: an array of one row, registers where the row is a number. */
static void declare_local(Rows *r, Ref m) {
    const Node *n = node_of(r, m);
    if (r->across) {
        r->b->local[m] = declare(r, BUF_REG, n->dtype, (int64_t)r->unroll * r->width, m);
        return;
    }
    int64_t elems = 1;
    for (int d = r->group->nrow; d < n->rank; d++) elems *= n->dims[d];
    if (elems * (int64_t)dtype_size(n->dtype) > r->b->m->l2 / LOCAL_SHARE) return; /* memory is there on demand */
    View v = declare(r, elems == 1 ? BUF_REG : BUF_STACK, n->dtype, elems, m);
    int64_t *strides = ARENA_ARRAY(r->b->arena, int64_t, MAX(n->rank, 1));
    for (int d = r->group->nrow; d < n->rank; d++) strides[d] = elems == 1 ? 0 : loop_strides(r->b, n)[d];
    v.strides = strides;
    r->b->local[m] = v;
}

/* ---- lanes along the rows ---- */

static void open_lanes(Rows *r) {
    AffTable *t = r->b->affs;
    const Aff *inside = aff_const(t, 0), *limit = NULL;
    if (r->unroll > 1)
        inside = aff_scale(t, nest_var(&r->n, nest_for(&r->n, FOR_UNROLL, r->unroll, NULL, 0)), r->width);
    if (r->lanes % r->chunk) limit = aff_sub(t, aff_const(t, r->lanes), aff_add(t, r->chunk_from, inside));
    int64_t count = r->unroll > 1 ? r->width : r->chunk;
    int v = nest_for(&r->n, count > 1 ? FOR_VECTOR : FOR_SERIAL, count, limit, count > 1 ? r->width : 0);
    inside = aff_add(t, inside, nest_var(&r->n, v));
    const Aff *lane = nest_stand(&r->n, aff_add(t, r->chunk_from, inside), r->lanes);
    nest_unflatten(&r->n, lane, node_of(r, r->group->members[0])->dims + r->first_lane, r->end_lane - r->first_lane,
                   r->row + r->first_lane);
    for (int i = 0; i < r->group->nmembers; i++) r->b->local[r->group->members[i]].base = inside;
}

static void close_lanes(Rows *r) {
    nest_close(&r->n);
    if (r->unroll > 1) nest_close(&r->n);
}

/* ---- the innermost statements ---- */

static bool later_stage_reads(const Rows *r, Ref m, int stage) { return r->last_read[rows_member(r, m)] > stage; }

static void accumulate(Rows *r, Ref m) {
    const Node *n = node_of(r, m);
    View acc = r->b->local[m];
    Ex value = loop_lower(&r->n, n->comp.body, r->row, n->rank + n->comp.nred);
    if (value == loop_identity(r->b->g, n->comp.combine, n->dtype)) return;
    nest_accum(&r->n, n->comp.combine, acc.buffer, view_base(r, acc), value);
}

/* Every value is computed before any is written: an update in place overwrites what others at this point may read. */
static void emit_point(Rows *r, const Stage *s) {
    Builder *b = r->b;
    Ex *values = ARENA_ARRAY(b->arena, Ex, s->nmembers);
    View *homes = ARENA_ARRAY(b->arena, View, s->nmembers);
    for (int i = 0; i < s->nmembers; i++) {
        Ref m = s->members[i];
        if (reduces(r, m)) {
            accumulate(r, m);
            continue;
        }
        homes[i] = b->local[m];
        values[i] = loop_lower(&r->n, node_of(r, m)->comp.body, r->row, node_of(r, m)->rank);
        if (s->nmembers == 1) continue;
        View temp = declare(r, BUF_REG, node_of(r, m)->dtype, 1, m);
        nest_store(&r->n, temp.buffer, aff_const(b->affs, 0), values[i]);
        values[i] = loop_fetch(b, temp.buffer, aff_const(b->affs, 0));
        b->local[m] = temp;
    }
    for (int i = 0; i < s->nmembers; i++) {
        Ref m = s->members[i];
        if (reduces(r, m)) continue;
        b->local[m] = homes[i];
        if (!b->s->stored[m] && !later_stage_reads(r, m, r->stage)) continue;
        View to = loop_view(b, m);
        nest_store(&r->n, to.buffer, loop_offset(&r->n, to, r->row, node_of(r, m)->rank), values[i]);
    }
}

/* ---- stages ---- */

static void open_loops(Rows *r, const Stage *s, int from, int to, int vector) {
    for (int d = from; d < to; d++)
        if (d != vector)
            r->row[r->group->nrow + d] = nest_var(&r->n, nest_for(&r->n, FOR_SERIAL, s->space[d], NULL, 0));
}

static void open_lanes_inside(Rows *r, int vector, int64_t from, int64_t count) {
    const Aff *v = nest_var(&r->n, nest_for(&r->n, FOR_VECTOR, count, NULL, r->width));
    r->row[r->group->nrow + vector] = aff_add(r->b->affs, aff_const(r->b->affs, from), v);
}

static void open_space(Rows *r, const Stage *s, int from, int to, int vector) {
    open_loops(r, s, from, to, vector);
    if (vector >= from && vector < to) open_lanes_inside(r, vector, 0, s->space[vector]);
}

static void close_space(Rows *r, int n) {
    while (n--) nest_close(&r->n);
}

static void begin_reductions(Rows *r, const Stage *s) {
    Builder *b = r->b;
    int n = 0;
    for (int i = 0; i < s->nmembers; i++) {
        if (!reduces(r, s->members[i])) continue;
        DType t = loop_accumulator(node_of(r, s->members[i])->comp.combine, node_of(r, s->members[i])->dtype);
        b->local[s->members[i]] = declare(r, BUF_REG, t, r->across ? (int64_t)r->unroll * r->width : 1, s->members[i]);
        n++;
    }
    if (!n) return;
    if (r->across) open_lanes(r);
    for (int i = 0; i < s->nmembers; i++) {
        View acc = b->local[s->members[i]];
        if (!reduces(r, s->members[i])) continue;
        DType t = b->u->buffers.at[acc.buffer].dtype;
        Combine c = node_of(r, s->members[i])->comp.combine;
        nest_store(&r->n, acc.buffer, view_base(r, acc), loop_identity(b->g, c, t));
    }
    if (r->across) close_lanes(r);
}

/* Writes the finished sums that other kernels read. */
static void end_reductions(Rows *r, const Stage *s) {
    Builder *b = r->b;
    bool any = false;
    for (int i = 0; i < s->nmembers; i++) any |= reduces(r, s->members[i]) && b->s->stored[s->members[i]];
    if (!any) return;
    if (r->across) open_lanes(r);
    for (int i = 0; i < s->nmembers; i++) {
        Ref m = s->members[i];
        if (!reduces(r, m) || !b->s->stored[m]) continue;
        View acc = b->local[m], to = loop_memory(b, m);
        nest_store(&r->n, to.buffer, loop_offset(&r->n, to, r->row, node_of(r, m)->rank),
                   loop_fetch(b, acc.buffer, view_base(r, acc)));
    }
    if (r->across) close_lanes(r);
}

/* A reduction with dims of its own, out[row, e] = sum over k: its result goes to memory or the row's array at once. */
static void emit_alone(Rows *r, const Stage *s) {
    Builder *b = r->b;
    Ref m = s->members[0];
    const Node *n = node_of(r, m);
    int own = n->rank - r->group->nrow, vector = rows_inner(r, s);
    View home = b->local[m];
    open_space(r, s, 0, own, vector);
    begin_reductions(r, s);
    open_space(r, s, own, s->nspace, vector);
    accumulate(r, m);
    close_space(r, s->nspace - own);
    View acc = b->local[m];
    b->local[m] = home;
    View to = loop_view(b, m);
    nest_store(&r->n, to.buffer, loop_offset(&r->n, to, r->row, n->rank),
               loop_fetch(b, acc.buffer, aff_const(b->affs, 0)));
    close_space(r, own);
}

/* The lanes' loop in pieces, within which all conditions on the lane alone hold or don't: a concatenation. */
typedef struct {
    AffTable *affs;
    int var;
    int64_t least; /* lanes of a piece */
    int n;
    int64_t from[MOST_PIECES + 1]; /* and after the last one, the end */
    bool fine;
} Pieces;

static void cut(Pieces *p, int64_t at) {
    int i = 1;
    while (i < p->n && p->from[i] < at) i++;
    if (at <= 0 || at >= p->from[p->n] || p->from[i] == at) return;
    p->fine = p->fine && p->n < MOST_PIECES;
    if (!p->fine) return;
    memmove(p->from + i + 1, p->from + i, sizeof *p->from * (size_t)(p->n + 1 - i));
    p->from[i] = at;
    p->n++;
}

static void find_cuts(const Graph *g, Ex e, void *self) {
    Pieces *p = self;
    const Expr *x = ir_expr(g, e);
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n; i++) {
        const Cond *c = &x->guard.at[i];
        int64_t coef, shift;
        const Aff *rest;
        bool lane = aff_split(p->affs, c->aff, p->var, &coef, &rest) && coef == 1 && aff_is_const(rest, &shift);
        if (lane && c->lo > INT64_MIN) cut(p, c->lo - shift);
        if (lane && c->hi < INT64_MAX) cut(p, c->hi - shift);
    }
}

static Pieces find_pieces(const Rows *r, const Stage *s, int vector) {
    int64_t extent = s->space[vector];
    Pieces p = {.affs = r->b->affs, .var = r->group->nrow + vector, .n = 1, .from = {0, extent}, .fine = true};
    for (int i = 0; i < s->nmembers; i++) ex_walk(r->b->g, node_of(r, s->members[i])->comp.body, find_cuts, &p);
    for (int i = 0; i < p.n; i++) p.fine = p.fine && p.from[i + 1] - p.from[i] >= (int64_t)SHORTEST_PIECE * r->width;
    return p.fine ? p : (Pieces){.n = 1, .from = {0, extent}};
}

/* ---- lanes on both sides of a condition ---- */

/* A condition on the lane and the row, as of a triangular matrix: it holds for the lanes before `bound`, or for those
 * from it on. */
typedef struct {
    Rows *r;
    int var; /* the lane's */
    int64_t extent;
    const int64_t *extents; /* of the row's indices */
    const Cond *cond;       /* NULL: none has been found */
    bool before;
    const Aff *bound;
    bool fine; /* all conditions on the lane are this one */
} Side;

/* Sees lo <= y * lane + rest < hi as a bound of lanes. */
static bool find_bound(Side *f, const Cond *c) {
    AffTable *t = f->r->b->affs;
    const Aff *rest;
    int64_t y, lo, hi;
    if (!aff_split(t, c->aff, f->var, &y, &rest) || (y != 1 && y != -1)) return false;
    if (!aff_range(c->aff, f->extents, f->var + 1, &lo, &hi)) return false;
    bool below = hi >= c->hi, above = lo < c->lo;
    if (below == above) return false;
    f->before = below == (y > 0);
    rest = aff_scale(t, rest, -y);
    f->bound = aff_add(t, rest, aff_const(t, y > 0 ? (below ? c->hi : c->lo) : 1 - (below ? c->hi : c->lo)));
    return aff_range(f->bound, f->extents, f->r->group->nrow, &lo, &hi) && lo >= 0 && hi <= f->extent;
}

static void find_side(const Graph *g, Ex e, void *self) {
    Side *f = self;
    const Expr *x = ir_expr(g, e);
    for (int i = 0; x->kind == EX_GUARD && f->fine && i < x->guard.n; i++) {
        const Cond *c = &x->guard.at[i];
        if (!aff_uses(c->aff, f->var)) continue;
        if (f->cond)
            f->fine = conds_equal(f->cond, c, 1);
        else if (!(f->fine = find_bound(f, c)))
            return;
        f->cond = c;
    }
}

static Side side_of(Rows *r, const Stage *s, int vector) {
    Side f = {.r = r, .var = r->group->nrow + vector, .extent = s->space[vector], .fine = s->nspace == 1};
    f.fine = f.fine && f.extent % r->width == 0 && f.extent >= LONG_ROW;
    f.extents = node_of(r, s->members[0])->comp.extents;
    for (int i = 0; i < s->nmembers; i++) ex_walk(r->b->g, node_of(r, s->members[i])->comp.body, find_side, &f);
    return f;
}

/* Whether nothing happens where the condition doesn't hold: all that is added there is nothing. */
static bool idle(const Rows *r, const Stage *s, const Cond *cond) {
    for (int i = 0; i < s->nmembers; i++) {
        const Node *n = node_of(r, s->members[i]);
        const Expr *x = ir_expr(r->b->g, n->comp.body);
        bool within = false;
        for (int c = 0; x->kind == EX_GUARD && c < x->guard.n; c++) within |= conds_equal(&x->guard.at[c], cond, 1);
        if (!within || !row_reduces(n)) return false;
        if (x->arg[1] != loop_identity(r->b->g, n->comp.combine, x->dtype)) return false;
    }
    return true;
}

/* Whole vectors of lanes, so many from `from` on. */
static void emit_side(Rows *r, const Stage *s, const Side *f, const Aff *from, const Aff *lanes) {
    const Aff *v = nest_var(&r->n, nest_for(&r->n, FOR_VECTOR, f->extent, lanes, r->width));
    r->row[f->var] = nest_stand(&r->n, aff_add(r->b->affs, from, v), f->extent);
    emit_point(r, s);
    nest_close(&r->n);
}

/* The vectors in which the condition holds for some lanes, and the others. */
static void emit_sides(Rows *r, const Stage *s, const Side *f) {
    AffTable *t = r->b->affs;
    const Aff *bound = loop_index(&r->n, f->bound, r->row, r->group->nrow), *none = aff_const(t, 0);
    if (f->before) bound = aff_add(t, bound, aff_const(t, r->width - 1));
    const Aff *cut = aff_scale(t, aff_div(t, bound, r->width), r->width);
    const Aff *rest = aff_sub(t, aff_const(t, f->extent), cut);
    const Cond cond = *f->cond; /* a copy: expressions move */
    emit_side(r, s, f, f->before ? none : cut, f->before ? cut : rest);
    if (idle(r, s, &cond)) return;
    r->b->fails = &cond;
    emit_side(r, s, f, f->before ? cut : none, f->before ? rest : cut);
    r->b->fails = NULL;
}

static void emit_pieces(Rows *r, const Stage *s, int vector) {
    Side f = side_of(r, s, vector);
    if (f.fine && f.cond) {
        emit_sides(r, s, &f);
        return;
    }
    Pieces p = find_pieces(r, s, vector);
    for (int i = 0; i < p.n; i++) {
        open_loops(r, s, 0, s->nspace, vector);
        open_lanes_inside(r, vector, p.from[i], p.from[i + 1] - p.from[i]);
        emit_point(r, s);
        close_space(r, s->nspace);
    }
}

static void emit_stage(Rows *r, const Stage *s) {
    for (int i = 0; i < s->nmembers; i++) {
        Ref m = s->members[i];
        bool kept = !reduces(r, m) || s->alone;
        if (kept && !r->b->s->stored[m] && later_stage_reads(r, m, r->stage)) declare_local(r, m);
    }
    if (s->alone) {
        emit_alone(r, s);
        return;
    }
    int vector = r->across ? -1 : rows_inner(r, s);
    begin_reductions(r, s);
    if (vector >= 0) {
        emit_pieces(r, s, vector);
    } else {
        open_space(r, s, 0, s->nspace, vector);
        if (r->across) open_lanes(r);
        emit_point(r, s);
        if (r->across) close_lanes(r);
        close_space(r, s->nspace);
    }
    end_reductions(r, s);
}

void rows_emit(Rows *r) {
    for (r->stage = 0; r->stage < r->nstages; r->stage++) emit_stage(r, &r->stages[r->stage]);
    for (int i = 0; i < r->group->nmembers; i++) r->b->local[r->group->members[i]] = (View){.buffer = -1};
}
