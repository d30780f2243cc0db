/* Compile-time values: making, comparing and naming them. */
#include "lang/check.h"

#include <math.h>
#include <string.h>

Value value_none(void) { return (Value){.kind = V_NONE}; }
Value value_poison(void) { return (Value){.kind = V_POISON}; }
Value value_dim(Dim d) { return (Value){.kind = V_INT, .whole = {.num = d}}; }
Value value_int(Checker *c, int64_t n) { return value_dim(dim_number(c->dims, n)); }
Value value_float(double x) { return (Value){.kind = V_FLOAT, .real = {.value = x}}; }
Value value_unknown_float(void) { return (Value){.kind = V_FLOAT, .real = {.value = 1, .unknown = true}}; }
Value value_bool(bool b) { return (Value){.kind = V_BOOL, .truth = b}; }
Value value_string(Name text) { return (Value){.kind = V_STRING, .text = text}; }

Value value_term(Term *t) {
    if (!t) return value_poison();
    return (Value){.kind = V_TENSOR, .term = t};
}

Value value_list(Checker *c, ValueKind kind, const Value *items, int len) {
    Value v = {.kind = kind};
    v.list.len = len;
    if (len) v.list.at = arena_copy(check_arena(c), items, sizeof *items * (size_t)len);
    return v;
}

/* Lowest terms where both are numbers; whole where the division is exact. */
Value value_ratio(Checker *c, Dim num, Dim den) {
    int64_t n, d;
    if (dim_is_const(num, &n) && dim_is_const(den, &d)) {
        int64_t g = gcd64(n, d) * (d < 0 ? -1 : 1);
        num = dim_number(c->dims, n / g);
        den = dim_number(c->dims, d / g);
    } else if (dim_mul(c->dims, dim_div(c->dims, num, den), den) == num) {
        return value_dim(dim_div(c->dims, num, den));
    }
    Value v = value_dim(num);
    if (!dim_is(den, 1)) v.whole.den = den;
    return v;
}

Dim value_size(Checker *c, Value v) {
    if (v.kind == V_INT) return v.whole.den ? dim_div(c->dims, v.whole.num, v.whole.den) : v.whole.num;
    if (v.kind == V_FLOAT && v.real.unknown) return dim_opaque(c->dims, intern(c->nnc->names, "?"));
    if (v.kind == V_FLOAT && v.real.value == floor(v.real.value) && fabs(v.real.value) < 0x1p53)
        return dim_number(c->dims, (int64_t)v.real.value);
    return NULL;
}

bool value_is_known_int(Value v, int64_t *n) {
    if (v.kind == V_FLOAT && !v.real.unknown && v.real.value == floor(v.real.value) && fabs(v.real.value) < 0x1p53)
        return *n = (int64_t)v.real.value, true;
    if (v.kind != V_INT) return false;
    int64_t d = 1;
    if (!dim_is_const(v.whole.num, n) || (v.whole.den && !dim_is_const(v.whole.den, &d))) return false;
    *n = *n / d - (*n % d != 0 && (*n < 0) != (d < 0));
    return true;
}

bool value_number(Value v, double *x) {
    int64_t n, d = 1;
    if (v.kind == V_FLOAT) return *x = v.real.value, !v.real.unknown;
    if (v.kind != V_INT || !dim_is_const(v.whole.num, &n)) return false;
    if (v.whole.den && !dim_is_const(v.whole.den, &d)) return false;
    *x = (double)n / (double)d;
    return true;
}

/* "the list [2, 3]" where it is a short one of numbers. */
static const char *list_text(Checker *c, Value v) {
    Str s = {0};
    str_add(&s, "the list [");
    for (int i = 0; i < v.list.len; i++) {
        double x;
        bool plain = v.list.len <= 8 && v.list.at[i].kind == V_INT && !v.list.at[i].whole.den;
        if (!plain && (v.list.len > 8 || !value_is_number(v.list.at[i]) || !value_number(v.list.at[i], &x))) {
            vec_free(&s);
            return "a list";
        }
        str_add(&s, "%s", i ? ", " : "");
        if (plain)
            dim_print(&s, v.list.at[i].whole.num);
        else
            str_add(&s, "%g", x);
    }
    str_add(&s, "]");
    const char *text = arena_copy(check_arena(c), s.at, s.len + 1);
    vec_free(&s);
    return text;
}

