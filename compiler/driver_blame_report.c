/* The words for a NaN: what made it, from which values, for which sample. */
#include "compiler/driver_blame.h"

#include <math.h>
#include <string.h>

enum { MOST_OPERANDS = 3, MOST_WORDS = 60 };

const char *driver_number(Nnc *nnc, double value) {
    if (isnan(value)) return "nan"; /* whichever sign it has */
    if (isinf(value)) return value < 0 ? "-inf" : "inf";
    return arena_printf(nnc->arena, "%.6g", value);
}

static const char *words_at(Nnc *nnc, Span at, Name name) {
    if (!at.file) return name ? name : "a constant";
    const char *text = source_words(nnc->sources.files.at[at.file], nnc->arena, at);
    if (strlen(text) <= MOST_WORDS) return text;
    return arena_printf(nnc->arena, "%.*s...", MOST_WORDS - 3, text);
}

/* By the name that the program gives it, else by its own words. */
static const char *words_of(Nnc *nnc, const Node *n) { return n->name ? n->name : words_at(nnc, n->at, NULL); }

/* ---- where ---- */

static void coordinates(const Node *n, int64_t element, int64_t *at) {
    for (int i = n->rank; i-- > 0;) {
        at[i] = element % n->dims[i];
        element /= n->dims[i];
    }
}

static void add_point(Str *s, const Node *n, const int64_t *at) {
    for (int i = 0; i < n->rank; i++) str_add(s, "%s%lld", i ? ", " : " at [", (long long)at[i]);
    if (n->rank) str_add(s, "]");
}

/* ---- which sample ---- */

/* Follows one element down to the data: `at` of each node is the index of the element of it that is read, -1 in a dim
 * where many are. */
typedef struct {
    const Blame *b;
    int64_t **at;
    Ref rows; /* the input of row numbers */
    int64_t place;
    const int64_t *point; /* variables of the node at hand; -1: not one value */
    int nvars;
} Trace;

static int64_t value_of(const Trace *t, const Aff *a) {
    int64_t known[RT_MAX_RANK * 2];
    if (t->nvars > (int)COUNT(known)) return -1;
    for (int v = 0; v < t->nvars; v++) {
        known[v] = t->point[v];
        if (known[v] < 0 && aff_uses(a, v)) return -1;
    }
    return aff_eval(a, known);
}

static void trace_load(const Graph *g, Ex e, void *self) {
    Trace *t = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD) return;
    const Node *n = ir_node(g, x->load.node);
    int64_t *at = ARENA_ARRAY(g->nnc->arena, int64_t, n->rank + 1);
    for (int i = 0; i < n->rank; i++) {
        at[i] = x->load.at[i].gather ? -1 : value_of(t, x->load.at[i].aff);
        if (at[i] >= n->dims[i]) return; /* under a guard that does not hold */
    }
    if (x->load.node == t->rows && n->rank && at[0] >= 0) t->place = at[0];
    if (!t->at[x->load.node]) t->at[x->load.node] = at;
}

/* The place in the batch of the sample that an element of node r belongs to; -1 where it belongs to none or many. */
static int64_t sample_of(const Blame *b, Ref r, int64_t *at) {
    Arena *a = b->g->nnc->arena;
    int rows = driver_rt_data(b->l->loop->data)->nfields;
    Trace t = {.b = b, .at = ARENA_ARRAY(a, int64_t *, b->g->nodes.len), .place = -1};
    for (Ref k = 1; k < b->g->nodes.len; k++) {
        const Node *n = ir_node(b->g, k);
        if (n->kind == N_LEAF && n->leaf.kind == LEAF_INPUT && n->leaf.slot == rows) t.rows = k;
    }
    t.at[r] = at;
    for (Ref k = r; k > 0 && t.place < 0; k--) {
        const Node *n = ir_node(b->g, k);
        if (!t.at[k] || n->kind != N_COMP) continue;
        int64_t *point = ARENA_ARRAY(a, int64_t, n->rank + n->comp.nred + 1);
        for (int i = 0; i < n->rank + n->comp.nred; i++) point[i] = i < n->rank ? t.at[k][i] : -1;
        t.point = point;
        t.nvars = n->rank + n->comp.nred;
        ex_walk(b->g, n->comp.body, trace_load, &t);
    }
    return t.place;
}

static void tell_sample(const Blame *b, Diag *m, int64_t place) {
    const RtData *data = driver_rt_data(b->l->loop->data);
    const int32_t *rows = *b->l->rows;
    if (place >= 0)
        diag_help(b->g->nnc, m, "it is sample %lld of the batch: row %lld of '%s'", (long long)place + 1,
                  (long long)rows[place] + 1, data->fields[0].source);
}

