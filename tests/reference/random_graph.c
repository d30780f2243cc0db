/* Each function make_x adds one node of a kind over nodes made before. Values carry a bound of their magnitude, by
 * which the generator keeps them tame. */
#include "tests/reference/random_graph.h"

#include <math.h>
#include <stdlib.h>

enum { MOST_DIM = 9, MOST_RANK = 3, MOST_VARS = 6, MOST_NODES = 256, MOST_CARRIES = 4, MOST_DEPTH = 2 };

typedef struct {
    Graph *g;
    uint64_t seed;
    DType t;
    Ref floats[MOST_NODES], ints[MOST_NODES];
    double bound[MOST_NODES];   /* of floats[i] */
    int nfloats, nints, leaves; /* the first `leaves` of floats are leaves */
    int params;
    int loops, depth; /* which kinds of loops there are; around what is made now */
} Gen;

/* A domain: the variables and how far they run. */
typedef struct {
    int n;
    int64_t extent[MOST_VARS];
} Domain;

typedef struct {
    Ex e;
    double bound;
} Val;

static const Span nowhere = {0, 0, 0};

static int64_t pick(Gen *r, int64_t lo, int64_t hi) {
    uint64_t z = r->seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return lo + (int64_t)((z ^ z >> 31) % (uint64_t)(hi - lo + 1));
}

static bool chance(Gen *r, int percent) { return pick(r, 1, 100) <= percent; }

static Domain random_dims(Gen *r, int rank) {
    Domain d = {.n = rank};
    for (int i = 0; i < rank; i++) d.extent[i] = chance(r, 15) ? 1 : pick(r, 2, MOST_DIM);
    return d;
}

/* ---- index expressions ---- */

static const Aff *constant(Gen *r, int64_t c) { return aff_const(r->g->affs, c); }
static const Aff *variable(Gen *r, int v) { return aff_var(r->g->affs, v); }
static const Aff *plus(Gen *r, const Aff *a, const Aff *b) { return aff_add(r->g->affs, a, b); }
static const Aff *times(Gen *r, const Aff *a, int64_t k) { return aff_scale(r->g->affs, a, k); }

/* An index expression over the domain that stays within 0 .. dim-1. */
static const Aff *random_index(Gen *r, const Domain *d, int64_t dim) {
    if (!d->n || chance(r, 8)) return constant(r, pick(r, 0, dim - 1));
    int v = (int)pick(r, 0, d->n - 1);
    int64_t extent = d->extent[v];
    if (extent > dim) /* too long: fold it */
        return chance(r, 50) ? aff_mod(r->g->affs, variable(r, v), dim)
                             : aff_div(r->g->affs, variable(r, v), (extent + dim - 1) / dim);
    int64_t stride = extent > 1 ? pick(r, 1, (dim - 1) / (extent - 1)) : 1;
    int64_t slack = dim - 1 - stride * (extent - 1);
    const Aff *a = times(r, variable(r, v), stride);
    if (chance(r, 20)) a = plus(r, constant(r, stride * (extent - 1)), times(r, a, -1)); /* backwards */
    return plus(r, a, constant(r, chance(r, 50) ? 0 : pick(r, 0, slack)));
}

/* The variable of the domain with this extent at the same position, if there is one: most loads are aligned. */
static const Aff *aligned_index(Gen *r, const Domain *d, int i, int64_t dim) {
    if (i < d->n && d->extent[i] == dim && chance(r, 70)) return variable(r, i);
    return random_index(r, d, dim);
}

/* ---- expressions ---- */

static Val load_of(Gen *r, int which, const Domain *d) {
    const Node *n = ir_node(r->g, r->floats[which]);
    Place at[MOST_RANK];
    for (int i = 0; i < n->rank; i++) at[i] = (Place){aligned_index(r, d, i, n->dims[i]), 0};
    return (Val){ex_load(r->g, r->floats[which], at), r->bound[which]};
}

static Val load_any(Gen *r, const Domain *d) { return load_of(r, (int)pick(r, 0, r->nfloats - 1), d); }

