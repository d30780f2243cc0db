/* Terms: making them, and the few rules of shapes and element types that all operations share. */
#include "lang/check.h"

#include <math.h>
#include <string.h>

/* ---- types ---- */

DType type_float(Checker *c) { return c->nnc->float_type; }

Type type_scalar(DType t) { return (Type){.dtype = t}; }

Type type_of(Checker *c, DType t, int rank, const Dim *dims) {
    Type type = {.dtype = t, .rank = rank};
    if (rank) type.dims = arena_copy(check_arena(c), dims, sizeof *dims * (size_t)rank);
    return type;
}

Dim type_count(Checker *c, Type t) {
    Dim n = dim_number(c->dims, 1);
    for (int i = 0; i < t.rank; i++) n = dim_mul(c->dims, n, t.dims[i]);
    return n;
}

bool term_is_loop(const Term *t) { return t->kind == T_SCAN || t->kind == T_WHILE; }

bool type_equal(Type a, Type b) {
    if (a.dtype != b.dtype || a.rank != b.rank) return false;
    for (int i = 0; i < a.rank; i++)
        if (a.dims[i] != b.dims[i]) return false;
    return true;
}

void type_print(Str *out, Type t) {
    if (t.dtype == DT_I32)
        str_add(out, "int");
    else if (t.dtype != DT_F32)
        str_add(out, "%s", dtype_name(t.dtype));
    str_add(out, "[");
    for (int i = 0; i < t.rank; i++) {
        str_add(out, "%s", i ? ", " : "");
        dim_print(out, t.dims[i]);
    }
    str_add(out, "]");
}

/* The type in which two types meet: the wider one; bool and integers give way to floats. */
DType dtype_join(Checker *c, DType a, DType b) {
    if (a == b) return a;
    if (dtype_is_float(a) != dtype_is_float(b)) return dtype_is_float(a) ? a : b;
    if ((a == DT_F16 && b == DT_BF16) || (a == DT_BF16 && b == DT_F16)) return type_float(c);
    if ((a == DT_U8 && b == DT_I8) || (a == DT_I8 && b == DT_U8)) return DT_I32;
    return MAX(a, b);
}

/* ---- making ---- */

/* Bytes and loop iterations are counted in 64 bits, and arrays have RT_MAX_RANK dims at most. */
static void check_extent(Checker *c, Type t, Span at) {
    const int64_t most = INT64_C(1) << 48;
    int64_t elements = 1, n;
    bool fits = true;
    for (int i = 0; i < t.rank && fits; i++)
        fits = !dim_is_const(t.dims[i], &n) || !__builtin_mul_overflow(elements, MAX(n, 1), &elements);
    fits = fits && elements <= most;
    if (c->stopped || (fits && t.rank <= CHECK_MAX_RANK)) return;
    if (fits)
        err(c, at, too_many_dims, t.rank, CHECK_MAX_RANK);
    else
        err(c, at, too_large, type_text(c, t));
    check_stop(c);
}

Term *term_new(Checker *c, TermKind kind, Type type, Span at, int nargs, Term *const *args) {
    Term *t = ARENA_NEW(check_arena(c), Term);
    t->kind = kind;
    t->type = type;
    t->at = at;
    t->id = c->terms++;
    t->call = c->frame ? c->frame->record : -1;
    t->nargs = nargs;
    if (nargs) t->args = arena_copy(check_arena(c), args, sizeof *args * (size_t)nargs);
    for (int i = 0; i < nargs; i++) t->indexed = t->indexed || args[i]->indexed;
    check_extent(c, type, at);
    if (c->unit && c->terms - c->unit->first_term > CHECK_MAX_TERMS && !c->stopped) {
        err(c, at, too_many_terms, CHECK_MAX_TERMS);
        check_stop(c);
    }
    return t;
}

static Name op_name(Checker *c, const char *op) { return intern(c->nnc->names, op); }

