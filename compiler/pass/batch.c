/* The samples of a batch are told apart by how indices move. A part of the batch is `part` samples; one part further,
 * the variable that runs over samples is larger by its extent's share of a part. A comprehension computes each sample
 * from that sample alone where this moves the index along the sample axis of every tensor that it loads by just that
 * tensor's share, and no other index nor any condition: the same body over a part of the values, loading from the
 * parts, is then a part of the result. Quotients and remainders move where their divisor divides what is inside moves
 * by.
 *
 * Samples begin with the numbers of their rows, and with random numbers of their own. A tensor that does not depend on
 * the batch, such as zeros for each sample, may be made part by part as well where its readers ask for it. They come
 * behind it, and so do the next values of carries: the sweep over the nodes is done again as long as it teaches
 * anything. */
#include "compiler/pass/batch.h"

typedef struct {
    Batch *b;
    const Graph *g;
    int rows;
    const Ref *home;
    BatchUse *carry; /* per node: what is known of the leaf of a carry */
    bool *apart;     /* per number of a loop: works on samples */
    bool draws;      /* random numbers that are as many along a dim as there are samples are the samples' own */
    int *wanted;     /* per node: 1 + the axis that readers would like to have part by part, 0: none */
    bool learned;
} Sweep;

int64_t batch_places(const Batch *b, int64_t extent, int64_t n) { return extent / b->size * n; }

bool batch_step(const Batch *b, const Aff *a, int var, int64_t extent, int64_t *step) {
    *step = 0;
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *t = &a->terms[i];
        int64_t inner = 0;
        if (t->kind == ATOM_VAR) {
            if (t->var == var) *step += t->coef * batch_places(b, extent, b->part);
            continue;
        }
        if (!batch_step(b, t->of, var, extent, &inner) || inner % t->by) return false;
        if (t->kind == ATOM_DIV) *step += t->coef * (inner / t->by);
    }
    return true;
}

/* ---- one expression ---- */

/* What a node's expressions load, and whether variable `var` can run over the samples in them. */
typedef struct {
    Sweep *s;
    int var, nvars; /* var -1: only look at what is loaded */
    const int64_t *extents;
    bool apart, inside; /* something loaded is */
    bool random;        /* there are random numbers */
    int after;
    bool fits, asks; /* asks: for what is loaded of no sample to be made in parts */
} Look;

static BatchUse one(bool inside, int after) {
    return (BatchUse){.kind = BATCH_ONE, .axis = -1, .var = -1, .inside = inside, .after = after};
}

static BatchUse is_mixed(Sweep *s, Ref r) {
    s->b->mixed = r;
    return one(false, 0);
}

static bool in_part(const Look *l, const Aff *a, int64_t dim, int64_t n) {
    const Batch *b = l->s->b;
    int64_t *extents = arena_copy(l->s->g->nnc->arena, l->extents, sizeof *extents * (size_t)l->nvars), lo, hi;
    extents[l->var] = batch_places(b, extents[l->var], n);
    return aff_range(a, extents, l->nvars, &lo, &hi) && lo >= 0 && hi < batch_places(b, dim, n);
}

/* Whether the index along a dim goes from sample to sample as the variable does. */
static bool follows(const Look *l, const Place *at, int64_t dim, int64_t step) {
    const Batch *b = l->s->b;
    return !at->gather && dim % b->size == 0 && step == batch_places(b, dim, b->part) &&
           in_part(l, at->aff, dim, b->part) && (!b->rest || in_part(l, at->aff, dim, b->rest));
}

static void want(Sweep *s, Ref r, int axis) {
    if (s->wanted[r]) return;
    s->wanted[r] = axis + 1;
    s->learned = true;
}

/* What is read of a node: the sums over a round are there behind it. */
static BatchUse as_read(BatchUse use) {
    if (use.kind == BATCH_SUM) return one(false, use.after + 1);
    use.var = -1;
    return use;
}

static void look_at_load(Look *l, const Expr *x) {
    Sweep *s = l->s;
    const BatchUse use = as_read(s->b->use[x->load.node]);
    const Node *n = ir_node(s->g, x->load.node);
    int axis = -1, moving = 0;
    l->apart = l->apart || use.kind == BATCH_APART;
    l->inside = l->inside || use.inside;
    l->after = MAX(l->after, use.after);
    for (int d = 0; d < x->load.rank && l->var >= 0 && l->fits; d++) {
        int64_t step;
        l->fits = batch_step(s->b, x->load.at[d].aff, l->var, l->extents[l->var], &step);
        bool moves = l->fits && step != 0, fits = moves && follows(l, &x->load.at[d], n->dims[d], step);
        if (use.kind == BATCH_APART) l->fits = l->fits && (d == use.axis ? fits : !moves);
        moving += moves;
        if (fits) axis = d;
    }
    if (l->asks && use.kind == BATCH_ONE && moving == 1 && axis >= 0) want(s, x->load.node, axis);
}

