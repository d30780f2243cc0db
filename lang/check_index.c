/* Index notation: definitions, reducers, accesses, and the arithmetic of indices. */
#include "lang/check.h"

#include <stdlib.h>
#include <string.h>

/* ---- indices as values ---- */

TermIndex *index_new(Checker *c, Name name, Span at) {
    TermIndex *index = ARENA_NEW(check_arena(c), TermIndex);
    *index = (TermIndex){.name = name, .id = c->index_ids++};
    struct IndexState state = {.index = index, .at = at};
    arena_push(c, &c->indices->indices, state);
    return index;
}

static Value affine_value(Checker *c, Dim base, const struct AffineTerm *terms, int len, Dim den) {
    Affine *a = ARENA_NEW(check_arena(c), Affine);
    *a = (Affine){.base = base, .len = len, .den = den && dim_is(den, 1) ? NULL : den};
    a->terms = arena_copy(check_arena(c), terms, sizeof *terms * (size_t)len);
    return (Value){.kind = V_INDEX, .affine = a};
}

static Affine as_affine(Checker *c, Value v) {
    if (v.kind == V_INDEX) return *v.affine;
    (void)c;
    return (Affine){.base = v.whole.num, .den = v.whole.den};
}

/* a + sign * b over a common denominator */
static Value add(Checker *c, Affine a, Affine b, int64_t sign) {
    Dims *ds = c->dims;
    Dim one = dim_number(ds, 1), ad = a.den ? a.den : one, bd = b.den ? b.den : one;
    Dim sa = ad == bd ? one : bd, sb = dim_mul(ds, ad == bd ? one : ad, dim_number(ds, sign));
    struct AffineTerm *terms = ARENA_ARRAY(check_arena(c), struct AffineTerm, a.len + b.len + 1);
    int n = 0;
    for (int i = 0; i < a.len; i++)
        terms[n++] = (struct AffineTerm){a.terms[i].index, dim_mul(ds, a.terms[i].coef, sa)};
    for (int i = 0; i < b.len; i++) {
        Dim coef = dim_mul(ds, b.terms[i].coef, sb);
        int k = 0;
        while (k < n && terms[k].index != b.terms[i].index) k++;
        terms[k] = (struct AffineTerm){b.terms[i].index, k < n ? dim_add(ds, terms[k].coef, coef) : coef};
        n += k == n;
    }
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (!dim_is(terms[i].coef, 0)) terms[kept++] = terms[i];
    Dim base = dim_add(ds, dim_mul(ds, a.base, sa), dim_mul(ds, b.base, sb));
    return affine_value(c, base, terms, kept, ad == bd ? ad : dim_mul(ds, ad, bd));
}

static Value scale(Checker *c, Affine a, Dim by, Dim den) {
    struct AffineTerm *terms = ARENA_ARRAY(check_arena(c), struct AffineTerm, a.len + 1);
    for (int i = 0; i < a.len; i++)
        terms[i] = (struct AffineTerm){a.terms[i].index, dim_mul(c->dims, a.terms[i].coef, by)};
    Dim d = a.den ? dim_mul(c->dims, a.den, den) : den;
    return affine_value(c, dim_mul(c->dims, a.base, by), terms, dim_is(by, 0) ? 0 : a.len, d);
}

/* NONE where the result is not affine. */
Value affine_binary(Checker *c, AstOperator op, Value a, Value b) {
    Dim one = dim_number(c->dims, 1);
    if ((a.kind != V_INDEX && a.kind != V_INT) || (b.kind != V_INDEX && b.kind != V_INT)) return value_none();
    if (op == OP_AST_ADD || op == OP_AST_SUB)
        return add(c, as_affine(c, a), as_affine(c, b), op == OP_AST_ADD ? 1 : -1);
    if (op == OP_AST_MUL && (a.kind == V_INT || b.kind == V_INT)) {
        Value n = a.kind == V_INT ? a : b;
        return scale(c, as_affine(c, a.kind == V_INT ? b : a), n.whole.num, n.whole.den ? n.whole.den : one);
    }
    int64_t den;
    bool divides = op == OP_AST_DIV && b.kind == V_INT && !b.whole.den && (!dim_is_const(b.whole.num, &den) || den > 0);
    return divides ? scale(c, as_affine(c, a), one, b.whole.num) : value_none();
}

static Term *number_term(Checker *c, Dim d, Span at) {
    double x = 1;
    value_number(value_dim(d), &x);
    return term_number(c, x, DT_I32, at);
}

