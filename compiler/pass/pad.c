/* Zeros around an image are written once, instead of asked for at each of the many places that a window reads.
 *
 * before    a fused graph
 * after     guard(c ? x[i + k - 1] : 0) * w[k] is p[i + k] * w[k], p[j] = guard(c' ? x[j - 1] : 0)
 * requires  nothing
 * keeps     every output, to the bit
 * breaks    nothing */
#include "compiler/pass/pad.h"

#include "compiler/pass/contraction.h"

static const double REUSE = 1.5; /* how often an element must be read at least ... */
static const double LARGEST = 4; /* ... and how many times larger than the tensor it comes from the padded one may be */

/* An operand guard(conds ? x[at] : 0) as a tensor of its own: dims[d] = the range of at[d], which begins at lo[d]. A
 * dim that is gathered by data is the range of the one index that chooses it. */
typedef struct {
    Graph *to;
    const Graph *from;
    const Node *node;   /* the contraction */
    const Expr *guard;  /* EX_GUARD around ... */
    const Expr *load;   /* ... EX_LOAD */
    const Node *of;     /* the loaded tensor */
    int64_t *dims, *lo; /* of the new one */
    const Aff **at;     /* where the contraction reads it, before lo is taken off */
} Padded;

static int nvars(const Padded *p) { return p->node->rank + p->node->comp.nred; }

/* The one variable that an expression uses; -1: there is none, or there are more. */
static int only_var(const Padded *p, Ex e) {
    bool *used = ARENA_ARRAY(p->from->nnc->arena, bool, nvars(p) + 1);
    int var = -1;
    ex_used(p->from, e, used, nvars(p));
    for (int v = 0; v < nvars(p); v++) {
        if (!used[v]) continue;
        if (var >= 0) return -1;
        var = v;
    }
    return var;
}

/* Finds the new tensor's dims; false where a place is not of the simple kinds. */
static bool find_dims(Padded *p) {
    for (int d = 0; d < p->load->load.rank; d++) {
        const Place *at = &p->load->load.at[d];
        int64_t hi;
        p->at[d] = at->aff;
        if (at->gather) {
            int var = only_var(p, at->gather);
            if (var < 0 || !aff_is_const(at->aff, &p->lo[d])) return false;
            p->lo[d] = 0;
            p->dims[d] = p->node->comp.extents[var];
            p->at[d] = aff_var(p->from->affs, var);
            continue;
        }
        if (!aff_range(at->aff, p->node->comp.extents, nvars(p), &p->lo[d], &hi)) return false;
        p->dims[d] = hi - p->lo[d] + 1;
    }
    return true;
}

static double elements(const int64_t *dims, int n) {
    double e = 1;
    for (int d = 0; d < n; d++) e *= (double)dims[d];
    return e;
}

/* How many values of variable v matter to a place: those of its quotient or remainder, where that is all there is. */
static int64_t values(const Aff *at, int v, int64_t extent) {
    int64_t n = 1;
    for (int i = 0; i < at->nterms; i++) {
        const AffTerm *x = &at->terms[i];
        if (x->kind == ATOM_MOD && aff_uses(x->of, v)) n *= MIN(x->by, extent);
        if (x->kind == ATOM_DIV && aff_uses(x->of, v)) n *= (extent + x->by - 1) / x->by;
        if (x->kind == ATOM_VAR && x->var == v) n = extent;
    }
    return MIN(n, extent);
}

/* The operand is read often enough, and the new tensor is no monster. */
static bool pays(const Padded *p) {
    double reads = 1, size = elements(p->dims, p->load->load.rank);
    for (int v = 0; v < nvars(p); v++) {
        int64_t used = 1;
        for (int d = 0; d < p->load->load.rank; d++) used = MAX(used, values(p->at[d], v, p->node->comp.extents[v]));
        reads *= (double)used;
    }
    return reads >= (double)REUSE * size && size <= (double)LARGEST * elements(p->of->dims, p->of->rank);
}

/* A condition on the new tensor's own indices: an index of the contraction that is a place but for its sign and a
 * constant. */
static bool own_cond(const Padded *p, const Cond *c, Cond *own) {
    AffTable *f = p->from->affs, *t = p->to->affs;
    for (int d = 0; d < p->load->load.rank; d++) {
        const Aff *here = aff_add(t, aff_var(t, d), aff_const(t, p->lo[d]));
        int64_t k;
        for (int sign = 1; sign >= -1; sign -= 2) {
            const Aff *rest = aff_sub(f, c->aff, aff_scale(f, p->at[d], sign));
            if (!aff_is_const(aff_simplify(f, rest, p->node->comp.extents, nvars(p)), &k)) continue;
            *own = (Cond){aff_add(t, aff_scale(t, here, sign), aff_const(t, k)), c->lo, c->hi};
            return true;
        }
    }
    return false;
}

