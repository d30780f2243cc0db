/* Operators: numbers at compile time, affine forms of indices, lists, and tensors. */
#include "lang/check.h"

#include <math.h>
#include <string.h>

/* ---- numbers ---- */

typedef __int128 Wide;

static bool narrow(Wide x, int64_t *out) { return *out = (int64_t)x, *out == x && x != INT64_MIN; }

static bool known_ratio(Value v, int64_t *num, int64_t *den) {
    *den = 1;
    return dim_is_const(v.whole.num, num) && (!v.whole.den || dim_is_const(v.whole.den, den));
}

static Wide gcd(Wide a, Wide b) {
    while (b) {
        Wide t = a % b;
        a = b;
        b = t;
    }
    return a < 0 ? -a : a;
}

/* (an / ad) op (bn / bd), exact; NONE where 64 bits do not hold it. */
static Value known_binary(Checker *c, AstOperator op, Wide an, Wide ad, Wide bn, Wide bd) {
    int64_t num, den;
    Wide n = an * bd, d = ad * bd;
    if (op == OP_AST_ADD) n += bn * ad;
    if (op == OP_AST_SUB) n -= bn * ad;
    if (op == OP_AST_MUL) n = an * bn;
    if (op == OP_AST_DIV) d = ad * bn;
    Wide g = gcd(n, d);
    if (!narrow(n / g, &num) || !narrow(d / g, &den)) return value_none();
    return value_ratio(c, dim_number(c->dims, num), dim_number(c->dims, den));
}

/* Of whole numbers and fractions; NONE where they are known and 64 bits do not hold the result. */
static Value whole_binary(Checker *c, AstOperator op, Value a, Value b, Span at) {
    int64_t w, x, y, z;
    if (op == OP_AST_DIV && dim_is(b.whole.num, 0)) {
        err(c, at, zero_division);
        return value_poison();
    }
    if (known_ratio(a, &w, &x) && known_ratio(b, &y, &z)) return known_binary(c, op, w, x, y, z);
    Dims *ds = c->dims;
    Dim one = dim_number(ds, 1);
    Dim an = a.whole.num, bn = b.whole.num;
    Dim ad = a.whole.den ? a.whole.den : one, bd = b.whole.den ? b.whole.den : one;
    switch (op) {
    case OP_AST_ADD: return value_ratio(c, dim_add(ds, dim_mul(ds, an, bd), dim_mul(ds, bn, ad)), dim_mul(ds, ad, bd));
    case OP_AST_SUB: return value_ratio(c, dim_sub(ds, dim_mul(ds, an, bd), dim_mul(ds, bn, ad)), dim_mul(ds, ad, bd));
    case OP_AST_MUL: return value_ratio(c, dim_mul(ds, an, bn), dim_mul(ds, ad, bd));
    default: return value_ratio(c, dim_mul(ds, an, bd), dim_mul(ds, ad, bn));
    }
}

/* Whole powers of whole numbers stay whole; what overflows becomes a float. */
static Value power(Checker *c, Value a, Value b) {
    int64_t n;
    double x, y;
    if (a.kind == V_INT && !a.whole.den && b.kind == V_INT && value_is_known_int(b, &n) && !b.whole.den && n >= 0 &&
        n <= 64 && (!value_number(a, &x) || fabs(pow(x, (double)n)) < 0x1p62)) {
        Dim d = dim_number(c->dims, 1);
        for (int64_t i = 0; i < n; i++) d = dim_mul(c->dims, d, a.whole.num);
        return value_dim(d);
    }
    if (value_number(a, &x) && value_number(b, &y)) return value_float(pow(x, y));
    return value_unknown_float();
}

static Value compare(Checker *c, AstOperator op, Value a, Value b) {
    double x = 0, y = 0;
    if (!value_number(a, &x) || !value_number(b, &y)) {
        int64_t d;
        if (a.kind != V_INT || b.kind != V_INT || a.whole.den || b.whole.den ||
            !dim_difference(c->dims, a.whole.num, b.whole.num, &d))
            return value_poison();
        x = (double)d;
        y = 0;
    }
    switch (op) {
    case OP_AST_LT: return value_bool(x < y);
    case OP_AST_LE: return value_bool(x <= y);
    case OP_AST_GT: return value_bool(x > y);
    default: return value_bool(x >= y);
    }
}

