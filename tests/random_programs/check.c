/* The same program twice: with f64, as the interpreter runs it before any pass but autodiff; and compiled. In f32 the
 * interpreter says, too, how far rounding alone leads. */
#include "tests/random_programs/check.h"

#include "compiler/driver.h"
#include "compiler/ir/private.h"
#include "compiler/lower/lower.h"
#include "compiler/pass/parts.h"
#include "compiler/pass/passes.h"
#include "runtime/files.h"
#include "runtime/npy.h"
#include "tests/reference/interp.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 3, BATCHES = 3, MOST_THREADS = 3, MOST_INPUTS = MOST_VALUES + 8 };

/* The program with one float type, opened. */
typedef struct {
    const RandomProgram *p;
    Driver *d;
    Unit *unit;
    Code *code;
    Graph *graph; /* with its gradients, otherwise as it was lowered */
    void *inputs[MOST_INPUTS], **params, **states, **results;
    int32_t *rows, scalars[3]; /* seed, tick, epoch */
} Side;

/* What a run gave: every result and new value, step by step. */
typedef struct {
    const char *name;
    int64_t n;
    bool whole;
    double *at;
} Outcome;
typedef VEC(Outcome) Trace;

static void trace_free(Trace *t) {
    for (size_t i = 0; i < t->len; i++) free(t->at[i].at);
    vec_free(t);
}

/* ---- numbers ---- */

/* From -2 to 2, the same in every float type. */
static double number(const char *name, int64_t i) {
    uint64_t z = 0x9E3779B97F4A7C15u * (uint64_t)(i + 1);
    for (const char *c = name; *c; c++) z = (z ^ (uint64_t)*c) * 0x100000001B3u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 44) * 0x1p-18 - 2;
}

static void put(DType t, void *data, int64_t i, double x) {
    Scalar v = {.i = (int64_t)x};
    if (dtype_is_float(t)) v.f = x;
    scalar_write(t, data, i, v);
}

static double get(DType t, const void *data, int64_t i) {
    Scalar v = scalar_read(t, data, i);
    return dtype_is_float(t) ? v.f : (double)v.i;
}

static int64_t elements_of(Type t) {
    int64_t n = 1, dim;
    for (int i = 0; i < t.rank && dim_is_const(t.dims[i], &dim); i++) n *= dim;
    return n;
}

/* The first numbers of an input, a parameter or a state: the program's own values, else a layer's, else an
 * optimizer's, which are zeros. */
static void fill(const RandomProgram *p, const Variable *var, const char *name, Type t, void *data) {
    bool zeros = var && var->is_optimizer_state;
    const Value *v = zeros ? NULL : random_program_value(p, name);
    for (int64_t i = 0, n = elements_of(t); i < n; i++) {
        double x = number(v ? v->name : name, i);
        if (v && v->limit)
            x = floor((x + 2) / 4 * v->limit);
        else if (zeros)
            x = 0;
        else if (!v)
            x = var && !var->is_param ? 1 + x / 4 : x / 4;
        put(t.dtype, data, i, x);
    }
}

static void write_array(const char *folder, const char *name, const Value *v, int batch) {
    RtArray a = {.dtype = v->limit ? RT_I32 : RT_F32, .rank = v->shape.rank};
    RtError e;
    char path[160];
    for (int i = 0; i < a.rank; i++) a.dims[i] = i ? v->shape.dims[i] : (int64_t)batch * BATCHES;
    if (!rt_array_alloc(&a, name, &e)) bug("%s", e.text);
    for (int64_t i = 0, n = rt_array_elements(&a); i < n; i++) {
        double x = number(name, i);
        put((DType)a.dtype, a.data, i, v->limit ? floor((x + 2) / 4 * v->limit) : x);
    }
    snprintf(path, sizeof path, "%s/%s.npy", folder, name);
    if (!rt_npy_write(path, &a, &e)) bug("%s", e.text);
    rt_array_free(&a);
}

/* ---- opening ---- */

