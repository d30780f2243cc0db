/* CPUs: names, what they have, and LLVM's description of them. */
#include "compiler/llvm/target.h"

#include <llvm-c/Core.h>
#include <llvm-c/Target.h>
#include <string.h>
#include <unistd.h>

/* What the CPUs of an architecture have, each level all that is before it. */
typedef enum { SSE2, SSE4, AVX, AVX2, AVX512, NEON, RV64, SIMD128, PLAIN } Level;

static const struct {
    Arch arch;
    Level level;
    const char *name;
} cpus[] = {
#define CPU(arch, level, name) {ARCH_##arch, level, name},
#include "compiler/llvm/cpus.def"
#undef CPU
};

static Arch arch_of(const char *triple) {
    if (strncmp(triple, "x86_64", 6) == 0 || strncmp(triple, "amd64", 5) == 0) return ARCH_X86;
    if (strncmp(triple, "aarch64", 7) == 0 || strncmp(triple, "arm64", 5) == 0) return ARCH_ARM64;
    if (strncmp(triple, "riscv64", 7) == 0) return ARCH_RISCV;
    if (strncmp(triple, "wasm32", 6) == 0) return ARCH_WASM;
    return ARCH_OTHER;
}

/* ---- the machine at hand ---- */

static char *keep(Nnc *nnc, char *message) {
    char *copy = arena_copy(nnc->arena, message, strlen(message) + 1);
    LLVMDisposeMessage(message);
    return copy;
}

static bool has_feature(const char *features, const char *name) {
    size_t n = strlen(name);
    for (const char *p = features; (p = strstr(p, name)); p += n)
        if (p > features && p[-1] == '+' && (p[n] == ',' || !p[n])) return true;
    return false;
}

static Level host_level(Arch arch, const char *features) {
    if (arch == ARCH_ARM64) return NEON;
    if (arch == ARCH_RISCV) return RV64;
    if (arch != ARCH_X86) return PLAIN;
    bool avx2 = has_feature(features, "avx2") && has_feature(features, "fma") && has_feature(features, "f16c");
    if (avx2 && has_feature(features, "avx512f") && has_feature(features, "avx512bw") &&
        has_feature(features, "avx512vl") && has_feature(features, "avx512dq"))
        return AVX512;
    return avx2 ? AVX2 : has_feature(features, "avx") ? AVX : has_feature(features, "sse4.1") ? SSE4 : SSE2;
}

typedef struct {
    Arch arch;
    Level level;
    const char *cpu, *features;
} Host;

static Host find_host(Nnc *nnc) {
    Host h = {.arch = arch_of(keep(nnc, LLVMGetDefaultTargetTriple()))};
    h.cpu = keep(nnc, LLVMGetHostCPUName());
    h.features = keep(nnc, LLVMGetHostCPUFeatures());
    h.level = host_level(h.arch, h.features);
    return h;
}

static int64_t cache_size(int name, int64_t otherwise) {
    long size = sysconf(name);
    return size > 0 ? size : otherwise;
}

/* ---- names ---- */

static bool bad_cpu(Nnc *nnc, const char *cpu, const char *triple, Arch arch) {
    const char *names[COUNT(cpus)];
    size_t n = 0;
    for (size_t i = 0; i < COUNT(cpus); i++)
        if (cpus[i].arch == arch) names[n++] = cpus[i].name;
    Diag *d = diag(nnc, (Span){0}, DIAG_cpu_unknown, cpu, triple);
    const char *near = diag_nearest(cpu, names, n);
    if (near) diag_help(nnc, d, "did you mean '%s'?", near);
    Str all = {0};
    for (size_t i = 0; i < n; i++) str_add(&all, "%s%s", i ? ", " : "", names[i]);
    if (n) diag_help(nnc, d, "known are: native, %s", all.at);
    vec_free(&all);
    return false;
}

static bool named_cpu(Nnc *nnc, const char *cpu, Target *t, Level *level) {
    for (size_t i = 0; i < COUNT(cpus); i++) {
        if (cpus[i].arch != t->arch || (cpu && strcmp(cpus[i].name, cpu) != 0)) continue;
        t->cpu = cpus[i].name;
        *level = cpus[i].level;
        return true;
    }
    if (cpu) return bad_cpu(nnc, cpu, t->triple, t->arch);
    t->cpu = "";
    *level = PLAIN;
    return true;
}

