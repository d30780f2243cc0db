/* Graphs and their scalar expressions. Equal expressions are made once: ex_share looks for one before it adds another.
 */
#include "compiler/ir/private.h"

#include <stdlib.h>
#include <string.h>

/* ---- graphs and growth ---- */

void *graph_grow(Graph *g, const void *at, size_t len, size_t *cap, size_t size) {
    *cap = *cap ? *cap * 2 : 64;
    void *more = arena_alloc(g->nnc->arena, *cap * size);
    if (len) memcpy(more, at, len * size);
    return more;
}

Graph *ir_graph_new(Nnc *nnc) {
    Graph *g = ARENA_NEW(nnc->arena, Graph);
    g->nnc = nnc;
    g->affs = aff_table_new(nnc->arena);
    g->tables = ARENA_NEW(nnc->arena, struct IrTables);
    graph_push(g, &g->nodes, (Node){.kind = N_NONE});
    graph_push(g, &g->exprs, (Expr){.kind = EX_NONE});
    return g;
}

int64_t ir_elements(const Node *n) {
    int64_t elements = 1;
    for (int i = 0; i < n->rank; i++)
        if (__builtin_mul_overflow(elements, n->dims[i], &elements)) bug("a tensor of more than 2^63 elements");
    return elements;
}

/* ---- sharing ---- */

uint64_t hash_mix(uint64_t h, uint64_t x) {
    h = (h ^ x) * 0x9E3779B97F4A7C15u;
    return h ^ (h >> 29);
}

uint32_t share_next(const ShareTable *t, uint64_t hash, size_t *slot) {
    while (t->cap) {
        size_t i = (*slot)++ & (t->cap - 1);
        if (!t->slots[i]) return 0;
        if (t->hashes[i] == hash) return t->slots[i];
    }
    return 0;
}

static void put(ShareTable *t, uint64_t hash, uint32_t number) {
    size_t i = (size_t)hash & (t->cap - 1);
    while (t->slots[i]) i = (i + 1) & (t->cap - 1);
    t->slots[i] = number;
    t->hashes[i] = hash;
}

void share_add(Graph *g, ShareTable *t, uint64_t hash, uint32_t number) {
    if ((t->len + 1) * 2 > t->cap) {
        ShareTable old = *t;
        t->cap = MAX(old.cap * 2, 64);
        t->slots = ARENA_ARRAY(g->nnc->arena, uint32_t, t->cap);
        t->hashes = ARENA_ARRAY(g->nnc->arena, uint64_t, t->cap);
        for (size_t i = 0; i < old.cap; i++)
            if (old.slots[i]) put(t, old.hashes[i], old.slots[i]);
    }
    put(t, hash, number);
    t->len++;
}

static uint64_t hash_expr(const Expr *x) {
    uint64_t h = hash_mix(hash_mix(0, (uint64_t)x->kind), (uint64_t)x->dtype), bits;
    for (int i = 0; i < 4; i++) h = hash_mix(h, x->arg[i]);
    switch (x->kind) {
    case EX_CONST:
        memcpy(&bits, &x->i, sizeof bits); /* floats by their bits: -0 is not 0, NaN equals itself */
        return hash_mix(h, bits);
    case EX_INDEX: return hash_mix(h, x->index->id);
    case EX_LOAD:
        h = hash_mix(h, x->load.node);
        for (int i = 0; i < x->load.rank; i++) h = hash_mix(hash_mix(h, x->load.at[i].aff->id), x->load.at[i].gather);
        return h;
    case EX_GUARD:
        for (int i = 0; i < x->guard.n; i++) {
            const Cond *c = &x->guard.at[i];
            h = hash_mix(hash_mix(hash_mix(h, c->aff->id), (uint64_t)c->lo), (uint64_t)c->hi);
        }
        return h;
    case EX_FETCH:
        return hash_mix(hash_mix(hash_mix(h, (uint64_t)x->fetch.buffer), x->fetch.at.aff->id), x->fetch.at.gather);
    default: return h;
    }
}

static bool equal_places(const Place *a, const Place *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i].aff != b[i].aff || a[i].gather != b[i].gather) return false;
    return true;
}

bool conds_equal(const Cond *a, const Cond *b, int n) {
    for (int i = 0; i < n; i++)
        if (a[i].aff != b[i].aff || a[i].lo != b[i].lo || a[i].hi != b[i].hi) return false;
    return true;
}

