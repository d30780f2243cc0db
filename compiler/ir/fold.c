/* The values of scalar operations: constants are folded by it, and the reference interpreter of the tests computes with
 * it. Floats are computed in double and rounded to their type, which for + - * / and sqrt gives the same as computing
 * in the type itself; integers wrap around. */
#include "compiler/ir/private.h"

#include <math.h>

/* ---- narrow floats ---- */

/* The nearest number with `mantissa` bits after the point and exponents from `least`; beyond `largest` infinity. */
static double round_to(double v, int mantissa, int least, double largest) {
    if (v == 0 || !isfinite(v)) return v;
    int e;
    frexp(v, &e);
    int unit = MAX(e - 1, least) - mantissa; /* the exponent of the last bit */
    double r = ldexp(nearbyint(ldexp(v, -unit)), unit);
    return fabs(r) > largest ? copysign(INFINITY, v) : r;
}

static uint16_t pack(double rounded, int mantissa, int least, uint16_t infinite) {
    uint16_t sign = signbit(rounded) ? 0x8000 : 0, bits;
    double a = fabs(rounded);
    if (isnan(a)) return (uint16_t)(sign | infinite | 1 << (mantissa - 1));
    if (isinf(a)) return sign | infinite;
    if (a < ldexp(1, least)) {
        bits = (uint16_t)ldexp(a, mantissa - least);
    } else {
        int e;
        double fraction = frexp(a, &e) * 2 - 1;
        bits = (uint16_t)(((e - least) << mantissa) + (int)ldexp(fraction, mantissa));
    }
    return sign | bits;
}

static double unpack(uint16_t bits, int mantissa, int least) {
    int e = (bits & 0x7FFF) >> mantissa, m = bits & ((1 << mantissa) - 1), top = 0x7FFF >> mantissa;
    double a = e == top ? (m ? (double)NAN : (double)INFINITY)
               : e      ? ldexp(m + (1 << mantissa), e - 1 + least - mantissa)
                        : ldexp(m, least - mantissa);
    return bits & 0x8000 ? -a : a;
}

uint16_t f16_bits(double v) { return pack(scalar_round(DT_F16, v), 10, -14, 0x7C00); }
double f16_value(uint16_t bits) { return unpack(bits, 10, -14); }
uint16_t bf16_bits(double v) { return pack(scalar_round(DT_BF16, v), 7, -126, 0x7F80); }
double bf16_value(uint16_t bits) { return unpack(bits, 7, -126); }

/* ---- types ---- */

double scalar_round(DType t, double v) {
    switch (t) {
    case DT_F16: return round_to(v, 10, -14, 65504);
    case DT_BF16: return round_to(v, 7, -126, 0x1.FEp127);
    case DT_F32: return (double)(float)v;
    default: return v;
    }
}

int64_t scalar_wrap(DType t, int64_t v) {
    switch (t) {
    case DT_BOOL: return v != 0;
    case DT_U8: return (uint8_t)v;
    case DT_I8: return (int8_t)v;
    case DT_I32: return (int32_t)v;
    default: return v;
    }
}

bool scalar_exact(DType t, int64_t v) {
    if (!dtype_is_float(t)) return scalar_wrap(t, v) == v;
    if (v > (int64_t)1 << 53 || v < -((int64_t)1 << 53)) return false;
    return scalar_round(t, (double)v) == (double)v;
}

void scalar_limits(DType t, Scalar *lowest, Scalar *highest) {
    *lowest = (Scalar){.f = -INFINITY};
    *highest = (Scalar){.f = INFINITY};
    switch (t) {
    case DT_BOOL: highest->i = 1; break;
    case DT_U8: highest->i = UINT8_MAX; break;
    case DT_I8: lowest->i = INT8_MIN, highest->i = INT8_MAX; break;
    case DT_I32: lowest->i = INT32_MIN, highest->i = INT32_MAX; break;
    case DT_I64: lowest->i = INT64_MIN, highest->i = INT64_MAX; break;
    default: break;
    }
}

/* Truncates; out of range saturates; NaN gives 0. */
static int64_t float_to_int(DType to, double v) {
    Scalar lowest, highest;
    scalar_limits(to, &lowest, &highest);
    if (isnan(v)) return 0;
    if (v <= (double)lowest.i) return lowest.i;
    if (v >= (double)highest.i) return highest.i; /* 2^63 as a double is one more than INT64_MAX: saturates as well */
    return (int64_t)v;
}

Scalar scalar_cast(DType to, DType from, Scalar v) {
    bool float_to = dtype_is_float(to), float_from = dtype_is_float(from);
    if (to == DT_BOOL) return (Scalar){.i = float_from ? v.f != 0 : v.i != 0};
    if (float_to && float_from) return (Scalar){.f = scalar_round(to, v.f)};
    if (float_to) return (Scalar){.f = to == DT_F32 ? (double)(float)v.i : scalar_round(to, (double)v.i)};
    return (Scalar){.i = float_from ? float_to_int(to, v.f) : scalar_wrap(to, v.i)};
}

/* ---- memory ---- */