/* A whole number from an int node, within 0 .. dim-1. */
static Ex clamped(Gen *r, const Domain *d, int64_t dim) {
    Ref x = r->ints[pick(r, 0, r->nints - 1)];
    const Node *n = ir_node(r->g, x);
    Place at[MOST_RANK];
    for (int i = 0; i < n->rank; i++) at[i] = (Place){aligned_index(r, d, i, n->dims[i]), 0};
    Ex e = ex_load(r->g, x, at);
    if (chance(r, 50)) return ex_op(r->g, EX_IMOD, e, ex_int(r->g, DT_I32, dim), 0);
    e = ex_op(r->g, EX_MAX, e, ex_int(r->g, DT_I32, 0), 0);
    return ex_op(r->g, EX_MIN, e, ex_int(r->g, DT_I32, dim - 1), 0);
}

static Val gather_any(Gen *r, const Domain *d) {
    int which = (int)pick(r, 0, r->nfloats - 1);
    const Node n = *ir_node(r->g, r->floats[which]);
    Place at[MOST_RANK];
    for (int i = 0; i < n.rank; i++) at[i] = (Place){aligned_index(r, d, i, n.dims[i]), 0};
    if (n.rank) {
        int i = (int)pick(r, 0, n.rank - 1);
        at[i] = (Place){constant(r, 0), clamped(r, d, n.dims[i])};
    }
    return (Val){ex_load(r->g, r->floats[which], at), r->bound[which]};
}

/* A load that leaves its tensor, guarded: a window with padding. */
static Val padded_any(Gen *r, const Domain *d) {
    int which = (int)pick(r, 0, r->nfloats - 1), n = 0;
    const Node node = *ir_node(r->g, r->floats[which]);
    Place at[MOST_RANK];
    Cond conds[MOST_RANK];
    for (int i = 0; i < node.rank; i++) {
        at[i] = (Place){aligned_index(r, d, i, node.dims[i]), 0};
        if (d->n && chance(r, 60)) {
            const Aff *a = times(r, variable(r, (int)pick(r, 0, d->n - 1)), pick(r, 1, 2));
            if (chance(r, 60)) a = plus(r, a, variable(r, (int)pick(r, 0, d->n - 1)));
            at[i].aff = plus(r, a, constant(r, pick(r, -2, 0)));
            conds[n++] = (Cond){at[i].aff, 0, node.dims[i]};
        }
    }
    Ex e = ex_load(r->g, r->floats[which], at), fill = ex_float(r->g, r->t, chance(r, 70) ? 0 : 0.5);
    return (Val){ex_guard(r->g, n, conds, e, fill), r->bound[which] + 0.5};
}

static Val leaf_value(Gen *r, const Domain *d) {
    int64_t k = pick(r, 1, 100);
    if (k <= 5) return (Val){ex_float(r->g, r->t, (double)pick(r, -8, 8) / 4), 2};
    if (k <= 10 && d->n) {
        Ex e = ex_index(r->g, DT_I32, random_index(r, d, MOST_DIM));
        return (Val){ex_op(r->g, EX_MUL, ex_cast(r->g, r->t, e), ex_float(r->g, r->t, 0.125), 0), 1.5};
    }
    if (k <= 20) return gather_any(r, d);
    if (k <= 35) return padded_any(r, d);
    return load_any(r, d);
}

static Val op1(Gen *r, ExKind op, Val a, double bound) { return (Val){ex_op(r->g, op, a.e, 0, 0), bound}; }
static Val op2(Gen *r, ExKind op, Val a, Val b, double bound) { return (Val){ex_op(r->g, op, a.e, b.e, 0), bound}; }
static Val number(Gen *r, double v) { return (Val){ex_float(r->g, r->t, v), fabs(v)}; }
static Val tame(Gen *r, Val a, double limit) {
    if (a.bound <= limit) return a;
    return chance(r, 50) ? op1(r, EX_TANH, a, 1) : op2(r, EX_MUL, a, number(r, limit / a.bound), limit);
}

/* |a| + 0.5: what may be divided by */
static Val positive(Gen *r, Val a) { return op2(r, EX_ADD, op1(r, EX_ABS, a, a.bound), number(r, 0.5), a.bound + 0.5); }

