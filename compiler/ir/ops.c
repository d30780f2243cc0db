/* The facts of ops.def as a table, and how operand types make the result type. */
#include "compiler/ir/private.h"

#include <string.h>

enum { COMM = OPF_COMM, USER = OPF_USER };
#define D1(a) a
#define D2(a, b) a, b
#define D3(a, b, c) a, b, c

static const OpInfo rows[EX_KINDS] = {
#define OP(id, name_, arity_, type_, flags_, fold, deriv_, emit, cost_, synopsis_)                                     \
    [EX_##id] = {.name = name_,                                                                                        \
                 .arity = arity_,                                                                                      \
                 .type = OPT_##type_,                                                                                  \
                 .flags = flags_,                                                                                      \
                 .deriv = {deriv_},                                                                                    \
                 .cost = cost_,                                                                                        \
                 .synopsis = synopsis_},
#include "compiler/ir/ops.def"
#undef OP
};

const OpInfo *op_info(ExKind k) {
    if (k >= EX_KINDS || !rows[k].name) bug("expression kind %d is not a scalar operation", (int)k);
    return &rows[k];
}

bool op_from_name(const char *name, ExKind *k) {
    for (int i = 0; i < EX_KINDS; i++)
        if (rows[i].name && strcmp(rows[i].name, name) == 0) return *k = (ExKind)i, true;
    return false;
}

static bool is_integer(DType t) { return t != DT_BOOL && !dtype_is_float(t); }

static bool special_result(ExKind op, const DType *t, DType *result) {
    if (op == EX_SELECT) return *result = t[1], t[0] == DT_BOOL && t[1] == t[2];
    *result = DT_I32;
    return op == EX_RANDOM && t[0] == DT_I32 && t[1] == DT_I32 && t[2] == DT_I32 && t[3] == DT_I32;
}

bool op_result(ExKind op, const DType *t, DType *result) {
    const OpInfo *info = op_info(op);
    if (info->type == OPT_SPECIAL) return special_result(op, t, result);
    for (int i = 1; i < info->arity; i++)
        if (t[i] != t[0]) return false;
    *result = info->type == OPT_COMPARE ? DT_BOOL : t[0];
    switch (info->type) {
    case OPT_SAME: return t[0] != DT_BOOL || op == EX_STOP;
    case OPT_FLOAT: return dtype_is_float(t[0]);
    case OPT_LOGIC: return t[0] == DT_BOOL;
    case OPT_INTEGER: return is_integer(t[0]);
    default: return true;
    }
}
