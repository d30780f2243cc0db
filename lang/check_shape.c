/* Builtins that move elements: reshape, transpose, concat, stack, split, pad, flip. */
#include "lang/builtin.h"

#include <string.h>

Value builtin_shape(Checker *c, BuiltinCall *b) {
    Value v = b->args[0];
    if (value_is_number(v) || v.kind == V_BOOL || v.kind == V_INDEX) return value_list(c, V_LIST, NULL, 0);
    if (v.kind == V_LIST) {
        Value n = value_int(c, v.list.len);
        return value_list(c, V_LIST, &n, 1);
    }
    Term *t = value_to_term(c, v, NULL, b->places[0]);
    if (!t) return value_poison();
    Value *dims = ARENA_ARRAY(check_arena(c), Value, t->type.rank + 1);
    for (int i = 0; i < t->type.rank; i++) dims[i] = value_dim(t->type.dims[i]);
    return value_list(c, V_LIST, dims, t->type.rank);
}

Value builtin_rank(Checker *c, BuiltinCall *b) {
    Value v = b->args[0];
    return value_int(c, v.kind == V_TENSOR ? v.term->type.rank : v.kind == V_LIST);
}

/* ---- reshape ---- */

static bool is_minus_one(Value v) {
    int64_t n;
    return value_is_known_int(v, &n) && n == -1;
}

static Value bad_reshape(Checker *c, BuiltinCall *b, Term *x, Type to) {
    Diag *d = err(c, b->at, reshape, type_text(c, x->type), dim_text(c, type_count(c, x->type)), type_text(c, to),
                  dim_text(c, type_count(c, to)));
    diag_label(c->nnc, d, b->places[0], "%s", type_text(c, x->type));
    label_origin(c, d, x);
    return value_poison();
}

Value builtin_reshape(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    Value shape = b->args[1];
    if (!x) return value_poison();
    int hole = -1, rank;
    if (shape.kind == V_LIST || shape.kind == V_TUPLE) {
        Value *items = ARENA_ARRAY(check_arena(c), Value, shape.list.len + 1);
        for (int i = 0; i < shape.list.len; i++) {
            items[i] = shape.list.at[i];
            if (hole >= 0 || !is_minus_one(items[i])) continue;
            hole = i;
            items[i] = value_int(c, 1);
        }
        b->args[1] = value_list(c, V_LIST, items, shape.list.len);
    }
    const Dim *given;
    if (!arg_shape(c, b, 1, &rank, &given)) return value_poison();
    Type to = type_of(c, x->type.dtype, rank, given);
    Dim have = type_count(c, x->type), want = type_count(c, to);
    if (hole >= 0) {
        if (dim_is(want, 0)) return bad_reshape(c, b, x, to);
        Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank);
        for (int i = 0; i < rank; i++) dims[i] = to.dims[i];
        dims[hole] = dim_div(c->dims, have, want);
        int64_t n;
        if (dim_is_const(have, &n) && dim_differs(c->dims, dim_mul(c->dims, want, dims[hole]), have))
            return bad_reshape(c, b, x, to);
        to.dims = dims;
    } else if (dim_differs(c->dims, have, want)) {
        return bad_reshape(c, b, x, to);
    }
    return value_term(term_reshape(c, x, rank, to.dims, b->at));
}

/* ---- transpose and flip ---- */

static bool permutation(Checker *c, BuiltinCall *b, int rank, int *perm) {
    Value v = b->args[1];
    for (int i = 0; i < rank; i++) perm[i] = rank - 1 - i;
    if (v.kind == V_NONE) return true;
    if ((v.kind != V_LIST && v.kind != V_TUPLE) || v.list.len != rank)
        return arg_bad(c, b, 1, arena_printf(check_arena(c), "a list of the %d axes", rank));
    bool *used = ARENA_ARRAY(check_arena(c), bool, rank + 1);
    for (int i = 0; i < rank; i++) {
        int64_t n;
        if (!value_is_known_int(v.list.at[i], &n)) return arg_bad(c, b, 1, "a list of axes");
        if (!axis_in(c, n, rank, b->places[1], &perm[i])) return false;
        if (used[perm[i]]) return arg_bad(c, b, 1, "a list with each axis once");
        used[perm[i]] = true;
    }
    return true;
}

Term *term_transpose(Checker *c, Term *x, const int *perm, Span at) {
    int rank = x->type.rank;
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
    for (int i = 0; i < rank; i++) dims[i] = x->type.dims[perm[i]];
    Term *t = term_new(c, T_TRANSPOSE, type_of(c, x->type.dtype, rank, dims), at, 1, &x);
    t->naxes = rank;
    t->axes = perm;
    return t;
}

Value builtin_transpose(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    if (!x) return value_poison();
    int rank = x->type.rank, *perm = ARENA_ARRAY(check_arena(c), int, rank + 1);
    if (!permutation(c, b, rank, perm)) return value_poison();
    return value_term(term_transpose(c, x, perm, b->at));
}

