#include "tests/reference/loop_interp.h"

#include "compiler/ir/private.h"
#include "tests/reference/interp.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const LoopUnit *u;
    void **data;     /* per buffer */
    int64_t *at;     /* the variables */
    Scalar *value;   /* per expression */
    uint32_t *stamp; /* per expression: the evaluation that last met it */
    uint32_t evaluation;
    int64_t *iteration; /* per scan: the number of the iteration */
} Run;

static Scalar eval(Run *r, Ex e);

static bool holds(const Run *r, const Cond *c, int n) {
    for (int i = 0; i < n; i++) {
        int64_t v = aff_eval(c[i].aff, r->at);
        if (v < c[i].lo || v >= c[i].hi) return false;
    }
    return true;
}

static int64_t place(Run *r, int buffer, const Place *at) {
    int64_t i = aff_eval(at->aff, r->at) + (at->gather ? eval(r, at->gather).i : 0);
    const Buffer *b = &r->u->buffers.at[buffer];
    if (i < 0 || i >= b->elems)
        bug("element %lld of buffer %d, which has %lld", (long long)i, buffer, (long long)b->elems);
    if (!r->data[buffer]) bug("buffer %d is used before its declaration", buffer);
    return i;
}

static Scalar eval_new(Run *r, Ex e) {
    const Graph *g = r->u->graph;
    const Expr *x = ir_expr(g, e);
    Scalar a[4] = {{0}};
    switch (x->kind) {
    case EX_CONST: return ex_value(g, e);
    case EX_INDEX: return (Scalar){.i = scalar_wrap(x->dtype, aff_eval(x->index, r->at))};
    case EX_LOAD: bug("a load of node %u in a loop nest", x->load.node);
    case EX_FETCH: return scalar_read(x->dtype, r->data[x->fetch.buffer], place(r, x->fetch.buffer, &x->fetch.at));
    case EX_GUARD: return eval(r, x->arg[holds(r, x->guard.at, x->guard.n) ? 0 : 1]);
    default: break;
    }
    for (int i = 0; i < op_info(x->kind)->arity; i++) a[i] = eval(r, x->arg[i]);
    if (x->kind == EX_STOP) return a[0];
    if (x->kind == EX_CAST) return scalar_cast(x->dtype, ir_expr(g, x->arg[0])->dtype, a[0]);
    if (x->kind == EX_RANDOM)
        return (Scalar){
            .i = (int32_t)interp_threefry((uint32_t)a[0].i, (uint32_t)a[1].i, (uint32_t)a[2].i, (uint32_t)a[3].i)};
    return scalar_op(x->kind, ir_expr(g, x->arg[x->kind == EX_SELECT ? 1 : 0])->dtype, a);
}

static Scalar eval(Run *r, Ex e) {
    if (r->stamp[e] != r->evaluation) {
        r->value[e] = eval_new(r, e);
        r->stamp[e] = r->evaluation;
    }
    return r->value[e];
}

static Scalar combined(Combine c, DType t, Scalar a, Scalar b) {
    static const ExKind ops[] = {[RED_SUM] = EX_ADD, [RED_PROD] = EX_MUL, [RED_MAX] = EX_MAX, [RED_MIN] = EX_MIN};
    if (t == DT_BOOL) return (Scalar){.i = c == RED_MAX ? a.i | b.i : a.i & b.i};
    return scalar_op(ops[c], t, (Scalar[]){a, b});
}

static void run_store(Run *r, const LoopStmt *s) {
    DType t = r->u->buffers.at[s->store.buffer].dtype;
    r->evaluation++;
    if (ir_expr(r->u->graph, s->store.value)->dtype != t) bug("a store of another type");
    Scalar v = eval(r, s->store.value);
    int64_t i = place(r, s->store.buffer, &s->store.at);
    void *to = r->data[s->store.buffer];
    if (s->kind == LS_ACCUM) v = combined(s->store.combine, t, scalar_read(t, to, i), v);
    scalar_write(t, to, i, v);
}

