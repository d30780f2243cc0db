/* Declared types: binding the names of their sizes, holding values against them, and making values of them. */
#include "lang/check.h"

#include <string.h>

/* ---- element types ---- */

bool type_dtype(Checker *c, const Ast *type, DType *t) {
    *t = type_float(c);
    if (!type->type.dtype || type_is_reported(type)) return true;
    if (!dtype_from_name(type->type.dtype, t)) {
        const char *names[DT_COUNT + 1];
        for (int i = 0; i < DT_COUNT; i++) names[i] = dtype_name((DType)i);
        names[DT_COUNT] = "int";
        Diag *d = err(c, type->at, unknown_type, type->type.dtype);
        const char *near = diag_nearest(type->type.dtype, names, COUNT(names));
        if (near) diag_help(c->nnc, d, "did you mean '%s'?", near);
        return false;
    }
    if (*t == DT_F32) *t = type_float(c); /* f32 is the program's float type */
    return true;
}

/* ---- sizes ---- */

static bool is_bound(Checker *c, Scope *s, Name name) {
    const Binding *b = scope_binding(s, name);
    if (b) return value_is_number(b->value) || b->value.kind == V_LIST || b->value.kind == V_POISON;
    while (s->up) s = s->up;
    return module_has_number(c, s->module, name);
}

static bool is_wildcard(const Ast *dim) { return dim->kind == AST_NAME && strcmp(dim->name, "_") == 0; }

static int rest_place(const AstList *dims) {
    for (int i = 0; i < dims->len; i++)
        if (dims->at[i]->kind == AST_REST) return i;
    return -1;
}

bool type_has_rest(const Ast *type) { return rest_place(&type->type.dims) >= 0; }

/* With two `..` it would be open which dims are whose. */
static bool one_rest(Checker *c, const Ast *type) {
    const AstList *dims = &type->type.dims;
    int first = rest_place(dims);
    for (int i = first + 1; first >= 0 && i < dims->len; i++) {
        if (dims->at[i]->kind != AST_REST) continue;
        diag_label(c->nnc, err(c, dims->at[i]->at, second_rest), dims->at[first]->at, "the first one");
        return false;
    }
    return true;
}

/* Which dim of a tensor of rank `rank` the dim `i` of the pattern is. */
static int place_of(const AstList *dims, int rest, int rank, int i) {
    return rest >= 0 && i > rest ? rank - (dims->len - i) : i;
}

static bool rank_fits(const AstList *dims, int rest, int rank) {
    return rest < 0 ? rank == dims->len : rank >= dims->len - 1;
}

static Value dims_value(Checker *c, const Dim *dims, int n) {
    Value *items = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int i = 0; i < n; i++) items[i] = value_dim(dims[i]);
    return value_list(c, V_LIST, items, n);
}

void type_bind(Checker *c, Scope *s, const Ast *type, const Term *t, Span at) {
    const AstList *dims = &type->type.dims;
    int rest = rest_place(dims), rank = t->type.rank;
    if (!rank_fits(dims, rest, rank)) return;
    for (int i = 0; i < dims->len; i++) {
        const Ast *d = dims->at[i];
        int k = place_of(dims, rest, rank, i);
        if (d->kind == AST_NAME && !is_wildcard(d) && !is_bound(c, s, d->name))
            scope_define(c, s, d->name, value_dim(t->type.dims[k]), at);
        if (d->kind == AST_REST && d->name && !is_bound(c, s, d->name))
            scope_define(c, s, d->name, dims_value(c, rank ? t->type.dims + i : NULL, rank - dims->len + 1), at);
    }
}

void type_bind_poison(Checker *c, Scope *s, const Ast *type) {
    for (int i = 0; i < type->type.dims.len; i++) {
        const Ast *d = type->type.dims.at[i];
        if ((d->kind == AST_NAME || d->kind == AST_REST) && d->name && !is_bound(c, s, d->name))
            scope_define(c, s, d->name, value_poison(), d->at);
    }
}

/* A value as a size; NULL where it is not known, or none, which is a diagnostic. */
static Dim size_at(Checker *c, Value v, Span at) {
    int64_t number;
    if (v.kind == V_POISON) return NULL;
    Dim size = value_size(c, v);
    if (size && (!dim_is_const(size, &number) || number >= 0)) return size;
    err(c, at, bad_size, value_text(c, v));
    return NULL;
}

/* The sizes of a declared type where all of them have a value: 1; 0 where one is unknown, -1 after a diagnostic. With
 * `ask`, names without a value are no error. */
static int eval_dims(Checker *c, Scope *s, const Ast *type, bool ask, int *rank, const Dim **out) {
    VEC(Dim) dims = {0};
    int known = 1;
    for (int i = 0; i < type->type.dims.len; i++) {
        Ast *d = type->type.dims.at[i];
        if (ask && (d->kind == AST_NAME || d->kind == AST_REST) && (!d->name || !is_bound(c, s, d->name))) return 0;
        Value v = eval_expr(c, s, d);
        int n = v.kind == V_LIST ? v.list.len : 1;
        for (int k = 0; k < n; k++) {
            Value item = v.kind == V_LIST ? v.list.at[k] : v;
            Dim size = size_at(c, item, d->at);
            if (!size) known = MIN(known, item.kind == V_POISON ? 0 : -1);
            arena_push(c, &dims, size);
        }
    }
    *rank = (int)dims.len;
    *out = dims.at;
    return known;
}