static Term *index_term(Checker *c, TermIndex *index, Span at) {
    Term *t = term_new(c, T_INDEX, type_scalar(DT_I32), at, 0, NULL);
    TermIndex **one = ARENA_NEW(check_arena(c), TermIndex *);
    *one = index;
    t->indices = one;
    t->nindices = 1;
    t->name = index->name;
    t->indexed = true;
    return t;
}

Term *affine_term(Checker *c, Affine *a, bool as_index, Span at) {
    Term *sum = a->len && dim_is(a->base, 0) ? NULL : number_term(c, a->base, at);
    for (int i = 0; i < a->len; i++) {
        Term *t = index_term(c, a->terms[i].index, at);
        if (!dim_is(a->terms[i].coef, 1)) t = term_binary(c, "mul", t, number_term(c, a->terms[i].coef, at), at);
        sum = sum ? term_binary(c, "add", t, sum, at) : t;
    }
    if (!a->den) return sum;
    Term *den = number_term(c, a->den, at);
    return term_binary(c, as_index ? "idiv" : "div", sum, den, at);
}

/* ---- accesses ---- */

static Term *access_item(Checker *c, Term *t, int dim, Value v, Span at) {
    Dim size = t->type.dims[dim];
    if (v.kind == V_INDEX) {
        struct Access a = {.affine = v.affine, .size = size, .at = at, .guarded = c->indices->guards > 0, .of = t};
        arena_push(c, &c->indices->accesses, a);
        return affine_term(c, v.affine, true, at);
    }
    if (value_is_number(v)) {
        Dim d = value_size(c, v);
        int64_t n;
        if (d && dim_is_const(d, &n) && n < 0) d = dim_add(c->dims, size, d);
        Dim left = d ? dim_sub(c->dims, dim_sub(c->dims, size, d), dim_number(c->dims, 1)) : NULL;
        if (!d || (dim_is_const(d, &n) && n < 0) || (dim_is_const(left, &n) && n < 0)) {
            err(c, at, index_range, source_text(c, at), type_text(c, t->type), dim, dim_text(c, size));
            return NULL;
        }
        return number_term(c, d, at);
    }
    Term *index = value_to_term(c, v, NULL, at);
    if (!index) return NULL;
    if (index->type.rank == 0 && !dtype_is_float(index->type.dtype) && index->type.dtype != DT_BOOL)
        return term_cast(c, index, DT_I32, at);
    err(c, at, bad_index, type_text(c, index->type));
    return NULL;
}

Value index_access(Checker *c, Term *t, const Value *items, const Span *places, int n, Span at) {
    if (!c->indices) bug("an index outside of index notation");
    Term **args = ARENA_ARRAY(check_arena(c), Term *, n + 1);
    args[0] = t;
    for (int i = 0; i < n; i++) {
        args[i + 1] = access_item(c, t, i, items[i], places[i]);
        if (!args[i + 1]) return value_poison();
    }
    Term *a = term_new(c, T_ACCESS, type_scalar(t->type.dtype), at, n + 1, args);
    a->indexed = true;
    return value_term(a);
}

/* ---- binders ---- */

/* `k in lo..hi by step`: the index counts from 0, its value is lo + step * index. */
static Value ranged_index(Checker *c, Scope *s, Ast *binder, bool from_zero) {
    Ast *range = binder->binder.range;
    TermIndex *index = index_new(c, binder->binder.var.name, binder->at);
    struct IndexState *state = &c->indices->indices.at[c->indices->indices.len - 1];
    if (range->kind != AST_RANGE) {
        err(c, range->at, binder_range);
        return value_poison();
    }
    Dim parts[3] = {dim_number(c->dims, 0), NULL, dim_number(c->dims, 1)};
    Ast *asts[] = {range->range.lo, range->range.hi, range->range.step};
    for (int i = 0; i < 3; i++) {
        Value v = asts[i] ? eval_expr(c, s, asts[i]) : value_none();
        if (v.kind == V_POISON) return v;
        if (v.kind == V_NONE && parts[i]) continue;
        parts[i] = value_size(c, v);
        int64_t bound;
        bool large = parts[i] && dim_is_const(parts[i], &bound) && (bound > INT32_MAX || bound < -INT32_MAX);
        if (parts[i] && !large) continue;
        Span at = asts[i] ? asts[i]->at : range->at;
        if (large)
            err(c, at, index_large, INT32_MAX, dim_text(c, parts[i]));
        else
            err(c, at, bad_bound, value_text(c, v));
        return value_poison();
    }
    int64_t step;
    if ((dim_is_const(parts[2], &step) && step < 1) || (from_zero && !(dim_is(parts[0], 0) && dim_is(parts[2], 1)))) {
        if (from_zero)
            err(c, range->at, define_range);
        else
            err(c, range->at, bad_step, value_text(c, value_dim(parts[2])));
        return value_poison();
    }
    Dim length = dim_sub(c->dims, parts[1], parts[0]), above = dim_sub(c->dims, parts[2], dim_number(c->dims, 1));
    int64_t n;
    index->extent = dim_div(c->dims, dim_add(c->dims, length, above), parts[2]);
    if (dim_is_const(index->extent, &n) && n < 0) index->extent = dim_number(c->dims, 0);
    state->given = true;
    struct AffineTerm term = {index, parts[2]};
    return affine_value(c, parts[0], &term, 1, NULL);
}

