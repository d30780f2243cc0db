/* pass_lookup: what is computed of the rows of a table is computed once for each row.
 *
 * before    any graph
 * after     products of rows that are looked up are looked up themselves where at least twice as many rows are read as
 *           the table has: sum of table[ids[n], k] * w[k, j]  =>  (table @ w)[ids[n], j]; so is the arithmetic that
 *           follows, such as a bias
 * requires  nothing
 * keeps     values but for the rounding of sums; NaN where a number is beyond the table, which gradients leave out
 * breaks    nothing
 *
 * Gradients follow: what reaches the rows is added up for each row of the table, and the products are of these sums. */
#include "compiler/pass/passes.h"

#include <math.h>

enum {
    FEWEST_SUMS = 16, /* shorter ones take no longer than adding up what reaches the rows */
    AGAIN = 2         /* how often a row of the table is read at least */
};

/* A node that is valid[rows] ? table[number[rows], others] : NaN; `rows` and `others` are its dims. */
typedef struct {
    Ref node;
    Expr load; /* of the table */
    Ex valid;  /* 0: always */
    int dim;   /* of the table: the one with the number */
    bool *row; /* per dim of the node: among the rows */
} Lookup;

typedef VEC(Ref) Wanted; /* nodes that a gradient is asked for: what reads them goes on doing so */

/* A node that reads one, at rows that are among its own dims. */
typedef struct {
    Graph *g;
    Node n;
    Lookup of;
    int *at;   /* per dim of the lookup: if it is a row, the reader's dim that is the index there; -1: not known yet */
    bool *row; /* per variable of the reader: it is one of them */
    bool *not_row; /* per variable of the reader: it is used for something else */
    bool fits;
    const Wanted *wanted;
} Reader;

static bool meet(const bool *a, const bool *b, int n) {
    for (int v = 0; v < n; v++)
        if (a[v] && b[v]) return true;
    return false;
}

/* ---- what is a lookup ---- */

static bool is_nan(const Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    return x->kind == EX_CONST && dtype_is_float(x->dtype) && isnan(x->f);
}

static bool uses(const Graph *g, Ex e, const bool *vars, int n) {
    bool *used = ARENA_ARRAY(g->nnc->arena, bool, n + 1);
    ex_used(g, e, used, n);
    return meet(used, vars, n);
}

/* The dim of the table with the number, all others being indices of the node, marked in other[]; -1: there is none. */
static int find_number(const Expr *load, bool *other) {
    int dim = -1, var;
    int64_t at;
    for (int d = 0; d < load->load.rank; d++) {
        const Place *p = &load->load.at[d];
        if (p->gather && dim < 0 && aff_is_const(p->aff, &at) && at == 0)
            dim = d;
        else if (p->gather || !aff_is_var(p->aff, &var) || other[var])
            return -1;
        else
            other[var] = true;
    }
    return dim;
}

static bool find_lookup(const Graph *g, Ref node, Lookup *l) {
    const Node *n = ir_node(g, node);
    if (n->kind != N_COMP || n->comp.combine != RED_NONE) return false;
    const Expr *x = ir_expr(g, n->comp.body);
    *l = (Lookup){.node = node};
    if (x->kind == EX_SELECT && is_nan(g, x->arg[2])) {
        l->valid = x->arg[0];
        x = ir_expr(g, x->arg[1]);
    }
    if (x->kind != EX_LOAD) return false;
    l->load = *x;
    bool *other = ARENA_ARRAY(g->nnc->arena, bool, n->rank + 1);
    l->dim = find_number(x, other);
    if (l->dim < 0 || uses(g, x->load.at[l->dim].gather, other, n->rank)) return false;
    if (l->valid && uses(g, l->valid, other, n->rank)) return false;
    l->row = ARENA_ARRAY(g->nnc->arena, bool, n->rank + 1);
    for (int d = 0; d < n->rank; d++) l->row[d] = !other[d];
    return true;
}

/* ---- what reads one ---- */

/* Whether the rows of all loads of the lookup are at the same dims of the reader; and what these dims are used for
 * beside. */
