/* Terms made by hand, lowered and run by the reference interpreter: what the tests of lowering share. Values are
 * doubles whatever their type. */
#ifndef TESTS_TERMS_H
#define TESTS_TERMS_H

#include "compiler/ir/private.h"
#include "compiler/lower/lower.h"
#include "lang/dim.h"
#include "tests/reference/interp.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    Nnc *nnc;
    Dims *sizes;
    Program program;
    Unit unit;
    int next;         /* number of the next term */
    double *data[16]; /* of input `slot` */
    Graph *g;
} Fix;

static inline Fix fix_new(void) {
    Fix f = {.nnc = nnc_new()};
    f.sizes = dims_new(f.nnc->arena);
    f.program.nnc = f.nnc;
    return f;
}

static inline void fix_free(Fix *f) {
    vec_free(&f->unit.inputs);
    vec_free(&f->unit.results);
    vec_free(&f->unit.updates);
    vec_free(&f->program.params);
    vec_free(&f->program.states);
    nnc_free(f->nnc);
}

/* ---- types and terms ---- */

#define SHAPE(...)                                                                                                     \
    (int)COUNT(((int64_t[]){__VA_ARGS__})), (int64_t[]) { __VA_ARGS__ }
#define SCALAR 0, NULL
#define ARGS(...)                                                                                                      \
    (int)COUNT(((Term *[]){__VA_ARGS__})), (Term *[]) { __VA_ARGS__ }
#define AXES(...)                                                                                                      \
    (int)COUNT(((int[]){__VA_ARGS__})), (int[]) { __VA_ARGS__ }

static inline Type type_of(Fix *f, DType dtype, int rank, const int64_t *dims) {
    Dim *d = ARENA_ARRAY(f->nnc->arena, Dim, rank + 1);
    for (int i = 0; i < rank; i++) d[i] = dim_number(f->sizes, dims[i]);
    return (Type){dtype, rank, d};
}

static inline Term *term(Fix *f, TermKind kind, Type type, int nargs, Term *const *args) {
    Term *t = ARENA_NEW(f->nnc->arena, Term);
    *t = (Term){.kind = kind, .type = type, .nargs = nargs, .id = f->next++};
    if (nargs) t->args = arena_copy(f->nnc->arena, args, sizeof *args * (size_t)nargs);
    return t;
}

static inline Term *number(Fix *f, DType dtype, double v) {
    Term *t = term(f, T_NUMBER, type_of(f, dtype, SCALAR), 0, NULL);
    t->number = v;
    return t;
}

/* An input with these elements (kept by the caller). */
static inline Term *input(Fix *f, DType dtype, int rank, const int64_t *dims, double *data) {
    Term *t = term(f, T_INPUT, type_of(f, dtype, rank, dims), 0, NULL);
    t->slot = (int)f->unit.inputs.len;
    f->data[t->slot] = data;
    vec_push(&f->unit.inputs, (UnitInput){.name = "x", .type = t->type, .gathered = -1});
    return t;
}

static inline Term *op(Fix *f, const char *name, DType dtype, int rank, const int64_t *dims, int nargs,
                       Term *const *args) {
    Term *t = term(f, T_OP, type_of(f, dtype, rank, dims), nargs, args);
    t->op = intern(f->nnc->names, name);
    return t;
}

/* A term with axes: reductions, transposes, concatenations, gathers. */
static inline Term *along(Fix *f, TermKind kind, const char *name, DType dtype, int rank, const int64_t *dims,
                          int nargs, Term *const *args, int naxes, const int *axes) {
    Term *t = term(f, kind, type_of(f, dtype, rank, dims), nargs, args);
    if (name) t->op = intern(f->nnc->names, name);
    t->naxes = naxes;
    if (naxes) t->axes = arena_copy(f->nnc->arena, axes, sizeof *axes * (size_t)naxes);
    return t;
}

/* ---- index notation ---- */

static inline TermIndex *index_new(Fix *f, const char *name, int64_t extent) {
    TermIndex *i = ARENA_NEW(f->nnc->arena, TermIndex);
    *i = (TermIndex){intern(f->nnc->names, name), dim_number(f->sizes, extent), f->next};
    return i;
}

static inline Term *with_indices(Fix *f, Term *t, int n, TermIndex *const *indices) {
    t->nindices = n;
    t->indices = arena_copy(f->nnc->arena, indices, sizeof *indices * (size_t)MAX(n, 1));
    return t;
}

#define INDICES(...)                                                                                                   \
    (int)COUNT(((TermIndex *[]){__VA_ARGS__})), (TermIndex *[]) { __VA_ARGS__ }

static inline Term *at_index(Fix *f, TermIndex *i) {
    return with_indices(f, term(f, T_INDEX, type_of(f, DT_I32, SCALAR), 0, NULL), 1, &i);
}

static inline Term *fold(Fix *f, const char *name, DType dtype, Term *body, int n, TermIndex *const *indices) {
    Term *t = term(f, T_FOLD, type_of(f, dtype, SCALAR), 1, &body);
    t->op = intern(f->nnc->names, name);
    return with_indices(f, t, n, indices);
}

