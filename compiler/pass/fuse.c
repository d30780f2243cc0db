/* Fusion, first half: element-wise nodes disappear into their readers.
 *
 * before    a graph without gradients, its bodies mostly of one operation
 * after     bodies as large as pays; argmax and argmin are two reductions; dead nodes gone
 * requires  no N_GRAD, no N_MARK
 * keeps     outputs; sums are cut and ordered as before
 * breaks    nothing
 *
 * Which nodes disappear is decided from the last to the first, so that it is known how often a node will be evaluated:
 *  - one that only moves data (reshape, transposition, slice, broadcast) always;
 *  - any other if that is no more work than computing it once: also in a scan whose iterations read a part of it each;
 *  - a cheap one also if it is evaluated a few times more, unless it follows a reduction: then it is computed on that
 *    one's results while they are in registers, which is free. But what is as large as the one tensor that it is
 * computed from, and has to be kept as that one has, is computed again: a dear one, such as a sigmoid, where it is read
 * twice and too large for the caches. */
#include "compiler/pass/fuse.h"

#include <string.h>

enum {
    LARGEST_BODY = 256, /* expressions; beyond this a node is kept */
    CHEAP = 4,          /* vector instructions */
    FEW = 4,            /* evaluations of an element */
    OFTEN = 8,          /* the same where what it is computed from is in memory anyway */
    TWICE = 18,         /* vector instructions that take no longer than an element's way to memory and back ... */
    FAR = 1 << 20       /* ... of a tensor of so many bytes */
};

typedef struct {
    Nnc *nnc;
    Graph *g; /* grows at its end; nodes below `n` are the old ones */
    size_t n, nexprs;
    double *evaluations; /* per old node: how many points its readers load */
    int *readers;        /* per old node: how many nodes load it */
    bool *output, *follows, *inlined;
    bool *summed;    /* per old node: a sum is over it, by way of nodes that disappear */
    const Ref *home; /* per old node: the scan whose body it is in */
    Ref *refs;       /* per old node: the new one, 0 while there is none */
    Ex *body;        /* per inlined node: its new body, over its own indices */
    int *size;       /* of that, in expressions */
    Ex *memo;        /* per old expression: its copy in the body being made */
    Ref *memo_of;    /* and for which node that was */
    Ref current;
    int budget; /* expressions that the body may still take */
} Fuse;

/* ---- what to inline ---- */

static double points(const Node *n) {
    double p = 1;
    int count = n->kind == N_SCATTER ? n->scatter.ndomain : n->rank + n->comp.nred;
    const int64_t *extents = n->kind == N_SCATTER ? n->scatter.extents : n->comp.extents;
    for (int i = 0; i < count; i++) p *= (double)extents[i];
    return p;
}

static void walk_node(const Graph *g, const Node *n, void (*visit)(const Graph *g, Ex e, void *self), void *self) {
    if (n->kind == N_COMP) ex_walk(g, n->comp.body, visit, self);
    if (n->kind != N_SCATTER) return;
    ex_walk(g, n->scatter.body, visit, self);
    for (int d = 0; d < n->rank; d++)
        if (n->scatter.place[d].gather) ex_walk(g, n->scatter.place[d].gather, visit, self);
}

typedef struct {
    Fuse *f;
    const Node *n;
    Ref home;
    double evaluations;
    bool summed;
    int operations, loads, whole; /* whole: loads of as many elements as the node has */
    bool moves;                   /* nothing but loads, constants and indices */
    bool follows;
    Ref source; /* the last such load's node */
} Look;

static void look(const Graph *g, Ex e, void *self) {
    Look *l = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_CONST || x->kind == EX_INDEX) return;
    if (x->kind == EX_GUARD) {
        l->moves = false;
        l->operations += x->guard.n;
        return;
    }
    if (x->kind != EX_LOAD) {
        l->moves = false;
        l->operations += op_info(x->kind)->cost;
        return;
    }
    const Node *from = ir_node(g, x->load.node);
    bool gathers = false;
    for (int d = 0; d < x->load.rank; d++) gathers |= x->load.at[d].gather != 0;
    l->loads++;
    l->moves &= !gathers;
    if (ir_elements(from) >= ir_elements(l->n)) {
        l->whole++;
        l->source = x->load.node;
    }
    if (gathers || from->kind != N_COMP || ir_elements(from) != ir_elements(l->n)) return;
    l->follows |= from->comp.combine != RED_NONE || l->f->follows[x->load.node];
}

