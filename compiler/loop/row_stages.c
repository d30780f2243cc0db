/* Stages of a row kernel: which of its nodes share loops. */
#include "compiler/loop/row.h"

#include <string.h>

typedef struct {
    Rows *r;
    const Node *reader;
    int stage; /* the first that the reader may be in */
} Need;

int rows_member(const Rows *r, Ref x) {
    if (r->b->s->group_of[x] != r->b->s->group_of[r->group->members[0]]) return -1;
    for (int i = 0; i < r->group->nmembers; i++)
        if (r->group->members[i] == x) return i;
    return -1;
}

static int space_rank(const Rows *r, const Node *n) { return n->rank + n->comp.nred - r->group->nrow; }

/* Whether a load reads element (row, space) at the point (row, space) of its reader. */
static bool same_point(const Rows *r, const Expr *load, const Node *from, const Node *reader) {
    if (row_reduces(from) || space_rank(r, from) != space_rank(r, reader)) return false;
    for (int d = r->group->nrow; d < from->rank; d++) {
        int var;
        if (load->load.at[d].gather || !aff_is_var(load->load.at[d].aff, &var) || var != d) return false;
        if (from->dims[d] != reader->comp.extents[d]) return false;
    }
    return true;
}

static void need_load(const Graph *g, Ex e, void *self) {
    Need *need = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return;
    Rows *r = need->r;
    int i = rows_member(r, x->load.node);
    if (i < 0) return;
    int after = !same_point(r, x, ir_node(g, x->load.node), need->reader);
    need->stage = MAX(need->stage, r->stage_of[i] + after);
}

static void note_load(const Graph *g, Ex e, void *self) {
    Need *need = self;
    const Expr *x = ir_expr(g, e);
    int i = x->kind == EX_LOAD ? rows_member(need->r, x->load.node) : -1;
    if (i >= 0) need->r->last_read[i] = MAX(need->r->last_read[i], need->stage);
}

static int find_stage(Rows *r, const Node *n, int from) {
    int nspace = space_rank(r, n);
    const int64_t *space = n->comp.extents + r->group->nrow;
    bool alone = row_reduces(n) && n->rank > r->group->nrow;
    for (int i = from; i < r->nstages && !alone; i++) {
        const Stage *s = &r->stages[i];
        if (!s->alone && s->nspace == nspace && !memcmp(s->space, space, (size_t)nspace * sizeof *space)) return i;
    }
    r->stages[r->nstages] = (Stage){.space = space, .nspace = nspace, .alone = alone};
    r->stages[r->nstages].members = ARENA_ARRAY(r->b->arena, Ref, r->group->nmembers);
    return r->nstages++;
}

void rows_stages(Rows *r) {
    int n = r->group->nmembers;
    r->stages = ARENA_ARRAY(r->b->arena, Stage, n);
    r->stage_of = ARENA_ARRAY(r->b->arena, int, n);
    r->last_read = ARENA_ARRAY(r->b->arena, int, n);
    for (int i = 0; i < n; i++) {
        Ref m = r->group->members[i];
        const Node *node = ir_node(r->b->g, m);
        Need need = {r, node, 0};
        ex_walk(r->b->g, node->comp.body, need_load, &need);
        need.stage = r->stage_of[i] = find_stage(r, node, need.stage);
        ex_walk(r->b->g, node->comp.body, note_load, &need);
        Stage *s = &r->stages[r->stage_of[i]];
        s->members[s->nmembers++] = m;
        DType t = loop_accumulator(node->comp.combine, node->dtype);
        if (dtype_size(t) > dtype_size(r->widest)) r->widest = t;
    }
}
