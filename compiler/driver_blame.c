#include "compiler/driver_blame.h"

#include "compiler/lower/lower.h"
#include "compiler/pass/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- running ---- */

bool blame_run(const Blame *b, Graph *g, void **results, int n) {
    LoopRun *l = b->l;
    Driver *d = l->block->d;
    size_t inputs = b->code->unit->inputs.len;
    LoopUnit *u = loop_build(d->nnc, g, "watched", (int)inputs, n, &d->variables.layout, &d->machine);
    JitCode *jit = jit_new(d->nnc, &u, 1, d->options.cpu, !d->options.no_cache);
    void *arena = jit ? aligned_alloc(64, ((size_t)u->arena_bytes + 127) & ~(size_t)63) : NULL;
    const void **bases = ARENA_ARRAY(d->nnc->arena, const void *, BASE_FIRST_INPUT + inputs + (size_t)n);
    memcpy(bases, l->bases, (BASE_FIRST_INPUT + inputs) * sizeof *bases);
    bases[BASE_ARENA] = arena;
    bases[BASE_VARIABLES] = l->block->kept ? l->block->kept : d->variables.bytes;
    for (int i = 0; i < n; i++) bases[BASE_FIRST_INPUT + inputs + (size_t)i] = results[i];
    if (arena) driver_jit_run(d, u, jit, 0, bases, NULL);
    free(arena);
    jit_free(jit);
    return arena != NULL;
}

/* ---- what each node holds ---- */

static Badness judge_elements(Bad *bad, const void *data, RtDType t, int64_t first, int64_t n) {
    for (int64_t i = first; i < first + n && bad->what != NOT_A_NUMBER; i++) {
        double x = rt_element(data, t, i);
        if (isfinite(x) || (bad->what && !isnan(x))) continue;
        bad->what = isnan(x) ? NOT_A_NUMBER : INFINITE;
        bad->element = i;
    }
    return bad->what;
}

static void judge_input(const Blame *b, const Node *n, Bad *bad) {
    const RtData *data = driver_rt_data(b->l->loop->data);
    const int32_t *rows = *b->l->rows;
    if (n->leaf.slot >= data->nfields) return;
    const RtField *f = &data->fields[n->leaf.slot];
    int64_t elements = rt_field_elements(f), stride = f->stride / (int64_t)rt_dtype_size(f->dtype), count;
    dim_is_const(b->code->unit->inputs.at[data->nfields].type.dims[0], &count);
    for (int64_t i = 0; i < count && bad->what != NOT_A_NUMBER; i++)
        judge_elements(bad, f->data, f->dtype, rows[i] * stride, elements);
}

static void judge_leaf(const Blame *b, const Node *n, Bad *bad) {
    const VarLayout *layout = &b->l->block->d->variables.layout;
    const char *kept = b->l->block->kept;
    if (!dtype_is_float(n->dtype)) return;
    switch (n->leaf.kind) {
    case LEAF_CONST: judge_elements(bad, n->leaf.data, (RtDType)n->dtype, 0, ir_elements(n)); break;
    case LEAF_PARAM:
        judge_elements(bad, kept + layout->param[n->leaf.slot], (RtDType)n->dtype, 0, ir_elements(n));
        break;
    case LEAF_STATE:
        judge_elements(bad, kept + layout->state[n->leaf.slot], (RtDType)n->dtype, 0, ir_elements(n));
        break;
    case LEAF_INPUT: judge_input(b, n, bad); break;
    default: break;
    }
    bad->meant = bad->what == INFINITE && n->leaf.kind != LEAF_INPUT && n->leaf.kind != LEAF_PARAM;
}

static void judge_watched(const Watched *w, Bad *bad) {
    for (int64_t k = 0; k < w->iterations && !bad->what; k++) {
        int64_t i = w->reverse ? w->iterations - 1 - k : k;
        bool nan = bad->nan_at[i] != WATCH_NONE, inf = bad->inf_at[i] != WATCH_NONE;
        if (!nan && !inf) continue;
        bad->what = nan ? NOT_A_NUMBER : INFINITE;
        bad->element = nan ? bad->nan_at[i] : bad->inf_at[i];
        bad->iteration = i;
    }
}

/* What node `r` says of its operands. */
typedef struct {
    const Blame *b;
    Ref r;
    bool fault, meant; /* one is not finite by a fault; as it is meant to be */
} Operands;

/* Whether operand `of` is not finite in the iteration that node r is judged in. */
static bool bad_then(const Blame *b, Ref r, Ref of) {
    const Bad *bad = &b->bad[of];
    const Watched *w = &b->watch.nodes[of], *user = &b->watch.nodes[r];
    if (!bad->what || !bad->nan_at || w->iterations > user->iterations) return bad->what != FINITE;
    int64_t i = b->bad[r].iteration / (user->iterations / w->iterations);
    return bad->nan_at[i] != WATCH_NONE || bad->inf_at[i] != WATCH_NONE;
}

static void look_at(Ref used, void *self) {
    Operands *o = self;
    if (!bad_then(o->b, o->r, used)) return;
    if (o->b->bad[used].meant)
        o->meant = true;
    else
        o->fault = true;
}

static void find_infinity(const Graph *g, Ex e, void *self) {
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_CONST && dtype_is_float(x->dtype) && isinf(x->f)) *(bool *)self = true;
}

