/* Loop nests made by hand, compiled and called: what the tests of compiler/llvm share. */
#ifndef TESTS_UNIT_KERNELS_H
#define TESTS_UNIT_KERNELS_H

#include "compiler/ir/private.h"
#include "compiler/jit/jit.h"
#include "compiler/llvm/llvm.h"
#include "tests/reference/loop_interp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_VARS = 8, MOST_ARRAYS = 6 };

/* A unit with one kernel in the making. Arrays are inputs of the unit, whether they are read or written. */
typedef struct {
    Nnc *nnc;
    Graph *g;
    LoopUnit unit;
    Kernel kernel;
    int64_t extents[MOST_VARS];
    LoopBody *body; /* where statements go */
} Nest;

static inline void nest_begin(Nest *n) {
    *n = (Nest){.nnc = nnc_new()};
    n->g = ir_graph_new(n->nnc);
    n->unit = (LoopUnit){.nnc = n->nnc, .graph = n->g, .name = "test"};
    n->kernel = (Kernel){.name = "k", .tiles = 1, .nvars = MOST_VARS, .extents = n->extents};
    for (int i = 0; i < MOST_VARS; i++) n->extents[i] = 1;
    n->body = &n->kernel.body;
}

static inline int array(Nest *n, DType t, int64_t elems) {
    vec_push(&n->unit.buffers,
             (Buffer){.kind = BUF_MEMORY, .dtype = t, .base = BASE_FIRST_INPUT + n->unit.ninputs++, .elems = elems});
    return (int)n->unit.buffers.len - 1;
}

static inline int local(Nest *n, BufKind kind, DType t, int64_t elems) {
    vec_push(&n->unit.buffers, (Buffer){.kind = kind, .dtype = t, .elems = elems});
    return (int)n->unit.buffers.len - 1;
}

/* ---- statements: each is appended to n->body ---- */

static inline LoopStmt *statement(Nest *n, LoopStmtKind kind) {
    LoopStmt *s = ARENA_NEW(n->nnc->arena, LoopStmt);
    s->kind = kind;
    vec_push(n->body, s);
    return s;
}

/* Statements go into the loop until n->body is set back to what this returns. */
static inline LoopBody *loop(Nest *n, ForMode mode, int var, int64_t count, int width, const Aff *limit) {
    LoopStmt *s = statement(n, LS_FOR);
    s->loop.mode = mode;
    s->loop.var = var;
    s->loop.count = n->extents[var] = count;
    s->loop.width = width;
    s->loop.limit = limit;
    LoopBody *outside = n->body;
    n->body = &s->loop.body;
    return outside;
}

static inline LoopBody *when(Nest *n, int nconds, const Cond *conds) {
    LoopStmt *s = statement(n, LS_IF);
    s->when.n = nconds;
    s->when.conds = arena_copy(n->nnc->arena, conds, sizeof *conds * (size_t)nconds);
    LoopBody *outside = n->body;
    n->body = &s->when.then;
    return outside;
}

static inline void declare(Nest *n, int buffer) { statement(n, LS_DECL)->decl = buffer; }

static inline LoopStmt *store(Nest *n, int buffer, Place at, Ex value) {
    LoopStmt *s = statement(n, LS_STORE);
    s->store.buffer = buffer;
    s->store.at = at;
    s->store.value = value;
    return s;
}

static inline void accumulate(Nest *n, int buffer, Place at, Combine c, Ex value, bool fused) {
    LoopStmt *s = store(n, buffer, at, value);
    s->kind = LS_ACCUM;
    s->store.combine = c;
    s->store.fused = fused;
}

/* ---- places and values ---- */

/* constant + the sum of pairs (coefficient, variable), ended by a coefficient of 0 */
static inline const Aff *aff(const Nest *n, int constant, ...) {
    AffTable *t = n->g->affs;
    const Aff *a = aff_const(t, constant);
    va_list ap;
    va_start(ap, constant);
    for (int coef; (coef = va_arg(ap, int)) != 0;) a = aff_add(t, a, aff_scale(t, aff_var(t, va_arg(ap, int)), coef));
    va_end(ap);
    return a;
}

#define AT(...) ((Place){aff(n, __VA_ARGS__, 0), 0})

static inline Ex fetch(const Nest *n, int buffer, Place at) {
    return ex_fetch(n->g, n->unit.buffers.at[buffer].dtype, buffer, at);
}

/* ---- running ---- */

typedef struct {
    JitCode *code;
} Compiled;

static inline void forget(LoopBody *body) {
    for (size_t i = 0; i < body->len; i++) {
        if (body->at[i]->kind == LS_FOR) forget(&body->at[i]->loop.body);
        if (body->at[i]->kind == LS_IF) forget(&body->at[i]->when.then);
    }
    vec_free(body);
}

static inline void nest_end(Nest *n) {
    forget(&n->kernel.body);
    vec_free(&n->unit.kernels);
    vec_free(&n->unit.buffers);
    nnc_free(n->nnc);
}

