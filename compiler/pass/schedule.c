/* Fusion, second half: which nodes share a kernel.
 *
 * before    a fused graph
 * after     groups of nodes; a node of a group that no other group reads is never stored
 * requires  no argmax, no argmin
 * keeps     the graph
 * breaks    nothing
 *
 * In the order of the nodes, each joins the group of something that it reads, or of another reader of that, where it
 * fits: an element-wise node a contraction with the same points, anything a row kernel whose rows it shares. What a
 * group depends on is kept as a set of bits, so that no two groups ever wait for each other. */
#include "compiler/pass/schedule.h"

#include "compiler/pass/contraction.h"

enum {
    MOST_MEMBERS = 48,
    FEWEST_ROWS = 16,    /* a group gives up dims as rows only while this many rows are left */
    SMALL_POINTS = 2048, /* nodes up to this size may share a kernel of one row */
    LARGEST_ROW = 1 << 16
};

typedef struct {
    Group g;
    Ref *members;
    double points;   /* of all members */
    uint64_t *after; /* groups that this one waits for, as bits */
} Open;

typedef struct {
    Graph *g;
    Arena *arena;
    VEC(Open) groups;
    int *group_of;
    int *last_reader;    /* per node: a group that reads it; -1 */
    const Ref *home;     /* per node: the scan whose body it is in */
    const bool *decides; /* per node: ir_deciders */
    size_t words;
} Scheduler;

typedef VEC(int) IntList;

/* ---- what waits for what ---- */

static bool waits_for(const Scheduler *s, int a, int b) { return s->groups.at[a].after[b / 64] >> (b % 64) & 1; }

static void add_wait(Scheduler *s, int a, int b) {
    uint64_t *to = s->groups.at[a].after;
    const uint64_t *from = s->groups.at[b].after;
    if (a == b || waits_for(s, a, b)) return;
    to[b / 64] |= (uint64_t)1 << (b % 64);
    for (size_t w = 0; w < s->words; w++) to[w] |= from[w];
    for (size_t h = 0; h < s->groups.len; h++)
        if ((int)h != a && waits_for(s, (int)h, a))
            for (size_t w = 0; w < s->words; w++) s->groups.at[h].after[w] |= to[w];
}

/* ---- what a node reads ---- */

typedef struct {
    const Scheduler *s;
    int group;      /* loads of its members are looked at */
    int rows;       /* how many leading dims all of them read at the reader's own index */
    bool reads;     /* there are such loads */
    IntList inputs; /* groups that are read */
    VEC(Ref) nodes; /* nodes that are read */
} Reads;

static int same_rows(const Expr *load, int most) {
    int d = 0, var;
    while (d < most && d < load->load.rank && !load->load.at[d].gather && aff_is_var(load->load.at[d].aff, &var) &&
           var == d)
        d++;
    return d;
}

static void read_rows(const Graph *g, Ex e, void *self) {
    Reads *r = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD || r->s->group_of[x->load.node] != r->group) return;
    r->rows = same_rows(x, r->rows);
    r->reads = true;
}

static void read_inputs(const Graph *g, Ex e, void *self) {
    Reads *r = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return;
    vec_push(&r->nodes, x->load.node);
    if (r->s->group_of[x->load.node] >= 0) vec_push(&r->inputs, r->s->group_of[x->load.node]);
}

static void walk_node(const Graph *g, const Node *n, void (*visit)(const Graph *g, Ex e, void *self), void *self) {
    ex_walk(g, n->kind == N_SCATTER ? n->scatter.body : n->comp.body, visit, self);
    for (int d = 0; n->kind == N_SCATTER && d < n->rank; d++)
        if (n->scatter.place[d].gather) ex_walk(g, n->scatter.place[d].gather, visit, self);
}

/* ---- what fits ---- */

static double points(const int64_t *extents, int n) {
    double p = 1;
    for (int i = 0; i < n; i++) p *= (double)extents[i];
    return p;
}

static bool equal_dims(const Node *a, const Node *b, int n) {
    for (int d = 0; d < n; d++)
        if (a->dims[d] != b->dims[d]) return false;
    return true;
}

