/* Algebra on scalar expressions. A rewrite stands here only if it gives the same number for every operand: with floats
 * that includes NaN, both zeros and the infinities, so x + 0, x * 0 and x - x stay (x + 0 turns -0 into 0).
 * Each rewrite carries its algebra; `int` marks those for integers alone. */
#include "compiler/ir/private.h"

#include <math.h>

static ExKind kind(const Graph *g, Ex e) { return ir_expr(g, e)->kind; }
static DType type(const Graph *g, Ex e) { return ir_expr(g, e)->dtype; }
static Ex arg(const Graph *g, Ex e, int i) { return ir_expr(g, e)->arg[i]; }

/* Whether `e` is the constant v, the sign of zero included. */
static bool is(const Graph *g, Ex e, double v) {
    const Expr *x = ir_expr(g, e);
    if (x->kind != EX_CONST) return false;
    if (!dtype_is_float(x->dtype)) return x->i == (int64_t)v && !(v == 0 && signbit(v));
    return x->f == v && signbit(x->f) == signbit(v);
}

static Ex op2(Graph *g, ExKind op, Ex a, Ex b) { return ex_op(g, op, a, b, 0); }
static Ex neg(Graph *g, Ex a) { return ex_op(g, EX_NEG, a, 0, 0); }

/* ---- arithmetic over indices: exact, because integers wrap around in both ---- */

static bool is_small(const Aff *a) {
    const int64_t limit = (int64_t)1 << 31; /* products of two such stay in range */
    for (int i = 0; i < a->nterms; i++)
        if (a->terms[i].coef > limit || a->terms[i].coef < -limit) return false;
    return a->constant <= limit && a->constant >= -limit;
}

static const Aff *as_index(Graph *g, Ex e) {
    const Expr *x = ir_expr(g, e);
    const Aff *a = x->kind == EX_INDEX ? x->index : x->kind == EX_CONST ? aff_const(g->affs, x->i) : NULL;
    return a && is_small(a) ? a : NULL;
}

static Ex index_arithmetic(Graph *g, ExKind op, Ex a, Ex b) {
    DType t = type(g, a);
    int64_t k;
    if ((t != DT_I32 && t != DT_I64) || (kind(g, a) != EX_INDEX && kind(g, b) != EX_INDEX)) return 0;
    const Aff *x = as_index(g, a), *y = as_index(g, b);
    if (!x || !y) return 0;
    if (op == EX_ADD) return ex_index(g, t, aff_add(g->affs, x, y));
    if (op == EX_SUB) return ex_index(g, t, aff_sub(g->affs, x, y));
    if (op == EX_MUL && aff_is_const(y, &k)) return ex_index(g, t, aff_scale(g->affs, x, k));
    return 0;
}

/* ---- one function for each group of operations; constants come second in commutative ones ---- */

/* (p ? x : y) + (p ? u : v) => p ? x + u : y + v */
static Ex add_guards(Graph *g, Ex a, Ex b) {
    const Expr x = *ir_expr(g, a), y = *ir_expr(g, b);
    if (x.kind != EX_GUARD || y.kind != EX_GUARD || x.guard.n != y.guard.n) return 0;
    if (!conds_equal(x.guard.at, y.guard.at, x.guard.n)) return 0;
    Ex inside = op2(g, EX_ADD, x.arg[0], y.arg[0]);
    return ex_guard(g, x.guard.n, x.guard.at, inside, op2(g, EX_ADD, x.arg[1], y.arg[1]));
}

static Ex add(Graph *g, Ex a, Ex b) {
    Ex guarded = add_guards(g, a, b);
    if (guarded) return guarded;
    bool real = dtype_is_float(type(g, a));
    if (is(g, b, real ? -0.0 : 0)) return a;                          /* a + -0 => a */
    if (kind(g, b) == EX_NEG) return op2(g, EX_SUB, a, arg(g, b, 0)); /* a + -b => a - b */
    if (kind(g, a) == EX_NEG) return op2(g, EX_SUB, b, arg(g, a, 0)); /* -a + b => b - a */
    if (!real && ex_is_const(g, b) && kind(g, a) == EX_ADD && ex_is_const(g, arg(g, a, 1)))
        return op2(g, EX_ADD, arg(g, a, 0), op2(g, EX_ADD, arg(g, a, 1), b)); /* int: (x + c) + d => x + (c + d) */
    return index_arithmetic(g, EX_ADD, a, b);
}

