/* Operations on whole tensors: each is one comprehension whose loads say where an element comes from. */
#include "compiler/lower/lower_state.h"

#include <stdlib.h>

/* The operand `k` at the place that a result element comes from. */
static Ref moved(Lower *l, const Term *t, const Place *rows) {
    return lower_comp(l, t, RED_NONE, 0, NULL, lower_element(l, t->args[0], rows));
}

static Ref elementwise(Lower *l, const Term *t) {
    ExKind op;
    if (!op_from_name(t->op, &op)) bug("no operation is named '%s'", t->op);
    Ex a[3] = {0};
    for (int k = 0; k < t->nargs; k++) a[k] = lower_broadcast(l, t->args[k], t->type.rank);
    return lower_comp(l, t, RED_NONE, 0, NULL, ex_op(l->g, op, a[0], a[1], a[2]));
}

static Ref converted(Lower *l, const Term *t) { /* T_CAST, T_BROADCAST */
    return lower_comp(l, t, RED_NONE, 0, NULL, lower_broadcast(l, t->args[0], t->type.rank));
}

static bool is_reduced(const Term *t, int dim) {
    for (int k = 0; k < t->naxes; k++)
        if (t->axes[k] == dim) return true;
    return false;
}

static Ref reduce(Lower *l, const Term *t) {
    const Term *x = t->args[0];
    const int64_t *dims = lower_dims(l, x->type);
    int64_t *reds = ARENA_ARRAY(l->nnc->arena, int64_t, MAX(t->naxes, 1));
    Place *rows = lower_places(l, x->type.rank);
    for (int d = 0, kept = 0, red = 0; d < x->type.rank; d++) {
        bool over = is_reduced(t, d);
        rows[d] = lower_at_var(l, over ? t->type.rank + red : kept);
        if (over) reds[red++] = dims[d];
        if (!over || t->keep) kept++;
    }
    Combine c = lower_combine(t->op);
    Ex body = lower_element(l, x, rows);
    if (c != RED_ARGMAX && c != RED_ARGMIN) body = ex_cast(l->g, lower_wide(t->type.dtype), body);
    return lower_comp(l, t, c, t->naxes, reds, body);
}

/* Row-major: element i of the result is element i of the operand, so each operand index is a digit of the result's
 * number. */
static Ref reshape(Lower *l, const Term *t) {
    AffTable *affs = l->g->affs;
    const int64_t *to = lower_dims(l, t->type), *from = lower_dims(l, t->args[0]->type);
    const Aff *number = aff_const(affs, 0);
    for (int d = 0; d < t->type.rank; d++) number = aff_add(affs, aff_scale(affs, number, to[d]), aff_var(affs, d));
    int rank = t->args[0]->type.rank;
    Place *rows = lower_places(l, rank);
    int64_t stride = 1;
    for (int d = rank - 1; d >= 0; d--) {
        const Aff *row = aff_div(affs, number, MAX(stride, 1));
        if (d > 0) row = aff_mod(affs, row, MAX(from[d], 1));
        rows[d] = lower_at(aff_simplify(affs, row, to, t->type.rank));
        stride *= from[d];
    }
    return moved(l, t, rows);
}

static Ref transpose(Lower *l, const Term *t) {
    Place *rows = lower_places(l, t->type.rank);
    for (int d = 0; d < t->type.rank; d++) rows[t->axes[d]] = lower_at_var(l, d);
    return moved(l, t, rows);
}

static Ref slice(Lower *l, const Term *t) {
    AffTable *affs = l->g->affs;
    Place *rows = lower_places(l, t->type.rank);
    for (int d = 0; d < t->type.rank; d++) {
        const Aff *begin = aff_const(affs, lower_dim(t->begin[d]));
        rows[d] = lower_at(aff_add(affs, begin, aff_scale(affs, aff_var(affs, d), t->step[d])));
    }
    return moved(l, t, rows);
}

static Ref pad(Lower *l, const Term *t) {
    AffTable *affs = l->g->affs;
    const int64_t *from = lower_dims(l, t->args[0]->type), *to = lower_dims(l, t->type);
    int rank = t->type.rank, nconds = 0;
    Place *rows = lower_places(l, rank);
    Cond *conds = ARENA_ARRAY(l->nnc->arena, Cond, MAX(rank, 1));
    for (int d = 0; d < rank; d++) {
        int64_t begin = lower_dim(t->begin[d]);
        const Aff *i = aff_var(affs, d);
        rows[d] = lower_at(aff_sub(affs, i, aff_const(affs, begin)));
        if (begin > 0 || begin + from[d] < to[d]) conds[nconds++] = (Cond){i, begin, begin + from[d]};
    }
    Ex body = lower_element(l, t->args[0], rows);
    if (nconds) body = ex_guard(l->g, nconds, conds, body, lower_element(l, t->args[1], NULL));
    return lower_comp(l, t, RED_NONE, 0, NULL, body);
}

/* A piece of a concatenation: elements first .. end-1 along the axis. */
typedef struct {
    const Term *of;
    int64_t first, end;
} Piece;

