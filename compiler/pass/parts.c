/* The batch in parts: less memory for what there is of each sample, the same updates.
 *
 * before    no gradients left to take
 * after     what depends on samples is in scans over parts of the batch
 * requires  batch_find, with nothing mixed
 * keeps     values but for the order of sums over the batch; random numbers: each sample has its own
 * breaks    nothing
 *
 * A scan carries the sums over the samples, beginning with zeros, and stacks what is an output for each of them. A last
 * part that is smaller comes behind it; its sums are added. What needs such sums for each sample, as a report with the
 * new values of parameters does, is in another scan, where what it shares with those before is computed again.
 *
 * A part is a copy of the nodes that depend on samples. An index that moves from part to part, into a tensor that is
 * there as a whole or as a value by itself, gets the distance of the part added. */
#include "compiler/pass/parts.h"

#include <string.h>

/* One copy of what depends on samples. */
typedef struct {
    int64_t size;  /* samples */
    Ref iteration; /* the number of the part; 0: it is the last one, behind all full parts */
    int round;     /* the sums are those of this one */
    int first_id;  /* of the loops inside: what their numbers begin with */
    Ref *refs;     /* per old node: the one that takes its place in this part, where it is needed */
} Part;

typedef struct {
    const Batch *b;
    const Graph *from;
    Graph *to;
    Ref *refs;       /* per old node that is outside of the parts, or a sum over them: the new one */
    Part *part;      /* the one that is being made */
    Ref node;        /* the old node whose expressions are rewritten */
    uint32_t *stamp; /* per old expression: the number of the node that `memo` is for */
    Ex *memo;
    uint32_t turn;
} Parts;

static Ex rewrite(Parts *p, Ex e);

/* ---- expressions ---- */

static const Aff *copy_aff(const Parts *p, const Aff *a) { return aff_subst(p->to->affs, a, NULL, 0); }

/* How far into the whole the part is, along an index that moves by `step` from part to part. */
static Ex distance(const Parts *p, DType t, int64_t step) {
    Graph *g = p->to;
    if (!p->part->iteration) return ex_int(g, t, p->b->size / p->b->part * step);
    return ex_op(g, EX_MUL, ex_cast(g, t, ex_load(g, p->part->iteration, NULL)), ex_int(g, t, step), 0);
}

static int64_t step_of(const Parts *p, const Aff *a) {
    const Node *n = ir_node(p->from, p->node);
    int var = p->b->use[p->node].var;
    int64_t step;
    if (var < 0) return 0;
    if (!batch_step(p->b, a, var, n->kind == N_COMP ? n->comp.extents[var] : n->scatter.extents[var], &step))
        bug("node %u is cut into parts, but its indices do not move evenly", p->node);
    return step;
}

static Place rewrite_place(Parts *p, const Place *at, bool whole) {
    Ex gather = at->gather ? rewrite(p, at->gather) : 0;
    int64_t step = whole ? step_of(p, at->aff) : 0;
    if (step) {
        Ex far = distance(p, gather ? ir_expr(p->to, gather)->dtype : DT_I32, step);
        gather = gather ? ex_op(p->to, EX_ADD, gather, far, 0) : far;
    }
    return (Place){copy_aff(p, at->aff), gather};
}

static Ex rewrite_load(Parts *p, const Expr *x) {
    Ref old = x->load.node, made = p->part->refs[old];
    bool apart = p->b->use[old].kind == BATCH_APART;
    Place *at = ARENA_ARRAY(p->to->nnc->arena, Place, x->load.rank);
    for (int d = 0; d < x->load.rank; d++) at[d] = rewrite_place(p, &x->load.at[d], !apart);
    return ex_load(p->to, made, at);
}

static Ex rewrite_guard(Parts *p, const Expr *x) {
    const Cond *conds = conds_copy(p->to, x->guard.at, x->guard.n);
    Ex inside = rewrite(p, x->arg[0]);
    return ex_guard(p->to, x->guard.n, conds, inside, rewrite(p, x->arg[1]));
}