static void look_at(const Graph *g, Ex e, void *self) {
    Look *l = self;
    const Expr *x = ir_expr(g, e);
    int64_t step = 0;
    l->random = l->random || x->kind == EX_RANDOM;
    if (x->kind == EX_LOAD) look_at_load(l, x);
    if (l->var < 0) return;
    if (x->kind == EX_INDEX) l->fits = l->fits && batch_step(l->s->b, x->index, l->var, l->extents[l->var], &step);
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n && l->fits; i++)
        l->fits = batch_step(l->s->b, x->guard.at[i].aff, l->var, l->extents[l->var], &step) && step == 0;
}

/* ---- one node ---- */

static Look look_at_node(Sweep *s, Ref r, int var, bool asks) {
    const Node *n = ir_node(s->g, r);
    bool comp = n->kind == N_COMP;
    Look l = {.s = s, .var = var, .fits = true, .asks = asks};
    l.nvars = comp ? n->rank + n->comp.nred : n->scatter.ndomain;
    l.extents = comp ? n->comp.extents : n->scatter.extents;
    if (var >= 0 && (!l.extents[var] || l.extents[var] % s->b->size)) {
        l.fits = false;
        return l;
    }
    ex_walk(s->g, comp ? n->comp.body : n->scatter.body, look_at, &l);
    for (int d = 0; !comp && d < n->rank; d++)
        if (n->scatter.place[d].gather) ex_walk(s->g, n->scatter.place[d].gather, look_at, &l);
    return l;
}

static BatchUse made_of(BatchKind kind, int axis, const Look *l) {
    return (BatchUse){.kind = kind, .axis = axis, .var = l->var, .inside = true, .after = l->after};
}

/* A scatter over samples adds each to the same places, or each to its own. */
static bool scatters(const Look *l, const Node *n, BatchUse *use) {
    *use = made_of(BATCH_SUM, -1, l);
    for (int d = 0; d < n->rank; d++) {
        int64_t step;
        if (!batch_step(l->s->b, n->scatter.place[d].aff, l->var, l->extents[l->var], &step)) return false;
        if (!step) continue;
        if (use->kind == BATCH_APART || !follows(l, &n->scatter.place[d], n->dims[d], step)) return false;
        *use = made_of(BATCH_APART, d, l);
    }
    return true;
}

/* Whether variable `var` of a node can run over the samples, and what the node then is. */
static bool runs_over_samples(Sweep *s, Ref r, int var, BatchUse *use) {
    const Node *n = ir_node(s->g, r);
    Look l = look_at_node(s, r, var, false);
    *use = made_of(BATCH_APART, var, &l);
    if (n->kind == N_COMP && var >= n->rank) *use = made_of(BATCH_SUM, -1, &l);
    bool folds =
        n->kind == N_SCATTER || use->kind == BATCH_APART || (n->comp.combine >= RED_SUM && n->comp.combine <= RED_MIN);
    if (!l.fits || !folds || (n->kind == N_SCATTER && !scatters(&l, n, use))) return false;
    if (use->kind == BATCH_SUM && s->home[r]) return false;
    look_at_node(s, r, var, true);
    return true;
}

/* The first node up to `last` that computes something for each sample from a sum over all. */
static Ref first_of_second_round(const Sweep *s, Ref last) {
    Ref r = 1;
    while (r < last && (s->b->use[r].kind != BATCH_APART || !s->b->use[r].after)) r++;
    return r;
}

static BatchUse use_of_body(Sweep *s, Ref r) {
    Look l = look_at_node(s, r, -1, false);
    BatchUse use;
    if (l.apart) {
        if (l.after >= BATCH_ROUNDS) return is_mixed(s, first_of_second_round(s, r));
        for (int v = 0; v < l.nvars; v++)
            if (runs_over_samples(s, r, v, &use)) return use;
        return is_mixed(s, r);
    }
    const Node *n = ir_node(s->g, r);
    int axis = s->wanted[r] - 1;
    for (int d = n->rank - 1; d >= 0 && s->draws && l.random; d--)
        if (n->dims[d] == s->b->size) axis = d;
    bool made = axis >= 0 && n->kind == N_COMP && runs_over_samples(s, r, axis, &use);
    return made ? use : one(l.inside, l.after);
}

/* What a carry is whose values come from here and from there. */
static BatchUse join(Sweep *s, Ref scan, BatchUse a, BatchUse b) {
    if (a.kind == BATCH_APART && b.kind == BATCH_APART && a.axis != b.axis) s->b->mixed = scan;
    BatchUse use = a.kind == BATCH_APART ? a : b;
    use.inside = a.inside || b.inside;
    use.after = MAX(a.after, b.after);
    return use;
}

static BatchUse read_of(const Sweep *s, Ref r) { return as_read(s->b->use[r]); }

static BatchUse use_of_carry(Sweep *s, Ref scan, int k) {
    const Node *n = ir_node(s->g, scan);
    return join(s, scan, read_of(s, n->scan.init[k]), read_of(s, n->scan.next[k]));
}

