/* links: nnc_linked nnc_loop nnc_reference nnc_ir */
/* The functions of compiler/llvm/vecmath_*.c against the C library, in units of the last place. NNC_ALL_FLOATS in the
 * environment: over all floats instead of a sample, for the functions that it names ("exp,tanh" or "all"). */
#include "tests/unit/kernels.h"

#include <float.h>

enum { CHUNK = 1 << 14 };

typedef struct {
    const char *name;
    ExKind op;
    double (*real)(double);
    long double (*precise)(long double);
    double limit; /* units of the last place */
} Function;

static double sigmoid(double x) { return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x)); }
static long double sigmoid_l(long double x) { return x < 0 ? expl(x) / (1 + expl(x)) : 1 / (1 + expl(-x)); }
static double rsqrt_d(double x) { return 1 / sqrt(x); }
static long double rsqrt_l(long double x) { return 1 / sqrtl(x); }

static const Function functions[] = {
    {"sqrt", EX_SQRT, sqrt, sqrtl, 0.5}, {"rsqrt", EX_RSQRT, rsqrt_d, rsqrt_l, 2},
    {"exp", EX_EXP, exp, expl, 1.25},    {"expm1", EX_EXPM1, expm1, expm1l, 2},
    {"log", EX_LOG, log, logl, 1.25},    {"log1p", EX_LOG1P, log1p, log1pl, 1.25},
    {"sin", EX_SIN, sin, sinl, 2},       {"cos", EX_COS, cos, cosl, 2},
    {"tan", EX_TAN, tan, tanl, 2.5},     {"atan", EX_ATAN, atan, atanl, 2},
    {"tanh", EX_TANH, tanh, tanhl, 2},   {"erf", EX_ERF, erf, erfl, 2},
    {"erfc", EX_ERFC, erfc, erfcl, 3},   {"sigmoid", EX_SIGMOID, sigmoid, sigmoid_l, 2},
};

/* y[i] = op(x[i]) (op(x[i], z[i]) where it has two operands) for CHUNK elements, in vectors of `lanes` */
/* The nest must stay as long as the code. */
static Compiled elementwise(Nest *n, ExKind op, DType t, int lanes, const char *cpu) {
    nest_begin(n);
    int x = array(n, t, CHUNK), y = array(n, t, CHUNK), z = array(n, t, CHUNK);
    loop(n, lanes > 1 ? FOR_VECTOR : FOR_SERIAL, 1, CHUNK, lanes, NULL);
    Ex second = op_info(op)->arity > 1 ? fetch(n, z, AT(0, 1, 1)) : 0;
    store(n, y, AT(0, 1, 1), ex_op(n->g, op, fetch(n, x, AT(0, 1, 1)), second, 0));
    finish(n);
    return compile_for(n, cpu);
}

/* |got - want| in units of the last place of a number with `digits` bits and exponents from `least` */
static double units(long double got, long double want, int digits, int least) {
    if (isnan(want)) return isnan(got) ? 0 : (double)INFINITY;
    if (got == want) return 0;
    if (isinf(want) || isinf(got) || isnan(got)) return (double)INFINITY;
    int e;
    frexpl(want, &e);
    return (double)(fabsl(got - want) / ldexpl(1, MAX(e, least + 1) - digits));
}

static double units_f32(float got, double want) { return got == (float)want ? 0 : units(got, want, 24, -126); }
static double units_f64(double got, long double want) { return got == (double)want ? 0 : units(got, want, 53, -1022); }

typedef struct {
    double error, at, got, want;
} Worst;

static void note(Worst *w, double error, double at, double got, double want) {
    if (got == 0 && want == 0 && signbit(got) != signbit(want)) error = (double)INFINITY;
    if (error > w->error) *w = (Worst){error, at, got, want};
}

static void report(const char *what, DType t, int lanes, const char *cpu, const Worst *w, double limit) {
    if (getenv("SHOW_ERRORS"))
        fprintf(stderr, "%-8s %s %2d lanes %s: %.3f at %a\n", what, dtype_name(t), lanes, cpu, w->error, w->at);
    cr_expect(w->error <= limit, "%s of %s, %d lanes, %s: %a gives %a, not %a: off by %.3f units", what, dtype_name(t),
              lanes, cpu, w->at, w->got, w->want, w->error);
}

/* ---- f32 ---- */

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

/* floats with bits first, first + step, ... below 2^32 */
static void sweep_f32(const Function *f, int lanes, const char *cpu, uint32_t step) {
    static _Alignas(64) float x[CHUNK], y[CHUNK], z[CHUNK];
    Nest nest;
    Compiled c = elementwise(&nest, f->op, DT_F32, lanes, cpu);
    Worst worst = {0};
    for (uint64_t first = 0; first < (uint64_t)1 << 32; first += (uint64_t)step * CHUNK) {
        for (uint64_t i = 0; i < CHUNK; i++) x[i] = float_of((uint32_t)(first + i * step));
        call(&c, (void *[]){x, y, z}, 3);
        for (int i = 0; i < CHUNK; i++) {
            double want = f->real((double)x[i]);
            note(&worst, units_f32(y[i], want), (double)x[i], (double)y[i], (double)(float)want);
        }
    }
    jit_free(c.code);
    nest_end(&nest);
    report(f->name, DT_F32, lanes, cpu, &worst, f->limit);
}

static bool listed(const char *names, const char *name) {
    size_t len = strlen(name);
    for (const char *p = names; (p = strstr(p, name)); p += len)
        if ((p == names || p[-1] == ',') && (p[len] == ',' || !p[len])) return true;
    return strcmp(names, "all") == 0;
}

