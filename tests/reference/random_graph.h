/* Random well-typed graphs and data for them: what the tests of passes and of the code generator are fed with. */
#ifndef TESTS_REFERENCE_RANDOM_GRAPH_H
#define TESTS_REFERENCE_RANDOM_GRAPH_H

#include "tests/reference/interp.h"

enum { RANDOM_SCANS = 1, RANDOM_WHILES = 2 };

/** About `nodes` nodes beyond the leaves, floats of type `t`, dims 1 .. 9. There are element-wise chains over
 * broadcast, transposed, reversed, sliced and strided loads, padded windows, reshapes, concatenations, reductions,
 * contractions, gathers, scatters, sorts and argmax; and, where `loops` names them, scans and whiles, also inside each
 * other, whose conditions are made of whole numbers. Every load is in range, gathers because their indices are clamped
 * or taken modulo the dim, whatever the data. Magnitudes stay below about a hundred, and nothing jumps where a float
 * changes by a rounding error (argmax and sorts are over leaves), so that results can be compared with a tolerance.
 * Parameters get new values. What nothing else uses is a result. The same seed gives the same graph. */
Graph *random_graph(Nnc *nnc, uint64_t seed, DType t, int nodes, int loops);

typedef struct {
    InterpEnv env;
    void **arrays[3]; /* by LeafKind and slot, malloc'd */
    int count[3];
} RandomData;

/** Data for the inputs, parameters and states of any graph: floats within -2 .. 2, integers within 0 .. 11 (u8: 0 ..
 * 255), bools. Free with random_data_free. */
RandomData random_data(const Graph *g, uint64_t seed);
void random_data_free(const Graph *g, RandomData *d);

#endif
