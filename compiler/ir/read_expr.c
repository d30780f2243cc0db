/* Expressions of the textual IR; print.c shows the form. The builders take only what fits, so types are checked here
 * first. */
#include "compiler/ir/read.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 400 };
static const int64_t LARGEST = (int64_t)1 << 48; /* index arithmetic stays far from overflow */

/* ---- numbers ---- */

Operand read_number(Reader *r) {
    Operand o = {.literal = true};
    char word[16];
    bool minus = read_accept(r, "-");
    if (isalpha((unsigned char)read_peek(r))) {
        read_word(r, word, sizeof word);
        if (strcmp(word, "inf") != 0 && strcmp(word, "nan") != 0) read_fail(r, "'%s' is not a number", word);
        o.f = word[0] == 'n' ? (double)NAN : minus ? -(double)INFINITY : (double)INFINITY;
        return o;
    }
    const char *begin = r->text + r->pos;
    char *end = NULL;
    if (isdigit((unsigned char)*begin)) o.f = strtod(begin, &end);
    if (!end || end == begin) {
        read_fail(r, "a number is missing here");
        return o;
    }
    o.whole = !memchr(begin, '.', (size_t)(end - begin)) && !memchr(begin, 'e', (size_t)(end - begin));
    if (o.whole) o.i = (int64_t)(minus ? 0 - strtoull(begin, NULL, 10) : strtoull(begin, NULL, 10));
    if (minus) o.f = -o.f;
    r->pos += (size_t)(end - begin);
    return o;
}

Ex read_as(Reader *r, Operand o, DType t) {
    if (r->failed) return ex_zero(r->g, t);
    if (!o.literal) {
        DType is = ir_expr(r->g, o.e)->dtype;
        if (is != t) read_fail(r, "this is %s where %s is needed", dtype_name(is), dtype_name(t));
        return is == t ? o.e : ex_zero(r->g, t);
    }
    if (dtype_is_float(t)) return ex_float(r->g, t, o.f);
    if (!o.whole || scalar_wrap(t, o.i) != o.i) {
        read_fail(r, "this number is no %s", dtype_name(t));
        return ex_zero(r->g, t);
    }
    return ex_int(r->g, t, o.i);
}

/* ---- index expressions ---- */

static const Aff *read_aff(Reader *r);

static const Aff *bounded(Reader *r, const Aff *a) {
    bool large = a->constant > LARGEST || a->constant < -LARGEST;
    for (int i = 0; i < a->nterms; i++) large |= a->terms[i].coef > LARGEST || a->terms[i].coef < -LARGEST;
    if (!large) return a;
    read_fail(r, "the numbers of this index expression are too large");
    return aff_const(r->g->affs, 0);
}

static const Aff *read_index(Reader *r) {
    char word[16] = "";
    read_word(r, word, sizeof word);
    char *end = word;
    long n = word[0] && isdigit((unsigned char)word[1]) ? strtol(word + 1, &end, 10) : -1;
    bool out = word[0] == (r->domain ? 'q' : 'i'), red = word[0] == 'k' && !r->domain;
    if (*end || n < 0 || (!out && !red) || n >= (out ? r->nout : r->nred)) {
        read_fail(r, "there is no index '%s' here", word);
        return aff_const(r->g->affs, 0);
    }
    return aff_var(r->g->affs, (int)n + (red ? r->nout : 0));
}

static const Aff *read_factor(Reader *r) {
    AffTable *t = r->g->affs;
    const Aff *a;
    if (read_accept(r, "-")) return aff_scale(t, read_factor(r), -1);
    if (isdigit((unsigned char)read_peek(r))) return bounded(r, aff_const(t, read_integer(r)));
    if (!read_accept(r, "(")) return read_index(r);
    if (++r->depth > DEEPEST) read_fail(r, "nested more than %d levels deep", DEEPEST);
    a = read_aff(r);
    r->depth--;
    read_expect(r, ")");
    return a;
}