static Ex sub(Graph *g, Ex a, Ex b) {
    bool real = dtype_is_float(type(g, a));
    if (is(g, b, 0)) return a;                                           /* a - 0 => a */
    if (is(g, a, real ? -0.0 : 0)) return neg(g, b);                     /* -0 - b => -b */
    if (kind(g, b) == EX_NEG) return op2(g, EX_ADD, a, arg(g, b, 0));    /* a - -b => a + b */
    if (!real && a == b) return ex_int(g, type(g, a), 0);                /* int: a - a => 0 */
    if (!real && ex_is_const(g, b)) return op2(g, EX_ADD, a, neg(g, b)); /* int: a - c => a + -c */
    return index_arithmetic(g, EX_SUB, a, b);
}

static Ex mul(Graph *g, Ex a, Ex b) {
    bool real = dtype_is_float(type(g, a));
    if (is(g, b, 1)) return a;          /* a * 1 => a */
    if (is(g, b, -1)) return neg(g, a); /* a * -1 => -a */
    if (!real && is(g, b, 0)) return b; /* int: a * 0 => 0 */
    if (kind(g, a) == EX_NEG && kind(g, b) == EX_NEG)
        return op2(g, EX_MUL, arg(g, a, 0), arg(g, b, 0)); /* -a * -b => a * b */
    if (kind(g, a) == EX_NEG && ex_is_const(g, b))
        return op2(g, EX_MUL, arg(g, a, 0), neg(g, b)); /* -a * c => a * -c */
    if (!real && ex_is_const(g, b) && kind(g, a) == EX_MUL && ex_is_const(g, arg(g, a, 1)))
        return op2(g, EX_MUL, arg(g, a, 0), op2(g, EX_MUL, arg(g, a, 1), b)); /* int: (x * c) * d => x * (c * d) */
    return index_arithmetic(g, EX_MUL, a, b);
}

/* 1 / c, where that is a normal number of c's type without rounding: c is a power of two. */
static bool exact_inverse(const Graph *g, Ex c, double *inverse) {
    const Expr *x = ir_expr(g, c);
    int e;
    if (x->kind != EX_CONST || fabs(frexp(x->f, &e)) != 0.5) return false;
    double least = x->dtype == DT_F16 ? 0x1p-14 : x->dtype == DT_F64 ? 0x1p-1022 : 0x1p-126;
    *inverse = 1 / x->f;
    return fabs(*inverse) >= least && scalar_round(x->dtype, *inverse) == *inverse;
}

static Ex quotient(Graph *g, Ex a, Ex b) {
    double inverse;
    if (is(g, b, 1)) return a;          /* a / 1 => a */
    if (is(g, b, -1)) return neg(g, a); /* a / -1 => -a */
    if (exact_inverse(g, b, &inverse))
        return op2(g, EX_MUL, a, ex_float(g, type(g, a), inverse)); /* a / 2^n => a * 2^-n */
    if (kind(g, a) == EX_NEG && kind(g, b) == EX_NEG)
        return op2(g, EX_DIV, arg(g, a, 0), arg(g, b, 0)); /* -a / -b => a / b */
    return 0;
}

static Ex power(Graph *g, Ex a, Ex b) {
    DType t = type(g, a);
    if (is(g, b, 0) || is(g, b, -0.0)) return ex_float(g, t, 1);   /* a ^ 0 => 1, NaN ^ 0 too */
    if (is(g, b, 1)) return a;                                     /* a ^ 1 => a */
    if (is(g, b, 2)) return op2(g, EX_MUL, a, a);                  /* a ^ 2 => a * a, rounded once */
    if (is(g, b, -1)) return op2(g, EX_DIV, ex_float(g, t, 1), a); /* a ^ -1 => 1 / a, rounded once */
    return 0;
}