/* Rows that the group and node r would have in common, or -1. */
static int fits(const Scheduler *s, int group, Ref r) {
    const Node *n = ir_node(s->g, r);
    const Open *o = &s->groups.at[group];
    const Node *first = ir_node(s->g, o->members[0]);
    bool alone = o->g.kind == GROUP_SCATTER || o->g.kind == GROUP_SORT || o->g.kind == GROUP_SCAN;
    if (alone || o->g.nmembers >= MOST_MEMBERS) return -1;
    if (o->g.home != s->home[r] || o->g.decides != s->decides[r]) return -1;
    Reads reads = {.s = s, .group = group, .rows = MIN(o->g.nrow, n->rank)};
    walk_node(s->g, n, read_rows, &reads);
    while (reads.rows && !equal_dims(n, first, reads.rows)) reads.rows--;
    if (o->g.kind == GROUP_CONTRACT) {
        bool same = n->comp.combine == RED_NONE && n->rank == first->rank && reads.rows == n->rank;
        return same && reads.reads ? n->rank : -1;
    }
    if (!reads.reads) { /* beside another reader of the same: only with the same loops */
        bool same = reads.rows == o->g.nrow && n->rank == o->g.nrow && first->rank == n->rank;
        for (int v = 0; same && v < n->comp.nred; v++)
            same = first->comp.nred == n->comp.nred && first->comp.extents[n->rank + v] == n->comp.extents[n->rank + v];
        return same && n->rank ? n->rank : -1;
    }
    double own = points(n->comp.extents, n->rank + n->comp.nred), rows = points(n->dims, reads.rows);
    if (o->points + own <= (double)SMALL_POINTS) return reads.rows;
    if (reads.rows == 0) return -1;
    bool whole = reads.rows == o->g.nrow && n->rank == reads.rows;
    bool tall = rows >= (double)FEWEST_ROWS && MAX(own, o->points) <= rows * (double)LARGEST_ROW;
    return whole || tall ? reads.rows : -1;
}

static bool makes_circle(const Scheduler *s, int group, const Reads *reads) {
    for (size_t i = 0; i < reads->inputs.len; i++)
        if (reads->inputs.at[i] != group && waits_for(s, reads->inputs.at[i], group)) return true;
    return false;
}

/* The group to join: the newest that is read and fits, else one that reads the same. */
static int find_group(const Scheduler *s, Ref r, const Reads *reads, int *rows) {
    int best = -1;
    for (size_t i = 0; i < reads->inputs.len; i++) {
        int group = reads->inputs.at[i], common = group > best ? fits(s, group, r) : -1;
        if (common < 0 || makes_circle(s, group, reads)) continue;
        best = group;
        *rows = common;
    }
    for (size_t i = 0; i < reads->nodes.len && best < 0; i++) {
        int group = s->last_reader[reads->nodes.at[i]];
        if (group < 0 || s->groups.at[group].g.kind != GROUP_ROWS || makes_circle(s, group, reads)) continue;
        bool direct = false;
        for (size_t k = 0; k < reads->inputs.len; k++) direct |= reads->inputs.at[k] == group;
        *rows = direct ? -1 : fits(s, group, r);
        if (*rows >= 0) best = group;
    }
    return best;
}

static int new_group(Scheduler *s, Ref r) {
    const Node *n = ir_node(s->g, r);
    Open o = {.members = ARENA_ARRAY(s->arena, Ref, MOST_MEMBERS), .after = ARENA_ARRAY(s->arena, uint64_t, s->words)};
    o.g.nrow = n->rank;
    o.g.home = s->home[r];
    o.g.decides = s->decides[r];
    o.g.kind = n->kind == N_SCAN                                     ? GROUP_SCAN
               : n->kind == N_SORT                                   ? GROUP_SORT
               : n->kind == N_SCATTER                                ? GROUP_SCATTER
               : contraction_of(s->g, r, s->home, &(Contraction){0}) ? GROUP_CONTRACT
                                                                     : GROUP_ROWS;
    vec_push(&s->groups, o);
    return (int)s->groups.len - 1;
}

typedef struct {
    Scheduler *s;
    int group;
} Wait;