static Val random_unary(Gen *r, Val a) {
    switch (pick(r, 0, 14)) {
    case 0: return op1(r, EX_TANH, a, 1);
    case 1: return op1(r, EX_SIGMOID, a, 1);
    case 2: return op1(r, EX_NEG, a, a.bound);
    case 3: return op1(r, EX_ABS, a, a.bound);
    case 4: a = tame(r, a, 2); return op1(r, EX_EXP, a, exp(a.bound));
    case 5: return op1(r, EX_SQRT, positive(r, a), sqrt(a.bound + 0.5));
    case 6: return op1(r, EX_LOG, positive(r, a), 1 + log(a.bound + 1));
    case 7: return op1(r, EX_SIN, a, 1);
    case 8: return op1(r, EX_COS, a, 1);
    case 9: return op1(r, EX_ERF, a, 1);
    case 10: return op1(r, EX_RSQRT, positive(r, a), 2);
    case 11: return op2(r, EX_MAX, a, number(r, 0), a.bound);
    case 12: return op2(r, EX_MUL, a, number(r, (double)pick(r, -6, 6) / 4), a.bound * 1.5);
    case 13: return op2(r, EX_ADD, a, number(r, (double)pick(r, -4, 4) / 2), a.bound + 2);
    default: a = tame(r, a, 6); return op2(r, EX_MUL, a, a, a.bound * a.bound);
    }
}

static Val random_binary(Gen *r, const Domain *d, Val a, Val b) {
    double both = a.bound + b.bound;
    switch (pick(r, 0, 8)) {
    case 0: return op2(r, EX_SUB, a, b, both);
    case 1:
    case 2: a = tame(r, a, 6), b = tame(r, b, 6); return op2(r, EX_MUL, a, b, a.bound * b.bound);
    case 3: return op2(r, EX_DIV, a, positive(r, b), a.bound * 2);
    case 4: return op2(r, EX_MIN, a, b, both);
    case 5: return op2(r, EX_MAX, a, b, both);
    case 6: { /* a choice that depends on whole numbers alone */
        Ex p = ex_op(r->g, EX_LT, clamped(r, d, 7), ex_int(r->g, DT_I32, pick(r, 0, 6)), 0);
        return (Val){ex_op(r->g, EX_SELECT, p, a.e, b.e), both};
    }
    default: return op2(r, EX_ADD, a, b, both);
    }
}

static Val random_value(Gen *r, const Domain *d, int depth) {
    if (!depth) return leaf_value(r, d);
    Val a = random_value(r, d, depth - 1);
    if (chance(r, 45)) return tame(r, random_unary(r, a), 40);
    return tame(r, random_binary(r, d, a, chance(r, 15) ? a : random_value(r, d, depth - 1)), 40);
}

/* ---- nodes ---- */

static void keep(Gen *r, Ref node, double bound) {
    r->floats[r->nfloats] = node;
    r->bound[r->nfloats++] = bound;
}

static Ref comp(Gen *r, Combine c, const Domain *d, int rank, Ex body) {
    return ir_comp(r->g, c, rank, d->n - rank, d->extent, body, nowhere);
}

static void make_elementwise(Gen *r) {
    Domain d = random_dims(r, (int)pick(r, 0, MOST_RANK));
    Val v = random_value(r, &d, (int)pick(r, 1, 3));
    keep(r, comp(r, RED_NONE, &d, d.n, v.e), v.bound);
}

static double points(const Domain *d, int rank) {
    double n = 1;
    for (int v = rank; v < d->n; v++) n *= (double)d->extent[v];
    return n;
}

static void make_reduction(Gen *r) {
    static const Combine kinds[] = {RED_SUM, RED_SUM, RED_MAX, RED_MIN, RED_PROD};
    int rank = (int)pick(r, 0, 2), nred = (int)pick(r, 1, 2);
    Domain d = random_dims(r, rank + nred);
    Combine c = kinds[pick(r, 0, (int)COUNT(kinds) - 1)];
    Val v = random_value(r, &d, (int)pick(r, 0, 2));
    if (c == RED_SUM) v = tame(r, v, 40 / points(&d, rank)), v.bound *= points(&d, rank);
    if (c == RED_PROD) v = op1(r, EX_COS, v, 1);
    keep(r, comp(r, c, &d, rank, v.e), v.bound);
}

static void make_contraction(Gen *r) {
    int rank = (int)pick(r, 1, 3), nred = (int)pick(r, 1, 2);
    Domain d = random_dims(r, rank + nred);
    Val a = tame(r, chance(r, 30) ? padded_any(r, &d) : load_any(r, &d), 4);
    Val b = tame(r, chance(r, 20) ? gather_any(r, &d) : load_any(r, &d), 4);
    Val v = op2(r, EX_MUL, a, b, a.bound * b.bound);
    v = tame(r, v, 60 / points(&d, rank));
    keep(r, comp(r, RED_SUM, &d, rank, v.e), v.bound * points(&d, rank));
}

