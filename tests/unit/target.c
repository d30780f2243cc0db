/* links: nnc_linked nnc_loop nnc_reference nnc_ir dl */
/* CPUs by name, and objects for them. */
#include "tests/unit/kernels.h"

#include <dlfcn.h>

/* Tests use a nest under the name n. */
#define NEST                                                                                                           \
    Nest nest, *n = &nest;                                                                                             \
    nest_begin(n)

/* ---- targets ---- */

Test(target, machines) {
    static const struct {
        const char *triple, *cpu;
        int bytes, registers;
        bool fma, broadcast;
    } rows[] = {
        {"x86_64-linux-gnu", NULL, 16, 16, false, false},
        {"x86_64-linux-gnu", "x86-64-v2", 16, 16, false, false},
        {"x86_64-linux-gnu", "x86-64-v3", 32, 16, true, true},
        {"x86_64-linux-gnu", "x86-64-v4", 64, 32, true, true},
        {"x86_64-linux-gnu", "skylake-avx512", 64, 32, true, true},
        {"aarch64-linux-gnu", NULL, 16, 32, true, true},
        {"aarch64-apple-darwin", "apple-m1", 16, 32, true, true},
        {"riscv64-linux-gnu", NULL, 16, 32, true, true},
        {"wasm32-wasi", NULL, 16, 32, false, true},
    };
    Nnc *nnc = nnc_new();
    for (size_t i = 0; i < COUNT(rows); i++) {
        Machine m;
        cr_assert(target_facts(nnc, rows[i].triple, rows[i].cpu, &m));
        cr_expect_eq(m.vector_bytes, rows[i].bytes, "%s %d", rows[i].triple, m.vector_bytes);
        cr_expect_eq(m.registers, rows[i].registers, "%s %d", rows[i].triple, m.registers);
        cr_expect_eq(m.fma, rows[i].fma);
        cr_expect_eq(m.broadcast, rows[i].broadcast);
        cr_expect(m.l1 >= 1 << 13 && m.l2 >= m.l1);
    }
    nnc_free(nnc);
}

static void expect_refused(const char *triple, const char *cpu, DiagId id, const char *help) {
    Nnc *nnc = nnc_new();
    Machine m;
    cr_expect_not(target_facts(nnc, triple, cpu, &m));
    cr_assert_eq(nnc->diags.list.len, 1);
    const Diag *d = nnc->diags.list.at[0];
    cr_expect_eq(d->id, id);
    cr_expect(d->helps.len && strstr(d->helps.at[0], help), "%s", d->helps.len ? d->helps.at[0] : "no help");
    nnc_free(nnc);
}

Test(target, unknown_targets) {
    expect_refused("x86_64-linux-gnu", "skylke", DIAG_cpu_unknown, "skylake");
    expect_refused("aarch64-linux-gnu", "x86-64-v3", DIAG_cpu_unknown, "cortex");
    expect_refused("aarch64-linux-gnu", "native", DIAG_cpu_unknown, "cortex");
    expect_refused("pdp11-unknown-none", NULL, DIAG_target_unknown, "x86_64-linux-gnu");
}

/* ---- objects ---- */

static char *file_text(const char *path) {
    FILE *f = fopen(path, "rb");
    cr_assert_not_null(f);
    Str s = {0};
    char part[4096];
    for (size_t got; (got = fread(part, 1, sizeof part, f)) > 0;) str_put(&s, part, got);
    fclose(f);
    return s.at;
}

/* every function of the mathematics needs no library */
static Nest everything(DType t, int lanes) {
    NEST;
    int x = array(n, t, 100), y = array(n, t, 100);
    static const ExKind ops[] = {EX_FLOOR, EX_ROUND, EX_SQRT, EX_EXP,  EX_LOG,   EX_SIN,   EX_TAN,
                                 EX_ATAN,  EX_TANH,  EX_ERF,  EX_CEIL, EX_TRUNC, EX_LOG1P, EX_EXPM1};
    loop(n, FOR_VECTOR, 1, 100, lanes, NULL);
    Ex v = fetch(n, x, AT(0, 1, 1));
    for (size_t i = 0; i < COUNT(ops); i++) v = ex_op(n->g, ops[i], v, 0, 0);
    v = ex_op(n->g, EX_POW, v, fetch(n, x, AT(99, -1, 1)), 0);
    v = ex_cast(n->g, t, ex_cast(n->g, DT_F16, ex_cast(n->g, t, ex_cast(n->g, DT_BF16, v))));
    v = ex_op(n->g, EX_ADD, v, ex_cast(n->g, t, ex_cast(n->g, DT_I64, v)), 0);
    store(n, y, AT(0, 1, 1), v);
    return nest;
}