static Ex rewrite_index(Parts *p, const Expr *x) {
    int64_t step = step_of(p, x->index);
    Ex local = ex_index(p->to, x->dtype, copy_aff(p, x->index));
    return step ? ex_op(p->to, EX_ADD, local, distance(p, x->dtype, step), 0) : local;
}

static Ex rewrite_new(Parts *p, Ex e) {
    const Expr x = *ir_expr(p->from, e);
    Ex arg[4] = {0};
    switch (x.kind) {
    case EX_CONST:
    case EX_FETCH: return ex_copy(p->to, p->from, e, NULL, 0, NULL);
    case EX_INDEX: return rewrite_index(p, &x);
    case EX_LOAD: return rewrite_load(p, &x);
    case EX_GUARD: return rewrite_guard(p, &x);
    case EX_CAST: return ex_cast(p->to, x.dtype, rewrite(p, x.arg[0]));
    default: break;
    }
    for (int i = 0; i < op_info(x.kind)->arity; i++) arg[i] = rewrite(p, x.arg[i]);
    if (x.kind == EX_RANDOM) return ex_random(p->to, arg[0], arg[1], arg[2], arg[3]);
    return ex_op(p->to, x.kind, arg[0], arg[1], arg[2]);
}

static Ex rewrite(Parts *p, Ex e) {
    if (p->stamp[e] == p->turn) return p->memo[e];
    Ex made = rewrite_new(p, e);
    p->stamp[e] = p->turn;
    return p->memo[e] = made;
}

/* ---- nodes ---- */

/* The sizes of a tensor in this part. */
static const int64_t *part_dims(const Parts *p, Ref r) {
    const Node *n = ir_node(p->from, r);
    const BatchUse *use = &p->b->use[r];
    int64_t *dims = ARENA_ARRAY(p->to->nnc->arena, int64_t, n->rank + 1);
    if (n->rank) memcpy(dims, n->dims, sizeof *dims * (size_t)n->rank);
    if (use->kind == BATCH_APART) dims[use->axis] = batch_places(p->b, dims[use->axis], p->part->size);
    return dims;
}

static const int64_t *part_extents(const Parts *p, const int64_t *extents, int n, int var) {
    int64_t *part = ARENA_ARRAY(p->to->nnc->arena, int64_t, n + 1);
    if (n) memcpy(part, extents, sizeof *part * (size_t)n);
    if (var >= 0) part[var] = batch_places(p->b, part[var], p->part->size);
    return part;
}

/* The part of a tensor that is there as a whole. */
static Ref slice(Parts *p, Ref whole, int axis) {
    Graph *g = p->to;
    const Node n = *ir_node(g, whole);
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, n.rank);
    for (int d = 0; d < n.rank; d++) at[d].aff = aff_var(g->affs, d);
    int64_t *dims = arena_copy(g->nnc->arena, n.dims, sizeof *dims * (size_t)n.rank);
    dims[axis] = batch_places(p->b, n.dims[axis], p->part->size);
    at[axis].gather = distance(p, DT_I32, batch_places(p->b, n.dims[axis], p->b->part));
    return ir_comp(g, RED_NONE, n.rank, 0, dims, ex_load(g, whole, at), n.at);
}

/* What old node `r` is in this part where the samples are wanted along `axis`; -1: none are. */
static Ref in_part(Parts *p, Ref r, int axis) {
    Ref made = p->part->refs[r];
    return axis >= 0 && p->b->use[r].kind != BATCH_APART ? slice(p, made, axis) : made;
}

static int loop_id(const Parts *p, int old) { return p->part->first_id + old; }