static const Aff *read_term(Reader *r) {
    AffTable *t = r->g->affs;
    const Aff *a = read_factor(r);
    for (int64_t k; !r->failed;) {
        if (read_accept(r, "*")) {
            const Aff *b = read_factor(r);
            if (!aff_is_const(a, &k) && !aff_is_const(b, &k)) read_fail(r, "an index times an index");
            if (r->failed) break;
            a = bounded(r, aff_is_const(a, &k) ? aff_scale(t, b, k) : (aff_is_const(b, &k), aff_scale(t, a, k)));
            continue;
        }
        bool div = read_accept(r, "div");
        if (!div && !read_accept(r, "mod")) break;
        k = read_integer(r);
        if (k < 1 || k > LARGEST) read_fail(r, "a divisor must be at least 1");
        if (!r->failed) a = div ? aff_div(t, a, k) : aff_mod(t, a, k);
    }
    return r->failed ? aff_const(t, 0) : a;
}

static const Aff *read_aff(Reader *r) {
    const Aff *a = read_term(r);
    while (!r->failed) {
        bool minus = read_peek(r) == '-';
        if (!minus && read_peek(r) != '+') break;
        size_t before = r->pos;
        r->pos++;
        if (read_peek(r) == '{') { /* a gather, not an index: the caller's */
            r->pos = before;
            break;
        }
        const Aff *b = read_term(r);
        a = bounded(r, minus ? aff_sub(r->g->affs, a, b) : aff_add(r->g->affs, a, b));
    }
    return a;
}

bool read_places(Reader *r, Place *at, int n) {
    read_expect(r, "[");
    for (int i = 0; i < n && !r->failed; i++) {
        if (i) read_expect(r, ",");
        bool bare = read_peek(r) == '{';
        at[i] = (Place){bare ? aff_const(r->g->affs, 0) : read_aff(r), 0};
        if (!bare && !read_accept(r, "+")) continue;
        read_expect(r, "{");
        Ex e = read_expr(r, DT_I32);
        DType t = ir_expr(r->g, e)->dtype;
        if (dtype_is_float(t) || t == DT_BOOL) read_fail(r, "a gather needs whole numbers, not %s", dtype_name(t));
        at[i].gather = e;
        read_expect(r, "}");
    }
    return read_expect(r, "]");
}

/* ---- expressions ---- */

static Operand read_operand(Reader *r);

static int64_t constant_bound(Reader *r, const Aff *a) {
    int64_t v = 0;
    if (!aff_is_const(a, &v)) read_fail(r, "a bound must be a number");
    return v;
}

/* aff '==' n | aff '<' n | aff '>=' n | n '<=' aff '<' n */
static Cond read_cond(Reader *r) {
    const Aff *a = read_aff(r);
    Cond c = {a, INT64_MIN, INT64_MAX};
    if (read_accept(r, "==")) {
        c.lo = constant_bound(r, read_aff(r));
        c.hi = c.lo + 1;
    } else if (read_accept(r, ">=")) {
        c.lo = constant_bound(r, read_aff(r));
    } else {
        if (read_accept(r, "<=")) {
            c.lo = constant_bound(r, a);
            c.aff = read_aff(r);
        }
        read_expect(r, "<");
        c.hi = constant_bound(r, read_aff(r));
    }
    return c;
}

static Operand made(Ex e) { return (Operand){.e = e}; }

/* Two operands of one type, which a literal takes from the other. */
static void agree(Reader *r, Operand *a, Operand *b) {
    DType t = DT_F32;
    if (!a->literal)
        t = ir_expr(r->g, a->e)->dtype;
    else if (!b->literal)
        t = ir_expr(r->g, b->e)->dtype;
    else if (a->whole && b->whole)
        t = DT_I32;
    *a = made(read_as(r, *a, t));
    *b = made(read_as(r, *b, t));
}

static Operand read_guard(Reader *r) {
    Cond *conds = NULL;
    size_t n = 0, cap = 0;
    read_expect(r, "(");
    do {
        if (n == cap) conds = graph_grow(r->g, conds, n, &cap, sizeof *conds);
        conds[n++] = read_cond(r);
    } while (read_accept(r, ","));
    read_expect(r, "?");
    Operand inside = read_operand(r);
    read_expect(r, ":");
    Operand outside = read_operand(r);
    read_expect(r, ")");
    agree(r, &inside, &outside);
    return made(r->failed ? inside.e : ex_guard(r->g, (int)n, conds, inside.e, outside.e));
}

static Operand read_load(Reader *r) {
    Ref node = read_ref(r);
    const Node n = *ir_node(r->g, node);
    Place *at = ARENA_ARRAY(r->g->nnc->arena, Place, n.rank);
    if (!r->failed && (n.rank || read_peek(r) == '[')) read_places(r, at, n.rank);
    return made(r->failed ? ex_zero(r->g, DT_F32) : ex_load(r->g, node, at));
}

