/* Sums of products, by `@` and in index notation; windows; gradients. */
#include "tests/random_programs/generate.h"

#include <math.h>

enum { MOST_TERMS = 20000 };

void make_matmul(Gen *g) {
    int x = some(g, 1, 4);
    Shape a = shape_of(g, x), b = a, to = a;
    int k = a.dims[a.rank - 1];
    if (a.rank == 1 || chance(g, 60)) b.rank = 2;
    b.dims[b.rank - 2] = k;
    b.dims[b.rank - 1] = chance(g, 12) ? 40 : pick(g, 1, 9);
    if (chance(g, 15)) b = (Shape){1, {k}};
    for (int i = 0; i + 2 < b.rank; i++)
        if (chance(g, 25)) b.dims[i] = 1;
    to = without_axis(a, a.rank - 1);
    if (b.rank > 1) to = with_axis(to, to.rank, b.dims[b.rank - 1]);
    if (elements(to) * k > MOST_TERMS) return;
    int y = of_shape(g, b);
    g->work += elements(to) * k;
    Statement *s = begin(g);
    int z = result(g, to, 3);
    g->p->values[z].distinct = true;
    str_add(&s->text, "let %s = %s @ %s / %.3g", name_of(g, z), use(g, x), use(g, y), sqrt(k) + 0.5);
}

/* ---- any product summed over indices ---- */

enum { MOST_LETTERS = 8, MOST_FACTORS = 3 };

typedef struct {
    int n;
    int extent[MOST_LETTERS];
} Letters;

typedef struct {
    int value, rank;
    int letter[MOST_RANK];
} Factor;

static char letter(int i) { return "ijkmnpqr"[i]; }

/* A factor of known letters, at least one, and perhaps of a new one, in any order. */
static Factor new_factor(Gen *g, Letters *l) {
    Factor f = {0};
    Shape s = {0};
    for (int i = 0; i < l->n && f.rank < 3; i++)
        if (chance(g, 55)) f.letter[f.rank++] = i;
    if (!f.rank) f.letter[f.rank++] = pick(g, 0, l->n - 1);
    if (l->n < MOST_LETTERS && f.rank < MOST_RANK && chance(g, 70)) {
        l->extent[l->n] = chance(g, 15) ? 33 : pick(g, 1, 8);
        f.letter[f.rank++] = l->n++;
    }
    for (int i = f.rank - 1; i > 0; i--) {
        int j = pick(g, 0, i), t = f.letter[i];
        f.letter[i] = f.letter[j];
        f.letter[j] = t;
    }
    for (int i = 0; i < f.rank; i++) s.dims[s.rank++] = l->extent[f.letter[i]];
    f.value = of_shape(g, s);
    return f;
}

static void put_letters(Str *s, const int *letters, int n) {
    for (int i = 0; i < n; i++) str_add(s, "%s%c", i ? ", " : "", letter(letters[i]));
}

/* Which letters are kept, in any order, and which are summed over. */
static void part_letters(Gen *g, const Letters *l, int *kept, int *nkept, int *summed, int *nsummed) {
    for (int i = 0; i < l->n; i++) {
        if (*nkept < MOST_RANK && chance(g, 55)) {
            int j = pick(g, 0, *nkept);
            kept[(*nkept)++] = kept[j];
            kept[j] = i;
        } else {
            summed[(*nsummed)++] = i;
        }
    }
    if (!*nsummed) summed[(*nsummed)++] = kept[--*nkept];
}

