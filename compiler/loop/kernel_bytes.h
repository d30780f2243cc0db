/* A kernel by itself, as bytes that hold everything that its code depends on and nothing else: not its name, not where
 * its memory lies. Kernels that do the same to other memory have equal bytes and share their code. */
#ifndef LOOP_KERNEL_BYTES_H
#define LOOP_KERNEL_BYTES_H

#include "compiler/loop/loop.h"

/* Where a piece of a kernel's memory begins: bases[base] + offset, or read-only data. */
typedef struct {
    int base;
    int64_t offset;
    const void *constant; /* NULL: at the base */
} KernelPlace;

typedef VEC(KernelPlace) KernelPlaces;

/** Adds the kernel's bytes to `out` and the places that it is called with to `places`. Buffers that share memory have
 * one place; all other places are apart. */
void loop_kernel_write(const LoopUnit *u, const Kernel *k, Str *out, KernelPlaces *places);

/** The kernel that was written, as the only one of a unit of its own; base number i is its place number i. */
LoopUnit *loop_kernel_read(Nnc *nnc, const char *bytes, size_t n);

#endif