static void match(const Graph *g, Ex e, void *self) {
    Reader *r = self;
    const Expr *x = ir_expr(g, e);
    int nvars = r->n.rank + r->n.comp.nred;
    if (x->kind != EX_LOAD || x->load.node != r->of.node) {
        ex_used_by(g, e, r->not_row, nvars);
        return;
    }
    for (int d = 0, v; d < x->load.rank && r->fits; d++) {
        const Place *p = &x->load.at[d];
        if (!r->of.row[d]) {
            aff_mark_uses(p->aff, r->not_row, nvars);
            continue;
        }
        r->fits = !p->gather && aff_is_var(p->aff, &v) && v < r->n.rank && (r->at[d] < 0 ? !r->row[v] : r->at[d] == v);
        if (!r->fits) return;
        r->at[d] = v;
        r->row[v] = true;
    }
}

typedef struct {
    Ref node;
    bool *is; /* per expression: NaN where the node's element is NaN */
} Nans;

static void find_nan(const Graph *g, Ex e, void *self) {
    const Nans *nans = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_LOAD) nans->is[e] = x->load.node == nans->node;
    if (x->kind == EX_NEG) nans->is[e] = nans->is[x->arg[0]];
    if (x->kind == EX_ADD || x->kind == EX_SUB || x->kind == EX_MUL || x->kind == EX_DIV)
        nans->is[e] = nans->is[x->arg[0]] || nans->is[x->arg[1]];
}

static bool hands_on_nan(const Reader *r) {
    Nans nans = {r->of.node, ARENA_ARRAY(r->g->nnc->arena, bool, r->g->exprs.len)};
    ex_walk(r->g, r->n.comp.body, find_nan, &nans);
    return nans.is[r->n.comp.body];
}

/* A sum pays by itself; arithmetic that follows it does where it is of so few rows at no cost. */
static bool pays(const Reader *r) {
    const Node *from = ir_node(r->g, r->of.node), *table = ir_node(r->g, r->of.load.load.node);
    int64_t rows = 1, sums = 1;
    for (int d = 0; d < from->rank; d++) rows *= r->of.row[d] ? from->dims[d] : 1;
    for (int v = r->n.rank; v < r->n.rank + r->n.comp.nred; v++) sums *= r->n.comp.extents[v];
    bool dear = r->n.comp.combine == RED_SUM && sums >= FEWEST_SUMS;
    bool follows = r->n.comp.combine == RED_NONE && table->kind == N_COMP;
    return (dear || follows) && rows >= AGAIN * table->dims[r->of.dim];
}

static bool is_wanted(const Reader *r, Ref node) {
    for (size_t i = 0; i < r->wanted->len; i++)
        if (r->wanted->at[i] == node) return true;
    return false;
}

static void try_load(const Graph *g, Ex e, void *self) {
    Reader *r = self;
    const Expr *x = ir_expr(g, e);
    if (r->fits || x->kind != EX_LOAD || is_wanted(r, x->load.node)) return;
    if (!find_lookup(g, x->load.node, &r->of) || !pays(r)) return;
    int rank = x->load.rank, nvars = r->n.rank + r->n.comp.nred;
    r->at = ARENA_ARRAY(g->nnc->arena, int, rank + 1);
    r->row = ARENA_ARRAY(g->nnc->arena, bool, nvars + 1);
    r->not_row = ARENA_ARRAY(g->nnc->arena, bool, nvars + 1);
    for (int d = 0; d < rank; d++) r->at[d] = -1;
    r->fits = true;
    ex_walk(g, r->n.comp.body, match, r);
    r->fits = r->fits && !meet(r->row, r->not_row, nvars) && hands_on_nan(r);
}

/* ---- the other way round ---- */

/* The lookup with the rows of the table themselves instead of those that are looked up: its first dim of rows counts
 * them, the others are 1. */