/* The leaf of a carry is what the carry is; values of no sample are asked for in parts. */
static void teach(Sweep *s, Ref scan) {
    const Node *n = ir_node(s->g, scan);
    for (Ref r = 1; r < scan; r++) {
        const Node *leaf = ir_node(s->g, r);
        if (leaf->kind != N_LEAF || leaf->leaf.kind != LEAF_CARRY || leaf->leaf.slot != n->scan.id) continue;
        BatchUse use = join(s, scan, read_of(s, r), use_of_carry(s, scan, leaf->leaf.index));
        use.inside = use.inside || s->apart[n->scan.id];
        const BatchUse *known = &s->carry[r];
        s->learned = s->learned || use.kind != known->kind || use.after != known->after || use.inside != known->inside;
        s->carry[r] = use;
    }
    for (int k = 0; k < n->scan.ncarry; k++) {
        BatchUse use = use_of_carry(s, scan, k);
        if (use.kind != BATCH_APART) continue;
        if (read_of(s, n->scan.init[k]).kind == BATCH_ONE) want(s, n->scan.init[k], use.axis);
        if (read_of(s, n->scan.next[k]).kind == BATCH_ONE) want(s, n->scan.next[k], use.axis);
    }
}

static BatchUse use_of_scan(Sweep *s, Ref r) {
    const Node *n = ir_node(s->g, r);
    BatchUse all = n->scan.cond ? read_of(s, n->scan.cond) : one(false, 0);
    bool apart = false;
    for (int k = 0; k < n->scan.ncarry + n->scan.nyield; k++) {
        Ref y = k < n->scan.ncarry ? 0 : n->scan.yield[k - n->scan.ncarry];
        if (k >= n->scan.ncarry && !y) continue;
        BatchUse use = y ? read_of(s, y) : use_of_carry(s, r, k);
        apart = apart || use.kind == BATCH_APART;
        all.inside = all.inside || use.inside;
        all.after = MAX(all.after, use.after);
    }
    teach(s, r);
    if (apart && !s->apart[n->scan.id]) s->apart[n->scan.id] = s->learned = true;
    return one(all.inside || apart, all.after);
}

static BatchUse use_of_result(Sweep *s, Ref r) {
    const Node *n = ir_node(s->g, r), *scan = ir_node(s->g, n->result.of);
    const BatchUse of = s->b->use[n->result.of];
    bool carried = n->result.index < scan->scan.ncarry;
    BatchUse use = carried ? use_of_carry(s, n->result.of, n->result.index)
                           : read_of(s, scan->scan.yield[n->result.index - scan->scan.ncarry]);
    if (use.kind == BATCH_APART && !carried) use.axis++;
    use.inside = of.inside;
    use.after = of.after;
    return use;
}

static BatchUse use_of(Sweep *s, Ref r) {
    const Node *n = ir_node(s->g, r);
    BatchUse use = one(false, 0);
    switch (n->kind) {
    case N_LEAF:
        if (n->leaf.kind == LEAF_INPUT && n->leaf.slot == s->rows)
            return (BatchUse){.kind = BATCH_APART, .axis = 0, .var = -1, .inside = true};
        if (n->leaf.kind == LEAF_CARRY) return s->carry[r];
        if (n->leaf.kind == LEAF_ITER) use.inside = s->apart[n->leaf.slot];
        return use;
    case N_COMP:
    case N_SCATTER: return use_of_body(s, r);
    case N_SORT:
        use = read_of(s, n->sort.of);
        return use.kind == BATCH_APART && use.axis == n->rank - 1 ? is_mixed(s, r) : use;
    case N_SCAN: return use_of_scan(s, r);
    case N_RESULT: return use_of_result(s, r);
    default: bug("a gradient is left where the batch is looked at");
    }
}

static Batch find(const Graph *g, int rows, int64_t size, int64_t part, bool draws) {
    Arena *a = g->nnc->arena;
    size_t n = g->nodes.len;
    Batch b = {.g = g, .size = size, .part = part, .rest = size % part, .use = ARENA_ARRAY(a, BatchUse, n)};
    Sweep s = {.b = &b, .g = g, .rows = rows, .home = ir_homes(g), .draws = draws, .learned = true};
    s.carry = ARENA_ARRAY(a, BatchUse, n);
    for (Ref r = 0; r < n; r++) s.carry[r] = b.use[r] = one(false, 0);
    s.apart = ARENA_ARRAY(a, bool, g->nscans + 1);
    s.wanted = ARENA_ARRAY(a, int, n);
    while (s.learned && !b.mixed) {
        s.learned = false;
        for (Ref r = 1; r < n && !b.mixed; r++) b.use[r] = use_of(&s, r);
    }
    for (size_t i = 0; i < g->outputs.len && !b.mixed; i++) {
        BatchUse *use = &b.use[g->outputs.at[i].node];
        if (use->kind == BATCH_APART) use->output = true;
        if (use->kind == BATCH_ONE && use->inside) b.mixed = g->outputs.at[i].node;
    }
    for (Ref r = 1; r < n; r++)
        if (b.use[r].kind == BATCH_SUM || b.use[r].output) b.rounds = MAX(b.rounds, b.use[r].after + 1);
    return b;
}

Batch batch_find(const Graph *g, int rows, int64_t size, int64_t part) {
    Batch b = find(g, rows, size, part, true);
    return b.mixed ? find(g, rows, size, part, false) : b;
}
