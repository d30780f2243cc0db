/* Variables in panels: a weight of [k, n] as [n / width, k, width], as wide as the register tile of the products that
 * read it, and the averages of its optimizer with it. A product then reads a panel from front to back, packing nothing,
 * and what follows on the tile of its gradient, the update, goes through all of them in the same order; panel by panel
 * they also stay on the core that they were on. */
#include "compiler/loop/contract.h"

#include <stdlib.h>
#include <string.h>

/* ---- the order ---- */

/* Whether a variable is large enough to be read from afar, where the order counts. */
static bool may_be_panels(const Machine *m, DType t, const int64_t *dims, int rank) {
    int64_t bytes = (int64_t)dtype_size(t);
    for (int d = 0; d < rank; d++) bytes *= dims[d];
    return rank >= 2 && (t == DT_F32 || t == DT_F64) && bytes >= m->l2 / 2;
}

static int64_t in_whole(int64_t n, int64_t width) { return (n + width - 1) / width * width; }

int64_t loop_variable_bytes(const Machine *m, DType t, const int64_t *dims, int rank) {
    int64_t size = (int64_t)dtype_size(t), rows = 1, lanes = rank ? dims[rank - 1] : 1, most = lanes;
    for (int d = 0; d < rank - 1; d++) rows *= dims[d];
    for (int v = 1; v <= CONTRACT_VECTORS && may_be_panels(m, t, dims, rank); v++)
        most = MAX(most, in_whole(lanes, v * m->vector_bytes / size));
    return rows * most * size;
}

int64_t panels_bytes(const Panels *p) { return p->rows * in_whole(p->lanes, p->width) * p->size; }

/* Copies each row's part of each panel between `rows` and `panels`, to the first where `back`. */
static void reorder(const Panels *p, char *rows, char *panels, bool back) {
    for (int64_t lane = 0; lane < p->lanes; lane += p->width) {
        size_t bytes = (size_t)(MIN(p->width, p->lanes - lane) * p->size);
        for (int64_t r = 0; r < p->rows; r++) {
            char *x = rows + (r * p->lanes + lane) * p->size, *y = panels + (lane * p->rows + r * p->width) * p->size;
            memcpy(back ? x : y, back ? y : x, bytes);
        }
    }
}

void panels_from_rows(const Panels *p, void *at, void *room) {
    size_t bytes = (size_t)panels_bytes(p);
    memcpy(room, at, bytes);
    memset(at, 0, bytes);
    reorder(p, room, at, false);
}

void panels_to_rows(const Panels *p, void *at, void *room) {
    memcpy(room, at, (size_t)panels_bytes(p));
    reorder(p, at, room, true);
}

/* ---- which variables ---- */

/* What is known of a node. */
typedef struct {
    bool may;       /* a leaf that may be in panels, by its size */
    bool unfit;     /* but is read in another order, or the result of something else */
    bool elsewhere; /* another kernel than its own reads it */
    int update;     /* the contraction that reads it while it writes its new value; -1: none */
    Ref fresh;      /* that value, an output; 0: none */
} Known;

typedef struct {
    Builder *b;
    Contract *products; /* per group: of contractions outside of scans */
    Known *of;          /* per node */
    Ref user;           /* the node whose body is looked at */
} Search;

/* Whether the last dim of load `x` is variable v, on which the others don't depend. */
static bool runs_along(const Search *s, const Expr *x, int v) {
    for (int d = 0; d < x->load.rank - 1; d++)
        if (aff_uses(x->load.at[d].aff, v)) return false;
    return x->load.at[x->load.rank - 1].aff == aff_var(s->b->affs, v);
}

/* An operand along whose last dim there are lanes, or sums without an end of their own. */
static bool fits_operand(const Search *s, const Contract *c, Ex e, const Expr *x) {
    int sum = c->c.ks[c->c.nks - 1];
    if ((e != c->c.a && e != c->c.b) || !is_plain_load(s->b->g, e) || c->c.streams) return false;
    if (e == c->c.b && runs_along(s, x, c->c.lane)) return true;
    bool ends = c->c.nbands || c->c.nwhen || c->c.ends[c->c.nks - 1];
    return !ends && runs_along(s, x, sum) &&
           c->node->comp.extents[sum] == ir_node(s->b->g, x->load.node)->dims[x->load.rank - 1];
}

/* Whether each element is read where it is, by what follows on a tile whose lanes are the last dim. */
static bool fits_update(const Search *s, const Contract *c, const Expr *x) {
    if (c->c.lane != c->node->rank - 1 || x->load.rank != c->node->rank) return false;
    for (int d = 0; d < x->load.rank; d++)
        if (x->load.at[d].gather || x->load.at[d].aff != aff_var(s->b->affs, d)) return false;
    return true;
}

