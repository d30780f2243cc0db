/* The CPU that code is made for. */
#ifndef LLVM_TARGET_H
#define LLVM_TARGET_H

#include "compiler/llvm/llvm.h"

#include <llvm-c/TargetMachine.h>

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
    bool runs_here; /* on the machine at hand */
} Target;

/** The target that the command line names; see llvm_machine(). False after a diagnostic. */
bool target_find(Nnc *nnc, const char *triple, const char *cpu, Target *out);

/** LLVM's own description, to be given back with LLVMDisposeTargetMachine. */
LLVMTargetMachineRef target_machine(const Target *t, bool position_independent);

#endif
