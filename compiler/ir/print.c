/* The textual IR:
 *
 *     %1 = input 0 "image" u8[100, 784]
 *     %5 = f32[100, 500] sum k0:784 of mul(%1[i0, k0], %2[k0, i1])    # fashion.nn:7:12
 *     %6 = f32[9] of guard(1 <= i0 < 8 ? %3[i0 - 1] : 0.0)
 *     %7 = f32[10, 5] scatter q0:100, q1:5 of %6[q1] at [{%4[q0]}, q1]
 *     %8 = sort %6 descending first 3
 *     result 0 "y" = %6
 *
 * i are output indices, k reduction indices, q those of a scatter's domain. Numbers are i32, or f32 where they have a
 * point; of other types they look like u8(3). What a body uses twice is named in front of it, so that text is never
 * longer than the graph:  { t0 = exp(%5[i0]); div(t0, add(t0, 1.0)) }. */
#include "compiler/ir/private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef void NameFn(Str *out, int var, void *self);

typedef struct {
    Str *out;
    const Graph *g;
    NameFn *name;
    void *self;
    ExList list; /* the expressions of the body */
    int *temp;   /* by position in `list`: the number of its t, or -1 */
    int ntemps;
} Printer;

/* ---- scalars ---- */

static void print_float(Str *out, DType t, double v) {
    char text[40];
    if (isnan(v) || isinf(v)) {
        str_add(out, "%s", isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    for (int digits = 1; digits <= 17; digits++) { /* the shortest text that reads back */
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (scalar_round(t, strtod(text, NULL)) == v) break;
    }
    str_add(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_const(Str *out, DType t, Scalar v) {
    bool plain = t == DT_F32 || t == DT_I32 || t == DT_BOOL;
    if (!plain) str_add(out, "%s(", dtype_name(t));
    if (t == DT_BOOL)
        str_add(out, "%s", v.i ? "true" : "false");
    else if (dtype_is_float(t))
        print_float(out, t, v.f);
    else
        str_add(out, "%lld", (long long)v.i);
    if (!plain) str_add(out, ")");
}

/* ---- expressions ---- */

static void print_use(Printer *p, Ex e);

static void print_places(Printer *p, const Place *at, int n) {
    str_add(p->out, "[");
    for (int i = 0; i < n; i++) {
        int64_t v;
        bool bare = at[i].gather && aff_is_const(at[i].aff, &v) && v == 0;
        if (i) str_add(p->out, ", ");
        if (!bare) aff_print(p->out, at[i].aff, p->name, p->self);
        if (!at[i].gather) continue;
        str_add(p->out, bare ? "{" : " + {");
        print_use(p, at[i].gather);
        str_add(p->out, "}");
    }
    str_add(p->out, "]");
}

static void print_guard(Printer *p, const Expr *x) {
    str_add(p->out, "guard(");
    for (int i = 0; i < x->guard.n; i++) {
        const Cond *c = &x->guard.at[i];
        bool equal = c->lo != INT64_MAX && c->hi == c->lo + 1;
        if (i) str_add(p->out, ", ");
        if (!equal && c->lo != INT64_MIN && c->hi != INT64_MAX) str_add(p->out, "%lld <= ", (long long)c->lo);
        aff_print(p->out, c->aff, p->name, p->self);
        if (equal)
            str_add(p->out, " == %lld", (long long)c->lo);
        else if (c->hi == INT64_MAX)
            str_add(p->out, " >= %lld", (long long)c->lo);
        else
            str_add(p->out, " < %lld", (long long)c->hi);
    }
    str_add(p->out, " ? ");
    print_use(p, x->arg[0]);
    str_add(p->out, " : ");
    print_use(p, x->arg[1]);
    str_add(p->out, ")");
}

static void print_expr(Printer *p, Ex e) {
    const Expr *x = ir_expr(p->g, e);
    switch (x->kind) {
    case EX_NONE: str_add(p->out, "none"); return;
    case EX_CONST: print_const(p->out, x->dtype, ex_value(p->g, e)); return;
    case EX_INDEX:
        str_add(p->out, "%s[", dtype_name(x->dtype));
        aff_print(p->out, x->index, p->name, p->self);
        str_add(p->out, "]");
        return;
    case EX_LOAD:
        str_add(p->out, "%%%u", x->load.node);
        if (x->load.rank) print_places(p, x->load.at, x->load.rank);
        return;
    case EX_FETCH:
        str_add(p->out, "buffer%d", x->fetch.buffer);
        print_places(p, &x->fetch.at, 1);
        return;
    case EX_GUARD: print_guard(p, x); return;
    default: break;
    }
    str_add(p->out, "%s(", x->kind == EX_CAST ? dtype_name(x->dtype) : op_info(x->kind)->name);
    for (int i = 0; i < op_info(x->kind)->arity; i++) {
        if (i) str_add(p->out, ", ");
        print_use(p, x->arg[i]);
    }
    str_add(p->out, ")");
}

static void print_use(Printer *p, Ex e) {
    int t = p->temp[ex_position(&p->list, e)];
    if (t >= 0)
        str_add(p->out, "t%d", t);
    else
        print_expr(p, e);
}

/* Short enough to be written again wherever it is used. */
static bool is_short(const Expr *x) {
    if (x->kind == EX_CONST || x->kind == EX_INDEX) return true;
    for (int i = 0; x->kind == EX_LOAD && i < x->load.rank; i++)
        if (x->load.at[i].gather) return false;
    return x->kind == EX_LOAD;
}

/* Names what is used twice, and what would nest too deep. */
static void name_shared(Printer *p, const Ex *roots, int nroots) {
    enum { DEEPEST = 24 };
    size_t n = p->list.len;
    int *uses = xcalloc(n, sizeof *uses), *depth = xcalloc(n, sizeof *depth);
    p->temp = xcalloc(n, sizeof *p->temp);
    for (int i = 0; i < nroots; i++)
        if (roots[i]) uses[ex_position(&p->list, roots[i])]++;
    for (size_t k = 0; k < n; k++)
        for (int i = 0; i < ex_nchildren(ir_expr(p->g, p->list.at[k])); i++) {
            Ex child = ex_child(ir_expr(p->g, p->list.at[k]), i);
            if (child) uses[ex_position(&p->list, child)]++;
        }
    for (size_t k = 0; k < n; k++) {
        const Expr *x = ir_expr(p->g, p->list.at[k]);
        for (int i = 0; i < ex_nchildren(x); i++)
            if (ex_child(x, i)) depth[k] = MAX(depth[k], 1 + depth[ex_position(&p->list, ex_child(x, i))]);
        bool named = (uses[k] > 1 && !is_short(x)) || depth[k] >= DEEPEST;
        p->temp[k] = named ? p->ntemps++ : -1;
        if (named) depth[k] = 0;
    }
    free(uses);
    free(depth);
}

static Printer printer_new(Str *out, const Graph *g, const Ex *roots, int n, NameFn *name, void *self) {
    Printer p = {.out = out, .g = g, .name = name, .self = self, .list = ex_below(g, roots, n)};
    name_shared(&p, roots, n);
    return p;
}

static void printer_free(Printer *p) {
    vec_free(&p->list);
    free(p->temp);
}

static void print_body(Printer *p, Ex body) {
    if (p->ntemps) str_add(p->out, "{\n");
    for (size_t k = 0; k < p->list.len; k++) {
        if (p->temp[k] < 0) continue;
        str_add(p->out, "    t%d = ", p->temp[k]);
        print_expr(p, p->list.at[k]);
        str_add(p->out, "\n");
    }
    if (p->ntemps) str_add(p->out, "    ");
    print_use(p, body);
    if (p->ntemps) str_add(p->out, "\n}");
}

void ex_print(Str *out, const Graph *g, Ex e, NameFn *name, void *self) {
    Printer p = printer_new(out, g, &e, 1, name, self);
    print_body(&p, e);
    printer_free(&p);
}

/* ---- nodes ---- */

static void name_index(Str *out, int var, void *self) {
    const int *rank = self;
    str_add(out, "%c%d", var < *rank ? 'i' : 'k', var < *rank ? var : var - *rank);
}

static void name_domain(Str *out, int var, void *self) {
    (void)self;
    str_add(out, "q%d", var);
}

static void print_quoted(Str *out, Name name) {
    if (!name) return;
    str_add(out, " \"");
    for (const char *c = name; *c; c++) str_add(out, *c == '"' || *c == '\\' ? "\\%c" : "%c", *c);
    str_add(out, "\"");
}

static void print_type(Str *out, const Node *n) {
    str_add(out, "%s[", dtype_name(n->dtype));
    for (int i = 0; i < n->rank; i++) str_add(out, "%s%lld", i ? ", " : "", (long long)n->dims[i]);
    str_add(out, "]");
}

static void print_extents(Str *out, char letter, const int64_t *extents, int n) {
    for (int i = 0; i < n; i++) str_add(out, "%s%c%d:%lld", i ? ", " : " ", letter, i, (long long)extents[i]);
}

static void print_comp(Str *out, const Graph *g, const Node *n) {
    static const char *const combines[] = {"", "sum", "prod", "max", "min", "argmax", "argmin"};
    int rank = n->rank;
    print_type(out, n);
    print_quoted(out, n->name);
    if (n->comp.combine != RED_NONE) str_add(out, " %s", combines[n->comp.combine]);
    print_extents(out, 'k', n->comp.extents + rank, n->comp.nred);
    str_add(out, " of ");
    Printer p = printer_new(out, g, &n->comp.body, 1, name_index, &rank);
    print_body(&p, n->comp.body);
    printer_free(&p);
}

static void print_scatter(Str *out, const Graph *g, const Node *n) {
    Ex *roots = xcalloc((size_t)n->rank + 1, sizeof *roots);
    for (int i = 0; i < n->rank; i++) roots[i] = n->scatter.place[i].gather;
    roots[n->rank] = n->scatter.body;
    print_type(out, n);
    print_quoted(out, n->name);
    str_add(out, " scatter");
    print_extents(out, 'q', n->scatter.extents, n->scatter.ndomain);
    str_add(out, " of ");
    Printer p = printer_new(out, g, roots, n->rank + 1, name_domain, NULL);
    print_body(&p, n->scatter.body);
    str_add(out, " at ");
    print_places(&p, n->scatter.place, n->rank);
    printer_free(&p);
    free(roots);
}

static void print_leaf(Str *out, const Node *n) {
    static const char *const kinds[] = {"input", "param", "state"};
    if (n->leaf.kind == LEAF_ITER || n->leaf.kind == LEAF_CARRY) {
        str_add(out, n->leaf.kind == LEAF_ITER ? "iteration %d" : "carry %d %d", n->leaf.slot, n->leaf.index);
        print_quoted(out, n->name);
        if (n->leaf.kind == LEAF_ITER) return;
        str_add(out, " ");
        print_type(out, n);
        return;
    }
    if (n->leaf.kind != LEAF_CONST) {
        str_add(out, "%s %d", kinds[n->leaf.kind], n->leaf.slot);
        print_quoted(out, n->name);
        str_add(out, " ");
        print_type(out, n);
        return;
    }
    str_add(out, "constant ");
    print_type(out, n);
    print_quoted(out, n->name);
    str_add(out, " {");
    for (int64_t i = 0; i < ir_elements(n); i++) {
        if (i) str_add(out, ", ");
        Scalar v = scalar_read(n->dtype, n->leaf.data, i);
        if (dtype_is_float(n->dtype))
            print_float(out, n->dtype, v.f);
        else
            str_add(out, "%lld", (long long)v.i);
    }
    str_add(out, "}");
}

static void print_place_of(Str *out, const Graph *g, Span at) {
    if (!at.file || at.file >= g->nnc->sources.files.len) return;
    const Source *s = g->nnc->sources.files.at[at.file];
    int line, column;
    source_place(s, at.begin, &line, &column);
    str_add(out, "    # %s:%d:%d", s->path, line, column);
}

/* scan 0 in 7 reverse (%1 -> %5, %2 -> %6) yields (%5, none)
 * while 0 if %7 (%1 -> %5, %2 -> %6) */
static void print_scan(Str *out, const Node *n) {
    if (n->scan.cond)
        str_add(out, "while %d if %%%u (", n->scan.id, n->scan.cond);
    else
        str_add(out, "scan %d in %lld%s (", n->scan.id, (long long)n->scan.extent, n->scan.reverse ? " reverse" : "");
    for (int k = 0; k < n->scan.ncarry; k++)
        str_add(out, "%s%%%u -> %%%u", k ? ", " : "", n->scan.init[k], n->scan.next[k]);
    str_add(out, n->scan.cond ? ")" : ") yields (");
    for (int k = 0; k < n->scan.nyield; k++)
        str_add(out, n->scan.yield[k] ? "%s%%%u" : "%snone", k ? ", " : "", n->scan.yield[k]);
    if (!n->scan.cond) str_add(out, ")");
}

/* sort %4 descending first 10 "order" */
static void print_sort(Str *out, const Node *n) {
    str_add(out, "sort %%%u%s first %lld", n->sort.of, n->sort.descending ? " descending" : "",
            (long long)n->dims[n->rank - 1]);
}

static void print_node(Str *out, const Graph *g, Ref r) {
    const Node *n = ir_node(g, r);
    str_add(out, "%%%u = ", r);
    switch (n->kind) {
    case N_LEAF: print_leaf(out, n); break;
    case N_COMP: print_comp(out, g, n); break;
    case N_SCATTER: print_scatter(out, g, n); break;
    case N_SORT: print_sort(out, n); break;
    case N_GRAD: str_add(out, "grad %%%u wrt %%%u", n->grad.of, n->grad.wrt); break;
    case N_MARK: str_add(out, "mark %%%u", n->grad.of); break;
    case N_SCAN: print_scan(out, n); break;
    case N_RESULT: str_add(out, "result %d of %%%u", n->result.index, n->result.of); break;
    default: bug("node %u of kind %d", r, (int)n->kind);
    }
    if (n->kind >= N_SORT) print_quoted(out, n->name);
    print_place_of(out, g, n->at);
    str_add(out, "\n");
}

void ir_print(const Graph *g, FILE *out) {
    static const char *const kinds[] = {"result", "param", "state"};
    Str text = {0};
    for (size_t i = 1; i < g->nodes.len; i++) print_node(&text, g, (Ref)i);
    for (size_t i = 0; i < g->outputs.len; i++) {
        const Output *o = &g->outputs.at[i];
        str_add(&text, "%s %d", kinds[o->kind], o->slot);
        print_quoted(&text, o->name);
        str_add(&text, " = %%%u\n", o->node);
    }
    if (text.len) fwrite(text.at, 1, text.len, out);
    vec_free(&text);
}
