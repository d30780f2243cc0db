/* The core of the generator: values, statements, and which kind comes next. */
#include "tests/random_programs/generate.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_WORK = 40000, MOST_ELEMENTS = 3000 };

int pick(Gen *g, int lo, int hi) {
    uint64_t z = g->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return lo + (int)((z ^ z >> 31) % (uint64_t)(hi - lo + 1));
}

bool chance(Gen *g, int percent) { return pick(g, 1, 100) <= percent; }

/* ---- shapes ---- */

int64_t elements(Shape s) {
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++) n *= s.dims[i];
    return n;
}

Shape shape_of(const Gen *g, int value) { return g->p->values[value].shape; }

Shape without_axis(Shape s, int axis) {
    for (int i = axis + 1; i < s.rank; i++) s.dims[i - 1] = s.dims[i];
    s.rank--;
    return s;
}

Shape with_axis(Shape s, int axis, int dim) {
    for (int i = s.rank; i > axis; i--) s.dims[i] = s.dims[i - 1];
    s.dims[axis] = dim;
    s.rank++;
    return s;
}

static bool same(Shape a, Shape b) {
    return a.rank == b.rank && (!a.rank || !memcmp(a.dims, b.dims, sizeof *a.dims * (size_t)a.rank));
}

void put_shape(Str *s, Shape shape) {
    str_add(s, "[");
    for (int i = 0; i < shape.rank; i++) str_add(s, "%s%d", i ? ", " : "", shape.dims[i]);
    str_add(s, "]");
}

/* Mostly small; now and then as long as several vectors and a bit. */
static int random_dim(Gen *g) {
    static const int large[] = {16, 17, 31, 33, 48, 64, 65};
    if (chance(g, 12)) return 1;
    return chance(g, 15) ? ONE_OF(g, large) : pick(g, 2, 9);
}

static Shape random_shape(Gen *g, int rank) {
    Shape s = {.rank = rank};
    do {
        for (int i = 0; i < rank; i++) s.dims[i] = random_dim(g);
    } while (elements(s) > MOST_ELEMENTS);
    return s;
}

/* ---- statements ---- */

Statement *begin(Gen *g) {
    Statement *s = &g->p->statements[g->p->nstatements++];
    s->first = g->p->nvalues;
    return s;
}

static Statement *at_hand(const Gen *g) { return &g->p->statements[g->p->nstatements - 1]; }

const char *name_of(const Gen *g, int value) { return g->p->values[value].name; }

static int new_value(Gen *g, Shape s) {
    RandomProgram *p = g->p;
    Value *v = &p->values[p->nvalues];
    *v = (Value){.shape = s, .by = p->nstatements - 1};
    snprintf(v->name, sizeof v->name, "v%d", p->nvalues);
    at_hand(g)->n++;
    return p->nvalues++;
}

int result(Gen *g, Shape s, double bound) {
    int v = new_value(g, s);
    g->p->values[v].bound = bound;
    g->work += elements(s);
    return v;
}

int integer_result(Gen *g, Shape s, int limit) {
    int v = new_value(g, s);
    g->p->values[v].limit = limit;
    return v;
}

const char *use(Gen *g, int value) {
    Statement *s = at_hand(g);
    const Value *v = &g->p->values[value];
    if (v->by == g->p->nstatements - 1) return v->name;
    for (int i = 0; i < s->nuses; i++)
        if (s->uses[i] == value) return v->name;
    if (s->nuses == MOST_USES) bug("a random statement uses too many values");
    s->uses[s->nuses++] = value;
    for (int i = s->first; i < s->first + s->n; i++) g->p->values[i].order = MAX(g->p->values[i].order, v->order);
    return v->name;
}

bool depends(const RandomProgram *p, int b, int a) {
    const Statement *s = &p->statements[p->values[b].by];
    if (a == b) return true;
    for (int i = 0; i < s->nuses && !s->input; i++)
        if (s->uses[i] >= a && depends(p, s->uses[i], a)) return true;
    return false;
}

/* ---- values to begin from ---- */

int new_input(Gen *g, Shape s) {
    begin(g)->input = true;
    int v = result(g, s, 2);
    g->p->values[v].exact = g->p->values[v].distinct = true;
    return v;
}

int integers(Gen *g, Shape s, int limit) {
    for (int v = 0; v < g->p->nvalues; v++)
        if (g->p->values[v].limit == limit && same(shape_of(g, v), s)) return v;
    begin(g)->input = true;
    int v = integer_result(g, s, limit);
    g->p->values[v].exact = true;
    return v;
}