static Ref all_rows(const Reader *r, const bool *first) {
    Graph *g = r->g;
    const Node n = *ir_node(g, r->of.node);
    const Expr *x = &r->of.load;
    int64_t *dims = ARENA_ARRAY(g->nnc->arena, int64_t, n.rank);
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, x->load.rank);
    for (int d = 0; d < x->load.rank; d++) at[d] = x->load.at[d];
    for (int d = 0; d < n.rank; d++) {
        dims[d] = r->of.row[d] ? 1 : n.dims[d];
        if (!first[d]) continue;
        dims[d] = ir_node(g, x->load.node)->dims[r->of.dim];
        at[r->of.dim] = (Place){aff_var(g->affs, d), 0};
    }
    return ir_comp(g, RED_NONE, n.rank, 0, dims, ex_load(g, x->load.node, at), n.at);
}

/* The reader's value for each row of the table: [rows, its other dims]. */
static Ref of_all_rows(const Reader *r) {
    Graph *g = r->g;
    Arena *a = g->nnc->arena;
    int nvars = r->n.rank + r->n.comp.nred, n = 1, rank = 1, from = ir_node(g, r->of.node)->rank;
    const Aff **map = ARENA_ARRAY(a, const Aff *, nvars);
    int64_t *extents = ARENA_ARRAY(a, int64_t, nvars + 1);
    bool *first = ARENA_ARRAY(a, bool, from);
    extents[0] = ir_node(g, r->of.load.load.node)->dims[r->of.dim];
    for (int v = 0; v < nvars; v++) {
        map[v] = aff_const(g->affs, 0);
        if (r->row[v]) continue;
        map[v] = aff_var(g->affs, n);
        extents[n++] = r->n.comp.extents[v];
        rank += v < r->n.rank;
    }
    for (int d = 0; d < from && extents[0]; d++) {
        if (!r->of.row[d]) continue;
        first[d] = true;
        map[r->at[d]] = aff_var(g->affs, 0);
        break;
    }
    Ref *refs = ARENA_ARRAY(a, Ref, g->nodes.len);
    for (Ref i = 0; i < g->nodes.len; i++) refs[i] = i;
    refs[r->of.node] = all_rows(r, first);
    Ex body = ex_copy(g, g, r->n.comp.body, map, nvars, refs);
    return ir_comp(g, r->n.comp.combine, rank, n - rank, extents, body, r->n.at);
}

static Ref look_up(const Reader *r) {
    Graph *g = r->g;
    int from = ir_node(g, r->of.node)->rank, rank = 1;
    const Aff **map = ARENA_ARRAY(g->nnc->arena, const Aff *, from);
    Place *at = ARENA_ARRAY(g->nnc->arena, Place, r->n.rank + 1);
    for (int d = 0; d < from; d++) map[d] = aff_var(g->affs, r->of.row[d] ? r->at[d] : d);
    at[0] = (Place){aff_const(g->affs, 0), ex_subst(g, r->of.load.load.at[r->of.dim].gather, map, from)};
    for (int d = 0; d < r->n.rank; d++)
        if (!r->row[d]) at[rank++].aff = aff_var(g->affs, d);
    Ex value = ex_load(g, of_all_rows(r), at);
    if (r->of.valid)
        value = ex_op(g, EX_SELECT, ex_subst(g, r->of.valid, map, from), value, ex_float(g, r->n.dtype, NAN));
    return ir_comp(g, RED_NONE, r->n.rank, 0, r->n.dims, value, r->n.at);
}

Graph *pass_lookup(Nnc *nnc, const Graph *from) {
    Graph *g = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, from->nodes.len);
    bool *asked = ARENA_ARRAY(nnc->arena, bool, from->nodes.len);
    Wanted wanted = {0};
    for (Ref r = 1; r < from->nodes.len; r++)
        if (ir_node(from, r)->kind == N_GRAD) asked[ir_node(from, r)->grad.wrt] = true;
    for (Ref r = 1; r < from->nodes.len; r++) {
        refs[r] = ir_copy(g, from, r, refs);
        Reader reader = {.g = g, .n = *ir_node(g, refs[r]), .wanted = &wanted};
        if (reader.n.kind == N_COMP) ex_walk(g, reader.n.comp.body, try_load, &reader);
        if (reader.fits) refs[r] = look_up(&reader);
        ir_name(g, refs[r], reader.n.name);
        if (asked[r]) vec_push(&wanted, refs[r]);
    }
    vec_free(&wanted);
    ir_copy_outputs(g, from, refs);
    return ir_compact(g, NULL);
}