/* Binds an index, or a pack of them, in the scope of all of them. */
static Value bind_index(Checker *c, Scope *s, Scope *outer, Ast *item, bool from_zero) {
    Value v = value_poison();
    Name name = item->kind == AST_BINDER                           ? item->binder.var.name
                : item->kind == AST_NAME || item->kind == AST_REST ? item->name
                                                                   : NULL;
    if (!name) {
        err(c, item->at, bad_binder);
        return v;
    }
    for (size_t i = 0; i < s->names.len; i++) {
        if (s->names.at[i].name != name) continue;
        err(c, item->at, index_twice, name);
        return v;
    }
    if (item->kind == AST_BINDER) {
        v = ranged_index(c, outer, item, from_zero);
    } else if (item->kind == AST_NAME) {
        struct AffineTerm term = {index_new(c, name, item->at), dim_number(c->dims, 1)};
        v = affine_value(c, dim_number(c->dims, 0), &term, 1, NULL);
    } else {
        Pack *pack = ARENA_NEW(check_arena(c), Pack);
        *pack = (Pack){.name = name, .len = -1, .place = item->at};
        v = (Value){.kind = V_PACK, .pack = pack};
    }
    scope_define(c, s, name, v, item->at);
    return v;
}

/* The indices that bound names stand for, after the body was seen; false where a pack met no tensor. */
static bool collect(Checker *c, const Value *bound, int n, TermIndex ***out, int *len) {
    TermIndex **all = NULL;
    *len = 0;
    for (int pass = 0; pass < 2; pass++) {
        int k = 0;
        for (int i = 0; i < n; i++) {
            if (bound[i].kind == V_POISON) return false;
            bool pack = bound[i].kind == V_PACK;
            if (pack && bound[i].pack->len < 0) {
                err(c, bound[i].pack->place, pack_unbounded, bound[i].pack->name);
                return false;
            }
            for (int j = 0; j < (pack ? bound[i].pack->len : 1); j++, k++)
                if (all) all[k] = pack ? bound[i].pack->at[j] : bound[i].affine->terms[0].index;
        }
        if (!all) all = ARENA_ARRAY(check_arena(c), TermIndex *, k + 1);
        *len = k;
    }
    *out = all;
    return true;
}

/* ---- definitions and reducers ---- */

static Term *element(Checker *c, Scope *s, Ast *e) {
    Value v = eval_expr(c, s, e);
    Term *t = value_to_term(c, v, NULL, e->at);
    if (!t || t->type.rank == 0) return t;
    diag_help(c->nnc, err(c, e->at, element_tensor, type_text(c, t->type)), "index it so that one element is left");
    return NULL;
}

/* An index of a definition further out that `t` depends on, or NULL. */
static const TermIndex *foreign_index(Checker *c, const Term *t, const IndexContext *own) {
    const TermIndex *found = NULL;
    uint8_t *seen = xcalloc((size_t)c->terms / 8 + 1, 1);
    VEC(const Term *) todo = {0};
    vec_push(&todo, t);
    while (todo.len && !found) {
        t = todo.at[--todo.len];
        if (!t->indexed || (seen[t->id / 8] >> (t->id % 8) & 1)) continue;
        seen[t->id / 8] = (uint8_t)(seen[t->id / 8] | 1 << (t->id % 8));
        bool mine = t->kind != T_INDEX;
        for (size_t i = 0; i < own->indices.len && !mine; i++) mine = own->indices.at[i].index == t->indices[0];
        if (!mine) found = t->indices[0];
        for (int i = 0; i < t->nargs; i++) vec_push(&todo, t->args[i]);
    }
    vec_free(&todo);
    free(seen);
    return found;
}

/* Closes a context: finds the ranges and makes the definition. */
static Term *finish(Checker *c, IndexContext *ctx, Term *body, TermIndex **indices, int n, Span at) {
    c->indices = ctx->up;
    if (!ranges_solve(c, ctx)) return NULL;
    const TermIndex *foreign = ctx->up ? foreign_index(c, body, ctx) : NULL;
    if (foreign) {
        err(c, at, index_nested, foreign->name);
        return NULL;
    }
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, n + 1);
    for (int i = 0; i < n; i++) dims[i] = indices[i]->extent;
    Term *t = term_new(c, T_DEFINE, type_of(c, body->type.dtype, n, dims), at, 1, &body);
    t->indices = indices;
    t->nindices = n;
    t->indexed = false;
    return t;
}

