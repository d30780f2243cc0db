/* The CPU that code is made for. */
#ifndef JIT_TARGET_H
#define JIT_TARGET_H

#include "compiler/loop/loop.h"

typedef enum { ARCH_X86, ARCH_ARM64, ARCH_RISCV, ARCH_WASM, ARCH_OTHER } Arch;

typedef struct {
    const char *triple, *cpu, *features, *abi; /* as LLVM takes them; abi may be NULL */
    Arch arch;
    Machine machine;
    bool rounding;  /* floor, ceil and their kin are instructions */
    bool halves;    /* conversions between f16 and f32 are instructions */
    bool masks;     /* masked loads and stores of 4 and 8 byte elements are instructions */
    bool all_masks; /* of 1 and 2 byte elements too */
    bool gathers;   /* gathers are worth using */
    bool native;    /* the CPU at hand: cpu and features are NULL until target_prepare() */
    bool runs_here; /* on the machine at hand */
} Target;

/** The architecture of the machine at hand. */
Arch target_host(void);

/** The target given by --cpu (NULL or "native": the CPU at hand; a name or level such as "x86-64-v3") for `triple`
 * (NULL: the host). False after a diagnostic. */
bool target_find(Nnc *nnc, const char *triple, const char *cpu, Target *out);

/** Its properties alone. */
bool target_facts(Nnc *nnc, const char *triple, const char *cpu, Machine *out);

/** Completes a target before code is made for it: asks LLVM about the CPU at hand. */
void target_prepare(Nnc *nnc, Target *t);

/** Adds what code for the target depends on of its CPU, in one line. */
void target_cpu(Nnc *nnc, Target *t, Str *out);

/** Adds all that code for the target depends on, beside what it is made from. */
void target_identity(Nnc *nnc, Target *t, Str *out);

#endif
