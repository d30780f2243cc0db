/* One loop over the nodes, and in each one loop over the points of its domain. At every point the body's expressions
 * are visited twice: from the root down to find which are needed (the inside of a guard only where it holds), then up
 * to compute them. */
#include "tests/reference/interp.h"

#include "compiler/ir/private.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    const Graph *g;
    void **values; /* by node */
    InterpEnv *env;
    const bool *needed;  /* the nodes that outputs reach */
    const Ref *home;     /* ir_homes */
    const bool *decides; /* ir_deciders */
} Interp;

/* A body ready to be evaluated. */
typedef struct {
    const Interp *in;
    ExList list;
    int *children; /* positions in `list`, ex_nchildren of each expression one after another; -1: none */
    int *first;    /* where each expression's begin */
    bool *needed, *root;
    Scalar *value;
} Body;

uint32_t interp_threefry(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1) {
    static const int turns[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t key[3] = {k0, k1, 0x1BD11BDA ^ k0 ^ k1};
    uint32_t x = c0 + k0, y = c1 + k1;
    for (uint32_t round = 0; round < 20; round++) {
        int turn = turns[round % 8];
        x += y;
        y = (y << turn | y >> (32 - turn)) ^ x;
        if (round % 4 != 3) continue;
        uint32_t n = round / 4 + 1; /* the key comes in again after every fourth round */
        x += key[n % 3];
        y += key[(n + 1) % 3] + n;
    }
    return x;
}

/* ---- bodies ---- */

static Body body_new(const Interp *in, const Ex *roots, int n) {
    Body b = {.in = in, .list = ex_below(in->g, roots, n)};
    size_t len = b.list.len, total = 0;
    for (size_t k = 0; k < len; k++) total += (size_t)ex_nchildren(ir_expr(in->g, b.list.at[k]));
    b.children = xcalloc(total, sizeof *b.children);
    b.first = xcalloc(len, sizeof *b.first);
    b.needed = xcalloc(len, sizeof *b.needed);
    b.root = xcalloc(len, sizeof *b.root);
    b.value = xcalloc(len, sizeof *b.value);
    int next = 0;
    for (size_t k = 0; k < len; k++) {
        const Expr *x = ir_expr(in->g, b.list.at[k]);
        b.first[k] = next;
        for (int i = 0; i < ex_nchildren(x); i++)
            b.children[next++] = ex_child(x, i) ? (int)ex_position(&b.list, ex_child(x, i)) : -1;
    }
    for (int i = 0; i < n; i++)
        if (roots[i]) b.root[ex_position(&b.list, roots[i])] = true;
    return b;
}

static void body_free(Body *b) {
    vec_free(&b->list);
    free(b->children);
    free(b->first);
    free(b->needed);
    free(b->root);
    free(b->value);
}

static bool holds(const Expr *guard, const int64_t *at) {
    for (int i = 0; i < guard->guard.n; i++) {
        int64_t v = aff_eval(guard->guard.at[i].aff, at);
        if (v < guard->guard.at[i].lo || v >= guard->guard.at[i].hi) return false;
    }
    return true;
}

static Scalar load(const Body *b, const Expr *x, const int *child, const int64_t *at) {
    const Node *n = ir_node(b->in->g, x->load.node);
    int64_t offset = 0;
    for (int i = 0; i < n->rank; i++) {
        int64_t v = aff_eval(x->load.at[i].aff, at) + (child[4 + i] < 0 ? 0 : b->value[child[4 + i]].i);
        if (v < 0 || v >= n->dims[i])
            bug("a load of node %u at %lld along dim %d of %lld", x->load.node, (long long)v, i, (long long)n->dims[i]);
        offset = offset * n->dims[i] + v;
    }
    return scalar_read(n->dtype, b->in->values[x->load.node], offset);
}

static Scalar compute(const Body *b, size_t k, const int64_t *at) {
    const Graph *g = b->in->g;
    const Expr *x = ir_expr(g, b->list.at[k]);
    const int *child = b->children + b->first[k];
    Scalar a[4] = {{0}};
    for (int i = 0; i < 4; i++)
        if (child[i] >= 0) a[i] = b->value[child[i]];
    switch (x->kind) {
    case EX_CONST: return ex_value(g, b->list.at[k]);
    case EX_INDEX: return (Scalar){.i = scalar_wrap(x->dtype, aff_eval(x->index, at))};
    case EX_LOAD: return load(b, x, child, at);
    case EX_GUARD: return holds(x, at) ? a[0] : a[1];
    case EX_STOP: return a[0];
    case EX_CAST: return scalar_cast(x->dtype, ir_expr(g, x->arg[0])->dtype, a[0]);
    case EX_RANDOM:
        return (Scalar){
            .i = (int32_t)interp_threefry((uint32_t)a[0].i, (uint32_t)a[1].i, (uint32_t)a[2].i, (uint32_t)a[3].i)};
    default: return scalar_op(x->kind, ir_expr(g, x->arg[x->kind == EX_SELECT ? 1 : 0])->dtype, a);
    }
}

/* Computes what the roots need at the point `at`. */
static void body_run(Body *b, const int64_t *at) {
    size_t n = b->list.len;
    for (size_t k = 0; k < n; k++) b->needed[k] = b->root[k];
    for (size_t k = n; k-- > 0;) {
        const Expr *x = ir_expr(b->in->g, b->list.at[k]);
        if (!b->needed[k]) continue;
        int unused = x->kind == EX_GUARD && !holds(x, at) ? 0 : -1;
        for (int i = 0; i < ex_nchildren(x); i++)
            if (i != unused && b->children[b->first[k] + i] >= 0) b->needed[b->children[b->first[k] + i]] = true;
    }
    for (size_t k = 0; k < n; k++)
        if (b->needed[k]) b->value[k] = compute(b, k, at);
}

/* ---- nodes ---- */

/* The next point in row-major order; false after the last. */
static bool step(int64_t *at, const int64_t *extents, int n) {
    while (n-- > 0) {
        if (++at[n] < extents[n]) return true;
        at[n] = 0;
    }
    return false;
}

static bool is_empty(const int64_t *extents, int n) {
    for (int i = 0; i < n; i++)
        if (!extents[i]) return true;
    return false;
}

/* Whether x beats `best` in the search for the largest (smallest): NaN beats all but NaN. */
static bool beats(DType t, bool largest, Scalar x, Scalar best) {
    if (!dtype_is_float(t)) return largest ? x.i > best.i : x.i < best.i;
    if (isnan(x.f) || isnan(best.f)) return isnan(x.f) && !isnan(best.f);
    return largest ? x.f > best.f : x.f < best.f;
}

/* One element: the combination over all reduction indices, whose first point is at `at`. */
static Scalar reduce(const Node *n, Body *b, DType t, int64_t *at) {
    static const ExKind ops[] = {[RED_SUM] = EX_ADD, [RED_PROD] = EX_MUL, [RED_MAX] = EX_MAX, [RED_MIN] = EX_MIN};
    const int64_t *extents = n->comp.extents + n->rank;
    size_t root = b->list.len - 1; /* nothing below the body is numbered above it */
    Combine c = n->comp.combine;
    Scalar acc, best = {0}, highest;
    scalar_limits(t, &acc, &highest);
    if (c == RED_SUM || c == RED_PROD) acc = c == RED_SUM ? (Scalar){0} : (Scalar){1, 1};
    if (c == RED_MIN) acc = highest;
    int64_t number = 0, winner = 0;
    if (is_empty(extents, n->comp.nred)) return acc;
    do {
        body_run(b, at);
        Scalar x = b->value[root];
        if (c == RED_NONE) {
            acc = x;
        } else if (c == RED_ARGMAX || c == RED_ARGMIN) {
            if (!number || beats(t, c == RED_ARGMAX, x, best)) best = x, winner = number;
            acc = (Scalar){.i = winner};
        } else if (t == DT_BOOL) {
            acc.i = c == RED_MAX ? acc.i | x.i : acc.i & x.i;
        } else {
            acc = scalar_op(ops[c], t, (Scalar[]){acc, x});
        }
        number++;
    } while (step(at + n->rank, extents, n->comp.nred));
    return acc;
}

static void run_comp(const Interp *in, const Node *n, void *out) {
    Body b = body_new(in, &n->comp.body, 1);
    DType t = ir_expr(in->g, n->comp.body)->dtype;
    int64_t *at = xcalloc((size_t)(n->rank + n->comp.nred), sizeof *at), i = 0;
    if (!is_empty(n->dims, n->rank)) {
        do {
            scalar_write(n->dtype, out, i++, reduce(n, &b, t, at));
        } while (step(at, n->dims, n->rank));
    }
    free(at);
    body_free(&b);
}

static void run_scatter(const Interp *in, const Node *n, void *out) {
    Ex *roots = xcalloc((size_t)n->rank + 1, sizeof *roots);
    for (int i = 0; i < n->rank; i++) roots[i] = n->scatter.place[i].gather;
    roots[n->rank] = n->scatter.body;
    Body b = body_new(in, roots, n->rank + 1);
    size_t body = ex_position(&b.list, n->scatter.body);
    int64_t *at = xcalloc((size_t)n->scatter.ndomain, sizeof *at);
    do {
        body_run(&b, at);
        int64_t offset = 0;
        for (int i = 0; i < n->rank; i++) {
            int64_t v = aff_eval(n->scatter.place[i].aff, at);
            if (roots[i]) v += b.value[ex_position(&b.list, roots[i])].i;
            if (v < 0 || v >= n->dims[i]) bug("a scatter to %lld along dim %d", (long long)v, i);
            offset = offset * n->dims[i] + v;
        }
        Scalar sum = scalar_op(EX_ADD, n->dtype, (Scalar[]){scalar_read(n->dtype, out, offset), b.value[body]});
        scalar_write(n->dtype, out, offset, sum);
    } while (step(at, n->scatter.extents, n->scatter.ndomain));
    free(at);
    free(roots);
    body_free(&b);
}

/* Whether x comes before y, NaN being the largest number. */
static bool comes_before(DType t, bool descending, Scalar x, Scalar y) {
    if (!dtype_is_float(t)) return descending ? x.i > y.i : x.i < y.i;
    if (isnan(x.f) || isnan(y.f)) return descending ? isnan(x.f) && !isnan(y.f) : isnan(y.f) && !isnan(x.f);
    return descending ? x.f > y.f : x.f < y.f;
}

/* An element's number in the order is that of the elements before it: smaller ones, and equal ones of smaller place. */
void interp_order(DType t, const void *keys, int64_t n, bool descending, int64_t k, int32_t *places) {
    for (int64_t i = 0; i < n; i++) {
        Scalar x = scalar_read(t, keys, i);
        int64_t before = 0;
        for (int64_t j = 0; j < n; j++) {
            Scalar y = scalar_read(t, keys, j);
            before += comes_before(t, descending, y, x) || (j < i && !comes_before(t, descending, x, y));
        }
        if (before < k) places[before] = (int32_t)i;
    }
}

static void run_sort(const Interp *in, const Node *n, void *out) {
    const Node *of = ir_node(in->g, n->sort.of);
    int64_t row = of->dims[of->rank - 1], k = n->dims[n->rank - 1];
    const char *keys = in->values[n->sort.of];
    for (int64_t i = 0; i * row < ir_elements(of); i++)
        interp_order(of->dtype, keys + (size_t)(i * row) * dtype_size(of->dtype), row, n->sort.descending, k,
                     (int32_t *)out + i * k);
}

static size_t bytes_of(const Node *n) { return (size_t)ir_elements(n) * dtype_size(n->dtype); }

static void copy_bytes(void *to, const void *from, size_t n) {
    for (size_t i = 0; i < n; i++) ((unsigned char *)to)[i] = ((const unsigned char *)from)[i];
}

static const void *leaf_data(const InterpEnv *env, const Node *n) {
    const void *const *from[] = {env->inputs, env->params, env->states};
    if (n->leaf.kind == LEAF_CONST) return n->leaf.data;
    if (!from[n->leaf.kind]) bug("the interpreter has no data for slot %d of kind %d", n->leaf.slot, (int)n->leaf.kind);
    return from[n->leaf.kind][n->leaf.slot];
}

/* The nodes that outputs reach. */
static bool *reached(const Graph *g) {
    Ref *fresh = xcalloc(g->nodes.len, sizeof *fresh);
    bool *needed = xcalloc(g->nodes.len, sizeof *needed);
    ir_compact(g, fresh);
    for (size_t i = 1; i < g->nodes.len; i++) needed[i] = fresh[i] != 0;
    free(fresh);
    return needed;
}

/* ---- scans ---- */

static void run_scope(const Interp *in, Ref scope, bool decide);

/* The values of the iteration number and the carries of a scan, where its body uses them. */
static void set_inside(const Interp *in, const Node *scan, int64_t t, void *const *carries) {
    for (Ref r = 1; r < in->g->nodes.len; r++) {
        const Node *n = ir_node(in->g, r);
        if (!in->needed[r] || n->kind != N_LEAF || n->leaf.kind < LEAF_ITER || n->leaf.slot != scan->scan.id) continue;
        if (!in->values[r]) in->values[r] = xcalloc(bytes_of(n), 1);
        if (n->leaf.kind == LEAF_ITER)
            scalar_write(DT_I32, in->values[r], 0, (Scalar){.i = t});
        else
            copy_bytes(in->values[r], carries[n->leaf.index], bytes_of(n));
    }
}

/* The values of N_RESULTs, by index; in->values of the scan itself points to them. */
static void run_scan(const Interp *in, Ref r) {
    const Node *n = ir_node(in->g, r);
    int ncarry = n->scan.ncarry, nyield = n->scan.nyield;
    void **out = xcalloc((size_t)(ncarry + nyield) + 1, sizeof *out);
    for (int k = 0; k < ncarry; k++) {
        size_t bytes = bytes_of(ir_node(in->g, n->scan.init[k]));
        copy_bytes(out[k] = xcalloc(bytes, 1), in->values[n->scan.init[k]], bytes);
    }
    for (int k = 0; k < nyield; k++)
        if (n->scan.yield[k])
            out[ncarry + k] = xcalloc(bytes_of(ir_node(in->g, n->scan.yield[k])) * (size_t)n->scan.extent, 1);
    for (int64_t i = 0; i < n->scan.extent; i++) {
        int64_t t = n->scan.reverse ? n->scan.extent - 1 - i : i;
        set_inside(in, n, t, out);
        run_scope(in, r, true);
        if (n->scan.cond && !scalar_read(DT_BOOL, in->values[n->scan.cond], 0).i) break;
        run_scope(in, r, false);
        for (int k = 0; k < nyield; k++) {
            if (!n->scan.yield[k] || !in->needed[n->scan.yield[k]]) continue;
            size_t bytes = bytes_of(ir_node(in->g, n->scan.yield[k]));
            copy_bytes((char *)out[ncarry + k] + bytes * (size_t)t, in->values[n->scan.yield[k]], bytes);
        }
        for (int k = 0; k < ncarry; k++) /* what is next may be another carry's leaf: these do not change here */
            copy_bytes(out[k], in->values[n->scan.next[k]], bytes_of(ir_node(in->g, n->scan.init[k])));
    }
    for (Ref u = r + 1; u < in->g->nodes.len; u++) {
        const Node *result = ir_node(in->g, u);
        if (!in->needed[u] || result->kind != N_RESULT || result->result.of != r) continue;
        free(in->values[u]);
        copy_bytes(in->values[u] = xcalloc(bytes_of(result), 1), out[result->result.index], bytes_of(result));
    }
    for (int k = 0; k < ncarry + nyield; k++) free(out[k]);
    free(out);
}

static void run_node(const Interp *in, Ref r) {
    const Node *n = ir_node(in->g, r);
    if (n->kind == N_SCAN) {
        run_scan(in, r);
        return;
    }
    if (n->kind == N_RESULT || (n->kind == N_LEAF && n->leaf.kind >= LEAF_ITER)) return; /* the scan's */
    free(in->values[r]);
    void *out = in->values[r] = xcalloc(bytes_of(n), 1);
    switch (n->kind) {
    case N_LEAF: copy_bytes(out, leaf_data(in->env, n), bytes_of(n)); break;
    case N_COMP: run_comp(in, n, out); break;
    case N_SCATTER: run_scatter(in, n, out); break;
    case N_SORT: run_sort(in, n, out); break;
    case N_MARK: copy_bytes(out, in->values[n->grad.of], bytes_of(n)); break;
    default: bug("the interpreter meets node %u of kind %d", r, (int)n->kind);
    }
}

/* The nodes outside of all loops, or of the body of one, those that decide about an iteration or the others; inner
 * loops' bodies are theirs. */
static void run_scope(const Interp *in, Ref scope, bool decide) {
    for (Ref r = 1; r < in->g->nodes.len; r++)
        if (in->needed[r] && in->home[r] == scope && in->decides[r] == decide) run_node(in, r);
}

void interp_run(const Graph *g, InterpEnv *env) {
    bool *needed = reached(g);
    const Ref *home = ir_homes(g);
    Interp in = {g, xcalloc(g->nodes.len, sizeof *in.values), env, needed, home, ir_deciders(g, home)};
    run_scope(&in, 0, false);
    env->outputs = xcalloc(g->outputs.len, sizeof *env->outputs);
    for (size_t i = 0; i < g->outputs.len; i++) {
        Ref r = g->outputs.at[i].node;
        env->outputs[i] = xcalloc(bytes_of(ir_node(g, r)), 1);
        copy_bytes(env->outputs[i], in.values[r], bytes_of(ir_node(g, r)));
    }
    for (size_t i = 1; i < g->nodes.len; i++) free(in.values[i]);
    free(in.values);
    free(needed);
}

void interp_free(const Graph *g, InterpEnv *env) {
    for (size_t i = 0; env->outputs && i < g->outputs.len; i++) free(env->outputs[i]);
    free(env->outputs);
    env->outputs = NULL;
}