/* How often the reader's scans run it while node r is made once. */
static double iterations(const Look *l, Ref r) {
    double times = 1;
    for (Ref s = l->home; s && s != l->f->home[r]; s = l->f->home[s]) times *= (double)ir_node(l->f->g, s)->scan.extent;
    return times;
}

/* Whether iterations read no more elements than node r has, which is made outside of them: each a part, such as one
 * time step. Sums read what is in memory, and what follows a sum is free there. */
static bool is_piecewise(const Look *l, Ref r, double times) {
    return !l->summed && !l->f->follows[r] && l->evaluations * times <= (double)ir_elements(ir_node(l->f->g, r));
}

static void count_load(const Graph *g, Ex e, void *self) {
    Look *l = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return;
    double times = iterations(l, x->load.node);
    l->f->evaluations[x->load.node] += l->evaluations * times;
    l->f->summed[x->load.node] |= l->summed;
    if (l->f->home[x->load.node] != l->home && !is_piecewise(l, x->load.node, times)) l->f->output[x->load.node] = true;
}

static Look look_at(Fuse *f, const Node *n) {
    Look l = {.f = f, .n = n, .moves = true};
    walk_node(f->g, n, look, &l);
    return l;
}

/* Whether `source` is in memory in place of node n, which is no smaller. */
static bool kept_anyway(const Fuse *f, const Node *n, Ref source) {
    const Node *from = ir_node(f->g, source);
    return source && f->readers[source] > 1 && ir_elements(from) == ir_elements(n) &&
           dtype_size(from->dtype) <= dtype_size(n->dtype);
}

/* Whether node r is little work from one tensor that is kept, through nodes that nothing else reads. */
static bool from_kept(Fuse *f, Ref r) {
    for (int operations = 0;;) {
        const Node *n = ir_node(f->g, r);
        if (n->kind != N_COMP || n->comp.combine != RED_NONE || f->output[r]) return false;
        Look l = look_at(f, n);
        operations += l.operations;
        if (l.loads != 1 || l.whole != 1 || operations > TWICE) return false;
        if (kept_anyway(f, n, l.source)) return true;
        r = l.source;
    }
}

static bool decide(Fuse *f, Ref r) {
    const Node *n = ir_node(f->g, r);
    if (n->kind != N_COMP || n->comp.combine != RED_NONE || f->output[r]) return false;
    double elements = points(n), evaluations = f->evaluations[r];
    Look l = look_at(f, n);
    if (evaluations <= elements || (l.moves && l.loads <= 1)) return true;
    bool cheap = l.operations <= CHEAP && l.whole <= 1;
    bool far = elements * (double)dtype_size(n->dtype) >= (double)FAR;
    if (far && evaluations <= 2 * elements && from_kept(f, r)) return true;
    if (!cheap || n->rank == 0) return cheap;
    if (kept_anyway(f, n, l.source)) return evaluations <= (double)OFTEN * elements;
    return evaluations < (double)FEW * elements && !f->follows[r];
}

static void count_reader(Ref used, void *readers) { ((int *)readers)[used]++; }