static bool equal_expr(const Expr *a, const Expr *b) {
    if (a->kind != b->kind || a->dtype != b->dtype || memcmp(a->arg, b->arg, sizeof a->arg) != 0) return false;
    switch (a->kind) {
    case EX_CONST: return a->i == b->i;
    case EX_INDEX: return a->index == b->index;
    case EX_LOAD:
        return a->load.node == b->load.node && a->load.rank == b->load.rank &&
               equal_places(a->load.at, b->load.at, a->load.rank);
    case EX_GUARD: return a->guard.n == b->guard.n && conds_equal(a->guard.at, b->guard.at, a->guard.n);
    case EX_FETCH: return a->fetch.buffer == b->fetch.buffer && equal_places(&a->fetch.at, &b->fetch.at, 1);
    default: return true;
    }
}

Ex ex_add(Graph *g, const Expr *x) {
    graph_push(g, &g->exprs, *x);
    return (Ex)(g->exprs.len - 1);
}

Ex ex_share(Graph *g, const Expr *x) {
    uint64_t hash = hash_expr(x);
    size_t slot = (size_t)hash;
    for (Ex e; (e = share_next(&g->tables->exprs, hash, &slot));)
        if (equal_expr(ir_expr(g, e), x)) return e;
    Expr copy = *x;
    if (x->kind == EX_LOAD) copy.load.at = arena_copy(g->nnc->arena, x->load.at, sizeof(Place) * (size_t)x->load.rank);
    if (x->kind == EX_GUARD) copy.guard.at = arena_copy(g->nnc->arena, x->guard.at, sizeof(Cond) * (size_t)x->guard.n);
    Ex e = ex_add(g, &copy);
    share_add(g, &g->tables->exprs, hash, e);
    return e;
}

/* ---- constants and indices ---- */

bool ex_is_const(const Graph *g, Ex e) { return ir_expr(g, e)->kind == EX_CONST; }

Scalar ex_value(const Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    return dtype_is_float(x->dtype) ? (Scalar){.f = x->f} : (Scalar){.i = x->i};
}

Ex ex_float(Graph *g, DType t, double v) {
    if (!dtype_is_float(t)) bug("ex_float of type %s", dtype_name(t));
    v = scalar_round(t, v);
    if (v != v) v = (double)__builtin_nanf(""); /* one NaN */
    return ex_share(g, &(Expr){.kind = EX_CONST, .dtype = t, .f = v});
}

Ex ex_int(Graph *g, DType t, int64_t v) {
    if (dtype_is_float(t)) bug("ex_int of type %s", dtype_name(t));
    return ex_share(g, &(Expr){.kind = EX_CONST, .dtype = t, .i = scalar_wrap(t, v)});
}

Ex ex_zero(Graph *g, DType t) { return dtype_is_float(t) ? ex_float(g, t, 0) : ex_int(g, t, 0); }
bool ex_is_zero(const Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    return x->kind == EX_CONST && (dtype_is_float(x->dtype) ? x->f == 0 : x->i == 0);
}
Ex ex_const(Graph *g, DType t, Scalar v) { return dtype_is_float(t) ? ex_float(g, t, v.f) : ex_int(g, t, v.i); }

Ex ex_index(Graph *g, DType t, const Aff *a) {
    int64_t v;
    if (t != DT_I32 && t != DT_I64) bug("an index of type %s", dtype_name(t));
    if (aff_is_const(a, &v)) return ex_int(g, t, v);
    return ex_share(g, &(Expr){.kind = EX_INDEX, .dtype = t, .index = a});
}

/* ---- loads ---- */

Place place_plain(Graph *g, Place p) {
    if (!p.gather) return p;
    const Expr *x = ir_expr(g, p.gather);
    if (dtype_is_float(x->dtype) || x->dtype == DT_BOOL) bug("a gather by numbers of type %s", dtype_name(x->dtype));
    if (x->kind == EX_CONST) return (Place){aff_add(g->affs, p.aff, aff_const(g->affs, x->i)), 0};
    if (x->kind == EX_INDEX) return (Place){aff_add(g->affs, p.aff, x->index), 0};
    return p;
}

Ex ex_load(Graph *g, Ref node, const Place *at) {
    if (!node || node >= g->nodes.len) bug("a load of node %u, which does not exist", node);
    const Node n = *ir_node(g, node);
    if (n.kind == N_COMP && n.comp.combine == RED_NONE && ex_is_const(g, n.comp.body)) return n.comp.body;
    Place few[8], *places = n.rank > (int)COUNT(few) ? xcalloc((size_t)n.rank, sizeof *places) : few;
    for (int i = 0; i < n.rank; i++)
        places[i] = n.dims[i] == 1 ? (Place){aff_const(g->affs, 0), 0} : place_plain(g, at[i]);
    Ex e = ex_share(g, &(Expr){.kind = EX_LOAD, .dtype = n.dtype, .load = {node, n.rank, places}});
    if (places != few) free(places);
    return e;
}

