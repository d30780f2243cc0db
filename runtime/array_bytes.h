/* In-place changes of raw elements just read from a file. */
#ifndef RT_ARRAY_BYTES_H
#define RT_ARRAY_BYTES_H

#include "runtime/runtime.h"

/** Turns n elements of `size` bytes (1, 2, 4 or 8) from big-endian to little-endian, the order of this machine. */
void rt_bytes_from_big_endian(void *data, int64_t n, size_t size);

/** n narrow integers at the front of a buffer that has room for n wide ones. */
void rt_bytes_widen_i16(void *data, int64_t n); /* to int32 */
void rt_bytes_widen_u16(void *data, int64_t n); /* to int32 */
void rt_bytes_widen_u32(void *data, int64_t n); /* to int64 */
/** The first of n uint64 that int64 cannot hold, or -1: the others need no change. */
int64_t rt_bytes_first_beyond_i64(const void *data, int64_t n);

#endif
