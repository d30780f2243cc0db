/* Errors, element types, arrays. */
#include "runtime/runtime.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* `number` is that of an error of the system, which the text ends with; 0: there is none. */
static void set_error(RtError *e, int number, const char *format, va_list args) {
    if (e == NULL) return;
    vsnprintf(e->text, sizeof e->text, format, args);
    size_t n = strlen(e->text);
    if (number != 0) snprintf(e->text + n, sizeof e->text - n, ": %s", strerror(number));
    e->number = number;
}

bool rt_fail(RtError *e, const char *format, ...) {
    va_list args;
    va_start(args, format);
    set_error(e, 0, format, args);
    va_end(args);
    return false;
}

bool rt_fail_system(RtError *e, const char *format, ...) {
    int number = errno;
    va_list args;
    va_start(args, format);
    set_error(e, number, format, args);
    va_end(args);
    return false;
}

double rt_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#ifdef __x86_64__
enum { FLUSH_TO_ZERO = 1 << 15 }; /* of MXCSR */

unsigned rt_floats_flush(bool flush) {
    unsigned before = __builtin_ia32_stmxcsr();
    if (flush) __builtin_ia32_ldmxcsr(before | FLUSH_TO_ZERO);
    return before;
}

void rt_floats_restore(unsigned before) { __builtin_ia32_ldmxcsr(before); }
#else
unsigned rt_floats_flush(bool flush) { return (void)flush, 0; }
void rt_floats_restore(unsigned before) { (void)before; }
#endif

static const struct {
    const char *name;
    size_t size;
    bool is_float;
} types[RT_DTYPE_COUNT] = {
    [RT_BOOL] = {"bool", 1, false}, [RT_U8] = {"u8", 1, false},   [RT_I8] = {"i8", 1, false},
    [RT_I32] = {"i32", 4, false},   [RT_I64] = {"i64", 8, false}, [RT_F16] = {"f16", 2, true},
    [RT_BF16] = {"bf16", 2, true},  [RT_F32] = {"f32", 4, true},  [RT_F64] = {"f64", 8, true},
};

size_t rt_dtype_size(RtDType t) { return types[t].size; }
const char *rt_dtype_name(RtDType t) { return types[t].name; }
bool rt_dtype_is_float(RtDType t) { return types[t].is_float; }

int64_t rt_array_elements(const RtArray *a) {
    int64_t n = 1, room = INT64_MAX / (int64_t)rt_dtype_size(a->dtype);
    bool empty = false;
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] < 0) return -1;
        if (a->dims[i] == 0) empty = true;
    }
    if (empty) return 0;
    for (int i = 0; i < a->rank; i++) {
        if (a->dims[i] > room / n) return -1;
        n *= a->dims[i];
    }
    return n;
}

bool rt_array_alloc(RtArray *a, const char *what, RtError *e) {
    int64_t n = rt_array_elements(a);
    if (n < 0) return rt_fail(e, "%s: its shape has more elements than a computer can hold", what);
    size_t bytes = (size_t)n * rt_dtype_size(a->dtype);
    /* Whole cache lines, and at least one, as aligned_alloc() wants; the sum cannot wrap as bytes < 2^63. */
    a->data = aligned_alloc(64, bytes / 64 * 64 + 64);
    if (a->data == NULL) return rt_fail(e, "%s: no memory for %zu bytes", what, bytes);
    return true;
}

void rt_array_free(RtArray *a) {
    free(a->data);
    a->data = NULL;
}
