/* What every part of the runtime shares: element types, errors, arrays, and what generated code is handed. */
#ifndef RT_RUNTIME_H
#define RT_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Element types. Order and meaning are those of compiler/base/dtype.def; a test holds the two together. */
typedef enum { RT_BOOL, RT_U8, RT_I8, RT_I32, RT_I64, RT_F16, RT_BF16, RT_F32, RT_F64, RT_DTYPE_COUNT } RtDType;

size_t rt_dtype_size(RtDType t);      /* bytes of one element */
const char *rt_dtype_name(RtDType t); /* "f32" */
bool rt_dtype_is_float(RtDType t);

/** Why something failed: one sentence that names the file. Functions that can fail take one and return false or NULL.
 */
typedef struct {
    char text[1024];
    int number; /* of the system's error (errno); 0: it was none */
} RtError;

/** Fills `e` (may be NULL) and returns false, so that `return rt_fail(e, …)` reads well. */
bool rt_fail(RtError *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** The same for what the system has refused: adds ": ", and what errno says. */
bool rt_fail_system(RtError *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Seconds on a clock that only goes forward. */
double rt_seconds(void);

/** With `flush`, float results of this thread and of those that it starts are from here on zero where they are too
 * small for a normal number, if the processor is slow with such (x86-64). What decays for ever, like an optimizer's
 * averages, then costs the same all the time. The value is for rt_floats_restore(). */
unsigned rt_floats_flush(bool flush);
void rt_floats_restore(unsigned before);

/** More dims than anything real has; readers refuse files with more. */
enum { RT_MAX_RANK = 32 };

/** A dense array in C order. `data` is malloc'ed (64-byte aligned) and owned by the array; NULL before allocation. */
typedef struct {
    RtDType dtype;
    int rank;
    int64_t dims[RT_MAX_RANK];
    void *data;
} RtArray;

/** Product of the dims; -1 where it, or its bytes in the array's dtype, does not fit in an int64. */
int64_t rt_array_elements(const RtArray *a);
/** Allocates `data` for dtype, rank and dims; `what` (a file, a tensor) is named in the error. */
bool rt_array_alloc(RtArray *a, const char *what, RtError *e);
void rt_array_free(RtArray *a);
/**
 * `in` as dtype `to`, in a new array `out`; `what` is named in the error. Fails where a value would not survive:
 * out of range, a fraction for an integer, an integer that the float type cannot hold. Between float types values
 * are rounded, as everywhere; a finite value that would overflow fails.
 */
bool rt_array_convert(const RtArray *in, RtDType to, RtArray *out, const char *what, RtError *e);

float rt_f16_to_f32(uint16_t h);
uint16_t rt_f32_to_f16(float f); /* to nearest, ties to even */
float rt_bf16_to_f32(uint16_t h);
uint16_t rt_f32_to_bf16(float f); /* to nearest, ties to even */
/** Element `i` of `data` as a double (an i64 beyond 2^53 is rounded). */
double rt_element(const void *data, RtDType t, int64_t i);

#endif
