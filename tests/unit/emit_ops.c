/* links: nnc_linked nnc_loop nnc_reference nnc_ir */
/* Every row of ops.def for every element type over special values, as scalars and as vectors, against what the rows
 * mean. */
#include "tests/unit/kernels.h"

static const double specials[] = {0,      -0.0,  1,     -1,   2,    -2,    0.5,        -0.5,          1.5,
                                  2.5,    3,     -3,    7,    127,  128,   -128,       -129,          255,
                                  256,    65504, 1e9,   -1e9, 1e19, -1e19, 2147483647, -2147483648.0, 1e-40,
                                  5e-324, 1e38,  1e300, 0.1,  100,  -0.3,  INFINITY,   -INFINITY,     (double)NAN};

/* Values that show what a type does at its ends. */
static Scalar special(DType t, int i) {
    double f = specials[i % (int)COUNT(specials)];
    if (dtype_is_float(t)) return (Scalar){.f = scalar_round(t, f)};
    return scalar_cast(t, DT_F64, (Scalar){.f = f});
}

/* z[i] = op(x[i], y[i]) with all pairs of special values: a unit of its own. */
typedef struct {
    Nest nest;
    ExKind op;
    DType from, to;
} Case;

enum { SIDE = COUNT(specials), PAIRS = SIDE * SIDE, MOST_CASES = 512 };

static void make_case(Case *c, ExKind op, DType from, DType to, int lanes) {
    *c = (Case){.op = op, .from = from, .to = to};
    Nest *n = &c->nest;
    nest_begin(n);
    int x = array(n, from, PAIRS), y = array(n, from, PAIRS), z = array(n, to, PAIRS);
    loop(n, lanes > 1 ? FOR_VECTOR : FOR_SERIAL, 1, PAIRS, lanes, NULL);
    Ex a = fetch(n, x, AT(0, 1, 1)), b = op != EX_CAST && op_info(op)->arity > 1 ? fetch(n, y, AT(0, 1, 1)) : 0;
    if (op == EX_SELECT)
        store(n, z, AT(0, 1, 1), ex_op(n->g, op, ex_op(n->g, EX_LT, a, b, 0), a, b));
    else
        store(n, z, AT(0, 1, 1), op == EX_CAST ? ex_cast(n->g, to, a) : ex_op(n->g, op, a, b, 0));
}

static void check_case(const Case *c, JitCode *code, int number, const char *cpu, int lanes) {
    double tolerance = c->to == DT_F64 ? 1e-15 : c->to == DT_F32 ? 3e-7 : 0;
    char *data[4];
    for (int i = 0; i < 4; i++) data[i] = xcalloc(PAIRS, 8);
    for (int i = 0; i < PAIRS; i++) {
        scalar_write(c->from, data[0], i, special(c->from, i / SIDE));
        scalar_write(c->from, data[1], i, special(c->from, i % SIDE));
    }
    jit_run(code, number, (const void *[]){NULL, NULL, data[0], data[1], data[2]}, NULL, NULL);
    loop_interp_run(&c->nest.unit, (void *[]){NULL, NULL, data[0], data[1], data[3]});
    for (int i = 0; i < PAIRS; i++) {
        Scalar got = scalar_read(c->to, data[2], i), want = scalar_read(c->to, data[3], i);
        if (agrees(c->to, got, want, tolerance)) continue;
        cr_expect_fail("%s, %d lanes: %s of %s to %s of pair %d: %g or %lld, not %g or %lld", cpu, lanes,
                       op_info(c->op)->name, dtype_name(c->from), dtype_name(c->to), i, got.f, (long long)got.i, want.f,
                       (long long)want.i);
        break;
    }
    for (int i = 0; i < 4; i++) free(data[i]);
}

static bool applies(ExKind op, DType t) {
    switch (op_info(op)->type) {
    case OPT_SAME: return t != DT_BOOL;
    case OPT_FLOAT: return dtype_is_float(t);
    case OPT_COMPARE: return true;
    case OPT_LOGIC: return t == DT_BOOL;
    case OPT_INTEGER: return !dtype_is_float(t) && t != DT_BOOL;
    default: return false;
    }
}

static int make_cases(Case *cases, int lanes) {
    static const ExKind ops[] = {
#define OP(id, name, arity, type, flags, fold, deriv, emit, cost, synopsis) EX_##id,
#include "compiler/ir/ops.def"
#undef OP
    };
    int n = 0;
    for (size_t o = 0; o < COUNT(ops); o++)
        for (int t = 0; t < DT_COUNT; t++) {
            DType result = op_info(ops[o])->type == OPT_COMPARE ? DT_BOOL : (DType)t;
            if (applies(ops[o], (DType)t)) make_case(&cases[n++], ops[o], (DType)t, result, lanes);
            if (ops[o] == EX_SELECT) make_case(&cases[n++], EX_SELECT, (DType)t, (DType)t, lanes);
            for (int to = 0; to < DT_COUNT && ops[o] == EX_CAST; to++)
                if (to != t) make_case(&cases[n++], EX_CAST, (DType)t, (DType)to, lanes);
        }
    cr_assert_leq(n, MOST_CASES);
    return n;
}

static void every_operation(int lanes) {
    Case *cases = xcalloc(MOST_CASES, sizeof *cases);
    LoopUnit *units[MOST_CASES];
    int n = make_cases(cases, lanes);
    for (int i = 0; i < n; i++) {
        finish(&cases[i].nest);
        units[i] = &cases[i].nest.unit;
    }
    const char *cpus[4];
    int ncpus = runnable(cpus);
    for (int c = 0; c < ncpus; c++) {
        JitCode *code = jit_new(cases[0].nest.nnc, units, n, cpus[c], false);
        cr_assert_not_null(code);
        for (int i = 0; i < n; i++) check_case(&cases[i], code, i, cpus[c], lanes);
        jit_free(code);
    }
    for (int i = 0; i < n; i++) nest_end(&cases[i].nest);
    free(cases);
}

Test(emit_ops, scalars, .timeout = 300) { every_operation(1); }
Test(emit_ops, vectors, .timeout = 300) { every_operation(8); }
