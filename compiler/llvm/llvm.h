/* The fence around LLVM: nothing outside this folder includes llvm-c. Loop nests go in; functions, objects, assembly
 * and textual LLVM IR come out. */
#ifndef LLVM_FENCE_H
#define LLVM_FENCE_H

#include "compiler/jit/backend.h"

/** The functions of Backend. */
const char *llvm_triple(Nnc *nnc, const char *triple);
const char *llvm_host_cpu(Nnc *nnc);
const char *llvm_host_features(Nnc *nnc);
KernelMaker *llvm_maker(const Target *target);
void llvm_maker_free(KernelMaker *maker);
char *llvm_kernels(KernelMaker *maker, const KernelBytes *kernels, size_t n, bool plain, size_t *size);
bool llvm_object(Nnc *nnc, const ObjectEntry *entries, int n, const void *variables, int64_t variable_bytes,
                 const char *triple, const char *cpu, EmitKind kind, const char *path);
bool llvm_dump(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, EmitKind kind, FILE *out);

/** All of them. */
const Backend *llvm_backend(void);

#endif