static void make_reshape(Gen *r) {
    int which = (int)pick(r, 0, r->nfloats - 1);
    const Node n = *ir_node(r->g, r->floats[which]);
    int64_t len = ir_elements(&n), first = pick(r, 1, MIN(len, MOST_DIM));
    while (len % first) first--;
    if (len / first > MOST_DIM * MOST_DIM) return;
    Domain d = {.n = 2, .extent = {first, len / first}};
    const Aff *flat = plus(r, times(r, variable(r, 0), d.extent[1]), variable(r, 1));
    Place at[MOST_RANK];
    for (int i = n.rank; i-- > 0; flat = aff_div(r->g->affs, flat, n.dims[i]))
        at[i] = (Place){aff_mod(r->g->affs, flat, n.dims[i]), 0};
    keep(r, comp(r, RED_NONE, &d, 2, ex_load(r->g, r->floats[which], at)), r->bound[which]);
}

/* Two values side by side along the first axis. */
static void make_concat(Gen *r) {
    Domain d = random_dims(r, (int)pick(r, 1, 2));
    d.extent[0] = pick(r, 2, MOST_DIM);
    int64_t cut = pick(r, 1, d.extent[0] - 1);
    Domain left = d, right = d;
    left.extent[0] = cut;
    right.extent[0] = d.extent[0] - cut;
    Val a = random_value(r, &left, 1), b = random_value(r, &right, 1);
    const Aff *shifted = plus(r, variable(r, 0), constant(r, -cut));
    Ex second = ex_subst(r->g, b.e, &shifted, 1);
    second = ex_guard(r->g, 1, &(Cond){variable(r, 0), cut, d.extent[0]}, second, ex_float(r->g, r->t, 0));
    Ex e = ex_guard(r->g, 1, &(Cond){variable(r, 0), 0, cut}, a.e, second);
    keep(r, comp(r, RED_NONE, &d, d.n, e), a.bound + b.bound);
}

static void make_scatter(Gen *r) {
    Domain q = random_dims(r, (int)pick(r, 1, 2)), d = random_dims(r, (int)pick(r, 1, 2));
    Place at[MOST_RANK];
    for (int i = 0; i < d.n; i++)
        at[i] = i == 0 ? (Place){constant(r, 0), clamped(r, &q, d.extent[0])}
                       : (Place){random_index(r, &q, d.extent[i]), 0};
    Val v = tame(r, random_value(r, &q, 1), 60 / points(&q, 0));
    keep(r, ir_scatter(r->g, d.n, d.extent, at, q.n, q.extent, v.e, nowhere), v.bound * points(&q, 0));
}

/* Whole numbers: the winner among the elements of a leaf, or arithmetic. */
static void make_integers(Gen *r) {
    Domain d = random_dims(r, 2);
    if (chance(r, 50)) {
        Ex x = load_of(r, (int)pick(r, 0, r->leaves - 1), &d).e;
        r->ints[r->nints++] = comp(r, chance(r, 50) ? RED_ARGMAX : RED_ARGMIN, &d, 1, x);
        return;
    }
    Ex a = clamped(r, &d, 9), b = ex_index(r->g, DT_I32, random_index(r, &d, 7));
    ExKind op = (ExKind[]){EX_ADD, EX_SUB, EX_MUL, EX_IDIV, EX_IMOD, EX_MAX}[pick(r, 0, 5)];
    r->ints[r->nints++] = comp(r, RED_NONE, &d, 2, ex_op(r->g, op, a, b, 0));
}

/* The order of a leaf, and mostly its elements in that order. */
static void make_sort(Gen *r) {
    int which = (int)pick(r, 0, r->leaves - 1);
    const Node n = *ir_node(r->g, r->floats[which]);
    if (!n.rank) return;
    int64_t k = pick(r, 1, n.dims[n.rank - 1]);
    Ref order = ir_sort(r->g, r->floats[which], k, chance(r, 50), nowhere);
    r->ints[r->nints++] = order;
    if (n.rank > 2 || chance(r, 30)) return;
    Domain d = {.n = n.rank};
    Place at[MOST_RANK];
    for (int i = 0; i < n.rank; i++) d.extent[i] = n.dims[i], at[i] = (Place){variable(r, i), 0};
    d.extent[n.rank - 1] = k;
    at[n.rank - 1] = (Place){constant(r, 0), ex_load(r->g, order, at)};
    keep(r, comp(r, RED_NONE, &d, d.n, ex_load(r->g, r->floats[which], at)), r->bound[which]);
}

