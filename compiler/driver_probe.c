#include "compiler/driver_probe.h"

#include "compiler/lower/lower.h"
#include "compiler/pass/passes.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_GRADIENTS = 200, MOST_BYTES = 1 << 28 };

/* ---- what it gives: gradients ---- */

static bool is_listed(const UnitResult *list, int n, const UnitGradient *g) {
    for (int i = 0; i < n; i++)
        if (strcmp(list[i].name, g->param->path) == 0) return true;
    return false;
}

/* The first one of each parameter, as a result; returns how many. */
static int list_gradients(const LoopRun *l, UnitResult *list, ProbeGradient *gradients, int64_t *bytes) {
    const Unit *u = l->full->unit;
    int64_t sum = 0;
    int n = 0;
    for (size_t i = 0; i < u->gradients.len && n < MOST_GRADIENTS; i++) {
        const UnitGradient *g = &u->gradients.at[i];
        int64_t size = driver_bytes(g->param->type);
        if (is_listed(list, n, g) || sum + size > MOST_BYTES) continue;
        sum += size;
        gradients[n].param = g->param;
        list[n++] = (UnitResult){g->param->path, g->value, g->value->at};
    }
    *bytes = sum;
    return n;
}

int64_t probe_gradient_bytes(const LoopRun *l) {
    UnitResult list[MOST_GRADIENTS];
    ProbeGradient gradients[MOST_GRADIENTS];
    int64_t bytes;
    list_gradients(l, list, gradients, &bytes);
    return bytes;
}

/* The step's graph with the gradients as its results. */
static Graph *with_gradients(Probe *p) {
    Driver *d = p->l->block->d;
    UnitResult *list = ARENA_ARRAY(d->nnc->arena, UnitResult, MOST_GRADIENTS);
    int64_t bytes;
    p->gradients = ARENA_ARRAY(d->nnc->arena, ProbeGradient, MOST_GRADIENTS);
    p->ngradients = list_gradients(p->l, list, p->gradients, &bytes);
    Unit u = *p->l->full->unit;
    memset(&u.updates, 0, sizeof u.updates);
    u.results.at = list;
    u.results.len = u.results.cap = (size_t)p->ngradients;
    return lower_unit(d->nnc, d->program, &u);
}

/* ---- what it gives: rectifiers ---- */

static bool is_zero(const Graph *g, Ex e) { return dtype_is_float(ir_expr(g, e)->dtype) && ex_is_zero(g, e); }

/* max(x, 0), or x where it is positive and else 0, over a batch. */
static bool is_rectifier(const Graph *g, const Node *n, int64_t batch) {
    if (n->kind != N_COMP || n->comp.combine != RED_NONE || n->rank < 2 || n->dims[0] != batch) return false;
    const Expr *x = ir_expr(g, n->comp.body);
    if (x->kind == EX_MAX) return is_zero(g, x->arg[0]) || is_zero(g, x->arg[1]);
    if (x->kind != EX_SELECT || !(is_zero(g, x->arg[1]) || is_zero(g, x->arg[2]))) return false;
    const Expr *test = ir_expr(g, x->arg[0]);
    const Node *asked = test->kind == EX_LOAD ? ir_node(g, test->load.node) : NULL;
    if (asked && asked->kind == N_COMP) test = ir_expr(g, asked->comp.body);
    const Expr *other = ir_expr(g, x->arg[is_zero(g, x->arg[1]) ? 2 : 1]);
    bool compares =
        (test->kind == EX_LE || test->kind == EX_LT) && (is_zero(g, test->arg[0]) || is_zero(g, test->arg[1]));
    return compares && other->kind == EX_LOAD;
}

static Ex load(Graph *g, Ref r, const int *vars) {
    int rank = ir_node(g, r)->rank;
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, rank + 1);
    for (int i = 0; i < rank; i++) at[i].aff = aff_var(g->affs, vars[i]);
    return ex_load(g, r, at);
}

/* The last parameter that a node is computed from. */
static Name last_parameter(const Graph *g, Ref r) {
    bool *live = xcalloc(g->nodes.len, sizeof *live);
    Name found = NULL;
    live[r] = true;
    for (; r > 0 && !found; r--) {
        const Node *n = ir_node(g, r);
        if (!live[r]) continue;
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_PARAM) found = n->name;
        ir_mark_uses(g, r, live);
    }
    free(live);
    return found;
}