static void set_facts(Target *t, Level level, bool host) {
    bool x86 = t->arch == ARCH_X86;
    t->machine = (Machine){
        .vector_bytes = level == AVX512                 ? 64
                        : level == AVX || level == AVX2 ? 32
                                                        : 16,
        .registers = x86 && level < AVX512 ? 16 : 32,
        .l1 = host ? cache_size(_SC_LEVEL1_DCACHE_SIZE, 32 << 10) : 32 << 10,
        .l2 = host ? cache_size(_SC_LEVEL2_CACHE_SIZE, 512 << 10) : 512 << 10,
        .fma = level == AVX2 || level == AVX512 || level == NEON || level == RV64,
    };
    t->rounding = (x86 && level >= SSE4) || level == NEON || level == SIMD128;
    t->halves = level == AVX2 || level == AVX512 || level == NEON;
    t->masks = x86 && level >= AVX;
    t->all_masks = t->gathers = level == AVX512;
}

/* ---- the whole ---- */

static void register_targets(void) {
    LLVMInitializeAllTargetInfos();
    LLVMInitializeAllTargets();
    LLVMInitializeAllTargetMCs();
    LLVMInitializeAllAsmPrinters();
}

static void register_host(void) {
    LLVMInitializeNativeTarget();
    LLVMInitializeNativeAsmPrinter();
}

/* The triple in LLVM's own spelling, and its architecture. False after a diagnostic. */
static bool find_triple(Nnc *nnc, const char *triple, Target *out) {
    if (!triple) {
        register_host();
        out->triple = keep(nnc, LLVMGetDefaultTargetTriple());
    } else {
        register_targets();
        out->triple = keep(nnc, LLVMNormalizeTargetTriple(triple));
    }
    out->arch = arch_of(out->triple);
    LLVMTargetRef target;
    char *why = NULL;
    bool known = !LLVMGetTargetFromTriple(out->triple, &target, &why);
    if (why) LLVMDisposeMessage(why);
    if (known && LLVMTargetHasTargetMachine(target) && out->arch != ARCH_OTHER) return true;
    Diag *d = diag(nnc, (Span){0}, DIAG_target_unknown, triple ? triple : out->triple);
    diag_help(nnc, d,
              "a target is a triple such as x86_64-linux-gnu, aarch64-linux-gnu, riscv64-linux-gnu or wasm32-wasi");
    return false;
}

bool target_find(Nnc *nnc, const char *triple, const char *cpu, Target *out) {
    *out = (Target){.features = ""};
    if (!find_triple(nnc, triple, out)) return false;
    bool native = cpu ? strcmp(cpu, "native") == 0 : !triple;
    Host host = find_host(nnc);
    bool at_home = host.arch == out->arch;
    Level level = host.level;
    native = at_home && (native || (cpu && strcmp(cpu, host.cpu) == 0));
    if (native) {
        out->cpu = host.cpu;
        out->features = host.features;
    } else if (!named_cpu(nnc, cpu, out, &level)) {
        return false;
    }
    set_facts(out, level, native);
    out->runs_here = at_home && level <= host.level;
    if (out->arch == ARCH_RISCV) out->abi = "lp64d";
    if (out->arch == ARCH_RISCV && !*out->features) out->features = "+m,+a,+f,+d,+c";
    if (out->arch == ARCH_WASM) out->features = "+simd128";
    return true;
}

LLVMTargetMachineRef target_machine(const Target *t, bool position_independent) {
    LLVMTargetRef target;
    char *why = NULL;
    if (LLVMGetTargetFromTriple(t->triple, &target, &why)) bug("target '%s': %s", t->triple, why);
    LLVMTargetMachineOptionsRef o = LLVMCreateTargetMachineOptions();
    LLVMTargetMachineOptionsSetCPU(o, t->cpu);
    LLVMTargetMachineOptionsSetFeatures(o, t->features);
    if (t->abi) LLVMTargetMachineOptionsSetABI(o, t->abi);
    LLVMTargetMachineOptionsSetCodeGenOptLevel(o, LLVMCodeGenLevelDefault);
    LLVMTargetMachineOptionsSetRelocMode(o, position_independent ? LLVMRelocPIC : LLVMRelocDefault);
    LLVMTargetMachineRef machine = LLVMCreateTargetMachineWithOptions(target, t->triple, o);
    LLVMDisposeTargetMachineOptions(o);
    return machine;
}

bool llvm_machine(Nnc *nnc, const char *triple, const char *cpu, Machine *out) {
    Target t;
    if (!target_find(nnc, triple, cpu, &t)) return false;
    *out = t.machine;
    return true;
}

const char *llvm_version(void) { return LLVM_VERSION_STRING; }

void llvm_host_cpu(Str *out) {
    char *name = LLVMGetHostCPUName();
    str_add(out, "%s", name);
    LLVMDisposeMessage(name);
}