static void make_loop(Gen *r);

static void make_node(Gen *r) {
    static void (*const makers[])(Gen *) = {make_elementwise, make_elementwise, make_elementwise, make_reduction,
                                            make_reduction,   make_contraction, make_contraction, make_reshape,
                                            make_concat,      make_scatter,     make_integers,    make_sort};
    if (r->loops && r->depth < MOST_DEPTH && chance(r, 8)) {
        make_loop(r);
        return;
    }
    makers[pick(r, 0, (int)COUNT(makers) - 1)](r);
}

/* ---- loops ---- */

enum { CARRIED = 2 }; /* the bound of what is carried */

typedef struct {
    Domain dims; /* of all carries but the counter of a while */
    int n;       /* carries */
    Ref init[MOST_CARRIES + 1], next[MOST_CARRIES + 1], leaf[MOST_CARRIES];
    Ref yield[2];
} Loop;

static Ref carried_value(Gen *r, const Domain *d) {
    return comp(r, RED_NONE, d, d->n, tame(r, random_value(r, d, 1), CARRIED).e);
}

static void begin_carries(Gen *r, Loop *l, int id) {
    l->dims = random_dims(r, (int)pick(r, 0, 2));
    l->n = (int)pick(r, 1, MOST_CARRIES);
    for (int k = 0; k < l->n; k++) l->init[k] = carried_value(r, &l->dims);
    for (int k = 0; k < l->n; k++) {
        l->leaf[k] = ir_carry(r->g, id, k, r->t, l->dims.n, l->dims.extent, NULL, nowhere);
        keep(r, l->leaf[k], CARRIED);
    }
}

/* Mostly new values; some carries change places or stay as they are. */
static void end_carries(Gen *r, Loop *l) {
    for (int k = 0; k < l->n; k++)
        l->next[k] = chance(r, 20) ? l->leaf[pick(r, 0, l->n - 1)] : carried_value(r, &l->dims);
}

/* One more carry that counts, and the condition that it is below a whole number. */
static Ref count_up(Gen *r, Loop *l, int id) {
    Graph *g = r->g;
    Ref leaf = ir_carry(g, id, l->n, DT_I32, 0, NULL, NULL, nowhere);
    Domain none = {0};
    Ex now = ex_load(g, leaf, NULL), limit = chance(r, 50) ? clamped(r, &none, 4) : ex_int(g, DT_I32, pick(r, 0, 3));
    l->init[l->n] = comp(r, RED_NONE, &none, 0, ex_int(g, DT_I32, 0));
    l->next[l->n++] = comp(r, RED_NONE, &none, 0, ex_op(g, EX_ADD, now, ex_int(g, DT_I32, 1), 0));
    return comp(r, RED_NONE, &none, 0, ex_op(g, EX_LT, now, limit, 0));
}

static void make_body(Gen *r) {
    r->depth++;
    for (int64_t i = pick(r, 1, 4); i > 0 && r->nfloats + r->nints < MOST_NODES - 8; i--) make_node(r);
    r->depth--;
}

/* Nodes of the body are no operands of what follows it: its results are. */
static void make_loop(Gen *r) {
    Graph *g = r->g;
    int nfloats = r->nfloats, nints = r->nints;
    if (nfloats + nints >= MOST_NODES / 2) return;
    int id = g->nscans++;
    bool is_while = r->loops == RANDOM_WHILES || (r->loops & RANDOM_WHILES && chance(r, 50));
    ScanDesc s = {.id = id, .extent = pick(r, 0, 4), .reverse = !is_while && chance(r, 30)};
    Loop l = {0};
    begin_carries(r, &l, id);
    int nfirst = r->nfloats, ncarry = l.n;
    if (!is_while) r->ints[r->nints++] = ir_iteration(g, id, nowhere);
    make_body(r);
    end_carries(r, &l);
    if (is_while) s.cond = count_up(r, &l, id);
    double bounds[2] = {0};
    for (int k = nfirst; !is_while && s.extent && k < r->nfloats && s.nyield < 2; k++) {
        if (ir_node(g, r->floats[k])->rank == MOST_RANK) continue;
        bounds[s.nyield] = r->bound[k];
        l.yield[s.nyield++] = r->floats[k];
    }
    s.ncarry = l.n, s.init = l.init, s.next = l.next, s.yield = l.yield;
    Ref loop = ir_scan(g, &s, nowhere);
    r->nfloats = nfloats, r->nints = nints;
    for (int k = 0; k < ncarry; k++) keep(r, ir_result(g, loop, k, nowhere), CARRIED);
    for (int k = 0; k < s.nyield; k++) keep(r, ir_result(g, loop, l.n + k, nowhere), bounds[k]);
}