/* The part of x that begins at `from` along an axis, `size` long, by `step`. */
static Term *part_along(Checker *c, Term *x, int axis, Dim from, Dim size, int64_t step, Span at) {
    int rank = x->type.rank;
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank), *begin = ARENA_ARRAY(check_arena(c), Dim, rank);
    int64_t *steps = ARENA_ARRAY(check_arena(c), int64_t, rank);
    for (int i = 0; i < rank; i++) {
        dims[i] = i == axis ? size : x->type.dims[i];
        begin[i] = i == axis ? from : dim_number(c->dims, 0);
        steps[i] = i == axis ? step : 1;
    }
    return term_slice(c, x, dims, begin, steps, at);
}

Value builtin_flip(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    int axis;
    if (!x || !arg_axis(c, b, 1, x->type.rank, 0, &axis)) return value_poison();
    Dim n = x->type.dims[axis];
    return value_term(part_along(c, x, axis, dim_sub(c->dims, n, dim_number(c->dims, 1)), n, -1, b->at));
}

/* ---- concat and stack ---- */

static Value concat_lists(Checker *c, Value lists, Span at) {
    int n = 0, k = 0;
    for (int i = 0; i < lists.list.len; i++) {
        if (!check_work(c, lists.list.at[i].list.len, at)) return value_poison();
        n += lists.list.at[i].list.len;
    }
    Value *items = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int i = 0; i < lists.list.len; i++)
        for (int j = 0; j < lists.list.at[i].list.len; j++) items[k++] = lists.list.at[i].list.at[j];
    return value_list(c, V_LIST, items, n);
}

static bool all_lists(Value v) {
    for (int i = 0; i < v.list.len; i++)
        if (v.list.at[i].kind != V_LIST) return false;
    return true;
}

/* The tensors of a list, of one element type; false after a diagnostic. */
static bool tensors_of(Checker *c, BuiltinCall *b, Term ***out, int *n) {
    Value v = b->args[0];
    if ((v.kind != V_LIST && v.kind != V_TUPLE) || v.list.len == 0) return arg_bad(c, b, 0, "a list of tensors");
    Term **t = ARENA_ARRAY(check_arena(c), Term *, v.list.len);
    Span *places = ARENA_ARRAY(check_arena(c), Span, v.list.len);
    for (int i = 0; i < v.list.len; i++) places[i] = b->places[0];
    if (!values_to_terms(c, v.list.len, v.list.at, places, t)) return false;
    DType dtype = t[0]->type.dtype;
    for (int i = 0; i < v.list.len; i++) {
        if (t[i]->indexed) {
            err(c, b->places[0], index_whole, b->builtin->name);
            return false;
        }
        dtype = dtype_join(c, dtype, t[i]->type.dtype);
    }
    for (int i = 0; i < v.list.len; i++) t[i] = term_cast(c, t[i], dtype, b->at);
    *out = t;
    *n = v.list.len;
    return true;
}

static Value bad_concat(Checker *c, BuiltinCall *b, const Term *x, const Term *y, int axis) {
    Diag *d = err(c, b->at, concat, b->builtin->name, type_text(c, x->type), type_text(c, y->type), axis);
    diag_label(c->nnc, d, x->at, "%s", type_text(c, x->type));
    diag_label(c->nnc, d, y->at, "%s", type_text(c, y->type));
    return value_poison();
}

static bool same_but(Checker *c, Type a, Type b, int axis) {
    bool same = a.rank == b.rank;
    for (int i = 0; same && i < a.rank; i++) same = i == axis || !dim_differs(c->dims, a.dims[i], b.dims[i]);
    return same;
}

static Value concat_along(Checker *c, BuiltinCall *b, Term **t, int n, int axis) {
    Type first = t[0]->type;
    Dim total = first.dims[axis];
    for (int i = 1; i < n; i++) {
        if (!same_but(c, first, t[i]->type, axis)) return bad_concat(c, b, t[0], t[i], axis);
        total = dim_add(c->dims, total, t[i]->type.dims[axis]);
    }
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, first.rank);
    for (int i = 0; i < first.rank; i++) dims[i] = i == axis ? total : first.dims[i];
    Term *r = term_new(c, T_CONCAT, type_of(c, first.dtype, first.rank, dims), b->at, n, t);
    r->naxes = 1;
    r->axes = arena_copy(check_arena(c), &axis, sizeof axis);
    return value_term(r);
}

Value builtin_concat(Checker *c, BuiltinCall *b) {
    if (b->args[0].kind == V_LIST && b->args[0].list.len && all_lists(b->args[0]))
        return concat_lists(c, b->args[0], b->at);
    Term **t;
    int n, axis;
    if (!tensors_of(c, b, &t, &n) || !arg_axis(c, b, 1, t[0]->type.rank, 0, &axis)) return value_poison();
    return concat_along(c, b, t, n, axis);
}

