/* Orders: sort, argsort, topk, permutation. One term gives the places of elements in order along the last dim; other
 * axes are transposed to it, and values are the elements at these places. */
#include "lang/builtin.h"

#include <string.h>

/* The dims of `x` with `axis` moved behind all others (back: from there to where it was). */
static Term *move_axis(Checker *c, Term *x, int axis, bool back, Span at) {
    int rank = x->type.rank, last = rank - 1, *perm = ARENA_ARRAY(check_arena(c), int, rank);
    if (axis == last) return x;
    for (int i = 0; i < rank; i++) perm[i] = i < axis ? i : back ? i - 1 : i + 1;
    perm[back ? axis : last] = back ? last : axis;
    return term_transpose(c, x, perm, at);
}

/* The places of the first k (NULL: of all) elements of x in order along its last dim. */
static Term *places_of(Checker *c, Term *x, Dim k, bool descending, Span at) {
    int rank = x->type.rank;
    Dim *dims = arena_copy(check_arena(c), x->type.dims, sizeof *dims * (size_t)rank);
    if (k) dims[rank - 1] = k;
    Term *t = term_new(c, T_SORT, type_of(c, DT_I32, rank, dims), at, 1, &x);
    t->op = check_name(c, descending ? "descending" : "ascending");
    return t;
}

Value builtin_sort(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    int axis;
    bool descending;
    if (!x || !arg_axis(c, b, 1, x->type.rank, -1, &axis) || !arg_bool(c, b, 2, false, &descending))
        return value_poison();
    x = move_axis(c, x, axis, false, b->at);
    Term *t = places_of(c, x, NULL, descending, b->at);
    if (strcmp(b->builtin->name, "sort") == 0) t = index_last(c, x, t, b->at);
    return value_term(t ? move_axis(c, t, axis, true, b->at) : NULL);
}

/* The number of elements wanted of `n`; NULL after a diagnostic. */
static Dim wanted(Checker *c, BuiltinCall *b, int arg, Dim n) {
    Dim k = value_is_number(b->args[arg]) ? value_size(c, b->args[arg]) : NULL;
    int64_t known, left;
    if (!k || (dim_is_const(k, &known) && known < 0)) {
        arg_bad(c, b, arg, "a whole number of 0 or more");
        return NULL;
    }
    if (!dim_is_const(dim_sub(c->dims, n, k), &left) || left >= 0) return k;
    err(c, b->places[arg], topk, dim_text(c, k), dim_text(c, n));
    return NULL;
}

Value builtin_topk(Checker *c, BuiltinCall *b) {
    Term *x = arg_tensor(c, b, 0);
    int axis;
    bool largest;
    if (!x || !arg_axis(c, b, 2, x->type.rank, -1, &axis) || !arg_bool(c, b, 3, true, &largest)) return value_poison();
    Dim k = wanted(c, b, 1, x->type.dims[axis]);
    if (!k) return value_poison();
    x = move_axis(c, x, axis, false, b->at);
    Term *places = places_of(c, x, k, largest, b->at), *values = index_last(c, x, places, b->at);
    if (!values) return value_poison();
    Value both[] = {value_term(move_axis(c, values, axis, true, b->at)),
                    value_term(move_axis(c, places, axis, true, b->at))};
    return value_list(c, V_TUPLE, both, 2);
}

/* The order of random words: among n of them two are equal, and so keep their order, about once in 2^33 / n^2 draws. */
Value builtin_permutation(Checker *c, BuiltinCall *b) {
    const Dim *dims;
    if (!arg_length(c, b, 0, &dims)) return value_poison();
    Term *words = random_term(c, b, "bits", DT_I32, 1, dims);
    return value_term(words ? places_of(c, words, NULL, false, b->at) : NULL);
}
