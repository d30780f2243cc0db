/* Labels of a data set that index a tensor, as the target of a cross-entropy does, or numbers computed from them: each
 * must be inside it. What is chosen under a condition on integers of the data is left to the condition; what is not
 * computed from one field is not looked at, and gives NaN where it is outside. */
#include "compiler/driver_private.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TERMS = 64, CACHED = 1 << 16 };

/* ---- which field ---- */

static bool is_field(const Unit *u, const Term *t) { return t->kind == T_INPUT && u->inputs.at[t->slot].gathered >= 0; }

/* Whether the elements of `t` are some of those of its first operand. */
static bool only_moves(const Unit *u, const Term *t) {
    switch (t->kind) {
    case T_RESHAPE:
    case T_BROADCAST:
    case T_SLICE:
    case T_TRANSPOSE:
    case T_MARK:
    case T_ACCESS: return true;
    case T_GATHER: return !is_field(u, t->args[0]);
    default: return false;
    }
}

/* The data field whose elements `t` holds, moved or converted; -1 where it is anything else. */
static int field_behind(const Unit *u, const Term *t) {
    while (only_moves(u, t) || t->kind == T_CAST) t = t->args[0];
    return t->kind == T_GATHER && is_field(u, t->args[0]) ? t->args[0]->slot : -1;
}

/* ---- what is computed from a label ---- */

/* An integer expression of a label. */
typedef struct {
    const Unit *unit;
    const Term *expr;
    const Term *leaf; /* the one term that holds the label */
    int field, terms;
    int64_t label; /* its value at the time */
} Label;

static int64_t narrowed(DType t, int64_t x) {
    return t == DT_U8 ? (uint8_t)x : t == DT_I8 ? (int8_t)x : t == DT_I32 ? (int32_t)x : t == DT_BOOL ? x != 0 : x;
}

static bool apply(const char *op, const int64_t *a, int64_t *y) {
    static const char *const names[] = {"add", "sub", "mul", "neg", "min", "max", "eq",
                                        "ne",  "lt",  "le",  "and", "or",  "not", "select"};
    int64_t sum = 0, difference = 0, product = 0;
    if (__builtin_add_overflow(a[0], a[1], &sum) || __builtin_sub_overflow(a[0], a[1], &difference) ||
        __builtin_mul_overflow(a[0], a[1], &product))
        return false;
    const int64_t values[] = {
        sum,          difference,  product,      -a[0],        MIN(a[0], a[1]), MAX(a[0], a[1]), a[0] == a[1],
        a[0] != a[1], a[0] < a[1], a[0] <= a[1], a[0] && a[1], a[0] || a[1],    !a[0],           a[0] ? a[1] : a[2]};
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(op, names[i]) == 0) return *y = values[i], true;
    return false;
}

/* The value of `t` for the label at hand; false where it is not made of one label and numbers alone. */
static bool value_of(Label *l, const Term *t, int64_t *x) {
    int64_t a[3] = {0};
    if (++l->terms > MOST_TERMS || dtype_is_float(t->type.dtype)) return false;
    int field = field_behind(l->unit, t);
    if (field >= 0) {
        if (!l->leaf) l->leaf = t, l->field = field;
        return *x = narrowed(t->type.dtype, l->label), t == l->leaf;
    }
    if (t->kind == T_NUMBER) return *x = (int64_t)t->number, true;
    if (t->kind == T_BROADCAST && t->args[0]->kind == T_NUMBER) return value_of(l, t->args[0], x);
    if (t->kind != T_OP && t->kind != T_CAST) return false;
    for (int i = 0; i < t->nargs; i++)
        if (!value_of(l, t->args[i], &a[i])) return false;
    if (t->kind == T_CAST) *x = a[0];
    if (t->kind == T_OP && !apply(t->op, a, x)) return false;
    return *x = narrowed(t->type.dtype, *x), true;
}

/* ---- checking ---- */

/* Whether an index made of a label is inside a dim of `size` elements. Labels repeat, so each is computed once. */
static bool fits(Label *l, int64_t label, int64_t size, char *known, int64_t *index) {
    char *seen = label >= 0 && label < CACHED ? &known[label] : NULL;
    if (seen && *seen) return true;
    l->label = label;
    l->terms = 0;
    if (!value_of(l, l->expr, index)) return true;
    if (*index < 0 || *index >= size) return false;
    if (seen) *seen = 1;
    return true;
}

