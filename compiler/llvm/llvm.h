/* The fence around LLVM: nothing outside this folder includes llvm-c. Loop nests go in; functions, objects, assembly
 * and textual LLVM IR come out. */
#ifndef LLVM_FENCE_H
#define LLVM_FENCE_H

#include "compiler/loop/loop.h"

/** Properties of a CPU given by --cpu (NULL or "native": the one at hand; a name or level such as "x86-64-v3") for
 * `triple` (NULL: the host). False after a diagnostic. */
bool llvm_machine(Nnc *nnc, const char *triple, const char *cpu, Machine *out);

/** What the generated code is called as; see runtime/runtime.h for RtCall (NULL: everything on the calling thread).
 * `bases` in the order of loop.h; the arena and the variables are aligned to 64 bytes, inputs and results as their
 * elements, and no result overlaps another array. */
typedef void (*UnitFunction)(void *const *bases, const void *rtcall);

/** One kernel of a unit: its tile of that number. */
typedef void (*KernelFunction)(void *bases, int64_t tile);

typedef struct JitCode JitCode;

/** Compiles units just in time, for a CPU that the machine at hand must be able to run; with `cached`, code made by an
 * earlier run is taken from the disk and new code kept there. NULL after a diagnostic. */
JitCode *llvm_jit(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, bool cached);

/** The entry of units[unit]. */
UnitFunction jit_function(const JitCode *code, int unit);
/** Kernel number `kernel` of units[unit] alone. */
KernelFunction jit_kernel(const JitCode *code, int unit, size_t kernel);
void jit_free(JitCode *code);

/** One exported function of a standalone object: a C function around a unit. */
typedef struct {
    const LoopUnit *unit;
    const char *symbol; /* C name */
} ObjectEntry;

typedef enum { EMIT_OBJECT, EMIT_ASM, EMIT_LLVM } EmitKind;

/** Writes the units as an object file, assembly or LLVM IR. Each entry becomes
 *     void SYMBOL(const T0 *input0, ..., R0 *result0, ..., void *scratch);
 * with the variables' bytes (`variables`, laid out as the units' VarLayout says) as constant data inside; `scratch` has
 * the unit's arena_bytes and is aligned to 64 bytes. The code is position independent, runs on the calling thread and
 * needs at most memcpy and memset. `triple` NULL: the machine at hand; `cpu` NULL: the baseline of `triple`, or the CPU
 * at hand where that is NULL too. False after a diagnostic. */
bool llvm_object(Nnc *nnc, const ObjectEntry *entries, int n, const void *variables, int64_t variable_bytes,
                 const char *triple, const char *cpu, EmitKind kind, const char *path);

/** --dump=llvm and --dump=asm: the optimized module as text. */
bool llvm_dump(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, EmitKind kind, FILE *out);

const char *llvm_version(void);
void llvm_host_cpu(Str *out); /* "znver3" */

#endif