static void run_sort(Run *r, const LoopStmt *s) {
    const Buffer *b = r->u->buffers.at;
    const Aff *const at[] = {s->sort.keys_at, s->sort.to_at, s->sort.room_at};
    const int buffers[] = {s->sort.keys, s->sort.to, s->sort.room};
    DType t = b[s->sort.keys].dtype;
    const int64_t len[] = {s->sort.n, s->sort.k, loop_sort_room(t, s->sort.n)};
    char *data[3];
    for (int i = 0; i < 3; i++) {
        int64_t first = aff_eval(at[i], r->at);
        if (first < 0 || first + len[i] > b[buffers[i]].elems) bug("a sort leaves buffer %d", buffers[i]);
        data[i] = (char *)r->data[buffers[i]] + (size_t)first * dtype_size(b[buffers[i]].dtype);
    }
    int32_t *places = xcalloc((size_t)s->sort.k, sizeof *places); /* the others are written only now */
    interp_order(t, data[0], s->sort.n, s->sort.descending, s->sort.k, places);
    memset(data[2], 0xff, (size_t)len[2] * sizeof(int64_t));
    memcpy(data[1], places, (size_t)s->sort.k * sizeof *places);
    free(places);
}

static void run_body(Run *r, const LoopBody *body);

static void run_loop(Run *r, const LoopStmt *s) {
    int64_t limit = s->loop.limit ? aff_eval(s->loop.limit, r->at) : s->loop.count;
    int64_t from = s->loop.from ? aff_eval(s->loop.from, r->at) : 0;
    for (int64_t i = MAX(0, from); i < MIN(s->loop.count, limit); i++) {
        r->at[s->loop.var] = i;
        run_body(r, &s->loop.body);
    }
}

static void run_body(Run *r, const LoopBody *body) {
    VEC(int) declared = {0};
    for (size_t i = 0; i < body->len; i++) {
        const LoopStmt *s = body->at[i];
        switch (s->kind) {
        case LS_FOR: run_loop(r, s); break;
        case LS_IF:
            if (holds(r, s->when.conds, s->when.n)) run_body(r, &s->when.then);
            break;
        case LS_DECL: {
            size_t bytes = (size_t)r->u->buffers.at[s->decl].elems * dtype_size(r->u->buffers.at[s->decl].dtype);
            if (r->data[s->decl]) bug("buffer %d is declared twice", s->decl);
            r->data[s->decl] = xcalloc(bytes, 1);
            memset(r->data[s->decl], 0xff, bytes);
            vec_push(&declared, s->decl);
            break;
        }
        case LS_SORT: run_sort(r, s); break;
        case LS_AHEAD: break;
        case LS_STORE:
        case LS_ACCUM: run_store(r, s);
        }
    }
    for (size_t i = 0; i < declared.len; i++) {
        free(r->data[declared.at[i]]);
        r->data[declared.at[i]] = NULL;
    }
    vec_free(&declared);
}

static void run_kernels(Run *r, int scope, size_t from, size_t to) {
    for (size_t k = from; k < to; k++) {
        const Kernel *kernel = r->u->kernels.at[k];
        int inner = loop_scan_below(r->u, kernel, scope);
        if (!inner) {
            for (int64_t tile = kernel->tiles; tile-- > 0;) {
                r->at[0] = tile;
                for (int s = scope; s; s = r->u->scans[s].parent) r->at[r->u->scans[s].depth] = r->iteration[s];
                run_body(r, &kernel->body);
            }
            continue;
        }
        const LoopScan *s = &r->u->scans[inner];
        for (int64_t i = 0; i < s->extent; i++) {
            r->iteration[inner] = s->reverse ? s->extent - 1 - i : i;
            run_kernels(r, inner, s->from, s->body);
            if (s->cond >= 0 && !scalar_read(DT_BOOL, r->data[s->cond], 0).i) break;
            run_kernels(r, inner, s->body, s->to);
        }
        k = s->to - 1;
    }
}

void loop_interp_run(const LoopUnit *u, void *const *bases) {
    Run r = {.u = u, .data = xcalloc(u->buffers.len, sizeof(void *))};
    int most = 1;
    for (size_t b = 0; b < u->buffers.len; b++) {
        const Buffer *x = &u->buffers.at[b];
        if (x->kind == BUF_MEMORY)
            r.data[b] = x->constant ? (char *)(uintptr_t)x->constant : (char *)bases[x->base] + x->offset;
    }
    for (size_t k = 0; k < u->kernels.len; k++) most = MAX(most, u->kernels.at[k]->nvars);
    r.at = xcalloc((size_t)most, sizeof *r.at);
    r.iteration = xcalloc((size_t)u->nscans + 1, sizeof *r.iteration);
    r.value = xcalloc(u->graph->exprs.len, sizeof *r.value);
    r.stamp = xcalloc(u->graph->exprs.len, sizeof *r.stamp);
    run_kernels(&r, 0, 0, u->kernels.len);
    free(r.data);
    free(r.at);
    free(r.iteration);
    free(r.value);
    free(r.stamp);
}