static inline Term *define(Fix *f, Term *body, int n, TermIndex *const *indices) {
    Dim *dims = ARENA_ARRAY(f->nnc->arena, Dim, n + 1);
    for (int i = 0; i < n; i++) dims[i] = indices[i]->extent;
    return with_indices(f, term(f, T_DEFINE, (Type){body->type.dtype, n, dims}, 1, &body), n, indices);
}

/* args: the tensor, then its index terms */
static inline Term *access_at(Fix *f, int nargs, Term *const *args) {
    return term(f, T_ACCESS, type_of(f, args[0]->type.dtype, SCALAR), nargs, args);
}

/* A scalar operation of type `t`. */
static inline Term *calc(Fix *f, const char *name, DType t, Term *a, Term *b) {
    return op(f, name, t, SCALAR, b ? 2 : 1, (Term *[]){a, b});
}

static inline Term *choose(Fix *f, Term *c, Term *x, Term *y) {
    return op(f, "select", x->type.dtype, SCALAR, ARGS(c, x, y));
}

static inline Term *plus(Fix *f, Term *a, int64_t k) { return calc(f, "add", DT_I32, a, number(f, DT_I32, (double)k)); }
static inline Term *times(Fix *f, Term *a, int64_t k) {
    return calc(f, "mul", DT_I32, a, number(f, DT_I32, (double)k));
}
static inline Term *compare(Fix *f, const char *name, Term *a, Term *b) { return calc(f, name, DT_BOOL, a, b); }

/* ---- running ---- */

static inline void put_element(DType t, void *at, double v) {
    switch (t) {
    case DT_BOOL:
    case DT_U8: *(uint8_t *)at = (uint8_t)v; break;
    case DT_I8: *(int8_t *)at = (int8_t)v; break;
    case DT_I32: *(int32_t *)at = (int32_t)v; break;
    case DT_I64: *(int64_t *)at = (int64_t)v; break;
    case DT_F16: *(uint16_t *)at = f16_bits(v); break;
    case DT_BF16: *(uint16_t *)at = bf16_bits(v); break;
    case DT_F32: *(float *)at = (float)v; break;
    default: *(double *)at = v;
    }
}

static inline double get_element(DType t, const void *at) {
    switch (t) {
    case DT_BOOL:
    case DT_U8: return *(const uint8_t *)at;
    case DT_I8: return *(const int8_t *)at;
    case DT_I32: return *(const int32_t *)at;
    case DT_I64: return (double)*(const int64_t *)at;
    case DT_F16: return f16_value(*(const uint16_t *)at);
    case DT_BF16: return bf16_value(*(const uint16_t *)at);
    case DT_F32: return *(const float *)at;
    default: return *(const double *)at;
    }
}

/* Lowers the unit with result `t` alone, verifies the graph, and gives the result's elements. */
static inline double *run(Fix *f, Term *t) {
    f->unit.results.len = 0;
    vec_push(&f->unit.results, (UnitResult){.name = "y", .value = t});
    f->g = lower_unit(f->nnc, &f->program, &f->unit);
    ir_verify(f->g, "lowering");
    const void *inputs[COUNT(f->data)];
    for (size_t k = 0; k < f->unit.inputs.len; k++) {
        Type type = f->unit.inputs.at[k].type;
        int64_t n = 1;
        for (int d = 0; d < type.rank; d++) {
            int64_t size = 0;
            dim_is_const(type.dims[d], &size);
            n *= size;
        }
        char *bytes = ARENA_ARRAY(f->nnc->arena, char, (size_t)n *dtype_size(type.dtype));
        for (int64_t i = 0; i < n; i++)
            put_element(type.dtype, bytes + (size_t)i * dtype_size(type.dtype), f->data[k][i]);
        inputs[k] = bytes;
    }
    InterpEnv env = {.inputs = inputs};
    interp_run(f->g, &env);
    const Node *y = ir_node(f->g, f->g->outputs.at[0].node);
    double *values = ARENA_ARRAY(f->nnc->arena, double, ir_elements(y));
    for (int64_t i = 0; i < ir_elements(y); i++)
        values[i] = get_element(y->dtype, (char *)env.outputs[0] + (size_t)i * dtype_size(y->dtype));
    interp_free(f->g, &env);
    return values;
}

/* Fails unless `got` has these elements; NaN equals NaN. */
static inline void expect_all(const double *got, const double *want, int64_t n, double tolerance, int line) {
    for (int64_t i = 0; i < n; i++) {
        bool same = isnan(want[i]) ? isnan(got[i]) : got[i] == want[i] || fabs(got[i] - want[i]) <= tolerance;
        cr_expect(same, "line %d, element %ld: %.9g, not %.9g", line, (long)i, got[i], want[i]);
    }
}
#define EXPECT(got, want, n) expect_all(got, want, n, 0, __LINE__)
#define EXPECT_NEAR(got, want, n, tolerance) expect_all(got, want, n, tolerance, __LINE__)

/* 1, 2, ... or, scrambled, numbers that all differ. */
static inline void ramp(double *x, int64_t n) {
    for (int64_t i = 0; i < n; i++) x[i] = (double)(i + 1);
}
static inline void scramble(double *x, int64_t n, int seed) {
    for (int64_t i = 0; i < n; i++) x[i] = sin((double)(i * 7 + seed) * 1.37) + 0.01 * (double)i;
}

#endif