/* A float value for which `fits`, rather a late one and rather a computed one; -1: there is none. */
static int find(Gen *g, bool (*fits)(const Value *v, const void *self), const void *self) {
    int found[MOST_VALUES], n = 0;
    for (int v = 0; v < g->p->nvalues; v++)
        if (!g->p->values[v].limit && fits(&g->p->values[v], self)) found[n++] = v;
    if (!n) return -1;
    int best = found[pick(g, 0, n - 1)];
    for (int tries = 0; tries < 2; tries++) {
        int other = found[pick(g, 0, n - 1)];
        bool computed = !g->p->values[other].exact;
        if (computed != !g->p->values[best].exact ? computed : other > best) best = other;
    }
    return best;
}

static bool has_rank(const Value *v, const void *ranks) {
    return v->shape.rank >= ((const int *)ranks)[0] && v->shape.rank <= ((const int *)ranks)[1];
}
static bool has_shape(const Value *v, const void *shape) { return same(v->shape, *(const Shape *)shape); }
static bool is_input(const Value *v, const void *shape) { return v->exact && same(v->shape, *(const Shape *)shape); }

int some(Gen *g, int lowest_rank, int highest_rank) {
    int v = chance(g, 95) ? find(g, has_rank, (int[]){lowest_rank, highest_rank}) : -1;
    return v >= 0 ? v : new_input(g, random_shape(g, MAX(pick(g, lowest_rank, highest_rank), 1)));
}

int of_shape(Gen *g, Shape s) {
    int v = chance(g, 80) ? find(g, has_shape, &s) : -1;
    return v >= 0 ? v : new_input(g, s);
}

int exact_of_shape(Gen *g, Shape s) {
    int v = chance(g, 80) ? find(g, is_input, &s) : -1;
    return v >= 0 ? v : new_input(g, s);
}

/* ---- programs ---- */

typedef struct {
    int weight;
    void (*make)(Gen *g);
} Kind;

static const Kind kinds[] = {{10, make_unary},  {14, make_binary},    {4, make_choice},   {4, make_integers},
                             {6, make_library}, {10, make_reduction}, {4, make_order},    {8, make_slice},
                             {6, make_reshape}, {6, make_transpose},  {5, make_concat},   {3, make_split},
                             {5, make_pad},     {5, make_gather},     {8, make_matmul},   {10, make_contraction},
                             {8, make_window},  {5, make_indexed},    {9, make_gradient}, {5, make_scan},
                             {2, make_while},   {9, make_layer},      {3, make_own_layer}};

static void make_one(Gen *g) {
    int total = 0;
    for (size_t i = 0; i < COUNT(kinds); i++) total += kinds[i].weight;
    int at = pick(g, 0, total - 1);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if ((at -= kinds[i].weight) < 0) {
            kinds[i].make(g);
            return;
        }
}

static const char *const optimizers[] = {
    "SGD(0.1)",
    "SGD(lr = 0.05, momentum = 0.9, nesterov = true, weight_decay = 0.01)",
    "Momentum(0.05)",
    "Nesterov(0.05)",
    "Adam(lr = 0.05, eps = 0.01)",
    "AdamW(lr = 0.05, eps = 0.01, weight_decay = 0.1)",
    "NAdam(lr = 0.02, eps = 0.01)",
    "RMSprop(lr = 0.02, eps = 0.1)",
    "AdaGrad(lr = 0.1, eps = 0.1)",
    "Adam(lr = cosine_decay(0.1, 10), eps = 0.02)",
    "Own(fn(s) = 0.1 / (1 + 0.5 * s))",
};
static const char *const options[] = {"", "", "", " clip_norm 0.5", " clip_value 0.02", " accumulate 2"};

/* What nothing uses, and a few others. */
static void choose_outputs(Gen *g) {
    RandomProgram *p = g->p;
    for (int v = 0; v < p->nvalues; v++) {
        bool used = false;
        for (int i = 0; i < p->nstatements; i++)
            for (int u = 0; u < p->statements[i].nuses; u++) used |= p->statements[i].uses[u] == v;
        p->output[v] = (!used || chance(g, 15)) && !p->statements[p->values[v].by].input;
        if (p->trains && p->values[v].limit) p->output[v] = false;
    }
}

RandomProgram *random_program(uint64_t seed) {
    RandomProgram *p = xcalloc(1, sizeof *p);
    Gen g = {.p = p, .random = seed * 0x9E3779B97F4A7C15u};
    *p = (RandomProgram){.seed = seed, .trains = chance(&g, 30)};
    p->batch = pick(&g, 1, 9);
    p->optimizer = ONE_OF(&g, optimizers);
    p->options = ONE_OF(&g, options);
    Shape first = random_shape(&g, pick(&g, 2, 4));
    first.dims[0] = p->batch;
    new_input(&g, first);
    integers(&g, (Shape){1, {p->batch}}, 5);
    int most = pick(&g, 4, 20);
    for (int i = 0; i < most && p->nstatements + 12 < MOST_STATEMENTS && p->nvalues + 16 < MOST_VALUES; i++)
        if (g.work < MOST_WORK) make_one(&g);
    make_unary(&g); /* there is something */
    choose_outputs(&g);
    return p;
}