static int lanes_of(const char *cpu, DType t) {
    Nnc *nnc = nnc_new();
    Machine m;
    cr_assert(target_facts(nnc, NULL, cpu, &m));
    nnc_free(nnc);
    return m.vector_bytes / (int)dtype_size(t);
}

Test(vecmath, floats, .timeout = 36000) {
    const char *all = getenv("NNC_ALL_FLOATS"), *cpus[4];
    int ncpus = runnable(cpus);
    for (size_t i = 0; i < COUNT(functions); i++) {
        if (all && !listed(all, functions[i].name)) continue;
        for (int c = 0; c < ncpus; c += all ? MAX(ncpus - 1, 1) : 1) { /* all: without and with fma */
            bool wide = c == ncpus - 1;
            sweep_f32(&functions[i], lanes_of(cpus[c], DT_F32), cpus[c], all ? 1 : wide ? 4093 : 40009);
        }
        sweep_f32(&functions[i], 1, cpus[ncpus - 1], 100003);
    }
}

/* ---- f64 ---- */

static double double_of(uint64_t bits) {
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* any double, or one of everyday size, or a special one */
static double sample(uint64_t *state) {
    static const double special[] = {0,       -0.0,   1,       -1,       0.5,   -0.5,   2,       3,        1e-300,
                                     DBL_MIN, 5e-324, DBL_MAX, -DBL_MAX, 709.8, -745.2, 1048576, 1e22,     -2,
                                     M_PI,    M_PI_2, -5e-324, 1e300,    0.625, 88.8,   -103.9,  16777216, 0.1};
    uint64_t r = next(state);
    if (r % 64 == 0) return special[r / 64 % COUNT(special)];
    if (r % 64 == 1) return r & 64 ? (double)INFINITY : -(double)INFINITY;
    if (r % 64 == 2) return (double)NAN;
    if (r % 4 == 0) return double_of(next(state));
    double scale = ldexp(1, (int)(r >> 8 & 31) - 20);
    return ((double)(next(state) >> 11) * 0x1p-53 - 0.5) * scale;
}

static void sweep_f64(const Function *f, int lanes, const char *cpu, int chunks) {
    static _Alignas(64) double x[CHUNK], y[CHUNK], z[CHUNK];
    Nest nest;
    Compiled c = elementwise(&nest, f->op, DT_F64, lanes, cpu);
    Worst worst = {0};
    uint64_t state = 1;
    for (int chunk = 0; chunk < chunks; chunk++) {
        for (int i = 0; i < CHUNK; i++) x[i] = sample(&state);
        call(&c, (void *[]){x, y, z}, 3);
        for (int i = 0; i < CHUNK; i++) {
            long double want = f->precise((long double)x[i]);
            note(&worst, units_f64(y[i], want), x[i], y[i], (double)want);
        }
    }
    jit_free(c.code);
    nest_end(&nest);
    report(f->name, DT_F64, lanes, cpu, &worst, f->limit);
}

Test(vecmath, doubles, .timeout = 600) {
    const char *cpus[4];
    int ncpus = runnable(cpus);
    for (size_t i = 0; i < COUNT(functions); i++) {
        for (int c = 0; c < ncpus; c++) sweep_f64(&functions[i], lanes_of(cpus[c], DT_F64), cpus[c], 8);
        sweep_f64(&functions[i], 1, cpus[ncpus - 1], 2);
    }
}

/* ---- pow ---- */

static double pair_sample(uint64_t *state, bool exponent) {
    uint64_t r = next(state);
    if (r % 8 == 0) return (double)((int)(r >> 8 & 63) - 32); /* small integers */
    if (exponent && r % 8 < 5) return sample(state) * 16;
    if (r % 8 < 3) return 1 + ldexp((double)(next(state) >> 11), -53 - (int)(r >> 8 & 31)); /* about 1 */
    return sample(state);
}

Test(vecmath, power, .timeout = 600) {
    static _Alignas(64) float x[CHUNK], y[CHUNK], z[CHUNK];
    static _Alignas(64) double dx[CHUNK], dy[CHUNK], dz[CHUNK];
    const char *cpus[4];
    int ncpus = runnable(cpus);
    for (int c = 0; c < ncpus; c++) {
        Nest narrow, wide;
        Compiled f = elementwise(&narrow, EX_POW, DT_F32, lanes_of(cpus[c], DT_F32), cpus[c]);
        Compiled d = elementwise(&wide, EX_POW, DT_F64, lanes_of(cpus[c], DT_F64), cpus[c]);
        Worst worst = {0}, dworst = {0};
        uint64_t state = 7;
        for (int chunk = 0; chunk < 12; chunk++) {
            for (int i = 0; i < CHUNK; i++) {
                dx[i] = pair_sample(&state, false), dz[i] = pair_sample(&state, true);
                x[i] = (float)dx[i], z[i] = (float)dz[i];
            }
            call(&f, (void *[]){x, y, z}, 3);
            call(&d, (void *[]){dx, dy, dz}, 3);
            for (int i = 0; i < CHUNK; i++) {
                double want = pow((double)x[i], (double)z[i]);
                note(&worst, units_f32(y[i], want), (double)x[i], (double)y[i], (double)(float)want);
                long double precise = powl((long double)dx[i], (long double)dz[i]);
                note(&dworst, units_f64(dy[i], precise), dx[i], dy[i], (double)precise);
            }
        }
        report("pow", DT_F32, 0, cpus[c], &worst, 1);
        report("pow", DT_F64, 0, cpus[c], &dworst, 2);
        jit_free(f.code);
        jit_free(d.code);
        nest_end(&narrow);
        nest_end(&wide);
    }
}
