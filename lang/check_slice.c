/* Brackets behind a value: elements of lists, slices and gathers of tensors, accesses of index notation. */
#include "lang/check.h"

#include <string.h>

/* ---- lists ---- */

static Value list_slice(Checker *c, Scope *s, Value list, const Ast *item) {
    Ast *parts[] = {item->range.lo, item->range.hi, item->range.step};
    int64_t n[] = {0, list.list.len, 1};
    for (int i = 0; i < 3; i++) {
        if (!parts[i]) continue;
        Value v = eval_expr(c, s, parts[i]);
        if (v.kind == V_POISON) return v;
        if (!value_is_known_int(v, &n[i])) {
            if (!value_is_number(v)) err(c, parts[i]->at, bad_bound, value_text(c, v));
            return value_poison();
        }
        if (i < 2 && n[i] < 0) n[i] += list.list.len;
    }
    if (n[0] < 0 || n[1] > list.list.len || n[0] > n[1] || n[2] < 1) {
        err(c, item->at, list_range, source_text(c, item->at), list.list.len);
        return value_poison();
    }
    if (!check_work(c, n[1] - n[0], item->at)) return value_poison();
    Value *items = ARENA_ARRAY(check_arena(c), Value, n[1] - n[0] + 1);
    int len = 0;
    for (int64_t i = n[0], step = MIN(n[2], n[1]); i < n[1]; i += step) items[len++] = list.list.at[i];
    return value_list(c, list.kind, items, len);
}

static Value index_list(Checker *c, Scope *s, Value list, Ast *e) {
    Ast *item = e->index.items.at[0];
    if (e->index.items.len != 1) {
        err(c, e->at, list_index, e->index.items.len);
        return value_poison();
    }
    if (item->kind == AST_RANGE) return list_slice(c, s, list, item);
    Ast name = {.kind = AST_NAME, .at = item->at, .name = item->name};
    Ast range = {.kind = AST_RANGE, .at = item->at, .range = {.hi = item->name ? &name : NULL}};
    return list_slice(c, s, list, &range);
}

static Value list_element(Checker *c, Value list, Value v, const Ast *item) {
    int64_t n;
    if (v.kind == V_POISON) return v;
    if (!value_is_known_int(v, &n)) {
        if (!value_is_number(v)) err(c, item->at, bad_bound, value_text(c, v));
        return value_poison();
    }
    if (n < -list.list.len || n >= list.list.len) {
        err(c, item->at, list_range, source_text(c, item->at), list.list.len);
        return value_poison();
    }
    return list.list.at[n < 0 ? n + list.list.len : n];
}

/* ---- items ---- */

typedef struct {
    enum { ITEM_VALUE, ITEM_RANGE, ITEM_REST, ITEM_PACK } kind;
    Value value, lo, hi, step; /* NONE where left out */
    Span at;
} Item;

static Value part(Checker *c, Scope *s, Ast *e) { return e ? eval_expr(c, s, e) : value_none(); }

static Item eval_item(Checker *c, Scope *s, Ast *e) {
    Item it = {.kind = ITEM_VALUE, .at = e->at, .value = value_none()};
    it.lo = it.hi = it.step = value_none();
    if (e->kind == AST_RANGE) {
        it.kind = ITEM_RANGE;
        it.lo = part(c, s, e->range.lo), it.hi = part(c, s, e->range.hi), it.step = part(c, s, e->range.step);
    } else if (e->kind == AST_REST && !e->name) {
        it.kind = ITEM_REST;
    } else if (e->kind == AST_REST) {
        it.value = eval_lookup(c, s, e->name, e->at);
        it.kind = it.value.kind == V_PACK ? ITEM_PACK : ITEM_RANGE;
        it.hi = it.value;
        if (it.value.kind == V_NONE) err(c, e->at, unknown_name, e->name);
        if (it.value.kind == V_NONE) it.hi = value_poison();
    } else if (e->kind == AST_BINDER) {
        err(c, e->at, stray_binder);
        it.value = value_poison();
    } else {
        it.value = eval_expr(c, s, e);
    }
    return it;
}

static bool is_poisoned(const Item *it) {
    return it->value.kind == V_POISON || it->lo.kind == V_POISON || it->hi.kind == V_POISON ||
           it->step.kind == V_POISON;
}

static bool is_index(const Item *it) {
    return it->kind == ITEM_PACK || it->value.kind == V_INDEX ||
           (it->value.kind == V_TENSOR && it->value.term->indexed);
}

/* ---- index notation ---- */

static Value affine_of(Checker *c, TermIndex *index) {
    Affine *a = ARENA_NEW(check_arena(c), Affine);
    a->base = dim_number(c->dims, 0);
    a->len = 1;
    a->terms = ARENA_NEW(check_arena(c), struct AffineTerm);
    *a->terms = (struct AffineTerm){index, dim_number(c->dims, 1)};
    return (Value){.kind = V_INDEX, .affine = a};
}

