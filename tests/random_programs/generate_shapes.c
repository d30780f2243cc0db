/* What moves elements: slices, reshapes, joins, gathers. */
#include "tests/random_programs/generate.h"

static int moved(Gen *g, Shape to, int from) {
    double bound = g->p->values[from].bound;
    return result(g, to, bound);
}

/* One item of the brackets behind a value, for a dim of `n`; the size that is left, 0 where the dim goes. */
static int put_item(Gen *g, Str *s, int n) {
    int lo = pick(g, 0, n - 1), hi = pick(g, lo + 1, n), step = pick(g, 1, 3);
    switch (pick(g, 0, 6)) {
    case 0: str_add(s, "%d", chance(g, 30) ? lo - n : lo); return 0;
    case 1: str_add(s, "%d..", lo); return n - lo;
    case 2: str_add(s, "..%d", hi); return hi;
    case 3: str_add(s, "%d..%d by %d", lo, hi, step); return (hi - lo + step - 1) / step;
    case 4: str_add(s, ": by %d", step); return (n + step - 1) / step;
    case 5: str_add(s, "%d..%d", lo, hi); return hi - lo;
    default: str_add(s, ":"); return n;
    }
}

void make_slice(Gen *g) {
    int x = some(g, 1, 4);
    Shape from = shape_of(g, x), to = {0};
    bool distinct = g->p->values[x].distinct;
    Str items = {0};
    for (int i = 0; i < from.rank; i++) {
        str_add(&items, "%s", i ? ", " : "");
        int left = put_item(g, &items, from.dims[i]);
        if (left) to.dims[to.rank++] = left;
    }
    Statement *s = begin(g);
    int y = moved(g, to, x);
    g->p->values[y].distinct = distinct;
    str_add(&s->text, "let %s = %s[%s]", name_of(g, y), use(g, x), items.at);
    vec_free(&items);
}

/* Two dims become one, or one becomes two. */
void make_reshape(Gen *g) {
    int x = some(g, 1, 4);
    Shape to = shape_of(g, x);
    int axis = pick(g, 0, to.rank - 1), n = to.dims[axis];
    if (to.rank > 1 && chance(g, 60)) {
        axis = pick(g, 1, to.rank - 1);
        to.dims[axis] *= to.dims[axis - 1];
        to = without_axis(to, axis - 1);
    } else if (to.rank < MOST_RANK) {
        int factor = pick(g, 1, 4);
        while (n % factor) factor--;
        to.dims[axis] = n / factor;
        to = with_axis(to, axis + pick(g, 0, 1), factor);
    }
    Statement *s = begin(g);
    int y = moved(g, to, x);
    g->p->values[y].distinct = false;
    str_add(&s->text, "let %s = reshape(%s, ", name_of(g, y), use(g, x));
    put_shape(&s->text, to);
    str_add(&s->text, ")");
}

static void random_order(Gen *g, int *order, int n) {
    for (int i = 0; i < n; i++) {
        int j = pick(g, 0, i);
        order[i] = order[j];
        order[j] = i;
    }
}

void make_transpose(Gen *g) {
    int x = some(g, 2, 4), order[MOST_RANK];
    Shape from = shape_of(g, x), to = {.rank = from.rank};
    random_order(g, order, from.rank);
    for (int i = 0; i < to.rank; i++) to.dims[i] = from.dims[order[i]];
    bool distinct = g->p->values[x].distinct;
    Statement *s = begin(g);
    int y = moved(g, to, x);
    g->p->values[y].distinct = distinct;
    str_add(&s->text, "let %s = transpose(%s, [", name_of(g, y), use(g, x));
    for (int i = 0; i < to.rank; i++) str_add(&s->text, "%s%d", i ? ", " : "", order[i]);
    str_add(&s->text, "])");
}

