/* Groups the nodes of a fused graph into kernels. */
#include "compiler/pass/schedule.h"

#include "compiler/pass/contraction.h"

static void store_read(const Graph *g, Ex e, void *self) {
    bool *stored = self;
    if (ir_expr(g, e)->kind == EX_LOAD) stored[ir_expr(g, e)->load.node] = true;
}

const Schedule *pass_schedule(Nnc *nnc, Graph *g) {
    Schedule *s = ARENA_NEW(nnc->arena, Schedule);
    Group *groups = ARENA_ARRAY(nnc->arena, Group, g->nodes.len);
    int *group_of = ARENA_ARRAY(nnc->arena, int, g->nodes.len);
    bool *stored = ARENA_ARRAY(nnc->arena, bool, g->nodes.len);
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        group_of[r] = -1;
        if (n->kind == N_LEAF) continue;
        stored[r] = true;
        Ref *member = ARENA_NEW(nnc->arena, Ref);
        *member = r;
        group_of[r] = s->ngroups;
        groups[s->ngroups++] = (Group){n->kind == N_SCATTER ? GROUP_SCATTER : contraction_of(g, r, &(Contraction){0}) ? GROUP_CONTRACT : GROUP_ROWS, n->rank, member, 1};
    }
    (void)store_read;
    s->groups = groups;
    s->group_of = group_of;
    s->stored = stored;
    return s;
}