static inline Compiled compile_for(Nest *n, const char *cpu) {
    LoopUnit *units[] = {&n->unit};
    if (getenv("SHOW")) {
        loop_print(&n->unit, stderr);
        llvm_dump(n->nnc, units, 1, cpu, EMIT_LLVM, stderr);
        llvm_dump(n->nnc, units, 1, cpu, EMIT_ASM, stderr);
    }
    Compiled c = {jit_new(n->nnc, units, 1, cpu, false)};
    cr_assert_not_null(c.code);
    return c;
}

/* The nest is complete. */
static inline void finish(Nest *n) {
    n->unit.nnc = n->nnc;
    n->kernel.extents = n->extents; /* the nest may have been copied since it began */
    n->extents[0] = n->kernel.tiles;
    vec_push(&n->unit.kernels, &n->kernel);
    loop_verify(&n->unit);
}

static inline void call(const Compiled *c, void *const *arrays, int narrays) {
    const void *bases[BASE_FIRST_INPUT + MOST_ARRAYS] = {NULL};
    for (int i = 0; i < narrays; i++) bases[BASE_FIRST_INPUT + i] = arrays[i];
    jit_run(c->code, 0, bases, NULL, NULL);
}

/* The CPU levels that the machine at hand can run, narrow to wide. */
static inline int runnable(const char **cpus) {
    int n = 0;
#if defined __x86_64__
    cpus[n++] = "x86-64";
    if (__builtin_cpu_supports("sse4.2")) cpus[n++] = "x86-64-v2";
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) cpus[n++] = "x86-64-v3";
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl"))
        cpus[n++] = "x86-64-v4";
#else
    cpus[n++] = "native";
#endif
    return n;
}

/* ---- comparing with the interpreter ---- */

static inline uint64_t next(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* Integers from 0 to 11, floats between -2 and 2. */
static inline void *random_array(const Buffer *b, uint64_t *state) {
    size_t bytes = (size_t)b->elems * dtype_size(b->dtype);
    void *data = xcalloc(bytes, 1);
    for (int64_t i = 0; i < b->elems; i++) {
        Scalar v = {.i = (int64_t)(next(state) % 12)};
        if (b->dtype == DT_BOOL) v.i &= 1;
        if (dtype_is_float(b->dtype)) v.f = scalar_round(b->dtype, (double)(next(state) >> 40) * 0x1p-22 - 2);
        scalar_write(b->dtype, data, i, v);
    }
    return data;
}

/* A float may differ by `tolerance` of its size or of one. */
static inline bool agrees(DType t, Scalar got, Scalar want, double tolerance) {
    if (!dtype_is_float(t)) return got.i == want.i;
    if (isnan(want.f) || isinf(want.f)) return isnan(want.f) ? isnan(got.f) : got.f == want.f;
    return fabs(got.f - want.f) <= tolerance * fmax(1, fabs(want.f));
}

/* Runs the compiled code and the interpreter on copies of the same arrays, which must be the same afterwards. */
static inline void compare(const Nest *n, const Compiled *c, const char *cpu, double tolerance) {
    void *got[MOST_ARRAYS], *want[BASE_FIRST_INPUT + MOST_ARRAYS] = {NULL};
    uint64_t state = 1;
    for (size_t i = 0, base; i < n->unit.buffers.len; i++) {
        const Buffer *b = &n->unit.buffers.at[i];
        if (b->kind != BUF_MEMORY || b->base < 0) continue;
        base = (size_t)b->base;
        want[base] = random_array(b, &state);
        size_t bytes = (size_t)b->elems * dtype_size(b->dtype);
        got[base - BASE_FIRST_INPUT] = memcpy(xcalloc(bytes, 1), want[base], bytes);
    }
    loop_interp_run(&n->unit, want);
    call(c, got, n->unit.ninputs);
    for (size_t i = 0; i < n->unit.buffers.len; i++) {
        const Buffer *b = &n->unit.buffers.at[i];
        if (b->kind != BUF_MEMORY || b->base < 0) continue;
        for (int64_t e = 0; e < b->elems; e++) {
            Scalar x = scalar_read(b->dtype, got[b->base - BASE_FIRST_INPUT], e);
            Scalar y = scalar_read(b->dtype, want[b->base], e);
            if (agrees(b->dtype, x, y, tolerance)) continue;
            loop_print(&n->unit, stderr);
            cr_expect_fail("%s: element %lld of buffer %zu: %.9g or %lld, not %.9g or %lld", cpu, (long long)e, i, x.f,
                           (long long)x.i, y.f, (long long)y.i);
            break;
        }
        free(got[b->base - BASE_FIRST_INPUT]);
        free(want[b->base]);
    }
}

/* For every CPU level that runs here, for the last one as plain code too; the nest is ended. */
static inline void agree(Nest *n, double tolerance) {
    finish(n);
    const char *cpus[4];
    int ncpus = runnable(cpus);
    for (int i = 0; i <= ncpus; i++) {
        const char *cpu = cpus[MIN(i, ncpus - 1)];
        n->unit.once = i == ncpus;
        Compiled c = compile_for(n, cpu);
        compare(n, &c, n->unit.once ? "plain code" : cpu, tolerance);
        jit_free(c.code);
    }
    nest_end(n);
}

#endif
