/* Element conversions: half floats by their bits, and whole arrays without loss. */
#include "runtime/runtime.h"
#include <math.h>
#include <string.h>

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static uint32_t bits_of(float f) {
    uint32_t bits;
    memcpy(&bits, &f, sizeof bits);
    return bits;
}

float rt_f16_to_f32(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000U) << 16, exponent = (h >> 10) & 31U, mantissa = h & 1023U;
    if (exponent == 31) return float_of(sign | 0x7F800000U | mantissa << 13);
    if (exponent != 0) return float_of(sign | (exponent + 112) << 23 | mantissa << 13);
    float subnormal = ldexpf((float)mantissa, -24);
    return sign != 0 ? -subnormal : subnormal;
}

uint16_t rt_f32_to_f16(float f) {
    uint32_t bits = bits_of(f), sign = bits >> 16 & 0x8000U, magnitude = bits & 0x7FFFFFFFU;
    if (magnitude > 0x7F800000U) return (uint16_t)(sign | 0x7E00U | (magnitude >> 13 & 1023U)); /* NaN */
    if (magnitude >= 0x477FF000U) return (uint16_t)(sign | 0x7C00U);                            /* rounds to >= 65520 */
    if (magnitude < 0x38800000U) { /* below 2^-14: a multiple of 2^-24, rounded by the current (nearest even) mode */
        return (uint16_t)(sign | (uint32_t)lrintf(ldexpf(float_of(magnitude), 24)));
    }
    uint32_t rounded = magnitude + 0xFFFU + (magnitude >> 13 & 1U); /* a carry into the exponent is right */
    return (uint16_t)(sign | ((rounded - 0x38000000U) >> 13));
}

float rt_bf16_to_f32(uint16_t h) { return float_of((uint32_t)h << 16); }

uint16_t rt_f32_to_bf16(float f) {
    uint32_t bits = bits_of(f);
    if ((bits & 0x7FFFFFFFU) > 0x7F800000U) return (uint16_t)(bits >> 16 | 0x40U); /* stays a NaN */
    return (uint16_t)((bits + 0x7FFFU + (bits >> 16 & 1U)) >> 16);
}

double rt_element(const void *data, RtDType t, int64_t i) {
    switch (t) {
    case RT_BOOL:
    case RT_U8: return ((const uint8_t *)data)[i];
    case RT_I8: return ((const int8_t *)data)[i];
    case RT_I32: return ((const int32_t *)data)[i];
    case RT_I64: return (double)((const int64_t *)data)[i];
    case RT_F16: return (double)rt_f16_to_f32(((const uint16_t *)data)[i]);
    case RT_BF16: return (double)rt_bf16_to_f32(((const uint16_t *)data)[i]);
    case RT_F32: return (double)((const float *)data)[i];
    case RT_F64:
    case RT_DTYPE_COUNT: break;
    }
    return ((const double *)data)[i];
}

/* Puts the integer `v` at place i; false where the type cannot hold it. */
static bool put_integer(void *data, RtDType t, int64_t i, int64_t v) {
    switch (t) {
    case RT_BOOL: ((uint8_t *)data)[i] = (uint8_t)v; return v == 0 || v == 1;
    case RT_U8: ((uint8_t *)data)[i] = (uint8_t)v; return v >= 0 && v <= UINT8_MAX;
    case RT_I8: ((int8_t *)data)[i] = (int8_t)v; return v >= INT8_MIN && v <= INT8_MAX;
    case RT_I32: ((int32_t *)data)[i] = (int32_t)v; return v >= INT32_MIN && v <= INT32_MAX;
    default: ((int64_t *)data)[i] = v; return true;
    }
}

/* Puts `v`, rounded, at place i; false where a finite value would become infinite. */
static bool put_float(void *data, RtDType t, int64_t i, double v) {
    float f = (float)v;
    switch (t) {
    case RT_F16: {
        uint16_t h = ((uint16_t *)data)[i] = rt_f32_to_f16(f);
        return !isfinite(v) || isfinite(rt_f16_to_f32(h));
    }
    case RT_BF16: {
        uint16_t h = ((uint16_t *)data)[i] = rt_f32_to_bf16(f);
        return !isfinite(v) || isfinite(rt_bf16_to_f32(h));
    }
    case RT_F32: ((float *)data)[i] = f; return !isfinite(v) || isfinite(f);
    default: ((double *)data)[i] = v; return true;
    }
}

/* Converts element i; false where its value would be lost. */
static bool convert_element(const RtArray *in, RtArray *out, int64_t i) {
    double v = rt_element(in->data, in->dtype, i);
    bool from_float = rt_dtype_is_float(in->dtype), to_float = rt_dtype_is_float(out->dtype);
    if (!from_float) {
        int64_t integer = in->dtype == RT_I64 ? ((const int64_t *)in->data)[i] : (int64_t)v;
        if (!to_float) return put_integer(out->data, out->dtype, i, integer);
        /* Exact: through the target and back, where 2^63 would not fit back. */
        if (!put_float(out->data, out->dtype, i, v)) return false;
        double back = rt_element(out->data, out->dtype, i);
        return back < 0x1p63 && (int64_t)back == integer;
    }
    if (to_float) return put_float(out->data, out->dtype, i, v);
    /* An integral double inside [-2^63, 2^63) converts exactly; a NaN fails the first comparison. */
    return v >= -0x1p63 && v < 0x1p63 && trunc(v) == v && put_integer(out->data, out->dtype, i, (int64_t)v);
}

bool rt_array_convert(const RtArray *in, RtDType to, RtArray *out, const char *what, RtError *e) {
    *out = *in;
    out->dtype = to;
    if (!rt_array_alloc(out, what, e)) return false;
    int64_t n = rt_array_elements(in);
    if (to == in->dtype) {
        memcpy(out->data, in->data, (size_t)n * rt_dtype_size(to));
        return true;
    }
    for (int64_t i = 0; i < n; i++) {
        if (convert_element(in, out, i)) continue;
        rt_array_free(out);
        return rt_fail(e, "%s: element %lld is %.17g, which %s cannot hold", what, (long long)i,
                       rt_element(in->data, in->dtype, i), rt_dtype_name(to));
    }
    return true;
}