void make_contraction(Gen *g) {
    Letters l = {0};
    Factor f[MOST_FACTORS];
    int n = chance(g, 20) ? 3 : 2, kept[MOST_LETTERS] = {0}, summed[MOST_LETTERS] = {0}, nkept = 0, nsummed = 0;
    f[0] = (Factor){.value = some(g, 1, 4)};
    Shape first = shape_of(g, f[0].value), to = {0};
    f[0].rank = first.rank;
    for (int i = 0; i < first.rank; i++) {
        l.extent[l.n] = first.dims[i];
        f[0].letter[i] = l.n++;
    }
    for (int i = 1; i < n; i++) f[i] = new_factor(g, &l);
    part_letters(g, &l, kept, &nkept, summed, &nsummed);
    int64_t terms = 1, points = 1;
    for (int i = 0; i < nsummed; i++) terms *= l.extent[summed[i]];
    for (int i = 0; i < nkept; i++) points *= to.dims[to.rank++] = l.extent[kept[i]];
    if (terms * points > MOST_TERMS || points > 4000) return;
    g->work += terms * points;
    Statement *s = begin(g);
    int y = result(g, to, 3);
    g->p->values[y].distinct = true;
    str_add(&s->text, "let %s%s", name_of(g, y), nkept ? "[" : "");
    put_letters(&s->text, kept, nkept);
    str_add(&s->text, "%s = sum[", nkept ? "]" : "");
    put_letters(&s->text, summed, nsummed);
    str_add(&s->text, "](");
    for (int i = 0; i < n; i++) {
        str_add(&s->text, "%s%s[", i ? " * " : "", use(g, f[i].value));
        put_letters(&s->text, f[i].letter, f[i].rank);
        str_add(&s->text, "]");
    }
    str_add(&s->text, ") / %.3g", (n == 3 ? 3 : 1) * sqrt((double)terms) + 0.5);
}

/* ---- windows: one or two dims with stride, dilation and padding ---- */

typedef struct {
    int size, kernel, stride, dilation, padding, out;
} Window;

static Window window(Gen *g, int size, bool padded) {
    Window w = {.size = size, .kernel = pick(g, 1, MIN(size, 4)), .stride = pick(g, 1, 3), .dilation = pick(g, 1, 2)};
    if (w.dilation * (w.kernel - 1) >= size) w.dilation = 1;
    w.padding = padded ? pick(g, 0, w.dilation * (w.kernel - 1)) : 0;
    w.out = (size + 2 * w.padding - w.dilation * (w.kernel - 1) - 1) / w.stride + 1;
    return w;
}

static void put_place(Str *s, const Window *w, char at, char tap) {
    str_add(s, "%d*%c + %d*%c", w->stride, at, w->dilation, tap);
    if (w->padding) str_add(s, " - %d", w->padding);
}

static void put_inside(Str *s, const Window *w, char at, char tap, const char **before) {
    if (!w->padding) return;
    str_add(s, "%s", *before);
    put_place(s, w, at, tap);
    str_add(s, " >= 0 and ");
    put_place(s, w, at, tap);
    str_add(s, " < %d", w->size);
    *before = " and ";
}

/* x [n, h(, w), c] and a kernel [p(, q), c, f], or the largest of each window. */
void make_window(Gen *g) {
    int x = some(g, 3, 4);
    Shape from = shape_of(g, x), to = from, taps = {0};
    bool plane = from.rank == 4, largest = chance(g, 20) && g->p->values[x].distinct;
    int c = from.dims[from.rank - 1], f = pick(g, 1, 9), terms = largest ? 1 : c;
    bool padded = !largest && chance(g, 60);
    Window w[2] = {window(g, from.dims[1], padded), plane ? window(g, from.dims[2], padded) : (Window){0}};
    for (int i = 0; i <= plane; i++) {
        to.dims[1 + i] = w[i].out;
        taps.dims[taps.rank++] = w[i].kernel;
        terms *= w[i].kernel;
    }
    if (!largest) to.dims[to.rank - 1] = f;
    if (elements(to) * terms > MOST_TERMS || elements(to) > 4000) return;
    taps.dims[taps.rank++] = c;
    taps.dims[taps.rank++] = f;
    int k = largest ? -1 : of_shape(g, taps);
    g->work += elements(to) * terms;
    Statement *s = begin(g);
    int y = result(g, to, 3);
    Str *t = &s->text;
    str_add(t, "let %s[n, i in 0..%d", name_of(g, y), w[0].out);
    if (plane) str_add(t, ", j in 0..%d", w[1].out);
    str_add(t, ", %c] = %s[p in 0..%d", largest ? 'c' : 'f', largest ? "max" : "sum", w[0].kernel);
    if (plane) str_add(t, ", q in 0..%d", w[1].kernel);
    str_add(t, "%s](", largest ? "" : ", c");
    const char *before = "(if ";
    put_inside(t, &w[0], 'i', 'p', &before);
    if (plane) put_inside(t, &w[1], 'j', 'q', &before);
    bool guarded = before[0] == ' ';
    str_add(t, "%s%s[n, ", guarded ? " then " : "", use(g, x));
    put_place(t, &w[0], 'i', 'p');
    if (plane) {
        str_add(t, ", ");
        put_place(t, &w[1], 'j', 'q');
    }
    str_add(t, ", c]%s", guarded ? " else 0)" : "");
    if (!largest) str_add(t, " * %s[p%s, c, f]) / %.3g", use(g, k), plane ? ", q" : "", sqrt(terms) + 0.5);
    if (largest) str_add(t, ")");
}