Value builtin_stack(Checker *c, BuiltinCall *b) {
    Term **t;
    int n, axis;
    if (!tensors_of(c, b, &t, &n)) return value_poison();
    int rank = t[0]->type.rank;
    if (!arg_axis(c, b, 1, rank + 1, 0, &axis)) return value_poison();
    for (int i = 0; i < n; i++)
        if (!same_but(c, t[0]->type, t[i]->type, -1)) return bad_concat(c, b, t[0], t[i], axis);
    for (int i = 0; i < n; i++) {
        Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
        for (int k = 0; k <= rank; k++) dims[k] = k == axis ? dim_number(c->dims, 1) : t[i]->type.dims[k - (k > axis)];
        t[i] = term_reshape(c, t[i], rank + 1, dims, b->at);
    }
    return concat_along(c, b, t, n, axis);
}

/* ---- split ---- */

static bool part_sizes(Checker *c, BuiltinCall *b, Dim whole, int *n, const Dim **sizes) {
    int64_t parts;
    Dim sum = dim_number(c->dims, 0);
    if (b->args[1].kind == V_LIST) {
        if (!arg_shape(c, b, 1, n, sizes)) return false;
        for (int i = 0; i < *n; i++) sum = dim_add(c->dims, sum, (*sizes)[i]);
    } else {
        if (!arg_int(c, b, 1, 1, &parts)) return false;
        if (parts < 1 || parts > CHECK_MAX_LOOP) return arg_bad(c, b, 1, "a number of parts");
        Dim *each = ARENA_ARRAY(check_arena(c), Dim, parts);
        Dim size = dim_div(c->dims, whole, dim_number(c->dims, parts));
        for (int64_t i = 0; i < parts; i++) each[i] = size;
        *n = (int)parts;
        *sizes = each;
        sum = dim_mul(c->dims, size, dim_number(c->dims, parts));
    }
    int64_t x;
    if (dim_is_const(whole, &x) && dim_differs(c->dims, sum, whole)) {
        if (b->args[1].kind == V_LIST)
            err(c, b->places[1], split_sizes, dim_text(c, sum), dim_text(c, whole));
        else
            err(c, b->places[1], split, dim_text(c, whole), *n);
        return false;
    }
    return true;
}

Value builtin_split(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    int axis, n;
    const Dim *sizes;
    if (!x || !arg_axis(c, b, 2, x->type.rank, -1, &axis) || !part_sizes(c, b, x->type.dims[axis], &n, &sizes))
        return value_poison();
    Value *parts = ARENA_ARRAY(check_arena(c), Value, n + 1);
    Dim from = dim_number(c->dims, 0);
    for (int i = 0; i < n; i++) {
        parts[i] = value_term(part_along(c, x, axis, from, sizes[i], 1, b->at));
        from = dim_add(c->dims, from, sizes[i]);
    }
    return value_list(c, V_TUPLE, parts, n);
}

/* ---- pad ---- */

/* widths: for each dim [before, behind], or one number for both. */
static bool pad_widths(Checker *c, BuiltinCall *b, int rank, Dim *before, Dim *behind) {
    Value v = b->args[1];
    if (v.kind != V_LIST || v.list.len != rank)
        return arg_bad(c, b, 1, arena_printf(check_arena(c), "a list of %d widths, such as [[0, 0], [1, 1]]", rank));
    for (int i = 0; i < rank; i++) {
        Value w = v.list.at[i];
        bool pair = w.kind == V_LIST && w.list.len == 2;
        Value parts[] = {pair ? w.list.at[0] : w, pair ? w.list.at[1] : w};
        for (int k = 0; k < 2; k++) {
            int64_t n;
            if (parts[k].kind == V_POISON) return false;
            Dim size = value_size(c, parts[k]);
            if (!size || (dim_is_const(size, &n) && n < 0)) return arg_bad(c, b, 1, "widths of 0 or more");
            *(k ? &behind[i] : &before[i]) = size;
        }
    }
    return true;
}

Value builtin_pad(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    if (!x) return value_poison();
    int rank = x->type.rank;
    Dim *before = ARENA_ARRAY(check_arena(c), Dim, rank + 1), *behind = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
    if (!pad_widths(c, b, rank, before, behind)) return value_poison();
    bool none = true;
    for (int i = 0; i < rank; i++) {
        none = none && dim_is(before[i], 0) && dim_is(behind[i], 0);
        dims[i] = dim_add(c->dims, dim_add(c->dims, before[i], x->type.dims[i]), behind[i]);
    }
    if (none) return value_term(x);
    Value fill = b->args[2].kind == V_NONE ? value_int(c, 0) : b->args[2];
    Term *value = value_to_term(c, fill, x, b->places[2]);
    if (!value) return value_poison();
    if (value->type.rank > 0) {
        arg_bad(c, b, 2, "a number or a scalar");
        return value_poison();
    }
    DType t = dtype_join(c, x->type.dtype, value->type.dtype);
    Term *args[] = {term_cast(c, x, t, b->at), term_cast(c, value, t, b->at)};
    Term *p = term_new(c, T_PAD, type_of(c, t, rank, dims), b->at, 2, args);
    p->begin = before;
    return value_term(p);
}