Value number_binary(Checker *c, AstOperator op, Value a, Value b, Span at) {
    if (op == OP_AST_POW) return power(c, a, b);
    if (op >= OP_AST_LT && op <= OP_AST_GE) return compare(c, op, a, b);
    if (a.kind == V_INT && b.kind == V_INT) {
        Value exact = whole_binary(c, op, a, b, at);
        if (exact.kind != V_NONE) return exact;
    }
    double x, y;
    if (!value_number(a, &x) || !value_number(b, &y)) return value_unknown_float();
    switch (op) {
    case OP_AST_ADD: return value_float(x + y);
    case OP_AST_SUB: return value_float(x - y);
    case OP_AST_MUL: return value_float(x * y);
    default: return value_float(x / y);
    }
}

/* ---- tensors ---- */

/* x^2 and x^3 are products: exact for every x, and of integers an integer. */
static Term *tensor_power(Checker *c, Term *a, Value exponent, Term *b, const Span *places, Span at) {
    int64_t n;
    if (exponent.kind == V_INT && !exponent.whole.den && value_is_known_int(exponent, &n) && (n == 2 || n == 3)) {
        Term *square = term_binary(c, "mul", a, a, at);
        return n == 2 || !square ? square : term_binary(c, "mul", square, a, at);
    }
    return term_apply(c, "pow", 2, (Term *[]){a, b}, places, "^", at);
}

Value value_binary(Checker *c, const char *op, Value a, Value b, const Span *places, Span at, const char *what) {
    Term *t[2];
    if (!values_to_terms(c, 2, (Value[]){a, b}, places, t)) return value_poison();
    return value_term(term_apply(c, op, 2, t, places, what, at));
}

static Value tensor_binary(Checker *c, AstOperator op, Value a, Value b, Ast *e) {
    Span places[] = {e->op.a->at, e->op.b->at};
    const char *name = ast_operator_name(op), *text = ast_operator_text(op);
    if (op == OP_AST_POW) {
        Term *t[2];
        if (!values_to_terms(c, 2, (Value[]){a, b}, places, t)) return value_poison();
        return value_term(tensor_power(c, t[0], b, t[1], places, e->at));
    }
    if (op == OP_AST_GT || op == OP_AST_GE) {
        Span swapped[] = {places[1], places[0]};
        return value_binary(c, op == OP_AST_GT ? "lt" : "le", b, a, swapped, e->at, text);
    }
    return value_binary(c, name, a, b, places, e->at, text);
}

/* ---- operators on any values ---- */

static bool is_tensor(Value v) { return v.kind == V_TENSOR || v.kind == V_INDEX; }

static Value mismatch(Checker *c, AstOperator op, Value a, Value b, Ast *e) {
    Diag *d = err(c, e->op.op_at, bad_operands, ast_operator_text(op), value_text(c, a), value_text(c, b));
    help_apply(c, d, a.kind == V_INSTANCE ? a : b);
    return value_poison();
}

/* Counts as work: a list that doubles in each round of a loop would have no bound. */
static Value joined(Checker *c, Value a, Value b, Span at) {
    int n = a.list.len + b.list.len;
    if (!check_work(c, n, at)) return value_poison();
    Value *items = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int i = 0; i < n; i++) items[i] = i < a.list.len ? a.list.at[i] : b.list.at[i - a.list.len];
    return value_list(c, V_LIST, items, n);
}

static bool tensor_like(Value v) { return is_tensor(v) || value_is_number(v) || v.kind == V_BOOL || v.kind == V_LIST; }

