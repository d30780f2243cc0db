/* Code in memory: objects are made as for files and handed to LLVM's linker. Units are cut into parts of a few kernels,
 * each a module of its own, so that all processors can work on them. */
#include "compiler/llvm/cache.h"
#include "compiler/llvm/emit.h"
#include "compiler/llvm/module.h"

#include "runtime/pool.h"

#include <llvm-c/BitWriter.h>
#include <llvm-c/Error.h>
#include <llvm-c/LLJIT.h>
#include <stdlib.h>

enum { PART_KERNELS = 12, CACHE_BYTES = 256 << 20 };

struct JitCode {
    LLVMOrcLLJITRef jit;
    LoopUnit *const *units;
    const char **symbols; /* of the units */
};

typedef struct {
    L l;
    LLVMTargetMachineRef machine;
    LLVMMemoryBufferRef object;
    bool compiled; /* rather than found in the cache */
} Part;

typedef struct {
    Part *at;
    size_t len, cap;
    const Target *target;
    char *cache; /* its folder, or NULL */
} Parts;

static void check(LLVMErrorRef error, const char *what) {
    if (error) bug("%s: %s", what, LLVMGetErrorMessage(error));
}

/* ---- parts ---- */

/* The unit's kernels in parts, the entry with the last of them. */
static void add_parts(Parts *parts, const Target *target, const LoopUnit *unit, const char *symbol) {
    size_t from = 0, n = unit->kernels.len;
    do {
        size_t to = MIN(from + PART_KERNELS, n);
        Part p = {.machine = target_machine(target, true)};
        module_begin(&p.l, target, p.machine, "nnc");
        emit_kernels(&p.l, unit, symbol, from, to, false);
        if (to == n) emit_unit(&p.l, unit, symbol, false);
        vec_push(parts, p);
        from = to;
    } while (from < n);
}

static LLVMMemoryBufferRef make_object(const Part *p) {
    LLVMMemoryBufferRef object;
    char *why = NULL;
    module_optimize(&p->l, p->machine);
    if (LLVMTargetMachineEmitToMemoryBuffer(p->machine, p->l.module, LLVMObjectFile, &why, &object))
        bug("LLVM emits no object: %s", why);
    return object;
}

/* One part's passes and object, or the object that was kept; parts share nothing, so that they can be made at once. */
static void compile_part(void *parts, int64_t number) {
    const Parts *all = parts;
    Part *p = &all->at[number];
    LLVMMemoryBufferRef code = all->cache ? LLVMWriteBitcodeToMemoryBuffer(p->l.module) : NULL;
    p->object = code ? cache_find(all->cache, all->target, code) : NULL;
    p->compiled = !p->object;
    if (p->compiled) p->object = make_object(p);
    if (p->compiled && code) cache_keep(all->cache, all->target, code, p->object);
    if (code) LLVMDisposeMemoryBuffer(code);
    module_free(&p->l);
}

static void compile_parts(Parts *parts) {
    RtPool *pool = parts->len > 1 ? rt_pool_new(0) : NULL;
    rt_parallel(pool, compile_part, parts, (int64_t)parts->len);
    rt_pool_free(pool);
    bool grown = false;
    for (size_t i = 0; i < parts->len; i++) grown |= parts->at[i].compiled;
    if (grown && parts->cache) cache_trim(parts->cache, CACHE_BYTES);
}

/* ---- linking ---- */

/* The JIT for the machine, which it takes over; without that LLVM would look at the CPU once more. */
static LLVMOrcLLJITRef new_jit(LLVMTargetMachineRef machine) {
    LLVMOrcLLJITBuilderRef builder = LLVMOrcCreateLLJITBuilder();
    LLVMOrcLLJITBuilderSetJITTargetMachineBuilder(builder,
                                                  LLVMOrcJITTargetMachineBuilderCreateFromTargetMachine(machine));
    LLVMOrcLLJITRef jit;
    check(LLVMOrcCreateLLJIT(&jit, builder), "starting the JIT");
    /* memcpy and memset, which LLVM may call, come from this process */
    LLVMOrcDefinitionGeneratorRef symbols;
    check(LLVMOrcCreateDynamicLibrarySearchGeneratorForProcess(&symbols, LLVMOrcLLJITGetGlobalPrefix(jit), NULL, NULL),
          "symbols of this process");
    LLVMOrcJITDylibAddGenerator(LLVMOrcLLJITGetMainJITDylib(jit), symbols);
    return jit;
}

/* Each object belongs to the JIT from here on. */
static LLVMOrcLLJITRef link_parts(const Parts *parts) {
    LLVMOrcLLJITRef jit = new_jit(parts->at[0].machine);
    for (size_t i = 0; i < parts->len; i++) {
        if (i) LLVMDisposeTargetMachine(parts->at[i].machine);
        check(LLVMOrcLLJITAddObjectFile(jit, LLVMOrcLLJITGetMainJITDylib(jit), parts->at[i].object), "linking");
    }
    return jit;
}

/* ---- the whole ---- */

JitCode *llvm_jit(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, bool cached) {
    Target target;
    if (!target_find(nnc, NULL, cpu, &target)) return NULL;
    if (!target.runs_here) {
        diag(nnc, (Span){0}, DIAG_cpu_foreign, cpu);
        return NULL;
    }
    const char **symbols = ARENA_ARRAY(nnc->arena, const char *, n);
    Parts parts = {.target = &target, .cache = cached ? cache_folder() : NULL};
    for (int i = 0; i < n; i++) {
        symbols[i] = arena_printf(nnc->arena, "%s.%d", units[i]->name, i); /* several may have one name */
        add_parts(&parts, &target, units[i], symbols[i]);
    }
    JitCode *code = xcalloc(1, sizeof *code);
    code->units = arena_copy(nnc->arena, units, (size_t)n * sizeof *units);
    code->symbols = symbols;
    if (n) {
        compile_parts(&parts);
        code->jit = link_parts(&parts);
    }
    free(parts.cache);
    vec_free(&parts);
    return code;
}

static uintptr_t look_up(const JitCode *code, const char *symbol) {
    LLVMOrcExecutorAddress address;
    check(LLVMOrcLLJITLookup(code->jit, &address, symbol), symbol);
    return (uintptr_t)address;
}

UnitFunction jit_function(const JitCode *code, int unit) { return (UnitFunction)look_up(code, code->symbols[unit]); }

KernelFunction jit_kernel(const JitCode *code, int unit, size_t kernel) {
    return (KernelFunction)look_up(code, emit_kernel_symbol(code->units[unit], code->symbols[unit], kernel));
}

void jit_free(JitCode *code) {
    if (!code) return;
    if (code->jit) check(LLVMOrcDisposeLLJIT(code->jit), "ending the JIT");
    free(code);
}