Term *term_number(Checker *c, double x, DType t, Span at) {
    Term *n = term_new(c, T_NUMBER, type_scalar(t), at, 0, NULL);
    n->number = x;
    return n;
}

Term *term_cast(Checker *c, Term *t, DType to, Span at) {
    if (t->type.dtype == to) return t;
    if (t->kind == T_NUMBER && !(to == DT_BOOL)) {
        double x = dtype_is_float(to) ? t->number : trunc(t->number);
        return term_number(c, x, to, at);
    }
    Type type = t->type;
    type.dtype = to;
    return term_new(c, T_CAST, type, at, 1, &t);
}

static bool same_dims(Type t, int rank, const Dim *dims) {
    if (t.rank != rank) return false;
    for (int i = 0; i < rank; i++)
        if (t.dims[i] != dims[i]) return false;
    return true;
}

Term *term_reshape(Checker *c, Term *t, int rank, const Dim *dims, Span at) {
    if (same_dims(t->type, rank, dims)) return t;
    return term_new(c, T_RESHAPE, type_of(c, t->type.dtype, rank, dims), at, 1, &t);
}

Term *term_broadcast(Checker *c, Term *t, int rank, const Dim *dims, Span at) {
    if (same_dims(t->type, rank, dims)) return t;
    return term_new(c, T_BROADCAST, type_of(c, t->type.dtype, rank, dims), at, 1, &t);
}

Term *term_slice(Checker *c, Term *t, const Dim *dims, const Dim *begin, const int64_t *step, Span at) {
    size_t n = (size_t)t->type.rank;
    bool whole = same_dims(t->type, t->type.rank, dims);
    for (size_t i = 0; i < n; i++) whole = whole && step[i] == 1 && dim_is(begin[i], 0);
    if (whole) return t;
    Term *s = term_new(c, T_SLICE, type_of(c, t->type.dtype, t->type.rank, dims), at, 1, &t);
    s->begin = arena_copy(check_arena(c), begin, n * sizeof *begin);
    s->step = arena_copy(check_arena(c), step, n * sizeof *step);
    return s;
}

Term *term_gather(Checker *c, Term *t, Term *index, int axis, Span at) {
    int rank = t->type.rank - 1 + index->type.rank, k = 0;
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
    for (int i = 0; i < axis; i++) dims[k++] = t->type.dims[i];
    for (int i = 0; i < index->type.rank; i++) dims[k++] = index->type.dims[i];
    for (int i = axis + 1; i < t->type.rank; i++) dims[k++] = t->type.dims[i];
    Term *g = term_new(c, T_GATHER, type_of(c, t->type.dtype, rank, dims), at, 2, (Term *[]){t, index});
    g->naxes = 1;
    g->axes = arena_copy(check_arena(c), &axis, sizeof axis);
    return g;
}

Term *term_reduce(Checker *c, const char *op, Term *t, const int *axes, int naxes, bool keep, Span at) {
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, t->type.rank + 1);
    int rank = 0, k = 0;
    for (int i = 0; i < t->type.rank; i++) {
        bool reduced = k < naxes && axes[k] == i;
        k += reduced;
        if (!reduced)
            dims[rank++] = t->type.dims[i];
        else if (keep)
            dims[rank++] = dim_number(c->dims, 1);
    }
    DType type = strncmp(op, "arg", 3) == 0 ? DT_I32 : t->type.dtype;
    Term *r = term_new(c, T_REDUCE, type_of(c, type, rank, dims), at, 1, &t);
    r->op = op_name(c, op);
    r->naxes = naxes;
    if (naxes) r->axes = arena_copy(check_arena(c), axes, sizeof *axes * (size_t)naxes);
    r->keep = keep;
    return r;
}

Term *term_stop(Checker *c, Term *t, Span at) {
    Term *s = term_new(c, T_OP, t->type, at, 1, &t);
    s->op = op_name(c, "stop");
    return s;
}

Term *term_mark(Checker *c, Term *t, Span at) { return term_new(c, T_MARK, t->type, at, 1, &t); }