bool type_eval(Checker *c, Scope *s, Ast *type, Type *t) {
    t->rank = 0;
    if (!type_dtype(c, type, &t->dtype)) return false;
    return type->type.scalar || eval_dims(c, s, type, false, &t->rank, &t->dims) == 1;
}

/* ---- agreement ---- */

/* The sizes that `..B` was bound to, as "[N, 3]". */
static const char *pack_text(Checker *c, Value pack) {
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, pack.list.len + 1);
    for (int i = 0; i < pack.list.len; i++) dims[i] = value_size(c, pack.list.at[i]);
    return type_text(c, type_of(c, DT_F32, pack.list.len, dims));
}

/* `dim` is the size that does not agree, or NULL where the number of dims does not. */
static Value mismatch(Checker *c, Scope *s, Ast *type, Term *t, Span at, const char *what, const Ast *dim, Dim want,
                      Dim have) {
    Diag *d = err(c, at, type_mismatch, what, source_text(c, type->at), type_text(c, t->type));
    bool rest = dim && dim->kind == AST_REST, named = rest || (dim && dim->kind == AST_NAME);
    const Binding *b = named ? scope_binding(s, dim->name) : NULL;
    bool elsewhere = b && b->at.file && b->at.begin != at.begin;
    if (dim && dim->kind == AST_NUMBER)
        diag_here(c->nnc, d, "%s, not %s", dim_text(c, have), source_text(c, dim->at));
    else if (dim && !rest)
        diag_here(c->nnc, d, "%s is %s here", source_text(c, dim->at), dim_text(c, have));
    diag_label(c->nnc, d, type->at, "declared here");
    if (rest && elsewhere && b->value.kind == V_LIST)
        diag_label(c->nnc, d, b->at, "..%s is %s from here", dim->name, pack_text(c, b->value));
    else if (elsewhere && !rest)
        diag_label(c->nnc, d, b->at, "%s is %s from here", dim->name, dim_text(c, want));
    else if (dim && dim->kind != AST_NUMBER && !rest)
        diag_help(c->nnc, d, "%s is %s", source_text(c, dim->at), dim_text(c, want));
    label_origin(c, d, t);
    return value_poison();
}

/* One size of the pattern against the tensor's; NULL for poison. Unbound names of results take what they meet. */
static bool size_agrees(Checker *c, Scope *s, Ast *dim, Dim have, Span at, Dim *want) {
    *want = have;
    if (is_wildcard(dim)) return true;
    if (dim->kind == AST_NAME && !is_bound(c, s, dim->name)) {
        scope_define(c, s, dim->name, value_dim(have), at);
        return true;
    }
    Value v = eval_expr(c, s, dim);
    Dim size = size_at(c, v, dim->at);
    if (!size) return true;
    *want = size;
    return !dim_differs(c->dims, size, have);
}

static Value check_dims(Checker *c, Scope *s, Ast *type, Term *t, Span at, const char *what) {
    const AstList *dims = &type->type.dims;
    int rest = rest_place(dims), rank = t->type.rank;
    if (!one_rest(c, type)) return value_poison();
    if (!rank_fits(dims, rest, rank)) return mismatch(c, s, type, t, at, what, NULL, NULL, NULL);
    type_bind(c, s, type, t, at);
    for (int i = 0; i < dims->len; i++) {
        Ast *d = dims->at[i];
        int k = place_of(dims, rest, rank, i), n = d->kind == AST_REST ? rank - dims->len + 1 : 1;
        if (d->kind == AST_REST && !d->name) continue;
        Value pack = d->kind == AST_REST ? eval_lookup(c, s, d->name, d->at) : value_none();
        if (pack.kind == V_POISON) continue;
        if (d->kind == AST_REST && (pack.kind != V_LIST || pack.list.len != n))
            return mismatch(c, s, type, t, at, what, d, NULL, NULL);
        for (int j = 0; j < n; j++) {
            Dim have = t->type.dims[k + j], want = pack.kind == V_LIST ? value_size(c, pack.list.at[j]) : have;
            if (!want) {
                err(c, d->at, bad_size, value_text(c, pack.list.at[j]));
                return value_poison();
            }
            bool ok = pack.kind == V_LIST ? !dim_differs(c->dims, want, have) : size_agrees(c, s, d, have, at, &want);
            if (!ok) return mismatch(c, s, type, t, at, what, d, want, have);
        }
    }
    return value_term(t);
}

