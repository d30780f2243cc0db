/* Scans and whiles. */
#include "tests/random_programs/generate.h"

/* The element of x at iteration t, forwards or backwards, along its dim `axis`. */
static void put_element(Gen *g, Str *s, int x, int axis, int last, bool backwards) {
    str_add(s, "%s[", use(g, x));
    for (int i = 0; i < axis; i++) str_add(s, ":, ");
    if (backwards)
        str_add(s, "%d - t]", last);
    else
        str_add(s, "t]");
}

/* A carry of the shape of a slice, through a product where that fits, and now and then a second one. */
void make_scan(Gen *g) {
    int x = some(g, 1, 3), axis = pick(g, 0, shape_of(g, x).rank - 1);
    Shape from = shape_of(g, x), one = without_axis(from, axis);
    int steps = from.dims[axis], h0 = of_shape(g, one), w = -1, c0 = -1;
    if (one.rank && chance(g, 60)) {
        int n = one.dims[one.rank - 1];
        if (n * elements(from) < 6000) w = of_shape(g, (Shape){2, {n, n}});
    }
    if (chance(g, 40)) c0 = of_shape(g, one);
    g->work += 3 * elements(from) * (w >= 0 ? one.dims[one.rank - 1] : 1);
    Statement *s = begin(g);
    int y = result(g, with_axis(one, 0, steps), 2), h = result(g, one, 2), c = c0 < 0 ? -1 : result(g, one, 2);
    str_add(&s->text, "let %s = scan t in 0..%d with %s = %s", name_of(g, y), steps, name_of(g, h), use(g, h0));
    if (c >= 0) str_add(&s->text, ", %s = %s", name_of(g, c), use(g, c0));
    str_add(&s->text, " {\n        %s = tanh(0.7 * ", name_of(g, h));
    put_element(g, &s->text, x, axis, steps - 1, chance(g, 30));
    if (w >= 0)
        str_add(&s->text, " + 0.5 * (%s @ %s))", name_of(g, h), use(g, w));
    else
        str_add(&s->text, " - 0.6 * %s%s)", name_of(g, h), chance(g, 30) ? " + 0.1 * t" : "");
    if (c >= 0)
        str_add(&s->text, "\n        %s = sigmoid(%s) * %s + %s", name_of(g, c), name_of(g, h), name_of(g, c),
                chance(g, 50) ? "0.3 * sin(" : "0.1 * exp(-");
    if (c >= 0) str_add(&s->text, "%s)", name_of(g, h));
    str_add(&s->text, "\n        yield %s\n    }", name_of(g, c >= 0 && chance(g, 60) ? c : h));
}

/* As many iterations as integers say, or a fixed number. No gradient leads through. */
void make_while(Gen *g) {
    int x = some(g, 0, 3), ids = chance(g, 50) ? integers(g, (Shape){1, {pick(g, 1, 5)}}, 6) : -1;
    Statement *s = begin(g);
    int y = result(g, shape_of(g, x), 2);
    const char *v = name_of(g, y);
    g->work += 3 * elements(shape_of(g, y));
    str_add(&s->text, "let w%s = stop(%s)\n    let n%s = cast(0, int)\n    while n%s < ", v, use(g, x), v, v);
    if (ids >= 0)
        str_add(&s->text, "max(%s)", use(g, ids));
    else
        str_add(&s->text, "%d", pick(g, 1, 5));
    str_add(&s->text, " {\n        w%s = 0.6 * w%s + 0.3 * sin(w%s)", v, v, v);
    if (chance(g, 40)) str_add(&s->text, " + 0.02 * n%s", v);
    str_add(&s->text, "\n        n%s = n%s + 1\n    }\n    let %s = stop(w%s)", v, v, v, v);
}