static void write_program(const RandomProgram *p, const char *folder, char *path, size_t size) {
    Str text = {0};
    RtError e;
    random_program_print(&text, p);
    snprintf(path, size, "%s/program.nn", folder);
    if (!rt_file_replace(path, text.at, text.len, &e)) bug("%s", e.text);
    vec_free(&text);
    if (!p->trains) return;
    write_array(folder, "x", &p->values[0], p->batch);
    write_array(folder, "y", &p->values[1], p->batch);
}

static void **buffers(const Unit *u, size_t n) { return xcalloc(MAX(n, u->results.len) + 1, sizeof(void *)); }

static void prepare_inputs(Side *s) {
    const Program *program = driver_program(s->d);
    const RtData *data = s->p->trains ? driver_rt_data(program->trains.at[0]->loops.at[0].data) : NULL;
    size_t next = 0, n = s->unit->inputs.len;
    if (n > MOST_INPUTS) bug("the program has %zu inputs", n);
    for (; data && next < (size_t)data->nfields; next++) s->inputs[next] = (void *)data->fields[next].data;
    if (data) s->inputs[next++] = s->rows = xcalloc((size_t)s->p->batch, sizeof *s->rows);
    for (int scalar = 0; next < n; next++) {
        const UnitInput *in = &s->unit->inputs.at[next];
        if (data || !random_program_value(s->p, in->name)) {
            s->inputs[next] = &s->scalars[scalar++];
        } else {
            s->inputs[next] = xcalloc((size_t)elements_of(in->type) + 8, 8);
            fill(s->p, NULL, in->name, in->type, s->inputs[next]);
        }
    }
}

static bool side_open(Side *s, const RandomProgram *p, const char *path, DType type, const char *cpu) {
    Options o = {
        .file = path, .seed = 0, .threads = 1, .float_type = type, .cpu = cpu, .quiet = true, .no_cache = true};
    *s = (Side){.p = p, .d = driver_open(&o), .scalars = {0, 0, 1}};
    if (!s->d) return false;
    Program *program = driver_program(s->d);
    s->unit = p->trains ? program_loop_unit(program, program->trains.at[0], 0, p->batch)
                        : program_export_unit(program, &program->exports.at[0], NULL, 0, NULL, 0, 0);
    if (driver_failed(s->d) || !s->unit) return false;
    Graph *g = lower_unit(driver_nnc(s->d), program, s->unit);
    ir_verify(g, "lowering");
    s->graph = pass_autodiff(driver_nnc(s->d), g);
    ir_verify(s->graph, "autodiff");
    prepare_inputs(s);
    return true;
}

static void side_close(Side *s) {
    for (size_t i = 0; s->unit && i < s->unit->inputs.len; i++) {
        const UnitInput *in = &s->unit->inputs.at[i];
        if (!s->p->trains && random_program_value(s->p, in->name)) free(s->inputs[i]);
    }
    free(s->rows);
    driver_close(s->d);
}

/* ---- running ---- */

/* A batch in an order of its own. */
static void begin_step(Side *s, int step) {
    s->scalars[1] = step;
    for (int i = 0; s->rows && i < s->p->batch; i++) s->rows[i] = (i * 2 + step * 5 + 1) % (s->p->batch * BATCHES);
}

static void keep(Trace *t, const Output *o, const Node *n, const void *data) {
    static const char *const kinds[] = {"result", "parameter", "state"};
    Outcome out = {.name = o->name ? o->name : kinds[o->kind], .n = ir_elements(n), .whole = !dtype_is_float(n->dtype)};
    out.at = xcalloc((size_t)out.n + 1, sizeof *out.at);
    for (int64_t i = 0; i < out.n; i++) out.at[i] = get(n->dtype, data, i);
    vec_push(t, out);
}

static void **variables(const Side *s, bool params) {
    const Program *p = driver_program(s->d);
    size_t n = params ? p->params.len : p->states.len;
    void **at = buffers(s->unit, n);
    for (size_t i = 0; i < n; i++) {
        const Variable *v = params ? p->params.at[i] : p->states.at[i];
        at[i] = xcalloc((size_t)elements_of(v->type) + 1, 8);
        fill(s->p, v, v->path, v->type, at[i]);
    }
    return at;
}

