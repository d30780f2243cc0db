/* Element by element, reductions and orders. */
#include "tests/random_programs/generate.h"

/* Two values are written as $ and %. */
static void put(Str *s, const char *text, const char *a, const char *b) {
    for (; *text; text++) {
        if (*text == '$' || *text == '%')
            str_add(s, "%s", *text == '$' ? a : b);
        else
            str_add(s, "%c", *text);
    }
}

typedef struct {
    const char *text;
    double bound;
    bool keeps; /* what is distinct stays so */
} Function;

static const Function functions[] = {
    {"tanh($)", 1, true},
    {"sin($)", 1, true},
    {"cos($)", 1, true},
    {"sigmoid($)", 1, true},
    {"exp(-$^2)", 1, true},
    {"sqrt(1 + $ * $)", 3, true},
    {"log(1.5 + $^2)", 2, true},
    {"erf($)", 1, true},
    {"atan($)", 1.6, true},
    {"1 / (1.5 + $^2)", 1, true},
    {"rsqrt(1 + $^2)", 1, true},
    {"expm1(0.5 * tanh($))", 1, true},
    {"log1p($^2)", 2, true},
    {"softplus($)", 3, true},
    {"gelu($)", 3, true},
    {"silu($)", 3, true},
    {"mish($)", 3, true},
    {"abs($)", 3, false},
    {"relu($)", 3, false},
    {"elu($)", 3, true},
    {"leaky_relu($)", 3, true},
    {"max($, 0.1)", 3, false},
    {"min($, 0.3)", 3, false},
    {"clip($, -0.9, 0.7)", 1, false},
    {"-$", 3, true},
    {"$ / 3", 1, true},
    {"(2 - $)", 4, true},
    {"pow(1.5 + sin($), 1.7)", 5, true},
    {"0.2 * $^3", 3, false},
    {"stop($)", 3, true},
};

void make_unary(Gen *g) {
    int x = some(g, 0, 4);
    const Function *f = &ONE_OF(g, functions);
    bool distinct = f->keeps && g->p->values[x].distinct;
    Statement *s = begin(g);
    int y = result(g, shape_of(g, x), f->bound);
    g->p->values[y].distinct = distinct;
    str_add(&s->text, "let %s = ", name_of(g, y));
    if (chance(g, 25)) { /* two in a row */
        Str inner = {0};
        put(&inner, ONE_OF(g, functions).text, use(g, x), NULL);
        put(&s->text, f->text, inner.at, NULL);
        vec_free(&inner);
        g->p->values[y].distinct = false;
        g->p->values[y].bound = MAX(f->bound, 3);
        return;
    }
    put(&s->text, f->text, use(g, x), NULL);
}

/* A shape that broadcasts to `s`. */
static Shape narrower(Gen *g, Shape s) {
    if (chance(g, 50)) return s;
    for (int i = 0; i < s.rank; i++)
        if (chance(g, 35)) s.dims[i] = 1;
    while (s.rank && chance(g, 30)) s = without_axis(s, 0);
    return s;
}

void make_binary(Gen *g) {
    static const Function operations[] = {{"$ + %", 4, true},
                                          {"$ - %", 4, true},
                                          {"% - $", 4, true},
                                          {"$ * %", 4, true},
                                          {"$ / (1.5 + abs(%))", 2, true},
                                          {"% / (1 + $^2)", 3, true},
                                          {"max($, %)", 3, false},
                                          {"min(%, $)", 3, false},
                                          {"0.5 * $ * %", 3, true},
                                          {"pow(1.5 + tanh($), sin(%))", 3, true}};
    int x = some(g, 0, 4), y = of_shape(g, narrower(g, shape_of(g, x)));
    const Function *f = &ONE_OF(g, operations);
    bool tame = g->p->values[x].bound > 4 || g->p->values[y].bound > 4;
    if (x == y && !f->keeps) return; /* each of two equals gets half the gradient */
    bool distinct = f->keeps && !tame && x != y && g->p->values[x].distinct;
    Statement *s = begin(g);
    int z = result(g, shape_of(g, x), tame ? 1 : f->bound);
    g->p->values[z].distinct = distinct;
    str_add(&s->text, "let %s = %s", name_of(g, z), tame ? "tanh(" : "");
    put(&s->text, f->text, use(g, x), use(g, y));
    if (tame) str_add(&s->text, ")");
}

/* What decides is exact: it is the same in every float type. */
void make_choice(Gen *g) {
    int x = some(g, 0, 4), y = of_shape(g, narrower(g, shape_of(g, x)));
    bool whole = chance(g, 40);
    Shape narrow = narrower(g, shape_of(g, x));
    int c = whole ? integers(g, narrow, 12) : exact_of_shape(g, narrow);
    double bound = MAX(g->p->values[x].bound, g->p->values[y].bound);
    Statement *s = begin(g);
    int z = result(g, shape_of(g, x), bound);
    if (whole)
        str_add(&s->text, "let %s = if %s %s %d then %s else %s", name_of(g, z), use(g, c),
                chance(g, 50) ? ">=" : "==", pick(g, 1, 11), use(g, x), use(g, y));
    else
        str_add(&s->text, "let %s = where(%s > 0.1%s, %s, %s)", name_of(g, z), use(g, c),
                chance(g, 30) ? " and not training" : "", use(g, x), use(g, y));
}