/* Pieces lo .. hi-1 as a tree of guards; `known`: a guard around it holds just where one of them is meant. Only what is
 * inside of a guard may rely on it, so the right half asks again. */
static Ex pieces(Lower *l, const Term *t, const Piece *p, int lo, int hi, bool known) {
    AffTable *affs = l->g->affs;
    int axis = t->axes[0];
    const Aff *i = aff_var(affs, axis);
    if (hi - lo > 1) {
        int mid = lo + (hi - lo) / 2;
        Ex left = pieces(l, t, p, lo, mid, true), right = pieces(l, t, p, mid, hi, false);
        return ex_guard(l->g, 1, &(Cond){i, p[lo].first, p[mid].first}, left, right);
    }
    Place *rows = lower_places(l, t->type.rank);
    for (int d = 0; d < t->type.rank; d++) rows[d] = lower_at_var(l, d);
    rows[axis] = lower_at(aff_sub(affs, i, aff_const(affs, p[lo].first)));
    Ex part = lower_element(l, p[lo].of, rows);
    if (known) return part;
    return ex_guard(l->g, 1, &(Cond){i, p[lo].first, p[lo].end}, part, ex_zero(l->g, lower_wide(t->type.dtype)));
}

static Ref concat(Lower *l, const Term *t) {
    Piece *p = ARENA_ARRAY(l->nnc->arena, Piece, t->nargs + 1);
    int64_t end = 0;
    int n = 0;
    for (int k = 0; k < t->nargs; k++) {
        int64_t size = lower_dim(t->args[k]->type.dims[t->axes[0]]);
        if (size) p[n++] = (Piece){t->args[k], end, end + size};
        end += size;
    }
    Ex body = n ? pieces(l, t, p, 0, n, n == 1) : ex_zero(l->g, lower_wide(t->type.dtype));
    return lower_comp(l, t, RED_NONE, 0, NULL, body);
}

/* The number of a scan's iteration, plus a constant, is often known to be in range: it needs no check. */
static bool is_iteration(Lower *l, Ex index, int64_t size, Place *at) {
    const Graph *g = l->g;
    const Expr *x = ir_expr(g, index);
    int64_t plus = 0;
    if (x->kind == EX_ADD && ir_expr(g, x->arg[1])->kind == EX_CONST) {
        plus = ir_expr(g, x->arg[1])->i;
        x = ir_expr(g, index = x->arg[0]);
    }
    if (x->kind != EX_LOAD || x->load.rank || plus < 0) return false;
    const Node *n = ir_node(g, x->load.node);
    if (n->kind != N_LEAF || n->leaf.kind != LEAF_ITER) return false;
    *at = (Place){aff_const(l->g->affs, plus), index};
    return plus + l->extents[n->leaf.slot] <= size;
}

/* What a sort gives are places of the dim that it sorted. */
static bool is_sorted(const Lower *l, Ex index, int64_t size) {
    const Expr *x = ir_expr(l->g, index);
    const Node *n = x->kind == EX_LOAD ? ir_node(l->g, x->load.node) : NULL;
    return n && n->kind == N_SORT && ir_node(l->g, n->sort.of)->dims[n->rank - 1] <= size;
}

Place lower_gathered(Lower *l, Ex index, int64_t size, Ex *valid) {
    Graph *g = l->g;
    Place known;
    if (is_iteration(l, index, size, &known)) return known;
    if (is_sorted(l, index, size)) return (Place){aff_const(g->affs, 0), index};
    DType type = ir_expr(g, index)->dtype;
    if (size > INT32_MAX)
        type = DT_I64;
    else if (type != DT_I64)
        type = DT_I32;
    Ex v = ex_cast(g, type, index), zero = ex_zero(g, type), n = ex_int(g, type, size);
    v = ex_op(g, EX_SELECT, ex_op(g, EX_LT, v, zero, 0), ex_op(g, EX_ADD, v, n, 0), v); /* -1 is the last */
    Ex in = ex_op(g, EX_AND, ex_op(g, EX_LE, zero, v, 0), ex_op(g, EX_LT, v, n, 0), 0);
    *valid = *valid ? ex_op(g, EX_AND, *valid, in, 0) : in;
    Ex last = ex_int(g, type, MAX(size - 1, 0));
    return (Place){aff_const(g->affs, 0), ex_op(g, EX_MIN, ex_op(g, EX_MAX, v, zero, 0), last, 0)};
}

/* Is `index` the input of row numbers by which data field `x` is read? These are in range by themselves. */
static bool is_row_number(const Lower *l, const Term *x, const Term *index) {
    return x->kind == T_INPUT && index->kind == T_INPUT && l->unit->inputs.at[x->slot].gathered == index->slot;
}