static void variables_free(const Side *s, void **at, bool params) {
    const Program *p = driver_program(s->d);
    for (size_t i = 0; i < (params ? p->params.len : p->states.len); i++) free(at[i]);
    free(at);
}

static void interpret(Side *s, Trace *t) {
    void **at[] = {NULL, variables(s, true), variables(s, false)};
    for (int step = 0; step < (s->p->trains ? STEPS : 1); step++) {
        begin_step(s, step);
        InterpEnv env = {(const void *const *)s->inputs, (const void *const *)at[1], (const void *const *)at[2], NULL};
        interp_run(s->graph, &env);
        for (size_t i = 0; i < s->graph->outputs.len; i++) {
            const Output *o = &s->graph->outputs.at[i];
            const Node *n = ir_node(s->graph, o->node);
            keep(t, o, n, env.outputs[i]);
            if (o->kind != OUT_RESULT)
                memcpy(at[o->kind == OUT_PARAM ? 1 : 2][o->slot], env.outputs[i],
                       (size_t)ir_elements(n) * dtype_size(n->dtype));
        }
        interp_free(s->graph, &env);
    }
    variables_free(s, at[1], true);
    variables_free(s, at[2], false);
}

/* To code in this process, or to assembly that nobody reads. */
static bool compile(Side *s, const Setup *to) {
    s->code = driver_add_unit(s->d, s->unit);
    if (!driver_build(s->d, to->runs)) return false;
    ir_verify(s->code->graph, "the passes");
    loop_verify(s->code->loops);
    if (to->runs) return true;
    FILE *nowhere = fopen("/dev/null", "w");
    bool ok = nowhere && backend()->dump(driver_nnc(s->d), &s->code->loops, 1, to->cpu, EMIT_ASM, nowhere);
    if (nowhere) fclose(nowhere);
    return ok;
}

static char *variable_at(const Side *s, bool param, size_t slot) {
    const VarLayout *v = driver_layout(s->d);
    return driver_values(s->d) + (param ? v->param[slot] : v->state[slot]);
}

static void reset_variables(const Side *s) {
    const Program *p = driver_program(s->d);
    for (size_t i = 0; i < p->params.len; i++)
        fill(s->p, p->params.at[i], p->params.at[i]->path, p->params.at[i]->type, variable_at(s, true, i));
    for (size_t i = 0; i < p->states.len; i++)
        fill(s->p, p->states.at[i], p->states.at[i]->path, p->states.at[i]->type, variable_at(s, false, i));
}

static void run_compiled(Side *s, int threads, Trace *t) {
    const Unit *u = s->unit;
    const void **bases = driver_bases(s->d, u, NULL);
    void **results = buffers(u, 0);
    for (size_t i = 0; i < u->inputs.len; i++) bases[BASE_FIRST_INPUT + i] = s->inputs[i];
    for (size_t i = 0; i < u->results.len; i++) {
        results[i] = xcalloc((size_t)elements_of(u->results.at[i].value->type) + 1, 8);
        bases[BASE_FIRST_INPUT + u->inputs.len + i] = results[i];
    }
    RtPool *pool = rt_pool_new(threads);
    reset_variables(s);
    for (int step = 0; step < (s->p->trains ? STEPS : 1); step++) {
        begin_step(s, step);
        jit_run(s->code->jit, s->code->number, bases, pool, NULL);
        for (size_t i = 0; i < s->graph->outputs.len; i++) {
            const Output *o = &s->graph->outputs.at[i];
            const void *data =
                o->kind == OUT_RESULT ? results[o->slot] : variable_at(s, o->kind == OUT_PARAM, (size_t)o->slot);
            keep(t, o, ir_node(s->graph, o->node), data);
        }
    }
    rt_pool_free(pool);
    for (size_t i = 0; i < u->results.len; i++) free(results[i]);
    free(results);
}

/* ---- comparing ---- */

/* The largest difference, or size where b is NULL; NaN where there is one. */
static double farthest(const Outcome *a, const Outcome *b) {
    double most = 0;
    for (int64_t i = 0; i < a->n && !isnan(most); i++) {
        double d = fabs(a->at[i] - (b ? b->at[i] : 0));
        if (!(d <= most)) most = d;
    }
    return most;
}

