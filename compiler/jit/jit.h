/* Units as code in memory: from loop nests to functions that can be called. LLVM itself is called through backend.h. */
#ifndef JIT_H
#define JIT_H

#include "compiler/loop/loop.h"
#include "runtime/pool.h"

/* Kernels that do the same share their code, whatever units they are in. */
typedef struct JitCode JitCode;

/** Units to be run by a CPU that the machine at hand must be able to run; with `cached`, code made by an earlier run is
 * taken from the disk and new code kept there. NULL after a diagnostic. The units must stay as they are. */
JitCode *jit_new(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, bool cached);

/** Compiles those units at once that `wanted` marks; the others when they are first run. */
void jit_make(JitCode *code, const bool *wanted);

/** Whether a unit is compiled; jit_run compiles it where it is not. */
bool jit_made(const JitCode *code, int unit);
void jit_make_unit(JitCode *code, int unit);

/** Runs a unit: its kernels in order, the tiles of each on the pool's threads (NULL: on the caller's). `bases` in the
 * order of loop.h; the arena and the variables are aligned to 64 bytes, inputs and results as their elements, and no
 * result overlaps another array. Where `seconds` is not NULL, what each kernel takes is added to seconds[kernel]. */
void jit_run(JitCode *code, int unit, const void *const *bases, RtPool *pool, double *seconds);

void jit_free(JitCode *code);

#endif
