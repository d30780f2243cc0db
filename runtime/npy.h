/* NumPy's array files. */
#ifndef RT_NPY_H
#define RT_NPY_H

#include "runtime/runtime.h"

/**
 * Reads a .npy file (versions 1 to 3) of any rank, also with dims of 0, into native byte order and C order. i2 and u2
 * become i32, u4 becomes i64, u8 becomes i64 where every value fits. Objects, records, complex numbers and text are
 * errors.
 */
bool rt_npy_read(const char *path, RtArray *a, RtError *e);
/** Writes version 1.0 in C order, replacing `path` atomically. bf16, which NumPy lacks, is written as f32. */
bool rt_npy_write(const char *path, const RtArray *a, RtError *e);

#endif
