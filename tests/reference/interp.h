/* A plain interpreter of the IR: what each node means. The tests compare compiled code and passes with it. */
#ifndef TESTS_REFERENCE_INTERP_H
#define TESTS_REFERENCE_INTERP_H

#include "compiler/ir/graph.h"

/* The values around one run. Arrays are row-major with elements as in memory: uint8_t (bool, u8), int8_t, int32_t,
 * int64_t, uint16_t (f16, bf16), float, double. */
typedef struct {
    const void *const *inputs; /* by slot; NULL where the graph has none */
    const void *const *params;
    const void *const *states;
    void **outputs; /* after a run: one malloc'd array for each of g->outputs */
} InterpEnv;

/** Computes the outputs. Floats are rounded to their type after each operation (f32 as float), integers wrap around.
 * Reductions and scatters go through their points in row-major order, starting from 0, 1, -inf or inf. ARGMAX and
 * ARGMIN take the first of equals, and a NaN before all others. A place outside its tensor, and a node N_GRAD, is a
 * bug(). */
void interp_run(const Graph *g, InterpEnv *env);

/** What a sort gives of one row: the places of the first k of `n` keys in order. */
void interp_order(DType t, const void *keys, int64_t n, bool descending, int64_t k, int32_t *places);

/** Frees env->outputs. */
void interp_free(const Graph *g, InterpEnv *env);

/** The first 32 bits of Threefry-2x32 with 20 rounds. */
uint32_t interp_threefry(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1);

#endif
