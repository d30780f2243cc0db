/* A unit that does nothing but fused multiply-adds: the most that the machine can reach. */
#include "compiler/loop/common.h"
#include "compiler/loop/loop.h"

#include "compiler/ir/private.h"

enum { CHAINS = 12, /* independent sums: enough to hide the latency of an addition */ STEPS = 8192, TILES = 64 };

static int input(Builder *b, int64_t elems) {
    int i = loop_buffer(b, BUF_MEMORY, DT_F32, elems, NULL);
    b->u->buffers.at[i].base = BASE_FIRST_INPUT + b->u->ninputs++;
    return i;
}

/* Chain and lane within the registers; both loops stay open. */
static const Aff *open_chains(Nest *n, int width) {
    AffTable *t = n->b->affs;
    const Aff *chain = nest_var(n, nest_for(n, FOR_UNROLL, CHAINS, NULL, 0));
    const Aff *lane = nest_var(n, nest_for(n, FOR_VECTOR, width, NULL, width));
    return aff_add(t, aff_scale(t, chain, width), lane);
}

static void close_chains(Nest *n) {
    nest_close(n);
    nest_close(n);
}

LoopUnit *loop_peak(Nnc *nnc, const Machine *m, int64_t *result_bytes) {
    Graph *g = ir_graph_new(nnc);
    LoopUnit *u = ARENA_NEW(nnc->arena, LoopUnit);
    *u = (LoopUnit){.nnc = nnc, .graph = g, .name = "peak"};
    Builder b = {.u = u, .g = g, .affs = g->affs, .arena = nnc->arena, .m = m};
    int width = m->vector_bytes / (int)sizeof(float);
    int x = input(&b, 1), y = input(&b, 1), out = input(&b, (int64_t)TILES * CHAINS * width);
    Nest n = nest_begin(&b, "peak", (Span){0}, TILES);
    const Aff *zero = aff_const(b.affs, 0);
    int sums = loop_buffer(&b, BUF_REG, DT_F32, (int64_t)CHAINS * width, NULL);
    nest_decl(&n, sums);
    const Aff *at = open_chains(&n, width);
    nest_store(&n, sums, at, loop_fetch(&b, x, zero));
    close_chains(&n);
    nest_for(&n, FOR_SERIAL, STEPS, NULL, 0);
    at = open_chains(&n, width);
    nest_accum(&n, RED_SUM, sums, at, ex_op(g, EX_MUL, loop_fetch(&b, x, zero), loop_fetch(&b, y, zero), 0));
    close_chains(&n);
    nest_close(&n);
    at = open_chains(&n, width);
    const Aff *tile = aff_scale(b.affs, nest_var(&n, 0), (int64_t)CHAINS * width);
    nest_store(&n, out, aff_add(b.affs, tile, at), loop_fetch(&b, sums, at));
    close_chains(&n);
    n.k->flops = 2LL * TILES * STEPS * CHAINS * width;
    nest_end(&n);
    loop_seal(&b);
    *result_bytes = (int64_t)TILES * CHAINS * m->vector_bytes;
    return u;
}