Flow exec_define(Checker *c, Scope *s, Ast *a) {
    IndexContext ctx = {.up = c->indices};
    c->indices = &ctx;
    Scope *inner = scope_new(c, s);
    int n = a->define.indices.len, len;
    Value *bound = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int i = 0; i < n; i++) bound[i] = bind_index(c, inner, s, a->define.indices.at[i], true);
    Term *body = element(c, inner, a->define.value), *t = NULL;
    TermIndex **indices;
    if (body && collect(c, bound, n, &indices, &len)) t = finish(c, &ctx, body, indices, len, a->at);
    c->indices = ctx.up;
    AstNames names = {.at = &a->define.name, .len = 1};
    bind_pattern(c, s, &names, false, value_term(t), a->at);
    return FLOW_NEXT;
}

bool is_reducer_syntax(const Ast *callee) {
    static const char *const names[] = {"sum", "prod", "max", "min", "mean", "argmax", "argmin"};
    if (callee->kind != AST_INDEX || callee->index.of->kind != AST_NAME) return false;
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(callee->index.of->name, names[i]) == 0) return true;
    return false;
}

bool is_reducer(Checker *c, Scope *s, const Ast *callee) {
    return is_reducer_syntax(callee) && eval_lookup(c, s, callee->index.of->name, callee->at).kind == V_BUILTIN;
}

static Term *fold(Checker *c, const char *op, Term *body, TermIndex **indices, int n, Span at) {
    bool arg = strncmp(op, "arg", 3) == 0, mean = strcmp(op, "mean") == 0;
    bool adds = strcmp(op, "sum") == 0 || strcmp(op, "prod") == 0;
    DType t = body->type.dtype;
    if (mean) body = term_to_float(c, body, at);
    if (adds && !dtype_is_float(t) && t != DT_I64) body = term_cast(c, body, DT_I32, at);
    Term *f = term_new(c, T_FOLD, type_scalar(arg ? DT_I32 : body->type.dtype), at, 1, &body);
    f->op = intern(c->nnc->names, op);
    f->indices = indices;
    f->nindices = n;
    f->indexed = true;
    return f;
}

Value eval_reducer(Checker *c, Scope *s, Ast *e) {
    Ast *callee = e->call.callee;
    const char *op = callee->index.of->name;
    if (e->call.args.len != 1 || e->call.args.at[0].name.name) {
        err(c, e->at, reducer_arguments, op);
        return value_poison();
    }
    IndexContext ctx = {.up = c->indices};
    bool outermost = !c->indices;
    if (outermost) c->indices = &ctx;
    Scope *inner = scope_new(c, s);
    int n = callee->index.items.len, len;
    Value *bound = ARENA_ARRAY(check_arena(c), Value, n + 1);
    for (int i = 0; i < n; i++) bound[i] = bind_index(c, inner, s, callee->index.items.at[i], false);
    Term *body = element(c, inner, e->call.args.at[0].value), *t = NULL;
    TermIndex **indices;
    if (body && collect(c, bound, n, &indices, &len)) t = fold(c, op, body, indices, len, e->at);
    if (t && outermost) t = finish(c, &ctx, t, NULL, 0, e->at);
    if (outermost) c->indices = NULL;
    return value_term(t);
}

/* ---- elements of the last dim ---- */

Term *index_last(Checker *c, Term *x, Term *places, Span at) {
    IndexContext ctx = {.up = c->indices};
    c->indices = &ctx;
    int rank = x->type.rank;
    TermIndex **indices = ARENA_ARRAY(check_arena(c), TermIndex *, rank);
    Term **args = ARENA_ARRAY(check_arena(c), Term *, rank + 1), *place;
    args[0] = places;
    for (int i = 0; i < rank; i++) {
        indices[i] = index_new(c, check_name(c, "i%d", i + 1), at);
        indices[i]->extent = places->type.dims[i];
        args[i + 1] = index_term(c, indices[i], at);
    }
    for (size_t i = 0; i < ctx.indices.len; i++) ctx.indices.at[i].given = true;
    place = term_new(c, T_ACCESS, type_scalar(DT_I32), at, rank + 1, args);
    place->indexed = true;
    args[0] = x;
    args[rank] = place;
    Term *element_ = term_new(c, T_ACCESS, type_scalar(x->type.dtype), at, rank + 1, args);
    element_->indexed = true;
    return finish(c, &ctx, element_, indices, rank, at);
}
