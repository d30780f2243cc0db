/* pass_needed: sums are only added up where they are read.
 *
 * before    any graph
 * after     a sum that is read nowhere but where conditions on its indices hold has them around its body:
 *           s[i, j] = sum of f, y[i, j] = j <= i ? s[i, j] : 0  =>  s[i, j] = sum of (j <= i ? f : 0)
 * requires  nothing
 * keeps     outputs and gradients, to the bit
 * breaks    nothing
 *
 * Only conditions that tie indices together are worth it: the triangle of a matrix. */
#include "compiler/pass/passes.h"

#include <string.h>

enum { DEAR = 12 }; /* vector instructions */

/* What is known of the readers of a node. */
typedef struct {
    bool any;          /* there is one */
    int n;             /* conditions that are common to all of them */
    const Cond *conds; /* over the node's own indices */
} Needed;

typedef struct {
    Graph *g;
    Needed *needed;    /* per node */
    bool gradients;    /* some are asked for */
    const Needed *own; /* of the node at hand */
    const Expr *guard; /* around the expressions at hand; NULL: none */
    uint32_t *seen;    /* per expression: when it was last met */
    uint32_t turn;
} Needs;

static bool is_own_place(const Expr *load) {
    for (int d = 0; d < load->load.rank; d++) {
        int var;
        if (load->load.at[d].gather || !aff_is_var(load->load.at[d].aff, &var) || var != d) return false;
    }
    return true;
}

/* Whether a condition is on several indices, all below `rank`. */
static bool ties(const Aff *a, int rank) {
    int n = 0;
    for (int i = 0; i < a->nterms; i++) {
        if (a->terms[i].kind != ATOM_VAR || a->terms[i].var >= rank) return false;
        n++;
    }
    return n > 1;
}

static bool has(const Cond *conds, int n, const Cond *c) {
    for (int i = 0; i < n; i++)
        if (conds_equal(&conds[i], c, 1)) return true;
    return false;
}

/* Adds those of conds[0..n) that are among what node `to`, of so many dims, is known to be needed for. */
static int add_common(Cond *common, int count, const Needed *to, int rank, const Cond *conds, int n) {
    for (int i = 0; i < n; i++)
        if (ties(conds[i].aff, rank) && (!to->any || has(to->conds, to->n, &conds[i]))) common[count++] = conds[i];
    return count;
}

static void meet(Needs *s, const Expr *load) {
    Needed *to = &s->needed[load->load.node];
    int guards = s->guard ? s->guard->guard.n : 0, n = 0, rank = load->load.rank;
    Cond *common = ARENA_ARRAY(s->g->nnc->arena, Cond, guards + s->own->n + 1);
    if (is_own_place(load)) {
        n = add_common(common, n, to, rank, s->own->conds, s->own->n);
        if (guards) n = add_common(common, n, to, rank, s->guard->guard.at, guards);
    }
    *to = (Needed){true, n, common};
}

/* Meets the loads of `e`: each guard's inside by itself. */
static void look(Needs *s, Ex e) {
    const Expr *x = ir_expr(s->g, e);
    if (s->seen[e] == s->turn) return;
    s->seen[e] = s->turn;
    if (x->kind == EX_LOAD) {
        meet(s, x);
        for (int d = 0; d < x->load.rank; d++)
            if (x->load.at[d].gather) look(s, x->load.at[d].gather);
        return;
    }
    if (x->kind != EX_GUARD || s->guard) {
        for (int i = 0; i < 4; i++)
            if (x->arg[i]) look(s, x->arg[i]);
        return;
    }
    look(s, x->arg[1]);
}

static void find_guard(const Graph *g, Ex e, void *self) {
    Needs *s = self;
    if (ir_expr(g, e)->kind != EX_GUARD) return;
    s->guard = ir_expr(g, e);
    s->turn++;
    look(s, s->guard->arg[0]);
    s->guard = NULL;
}

static void look_at_body(Needs *s, Ex body) {
    ex_walk(s->g, body, find_guard, s);
    s->turn++;
    look(s, body);
}

static void use_elsewhere(Ref used, void *self) { ((Needed *)self)[used] = (Needed){.any = true}; }

static void look_at_node(Needs *s, Ref r) {
    const Node *n = ir_node(s->g, r);
    s->own = &s->needed[r];
    if (n->kind == N_COMP)
        look_at_body(s, n->comp.body);
    else
        ir_uses(s->g, r, use_elsewhere, s->needed);
}

static void find_dear(const Graph *g, Ex e, void *dear) {
    ExKind kind = ir_expr(g, e)->kind;
    if (kind != EX_CONST && kind != EX_INDEX && kind != EX_LOAD && kind != EX_GUARD)
        *(bool *)dear |= op_info(kind)->cost >= DEAR;
}

/* Whether not computing a node everywhere is worth a condition: sums, and dear functions once no gradient looks for
 * them. */
static bool pays(const Needs *s, const Node *n) {
    bool dear = false;
    if (n->kind != N_COMP) return false;
    if (n->comp.combine == RED_NONE && !s->gradients) ex_walk(s->g, n->comp.body, find_dear, &dear);
    return dear || n->comp.combine == RED_SUM;
}

Graph *pass_needed(Nnc *nnc, const Graph *from) {
    Graph *g = ir_compact(from, NULL), *to = ir_graph_new(nnc);
    Ref *refs = ARENA_ARRAY(nnc->arena, Ref, g->nodes.len);
    Needs s = {.g = g,
               .needed = ARENA_ARRAY(nnc->arena, Needed, g->nodes.len),
               .seen = ARENA_ARRAY(nnc->arena, uint32_t, g->exprs.len)};
    for (size_t i = 0; i < g->outputs.len; i++) use_elsewhere(g->outputs.at[i].node, s.needed);
    for (Ref r = (Ref)g->nodes.len - 1; r > 0; r--) {
        look_at_node(&s, r);
        s.gradients |= ir_node(g, r)->kind == N_GRAD;
    }
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        refs[r] = ir_copy(to, g, r, refs);
        if (!s.needed[r].n || !pays(&s, n)) continue;
        const Node made = *ir_node(to, refs[r]);
        const Cond *conds = conds_copy(to, s.needed[r].conds, s.needed[r].n);
        Ex body = ex_guard(to, s.needed[r].n, conds, made.comp.body, ex_zero(to, made.dtype));
        refs[r] = ir_comp(to, made.comp.combine, made.rank, made.comp.nred, made.comp.extents, body, n->at);
        ir_name(to, refs[r], n->name);
    }
    ir_copy_outputs(to, g, refs);
    return ir_compact(to, NULL);
}