/* dtype '[' aff ']' is an index as a number, dtype '(' expression ')' a conversion or a number of that type. */
static Operand read_typed(Reader *r, DType t) {
    if (read_accept(r, "[")) {
        const Aff *a = read_aff(r);
        read_expect(r, "]");
        if (t != DT_I32 && t != DT_I64) read_fail(r, "an index is i32 or i64, not %s", dtype_name(t));
        return made(r->failed ? ex_zero(r->g, t) : ex_index(r->g, t, a));
    }
    read_expect(r, "(");
    Operand o = read_operand(r);
    read_expect(r, ")");
    if (r->failed || o.literal) return made(read_as(r, o, t));
    return made(ex_cast(r->g, t, o.e));
}

static Operand read_op(Reader *r, ExKind op) {
    Operand o[4] = {{0}};
    DType types[4] = {0}, result;
    int n = op_info(op)->arity;
    read_expect(r, "(");
    for (int i = 0; i < n && !r->failed; i++) {
        if (i) read_expect(r, ",");
        o[i] = read_operand(r);
    }
    read_expect(r, ")");
    if (n == 2) agree(r, &o[0], &o[1]);
    if (n == 3) agree(r, &o[1], &o[2]);
    for (int i = 0; i < n && !r->failed; i++) {
        if (o[i].literal) o[i] = made(read_as(r, o[i], o[i].whole ? DT_I32 : DT_F32));
        types[i] = ir_expr(r->g, o[i].e)->dtype;
    }
    if (!r->failed && !op_result(op, types, &result))
        read_fail(r, "'%s' doesn't take operands of type %s", op_info(op)->name, dtype_name(types[0]));
    if (r->failed) return made(ex_zero(r->g, DT_F32));
    if (op == EX_RANDOM) return made(ex_random(r->g, o[0].e, o[1].e, o[2].e, o[3].e));
    return made(ex_op(r->g, op, o[0].e, o[1].e, o[2].e));
}

static Operand read_named(Reader *r) {
    char word[32] = "";
    size_t begin = r->pos;
    read_word(r, word, sizeof word);
    DType t;
    ExKind op;
    if (strcmp(word, "true") == 0 || strcmp(word, "false") == 0) return made(ex_int(r->g, DT_BOOL, word[0] == 't'));
    if (strcmp(word, "inf") == 0 || strcmp(word, "nan") == 0) {
        r->pos = begin;
        return read_number(r);
    }
    if (strcmp(word, "guard") == 0) return read_guard(r);
    if (dtype_from_name(word, &t)) return read_typed(r, t);
    if (op_from_name(word, &op) && op != EX_CAST) return read_op(r, op);
    if (word[0] == 't' && isdigit((unsigned char)word[1])) {
        size_t n = strtoul(word + 1, NULL, 10);
        if (n < r->temps.len) return made(r->temps.at[n]);
    }
    read_fail(r, "there is no operation '%s'", word);
    return made(ex_zero(r->g, DT_F32));
}

static Operand read_operand(Reader *r) {
    if (++r->depth > DEEPEST) read_fail(r, "nested more than %d levels deep", DEEPEST);
    char c = read_peek(r);
    Operand o = c == '%' ? read_load(r) : isalpha((unsigned char)c) ? read_named(r) : read_number(r);
    r->depth--;
    return o;
}

Ex read_expr(Reader *r, DType t) {
    Operand o = read_operand(r);
    return o.literal ? read_as(r, o, t) : o.e;
}

/* Whether the text goes on with 'tN ='. */
static bool at_definition(Reader *r, size_t n) {
    char word[32], want[32];
    size_t begin = r->pos;
    snprintf(want, sizeof want, "t%zu", n);
    if (read_peek(r) == 't' && read_word(r, word, sizeof word) && strcmp(word, want) == 0 && read_accept(r, "="))
        return true;
    r->pos = begin;
    return false;
}

Ex read_body(Reader *r, DType t) {
    r->temps.len = 0;
    if (!read_accept(r, "{")) return read_expr(r, t);
    while (!r->failed && at_definition(r, r->temps.len)) {
        Ex e = read_expr(r, DT_F32);
        vec_push(&r->temps, e);
    }
    Ex body = read_expr(r, t);
    read_expect(r, "}");
    return body;
}
