/* links: nnc_loop nnc_pass nnc_ir nnc_reference */
/* Loop nests compute what their graph means. */
#include "tests/unit/loops.h"

Test(loop, random_graphs) {
    const Machine *machines[] = {&sse, &avx2, &avx512};
    const DType types[] = {DT_F32, DT_F64};
    for (uint64_t seed = 0; seed < 300; seed++) {
        Nnc *nnc = nnc_new();
        Graph *g = random_graph(nnc, seed, types[seed % 5 == 0], 1 + (int)(seed % 40));
        expect_same(nnc, g, machines[seed % 3], seed);
        nnc_free(nnc);
    }
}