static void visit_load(const Graph *g, Ex e, void *self) {
    Search *s = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return;
    Known *k = &s->of[x->load.node];
    int group = s->b->s->group_of[s->user];
    const Contract *c = &s->products[group];
    bool fits = c->node != NULL;
    k->elsewhere |= group != s->b->s->group_of[x->load.node];
    if (!k->may) return;
    if (fits && s->user == c->r) {
        fits = fits_operand(s, c, e, x);
    } else if (fits) {
        fits = (k->update < 0 || k->update == group) && fits_update(s, c, x);
        k->update = group;
    }
    k->unfit |= !fits;
}

static void visit_use(Ref used, void *self) {
    Known *k = &((Search *)self)->of[used];
    k->unfit = k->elsewhere = true;
}

/* Whether there are variables that may be in panels. */
static bool look_at_leaves(Search *s) {
    const Graph *g = s->b->g;
    bool any = false;
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        bool variable = n->kind == N_LEAF && (n->leaf.kind == LEAF_PARAM || n->leaf.kind == LEAF_STATE);
        s->of[r].update = -1;
        s->of[r].may = variable && may_be_panels(s->b->m, n->dtype, n->dims, n->rank);
        any |= s->of[r].may;
    }
    return any;
}

static void look_at_nodes(Search *s) {
    const Graph *g = s->b->g;
    for (int i = 0; i < s->b->s->ngroups; i++) {
        const Group *group = &s->b->s->groups[i];
        if (group->kind == GROUP_CONTRACT && !group->home) contract_begin(&s->products[i], s->b, group);
    }
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        s->user = r;
        if (s->b->s->group_of[r] < 0) continue;
        if (n->kind == N_COMP)
            ex_walk(g, n->comp.body, visit_load, s);
        else
            ir_uses(g, r, visit_use, s);
    }
}

/* Finds new values, and what else is an output; whether there is anything to go on with. */
static bool look_at_outputs(Search *s) {
    const Graph *g = s->b->g;
    bool any = false;
    int *times = ARENA_ARRAY(s->b->arena, int, g->nodes.len);
    for (size_t i = 0; i < g->outputs.len; i++) times[g->outputs.at[i].node]++;
    for (Ref r = 1; r < g->nodes.len; r++) {
        Known *k = &s->of[r];
        const Node *n = ir_node(g, r);
        if (!k->may) continue;
        for (size_t i = 0; i < g->outputs.len; i++) {
            const Output *o = &g->outputs.at[i];
            if (o->kind == (n->leaf.kind == LEAF_PARAM ? OUT_PARAM : OUT_STATE) && o->slot == n->leaf.slot)
                k->fresh = o->node;
        }
        k->unfit |= times[r] || !k->fresh || k->update < 0 || s->b->s->group_of[k->fresh] != k->update ||
                    times[k->fresh] != 1 || s->of[k->fresh].elsewhere || ir_node(g, k->fresh)->dtype != n->dtype;
        any |= !k->unfit;
    }
    return any;
}

/* Node `r`, a variable or its new value, has panels of `width` lanes. */
static void put_in_panels(Builder *b, Ref r, int width) {
    const Node *n = ir_node(b->g, r);
    View *v = &b->memory[r];
    int64_t *strides = ARENA_ARRAY(b->arena, int64_t, n->rank), step = width;
    for (int d = n->rank - 2; d >= 0; d--) {
        strides[d] = step;
        step *= n->dims[d];
    }
    strides[n->rank - 1] = step;
    loop_memory(b, r);
    *v = (View){.buffer = v->buffer, .strides = strides, .panel = width};
    b->u->buffers.at[v->buffer].elems = step * ((n->dims[n->rank - 1] + width - 1) / width);
}

static int by_offset(const void *a, const void *b) {
    const Panels *x = a, *y = b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

void loop_choose_panels(Builder *b) {
    size_t n = b->g->nodes.len;
    Search s = {b, ARENA_ARRAY(b->arena, Contract, b->s->ngroups + 1), ARENA_ARRAY(b->arena, Known, n), 0};
    bool *unfit = ARENA_ARRAY(b->arena, bool, b->s->ngroups + 1);
    if (!look_at_leaves(&s)) return;
    look_at_nodes(&s);
    if (!look_at_outputs(&s)) return;
    for (Ref r = 1; r < n; r++)
        if (s.of[r].may && s.of[r].unfit && s.of[r].update >= 0) unfit[s.of[r].update] = true;
    Panels *panels = ARENA_ARRAY(b->arena, Panels, n);
    for (Ref r = 1; r < n; r++) {
        const Known *k = &s.of[r];
        if (!k->may || k->unfit || unfit[k->update]) continue;
        const Node *v = ir_node(b->g, r);
        int64_t lanes = v->dims[v->rank - 1], width = contract_lanes(&s.products[k->update]);
        int64_t offset = b->u->buffers.at[b->memory[r].buffer].offset;
        put_in_panels(b, r, (int)width);
        put_in_panels(b, k->fresh, (int)width);
        panels[b->u->npanels++] =
            (Panels){offset, ir_elements(v) / lanes, lanes, (int)width, (int)dtype_size(v->dtype)};
    }
    if (b->u->npanels) qsort(panels, (size_t)b->u->npanels, sizeof *panels, by_offset);
    b->u->panels = panels;
}