Value eval_binary(Checker *c, AstOperator op, Value a, Value b, Ast *e) {
    if (a.kind == V_POISON || b.kind == V_POISON) return value_poison();
    bool equality = op == OP_AST_EQ || op == OP_AST_NE;
    bool elements = (is_tensor(a) && tensor_like(b)) || (is_tensor(b) && tensor_like(a));
    if (equality && !elements) {
        int equal = value_equal(c, a, b);
        return equal < 0 ? value_poison() : value_bool((op == OP_AST_EQ) == (equal == 1));
    }
    if (a.kind == V_BOOL && b.kind == V_BOOL && (op == OP_AST_AND || op == OP_AST_OR))
        return value_bool(op == OP_AST_AND ? a.truth && b.truth : a.truth || b.truth);
    if (value_is_number(a) && value_is_number(b) && op != OP_AST_AND && op != OP_AST_OR)
        return number_binary(c, op, a, b, e->op.b->at);
    if (op == OP_AST_ADD && a.kind == V_LIST && b.kind == V_LIST) return joined(c, a, b, e->at);
    if ((a.kind == V_INDEX || b.kind == V_INDEX) && !(a.kind == V_TENSOR || b.kind == V_TENSOR)) {
        Value v = affine_binary(c, op, a, b);
        if (v.kind != V_NONE) return v;
    }
    if (!tensor_like(a) || !tensor_like(b) || !(is_tensor(a) || is_tensor(b) || a.kind == V_LIST || b.kind == V_LIST))
        return mismatch(c, op, a, b, e);
    return tensor_binary(c, op, a, b, e);
}

Value eval_unary(Checker *c, AstOperator op, Value a, Ast *e) {
    if (a.kind == V_POISON) return a;
    if (op == OP_AST_NOT && a.kind == V_BOOL) return value_bool(!a.truth);
    if (op == OP_AST_NEG && a.kind == V_FLOAT) return a.real.unknown ? a : value_float(-a.real.value);
    if (op == OP_AST_NEG && (a.kind == V_INT || a.kind == V_INDEX)) {
        Value zero = value_int(c, 0);
        return a.kind == V_INT ? number_binary(c, OP_AST_SUB, zero, a, e->at) : affine_binary(c, OP_AST_SUB, zero, a);
    }
    if (!tensor_like(a)) {
        help_apply(c, err(c, e->op.op_at, bad_operand, ast_operator_text(op), value_text(c, a)), a);
        return value_poison();
    }
    Term *t = value_to_term(c, a, NULL, e->op.a->at);
    if (!t) return value_poison();
    return value_term(term_apply(c, ast_operator_name(op), 1, &t, &e->op.a->at, ast_operator_text(op), e->at));
}

/* ---- if as an expression ---- */

/* Of two tuples each pair. */
static Value chosen(Checker *c, Term *cond, Value a, Value b, const Span *places, Span at) {
    if (a.kind == V_POISON || b.kind == V_POISON) return value_poison();
    if (a.kind == V_TUPLE && b.kind == V_TUPLE && a.list.len == b.list.len) {
        Value *items = ARENA_ARRAY(check_arena(c), Value, a.list.len + 1);
        for (int i = 0; i < a.list.len; i++) items[i] = chosen(c, cond, a.list.at[i], b.list.at[i], places, at);
        return value_list(c, V_TUPLE, items, a.list.len);
    }
    Term *t[3];
    if (!values_to_terms(c, 3, (Value[]){value_term(cond), a, b}, places, t)) return value_poison();
    return value_term(term_apply(c, "select", 3, t, places, "if", at));
}

/* Both branches are values of the program: accesses in them happen only under the condition. */
static Value eval_select(Checker *c, Scope *s, Term *cond, Ast *e) {
    bool guards = c->indices && cond->indexed;
    if (guards) c->indices->guards++;
    Value a = eval_expr(c, s, e->when.then), b = eval_expr(c, s, e->when.els);
    if (guards) c->indices->guards--;
    Span places[] = {e->when.cond->at, e->when.then->at, e->when.els->at};
    return chosen(c, cond, a, b, places, e->at);
}

Value eval_if(Checker *c, Scope *s, Ast *e) {
    Value cond = eval_expr(c, s, e->when.cond);
    if (cond.kind == V_POISON) return cond;
    if (cond.kind == V_BOOL) return eval_expr(c, s, cond.truth ? e->when.then : e->when.els);
    if (cond.kind == V_TENSOR && cond.term->type.dtype == DT_BOOL) return eval_select(c, s, cond.term, e);
    err(c, e->when.cond->at, not_condition, value_text(c, cond));
    return value_poison();
}