Scalar scalar_read(DType t, const void *data, int64_t i) {
    switch (t) {
    case DT_BOOL:
    case DT_U8: return (Scalar){.i = ((const uint8_t *)data)[i]};
    case DT_I8: return (Scalar){.i = ((const int8_t *)data)[i]};
    case DT_I32: return (Scalar){.i = ((const int32_t *)data)[i]};
    case DT_I64: return (Scalar){.i = ((const int64_t *)data)[i]};
    case DT_F16: return (Scalar){.f = f16_value(((const uint16_t *)data)[i])};
    case DT_BF16: return (Scalar){.f = bf16_value(((const uint16_t *)data)[i])};
    case DT_F32: return (Scalar){.f = (double)((const float *)data)[i]};
    case DT_F64: return (Scalar){.f = ((const double *)data)[i]};
    default: bug("an element of type %d", (int)t);
    }
}

void scalar_write(DType t, void *data, int64_t i, Scalar v) {
    switch (t) {
    case DT_BOOL:
    case DT_U8: ((uint8_t *)data)[i] = (uint8_t)v.i; return;
    case DT_I8: ((int8_t *)data)[i] = (int8_t)v.i; return;
    case DT_I32: ((int32_t *)data)[i] = (int32_t)v.i; return;
    case DT_I64: ((int64_t *)data)[i] = v.i; return;
    case DT_F16: ((uint16_t *)data)[i] = f16_bits(v.f); return;
    case DT_BF16: ((uint16_t *)data)[i] = bf16_bits(v.f); return;
    case DT_F32: ((float *)data)[i] = (float)v.f; return;
    case DT_F64: ((double *)data)[i] = v.f; return;
    default: bug("an element of type %d", (int)t);
    }
}

/* ---- operations ---- */

#define NAN_FOLD ((double)NAN)

static double fold_sign(double a) { return (a > 0) - (a < 0); }
/* Of two zeros the lower is -0, so that operands may change places. */
static bool below(double a, double b) { return a < b || (a == b && signbit(a) && !signbit(b)); }
static double fold_min(double a, double b) { return isnan(a) || isnan(b) ? (double)NAN : below(b, a) ? b : a; }
static double fold_max(double a, double b) { return isnan(a) || isnan(b) ? (double)NAN : below(a, b) ? b : a; }

static int64_t fold_idiv(int64_t a, int64_t b) {
    if (b == 0) return 0;
    if (b == -1) return (int64_t)(0 - (uint64_t)a); /* the lowest number has no opposite: wraps */
    return a / b - ((a % b != 0) & ((a ^ b) < 0));
}

static int64_t fold_imod(int64_t a, int64_t b) {
    if (b == 0 || b == -1) return 0;
    int64_t r = a % b;
    return r != 0 && (r ^ b) < 0 ? r + b : r;
}

static double float_op(ExKind op, double a, double b, double c) {
    switch (op) {
#define fold_idiv(a, b) NAN_FOLD /* integers only, as the next: see integer_op */
#define fold_imod(a, b) NAN_FOLD
#define OP(id, name, arity, type, flags, fold, deriv, emit, cost, synopsis)                                            \
    case EX_##id: return fold;
#include "compiler/ir/ops.def"
#undef OP
#undef fold_idiv
#undef fold_imod
    default: bug("expression kind %d is not a scalar operation", (int)op);
    }
}

static int64_t integer_op(ExKind op, int64_t a, int64_t b) {
    uint64_t ua = (uint64_t)a, ub = (uint64_t)b;
    switch (op) {
    case EX_ADD: return (int64_t)(ua + ub);
    case EX_SUB: return (int64_t)(ua - ub);
    case EX_MUL: return (int64_t)(ua * ub);
    case EX_NEG: return (int64_t)(0 - ua);
    case EX_ABS: return a < 0 ? (int64_t)(0 - ua) : a;
    case EX_SIGN: return (a > 0) - (a < 0);
    case EX_MIN: return MIN(a, b);
    case EX_MAX: return MAX(a, b);
    case EX_IDIV: return fold_idiv(a, b);
    case EX_IMOD: return fold_imod(a, b);
    case EX_EQ: return a == b;
    case EX_NE: return a != b;
    case EX_LT: return a < b;
    case EX_LE: return a <= b;
    case EX_AND: return a && b;
    case EX_OR: return a || b;
    case EX_NOT: return !a;
    default: bug("operation '%s' on integers", op_info(op)->name);
    }
}

Scalar scalar_op(ExKind op, DType t, const Scalar *a) {
    if (op == EX_SELECT) return a[0].i ? a[1] : a[2];
    int arity = op_info(op)->arity;
    if (!dtype_is_float(t)) return (Scalar){.i = scalar_wrap(t, integer_op(op, a[0].i, arity > 1 ? a[1].i : 0))};
    double v = float_op(op, a[0].f, arity > 1 ? a[1].f : 0, 0);
    return op_info(op)->type == OPT_COMPARE ? (Scalar){.i = v != 0} : (Scalar){.f = scalar_round(t, v)};
}
