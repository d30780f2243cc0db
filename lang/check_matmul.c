/* The matrix product `@`. */
#include "lang/check.h"

/* A name in reach whose tensor has `inner` as its last size, to suggest in place of the left operand. */
static void suggest(Checker *c, Diag *d, Scope *s, const Term *wrong, Dim inner) {
    for (; s; s = s->up)
        for (size_t i = s->names.len; i-- > 0;) {
            const Binding *b = &s->names.at[i];
            if (b->var || b->value.kind != V_TENSOR || b->value.term == wrong) continue;
            Type t = b->value.term->type;
            if (t.rank < 2 || t.dims[t.rank - 1] != inner || !dtype_is_float(t.dtype)) continue;
            diag_help(c->nnc, d, "'%s' is %s and would fit", b->name, type_text(c, t));
            return;
        }
}

static Value report(Checker *c, Scope *s, Term *a, Term *b, Dim x, Dim y, Ast *e) {
    Diag *d = err(c, e->op.op_at, matmul, type_text(c, a->type), type_text(c, b->type), dim_text(c, x), dim_text(c, y));
    diag_label(c->nnc, d, e->op.a->at, "%s", type_text(c, a->type));
    label_origin(c, d, a);
    label_origin(c, d, b);
    Type t = b->type;
    if (t.rank == 2 && t.dims[1] == x)
        diag_help(c->nnc, d, "transpose(%s) is [%s, %s] and would fit", source_text(c, e->op.b->at),
                  dim_text(c, t.dims[1]), dim_text(c, t.dims[0]));
    else
        suggest(c, d, s, a, y);
    return value_poison();
}

Value eval_matmul(Checker *c, Scope *s, Value a, Value b, Ast *e) {
    Span places[] = {e->op.a->at, e->op.b->at};
    Term *t[2];
    if (!values_to_terms(c, 2, (Value[]){a, b}, places, t)) return value_poison();
    for (int i = 0; i < 2; i++) {
        if (t[i]->type.rank > 0 && !t[i]->indexed) continue;
        Diag *d = err(c, places[i], matmul_scalar);
        diag_help(c->nnc, d, "use '*' to scale a tensor by a number");
        return value_poison();
    }
    DType type = dtype_join(c, t[0]->type.dtype, t[1]->type.dtype);
    if (!dtype_is_float(type)) type = type_float(c);
    for (int i = 0; i < 2; i++) t[i] = term_cast(c, t[i], type, places[i]);
    Type l = t[0]->type, r = t[1]->type;
    Dim x = l.dims[l.rank - 1], y = r.dims[r.rank > 1 ? r.rank - 2 : 0];
    if (dim_differs(c->dims, x, y)) return report(c, s, t[0], t[1], x, y, e);
    Type lb = {.rank = MAX(l.rank - 2, 0), .dims = l.dims}, rb = {.rank = MAX(r.rank - 2, 0), .dims = r.dims};
    int rank, bad;
    const Dim *batch;
    if (!dims_broadcast(c, lb, rb, &rank, &batch, &bad))
        return report(c, s, t[0], t[1], lb.dims[lb.rank - bad], rb.dims[rb.rank - bad], e);
    Dim *dims = ARENA_ARRAY(check_arena(c), Dim, rank + 2);
    for (int i = 0; i < rank; i++) dims[i] = batch[i];
    if (l.rank > 1) dims[rank++] = l.dims[l.rank - 2];
    if (r.rank > 1) dims[rank++] = r.dims[r.rank - 1];
    return value_term(term_new(c, T_MATMUL, type_of(c, type, rank, dims), e->at, 2, t));
}
