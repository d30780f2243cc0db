/* Objects, assembly and textual IR, as files. */
#include "compiler/llvm/emit.h"
#include "compiler/llvm/module.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the C functions around the units ---- */

/* bases[] of loop.h from the C function's arguments (inputs, results, scratch) and the variables' data */
static void fill_bases(const L *l, V f, int narrays, V variables, V bases) {
    l_store(l, LLVMGetParam(f, (unsigned)narrays), l_gep(l, l->ptr, bases, l_i64(l, BASE_ARENA)), 0);
    l_store(l, variables, l_gep(l, l->ptr, bases, l_i64(l, BASE_VARIABLES)), 0);
    for (int i = 0; i < narrays; i++)
        l_store(l, LLVMGetParam(f, (unsigned)i), l_gep(l, l->ptr, bases, l_i64(l, BASE_FIRST_INPUT + i)), 0);
}

static void emit_entry(const L *l, const ObjectEntry *entry, V unit, V variables) {
    int narrays = entry->unit->ninputs + entry->unit->nresults;
    LLVMTypeRef *params = xcalloc((size_t)narrays + 1, sizeof *params);
    for (int i = 0; i <= narrays; i++) params[i] = l->ptr;
    LLVMTypeRef type = LLVMFunctionType(l->none, params, (unsigned)narrays + 1, false);
    V f = l_new_function(l, entry->symbol, type, false);
    free(params);
    l_at(l, LLVMAppendBasicBlockInContext(l->ctx, f, "entry"));
    V bases = l_alloca(l, l->ptr, BASE_FIRST_INPUT + narrays, 8, "bases");
    fill_bases(l, f, narrays, variables, bases);
    LLVMBuildCall2(l->b, LLVMFunctionType(l->none, (LLVMTypeRef[]){l->ptr}, 1, false), unit, &bases, 1, "");
    LLVMBuildRetVoid(l->b);
}

static V constant_variables(const L *l, const void *bytes, int64_t size) {
    if (!size) return LLVMConstNull(l->ptr);
    V data = LLVMConstStringInContext2(l->ctx, bytes, (size_t)size, true);
    V g = LLVMAddGlobal(l->module, LLVMTypeOf(data), "variables");
    LLVMSetInitializer(g, data);
    LLVMSetLinkage(g, LLVMInternalLinkage);
    LLVMSetGlobalConstant(g, true);
    LLVMSetAlignment(g, 64);
    return g;
}

/* A unit with all its kernels; the number tells apart units of one name. */
static V emit_whole(const L *l, const LoopUnit *unit, int number, bool internal) {
    const char *symbol = arena_printf(unit->nnc->arena, "%s.%d", unit->name, number);
    emit_kernels(l, unit, symbol, true);
    return emit_unit(l, unit, symbol, internal);
}

/* Units that several entries share are emitted once. */
static void emit_entries(const L *l, const ObjectEntry *entries, int n, V variables) {
    V *units = xcalloc((size_t)n, sizeof *units);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < i && !units[i]; j++)
            if (entries[j].unit == entries[i].unit) units[i] = units[j];
        if (!units[i]) units[i] = emit_whole(l, entries[i].unit, i, true);
        emit_entry(l, &entries[i], units[i], variables);
    }
    free(units);
}

/* ---- files ---- */

static bool write_file(Nnc *nnc, const char *path, const char *bytes, size_t n) {
    FILE *out = fopen(path, "wb");
    bool ok = out && fwrite(bytes, 1, n, out) == n;
    int why = errno;
    if (out && fclose(out) != 0 && ok) ok = false, why = errno;
    if (!ok) diag(nnc, (Span){0}, DIAG_output_failed, path, strerror(why));
    return ok;
}

/* The module as bytes, which the caller gives back. */
static LLVMMemoryBufferRef render(const L *l, LLVMTargetMachineRef machine, EmitKind kind) {
    if (kind == EMIT_LLVM) {
        char *text = LLVMPrintModuleToString(l->module);
        LLVMMemoryBufferRef copy = LLVMCreateMemoryBufferWithMemoryRangeCopy(text, strlen(text), "module");
        LLVMDisposeMessage(text);
        return copy;
    }
    LLVMMemoryBufferRef out = NULL;
    char *why = NULL;
    LLVMCodeGenFileType type = kind == EMIT_ASM ? LLVMAssemblyFile : LLVMObjectFile;
    if (LLVMTargetMachineEmitToMemoryBuffer(machine, l->module, type, &why, &out)) bug("LLVM emits nothing: %s", why);
    return out;
}

bool llvm_object(Nnc *nnc, const ObjectEntry *entries, int n, const void *variables, int64_t variable_bytes,
                 const char *triple, const char *cpu, EmitKind kind, const char *path) {
    Target target;
    if (!target_find(nnc, triple, cpu, &target)) return false;
    target_prepare(nnc, &target);
    module_options(target.arch);
    LLVMTargetMachineRef machine = module_machine(&target, LLVMCodeGenLevelDefault);
    L l;
    module_begin(&l, &target, machine, "nnc");
    emit_entries(&l, entries, n, constant_variables(&l, variables, variable_bytes));
    module_optimize(&l, machine);
    LLVMMemoryBufferRef bytes = render(&l, machine, kind);
    bool ok = write_file(nnc, path, LLVMGetBufferStart(bytes), LLVMGetBufferSize(bytes));
    LLVMDisposeMemoryBuffer(bytes);
    module_free(&l);
    LLVMDisposeTargetMachine(machine);
    return ok;
}

bool llvm_dump(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, EmitKind kind, FILE *out) {
    Target target;
    if (!target_find(nnc, NULL, cpu, &target)) return false;
    target_prepare(nnc, &target);
    module_options(target.arch);
    LLVMTargetMachineRef machine = module_machine(&target, LLVMCodeGenLevelDefault);
    L l;
    module_begin(&l, &target, machine, "nnc");
    for (int i = 0; i < n; i++) emit_whole(&l, units[i], i, false);
    module_optimize(&l, machine);
    LLVMMemoryBufferRef bytes = render(&l, machine, kind);
    bool ok = fwrite(LLVMGetBufferStart(bytes), 1, LLVMGetBufferSize(bytes), out) == LLVMGetBufferSize(bytes);
    LLVMDisposeMemoryBuffer(bytes);
    module_free(&l);
    LLVMDisposeTargetMachine(machine);
    return ok;
}