/* `..i` stands for as many indices as the tensor has dims left. */
static bool size_pack(Checker *c, Pack *pack, int len, Span at) {
    if (pack->len >= 0 || len < 0) return pack->len == len || len < 0;
    pack->len = len;
    pack->at = ARENA_ARRAY(check_arena(c), TermIndex *, len + 1);
    for (int i = 0; i < len; i++) pack->at[i] = index_new(c, check_name(c, "%s%d", pack->name, i + 1), at);
    return true;
}

static Value access(Checker *c, Term *t, const Item *items, int n, Span at) {
    int rest = t->type.rank, k = 0;
    const Item *open = NULL;
    for (int i = 0; i < n; i++) {
        bool sized = items[i].kind != ITEM_PACK || items[i].value.pack->len >= 0;
        if (items[i].kind == ITEM_RANGE || items[i].kind == ITEM_REST || (!sized && open)) {
            err(c, items[i].at, index_slice);
            return value_poison();
        }
        if (!sized) open = &items[i];
        rest -= items[i].kind != ITEM_PACK ? 1 : sized ? items[i].value.pack->len : 0;
    }
    if ((open && rest < 0) || (!open && rest != 0)) {
        err(c, at, index_rank, type_text(c, t->type), t->type.rank, t->type.rank - rest);
        return value_poison();
    }
    if (open) size_pack(c, open->value.pack, rest, at);
    Value *values = ARENA_ARRAY(check_arena(c), Value, t->type.rank + 1);
    Span *places = ARENA_ARRAY(check_arena(c), Span, t->type.rank + 1);
    for (int i = 0; i < n; i++) {
        int len = items[i].kind == ITEM_PACK ? items[i].value.pack->len : 1;
        for (int j = 0; j < len; j++) {
            places[k] = items[i].at;
            values[k++] = items[i].kind == ITEM_PACK ? affine_of(c, items[i].value.pack->at[j]) : items[i].value;
        }
    }
    return index_access(c, t, values, places, k, at);
}

/* ---- slices ---- */

typedef struct {
    Term *t;
    Dim *begin, *size;
    int64_t *step;
    bool *drop;
    Term *gather; /* at most one tensor of indices */
    int gather_dim;
    Span gather_at;
} Slice;

static bool out_of_range(Checker *c, const Slice *sl, int dim, Span at) {
    Diag *d =
        err(c, at, index_range, source_text(c, at), type_text(c, sl->t->type), dim, dim_text(c, sl->t->type.dims[dim]));
    label_origin(c, d, sl->t);
    return false;
}

static bool known_negative(Dim d) {
    int64_t n;
    return dim_is_const(d, &n) && n < 0;
}

/* A bound counts from the end where it is negative. */
static bool bound(Checker *c, Value v, Dim missing, Dim whole, Span at, Dim *out) {
    *out = missing;
    if (v.kind == V_NONE) return true;
    Dim d = value_size(c, v);
    if (!d) {
        err(c, at, bad_bound, value_text(c, v));
        return false;
    }
    *out = known_negative(d) ? dim_add(c->dims, whole, d) : d;
    return true;
}

static bool slice_range(Checker *c, Slice *sl, int dim, const Item *it) {
    Dim whole = sl->t->type.dims[dim], hi;
    int64_t step = 1;
    if (!bound(c, it->lo, dim_number(c->dims, 0), whole, it->at, &sl->begin[dim]) ||
        !bound(c, it->hi, whole, whole, it->at, &hi))
        return false;
    if (it->step.kind != V_NONE && (!value_is_known_int(it->step, &step) || step < 1)) {
        diag_help(c->nnc, err(c, it->at, bad_step, value_text(c, it->step)), "flip(x, axis) reverses");
        return false;
    }
    Dim length = dim_sub(c->dims, hi, sl->begin[dim]);
    if (known_negative(sl->begin[dim]) || known_negative(length) || known_negative(dim_sub(c->dims, whole, hi)))
        return out_of_range(c, sl, dim, it->at);
    sl->step[dim] = step;
    sl->size[dim] =
        dim_div(c->dims, dim_add(c->dims, length, dim_number(c->dims, step - 1)), dim_number(c->dims, step));
    return true;
}

static bool slice_element(Checker *c, Slice *sl, int dim, const Item *it) {
    Dim whole = sl->t->type.dims[dim], at = value_size(c, it->value);
    if (!at) {
        err(c, it->at, bad_bound, value_text(c, it->value));
        return false;
    }
    if (known_negative(at)) at = dim_add(c->dims, whole, at);
    Dim left = dim_sub(c->dims, dim_sub(c->dims, whole, at), dim_number(c->dims, 1));
    if (known_negative(at) || known_negative(left)) return out_of_range(c, sl, dim, it->at);
    sl->begin[dim] = at;
    sl->size[dim] = dim_number(c->dims, 1);
    sl->drop[dim] = true;
    return true;
}