/* ---- from which values ---- */

typedef struct {
    const Blame *b;
    const int64_t *at;
    int nvars, n;
    Ex loads[MOST_OPERANDS];
} Operands;

static void find_operand(const Graph *g, Ex e, void *self) {
    Operands *o = self;
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_LOAD || o->n == MOST_OPERANDS) return;
    for (int i = 0; i < x->load.rank; i++) {
        const Aff *a = x->load.at[i].aff;
        int64_t v = x->load.at[i].gather ? -1 : aff_eval(a, o->at);
        if (v < 0 || v >= ir_node(g, x->load.node)->dims[i]) return;
    }
    o->loads[o->n++] = e;
}

/* "-inf at [3], where 'p' is 0". */
static void tell_values(const Blame *b, Ref r, Diag *m, const int64_t *at) {
    const Node *n = ir_node(b->g, r);
    Nnc *nnc = b->g->nnc;
    Operands o = {.b = b, .at = at, .nvars = n->rank};
    Str s = {0};
    double values[MOST_OPERANDS];
    void *results[MOST_OPERANDS];
    str_add(&s, "%s", b->bad[r].what == NOT_A_NUMBER ? "nan" : "infinite");
    add_point(&s, n, at);
    if (b->watch.nodes[r].iterations > 1) str_add(&s, " in iteration %lld", (long long)b->bad[r].iteration);
    bool shown = !b->homes[r] && n->kind == N_COMP && n->comp.combine == RED_NONE;
    if (shown) ex_walk(b->g, n->comp.body, find_operand, &o);
    for (int i = 0; i < o.n; i++) results[i] = &values[i];
    if (o.n && blame_run(b, watch_values(nnc, b->g, o.loads, o.n, at, n->rank), results, o.n))
        for (int i = 0; i < o.n; i++) {
            const Node *of = ir_node(b->g, ir_expr(b->g, o.loads[i])->load.node);
            str_add(&s, "%s%s'%s' is %s", i ? i + 1 == o.n ? " and " : ", " : ", where ",
                    of->adjoint ? "the gradient of " : "", words_of(nnc, of), driver_number(nnc, values[i]));
        }
    diag_here(nnc, m, "%s", s.at);
    vec_free(&s);
}

/* ---- the message ---- */

/* Rows of fields are told by number from 1, columns of a table by name. */
static void report_data(const Blame *b, const Node *n, const Bad *bad) {
    const RtField *f = &driver_rt_data(b->l->loop->data)->fields[n->leaf.slot];
    int64_t stride = f->stride / (int64_t)rt_dtype_size(f->dtype), column = bad->element % stride;
    const char *what = driver_number(b->g->nnc, rt_element(f->data, f->dtype, bad->element));
    Diag *m =
        diag(b->g->nnc, b->l->loop->at, DIAG_data_not_finite, what, f->source, (long long)(bad->element / stride) + 1);
    if (column < f->nnames)
        diag_help(b->g->nnc, m, "it is in column '%s'", f->names[column]);
    else if (f->rank)
        diag_help(b->g->nnc, m, "it is number %lld of the row's %lld", (long long)column + 1,
                  (long long)rt_field_elements(f));
}

void blame_report(Blame *b, Ref r) {
    const Node *n = ir_node(b->g, r);
    const BlockRun *run = b->l->block;
    Nnc *nnc = b->g->nnc;
    const char *what = b->bad[r].what == NOT_A_NUMBER ? "nan" : "infinite";
    long long step = run->tick + 1, epoch = run->epoch;
    if (n->kind == N_LEAF && n->leaf.kind == LEAF_INPUT) {
        report_data(b, n, &b->bad[r]);
        return;
    }
    if (n->kind == N_LEAF) {
        diag(nnc, n->at, DIAG_variable_not_finite, words_of(nnc, n), what, step);
        return;
    }
    int64_t *at = ARENA_ARRAY(nnc->arena, int64_t, n->rank + 1);
    coordinates(n, b->bad[r].element, at);
    Diag *m = n->adjoint ? diag(nnc, n->at, DIAG_gradient_not_finite, words_at(nnc, n->at, n->name), what, step, epoch)
                         : diag(nnc, n->at, DIAG_not_finite, words_at(nnc, n->at, n->name), what, step, epoch);
    tell_values(b, r, m, at);
    tell_sample(b, m, sample_of(b, r, at));
}
