/* Byte order, and narrow integers made wide where they lie. */
#include "runtime/array_bytes.h"
#include <string.h>

/* Arrays are read and written as they lie in memory, and the formats are little-endian. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the runtime needs a little-endian machine");

void rt_bytes_from_big_endian(void *data, int64_t n, size_t size) {
    uint8_t *element = data;
    for (int64_t i = 0; size > 1 && i < n; i++, element += size) {
        for (size_t b = 0; b < size / 2; b++) {
            uint8_t kept = element[b];
            element[b] = element[size - 1 - b];
            element[size - 1 - b] = kept;
        }
    }
}

/* From the last to the first, as element i moves to a place at or behind where it was. */
#define WIDEN(name, narrow, wide)                                                                                      \
    void name(void *data, int64_t n) {                                                                                 \
        char *bytes = data;                                                                                            \
        for (size_t i = (size_t)n; i-- > 0;) {                                                                         \
            narrow from;                                                                                               \
            memcpy(&from, bytes + i * sizeof from, sizeof from);                                                       \
            wide to = from;                                                                                            \
            memcpy(bytes + i * sizeof to, &to, sizeof to);                                                             \
        }                                                                                                              \
    }

WIDEN(rt_bytes_widen_i16, int16_t, int32_t)
WIDEN(rt_bytes_widen_u16, uint16_t, int32_t)
WIDEN(rt_bytes_widen_u32, uint32_t, int64_t)

int64_t rt_bytes_first_beyond_i64(const void *data, int64_t n) {
    const int64_t *values = data;
    for (int64_t i = 0; i < n; i++) {
        if (values[i] < 0) return i; /* the top bit is set */
    }
    return -1;
}
