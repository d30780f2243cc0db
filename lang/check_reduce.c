/* Reductions and what makes tensors from shapes. */
#include "lang/builtin.h"
#include "lang/loop.h"

#include <string.h>

/* ---- axes ---- */

static bool is_missing(const BuiltinCall *b, int arg) {
    return b->args[arg].kind == V_NONE || arg_is_word(b, arg, "none");
}

/* Marks the axes that an argument names: all, leading, one or a list. */
static bool mark_axes(Checker *c, BuiltinCall *b, int arg, int rank, bool *marked) {
    Value v = b->args[arg];
    bool leading = arg_is_word(b, arg, "leading"), all = is_missing(b, arg) || arg_is_word(b, arg, "all");
    if (leading || all) {
        for (int i = 0; i < rank - leading; i++) marked[i] = true;
        return true;
    }
    int n = v.kind == V_LIST || v.kind == V_TUPLE ? v.list.len : 1;
    for (int i = 0; i < n; i++) {
        Value item = v.kind == V_LIST || v.kind == V_TUPLE ? v.list.at[i] : v;
        int64_t k;
        int axis;
        if (item.kind == V_POISON) return false;
        if (!value_is_known_int(item, &k)) return arg_bad(c, b, arg, "an axis, a list of axes, all or leading");
        if (!axis_in(c, k, rank, b->places[arg], &axis)) return false;
        marked[axis] = true;
    }
    return true;
}

/* `axes` where it is given, else `axis`. */
static bool find_axes(Checker *c, BuiltinCall *b, int axis_arg, int axes_arg, int rank, int *axes, int *n) {
    bool *marked = ARENA_ARRAY(check_arena(c), bool, rank + 1);
    int arg = axes_arg >= 0 && !is_missing(b, axes_arg) ? axes_arg : axis_arg;
    if (!mark_axes(c, b, arg, rank, marked)) return false;
    *n = 0;
    for (int i = 0; i < rank; i++)
        if (marked[i]) axes[(*n)++] = i;
    return true;
}

/* ---- sum, prod, mean, max, min ---- */

static Term *divide_by_count(Checker *c, Term *sum, const Term *x, const int *axes, int n, Span at) {
    Dim count = dim_number(c->dims, 1);
    for (int i = 0; i < n; i++) count = dim_mul(c->dims, count, x->type.dims[axes[i]]);
    double number = 1;
    value_number(value_dim(count), &number);
    return term_binary(c, "div", sum, term_number(c, number, sum->type.dtype, at), at);
}

static Value reduce_tensor(Checker *c, BuiltinCall *b, int axis_arg, int axes_arg, int keep_arg) {
    const char *op = b->builtin->name;
    bool mean = strcmp(op, "mean") == 0, keep;
    Term *x = arg_tensor(c, b, 0);
    if (!x || !arg_bool(c, b, keep_arg, false, &keep)) return value_poison();
    int *axes = ARENA_ARRAY(check_arena(c), int, x->type.rank + 1), n;
    if (!find_axes(c, b, axis_arg, axes_arg, x->type.rank, axes, &n)) return value_poison();
    bool adds = mean || strcmp(op, "sum") == 0 || strcmp(op, "prod") == 0;
    if (mean) x = term_to_float(c, x, b->at);
    if (adds && !dtype_is_float(x->type.dtype) && x->type.dtype != DT_I64) x = term_cast(c, x, DT_I32, b->at);
    if (n == 0) return value_term(x);
    Term *r = term_reduce(c, mean ? "sum" : op, x, axes, n, keep, b->at);
    return value_term(mean ? divide_by_count(c, r, x, axes, n, b->at) : r);
}

/* Two values under an operation of reducing. */
static Value combine(Checker *c, const char *op, Value a, Value b, const Span *places, Span at) {
    bool numbers = value_is_number(a) && value_is_number(b);
    if (strcmp(op, "max") == 0 || strcmp(op, "min") == 0) {
        if (!numbers) return value_binary(c, op, a, b, places, at, op);
        Value less = number_binary(c, OP_AST_LT, a, b, at);
        if (less.kind == V_BOOL) return less.truth == (strcmp(op, "min") == 0) ? a : b;
        if (value_equal(c, a, b) == 1) return a;
        Dim x = value_size(c, a), y = value_size(c, b);
        if (!x || !y) return value_unknown_float();
        return value_dim(dim_opaque(c->dims, check_name(c, "%s(%s, %s)", op, dim_text(c, x), dim_text(c, y))));
    }
    bool sum = strcmp(op, "prod") != 0;
    if (numbers) return number_binary(c, sum ? OP_AST_ADD : OP_AST_MUL, a, b, at);
    return value_binary(c, sum ? "add" : "mul", a, b, places, at, sum ? "+" : "*");
}

/* Of a compile-time list: of its elements. */
static Value reduce_list(Checker *c, BuiltinCall *b) {
    const char *op = b->builtin->name;
    Value list = b->args[0], v;
    if (list.list.len == 0 && (strcmp(op, "max") == 0 || strcmp(op, "min") == 0 || strcmp(op, "mean") == 0)) {
        arg_bad(c, b, 0, "a list that is not empty");
        return value_poison();
    }
    v = list.list.len ? list.list.at[0] : value_int(c, strcmp(op, "prod") == 0);
    Span places[] = {b->places[0], b->places[0]};
    for (int i = 1; i < list.list.len && v.kind != V_POISON; i++) {
        if (list.list.at[i].kind == V_POISON) return value_poison();
        v = combine(c, op, v, list.list.at[i], places, b->at);
    }
    if (strcmp(op, "mean") != 0 || v.kind == V_POISON) return v;
    Value n = value_int(c, list.list.len);
    return value_is_number(v) ? number_binary(c, OP_AST_DIV, v, n, b->at)
                              : value_binary(c, "div", v, n, places, b->at, "/");
}