void make_concat(Gen *g) {
    int x = some(g, 1, 4), parts = pick(g, 2, 3), xs[3] = {x};
    Shape to = shape_of(g, x);
    bool stack = to.rank < MOST_RANK && chance(g, 35);
    int axis = pick(g, 0, to.rank - !stack), all = stack ? parts : to.dims[axis];
    for (int i = 1; i < parts; i++) {
        Shape other = shape_of(g, x);
        if (!stack) {
            if (chance(g, 50)) other.dims[axis] = pick(g, 1, 5);
            all += other.dims[axis];
        }
        xs[i] = of_shape(g, other);
    }
    if (stack)
        to = with_axis(to, axis, parts);
    else
        to.dims[axis] = all;
    Statement *s = begin(g);
    str_add(&s->text, "let %s = %s([", name_of(g, moved(g, to, x)), stack ? "stack" : "concat");
    for (int i = 0; i < parts; i++) str_add(&s->text, "%s%s", i ? ", " : "", use(g, xs[i]));
    str_add(&s->text, "], axis = %d)", axis);
}

void make_split(Gen *g) {
    int x = some(g, 1, 4);
    Shape from = shape_of(g, x), to[2] = {from, from};
    int axis = pick(g, 0, from.rank - 1), n = from.dims[axis];
    if (n < 2) return;
    int cut = n % 2 ? pick(g, 1, n - 1) : n / 2;
    to[0].dims[axis] = cut;
    to[1].dims[axis] = n - cut;
    Statement *s = begin(g);
    int a = moved(g, to[0], x), b = moved(g, to[1], x);
    str_add(&s->text, "let (%s, %s) = split(%s, ", name_of(g, a), name_of(g, b), use(g, x));
    if (n % 2)
        str_add(&s->text, "[%d, %d], axis = %d)", cut, n - cut, axis);
    else
        str_add(&s->text, "2, axis = %d)", axis);
}

void make_pad(Gen *g) {
    int x = some(g, 1, 4);
    Shape to = shape_of(g, x);
    Str widths = {0};
    for (int i = 0; i < to.rank; i++) {
        int before = pick(g, 0, 2), behind = pick(g, 0, 2);
        str_add(&widths, "%s[%d, %d]", i ? ", " : "", before, behind);
        to.dims[i] += before + behind;
    }
    if (elements(to) > 4000) {
        vec_free(&widths);
        return;
    }
    Statement *s = begin(g);
    str_add(&s->text, "let %s = pad(%s, [%s]%s)", name_of(g, moved(g, to, x)), use(g, x), widths.at,
            chance(g, 30) ? ", value = 0.5" : "");
    vec_free(&widths);
}

/* Rows by number, one element of each row, or numbers from the end. */
void make_gather(Gen *g) {
    int x = some(g, 1, 3), axis;
    Shape from = shape_of(g, x), to = from;
    if (from.rank >= 2 && chance(g, 35)) { /* an element of each row */
        to = without_axis(from, from.rank - 1);
        int ids = integers(g, to, from.dims[from.rank - 1]);
        Statement *s = begin(g);
        str_add(&s->text, "let %s = pick(%s, %s)", name_of(g, moved(g, to, x)), use(g, x), use(g, ids));
        return;
    }
    axis = pick(g, 0, from.rank - 1);
    Shape places = {1, {pick(g, 1, 12)}};
    if (from.rank == 1 && chance(g, 50)) places = (Shape){2, {pick(g, 1, 4), pick(g, 1, 5)}};
    int ids = integers(g, places, from.dims[axis]);
    to = without_axis(to, axis);
    for (int i = 0; i < places.rank; i++) to = with_axis(to, axis + i, places.dims[i]);
    if (elements(to) > 4000) return;
    Statement *s = begin(g);
    str_add(&s->text, "let %s = %s[", name_of(g, moved(g, to, x)), use(g, x));
    for (int i = 0; i < axis; i++) str_add(&s->text, ":, ");
    str_add(&s->text, chance(g, 25) ? "-1 - %s]" : "%s]", use(g, ids));
}