Test(target, objects_are_freestanding) {
    static const struct {
        const char *triple, *cpu;
    } targets[] = {{"x86_64-linux-gnu", NULL},        {"x86_64-linux-gnu", "x86-64-v3"},
                   {"x86_64-linux-gnu", "x86-64-v4"}, {"aarch64-linux-gnu", NULL},
                   {"riscv64-linux-gnu", NULL},       {"wasm32-wasi", NULL},
                   {"x86_64-pc-windows-msvc", NULL}};
    for (size_t i = 0; i < COUNT(targets); i++) {
        Nest n = everything(i % 2 ? DT_F32 : DT_F64, 4);
        finish(&n);
        char path[] = "/tmp/nnc-emit-XXXXXX";
        int fd = mkstemp(path);
        cr_assert(fd >= 0);
        ObjectEntry entry = {&n.unit, "apply"};
        cr_assert(llvm_object(n.nnc, &entry, 1, "abcd", 4, targets[i].triple, targets[i].cpu, EMIT_LLVM, path));
        char *text = file_text(path);
        for (char *line = strstr(text, "\ndeclare"); line; line = strstr(line + 1, "\ndeclare"))
            cr_expect(strstr(line, "@llvm.") && strstr(line, "@llvm.") < strchr(line + 1, '\n'), "%s: %.80s",
                      targets[i].triple, line);
        free(text);
        cr_assert(llvm_object(n.nnc, &entry, 1, "abcd", 4, targets[i].triple, targets[i].cpu, EMIT_ASM, path));
        text = file_text(path);
        static const char *const libraries[] = {"floor", "fma",     "exp",       "__ext",    "__trunc",
                                                "__fix", "__float", "roundeven", "nearbyint"};
        for (size_t k = 0; k < COUNT(libraries); k++)
            for (char *at = strstr(text, "call"); at; at = strstr(at + 1, "call")) {
                char *end = strchr(at, '\n'), *hit = strstr(at, libraries[k]);
                cr_expect(!hit || hit > end, "%s: %.*s", targets[i].triple, (int)(end - at), at);
            }
        free(text);
        remove(path);
        nest_end(&n);
    }
}

static Nest squares(void) {
    NEST;
    int x = array(n, DT_F32, 1000), y = array(n, DT_F32, 1000);
    n->kernel.tiles = 10;
    loop(n, FOR_VECTOR, 1, 100, 8, NULL);
    Ex v = fetch(n, x, AT(0, 100, 0, 1, 1));
    store(n, y, AT(0, 100, 0, 1, 1), ex_op(n->g, EX_MUL, v, v, 0));
    return nest;
}

Test(target, unwritable_file) {
    Nest n = squares();
    finish(&n);
    ObjectEntry entry = {&n.unit, "squares"};
    cr_expect_not(llvm_object(n.nnc, &entry, 1, NULL, 0, NULL, NULL, EMIT_OBJECT, "/nowhere/at/all.o"));
    cr_expect_eq(n.nnc->diags.list.at[0]->id, DIAG_output_failed);
    nest_end(&n);
}

/* An object becomes a library, without libc, whose function is called. */
Test(target, object_is_called) {
    NEST;
    int x = array(n, DT_F32, 100), y = array(n, DT_F32, 100);
    vec_push(&n->unit.buffers,
             (Buffer){.kind = BUF_MEMORY, .dtype = DT_F32, .base = BASE_VARIABLES, .offset = 64, .elems = 2});
    vec_push(&n->unit.buffers,
             (Buffer){.kind = BUF_MEMORY, .dtype = DT_F32, .base = BASE_ARENA, .offset = 128, .elems = 100});
    n->unit.arena_bytes = 1024;
    loop(n, FOR_VECTOR, 1, 100, 8, NULL);
    store(n, 3, AT(0, 1, 1), ex_op(n->g, EX_MUL, fetch(n, x, AT(0, 1, 1)), fetch(n, 2, AT(1)), 0));
    store(n, y, AT(0, 1, 1), ex_op(n->g, EX_ADD, fetch(n, 3, AT(0, 1, 1)), fetch(n, 2, AT(0)), 0));
    finish(n);
    float variables[18] = {[16] = 0.5f, [17] = 3}, in[100], out[100];
    ObjectEntry entries[] = {{&n->unit, "first"}, {&n->unit, "second"}};
    char folder[] = "/tmp/nnc-target-XXXXXX";
    cr_assert_not_null(mkdtemp(folder));
    char *object = arena_printf(n->nnc->arena, "%s/m.o", folder),
         *library = arena_printf(n->nnc->arena, "%s/m.so", folder);
    cr_assert(llvm_object(n->nnc, entries, 2, variables, sizeof variables, NULL, NULL, EMIT_OBJECT, object));
    cr_assert_eq(system(arena_printf(n->nnc->arena, "cc -shared -nostdlib -o %s %s", library, object)), 0);
    void *handle = dlopen(library, RTLD_NOW);
    cr_assert_not_null(handle, "%s", dlerror());
    _Alignas(64) char scratch[1024];
    for (int i = 0; i < 100; i++) in[i] = (float)i;
    for (int k = 0; k < 2; k++) {
        void (*f)(const float *, float *, void *) =
            (void (*)(const float *, float *, void *))(uintptr_t)dlsym(handle, entries[k].symbol);
        memset(out, 0, sizeof out);
        f(in, out, scratch);
        for (int i = 0; i < 100; i++) cr_expect(out[i] == 3 * in[i] + 0.5f);
    }
    dlclose(handle);
    remove(object), remove(library), remove(folder);
    nest_end(n);
}