static bool slice_tensor(Checker *c, Slice *sl, int dim, const Item *it) {
    Term *index = value_to_term(c, it->value, NULL, it->at);
    if (!index) return false;
    if (dtype_is_float(index->type.dtype) || index->type.dtype == DT_BOOL) {
        Diag *d = err(c, it->at, bad_index, type_text(c, index->type));
        if (index->type.dtype == DT_BOOL) diag_help(c->nnc, d, "where(mask, x, y) chooses element by element");
        return false;
    }
    if (sl->gather) {
        diag_help(c->nnc, err(c, it->at, gather_many),
                  "index notation says which go together: let y[i] = x[a[i], b[i]]");
        return false;
    }
    sl->gather = term_cast(c, index, DT_I32, it->at);
    sl->gather_dim = dim;
    sl->gather_at = it->at;
    return true;
}

static bool slice_item(Checker *c, Slice *sl, int dim, const Item *it) {
    if (it->kind == ITEM_RANGE) return slice_range(c, sl, dim, it);
    if (value_is_number(it->value)) return slice_element(c, sl, dim, it);
    return slice_tensor(c, sl, dim, it);
}

/* Slices first, then the dims of single elements go, then the gather. */
static Term *build_slice(Checker *c, const Slice *sl, Span at) {
    Term *t = term_slice(c, sl->t, sl->size, sl->begin, sl->step, at);
    Dim *kept = ARENA_ARRAY(check_arena(c), Dim, t->type.rank + 1);
    int rank = 0, axis = 0;
    for (int i = 0; i < t->type.rank; i++) {
        if (sl->gather && i == sl->gather_dim) axis = rank;
        if (!sl->drop[i]) kept[rank++] = t->type.dims[i];
    }
    t = term_reshape(c, t, rank, kept, at);
    return sl->gather ? term_gather(c, t, sl->gather, axis, at) : t;
}

static Value slice(Checker *c, Term *t, const Item *items, int n, Span at) {
    int rank = t->type.rank, rests = 0;
    for (int i = 0; i < n; i++) rests += items[i].kind == ITEM_REST;
    if (rests > 1 || n - rests > rank) {
        err(c, at, too_many_indices, type_text(c, t->type), n - rests);
        return value_poison();
    }
    Slice sl = {.t = t};
    sl.begin = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
    sl.size = ARENA_ARRAY(check_arena(c), Dim, rank + 1);
    sl.step = ARENA_ARRAY(check_arena(c), int64_t, rank + 1);
    sl.drop = ARENA_ARRAY(check_arena(c), bool, rank + 1);
    for (int i = 0; i < rank; i++) sl.begin[i] = dim_number(c->dims, 0), sl.size[i] = t->type.dims[i], sl.step[i] = 1;
    for (int i = 0, dim = 0; i < n; i++) {
        if (items[i].kind == ITEM_REST)
            dim += rank - (n - 1);
        else if (!slice_item(c, &sl, dim++, &items[i]))
            return value_poison();
    }
    return value_term(build_slice(c, &sl, at));
}

Value eval_index(Checker *c, Scope *s, Ast *e) {
    Value of = eval_expr(c, s, e->index.of);
    if (of.kind == V_POISON) return of;
    int n = e->index.items.len;
    Item *items = ARENA_ARRAY(check_arena(c), Item, n + 1);
    bool indexed = false, poisoned = false;
    Ast *first = e->index.items.at[0];
    bool list = of.kind == V_LIST || of.kind == V_TUPLE, range = first->kind == AST_RANGE || first->kind == AST_REST;
    if (list && (n > 1 || range)) return index_list(c, s, of, e);
    if (list) { /* a tensor or an index takes elements of the list as a tensor */
        items[0] = eval_item(c, s, first);
        if (items[0].value.kind != V_TENSOR && items[0].value.kind != V_INDEX)
            return list_element(c, of, items[0].value, first);
    }
    if (of.kind != V_TENSOR && of.kind != V_LIST) {
        err(c, e->at, not_indexable, value_text(c, of));
        return value_poison();
    }
    for (int i = 0; i < n; i++) {
        if (!list) items[i] = eval_item(c, s, e->index.items.at[i]);
        indexed = indexed || is_index(&items[i]);
        poisoned = poisoned || is_poisoned(&items[i]);
    }
    if (poisoned) return value_poison();
    Term *t = value_to_term(c, of, NULL, e->index.of->at);
    if (!t) return value_poison();
    return indexed ? access(c, t, items, n, e->at) : slice(c, t, items, n, e->at);
}