static Ex integer_quotient(Graph *g, ExKind op, Ex a, Ex b) {
    bool div = op == EX_IDIV;
    if (is(g, b, 1)) return div ? a : ex_int(g, type(g, a), 0);          /* a div 1 => a; a mod 1 => 0 */
    if (is(g, b, -1)) return div ? neg(g, a) : ex_int(g, type(g, a), 0); /* a div -1 => -a; a mod -1 => 0 */
    if (is(g, b, 0) || is(g, a, 0)) return ex_int(g, type(g, a), 0);     /* 0 by definition */
    return 0;
}

static Ex extreme(Graph *g, ExKind op, Ex a, Ex b) {
    Scalar lowest, highest;
    scalar_limits(type(g, a), &lowest, &highest);
    if (a == b) return a; /* max(a, a) => a */
    if (!ex_is_const(g, b)) return 0;
    Ex least = ex_const(g, type(g, a), lowest), most = ex_const(g, type(g, a), highest);
    if (b == (op == EX_MAX ? least : most)) return a; /* max(a, -inf) => a */
    if (!dtype_is_float(type(g, a)) && b == (op == EX_MAX ? most : least))
        return b; /* int: max(a, highest) => highest */
    return 0;
}

static Ex sign_of(Graph *g, ExKind op, Ex a) {
    ExKind k = kind(g, a);
    if (op == EX_NEG && k == EX_NEG) return arg(g, a, 0); /* --a => a */
    if (op == EX_NEG && !dtype_is_float(type(g, a)) && k == EX_INDEX)
        return ex_index(g, type(g, a), aff_scale(g->affs, ir_expr(g, a)->index, -1));
    if (op == EX_NEG && !dtype_is_float(type(g, a)) && k == EX_SUB)
        return op2(g, EX_SUB, arg(g, a, 1), arg(g, a, 0));                        /* int: -(a - b) => b - a */
    if (op == EX_ABS && k == EX_ABS) return a;                                    /* | |a| | => |a| */
    if (op == EX_ABS && k == EX_NEG) return ex_op(g, EX_ABS, arg(g, a, 0), 0, 0); /* |-a| => |a| */
    return 0;
}

/* Whether every value is a whole number (or infinite or NaN), so that rounding changes nothing. */
static bool is_whole(const Graph *g, Ex a) {
    switch (kind(g, a)) {
    case EX_FLOOR:
    case EX_CEIL:
    case EX_ROUND:
    case EX_TRUNC:
    case EX_SIGN: return true;
    case EX_CAST: return !dtype_is_float(type(g, arg(g, a, 0)));
    default: return false;
    }
}

static Ex comparison(Graph *g, ExKind op, Ex a, Ex b) {
    if (a != b) return 0;
    bool real = dtype_is_float(type(g, a));
    if (op == EX_LT) return ex_int(g, DT_BOOL, 0);     /* a < a => false, NaN too */
    return real ? 0 : ex_int(g, DT_BOOL, op != EX_NE); /* int: a == a, a <= a => true */
}

static Ex logic(Graph *g, ExKind op, Ex a, Ex b) {
    if (a == b) return a;                                         /* a and a => a */
    if (ex_is_const(g, b)) return is(g, b, op == EX_AND) ? a : b; /* a and true => a; a and false => false */
    return 0;
}

static Ex negation(Graph *g, Ex a) {
    ExKind k = kind(g, a);
    if (k == EX_NOT) return arg(g, a, 0);                             /* not not a => a */
    if (k == EX_EQ) return op2(g, EX_NE, arg(g, a, 0), arg(g, a, 1)); /* not (a == b) => a != b */
    if (k == EX_NE) return op2(g, EX_EQ, arg(g, a, 0), arg(g, a, 1));
    if ((k == EX_LT || k == EX_LE) && !dtype_is_float(type(g, arg(g, a, 0)))) /* int: not (a < b) => b <= a */
        return op2(g, k == EX_LT ? EX_LE : EX_LT, arg(g, a, 1), arg(g, a, 0));
    return 0;
}