static Ref copy_scan(Parts *p, const Node *n) {
    Arena *a = p->to->nnc->arena;
    Ref *init = ARENA_ARRAY(a, Ref, n->scan.ncarry), *next = ARENA_ARRAY(a, Ref, n->scan.ncarry);
    Ref *yield = ARENA_ARRAY(a, Ref, n->scan.nyield);
    for (int k = 0; k < n->scan.ncarry; k++) {
        const BatchUse *first = &p->b->use[n->scan.init[k]], *then = &p->b->use[n->scan.next[k]];
        int axis = first->kind == BATCH_APART ? first->axis : then->kind == BATCH_APART ? then->axis : -1;
        init[k] = in_part(p, n->scan.init[k], axis);
        next[k] = in_part(p, n->scan.next[k], axis);
    }
    for (int k = 0; k < n->scan.nyield; k++) yield[k] = n->scan.yield[k] ? p->part->refs[n->scan.yield[k]] : 0;
    ScanDesc d = {.id = loop_id(p, n->scan.id), .extent = n->scan.extent, .reverse = n->scan.reverse};
    d.cond = n->scan.cond ? p->part->refs[n->scan.cond] : 0;
    d.ncarry = n->scan.ncarry, d.nyield = n->scan.nyield;
    d.init = init, d.next = next, d.yield = yield;
    return ir_scan(p->to, &d, n->at);
}

static Ref copy_leaf(Parts *p, Ref r, const Node *n) {
    if (n->leaf.kind == LEAF_ITER) return ir_iteration(p->to, loop_id(p, n->leaf.slot), n->at);
    if (n->leaf.kind != LEAF_CARRY) return slice(p, ir_copy(p->to, p->from, r, NULL), p->b->use[r].axis);
    return ir_carry(p->to, loop_id(p, n->leaf.slot), n->leaf.index, n->dtype, n->rank, part_dims(p, r), n->name, n->at);
}

static Ref copy_body(Parts *p, Ref r, const Node *n) {
    int var = p->b->use[r].var;
    p->node = r;
    p->turn++;
    if (n->kind == N_COMP) {
        Ex body = rewrite(p, n->comp.body);
        const int64_t *extents = part_extents(p, n->comp.extents, n->rank + n->comp.nred, var);
        return ir_comp(p->to, n->comp.combine, n->rank, n->comp.nred, extents, body, n->at);
    }
    Place *at = ARENA_ARRAY(p->to->nnc->arena, Place, n->rank);
    for (int d = 0; d < n->rank; d++) at[d] = rewrite_place(p, &n->scatter.place[d], false);
    Ex body = rewrite(p, n->scatter.body);
    const int64_t *extents = part_extents(p, n->scatter.extents, n->scatter.ndomain, var);
    return ir_scatter(p->to, n->rank, part_dims(p, r), at, n->scatter.ndomain, extents, body, n->at);
}

static Ref copy_inside(Parts *p, Ref r) {
    const Node n = *ir_node(p->from, r);
    switch (n.kind) {
    case N_LEAF: return copy_leaf(p, r, &n);
    case N_COMP:
    case N_SCATTER: return copy_body(p, r, &n);
    case N_SORT: return ir_sort(p->to, p->part->refs[n.sort.of], n.dims[n.rank - 1], n.sort.descending, n.at);
    case N_SCAN: return copy_scan(p, &n);
    case N_RESULT: return ir_result(p->to, p->part->refs[n.result.of], n.result.index, n.at);
    default: bug("a part of a batch has a node of kind %d", (int)n.kind);
    }
}

static bool is_sum_of(const Parts *p, Ref r, int round) {
    return p->b->use[r].kind == BATCH_SUM && p->b->use[r].after == round;
}

/* A value for each sample that the graph gives back. */
static bool is_output_of(const Parts *p, Ref r, int round) {
    return p->b->use[r].output && p->b->use[r].after == round;
}