Term *term_input(Checker *c, Unit *u, Name name, Type t, int gathered, Span at) {
    Term *in = term_new(c, T_INPUT, t, at, 0, NULL);
    in->slot = (int)u->inputs.len;
    in->name = name;
    UnitInput input = {.name = name, .type = t, .at = at, .gathered = gathered};
    arena_push(c, &u->inputs, input);
    return in;
}

/* ---- scalar operations ---- */

bool dims_broadcast(Checker *c, Type a, Type b, int *rank, const Dim **dims, int *bad) {
    int n = MAX(a.rank, b.rank);
    Dim *out = ARENA_ARRAY(check_arena(c), Dim, n + 1);
    for (int i = 1; i <= n; i++) {
        Dim x = i <= a.rank ? a.dims[a.rank - i] : NULL, y = i <= b.rank ? b.dims[b.rank - i] : NULL;
        int64_t v;
        if (!x || !y || x == y || dim_is(x, 1)) {
            out[n - i] = y ? y : x;
        } else if (dim_is(y, 1)) {
            out[n - i] = x;
        } else if (dim_differs(c->dims, x, y)) {
            *bad = i;
            return false;
        } else {
            out[n - i] = dim_is_const(y, &v) ? y : x; /* not known to differ: the symbols are checked when bound */
        }
    }
    *rank = n;
    *dims = out;
    return true;
}

void label_origin(Checker *c, Diag *d, const Term *t) {
    const UnitState *u = c->unit;
    if (!u) return;
    if (t->kind == T_PARAM || t->kind == T_STATE) {
        for (size_t i = 0; i < u->order.len; i++)
            if (u->order.at[i]->first == t)
                diag_label(c->nnc, d, u->order.at[i]->var->at, "%s has this shape", t->name ? t->name : "it");
    } else if (t->kind == T_INPUT && u->unit && (size_t)t->slot < u->unit->inputs.len) {
        diag_label(c->nnc, d, u->unit->inputs.at[t->slot].at, "%s is declared here", t->name);
    } else if (t->kind == T_GATHER && t->args[0]->kind == T_INPUT && u->unit) { /* a batch of a data set's field */
        const UnitInput *field = &u->unit->inputs.at[t->args[0]->slot];
        if (field->gathered < 0) return;
        Type sample = {t->type.dtype, t->type.rank - 1, t->type.dims + 1};
        diag_label(c->nnc, d, field->at, "each sample's '%s' is %s", field->name, type_text(c, sample));
    }
}

static Term *report_broadcast(Checker *c, Term *const *args, const Span *places, int i, const char *what, Span at) {
    int bad = 1, k = 0, rank;
    const Dim *dims;
    while (k + 1 < i && dims_broadcast(c, args[k]->type, args[i]->type, &rank, &dims, &bad)) k++;
    dims_broadcast(c, args[k]->type, args[i]->type, &rank, &dims, &bad);
    const Term *a = args[k], *b = args[i];
    Diag *d = err(c, at, broadcast, what, type_text(c, a->type), type_text(c, b->type),
                  dim_text(c, a->type.dims[a->type.rank - bad]), dim_text(c, b->type.dims[b->type.rank - bad]));
    diag_label(c->nnc, d, places[k], "%s", type_text(c, a->type));
    diag_label(c->nnc, d, places[i], "%s", type_text(c, b->type));
    label_origin(c, d, a);
    label_origin(c, d, b);
    if (a->type.rank > 1 && b->type.rank == 1 && bad == 1 &&
        !dim_differs(c->dims, a->type.dims[a->type.rank - 2], b->type.dims[0]))
        diag_help(c->nnc, d, "shapes are aligned at their last dims; a [%s, 1] would run along the dim before it",
                  dim_text(c, b->type.dims[0]));
    return NULL;
}

static bool is_comparison(const char *op) {
    return strcmp(op, "eq") == 0 || strcmp(op, "ne") == 0 || strcmp(op, "lt") == 0 || strcmp(op, "le") == 0;
}