static Ex choice(Graph *g, Ex p, Ex a, Ex b) {
    if (a == b) return a; /* p ? a : a => a */
    if (ex_is_const(g, p)) return is(g, p, 1) ? a : b;
    if (kind(g, p) == EX_NOT) return ex_op(g, EX_SELECT, arg(g, p, 0), b, a); /* not p ? a : b => p ? b : a */
    if (type(g, a) == DT_BOOL && is(g, a, 1) && is(g, b, 0)) return p;        /* p ? true : false => p */
    if (type(g, a) == DT_BOOL && is(g, a, 0) && is(g, b, 1)) return ex_op(g, EX_NOT, p, 0, 0);
    if (kind(g, a) == EX_SELECT && arg(g, a, 0) == p)
        return ex_op(g, EX_SELECT, p, arg(g, a, 1), b); /* p ? (p ? a : x) : b => p ? a : b */
    if (kind(g, b) == EX_SELECT && arg(g, b, 0) == p)
        return ex_op(g, EX_SELECT, p, a, arg(g, b, 2)); /* p ? a : (p ? x : b) => p ? a : b */
    return 0;
}

Ex ex_algebra(Graph *g, ExKind op, Ex a, Ex b, Ex c) {
    switch (op) {
    case EX_ADD: return add(g, a, b);
    case EX_SUB: return sub(g, a, b);
    case EX_MUL: return mul(g, a, b);
    case EX_DIV: return quotient(g, a, b);
    case EX_POW: return power(g, a, b);
    case EX_IDIV:
    case EX_IMOD: return integer_quotient(g, op, a, b);
    case EX_MIN:
    case EX_MAX: return extreme(g, op, a, b);
    case EX_NEG:
    case EX_ABS: return sign_of(g, op, a);
    case EX_FLOOR:
    case EX_CEIL:
    case EX_ROUND:
    case EX_TRUNC: return is_whole(g, a) ? a : 0; /* floor(floor(a)) => floor(a) */
    case EX_EQ:
    case EX_NE:
    case EX_LT:
    case EX_LE: return comparison(g, op, a, b);
    case EX_AND:
    case EX_OR: return logic(g, op, a, b);
    case EX_NOT: return negation(g, a);
    case EX_SELECT: return choice(g, a, b, c);
    case EX_STOP: return ex_is_const(g, a) || kind(g, a) == EX_STOP ? a : 0; /* stop(stop(a)) => stop(a) */
    default: return 0;
    }
}

/* ---- conversions ---- */

/* Bits of whole numbers that a type holds exactly, its sign apart. */
static int whole_bits(DType t) {
    static const int bits[DT_COUNT] = {[DT_BOOL] = 1, [DT_U8] = 8,   [DT_I8] = 7,   [DT_I32] = 31, [DT_I64] = 63,
                                       [DT_F16] = 11, [DT_BF16] = 8, [DT_F32] = 24, [DT_F64] = 53};
    return bits[t];
}

/* Whether every number of `from` is one of `to`. */
static bool holds(DType to, DType from) {
    if (to == from) return true;
    if (dtype_is_float(from)) /* range and precision */
        return to == DT_F64 || (to == DT_F32 && (from == DT_F16 || from == DT_BF16));
    if (from != DT_BOOL && from != DT_U8 && (to == DT_BOOL || to == DT_U8)) return false; /* signs */
    if (from == DT_I8 && dtype_is_float(to)) return true;
    return whole_bits(to) >= whole_bits(from);
}

Ex ex_cast_algebra(Graph *g, DType to, Ex a) {
    if (kind(g, a) != EX_CAST) return 0;
    Ex inner = arg(g, a, 0);
    DType middle = type(g, a), from = type(g, inner);
    if (!holds(middle, from)) return 0;
    /* to(middle(x)) => to(x), where middle keeps every x; but integers wrap where floats saturate */
    bool wraps = !dtype_is_float(from) && !dtype_is_float(to) && to != DT_BOOL;
    if (wraps && dtype_is_float(middle) && !holds(to, from)) return 0;
    return ex_cast(g, to, inner);
}
