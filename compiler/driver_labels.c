/* Labels of a data set that index a tensor, as the target of a cross-entropy does: each must be inside it. */
#include "compiler/driver_private.h"

#include <stdlib.h>

/* The data field whose elements `t` holds, changed in type and shape only; -1 where it is anything else. */
static int field_behind(const Unit *u, const Term *t) {
    for (;;) {
        switch (t->kind) {
        case T_CAST:
        case T_RESHAPE:
        case T_BROADCAST:
        case T_SLICE:
        case T_TRANSPOSE:
        case T_MARK:
        case T_ACCESS: t = t->args[0]; break;
        case T_GATHER:
            if (t->args[0]->kind == T_INPUT && u->inputs.at[t->args[0]->slot].gathered >= 0) return t->args[0]->slot;
            t = t->args[0];
            break;
        default: return -1;
        }
    }
}

/* Checks one index into a dim of `size` elements. */
static void check_index(Driver *d, const Unit *u, const RtData *data, const Term *index, Dim size) {
    int64_t n;
    RtError err;
    int field = field_behind(u, index);
    if (field < 0 || field >= data->nfields || !dim_is_const(size, &n)) return;
    if (rt_dtype_is_float(data->fields[field].dtype) || rt_data_check_labels(data, field, n, &err)) return;
    Diag *m = diag(d->nnc, index->at, DIAG_data_file, err.text);
    diag_here(d->nnc, m, "picks one of %lld", (long long)n);
}

static void check_term(Driver *d, const Unit *u, const RtData *data, const Term *t) {
    if (t->kind == T_GATHER && !(t->args[0]->kind == T_INPUT && u->inputs.at[t->args[0]->slot].gathered >= 0))
        check_index(d, u, data, t->args[1], t->args[0]->type.dims[t->axes[0]]);
    if (t->kind == T_ACCESS)
        for (int i = 1; i < t->nargs; i++) check_index(d, u, data, t->args[i], t->args[0]->type.dims[i - 1]);
}

typedef VEC(const Term *) TermList;

static void push_new(TermList *stack, char *seen, const Term *t) {
    if (seen[t->id]) return;
    seen[t->id] = 1;
    vec_push(stack, t);
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
        for (int i = 0; i < t->nargs; i++) push_new(&stack, seen, t->args[i]);
    }
    free(seen);
    vec_free(&stack);
    return d->nnc->diags.errors == errors;
}