const char *value_text(Checker *c, Value v) {
    static const char *const texts[] = {[V_NONE] = "nothing",
                                        [V_POISON] = "an unknown value",
                                        [V_BOOL] = "a truth value",
                                        [V_DTYPE] = "an element type",
                                        [V_LIST] = "a list",
                                        [V_TUPLE] = "a tuple",
                                        [V_INDEX] = "an index",
                                        [V_PACK] = "a run of indices",
                                        [V_FUNCTION] = "a function",
                                        [V_BUILTIN] = "a function",
                                        [V_LAYER] = "a layer",
                                        [V_INSTANCE] = "a layer",
                                        [V_MODEL] = "a model",
                                        [V_PART] = "a part of a model",
                                        [V_REPLACED] = "a model with other parameters",
                                        [V_OPTIMIZER] = "an optimizer",
                                        [V_UPDATE] = "an optimizer",
                                        [V_OBJECTIVE] = "an objective",
                                        [V_DATA] = "a data set"};
    if (v.kind == V_STRING) return arena_printf(check_arena(c), "the string \"%s\"", v.text);
    if (v.kind == V_LIST) return list_text(c, v);
    if (v.kind == V_TENSOR) return arena_printf(check_arena(c), "a tensor %s", type_text(c, v.term->type));
    if (v.kind == V_INT && !v.whole.den) return arena_printf(check_arena(c), "the number %s", dim_text(c, v.whole.num));
    double x;
    if (value_is_number(v) && value_number(v, &x)) return arena_printf(check_arena(c), "the number %g", x);
    return value_is_number(v) ? "a number" : texts[v.kind];
}

static int lists_equal(Checker *c, Value a, Value b) {
    if (a.list.len != b.list.len) return 0;
    if (!check_work(c, a.list.len, (Span){0})) return -1; /* lists of lists of lists … may share their elements */
    int all = 1;
    for (int i = 0; i < a.list.len; i++) {
        int one = value_equal(c, a.list.at[i], b.list.at[i]);
        if (one == 0) return 0;
        if (one < 0) all = -1;
    }
    return all;
}

static int numbers_equal(Checker *c, Value a, Value b) {
    double x, y;
    if (value_number(a, &x) && value_number(b, &y)) return x == y;
    if (a.kind != V_INT || b.kind != V_INT) return -1;
    Dim one = dim_number(c->dims, 1);
    Dim l = dim_mul(c->dims, a.whole.num, b.whole.den ? b.whole.den : one);
    Dim r = dim_mul(c->dims, b.whole.num, a.whole.den ? a.whole.den : one);
    return l == r ? 1 : dim_differs(c->dims, l, r) ? 0 : -1;
}

int value_equal(Checker *c, Value a, Value b) {
    if (a.kind == V_POISON || b.kind == V_POISON) return -1;
    if (value_is_number(a) && value_is_number(b)) return numbers_equal(c, a, b);
    if (a.kind != b.kind) return 0;
    switch (a.kind) {
    case V_BOOL: return a.truth == b.truth;
    case V_STRING: return a.text == b.text;
    case V_DTYPE: return a.dtype == b.dtype;
    case V_LIST:
    case V_TUPLE: return lists_equal(c, a, b);
    case V_FUNCTION:
    case V_LAYER:
    case V_MODEL:
    case V_OPTIMIZER: return a.fn.ast == b.fn.ast;
    case V_BUILTIN: return a.builtin == b.builtin;
    case V_INSTANCE: return a.instance == b.instance;
    case V_PART: return a.path == b.path;
    case V_REPLACED: return a.replaced == b.replaced;
    case V_DATA: return a.data == b.data;
    default: return a.kind == V_NONE;
    }
}

/* ---- maps and arena-grown vectors ---- */

static size_t slot_for(const NameMap *m, Name name) {
    size_t at = (((uintptr_t)name >> 4) * 0x9e3779b97f4a7c15u) >> 20 & (m->cap - 1);
    while (m->at[at].name && m->at[at].name != name) at = (at + 1) & (m->cap - 1);
    return at;
}

void *map_get(const NameMap *m, Name name) { return m->cap ? m->at[slot_for(m, name)].value : NULL; }

void map_put(Checker *c, NameMap *m, Name name, void *value) {
    if (2 * (m->len + 1) > m->cap) {
        NameMap more = {.cap = m->cap ? 2 * m->cap : 16, .len = m->len};
        more.at = ARENA_ARRAY(check_arena(c), struct NameSlot, more.cap);
        for (size_t i = 0; i < m->cap; i++)
            if (m->at[i].name) more.at[slot_for(&more, m->at[i].name)] = m->at[i];
        *m = more;
    }
    struct NameSlot *slot = &m->at[slot_for(m, name)];
    m->len += slot->name == NULL;
    *slot = (struct NameSlot){name, value};
}

void *check_grow(Checker *c, void *at, size_t len, size_t *cap, size_t size) {
    if (len < *cap) return at;
    *cap = *cap ? 2 * *cap : 4;
    void *more = arena_alloc(check_arena(c), *cap * size);
    if (len) memcpy(more, at, len * size);
    return more;
}