Ex ex_fetch(Graph *g, DType t, int buffer, Place at) {
    return ex_share(g, &(Expr){.kind = EX_FETCH, .dtype = t, .fetch = {buffer, place_plain(g, at)}});
}

/* ---- operations ---- */

static int cmp64(int64_t a, int64_t b) { return (a > b) - (a < b); }

static int cmp_conds(const Expr *a, const Expr *b) {
    int c = cmp64(a->guard.n, b->guard.n);
    for (int i = 0; !c && i < a->guard.n; i++) {
        const Cond *x = &a->guard.at[i], *y = &b->guard.at[i];
        c = aff_cmp(x->aff, y->aff);
        if (!c) c = cmp64(x->lo, y->lo);
        if (!c) c = cmp64(x->hi, y->hi);
    }
    return c;
}

/* What an expression says itself, its operands apart. */
static int cmp_payload(const Expr *a, const Expr *b) {
    int c = 0;
    switch (a->kind) {
    case EX_CONST: return cmp64(a->i, b->i);
    case EX_INDEX: return aff_cmp(a->index, b->index);
    case EX_GUARD: return cmp_conds(a, b);
    case EX_FETCH:
        c = cmp64(a->fetch.buffer, b->fetch.buffer);
        return c ? c : aff_cmp(a->fetch.at.aff, b->fetch.at.aff);
    case EX_LOAD:
        c = cmp64(a->load.node, b->load.node);
        for (int i = 0; !c && i < a->load.rank; i++) c = aff_cmp(a->load.at[i].aff, b->load.at[i].aff);
        return c;
    default: return 0;
    }
}

/* Equal operands are one number, so the first that differs decides: a walk down, not over all. */
int ex_cmp(const Graph *g, Ex e, Ex f) {
    while (e != f) {
        const Expr *a = ir_expr(g, e), *b = ir_expr(g, f);
        if (!e || !f) return e ? 1 : -1;
        int c = cmp64(b->kind == EX_CONST, a->kind == EX_CONST); /* constants last */
        if (c) return -c;
        if ((c = cmp64(a->kind, b->kind)) || (c = cmp64(a->dtype, b->dtype)) || (c = cmp_payload(a, b))) return c;
        for (int i = 0; i < ex_nchildren(a); i++) {
            e = ex_child(a, i), f = ex_child(b, i);
            if (e != f) break;
        }
    }
    return 0;
}

static Ex operation(Graph *g, ExKind op, Ex a, Ex b, Ex c, Ex d) {
    const OpInfo *info = op_info(op);
    Ex arg[4] = {a, b, c, d};
    DType types[4] = {0}, result;
    bool constant = op != EX_RANDOM && op != EX_STOP;
    Scalar values[4] = {{0}};
    for (int i = 0; i < 4; i++) {
        if (!arg[i] != (i >= info->arity)) bug("'%s' takes %d operands", info->name, info->arity);
        if (!arg[i]) break;
        types[i] = ir_expr(g, arg[i])->dtype;
        if (ex_is_const(g, arg[i]))
            values[i] = ex_value(g, arg[i]);
        else
            constant = false;
    }
    if (op == EX_CAST || !op_result(op, types, &result))
        bug("'%s' of %s, %s, %s", info->name, dtype_name(types[0]), dtype_name(types[1]), dtype_name(types[2]));
    if (constant) return ex_const(g, result, scalar_op(op, op == EX_SELECT ? types[1] : types[0], values));
    if (info->flags & OPF_COMM && ex_cmp(g, a, b) > 0) arg[0] = b, arg[1] = a;
    Ex simpler = ex_algebra(g, op, arg[0], arg[1], c);
    if (simpler) return simpler;
    return ex_share(g, &(Expr){.kind = op, .dtype = result, .arg = {arg[0], arg[1], c, d}});
}

Ex ex_op(Graph *g, ExKind op, Ex a, Ex b, Ex c) { return operation(g, op, a, b, c, 0); }
Ex ex_random(Graph *g, Ex k0, Ex k1, Ex c0, Ex c1) { return operation(g, EX_RANDOM, k0, k1, c0, c1); }

Ex ex_cast(Graph *g, DType to, Ex a) {
    DType from = ir_expr(g, a)->dtype;
    if (to == from) return a;
    if (ex_is_const(g, a)) return ex_const(g, to, scalar_cast(to, from, ex_value(g, a)));
    Ex simpler = ex_cast_algebra(g, to, a);
    return simpler ? simpler : ex_share(g, &(Expr){.kind = EX_CAST, .dtype = to, .arg = {a}});
}
