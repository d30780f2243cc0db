/* The remainder of x by pi/2. Up to 2^20 three parts of pi/2 are subtracted (Cody and Waite). Beyond, which is rare and
 * stands in a function of its own, x is multiplied with the bits of 2/pi that matter at its size (Payne and Hanek). */
#include "compiler/llvm/vecmath_angle.h"
#include "compiler/llvm/vecmath.h"

/* ---- up to 2^20 ---- */

static Angle subtract(const L *l, V x) {
    V shift = s_real(x, 0x1.8p52), shifted = s_add(l, s_mul(l, x, s_real(x, 0x1.45f306dc9c883p-1)), shift);
    V n = s_sub(l, shifted, shift);
    V first = s_sub(l, x, s_mul(l, n, s_real(x, 0x1.921fb544p0))); /* exact, as is the next product: 33 bits times 20 */
    V second = s_mul(l, n, s_real(x, 0x1.0b4611a6p-34)), third = s_mul(l, n, s_real(x, 0x1.3198a2e037073p-69));
    V r = s_sub(l, first, second), back = s_sub(l, first, r); /* first - second = r + e, whichever is larger */
    V e = s_add(l, s_sub(l, first, s_add(l, r, back)), s_sub(l, back, second));
    V more = s_sub(l, e, third), sum = s_add(l, r, more);
    return (Angle){sum, s_add(l, s_sub(l, r, sum), more), s_bits(l, shifted)};
}

/* ---- beyond ---- */

/* 64 zeros, then the bits of 2/pi behind the point */
static V two_over_pi(const L *l) {
    static const uint64_t words[] = {0,
                                     0xa2f9836e4e441529,
                                     0xfc2757d1f534ddc0,
                                     0xdb6295993c439041,
                                     0xfe5163abdebbc561,
                                     0xb7246e3a424dd2e0,
                                     0x06492eea09d1921c,
                                     0xfe1deb1cb129a73e,
                                     0xe88235f52ebb4484,
                                     0xe99c7026b45f7e41,
                                     0x3991d639835339f4,
                                     0x9c845f8bbdf9283b,
                                     0x1ff897ffde05980f,
                                     0xef2f118b5a0a6d1f,
                                     0x6d367ecf27cb09b7,
                                     0x4f463f669e5fea2d,
                                     0x7527bac7ebe5f17b,
                                     0x3d0739f78a5292ea,
                                     0x6bfb5fb11f8d5d08,
                                     0x56033046fc7b6bab};
    V values[COUNT(words)];
    for (size_t i = 0; i < COUNT(words); i++) values[i] = l_i64(l, (int64_t)words[i]);
    return l_table(l, l->i64, values, COUNT(words), "two_over_pi");
}

/* table[index + more] */
static V look_up(const L *l, V table, V index, int more) {
    return l_load(l, l->i64, l_gep(l, l->i64, table, s_add(l, index, l_i64(l, more))), 8);
}

/* a * b in 128 bits, from products of 32 */
typedef struct {
    V high, low;
} Wide;

static Wide multiply(const L *l, V a, V b) {
    V mask = s_int(a, 0xFFFFFFFF), a0 = s_and(l, a, mask), a1 = s_shr(l, a, 32), b0 = s_and(l, b, mask),
      b1 = s_shr(l, b, 32);
    V p00 = s_mul(l, a0, b0), p01 = s_mul(l, a0, b1), p10 = s_mul(l, a1, b0), p11 = s_mul(l, a1, b1);
    V middle = s_add(l, s_add(l, s_shr(l, p00, 32), s_and(l, p01, mask)), s_and(l, p10, mask));
    V high = s_add(l, s_add(l, p11, s_shr(l, p01, 32)), s_add(l, s_shr(l, p10, 32), s_shr(l, middle, 32)));
    return (Wide){high, s_mul(l, a, b)};
}

static V carry(const L *l, V sum, V part) {
    return LLVMBuildZExt(l->b, LLVMBuildICmp(l->b, LLVMIntULT, sum, part, ""), LLVMTypeOf(sum), "");
}

/* |x| * 2/pi modulo 4, times 2^126: with x = m 2^q the bits of 2/pi before number q - 1 give multiples of 4, and behind
 * 192 more they do not matter. */
static Wide turns(const L *l, V magnitude) {
    V exponent = s_shr(l, magnitude, 52), fraction = s_and(l, magnitude, s_int(magnitude, 0xFFFFFFFFFFFFF));
    V m = s_or(l, fraction, s_int(fraction, 0x10000000000000));
    V bit = s_sub(l, exponent, s_int(exponent, 1075 - 62)); /* q + 62: in the table, which starts with 64 zeros */
    bit = l_call2(l, "llvm.smax", bit, s_int(bit, 0));      /* small x, whose result is not used */
    V word = s_shr(l, bit, 6), by = s_and(l, bit, s_int(bit, 63)), rest = s_sub(l, s_int(bit, 63), by);
    V table = two_over_pi(l), window[4];
    for (int i = 0; i < 4; i++) window[i] = look_up(l, table, word, i);
    for (int i = 0; i < 3; i++)
        window[i] =
            s_or(l, LLVMBuildShl(l->b, window[i], by, ""), LLVMBuildLShr(l->b, s_shr(l, window[i + 1], 1), rest, ""));
    Wide low = multiply(l, m, window[2]), middle = multiply(l, m, window[1]);
    V second = s_add(l, middle.low, low.high);
    V first = s_add(l, s_add(l, s_mul(l, m, window[0]), middle.high), carry(l, second, low.high));
    return (Wide){first, second};
}

