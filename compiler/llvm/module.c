/* The passes: few, since what is emitted is vectorized and tiled already. */
#include "compiler/llvm/module.h"

#include "compiler/loop/kernel_bytes.h"

#include <llvm-c/Analysis.h>
#include <llvm-c/Error.h>
#include <llvm-c/Target.h>
#include <llvm-c/Transforms/PassBuilder.h>
#include <stdlib.h>
#include <string.h>

void module_begin(L *l, const Target *target, LLVMTargetMachineRef machine, const char *name) {
    l_begin(l, LLVMContextCreate(), target, name);
    LLVMSetTarget(l->module, target->triple);
    LLVMTargetDataRef layout = LLVMCreateTargetDataLayout(machine);
    LLVMSetModuleDataLayout(l->module, layout);
    LLVMDisposeTargetData(layout);
    if (target->abi) {
        LLVMMetadataRef abi = LLVMMDStringInContext2(l->ctx, target->abi, __builtin_strlen(target->abi));
        LLVMAddModuleFlag(l->module, LLVMModuleFlagBehaviorError, "target-abi", 10, abi);
    }
}

/* Registers first (sroa), then equal computations, and what does not change out of the loops. instcombine is left out
 * on purpose: what is emitted gains nothing from it, and LLVM 19's is wrong about NaN next to fabs (it takes `x != x or
 * |x| > c` for `not (x <= c)`). */
static const char passes[] = "function(sroa,early-cse<memssa>,simplifycfg,loop-mssa(licm<allowspeculation>),"
                             "early-cse<memssa>,simplifycfg)";

void module_optimize(const L *l, LLVMTargetMachineRef machine) {
#ifndef NDEBUG
    char *wrong = NULL;
    if (LLVMVerifyModule(l->module, LLVMReturnStatusAction, &wrong)) bug("emitted invalid LLVM IR: %s", wrong);
    LLVMDisposeMessage(wrong);
#endif
    LLVMPassBuilderOptionsRef o = LLVMCreatePassBuilderOptions();
    LLVMErrorRef error = LLVMRunPasses(l->module, passes, machine, o);
    LLVMDisposePassBuilderOptions(o);
    if (error) bug("LLVM's passes: %s", LLVMGetErrorMessage(error));
}

void module_free(L *l) {
    l_end(l);
    LLVMDisposeModule(l->module);
    LLVMContextDispose(l->ctx);
}

/* LLVM's description of the CPU takes as long to make as a small kernel. */
struct KernelMaker {
    const Target *target;
    LLVMTargetMachineRef machines[2]; /* the second for plain kernels; NULL until needed */
};

KernelMaker *llvm_maker(const Target *target) {
    KernelMaker *m = xcalloc(1, sizeof *m);
    m->target = target;
    return m;
}

void llvm_maker_free(KernelMaker *m) {
    for (size_t i = 0; i < COUNT(m->machines); i++)
        if (m->machines[i]) LLVMDisposeTargetMachine(m->machines[i]);
    free(m);
}

static LLVMTargetMachineRef machine_of(KernelMaker *m, bool plain) {
    LLVMTargetMachineRef *machine = &m->machines[plain];
    if (!*machine) *machine = module_machine(m->target, plain ? LLVMCodeGenLevelNone : LLVMCodeGenLevelDefault);
    return *machine;
}

char *llvm_kernels(KernelMaker *m, const KernelBytes *kernels, size_t n, bool plain, size_t *size) {
    Nnc *nnc = nnc_new();
    LLVMTargetMachineRef machine = machine_of(m, plain);
    L l;
    module_begin(&l, m->target, machine, "nnc");
    LLVMContextSetDiscardValueNames(l.ctx, true);
    for (size_t i = 0; i < n; i++)
        emit_kernels(&l, loop_kernel_read(nnc, kernels[i].at, kernels[i].len), arena_printf(nnc->arena, "%zu", i),
                     false);
    module_optimize(&l, machine);
    LLVMMemoryBufferRef object;
    char *why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, l.module, LLVMObjectFile, &why, &object))
        bug("LLVM emits no object: %s", why);
    *size = LLVMGetBufferSize(object);
    char *copy = memcpy(xcalloc(*size, 1), LLVMGetBufferStart(object), *size);
    LLVMDisposeMemoryBuffer(object);
    module_free(&l);
    nnc_free(nnc);
    return copy;
}
