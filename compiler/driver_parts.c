/* Which way of keeping to `memory = …` takes the least time: values made again, the batch in parts, of which only one
 * is there at a time, or both. More parts take less memory and more time, so no more are tried than are enough without
 * making values again. */
#include "compiler/driver_private.h"

#include "compiler/pass/parts.h"
#include "compiler/pass/plan.h"

/* About how long the kernels of a unit take on a core, in nanoseconds. */
static double time_of(const LoopUnit *u) {
    double sum = 0;
    for (size_t i = 0; i < u->kernels.len; i++) {
        const Kernel *k = u->kernels.at[i];
        double runs = k->tiles ? 1 : 0;
        for (int s = k->scan; s; s = u->scans[s].parent) runs *= u->scans[s].cond < 0 ? (double)u->scans[s].extent : 1;
        sum += plan_nanoseconds(runs, (double)k->flops, (double)k->bytes);
    }
    return sum;
}

/* The input that says which rows of the data the batch has; -1: there is none. */
static int rows_of(const Unit *u) {
    for (size_t i = 0; i < u->inputs.len; i++)
        if (u->inputs.at[i].gathered >= 0) return u->inputs.at[i].gathered;
    return -1;
}

/* Samples of a part, where there are to be about k of them: parts of one size if that makes not many more. */
static int64_t part_of(int64_t batch, int64_t k) {
    int64_t most = (batch + k - 1) / k;
    for (int64_t n = most; 2 * n > most; n--)
        if (batch % n == 0) return n;
    return most;
}

/* What loop nests are made for. */
typedef struct {
    Driver *d;
    const Code *like;
    const char *name;
    int nresults;
    const Machine *machine;
    int64_t budget;
} Wanted;

static LoopUnit *build(const Wanted *w, const Graph *g) {
    return loop_build_within(w->d->nnc, g, w->name, (int)w->like->unit->inputs.len, w->nresults,
                             &w->d->variables.layout, w->machine, w->budget);
}

/* With the batch in parts of so many samples; NULL where something works on it as a whole. */
static LoopUnit *build_cut(const Wanted *w, const Graph *g, int rows, BatchParts *parts, int64_t part) {
    Batch b = batch_find(g, rows, parts->batch, part);
    if (b.mixed) parts->mixed = ir_node(g, b.mixed)->at;
    if (b.mixed) return NULL;
    Graph *cut = pass_parts(w->d->nnc, &b);
    if (VERIFY) ir_verify(cut, "parts");
    return build(w, cut);
}

/* The best of `whole` and of what the batch in parts takes. Where `whole` does not fit, single samples, which take the
 * least, come first: what they cannot do no other parts can. */
static LoopUnit *build_parts(const Wanted *w, const Graph *g, LoopUnit *whole, BatchParts *parts) {
    int rows = rows_of(w->like->unit);
    LoopUnit *best = whole, *least = NULL;
    parts->batch = rows < 0 ? 1 : driver_elements(w->like->unit->inputs.at[rows].type);
    if (parts->batch > 2 && whole->arena_bytes > w->budget) {
        least = build_cut(w, g, rows, parts, 1);
        if (!least) return best;
        if (least->arena_bytes > w->budget) {
            parts->part = least->arena_bytes < whole->arena_bytes;
            return parts->part ? least : whole;
        }
    }
    for (int64_t k = 2, part = parts->batch; part > 1; k *= 2) {
        part = part_of(parts->batch, k);
        LoopUnit *u = part == 1 && least ? least : build_cut(w, g, rows, parts, part);
        if (!u) return best;
        bool fits = u->arena_bytes <= w->budget, both = fits && best->arena_bytes <= w->budget;
        if (both ? time_of(u) < time_of(best) : u->arena_bytes < best->arena_bytes) {
            best = u;
            parts->part = part;
        }
        if (fits && !u->recomputed) return best;
    }
    return best;
}

LoopUnit *driver_loops(Driver *d, const Graph *g, const Code *like, const char *name, int nresults,
                       const Machine *machine, BatchParts *parts) {
    const TrainBlock *block = like->block;
    int64_t budget = block && block->memory ? block->memory - d->variables.layout.size : INT64_MAX;
    const Wanted w = {d, like, name, nresults, machine, budget};
    LoopUnit *u = build(&w, g);
    BatchParts unasked;
    parts = parts ? parts : &unasked;
    *parts = (BatchParts){0};
    return u->arena_bytes > budget || u->recomputed ? build_parts(&w, g, u, parts) : u;
}

/* ---- what kept a batch together ---- */

typedef VEC(const Term *) Terms;

static void reach(Terms *list, const Term *t) {
    while (list->len <= (size_t)t->id) vec_push(list, NULL);
    list->at[t->id] = t;
}

/* The layer that the first term at a place was made in, or NULL. Operands have smaller numbers. */
static const char *layer_at(const Unit *u, Span at) {
    Terms list = {0};
    const Term *first = NULL;
    for (size_t i = 0; i < u->results.len; i++) reach(&list, u->results.at[i].value);
    for (size_t i = 0; i < u->updates.len; i++) reach(&list, u->updates.at[i].value);
    for (size_t i = list.len; i-- > 0;) {
        const Term *t = list.at[i];
        for (int k = 0; t && k < t->nargs; k++) reach(&list, t->args[k]);
        if (t && t->at.file == at.file && t->at.begin == at.begin && t->at.end == at.end) first = t;
    }
    vec_free(&list);
    int call = first ? first->call : -1;
    while (call >= 0 && u->calls.at[call].layer < 0) call = u->calls.at[call].up;
    return call < 0 ? NULL : u->layers.at[u->calls.at[call].layer].path;
}

const char *driver_mixed(const Driver *d, const Code *c) {
    const char *place = driver_place(d, c->parts.mixed), *layer = layer_at(c->unit, c->parts.mixed);
    return layer ? arena_printf(d->nnc->arena, "'%s' (%s)", layer, place) : place;
}