static void check_computed(Driver *d, Label *l, const RtData *data, int64_t size) {
    const RtField *f = &data->fields[l->field];
    int64_t n = rt_field_elements(f), step = f->stride / (int64_t)rt_dtype_size(f->dtype), index;
    char *known = xcalloc(CACHED, 1);
    for (int64_t i = 0; i < data->count; i++) {
        int64_t row = data->rows ? data->rows[i] : i;
        for (int64_t k = 0; k < n; k++) {
            int64_t label = (int64_t)rt_element(f->data, f->dtype, row * step + k);
            if (fits(l, label, size, known, &index)) continue;
            Diag *m =
                diag(d->nnc, l->expr->at, DIAG_label_outside, (long long)label, (long long)index, (long long)size - 1);
            diag_help(d->nnc, m, "%s: sample %lld", f->source, (long long)row + 1);
            free(known);
            return;
        }
    }
    free(known);
}

/* Checks one index into a dim of `size` elements. */
static void check_index(Driver *d, const Unit *u, const RtData *data, const Term *index, Dim size) {
    int64_t n, first;
    RtError err;
    while (only_moves(u, index) && field_behind(u, index) < 0) index = index->args[0];
    Label l = {.unit = u, .expr = index};
    bool known = dim_is_const(size, &n) && value_of(&l, index, &first) && l.leaf && l.field < data->nfields;
    if (!known || rt_dtype_is_float(data->fields[l.field].dtype)) return;
    if (l.leaf != index) {
        check_computed(d, &l, data, n);
    } else if (!rt_data_check_labels(data, l.field, n, &err)) {
        Diag *m = diag(d->nnc, index->at, DIAG_data_file, err.text);
        diag_here(d->nnc, m, "picks one of %lld", (long long)n);
    }
}

static void check_term(Driver *d, const Unit *u, const RtData *data, const Term *t) {
    if (t->kind == T_GATHER && !is_field(u, t->args[0]))
        check_index(d, u, data, t->args[1], t->args[0]->type.dims[t->axes[0]]);
    if (t->kind == T_ACCESS)
        for (int i = 1; i < t->nargs; i++) check_index(d, u, data, t->args[i], t->args[0]->type.dims[i - 1]);
}

/* ---- all of a unit ---- */

typedef VEC(const Term *) TermList;

static void push_new(TermList *stack, char *seen, const Term *t) {
    if (seen[t->id]) return;
    seen[t->id] = 1;
    vec_push(stack, t);
}

/* Whether a condition asks about integers of the data, as `label >= 0` does; `left` terms of it are looked at. */
static bool asks_labels(const Unit *u, const Term *t, int *left) {
    if (--*left < 0) return false;
    if (t->kind != T_OP) return field_behind(u, t) >= 0 && !dtype_is_float(t->type.dtype);
    for (int i = 0; i < t->nargs; i++)
        if (asks_labels(u, t->args[i], left)) return true;
    return false;
}

static bool is_guarded(const Unit *u, const Term *t) {
    int left = MOST_TERMS;
    return t->kind == T_OP && strcmp(t->op, "select") == 0 && asks_labels(u, t->args[0], &left);
}

bool driver_check_labels(Driver *d, const Unit *u, const RtData *data) {
    int errors = d->nnc->diags.errors, most = 0;
    for (size_t i = 0; i < u->results.len; i++) most = MAX(most, u->results.at[i].value->id);
    for (size_t i = 0; i < u->updates.len; i++) most = MAX(most, u->updates.at[i].value->id);
    char *seen = xcalloc((size_t)most + 1, 1);
    TermList stack = {0};
    for (size_t i = 0; i < u->results.len; i++) push_new(&stack, seen, u->results.at[i].value);
    for (size_t i = 0; i < u->updates.len; i++) push_new(&stack, seen, u->updates.at[i].value);
    while (stack.len) {
        const Term *t = stack.at[--stack.len];
        check_term(d, u, data, t);
        int n = is_guarded(u, t) ? 1 : t->nargs;
        for (int i = 0; i < n; i++) push_new(&stack, seen, t->args[i]);
    }
    free(seen);
    vec_free(&stack);
    return d->nnc->diags.errors == errors;
}