static void decide_all(Fuse *f) {
    for (Ref r = 1; r < f->n; r++) ir_uses(f->g, r, count_reader, f->readers);
    for (Ref r = 1; r < f->n; r++)
        if (ir_node(f->g, r)->kind == N_COMP && ir_node(f->g, r)->comp.combine == RED_NONE)
            f->follows[r] = look_at(f, ir_node(f->g, r)).follows;
    for (Ref r = (Ref)f->n - 1; r > 0; r--) {
        const Node *n = ir_node(f->g, r);
        if (n->kind == N_SCAN || n->kind == N_SORT) ir_mark_uses(f->g, r, f->output);
        if (n->kind != N_COMP && n->kind != N_SCATTER) continue;
        f->inlined[r] = decide(f, r);
        Look l = {.f = f, .home = f->home[r], .evaluations = f->inlined[r] ? f->evaluations[r] : points(n)};
        l.summed = n->kind != N_COMP || n->comp.combine != RED_NONE || (f->inlined[r] && f->summed[r]);
        walk_node(f->g, n, count_load, &l);
    }
}

/* ---- bodies ---- */

/* Whether index `var` can become one that data chooses: it is only part of places, outside quotients. */
typedef struct {
    const bool *gathered; /* per variable */
    int n;
    bool fine;
} Plain;

static bool uses_any(const Plain *p, const Aff *a) {
    for (int v = 0; v < p->n; v++)
        if (p->gathered[v] && aff_uses(a, v)) return true;
    return false;
}

static bool inside_quotient(const Plain *p, const Aff *a) {
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].kind != ATOM_VAR && uses_any(p, a->terms[i].of)) return true;
    return false;
}

static void check_plain(const Graph *g, Ex e, void *self) {
    Plain *p = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_INDEX && uses_any(p, x->index)) p->fine = false;
    for (int i = 0; x->kind == EX_GUARD && i < x->guard.n; i++) p->fine &= !uses_any(p, x->guard.at[i].aff);
    for (int d = 0; x->kind == EX_LOAD && d < x->load.rank; d++) p->fine &= !inside_quotient(p, x->load.at[d].aff);
}

/* The gather of a place whose variables v have become map[v] + at[v].gather. */
static Ex gather_of(Graph *g, const Aff *a, const Place *at, int n, Ex sum) {
    for (int i = 0; i < a->nterms; i++) {
        const AffTerm *x = &a->terms[i];
        if (x->kind != ATOM_VAR || x->var >= n || !at[x->var].gather) continue;
        Ex part = at[x->var].gather;
        DType t = ir_expr(g, part)->dtype;
        if (x->coef != 1) part = ex_op(g, EX_MUL, part, ex_int(g, t, x->coef), 0);
        if (sum && ir_expr(g, sum)->dtype != t) {
            sum = ex_cast(g, DT_I64, sum);
            part = ex_cast(g, DT_I64, part);
        }
        sum = sum ? ex_op(g, EX_ADD, sum, part, 0) : part;
    }
    return sum;
}

/* `e` with variable v at[v].aff + at[v].gather. Bodies are small; what they share is shared again. */
static Ex substitute(Graph *g, Ex e, const Place *at, const Aff *const *map, int n) {
    const Expr x = *ir_expr(g, e);
    Ex a[4] = {0};
    if (x.kind == EX_CONST) return e;
    if (x.kind == EX_INDEX) return ex_subst(g, e, map, n);
    if (x.kind == EX_LOAD) {
        Place *to = ARENA_ARRAY(g->nnc->arena, Place, x.load.rank + 1);
        for (int d = 0; d < x.load.rank; d++) {
            to[d].aff = aff_subst(g->affs, x.load.at[d].aff, map, n);
            to[d].gather = x.load.at[d].gather ? substitute(g, x.load.at[d].gather, at, map, n) : 0;
            to[d].gather = gather_of(g, x.load.at[d].aff, at, n, to[d].gather);
        }
        return ex_load(g, x.load.node, to);
    }
    for (int i = 0; i < 4; i++)
        if (x.arg[i]) a[i] = substitute(g, x.arg[i], at, map, n);
    if (x.kind == EX_GUARD) {
        Cond *conds = arena_copy(g->nnc->arena, x.guard.at, sizeof(Cond) * (size_t)x.guard.n);
        for (int i = 0; i < x.guard.n; i++) conds[i].aff = aff_subst(g->affs, conds[i].aff, map, n);
        return ex_guard(g, x.guard.n, conds, a[0], a[1]);
    }
    if (x.kind == EX_CAST) return ex_cast(g, x.dtype, a[0]);
    if (x.kind == EX_RANDOM) return ex_random(g, a[0], a[1], a[2], a[3]);
    return ex_op(g, x.kind, a[0], a[1], a[2]);
}