static Value reduce(Checker *c, BuiltinCall *b, int axis_arg, int axes_arg, int keep_arg) {
    if (b->args[0].kind == V_LIST || b->args[0].kind == V_TUPLE) return reduce_list(c, b);
    if (value_is_number(b->args[0])) return b->args[0];
    return reduce_tensor(c, b, axis_arg, axes_arg, keep_arg);
}

Value builtin_reduce(Checker *c, BuiltinCall *b) { return reduce(c, b, 1, 2, 3); }

Value builtin_extreme(Checker *c, BuiltinCall *b) {
    if (b->args[1].kind == V_NONE) return reduce(c, b, 2, 3, 4);
    return combine(c, b->builtin->name, b->args[0], b->args[1], b->places, b->at);
}

/* Without an axis: the place in the tensor laid out in a row. */
Value builtin_arg(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    int axis = 0;
    bool keep;
    if (!x || !arg_bool(c, b, 2, false, &keep)) return value_poison();
    if (is_missing(b, 1) || arg_is_word(b, 1, "all")) {
        Dim n = type_count(c, x->type);
        x = term_reshape(c, x, 1, &n, b->at);
    } else if (!arg_axis(c, b, 1, x->type.rank, 0, &axis)) {
        return value_poison();
    }
    return value_term(term_reduce(c, b->builtin->name, x, &axis, 1, keep, b->at));
}

/* ---- tensors from shapes ---- */

static Value filled(Checker *c, BuiltinCall *b, Term *value) {
    int rank;
    const Dim *dims;
    if (!value || !arg_shape(c, b, 0, &rank, &dims)) return value_poison();
    if (value->type.rank > 0 || value->indexed) {
        arg_bad(c, b, 1, "a number or a scalar");
        return value_poison();
    }
    return value_term(term_broadcast(c, value, rank, dims, b->at));
}

Value builtin_zeros(Checker *c, BuiltinCall *b) { return filled(c, b, term_number(c, 0, type_float(c), b->at)); }

Value builtin_ones(Checker *c, BuiltinCall *b) { return filled(c, b, term_number(c, 1, type_float(c), b->at)); }

Value builtin_full(Checker *c, BuiltinCall *b) {
    Term like = {.type = type_scalar(type_float(c))};
    return filled(c, b, value_to_term(c, b->args[1], &like, b->places[1]));
}

Value builtin_arange(Checker *c, BuiltinCall *b) {
    const Dim *dims;
    if (!arg_length(c, b, 0, &dims)) return value_poison();
    return value_term(term_new(c, T_IOTA, type_of(c, DT_I32, 1, dims), b->at, 0, NULL));
}

Value builtin_one_hot(Checker *c, BuiltinCall *b) {
    Term *index = arg_tensor(c, b, 0);
    Dim n = value_size(c, b->args[1]);
    if (!index || !n || dtype_is_float(index->type.dtype)) {
        if (index) arg_bad(c, b, n ? 0 : 1, n ? "integers" : "a whole number");
        return value_poison();
    }
    Type t = index->type;
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, t.rank + 1);
    for (int i = 0; i < t.rank; i++) dims[i] = t.dims[i];
    dims[t.rank] = dim_number(c->dims, 1);
    Term *column = term_cast(c, term_reshape(c, index, t.rank + 1, dims, b->at), DT_I32, b->at);
    Term *row = term_new(c, T_IOTA, type_of(c, DT_I32, 1, &n), b->at, 0, NULL);
    Term *equal = term_binary(c, "eq", column, row, b->at);
    return value_term(equal ? term_cast(c, equal, type_float(c), b->at) : NULL);
}

/* ---- randomness ---- */

Term *random_term(Checker *c, const BuiltinCall *b, const char *op, DType t, int rank, const Dim *dims) {
    if (!c->unit) {
        err(c, b->at, outside_body, b->builtin->name);
        return NULL;
    }
    Term *args[] = {run_scalar(c, "seed", b->at), scan_tick(c, run_scalar(c, "tick", b->at), b->at)};
    Term *r = term_new(c, T_RANDOM, type_of(c, t, rank, dims), b->at, 2, args);
    r->op = intern(c->nnc->names, op);
    r->site = random_site(c);
    return r;
}

Value builtin_random(Checker *c, BuiltinCall *b) {
    int rank;
    const Dim *dims;
    if (!arg_shape(c, b, 0, &rank, &dims)) return value_poison();
    return value_term(random_term(c, b, b->builtin->name, type_float(c), rank, dims));
}

/* 1 with probability p, else 0 */
Value builtin_bernoulli(Checker *c, BuiltinCall *b) {
    int rank;
    const Dim *dims;
    Term like = {.type = type_scalar(type_float(c))};
    double known;
    if (value_number(b->args[0], &known) && !(known >= 0 && known <= 1)) {
        arg_bad(c, b, 0, "a probability from 0 to 1");
        return value_poison();
    }
    Term *p = value_to_term(c, b->args[0], &like, b->places[0]);
    if (!p || !arg_shape(c, b, 1, &rank, &dims)) return value_poison();
    Term *u = random_term(c, b, "uniform", type_float(c), rank, dims);
    if (!u) return value_poison();
    Term *less = term_apply(c, "lt", 2, (Term *[]){u, p}, (Span[]){b->places[1], b->places[0]}, "bernoulli", b->at);
    return value_term(less ? term_cast(c, less, type_float(c), b->at) : NULL);
}