static void judge(Blame *b, Ref r) {
    const Node *n = ir_node(b->g, r);
    Bad *bad = &b->bad[r];
    Operands o = {.b = b, .r = r};
    if (n->kind == N_LEAF && n->leaf.kind < LEAF_ITER) {
        judge_leaf(b, n, bad);
        b->culprit[r] = bad->what && !bad->meant;
        return;
    }
    if (bad->nan_at) judge_watched(&b->watch.nodes[r], bad);
    ir_uses(b->g, r, look_at, &o);
    if (n->kind == N_SCAN) { /* holds nothing itself, and stands for what it is made of */
        bad->what = o.fault || o.meant ? NOT_A_NUMBER : FINITE;
        bad->meant = !o.fault;
    }
    if (!bad->what || n->kind == N_SCAN) return;
    if (n->kind == N_COMP) ex_walk(b->g, n->comp.body, find_infinity, &o.meant);
    bad->meant = bad->what == INFINITE && o.meant && !o.fault;
    b->culprit[r] = !o.fault && !bad->meant && n->kind != N_LEAF;
}

/* ---- who is to blame ---- */

typedef struct {
    const Blame *b;
    bool *reached;
    VEC(Ref) open;
} Search;

static void reach(Ref used, void *self) {
    Search *s = self;
    if (s->reached[used] || !s->b->bad[used].what || s->b->bad[used].meant) return;
    s->reached[used] = true;
    vec_push(&s->open, used);
}

/* A carry has its value from before its scan, or from an earlier iteration. */
static void reach_carry(Search *s, const Node *leaf) {
    for (Ref r = 1; r < s->b->g->nodes.len; r++) {
        const Node *n = ir_node(s->b->g, r);
        if (n->kind != N_SCAN || n->scan.id != leaf->leaf.slot) continue;
        reach(n->scan.init[leaf->leaf.index], s);
        reach(n->scan.next[leaf->leaf.index], s);
    }
}

/* Whether node r took place before node `than`. */
static bool comes_first(const Blame *b, Ref r, Ref than) {
    const Watched *w = &b->watch.nodes[r], *v = &b->watch.nodes[than];
    int64_t i = b->bad[r].iteration, k = b->bad[than].iteration;
    if (b->homes[r] && b->homes[r] == b->homes[than] && w->iterations == v->iterations && i != k)
        return w->reverse ? i > k : i < k;
    return r < than;
}

static bool is_root(const Blame *b, const Output *o, const Variable *spoilt) {
    if (!spoilt) return o->kind == OUT_RESULT && o->slot < b->code->unit->nlosses;
    return o->kind == (spoilt->is_param ? OUT_PARAM : OUT_STATE) && o->slot == spoilt->slot;
}

/* The first node that what is wrong in the end comes from: 0 where nothing is found. */
static Ref find(const Blame *b, const Variable *spoilt) {
    Search s = {.b = b, .reached = xcalloc(b->g->nodes.len, sizeof *s.reached)};
    Ref found = 0, any = 0;
    for (size_t i = 0; i < b->g->outputs.len; i++)
        if (is_root(b, &b->g->outputs.at[i], spoilt)) reach(b->g->outputs.at[i].node, &s);
    while (s.open.len) {
        Ref r = s.open.at[--s.open.len];
        const Node *n = ir_node(b->g, r);
        ir_uses(b->g, r, reach, &s);
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_CARRY) reach_carry(&s, n);
        bool plain = n->kind == N_COMP || n->kind == N_SCATTER || n->kind == N_RESULT;
        if (b->culprit[r] && (!found || comes_first(b, r, found))) found = r;
        if (plain && (!any || comes_first(b, r, any))) any = r;
    }
    if (!found && !any) /* an infinity that is meant is all there is */
        for (size_t i = 0; i < b->g->outputs.len; i++)
            if (is_root(b, &b->g->outputs.at[i], spoilt) && b->bad[b->g->outputs.at[i].node].what)
                any = b->g->outputs.at[i].node;
    free(s.reached);
    vec_free(&s.open);
    return found ? found : any;
}

static bool watch(Blame *b) {
    Arena *a = b->l->block->d->nnc->arena;
    void **results = ARENA_ARRAY(a, void *, b->watch.nresults + 1);
    for (Ref r = 1; r < b->g->nodes.len; r++) {
        const Watched *w = &b->watch.nodes[r];
        if (w->result < 0) continue;
        b->bad[r].nan_at = results[w->result] = ARENA_ARRAY(a, int64_t, w->iterations);
        b->bad[r].inf_at = results[w->result + 1] = ARENA_ARRAY(a, int64_t, w->iterations);
    }
    return blame_run(b, b->watch.graph, results, b->watch.nresults);
}

void blame(LoopRun *l, const Code *c, const Variable *spoilt) {
    BlockRun *run = l->block;
    Nnc *nnc = run->d->nnc;
    Blame b = {.l = l, .code = c};
    b.g = ir_compact(pass_autodiff(nnc, lower_unit(nnc, run->d->program, c->unit)), NULL);
    b.watch = watch_graph(nnc, b.g);
    b.homes = ir_homes(b.g);
    b.bad = ARENA_ARRAY(nnc->arena, Bad, b.g->nodes.len);
    b.culprit = ARENA_ARRAY(nnc->arena, bool, b.g->nodes.len);
    Ref found = 0;
    if (watch(&b)) {
        for (Ref r = 1; r < b.g->nodes.len; r++) judge(&b, r);
        found = find(&b, spoilt);
    }
    if (found)
        blame_report(&b, found);
    else
        diag(nnc, spoilt ? spoilt->at : c->unit->results.at[0].at, DIAG_not_finite_unknown,
             spoilt ? spoilt->path : "the loss", (long long)run->tick + 1, (long long)run->epoch);
}