/* Sums of integers, which become floats. */
void make_integers(Gen *g) {
    int x = some(g, 1, 3);
    int i = integers(g, narrower(g, shape_of(g, x)), 12);
    Statement *s = begin(g);
    int z = result(g, shape_of(g, x), 4);
    static const char *const forms[] = {"$ * (0.1 * % - 0.5)", "$ + float(2 * % + 1) / 30", "$ - cast(%, f32) * 0.2",
                                        "$ * (% / 12)", "$ + int(0.7 * float(%)) * 0.25"};
    str_add(&s->text, "let %s = ", name_of(g, z));
    put(&s->text, ONE_OF(g, forms), use(g, x), use(g, i));
}

void make_library(Gen *g) {
    static const Function forms[] = {{"softmax($)", 1, false},
                                     {"log_softmax($) / 4", 3, false},
                                     {"logsumexp($, axis = -1)", 5, false},
                                     {"variance($, axis = 0)", 2, false},
                                     {"sqrt(0.1 + variance($, axis = -1))", 2, false},
                                     {"cumsum($, axis = 0) / 8", 3, false},
                                     {"flip($, -1)", 3, true},
                                     {"squeeze(expand_dims($, 0), 0)", 3, false}};
    int x = some(g, 1, 3), at = pick(g, 0, (int)COUNT(forms) - 1);
    Shape shape = shape_of(g, x);
    if (at == 2 || at == 4) shape = without_axis(shape, shape.rank - 1);
    if (at == 3) shape = without_axis(shape, 0);
    Statement *s = begin(g);
    str_add(&s->text, "let %s = ", name_of(g, result(g, shape, MIN(forms[at].bound, 4))));
    put(&s->text, forms[at].text, use(g, x), NULL);
}

/* ---- reductions ---- */

static void put_axes(Str *s, int rank, const bool *over) {
    const char *before = "";
    str_add(s, "[");
    for (int i = 0; i < rank; i++)
        if (over[i]) {
            str_add(s, "%s%d", before, i);
            before = ", ";
        }
    str_add(s, "]");
}

void make_reduction(Gen *g) {
    static const char *const names[] = {"sum", "sum", "mean", "max", "min", "prod"};
    int x = some(g, 1, 4), which = pick(g, 0, 5), count = 1;
    bool over[MOST_RANK] = {false}, keep = chance(g, 30);
    Shape from = shape_of(g, x), to = {0};
    if ((which == 3 || which == 4) && !g->p->values[x].distinct) which = 0;
    over[pick(g, 0, from.rank - 1)] = true;
    for (int i = 0; i < from.rank; i++) {
        over[i] |= chance(g, 30);
        if (over[i]) count *= from.dims[i];
        if (!over[i] || keep) to.dims[to.rank++] = over[i] ? 1 : from.dims[i];
    }
    if (which == 5 && count > 12) which = 1;
    g->work += elements(from);
    Statement *s = begin(g);
    str_add(&s->text, "let %s = ", name_of(g, result(g, to, which == 5 ? 3 : 2)));
    str_add(&s->text, "%s(", names[which]);
    put(&s->text, which == 5 ? "1 + 0.3 * sin($)" : "$", use(g, x), NULL);
    str_add(&s->text, ", axes = ");
    put_axes(&s->text, from.rank, over);
    str_add(&s->text, "%s)", keep ? ", keep = true" : "");
    if (which < 2) str_add(&s->text, " / %d", (count + 1) / 2);
}

/* Of exact numbers: in other float types what is nearly equal comes in another order. */
void make_order(Gen *g) {
    Shape shape = shape_of(g, some(g, 1, 3));
    int x = exact_of_shape(g, shape), axis = pick(g, 0, shape.rank - 1), n = shape.dims[axis], k = pick(g, 1, n);
    Statement *s = begin(g);
    g->work += elements(shape) * n;
    switch (pick(g, 0, 3)) {
    case 0: {
        int y = result(g, shape, 2);
        g->p->values[y].distinct = true;
        str_add(&s->text, "let %s = sort(%s, axis = %d, descending = %s)", name_of(g, y), use(g, x), axis,
                chance(g, 50) ? "true" : "false");
        break;
    }
    case 1: {
        shape.dims[axis] = k;
        int y = result(g, shape, 2), at = integer_result(g, shape, n);
        str_add(&s->text, "let (%s, %s) = topk(%s, %d, axis = %d)", name_of(g, y), name_of(g, at), use(g, x), k, axis);
        break;
    }
    case 2: {
        int at = integer_result(g, without_axis(shape, axis), n);
        str_add(&s->text, "let %s = %s(%s, axis = %d)", name_of(g, at), chance(g, 50) ? "argmax" : "argmin", use(g, x),
                axis);
        break;
    }
    default: {
        int at = integer_result(g, shape, n);
        str_add(&s->text, "let %s = argsort(%s, axis = %d)", name_of(g, at), use(g, x), axis);
    }
    }
}