/* `rough` is what the interpreter gives in f32, or NULL. */
static Verdict compare(const Trace *got, const Trace *want, const Trace *rough) {
    Verdict verdict = CHECK_FINE;
    for (size_t o = 0; o < want->len; o++) {
        const Outcome *w = &want->at[o], *g = &got->at[o];
        double size = farthest(w, NULL), scale = fmax(1, size), off = rough ? farthest(&rough->at[o], w) : 0;
        if (!(off <= 1e-3 * scale) || !isfinite(size)) { /* what follows may depend on it */
            verdict = CHECK_VAGUE;
            continue;
        }
        double tolerance = w->whole ? 0 : rough ? 2e-5 * scale + 30 * off : 1e-9 * scale;
        for (int64_t i = 0; i < w->n; i++)
            if (!(fabs(g->at[i] - w->at[i]) <= tolerance)) {
                fprintf(stderr, "%s[%lld] of %lld (outcome %zu) is %.9g, not %.9g\n", w->name, (long long)i,
                        (long long)w->n, o, g->at[i], w->at[i]);
                return CHECK_WRONG;
            }
    }
    return verdict;
}

static bool equal(const Trace *a, const Trace *b) {
    for (size_t o = 0; o < a->len; o++)
        if (memcmp(a->at[o].at, b->at[o].at, sizeof(double) * (size_t)a->at[o].n) != 0) return false;
    return true;
}

/* A step whose batch can be cut computes the same part by part. */
static Verdict check_parts(Side *exact, const Trace *want) {
    Nnc *nnc = driver_nnc(exact->d);
    const Graph *whole = pass_simplify(nnc, exact->graph);
    int rows = 0;
    while (exact->inputs[rows] != exact->rows) rows++;
    for (int part = 1; part < exact->p->batch; part++) {
        Batch b = batch_find(whole, rows, exact->p->batch, part);
        if (b.mixed) return CHECK_FINE;
        Trace got = {0};
        exact->graph = pass_parts(nnc, &b);
        ir_verify(exact->graph, "parts");
        interpret(exact, &got);
        Verdict verdict = compare(&got, want, NULL);
        trace_free(&got);
        if (verdict == CHECK_WRONG) {
            fprintf(stderr, "in parts of %d\n", part);
            return verdict;
        }
    }
    return CHECK_FINE;
}

static Verdict run_and_compare(Side *s, const Trace *want, const Trace *rough) {
    Trace one = {0};
    run_compiled(s, 1, &one);
    Verdict verdict = compare(&one, want, rough);
    for (int threads = 2; threads <= MOST_THREADS && verdict < CHECK_WRONG; threads++) {
        Trace several = {0};
        run_compiled(s, threads, &several);
        if (!equal(&one, &several)) {
            fprintf(stderr, "%d threads give other numbers than one\n", threads);
            verdict = CHECK_UNSTEADY;
        }
        trace_free(&several);
    }
    trace_free(&one);
    return verdict;
}

Verdict check_program(const RandomProgram *p, const Setup *m, const char *folder) {
    char path[160];
    Side exact = {0}, side = {0};
    Trace want = {0}, rough = {0};
    Verdict verdict = CHECK_REJECTED;
    write_program(p, folder, path, sizeof path);
    if (side_open(&exact, p, path, DT_F64, NULL) && side_open(&side, p, path, m->type, m->cpu) && compile(&side, m)) {
        verdict = CHECK_FINE;
        if (m->runs) {
            interpret(&exact, &want);
            if (m->type == DT_F32) interpret(&side, &rough);
            verdict = run_and_compare(&side, &want, m->type == DT_F32 ? &rough : NULL);
            if (verdict == CHECK_FINE && p->trains) verdict = check_parts(&exact, &want);
        }
    } else if (side.d || exact.d) {
        driver_failed(side.d ? side.d : exact.d);
    }
    trace_free(&want);
    trace_free(&rough);
    if (side.d) side_close(&side);
    if (exact.d) side_close(&exact);
    return verdict;
}