/* The element type of the operation's operands. */
static DType operand_type(Checker *c, const char *op, DType t) {
    static const char *const same[] = {"add", "sub", "mul", "neg", "abs",  "sign", "min",  "max",
                                       "eq",  "ne",  "lt",  "le",  "idiv", "imod", "stop", "select"};
    static const char *const logic[] = {"and", "or", "not"};
    for (size_t i = 0; i < COUNT(logic); i++)
        if (strcmp(op, logic[i]) == 0) return DT_BOOL;
    bool keeps = false;
    for (size_t i = 0; i < COUNT(same); i++) keeps = keeps || strcmp(op, same[i]) == 0;
    if (!keeps) return dtype_is_float(t) ? t : type_float(c);
    bool any = is_comparison(op) || strcmp(op, "select") == 0 || strcmp(op, "stop") == 0;
    return t == DT_BOOL && !any ? DT_I32 : t;
}

/* Index notation: what depends on an index is a scalar, and so must be all that it meets. */
static bool check_indexed(Checker *c, int n, Term **args, const Span *places, const char *what) {
    bool indexed = false;
    for (int i = 0; i < n; i++) indexed = indexed || args[i]->indexed;
    for (int i = 0; indexed && i < n; i++)
        if (args[i]->type.rank > 0) {
            err(c, places[i], index_tensor, what, type_text(c, args[i]->type));
            return false;
        }
    return true;
}

Term *term_apply(Checker *c, const char *op, int n, Term **args, const Span *places, const char *what, Span at) {
    bool select = strcmp(op, "select") == 0, logic = operand_type(c, op, DT_F64) == DT_BOOL;
    if (!check_indexed(c, n, args, places, what)) return NULL;
    DType t = args[select]->type.dtype;
    for (int i = select; i < n; i++) {
        if ((logic || (select && i == 0)) && args[i]->type.dtype != DT_BOOL) {
            err(c, places[i], not_truth, what, type_text(c, args[i]->type));
            return NULL;
        }
        t = dtype_join(c, t, args[i]->type.dtype);
    }
    t = operand_type(c, op, t);
    Type shape = args[0]->type;
    for (int i = 1; i < n; i++) {
        int bad;
        if (!dims_broadcast(c, shape, args[i]->type, &shape.rank, &shape.dims, &bad))
            return report_broadcast(c, args, places, i, what, at);
    }
    Term *converted[3];
    for (int i = 0; i < n; i++) converted[i] = select && i == 0 ? args[0] : term_cast(c, args[i], t, args[i]->at);
    shape.dtype = is_comparison(op) ? DT_BOOL : t;
    Term *r = term_new(c, T_OP, shape, at, n, converted);
    r->op = op_name(c, op);
    return r;
}

Term *term_unary(Checker *c, const char *op, Term *a, Span at) { return term_apply(c, op, 1, &a, &at, op, at); }

Term *term_binary(Checker *c, const char *op, Term *a, Term *b, Span at) {
    return term_apply(c, op, 2, (Term *[]){a, b}, (Span[]){at, at}, op, at);
}

Term *term_select(Checker *c, Term *cond, Term *a, Term *b, Span at) {
    return term_apply(c, "select", 3, (Term *[]){cond, a, b}, (Span[]){at, at, at}, "if", at);
}

Term *term_to_float(Checker *c, Term *t, Span at) {
    return dtype_is_float(t->type.dtype) ? t : term_cast(c, t, type_float(c), at);
}

/* ---- values as tensors ---- */

static bool holds(DType t, double x) {
    switch (t) {
    case DT_BOOL: return false;
    case DT_U8: return x >= 0 && x <= UINT8_MAX;
    case DT_I8: return x >= INT8_MIN && x <= INT8_MAX;
    case DT_I32: return x >= INT32_MIN && x <= INT32_MAX;
    default: return true;
    }
}

