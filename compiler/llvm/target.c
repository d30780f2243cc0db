/* LLVM's side of targets. */
#include "compiler/llvm/module.h"

#include <llvm-c/Core.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <string.h>

static char *keep(Nnc *nnc, char *message) {
    char *copy = arena_copy(nnc->arena, message, strlen(message) + 1);
    LLVMDisposeMessage(message);
    return copy;
}

const char *llvm_triple(Nnc *nnc, const char *triple) {
    LLVMTargetRef target;
    char *why = NULL;
#define INITIALIZE(target)                                                                                             \
    LLVMInitialize##target##TargetInfo(), LLVMInitialize##target##Target(), LLVMInitialize##target##TargetMC(),        \
        LLVMInitialize##target##AsmPrinter()
    INITIALIZE(X86), INITIALIZE(AArch64), INITIALIZE(RISCV), INITIALIZE(WebAssembly);
#undef INITIALIZE
    const char *own = keep(nnc, LLVMNormalizeTargetTriple(triple));
    bool known = !LLVMGetTargetFromTriple(own, &target, &why);
    if (why) LLVMDisposeMessage(why);
    return known && LLVMTargetHasTargetMachine(target) ? own : NULL;
}

const char *llvm_host_cpu(Nnc *nnc) { return keep(nnc, LLVMGetHostCPUName()); }
const char *llvm_host_features(Nnc *nnc) { return keep(nnc, LLVMGetHostCPUFeatures()); }

LLVMTargetMachineRef module_machine(const Target *t, LLVMCodeGenOptLevel level) {
    LLVMTargetRef target;
    char *why = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &target, &why)) bug("target '%s': %s", t->triple, why);
    LLVMTargetMachineOptionsRef o = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(o, t->cpu);
    LLVMTargetMachineOptionsSetFeatures(o, t->features);
    if (t->abi) LLVMTargetMachineOptionsSetABI(o, t->abi);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(o, level);
    LLVMTargetMachineOptionsSetRelocMode(o, LLVMRelocPIC);
    LLVMTargetMachineRef machine = LLVMCreateTargetMachineWithOptions(target, t->triple, o);
    LLVMDisposeTargetMachineOptions(o);
    return machine;
}

void module_options(Arch arch) {
    const char *x86[] = {"nnc", "-disable-lsr=1", "-x86-experimental-pref-innermost-loop-alignment=6",
                         "-x86-align-branch-boundary=64", "-x86-align-branch=fused+jcc"};
    const char *others[] = {"nnc", "-disable-lsr=0"};
    if (arch == ARCH_X86)
        LLVMParseCommandLineOptions(COUNT(x86), x86, NULL);
    else
        LLVMParseCommandLineOptions(COUNT(others), others, NULL);
}

const Backend *llvm_backend(void) {
    static const Backend table = {llvm_triple,     llvm_host_cpu, llvm_host_features, llvm_maker,
                                  llvm_maker_free, llvm_kernels,  llvm_object,        llvm_dump};
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
    module_options(target_host());
    return &table;
}