/* What the sums of a round are made of, down to what is there before it. */
static const bool *find_needed(const Parts *p, int round) {
    bool *needed = ARENA_ARRAY(p->to->nnc->arena, bool, p->from->nodes.len);
    for (Ref r = (Ref)p->from->nodes.len - 1; r > 0; r--) {
        const BatchUse *use = &p->b->use[r];
        needed[r] = needed[r] || is_sum_of(p, r, round) || is_output_of(p, r, round);
        if (needed[r] && use->inside && (use->kind != BATCH_SUM || use->after == round))
            ir_mark_uses(p->from, r, needed);
    }
    return needed;
}

static void make_part(Parts *p, Part *part) {
    const bool *needed = find_needed(p, part->round);
    p->part = part;
    part->refs = ARENA_ARRAY(p->to->nnc->arena, Ref, p->from->nodes.len);
    for (Ref r = 1; r < p->from->nodes.len; r++) {
        const BatchUse *use = &p->b->use[r];
        if (!needed[r]) continue;
        if (!use->inside || (use->kind == BATCH_SUM && use->after < part->round)) {
            part->refs[r] = p->refs[r];
            continue;
        }
        Ref fresh = (Ref)p->to->nodes.len;
        part->refs[r] = copy_inside(p, r);
        ir_name(p->to, part->refs[r], ir_node(p->from, r)->name);
        if (part->refs[r] >= fresh) ir_node(p->to, part->refs[r])->adjoint = ir_node(p->from, r)->adjoint;
    }
}

/* ---- sums ---- */

static Ex element(Graph *g, Ref r) {
    int rank = ir_node(g, r)->rank;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, rank);
    for (int d = 0; d < rank; d++) at[d].aff = aff_var(g->affs, d);
    return ex_load(g, r, at);
}

/* The sums over samples `a` and `b` together: old node r is the one over all. */
static Ref add(const Parts *p, Ref r, Ref a, Ref b) {
    Graph *g = p->to;
    const Node *old = ir_node(p->from, r), n = *ir_node(g, b);
    static const ExKind ops[] = {[RED_SUM] = EX_ADD, [RED_PROD] = EX_MUL, [RED_MAX] = EX_MAX, [RED_MIN] = EX_MIN};
    Combine c = old->kind == N_COMP ? old->comp.combine : RED_SUM;
    ExKind op = n.dtype != DT_BOOL ? ops[c] : c == RED_MAX ? EX_OR : EX_AND;
    return ir_comp(g, RED_NONE, n.rank, 0, n.dims, ex_op(g, op, element(g, a), element(g, b), 0), n.at);
}

/* The sum over no samples. */
static Ref nothing(const Parts *p, Ref r, const Node *sum) {
    Graph *g = p->to;
    const Node *old = ir_node(p->from, r);
    int64_t *extents = ARENA_ARRAY(g->nnc->arena, int64_t, sum->rank + 1);
    if (sum->rank) memcpy(extents, sum->dims, sizeof *extents * (size_t)sum->rank);
    return ir_comp(g, old->kind == N_COMP ? old->comp.combine : RED_SUM, sum->rank, 1, extents, ex_zero(g, sum->dtype),
                   sum->at);
}

/* The values for all samples of an output, those of the full parts stacked by the number of the part. */
static Ref joined(Parts *p, Ref r, Ref stacked, Ref rest) {
    Graph *g = p->to;
    const Node n = *ir_node(p->from, r);
    int axis = p->b->use[r].axis;
    int64_t each = batch_places(p->b, n.dims[axis], p->b->part), full = p->b->size / p->b->part * each;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, n.rank + 1);
    for (int d = 0; d < n.rank; d++) at[d + 1].aff = aff_var(g->affs, d);
    at[0].aff = aff_div(g->affs, at[axis + 1].aff, each);
    at[axis + 1].aff = aff_mod(g->affs, at[axis + 1].aff, each);
    Ex value = ex_load(g, stacked, at);
    if (rest) {
        const Aff *i = aff_var(g->affs, axis);
        const Cond before = {i, 0, full}, behind = {i, full, n.dims[axis]};
        at[axis + 1].aff = aff_sub(g->affs, i, aff_const(g->affs, full));
        Ex last = ex_guard(g, 1, &behind, ex_load(g, rest, at + 1), ex_zero(g, n.dtype));
        value = ex_guard(g, 1, &before, value, last);
    }
    return ir_comp(g, RED_NONE, n.rank, 0, n.dims, value, n.at);
}