static void wait_for(Ref used, void *self) {
    const Wait *w = self;
    int group = w->s->group_of[used];
    if (group >= 0) add_wait(w->s, w->group, group);
}

/* A group of its own, after what it uses: a sort, or the end of a scan, for which whoever reads a result waits. */
static void place_alone(Scheduler *s, Ref r) {
    int group = new_group(s, r);
    Open *o = &s->groups.at[group];
    o->members[o->g.nmembers++] = r;
    s->group_of[r] = group;
    ir_uses(s->g, r, wait_for, &(Wait){s, group});
}

static void place_node(Scheduler *s, Ref r) {
    const Node *n = ir_node(s->g, r);
    Reads reads = {.s = s};
    int rows = n->rank, group = -1;
    walk_node(s->g, n, read_inputs, &reads);
    if (n->kind == N_COMP && !contraction_of(s->g, r, s->home, &(Contraction){0}))
        group = find_group(s, r, &reads, &rows);
    if (group < 0) group = new_group(s, r), rows = n->rank;
    Open *o = &s->groups.at[group];
    o->members[o->g.nmembers++] = r;
    if (o->g.kind == GROUP_ROWS) o->g.nrow = rows;
    if (n->kind == N_COMP) o->points += points(n->comp.extents, n->rank + n->comp.nred);
    s->group_of[r] = group;
    for (size_t i = 0; i < reads.inputs.len; i++) add_wait(s, group, reads.inputs.at[i]);
    for (size_t i = 0; i < reads.nodes.len; i++) s->last_reader[reads.nodes.at[i]] = group;
    vec_free(&reads.inputs);
    vec_free(&reads.nodes);
}

/* ---- the result ---- */

typedef struct {
    const Scheduler *s;
    bool *stored;
    int group;
} Store;

static void store_read(const Graph *g, Ex e, void *self) {
    const Store *st = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind == EX_LOAD && st->s->group_of[x->load.node] != st->group) st->stored[x->load.node] = true;
}

static const bool *find_stored(const Scheduler *s) {
    Store st = {.s = s, .stored = ARENA_ARRAY(s->arena, bool, s->g->nodes.len)};
    for (Ref r = 1; r < s->g->nodes.len; r++) {
        st.group = s->group_of[r];
        NodeKind kind = ir_node(s->g, r)->kind;
        if (kind == N_SCAN || (kind == N_SORT && st.group >= 0)) ir_mark_uses(s->g, r, st.stored);
        if (st.group >= 0 && (kind == N_COMP || kind == N_SCATTER)) walk_node(s->g, ir_node(s->g, r), store_read, &st);
    }
    for (size_t i = 0; i < s->g->outputs.len; i++) st.stored[s->g->outputs.at[i].node] = true;
    return st.stored;
}

const Schedule *pass_schedule(Nnc *nnc, Graph *g) {
    Scheduler s = {.g = g, .arena = nnc->arena, .words = (g->nodes.len + 63) / 64};
    s.group_of = ARENA_ARRAY(nnc->arena, int, g->nodes.len);
    s.last_reader = ARENA_ARRAY(nnc->arena, int, g->nodes.len);
    s.home = ir_homes(g);
    s.decides = ir_deciders(g, s.home);
    for (Ref r = 0; r < g->nodes.len; r++) s.group_of[r] = s.last_reader[r] = -1;
    for (Ref r = 1; r < g->nodes.len; r++) {
        const Node *n = ir_node(g, r);
        if (n->kind == N_SCAN || n->kind == N_SORT)
            place_alone(&s, r);
        else if (n->kind == N_RESULT)
            s.group_of[r] = s.group_of[n->result.of];
        else if (n->kind != N_LEAF && ir_elements(n))
            place_node(&s, r);
    }
    Schedule *out = ARENA_NEW(nnc->arena, Schedule);
    Group *groups = ARENA_ARRAY(nnc->arena, Group, s.groups.len);
    for (size_t i = 0; i < s.groups.len; i++) {
        groups[i] = s.groups.at[i].g;
        groups[i].members = s.groups.at[i].members;
    }
    *out = (Schedule){groups, (int)s.groups.len, s.group_of, find_stored(&s)};
    vec_free(&s.groups);
    return out;
}