static void make_leaves(Gen *r) {
    int inputs = (int)pick(r, 2, 3);
    r->params = (int)pick(r, 1, 2);
    for (int i = 0; i < inputs + r->params; i++) {
        Domain d = random_dims(r, (int)pick(r, i == 0, MOST_RANK));
        LeafKind kind = i < inputs ? LEAF_INPUT : LEAF_PARAM;
        keep(r, ir_leaf(r->g, kind, i < inputs ? i : i - inputs, r->t, d.n, d.extent, NULL, nowhere), 2);
    }
    r->leaves = r->nfloats;
    Domain d = random_dims(r, 2), bytes = random_dims(r, 2);
    r->ints[r->nints++] = ir_leaf(r->g, LEAF_INPUT, inputs, DT_I32, d.n, d.extent, NULL, nowhere);
    Ref u8 = ir_leaf(r->g, LEAF_INPUT, inputs + 1, DT_U8, bytes.n, bytes.extent, NULL, nowhere);
    Place at[2] = {{variable(r, 0), 0}, {variable(r, 1), 0}};
    Ex e = ex_op(r->g, EX_DIV, ex_cast(r->g, r->t, ex_load(r->g, u8, at)), ex_float(r->g, r->t, 255), 0);
    keep(r, comp(r, RED_NONE, &bytes, 2, e), 1);
}

/* A new value for each parameter: p - 0.1 * something of its shape. */
static void make_updates(Gen *r) {
    for (size_t i = 1, n = r->g->nodes.len; i < n; i++) {
        const Node p = *ir_node(r->g, (Ref)i);
        if (p.kind != N_LEAF || p.leaf.kind != LEAF_PARAM) continue;
        Domain d = {.n = p.rank};
        Place at[MOST_RANK];
        for (int k = 0; k < p.rank; k++) d.extent[k] = p.dims[k], at[k] = (Place){variable(r, k), 0};
        Ex step = ex_op(r->g, EX_MUL, random_value(r, &d, 1).e, ex_float(r->g, r->t, 0.1), 0);
        Ex e = ex_op(r->g, EX_SUB, ex_load(r->g, (Ref)i, at), step, 0);
        ir_output(r->g, OUT_PARAM, p.leaf.slot, comp(r, RED_NONE, &d, p.rank, e), NULL);
    }
}

static void mark_used(Ref used, void *self) { ((bool *)self)[used] = true; }

static void make_results(Gen *r) {
    Graph *g = r->g;
    bool *used = xcalloc(g->nodes.len, sizeof *used);
    const Ref *home = ir_homes(g);
    int slot = 0;
    for (Ref i = 1; i < g->nodes.len; i++) ir_uses(g, i, mark_used, used);
    for (size_t i = 0; i < g->outputs.len; i++) used[g->outputs.at[i].node] = true;
    for (Ref i = 1; i < g->nodes.len; i++) {
        NodeKind kind = ir_node(g, i)->kind;
        if (!used[i] && !home[i] && kind != N_LEAF && kind != N_SCAN) ir_output(g, OUT_RESULT, slot++, i, NULL);
    }
    free(used);
}

Graph *random_graph(Nnc *nnc, uint64_t seed, DType t, int nodes, int loops) {
    Gen r = {.g = ir_graph_new(nnc), .seed = seed, .t = t, .loops = loops};
    make_leaves(&r);
    for (int i = 0; i < nodes && r.nfloats + r.nints < MOST_NODES - 1; i++) make_node(&r);
    make_updates(&r);
    make_results(&r);
    return r.g;
}
