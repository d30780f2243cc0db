/* Code in memory: an object is made as for a file and handed to LLVM's linker. */
#include "compiler/llvm/emit.h"
#include "compiler/llvm/module.h"

#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <stdlib.h>

struct JitCode {
    LLVMOrcLLJITRef jit;
    UnitFunction *functions;
};

/* The units as an object, the symbols of their entries, and the machine: the first and the last are the caller's. */
static LLVMMemoryBufferRef compile(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, const char **symbols,
                                   LLVMTargetMachineRef *machine) {
    Target target;
    if (!target_find(nnc, NULL, cpu, &target)) return NULL;
    if (!target.runs_here) {
        diag(nnc, (Span){0}, DIAG_cpu_foreign, cpu);
        return NULL;
    }
    *machine = target_machine(&target, true);
    L l;
    module_begin(&l, &target, *machine, "nnc");
    for (int i = 0; i < n; i++) { /* LLVM adds a number where two units have the same name */
        size_t len;
        const char *symbol = LLVMGetValueName2(emit_unit(&l, units[i], false), &len);
        symbols[i] = arena_copy(nnc->arena, symbol, len + 1);
    }
    module_optimize(&l, *machine);
    LLVMMemoryBufferRef object = NULL;
    char *why = NULL;
    if (LLVMTargetMachineEmitToMemoryBuffer(*machine, l.module, LLVMObjectFile, &why, &object))
        bug("LLVM emits no object: %s", why);
    module_free(&l);
    return object;
}

static void check(LLVMErrorRef error, const char *what) {
    if (error) bug("%s: %s", what, LLVMGetErrorMessage(error));
}

/* memcpy and memset, which LLVM may call, come from this process. */
static void add_process_symbols(LLVMOrcLLJITRef jit) {
    LLVMOrcDefinitionGeneratorRef symbols;
    check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&symbols, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL),
          "symbols of this process");
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), symbols);
}

JitCode *llvm_jit(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu) {
    const char **symbols = ARENA_ARRAY(nnc->arena, const char *, n);
    LLVMTargetMachineRef machine;
    LLVMMemoryBufferRef object = compile(nnc, units, n, cpu, symbols, &machine);
    if (!object) return NULL;
    JitCode *code = xcalloc(1, sizeof *code);
    /* the machine belongs to the builder, the builder to the JIT; without it LLVM would look at the CPU once more */
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder,
                                                  LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    check(LLVMOrcCreateLLJIT(&code->jit, builder), "starting the JIT");
    add_process_symbols(code->jit);
    /* the object belongs to the JIT from here on */
    check(LLVMOrcLLJITAddObjectFile(code->jit, LLVMOrcLLJITGetMainJITDylib(code->jit), object), "linking");
    code->functions = xcalloc((size_t)n, sizeof *code->functions);
    for (int i = 0; i < n; i++) {
        LLVMOrcExecutorAddress address;
        check(LLVMOrcLLJITLookup(code->jit, &address, symbols[i]), symbols[i]);
        code->functions[i] = (UnitFunction)(uintptr_t)address;
    }
    return code;
}

UnitFunction jit_function(const JitCode *code, int unit) { return code->functions[unit]; }

void jit_free(JitCode *code) {
    if (!code) return;
    check(LLVMOrcDisposeLLJIT(code->jit), "ending the JIT");
    free(code->functions);
    free(code);
}