/* ---- other definitions by elements ---- */

void make_indexed(Gen *g) {
    int x = some(g, 2, 2);
    Shape s2 = shape_of(g, x), to = s2;
    int a = s2.dims[0], b = s2.dims[1], least = MIN(a, b);
    int which = pick(g, 0, 4);
    if (which == 1) to.dims[0] = 2 * a;
    if (which == 3) to = (Shape){1, {least}};
    if (which == 4) to = (Shape){2, {a, a}};
    if (elements(to) * b > MOST_TERMS) return;
    g->work += elements(to) * (which == 4 ? b : 1);
    Statement *s = begin(g);
    int y = result(g, to, 3);
    str_add(&s->text, "let %s", name_of(g, y));
    const char *v = use(g, x);
    switch (which) {
    case 0: str_add(&s->text, "[i, j] = %s[%d - i, j] - 0.1 * j", v, a - 1); break;
    case 1: str_add(&s->text, "[i in 0..%d, j] = %s[i / 2, j]", 2 * a, v); break;
    case 2: str_add(&s->text, "[i, j] = if j <= i then %s[i, j] else -0.5", v); break;
    case 3: str_add(&s->text, "[i in 0..%d] = %s[i, i]", least, v); break;
    default: str_add(&s->text, "[i, j] = sum[k](%s[i, k] * %s[j, k]) / %.3g", v, v, sqrt(b) + 0.5);
    }
}

/* ---- gradients ---- */

enum { MOST_ORDER = 2 };

/* Of a scalar made of a late value, for one or two values that it may come from. */
void make_gradient(Gen *g) {
    RandomProgram *p = g->p;
    int y = some(g, 0, 4), x[2], n = 0, order = p->values[y].order;
    if (order >= MOST_ORDER || g->work > 15000) return;
    for (int tries = 0; tries < 8 && n < 2; tries++) {
        int v = some(g, 0, 4);
        if ((tries < 6 && (v == y || !depends(p, y, v))) || (n && x[0] == v)) continue;
        x[n++] = v;
        if (chance(g, 70)) break;
    }
    if (!n) return;
    int which = pick(g, 0, 3);
    double size = which == 3 ? 1 : sqrt((double)elements(shape_of(g, y)));
    g->work += g->work / 2;
    Statement *s = begin(g);
    int d[2] = {0};
    for (int i = 0; i < n; i++) d[i] = result(g, shape_of(g, x[i]), 4);
    str_add(&s->text, n == 1 ? "let %s" : "let (%s, ", name_of(g, d[0]));
    if (n == 2) str_add(&s->text, "%s)", name_of(g, d[1]));
    str_add(&s->text, " = grad(");
    const char *of = use(g, y);
    switch (which) {
    case 0: str_add(&s->text, "sum(sin(%s))", of); break;
    case 1: str_add(&s->text, "sum(0.3 * %s^2)", of); break;
    case 2: str_add(&s->text, "sum(cos(0.7 * %s + 0.2))", of); break;
    default: str_add(&s->text, "mean(%s * tanh(%s))", of, of);
    }
    if (which != 3) str_add(&s->text, " / %.3g", size);
    str_add(&s->text, n == 1 ? ", %s)" : ", (%s, ", use(g, x[0]));
    if (n == 2) str_add(&s->text, "%s))", use(g, x[1]));
    for (int i = 0; i < n; i++) p->values[d[i]].order = order + 1;
}