/* The scan over the full parts: every sum over the samples is a carry; what has a value for each is stacked. */
static void scan_parts(Parts *p, int round) {
    Graph *g = p->to;
    int id = g->nscans, most = (int)p->from->nodes.len;
    Part part = {.size = p->b->part, .iteration = ir_iteration(g, id, (Span){0}), .round = round, .first_id = id + 1};
    Ref *init = ARENA_ARRAY(g->nnc->arena, Ref, most), *next = ARENA_ARRAY(g->nnc->arena, Ref, most);
    Ref *yield = ARENA_ARRAY(g->nnc->arena, Ref, most);
    ScanDesc d = {.id = id, .extent = p->b->size / p->b->part, .init = init, .next = next, .yield = yield};
    make_part(p, &part);
    for (Ref r = 1; r < p->from->nodes.len; r++) {
        if (is_output_of(p, r, round)) yield[d.nyield++] = part.refs[r];
        if (!is_sum_of(p, r, round)) continue;
        const Node sum = *ir_node(g, part.refs[r]);
        Ref carry = ir_carry(g, id, d.ncarry, sum.dtype, sum.rank, sum.dims, sum.name, sum.at);
        init[d.ncarry] = nothing(p, r, &sum);
        next[d.ncarry++] = add(p, r, carry, part.refs[r]);
    }
    Ref scan = ir_scan(g, &d, (Span){0});
    int sums = 0, outputs = d.ncarry;
    for (Ref r = 1; r < p->from->nodes.len; r++) {
        bool output = is_output_of(p, r, round);
        if (!output && !is_sum_of(p, r, round)) continue;
        p->refs[r] = ir_result(g, scan, output ? outputs++ : sums++, ir_node(p->from, r)->at);
    }
}

static void make_round(Parts *p, int round) {
    Part last = {.size = p->b->rest, .round = round};
    scan_parts(p, round);
    last.first_id = p->to->nscans;
    if (last.size) make_part(p, &last);
    for (Ref r = 1; r < p->from->nodes.len; r++) {
        if (is_output_of(p, r, round)) p->refs[r] = joined(p, r, p->refs[r], last.size ? last.refs[r] : 0);
        if (last.size && is_sum_of(p, r, round)) p->refs[r] = add(p, r, p->refs[r], last.refs[r]);
    }
}

/* What is computed behind so many rounds, once. */
static void copy_outside(Parts *p, int after) {
    for (Ref r = 1; r < p->from->nodes.len; r++)
        if (!p->b->use[r].inside && p->b->use[r].after == after) p->refs[r] = ir_copy(p->to, p->from, r, p->refs);
}

Graph *pass_parts(Nnc *nnc, const Batch *b) {
    Parts p = {.b = b, .from = b->g, .to = ir_graph_new(nnc)};
    p.to->nscans = b->g->nscans;
    p.refs = ARENA_ARRAY(nnc->arena, Ref, b->g->nodes.len);
    p.stamp = ARENA_ARRAY(nnc->arena, uint32_t, b->g->exprs.len);
    p.memo = ARENA_ARRAY(nnc->arena, Ex, b->g->exprs.len);
    copy_outside(&p, 0);
    for (int round = 0; round < b->rounds; round++) {
        make_round(&p, round);
        copy_outside(&p, round + 1);
    }
    ir_copy_outputs(p.to, b->g, p.refs);
    return ir_compact(p.to, NULL);
}