/* The largest value of each unit, that is of each element of the last dim, as one more result. */
static void add_rectifier(Probe *p, Graph *g, Ref r) {
    const Node n = *ir_node(g, r);
    Arena *a = g->nnc->arena;
    int64_t *extents = ARENA_ARRAY(a, int64_t, n.rank);
    int *vars = ARENA_ARRAY(a, int, n.rank);
    extents[0] = n.dims[n.rank - 1];
    vars[n.rank - 1] = 0;
    for (int i = 0; i + 1 < n.rank; i++) extents[i + 1] = n.dims[i], vars[i] = i + 1;
    Ref most = ir_comp(g, RED_MAX, 1, n.rank - 1, extents, ex_cast(g, DT_F64, load(g, r, vars)), n.at);
    ir_output(g, OUT_RESULT, p->ngradients + p->nrectifiers, most, NULL);
    p->rectifiers[p->nrectifiers++] =
        (ProbeRectifier){n.at, last_parameter(g, r), extents[0], ARENA_ARRAY(a, double, extents[0])};
}

static void add_rectifiers(Probe *p, Graph *g) {
    const Ref *homes = ir_homes(g);
    size_t n = g->nodes.len;
    p->rectifiers = ARENA_ARRAY(g->nnc->arena, ProbeRectifier, n);
    for (Ref r = 1; r < n; r++)
        if (!homes[r] && is_rectifier(g, ir_node(g, r), p->l->batch)) add_rectifier(p, g, r);
}

/* ---- building ---- */

static bool get_room(Probe *p) {
    Driver *d = p->l->block->d;
    if (p->loops->arena_bytes > driver_arena_bytes(d)) {
        p->arena = aligned_alloc(64, ((size_t)p->loops->arena_bytes + 127) & ~(size_t)63);
        if (!p->arena) return false;
    }
    for (int i = 0; i < p->ngradients; i++) {
        p->gradients[i].values = malloc((size_t)driver_bytes(p->gradients[i].param->type) + 64);
        if (!p->gradients[i].values) return false;
    }
    return true;
}

/* Everything as the steps have it, but rows and results. */
static void set_bases(Probe *p) {
    const LoopRun *l = p->l;
    Driver *d = l->block->d;
    size_t ninputs = l->full->unit->inputs.len, first = BASE_FIRST_INPUT + ninputs;
    p->bases = ARENA_ARRAY(d->nnc->arena, const void *, first + (size_t)(p->ngradients + p->nrectifiers));
    memcpy(p->bases, l->bases, first * sizeof *p->bases);
    if (p->arena) p->bases[BASE_ARENA] = p->arena;
    p->rows = ARENA_ARRAY(d->nnc->arena, int32_t, l->batch);
    p->bases[BASE_FIRST_INPUT + driver_rt_data(l->loop->data)->nfields] = p->rows;
    for (int i = 0; i < p->ngradients; i++) p->bases[first++] = p->gradients[i].values;
    for (int i = 0; i < p->nrectifiers; i++) p->bases[first++] = p->rectifiers[i].most;
}

static bool build(Probe *p) {
    const LoopRun *l = p->l;
    Driver *d = l->block->d;
    Graph *g = with_gradients(p);
    add_rectifiers(p, g);
    int nresults = p->ngradients + p->nrectifiers;
    if (!nresults) return false;
    g = pass_simplify(d->nnc, pass_autodiff(d->nnc, pass_simplify(d->nnc, ir_compact(g, NULL))));
    p->loops = driver_loops(d, g, l->full, "probe", nresults, &d->machine, NULL);
    if (!get_room(p)) return false;
    p->jit = jit_new(d->nnc, &p->loops, 1, d->options.cpu, !d->options.no_cache);
    set_bases(p);
    return p->jit != NULL;
}

Probe *probe_of(LoopRun *l) {
    if (!l->probe) {
        double start = rt_seconds();
        l->probe = ARENA_NEW(l->block->d->nnc->arena, Probe);
        *l->probe = (Probe){.l = l, .tick = -1};
        if (!build(l->probe)) probe_free(l);
        driver_add_time(l->block->d, "probe", start);
    }
    return l->probe->jit ? l->probe : NULL;
}

/* ---- running ---- */

void probe_run(Probe *p, int k, int n) {
    const LoopRun *l = p->l;
    const RtData *data = driver_rt_data(l->loop->data);
    for (int64_t i = 0; i < l->batch; i++) {
        int64_t sample = (i * n + k) * data->count / (l->batch * n);
        p->rows[i] = data->rows ? data->rows[sample] : (int32_t)sample;
    }
    driver_jit_run(l->block->d, p->loops, p->jit, 0, p->bases, NULL);
    p->tick = l->block->tick;
}

bool probe_is_fresh(const Probe *p) { return p->tick == p->l->block->tick; }

void probe_free(LoopRun *l) {
    Probe *p = l->probe;
    if (!p) return;
    for (int i = 0; i < p->ngradients; i++) free(p->gradients[i].values);
    free(p->arena);
    jit_free(p->jit);
    *p = (Probe){.l = l};
}