/* The new tensor's element at its own indices, with its conditions and those that keep it inside; 0 where one is of
 * another kind. */
static Ex own_body(const Padded *p, const Ref *refs) {
    Graph *to = p->to;
    int rank = p->load->load.rank, n = 0;
    Cond *conds = ARENA_ARRAY(to->nnc->arena, Cond, p->guard->guard.n + rank);
    Place *at = ARENA_ARRAY(to->nnc->arena, Place, rank);
    const Aff **map = ARENA_ARRAY(to->nnc->arena, const Aff *, nvars(p));
    for (int i = 0; i < p->guard->guard.n; i++)
        if (!own_cond(p, &p->guard->guard.at[i], &conds[n++])) return 0;
    for (int d = 0; d < rank; d++) {
        const Aff *here = aff_add(to->affs, aff_var(to->affs, d), aff_const(to->affs, p->lo[d]));
        at[d].aff = here;
        if (p->load->load.at[d].gather) {
            for (int v = 0; v < nvars(p); v++) map[v] = aff_var(to->affs, d);
            at[d].gather = ex_copy(to, p->from, p->load->load.at[d].gather, map, nvars(p), refs);
            at[d].aff = p->load->load.at[d].aff;
        } else if (p->lo[d] < 0 || p->lo[d] + p->dims[d] > p->of->dims[d]) {
            conds[n++] = (Cond){here, 0, p->of->dims[d]};
        }
    }
    return ex_guard(to, n, conds, ex_load(to, refs[p->load->load.node], at), ex_zero(to, p->guard->dtype));
}

/* The operand in the new graph: a load of its padded tensor where that is made, else as it is. */
static Ex operand(Graph *to, const Graph *from, const Node *n, Ex e, const Ref *refs, bool *padded) {
    const Expr guard = *ir_expr(from, e);
    Arena *a = to->nnc->arena;
    if (guard.kind != EX_GUARD || !ex_is_zero(from, guard.arg[1]) || ir_expr(from, guard.arg[0])->kind != EX_LOAD)
        return ex_copy(to, from, e, NULL, 0, refs);
    const Expr load = *ir_expr(from, guard.arg[0]);
    int rank = load.load.rank;
    Padded p = {to,
                from,
                n,
                &guard,
                &load,
                ir_node(from, load.load.node),
                ARENA_ARRAY(a, int64_t, rank + 1),
                ARENA_ARRAY(a, int64_t, rank + 1),
                ARENA_ARRAY(a, const Aff *, rank + 1)};
    Ex body = find_dims(&p) && pays(&p) ? own_body(&p, refs) : 0;
    if (!body) return ex_copy(to, from, e, NULL, 0, refs);
    Ref tensor = ir_comp(to, RED_NONE, rank, 0, p.dims, body, n->at);
    Place *at = ARENA_ARRAY(a, Place, rank);
    int nv = nvars(&p);
    const Aff **same = ARENA_ARRAY(a, const Aff *, nv);
    for (int v = 0; v < nv; v++) same[v] = aff_var(to->affs, v);
    for (int d = 0; d < rank; d++)
        at[d].aff = aff_sub(to->affs, aff_subst(to->affs, p.at[d], same, nv), aff_const(to->affs, p.lo[d]));
    *padded = true;
    return ex_load(to, tensor, at);
}

static Ref pad_node(Graph *to, Graph *from, Ref r, const Ref *home, const Ref *refs) {
    Contraction c;
    bool padded = false;
    if (!contraction_of(from, r, home, &c) || c.nwhere) return ir_copy(to, from, r, refs);
    const Node n = *ir_node(from, r);
    Ex a = operand(to, from, &n, c.a, refs, &padded), b = operand(to, from, &n, c.b, refs, &padded);
    if (!padded) return ir_copy(to, from, r, refs);
    Ref made = ir_comp(to, RED_SUM, n.rank, n.comp.nred, n.comp.extents, ex_op(to, EX_MUL, a, b, 0), n.at);
    ir_name(to, made, n.name);
    return made;
}

Graph *pass_pad(Nnc *nnc, Graph *from) {
    Graph *to = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, from->nodes.len);
    const Ref *home = ir_homes(from);
    for (Ref r = 1; r < from->nodes.len; r++) refs[r] = pad_node(to, from, r, home, refs);
    ir_copy_outputs(to, from, refs);
    return to;
}