/* The node of an inlined one, made after all. */
static Ref node_of(Fuse *f, Ref r) {
    if (!f->refs[r]) {
        const Node n = *ir_node(f->g, r);
        f->refs[r] = ir_comp(f->g, RED_NONE, n.rank, 0, n.comp.extents, f->body[r], n.at);
        ir_name(f->g, f->refs[r], n.name);
    }
    return f->refs[r];
}

/* An element of inlined node r as an expression, or 0 where it doesn't fit. */
static Ex inline_load(Fuse *f, Ref r, const Place *at) {
    const Node *n = ir_node(f->g, r);
    int rank = n->rank;
    if (f->refs[r] || f->size[r] > f->budget) return 0;
    const Aff **map = ARENA_ARRAY(f->nnc->arena, const Aff *, rank + 1);
    bool *gathered = ARENA_ARRAY(f->nnc->arena, bool, rank + 1), any = false;
    for (int d = 0; d < rank; d++) {
        map[d] = at[d].aff;
        any |= gathered[d] = at[d].gather != 0;
    }
    if (any) {
        Plain p = {gathered, rank, true};
        ex_walk(f->g, f->body[r], check_plain, &p);
        if (!p.fine || f->size[r] > 32) return 0;
    }
    f->budget -= f->size[r];
    return any ? substitute(f->g, f->body[r], at, map, rank) : ex_subst(f->g, f->body[r], map, rank);
}

static Ex copy_body(Fuse *f, Ex e);

static const Place *copy_places(Fuse *f, const Place *at, int n) {
    Place *to = ARENA_ARRAY(f->nnc->arena, Place, n + 1);
    for (int d = 0; d < n; d++) to[d] = (Place){at[d].aff, at[d].gather ? copy_body(f, at[d].gather) : 0};
    return to;
}

static Ex copy_load(Fuse *f, const Expr *x) {
    Ref r = x->load.node;
    const Place *at = copy_places(f, x->load.at, x->load.rank);
    if (!f->inlined[r]) return ex_load(f->g, f->refs[r], at);
    Ex e = inline_load(f, r, at);
    return e ? e : ex_load(f->g, node_of(f, r), at);
}

static Ex copy_new(Fuse *f, Ex e) {
    Graph *g = f->g;
    const Expr x = *ir_expr(g, e);
    Ex a[4] = {0};
    if (x.kind == EX_CONST || x.kind == EX_INDEX) return e;
    if (x.kind == EX_LOAD) return copy_load(f, &x);
    for (int i = 0; i < 4; i++)
        if (x.arg[i]) a[i] = copy_body(f, x.arg[i]);
    if (x.kind == EX_GUARD) return ex_guard(g, x.guard.n, x.guard.at, a[0], a[1]);
    if (x.kind == EX_CAST) return ex_cast(g, x.dtype, a[0]);
    if (x.kind == EX_RANDOM) return ex_random(g, a[0], a[1], a[2], a[3]);
    return ex_op(g, x.kind, a[0], a[1], a[2]);
}

static Ex copy_body(Fuse *f, Ex e) {
    if (f->memo_of[e] != f->current) {
        f->memo[e] = copy_new(f, e);
        f->memo_of[e] = f->current;
        f->budget--;
    }
    return f->memo[e];
}

/* ---- nodes ---- */

/* The winner of a search as two plain reductions: the largest value, then the smallest number of a point that has it.
 */
