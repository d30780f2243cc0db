/* Random numbers: pure functions of the run's seed, the place in the program, the step and the element, so that neither
 * the number of threads nor where a run was resumed matters. The words of element e are drawn with key (seed, site) and
 * counters (step, words * e + w) for w = 0 .. words-1. */
#include "compiler/lower/lower_state.h"

#include <string.h>

typedef struct {
    Lower *l;
    Ex seed, site, step;
    const Aff *counter; /* of the element's first word */
    int next;           /* the word that is drawn next */
} Draw;

/* The next 32 random bits. */
static Ex draw_word(Draw *d) {
    Graph *g = d->l->g;
    const Aff *counter = aff_add(g->affs, d->counter, aff_const(g->affs, d->next++));
    return ex_random(g, d->seed, d->site, d->step, ex_index(g, DT_I32, counter));
}

/* The top `bits` bits of the next word, as an integer from 0 on. */
static Ex draw_bits(Draw *d, int bits) {
    Graph *g = d->l->g;
    Ex high =
        ex_op(g, EX_IDIV, draw_word(d), ex_int(g, DT_I32, (int64_t)1 << (32 - bits)), 0); /* an arithmetic shift .. */
    return ex_op(g, EX_IMOD, high, ex_int(g, DT_I32, (int64_t)1 << bits), 0);             /* .. without the sign */
}

/* Uniform in [0, 1): 24 bits in f32, 27 + 26 = 53 bits in f64. */
static Ex draw_uniform(Draw *d, DType type) {
    Graph *g = d->l->g;
    if (type == DT_F32) {
        Ex bits = ex_cast(g, type, draw_bits(d, 24));
        return ex_op(g, EX_MUL, bits, ex_float(g, type, 0x1p-24), 0);
    }
    Ex high = ex_cast(g, type, draw_bits(d, 27)), low = ex_cast(g, type, draw_bits(d, 26));
    Ex bits = ex_op(g, EX_ADD, ex_op(g, EX_MUL, high, ex_float(g, type, 0x1p26), 0), low, 0);
    return ex_op(g, EX_MUL, bits, ex_float(g, type, 0x1p-53), 0);
}

/* Box and Muller's transform: sqrt(-2 log(1 - u)) cos(2 pi v); 1 - u is never 0. */
static Ex draw_normal(Draw *d, DType type) {
    Graph *g = d->l->g;
    Ex u = draw_uniform(d, type), v = draw_uniform(d, type);
    Ex log = ex_op(g, EX_LOG, ex_op(g, EX_SUB, ex_float(g, type, 1), u, 0), 0, 0);
    Ex radius = ex_op(g, EX_SQRT, ex_op(g, EX_MUL, ex_float(g, type, -2), log, 0), 0, 0);
    Ex angle = ex_op(g, EX_MUL, ex_float(g, type, 6.283185307179586), v, 0);
    return ex_op(g, EX_MUL, radius, ex_op(g, EX_COS, angle, 0, 0), 0);
}

Ref lower_random(Lower *l, const Term *t) {
    Graph *g = l->g;
    bool normal = strcmp(t->op, "normal") == 0, bits = strcmp(t->op, "bits") == 0;
    if (!normal && !bits && strcmp(t->op, "uniform") != 0) bug("no distribution is named '%s'", t->op);
    DType type = lower_wide(t->type.dtype);
    const int64_t *dims = lower_dims(l, t->type);
    const Aff *element = aff_const(g->affs, 0);
    for (int d = 0; d < t->type.rank; d++)
        element = aff_add(g->affs, aff_scale(g->affs, element, dims[d]), aff_var(g->affs, d));
    Draw draw = {.l = l,
                 .seed = lower_element(l, t->args[0], NULL),
                 .site = ex_int(g, DT_I32, (int32_t)t->site),
                 .step = lower_element(l, t->args[1], NULL),
                 .counter = aff_scale(g->affs, element, (normal ? 2 : 1) * (type == DT_F64 ? 2 : 1))};
    Ex value = bits ? draw_word(&draw) : normal ? draw_normal(&draw, type) : draw_uniform(&draw, type);
    return lower_comp(l, t, RED_NONE, 0, NULL, value);
}