/* A number where a tensor is declared stands for all its elements where the sizes are known, else for one. */
static Term *number_as_tensor(Checker *c, Scope *s, Ast *type, Value v, DType dtype, Span at) {
    double x = 0;
    value_number(v, &x);
    bool integer = v.kind == V_BOOL || (v.kind == V_INT && !v.whole.den);
    if (v.kind == V_BOOL) x = v.truth;
    DType t = dtype_is_float(dtype) || (integer && (dtype != DT_BOOL || v.kind == V_BOOL)) ? dtype : type_float(c);
    Term *n = term_number(c, x, t, at);
    int rank;
    const Dim *dims;
    return eval_dims(c, s, type, true, &rank, &dims) == 1 ? term_broadcast(c, n, rank, dims, at) : n;
}

static Term *convert(Checker *c, Ast *type, Term *t, DType to, Span at, const char *what) {
    DType from = t->type.dtype;
    if (from == to || dtype_is_float(to) || (!dtype_is_float(from) && to != DT_BOOL)) return term_cast(c, t, to, at);
    Diag *d = err(c, at, type_mismatch, what, source_text(c, type->at), type_text(c, t->type));
    diag_label(c->nnc, d, type->at, "declared here");
    diag_help(c->nnc, d,
              to == DT_BOOL ? "a comparison such as x != 0 gives truth values" : "int(x) converts, towards zero");
    return NULL;
}

static Value agree_scalar(Checker *c, Ast *type, Value v, DType t, Span at, const char *what) {
    int64_t n;
    double x;
    if (v.kind == V_TENSOR && v.term->type.rank == 0) return value_term(convert(c, type, v.term, t, at, what));
    if (dtype_is_float(t) && (value_is_number(v) || v.kind == V_INDEX)) return v;
    if (t == DT_BOOL && v.kind == V_BOOL) return v;
    if (t != DT_BOOL && v.kind == V_INDEX) return v;
    if (t != DT_BOOL && value_is_number(v)) {
        if (!value_number(v, &x)) return v;
        if (value_is_known_int(v, &n) && (double)n == x) return value_int(c, n);
    }
    Diag *d = err(c, at, scalar_mismatch, what,
                  t == DT_BOOL        ? "true or false"
                  : dtype_is_float(t) ? "a number"
                                      : "a whole number",
                  value_text(c, v));
    diag_label(c->nnc, d, type->at, "declared here");
    return value_poison();
}

Value type_agree(Checker *c, Scope *s, Ast *type, Value v, Span at, const char *what) {
    if (type->kind == AST_TUPLE) {
        if (v.kind == V_POISON) return v;
        if (v.kind != V_TUPLE || v.list.len != type->list.len) {
            diag_label(c->nnc, err(c, at, tuple_mismatch, what, type->list.len, value_text(c, v)), type->at,
                       "declared here");
            return value_poison();
        }
        Value *items = ARENA_ARRAY(check_arena(c), Value, v.list.len + 1);
        for (int i = 0; i < v.list.len; i++) items[i] = type_agree(c, s, type->list.at[i], v.list.at[i], at, what);
        return value_list(c, V_TUPLE, items, v.list.len);
    }
    DType dtype;
    if (!type_dtype(c, type, &dtype)) return value_poison();
    if (v.kind == V_POISON) {
        type_bind_poison(c, s, type);
        return v;
    }
    if (type->type.scalar) return agree_scalar(c, type, v, dtype, at, what);
    Term *t = value_is_number(v) || v.kind == V_BOOL ? number_as_tensor(c, s, type, v, dtype, at)
                                                     : value_to_term(c, v, NULL, at);
    if (t) t = convert(c, type, t, dtype, at, what);
    if (!t) {
        type_bind_poison(c, s, type);
        return value_poison();
    }
    return check_dims(c, s, type, t, at, what);
}

/* ---- types made up ---- */

bool type_fresh(Checker *c, Scope *s, Ast *type, int pack, Type *t) {
    if (!type_dtype(c, type, &t->dtype) || !one_rest(c, type)) return false;
    VEC(Dim) dims = {0};
    for (int i = 0; !type->type.scalar && i < type->type.dims.len; i++) {
        Ast *d = type->type.dims.at[i];
        if (d->kind == AST_REST && (!d->name || !is_bound(c, s, d->name))) {
            Dim made[8];
            const char *name = d->name ? d->name : "..";
            for (int k = 0; k < pack; k++)
                made[k] = dim_fresh(c->dims, k ? check_name(c, "%s%d", name, k + 1) : check_name(c, "%s", name));
            if (d->name) scope_define(c, s, d->name, dims_value(c, made, pack), d->at);
            for (int k = 0; k < pack; k++) arena_push(c, &dims, made[k]);
            continue;
        }
        if (d->kind == AST_NAME && !is_wildcard(d) && !is_bound(c, s, d->name))
            scope_define(c, s, d->name, value_dim(dim_fresh(c->dims, d->name)), d->at);
        Value v = is_wildcard(d) ? value_dim(dim_fresh(c->dims, d->name)) : eval_expr(c, s, d);
        for (int k = 0; k < (v.kind == V_LIST ? v.list.len : 1); k++) {
            Dim size = size_at(c, v.kind == V_LIST ? v.list.at[k] : v, d->at);
            if (!size) return false;
            arena_push(c, &dims, size);
        }
    }
    t->rank = (int)dims.len;
    t->dims = dims.at;
    return true;
}
