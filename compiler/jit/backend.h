/* What makes machine code: compiler/llvm behind a table of functions. The program keeps it in a module of its own that
 * is loaded when it is first needed, since code that an earlier run has kept needs none; tests link it directly. */
#ifndef JIT_BACKEND_H
#define JIT_BACKEND_H

#include "compiler/jit/target.h"

/* One exported function of a standalone object: a C function around a unit. */
typedef struct {
    const LoopUnit *unit;
    const char *symbol; /* C name */
} ObjectEntry;

typedef struct KernelMaker KernelMaker;

/* A kernel as loop/kernel_bytes.h writes it. */
typedef struct {
    const char *at;
    size_t len;
} KernelBytes;

typedef enum { EMIT_OBJECT, EMIT_ASM, EMIT_LLVM } EmitKind;

typedef struct {
    /** The triple in LLVM's own spelling; NULL where LLVM makes no code for it. */
    const char *(*triple)(Nnc *nnc, const char *triple);

    /** The CPU at hand ("znver3"), and what it has, as LLVM writes it. */
    const char *(*host_cpu)(Nnc *nnc);
    const char *(*host_features)(Nnc *nnc);

    /** What one thread makes kernels with; several may work at once. */
    KernelMaker *(*maker)(const Target *target);
    void (*maker_free)(KernelMaker *maker);

    /** An object, from malloc, of n kernels, whose functions are named by their numbers: "0...", "1...", and so on.
     * `plain`: they run so little that they are made as fast as can be, about three times as fast. */
    char *(*kernels)(KernelMaker *maker, const KernelBytes *kernels, size_t n, bool plain, size_t *size);

    /** Writes units as an object file, assembly or LLVM IR. Each entry becomes
     *     void SYMBOL(const T0 *input0, ..., R0 *result0, ..., void *scratch);
     * with the variables' bytes (`variables`, laid out as the units' VarLayout says) as constant data inside; `scratch`
     * has the unit's arena_bytes and is aligned to 64 bytes. The code is position independent, runs on the calling
     * thread and needs at most memcpy and memset. `triple` NULL: the machine at hand; `cpu` NULL: the baseline of
     * `triple`, or the CPU at hand where that is NULL too. False after a diagnostic. */
    bool (*object)(Nnc *nnc, const ObjectEntry *entries, int n, const void *variables, int64_t variable_bytes,
                   const char *triple, const char *cpu, EmitKind kind, const char *path);

    /** --dump=llvm and --dump=asm: the optimized module as text. */
    bool (*dump)(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, EmitKind kind, FILE *out);
} Backend;

/** The backend; the program ends with a message where it cannot be loaded. */
const Backend *backend(void);

/** Adds to `key` which build of the program and of its backend this is, without loading it: equal ones were made from
 * equal sources by equal tools. False where that is not known. */
bool backend_identity(Str *key);

#endif