static DType number_type(Checker *c, Value v, const Term *like) {
    double x = 0;
    bool known = value_number(v, &x);
    if (v.kind == V_FLOAT || v.whole.den) /* a fraction */
        return like && dtype_is_float(like->type.dtype) ? like->type.dtype : type_float(c);
    if (like && (!known || holds(like->type.dtype, x))) return like->type.dtype == DT_BOOL ? DT_I32 : like->type.dtype;
    return holds(DT_I32, x) ? DT_I32 : DT_I64;
}

/* The shape of nested lists and their elements in order; false where they are ragged or not numbers. */
static bool list_elements(Checker *c, Value v, int depth, Dim *dims, int *rank, double *out, int64_t *n, bool *real) {
    if (v.kind != V_LIST) {
        double x = 0;
        if (!value_is_number(v) || depth != *rank) return false;
        *real = *real || v.kind == V_FLOAT || v.whole.den;
        value_number(v, &x);
        if (out) out[*n] = x;
        ++*n;
        return true;
    }
    if (depth >= 8 || v.list.len == 0) return false;
    if (*n == 0 && depth == *rank) dims[(*rank)++] = dim_number(c->dims, v.list.len);
    if (depth >= *rank || !dim_is(dims[depth], v.list.len)) return false;
    for (int i = 0; i < v.list.len; i++)
        if (!list_elements(c, v.list.at[i], depth + 1, dims, rank, out, n, real)) return false;
    return true;
}

static Term *list_term(Checker *c, Value v, const Term *like, Span at) {
    Dim dims[8];
    int rank = 0;
    int64_t n = 0;
    bool real = false;
    if (!list_elements(c, v, 0, dims, &rank, NULL, &n, &real)) {
        for (int i = 0; i < v.list.len; i++)
            if (v.list.at[i].kind == V_POISON) return NULL;
        err(c, at, list_tensor);
        return NULL;
    }
    double *elements = ARENA_ARRAY(check_arena(c), double, n);
    n = 0;
    list_elements(c, v, 0, dims, &rank, elements, &n, &real);
    DType t = like && dtype_is_float(like->type.dtype) ? like->type.dtype : real ? type_float(c) : DT_I32;
    Term *a = term_new(c, T_ARRAY, type_of(c, t, rank, dims), at, 0, NULL);
    a->elements = elements;
    return a;
}

void help_apply(Checker *c, Diag *d, Value v) {
    if (v.kind == V_INSTANCE)
        diag_help(c->nnc, d, "a layer is applied to its input: Layer(...)(x), or x |> Layer(...)");
}

Term *value_to_term(Checker *c, Value v, const Term *like, Span at) {
    double x = 1;
    switch (v.kind) {
    case V_POISON: return NULL;
    case V_TENSOR: return v.term;
    case V_INDEX: return affine_term(c, v.affine, false, at);
    case V_INT:
    case V_FLOAT: value_number(v, &x); return term_number(c, x, number_type(c, v, like), at);
    case V_BOOL: return term_number(c, v.truth, DT_BOOL, at);
    case V_LIST: return list_term(c, v, like, at);
    default: help_apply(c, err(c, at, not_tensor, value_text(c, v)), v); return NULL;
    }
}

bool values_to_terms(Checker *c, int n, const Value *v, const Span *places, Term **out) {
    Term *like = NULL;
    for (int i = 0; i < n; i++) {
        out[i] = NULL;
        if (v[i].kind == V_POISON) return false;
        if (v[i].kind != V_TENSOR && v[i].kind != V_INDEX) continue;
        out[i] = value_to_term(c, v[i], NULL, places[i]);
        if (!out[i]) return false;
        if (!like || dtype_join(c, like->type.dtype, out[i]->type.dtype) != like->type.dtype) like = out[i];
    }
    for (int i = 0; i < n; i++) {
        if (!out[i]) out[i] = value_to_term(c, v[i], like, places[i]);
        if (!out[i]) return false;
    }
    return true;
}