static Angle multiplied(const L *l, V x) {
    V bits = s_bits(l, x), magnitude = s_and(l, bits, s_int(bits, INT64_MAX));
    Wide p = turns(l, magnitude);
    /* a fraction of 128 bits; from one half on it is negative and the integer one more */
    V high = s_or(l, s_shl(l, p.high, 2), s_shr(l, p.low, 62)), low = s_shl(l, p.low, 2);
    V sign = s_sar(l, high, 63), n = s_sub(l, s_shr(l, p.high, 62), sign);
    low = s_sub(l, s_xor(l, low, sign), sign);
    high = s_sub(l, s_xor(l, high, sign),
                 s_and(l, sign, LLVMBuildSExt(l->b, s_ieq(l, low, s_int(low, 0)), LLVMTypeOf(low), "")));
    /* as a float of 25 bits and the rest, times pi/2 in two parts likewise */
    V top = s_and(l, high, s_int(high, -((int64_t)1 << 38))),
      rest = s_and(l, high, s_int(high, ((int64_t)1 << 38) - 1));
    LLVMTypeRef t = LLVMTypeOf(x);
    V d1 = s_mul(l, LLVMBuildSIToFP(l->b, top, t, ""), s_real(x, 0x1p-64));
    V d2 = s_add(l, s_mul(l, LLVMBuildSIToFP(l->b, rest, t, ""), s_real(x, 0x1p-64)),
                 s_mul(l, LLVMBuildSIToFP(l->b, s_shr(l, low, 1), t, ""), s_real(x, 0x1p-127)));
    V r1 = s_mul(l, d1, s_real(x, 0x1.921fb5p0));
    V r2 = s_add(l, s_mul(l, d1, s_real(x, 0x1.110b4611a6263p-26)), s_mul(l, d2, s_real(x, 0x1.921fb54442d18p0)));
    V r = s_add(l, r1, r2), less = s_sub(l, r2, s_sub(l, r, r1));
    V negative = s_xor(l, sign, s_sar(l, bits, 63)), flip = s_shl(l, negative, 63);
    r = s_float(l, s_xor(l, s_bits(l, r), flip));
    less = s_float(l, s_xor(l, s_bits(l, less), flip));
    V back = s_sar(l, bits, 63);
    return (Angle){r, less, s_sub(l, s_xor(l, n, back), back)};
}

static LLVMTypeRef angle_type(const L *l, V x) {
    LLVMTypeRef f = LLVMTypeOf(x), parts[] = {f, f, l_like(x, l->i64)};
    return LLVMStructTypeInContext(l->ctx, parts, 3, false);
}

/* The lanes one after the other: it is rare, and short code matters more than fast code. */
static void multiplied_lanes(const L *l, V f) {
    V x = LLVMGetParam(f, 0), parts[3];
    l_attribute(l, f, "cold");
    LLVMBasicBlockRef entry = LLVMAppendBasicBlockInContext(l->ctx, f, "entry");
    l_at(l, entry);
    LLVMTypeRef vector = LLVMTypeOf(x), element = l_element(vector), types[] = {vector, vector, l_like(x, l->i64)};
    int lanes = l_lanes(vector);
    V from = l_alloca(l, element, lanes, 64, "x"), to[3];
    for (int i = 0; i < 3; i++) to[i] = l_alloca(l, l_element(types[i]), lanes, 64, "part");
    l_store(l, x, from, 64);
    LLVMBasicBlockRef loop = l_block(l, "lane"), end = l_block(l, "lanes.end");
    LLVMBuildBr(l->b, loop);
    l_at(l, loop);
    V lane = LLVMBuildPhi(l->b, l->i64, "lane"), next = s_add(l, lane, l_i64(l, 1));
    Angle a = multiplied(l, l_load(l, element, l_gep(l, element, from, lane), 0));
    V of_lane[] = {a.r, a.low, a.n};
    for (int i = 0; i < 3; i++) l_store(l, of_lane[i], l_gep(l, l_element(types[i]), to[i], lane), 0);
    LLVMAddIncoming(lane, (V[]){l_i64(l, 0), next}, (LLVMBasicBlockRef[]){entry, l_here(l)}, 2);
    LLVMBuildCondBr(l->b, s_ieq(l, next, l_i64(l, lanes)), end, loop);
    l_at(l, end);
    for (int i = 0; i < 3; i++) parts[i] = l_load(l, types[i], to[i], 64);
    LLVMBuildAggregateRet(l->b, parts, 3);
}

/* ---- all ---- */

Angle angle_reduce(const L *l, V x) {
    V is_large = s_le(l, s_real(x, 0x1p20), s_abs(l, x));
    V any = l_lanes(LLVMTypeOf(x)) > 1 ? l_call1(l, "llvm.vector.reduce.or", is_large) : is_large;
    Angle small = subtract(l, x);
    LLVMBasicBlockRef before = l_here(l), large = l_block(l, "angle.large"), after = l_block(l, "angle");
    LLVMBuildCondBr(l->b, any, large, after);
    l_at(l, large);
    LLVMTypeRef x_type = LLVMTypeOf(x), type = LLVMFunctionType(angle_type(l, x), &x_type, 1, false);
    V f = l_pure_function(l, "angle.large", l_lanes(LLVMTypeOf(x)), type, multiplied_lanes);
    V both = LLVMBuildCall2(l->b, type, f, &x, 1, "");
    V from_small[] = {small.r, small.low, small.n}, v[3];
    for (unsigned i = 0; i < 3; i++)
        v[i] = s_select(l, is_large, LLVMBuildExtractValue(l->b, both, i, ""), from_small[i]);
    LLVMBuildBr(l->b, after);
    l_at(l, after);
    for (int i = 0; i < 3; i++) v[i] = l_phi2(l, from_small[i], before, v[i], large);
    return (Angle){v[0], v[1], v[2]};
}