static Ref gather(Lower *l, const Term *t) {
    const Term *x = t->args[0], *index = t->args[1];
    int axis = t->axes[0], inner = index->type.rank;
    Place *rows = lower_places(l, x->type.rank), *at = lower_places(l, inner);
    for (int d = 0; d < inner; d++) at[d] = lower_at_var(l, axis + d);
    for (int d = 0; d < x->type.rank; d++) rows[d] = lower_at_var(l, d < axis ? d : d + inner - 1);
    int64_t size = lower_dim(x->type.dims[axis]);
    Ex value = lower_element(l, index, at), missing = lower_missing(l, lower_wide(x->type.dtype)), valid = 0;
    if (is_row_number(l, x, index))
        rows[axis] = (Place){aff_const(l->g->affs, 0), value};
    else
        rows[axis] = lower_gathered(l, value, size, &valid);
    Ex body = size ? lower_element(l, x, rows) : missing;
    if (size && valid) body = ex_op(l->g, EX_SELECT, valid, body, missing);
    return lower_comp(l, t, RED_NONE, 0, NULL, body);
}

/* Operand `k` of a matrix product: its batch dims at those of the result, then [row, sum] or [sum, column]. */
static Ex factor(Lower *l, const Term *t, int k, int m, int n) {
    const Term *x = t->args[k];
    int rank = x->type.rank, sum = t->type.rank, batch = t->type.rank - (m >= 0) - (n >= 0);
    Place *rows = lower_places(l, rank);
    for (int d = 0; d < rank - 2; d++)
        rows[d] = lower_dim(x->type.dims[d]) == 1 ? lower_at_const(l, 0) : lower_at_var(l, batch - (rank - 2) + d);
    rows[k == 0 || rank == 1 ? rank - 1 : rank - 2] = lower_at_var(l, sum);
    if (rank > 1) rows[k == 0 ? rank - 2 : rank - 1] = lower_at_var(l, k == 0 ? m : n);
    return ex_cast(l->g, lower_wide(t->type.dtype), lower_element(l, x, rows));
}

/* out[b.., m, n] = sum[k](a[b.., m, k] * b[b.., k, n]); m or n is missing where that operand is a vector. */
static Ref matmul(Lower *l, const Term *t) {
    const Term *a = t->args[0], *b = t->args[1];
    int n = b->type.rank > 1 ? t->type.rank - 1 : -1;
    int m = a->type.rank > 1 ? t->type.rank - 1 - (n >= 0) : -1;
    int64_t depth = lower_dim(a->type.dims[a->type.rank - 1]);
    Ex product = ex_op(l->g, EX_MUL, factor(l, t, 0, m, n), factor(l, t, 1, m, n), 0);
    return lower_comp(l, t, RED_SUM, 1, &depth, product);
}

static Ref iota(Lower *l, const Term *t) {
    DType type = t->type.dtype == DT_I64 ? DT_I64 : DT_I32;
    return lower_comp(l, t, RED_NONE, 0, NULL, ex_index(l->g, type, aff_var(l->g->affs, 0)));
}

static Ref sort(Lower *l, const Term *t) {
    bool descending = t->op[0] == 'd';
    return ir_sort(l->g, lower_ref(l, t->args[0]), lower_dim(t->type.dims[t->type.rank - 1]), descending, t->at);
}

static void put_element(DType type, void *at, double v) {
    switch (type) {
    case DT_BOOL: *(uint8_t *)at = v != 0; break;
    case DT_U8: *(uint8_t *)at = (uint8_t)v; break;
    case DT_I8: *(int8_t *)at = (int8_t)v; break;
    case DT_I32: *(int32_t *)at = (int32_t)v; break;
    case DT_I64: *(int64_t *)at = (int64_t)v; break;
    case DT_F32: *(float *)at = (float)v; break;
    case DT_F64: *(double *)at = v; break;
    default: bug("constants of type %s", dtype_name(type));
    }
}

static Ref array(Lower *l, const Term *t) {
    const int64_t *dims = lower_dims(l, t->type);
    DType type = lower_wide(t->type.dtype);
    size_t count = 1, size = dtype_size(type);
    for (int d = 0; d < t->type.rank; d++) count *= (size_t)dims[d];
    char *data = xcalloc(MAX(count, 1), size);
    for (size_t i = 0; i < count; i++) put_element(type, data + i * size, t->elements[i]);
    Ref constant = ir_constant(l->g, type, t->type.rank, dims, data);
    free(data);
    if (type == t->type.dtype) return constant;
    Place *rows = lower_places(l, t->type.rank);
    for (int d = 0; d < t->type.rank; d++) rows[d] = lower_at_var(l, d);
    return lower_comp(l, t, RED_NONE, 0, NULL, ex_load(l->g, constant, rows));
}

Ref lower_tensor(Lower *l, const Term *t) {
    switch (t->kind) {
    case T_ARRAY: return array(l, t);
    case T_OP: return elementwise(l, t);
    case T_CAST:
    case T_BROADCAST: return converted(l, t);
    case T_REDUCE: return reduce(l, t);
    case T_RESHAPE: return reshape(l, t);
    case T_TRANSPOSE: return transpose(l, t);
    case T_SLICE: return slice(l, t);
    case T_PAD: return pad(l, t);
    case T_CONCAT: return concat(l, t);
    case T_GATHER: return gather(l, t);
    case T_MATMUL: return matmul(l, t);
    case T_IOTA: return iota(l, t);
    case T_SORT: return sort(l, t);
    default: bug("a term of kind %d cannot be lowered", (int)t->kind);
    }
}
