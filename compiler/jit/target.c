/* CPUs: names, and what they have. */
#include "compiler/jit/backend.h"

#include <string.h>
#include <unistd.h>
#if defined __x86_64__
#include <cpuid.h>
#endif

/* What the CPUs of an architecture have, each level all that is before it. */
typedef enum { SSE2, SSE4, AVX, AVX2, AVX512, NEON, RV64, SIMD128, PLAIN } Level;

static const struct {
    Arch arch;
    Level level;
    const char *name;
} cpus[] = {
#define CPU(arch, level, name) {ARCH_##arch, level, name},
#include "compiler/jit/cpus.def"
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

Arch target_host(void) { return arch_of(NNC_HOST_TRIPLE); }

static Level host_level(void) {
#if defined __x86_64__
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")) {
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                       __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")
                   ? AVX512
                   : AVX2;
    }
    return __builtin_cpu_supports("avx") ? AVX : __builtin_cpu_supports("sse4.1") ? SSE4 : SSE2;
#elif defined __aarch64__
    return NEON;
#elif defined __riscv
    return RV64;
#else
    return PLAIN;
#endif
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
        .broadcast = !x86 || level >= AVX,
    };
    t->rounding = (x86 && level >= SSE4) || level == NEON || level == SIMD128;
    t->halves = level == AVX2 || level == AVX512 || level == NEON;
    t->masks = x86 && level >= AVX;
    t->all_masks = t->gathers = level == AVX512;
}

/* ---- the whole ---- */

static bool bad_target(Nnc *nnc, const char *triple) {
    Diag *d = diag(nnc, (Span){0}, DIAG_target_unknown, triple);
    diag_help(nnc, d,
              "a target is a triple such as x86_64-linux-gnu, aarch64-linux-gnu, riscv64-linux-gnu or wasm32-wasi");
    return false;
}

/* Whether a CPU of the host's architecture is the one at hand. */
static bool is_native(Nnc *nnc, const char *triple, const char *cpu) {
    if (!cpu) return !triple;
    return strcmp(cpu, "native") == 0 || strcmp(cpu, backend()->host_cpu(nnc)) == 0;
}

bool target_find(Nnc *nnc, const char *triple, const char *cpu, Target *out) {
    *out = (Target){.triple = triple ? backend()->triple(nnc, triple) : NNC_HOST_TRIPLE, .features = ""};
    out->arch = out->triple ? arch_of(out->triple) : ARCH_OTHER;
    if (out->arch == ARCH_OTHER) return bad_target(nnc, triple ? triple : out->triple);
    bool at_home = target_host() == out->arch;
    Level level = host_level();
    out->native = at_home && is_native(nnc, triple, cpu);
    if (!out->native && !named_cpu(nnc, cpu, out, &level)) return false;
    set_facts(out, level, out->native);
    out->runs_here = at_home && level <= host_level();
    if (out->arch == ARCH_RISCV) out->abi = "lp64d";
    if (out->arch == ARCH_RISCV && !out->native) out->features = "+m,+a,+f,+d,+c";
    if (out->arch == ARCH_WASM) out->features = "+simd128";
    return true;
}

void target_prepare(Nnc *nnc, Target *t) {
    if (!t->native || t->cpu) return;
    t->cpu = backend()->host_cpu(nnc);
    t->features = backend()->host_features(nnc);
}

/* What LLVM finds out about the CPU at hand depends on what the CPU says about itself. */
static void host_identity(Nnc *nnc, Target *t, Str *out) {
#if defined __x86_64__
    static const unsigned leaves[][2] = {{0, 0},  {7, 0},  {7, 1},          {13, 1},        {20, 0},
                                         {25, 0}, {36, 0}, {0x80000001, 0}, {0x80000008, 0}};
    unsigned a, b, c, d;
    (void)nnc, (void)t;
    if (__get_cpuid(1, &a, &b, &c, &d)) str_add(out, "%x %x %x", a, c, d); /* b: which core this is */
    for (size_t i = 0; i < COUNT(leaves); i++)
        if (__get_cpuid_count(leaves[i][0], leaves[i][1], &a, &b, &c, &d)) str_add(out, " %x %x %x %x", a, b, c, d);
    str_add(out, " %d", (int)host_level()); /* and on what the system lets programs use */
#else
    target_prepare(nnc, t);
    str_add(out, "%s, %s", t->cpu, t->features);
#endif
}

void target_cpu(Nnc *nnc, Target *t, Str *out) {
    if (t->native)
        host_identity(nnc, t, out);
    else
        str_add(out, "%s, %s", t->cpu, t->features);
}

void target_identity(Nnc *nnc, Target *t, Str *out) {
    str_add(out, "nnc %s, LLVM %s, %s, ", NNC_VERSION, NNC_LLVM_VERSION, t->triple);
    target_cpu(nnc, t, out);
    str_add(out, "\n");
}

bool target_facts(Nnc *nnc, const char *triple, const char *cpu, Machine *out) {
    Target t;
    if (!target_find(nnc, triple, cpu, &t)) return false;
    *out = t.machine;
    return true;
}