static Ref expand_search(Graph *g, const Node *n, Ex body) {
    bool largest = n->comp.combine == RED_ARGMAX;
    int total = n->rank + n->comp.nred;
    const int64_t *extents = n->comp.extents;
    if (ir_expr(g, body)->dtype == DT_BOOL) body = ex_cast(g, DT_I32, body);
    Ref best = ir_comp(g, largest ? RED_MAX : RED_MIN, n->rank, n->comp.nred, extents, body, n->at);
    Place *own = ARENA_ARRAY(g->nnc->arena, Place, n->rank + 1);
    for (int d = 0; d < n->rank; d++) own[d].aff = aff_var(g->affs, d);
    const Aff *number = aff_const(g->affs, 0);
    for (int v = n->rank; v < total; v++)
        number = aff_add(g->affs, aff_scale(g->affs, number, extents[v]), aff_var(g->affs, v));
    Ex wins = ex_op(g, EX_EQ, body, ex_load(g, best, own), 0);
    if (dtype_is_float(ir_expr(g, body)->dtype)) wins = ex_op(g, EX_OR, wins, ex_op(g, EX_NE, body, body, 0), 0);
    Ex place = ex_op(g, EX_SELECT, wins, ex_index(g, DT_I32, number), ex_int(g, DT_I32, INT32_MAX));
    return ir_comp(g, RED_MIN, n->rank, n->comp.nred, extents, place, n->at);
}

static void count_expr(const Graph *g, Ex e, void *self) {
    (void)g;
    (void)e;
    ++*(int *)self;
}

static void copy_node(Fuse *f, Ref r) {
    const Node n = *ir_node(f->g, r); /* a copy: the array grows */
    f->current = r;
    f->budget = LARGEST_BODY;
    if (n.kind == N_LEAF) {
        f->refs[r] = r;
        return;
    }
    if (n.kind == N_SORT || n.kind == N_SCAN || n.kind == N_RESULT) {
        f->refs[r] = ir_copy(f->g, f->g, r, f->refs);
        return;
    }
    if (n.kind == N_SCATTER) {
        const Place *place = copy_places(f, n.scatter.place, n.rank);
        Ex body = copy_body(f, n.scatter.body);
        f->refs[r] = ir_scatter(f->g, n.rank, n.dims, place, n.scatter.ndomain, n.scatter.extents, body, n.at);
    } else {
        Ex body = copy_body(f, n.comp.body);
        if (f->inlined[r]) {
            f->body[r] = body;
            ex_walk(f->g, body, count_expr, &f->size[r]);
            return;
        }
        bool search = n.comp.combine == RED_ARGMAX || n.comp.combine == RED_ARGMIN;
        f->refs[r] = search ? expand_search(f->g, &n, body)
                            : ir_comp(f->g, n.comp.combine, n.rank, n.comp.nred, n.comp.extents, body, n.at);
    }
    ir_name(f->g, f->refs[r], n.name);
}

Graph *pass_fuse(Nnc *nnc, const Graph *from) {
    Graph *g = ir_compact(from, NULL);
    Fuse f = {.nnc = nnc, .g = g, .n = g->nodes.len, .nexprs = g->exprs.len};
    Arena *a = nnc->arena;
    f.evaluations = ARENA_ARRAY(a, double, f.n);
    f.readers = ARENA_ARRAY(a, int, f.n);
    f.output = ARENA_ARRAY(a, bool, f.n);
    f.follows = ARENA_ARRAY(a, bool, f.n);
    f.inlined = ARENA_ARRAY(a, bool, f.n);
    f.summed = ARENA_ARRAY(a, bool, f.n);
    f.refs = ARENA_ARRAY(a, Ref, f.n);
    f.body = ARENA_ARRAY(a, Ex, f.n);
    f.size = ARENA_ARRAY(a, int, f.n);
    f.home = ir_homes(g);
    f.memo = ARENA_ARRAY(a, Ex, f.nexprs);
    f.memo_of = ARENA_ARRAY(a, Ref, f.nexprs);
    for (size_t i = 0; i < g->outputs.len; i++) f.output[g->outputs.at[i].node] = true;
    decide_all(&f);
    for (Ref r = 1; r < f.n; r++) copy_node(&f, r);
    for (size_t i = 0; i < g->outputs.len; i++) g->outputs.at[i].node = f.refs[g->outputs.at[i].node];
    return ir_compact(g, NULL);
}
