/* `nnc bench`: how long the steps of training and the exported functions take, whole and by kernel. */
#include "compiler/driver_private.h"

#include "runtime/lines.h"

#include <stdlib.h>
#include <string.h>

static const double SECONDS = 1; /* of each measurement */
static const int ROUNDS = 5;     /* a result is their median */

/* A unit ready to be called again and again. */
typedef struct {
    Driver *d;
    Code *code;
    const TrainLoop *loop; /* NULL: an exported function */
    int64_t batch;
    const void **bases;
    double *seconds; /* by kernel, of all calls one by one */
} Bench;

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n) {
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* ---- calling ---- */

/* Zeros, aligned as an arena is. */
static void *room(Driver *d, int64_t bytes) {
    void *p = arena_alloc(d->nnc->arena, (size_t)bytes + 64);
    p = (void *)(((uintptr_t)p + 63) & ~(uintptr_t)63);
    return memset(p, 0, (size_t)bytes);
}

static bool has_memory(const Bench *b, size_t nfields) {
    const Unit *u = b->code->unit;
    double bytes = (double)driver_arena_bytes(b->d);
    for (size_t i = nfields; i < u->inputs.len; i++) bytes += (double)driver_bytes(u->inputs.at[i].type);
    for (size_t i = 0; i < u->results.len; i++) bytes += (double)driver_bytes(u->results.at[i].value->type);
    return driver_has_memory(
        b->d, bytes,
        arena_printf(b->d->nnc->arena, "the values of '%s' in batches of %lld", u->name, (long long)b->batch));
}

/* The bases of a call: a data set's fields with the first rows, or zeros for the inputs of a function. False after an
 * error. */
static bool set_bases(Bench *b) {
    Driver *d = b->d;
    const Unit *u = b->code->unit;
    const RtData *data = b->loop ? driver_rt_data(b->loop->data) : NULL;
    size_t nfields = data ? (size_t)data->nfields : 0;
    if (!has_memory(b, nfields)) return false;
    b->bases = driver_bases(d, u, data);
    const void **next = b->bases + BASE_FIRST_INPUT + nfields;
    for (size_t i = nfields; i < u->inputs.len; i++) {
        int32_t *zeros = room(d, driver_bytes(u->inputs.at[i].type));
        *next++ = zeros;
        if (data && i == nfields) /* the numbers of the rows */
            for (int64_t k = 0; k < b->batch; k++) zeros[k] = (int32_t)k;
    }
    for (size_t i = 0; i < u->results.len; i++) *next++ = room(d, driver_bytes(u->results.at[i].value->type));
    return true;
}

static void call(const Bench *b) { driver_run_code(b->d, b->code, b->bases); }

/* ---- measuring ---- */

/* How many calls take about `seconds`. */
static int64_t calls_in(const Bench *b, double seconds) {
    call(b);
    for (int64_t n = 1;; n *= 2) {
        double start = rt_seconds();
        for (int64_t i = 0; i < n; i++) call(b);
        double took = rt_seconds() - start;
        if (took >= seconds / 4) return MAX((int64_t)((double)n * seconds / took), 1);
    }
}

/* Seconds of a call: the median of the rounds. */
static double time_calls(const Bench *b, int64_t n) {
    double *took = ARENA_ARRAY(b->d->nnc->arena, double, ROUNDS);
    for (int r = 0; r < ROUNDS; r++) {
        double start = rt_seconds();
        for (int64_t i = 0; i < n; i++) call(b);
        took[r] = (rt_seconds() - start) / (double)n;
    }
    return median(took, ROUNDS);
}

/* ---- the machine's peak ---- */

/* FLOP/s of the program's threads when they do nothing but multiply-adds. */
static double measure_peak(Driver *d) {
    int64_t bytes;
    LoopUnit *u = loop_peak(d->nnc, &d->machine, &bytes);
    JitCode *jit = jit_new(d->nnc, &u, 1, d->options.cpu, false);
    if (!jit) return 0;
    float factors[] = {1.0f, 1e-9f};
    const void *bases[] = {NULL, NULL, &factors[0], &factors[1], room(d, bytes)};
    double best = 0;
    for (int r = 0; r < 4 * ROUNDS; r++) {
        double start = rt_seconds();
        driver_jit_run(d, u, jit, 0, bases, NULL);
        best = MAX(best, (double)u->kernels.at[0]->flops / (rt_seconds() - start));
    }
    jit_free(jit);
    return best;
}

/* ---- the table ---- */

/* One measured unit. */
typedef struct {
    const char *what; /* "train1", "train2", "classify" */
    double seconds;   /* of a call */
    double flops, peak;
} Result;

static size_t *by_time(const Bench *b, size_t n) {
    size_t *order = ARENA_ARRAY(b->d->nnc->arena, size_t, n);
    for (size_t i = 0; i < n; i++) {
        size_t k = i;
        for (; k > 0 && b->seconds[order[k - 1]] < b->seconds[i]; k--) order[k] = order[k - 1];
        order[k] = i;
    }
    return order;
}

static void print_kernels(const Bench *b, const Result *r, double calls) {
    const LoopUnit *u = b->code->loops;
    size_t n = u->kernels.len, *order = by_time(b, n);
    double all = 0;
    for (size_t i = 0; i < n; i++) all += b->seconds[i];
    printf("  %6s %10s %9s %6s %12s  %-28s %s\n", "time", "us", "GFLOP/s", "peak", "bytes", "kernel", "from");
    for (size_t i = 0; i < n; i++) {
        const Kernel *k = u->kernels.at[order[i]];
        if (!k->tiles) continue;
        double seconds = b->seconds[order[i]] / calls, rate = (double)k->flops / seconds;
        printf("  %5.1f%% %10.1f %9.2f %5.1f%% %12lld  %-28s %s\n", 100 * b->seconds[order[i]] / all, 1e6 * seconds,
               1e-9 * rate, 100 * rate / r->peak, (long long)k->bytes, k->name, driver_place(b->d, k->at));
    }
}

static void print_text(const Bench *b, const Result *r, double calls) {
    printf("%s, batch %lld: %.4g ms, %.0f samples/s, %.1f GFLOP/s (%.0f%% of the peak), %lld bytes of activations and "
           "scratch\n",
           r->what, (long long)b->batch, 1e3 * r->seconds, (double)b->batch / r->seconds, 1e-9 * r->flops / r->seconds,
           100 * r->flops / r->seconds / r->peak, (long long)b->code->loops->arena_bytes);
    print_kernels(b, r, calls);
    printf("\n");
}

static void print_json(const Bench *b, const Result *r, double calls) {
    const LoopUnit *u = b->code->loops;
    RtLines l = {0};
    rt_lines_add(&l, "{\"event\":\"bench\",\"unit\":");
    rt_lines_add_quoted(&l, r->what);
    rt_lines_add(&l,
                 ",\"batch\":%lld,\"seconds\":%.6g,\"samples_per_s\":%.6g,\"gflop_per_s\":%.6g,"
                 "\"peak_gflop_per_s\":%.6g,\"arena_bytes\":%lld,\"kernels\":[",
                 (long long)b->batch, r->seconds, (double)b->batch / r->seconds, 1e-9 * r->flops / r->seconds,
                 1e-9 * r->peak, (long long)u->arena_bytes);
    for (size_t i = 0; i < u->kernels.len; i++) {
        const Kernel *k = u->kernels.at[i];
        rt_lines_add(&l, "%s{\"kernel\":", i ? "," : "");
        rt_lines_add_quoted(&l, k->name);
        rt_lines_add(&l, ",\"seconds\":%.6g,\"flops\":%lld,\"bytes\":%lld,\"at\":", b->seconds[i] / calls,
                     (long long)k->flops, (long long)k->bytes);
        rt_lines_add_quoted(&l, driver_place(b->d, k->at));
        rt_lines_add(&l, "}");
    }
    printf("%s]}\n", l.failed ? "" : l.text);
    rt_lines_free(&l);
}

/* ---- the command ---- */

static bool measure(Driver *d, Bench *b, const char *what, double peak) {
    const LoopUnit *u = b->code->loops;
    Result r = {.what = what, .peak = peak};
    b->seconds = ARENA_ARRAY(d->nnc->arena, double, u->kernels.len);
    for (size_t k = 0; k < u->kernels.len; k++) r.flops += (double)u->kernels.at[k]->flops;
    if (!set_bases(b)) return false;
    int64_t calls = calls_in(b, SECONDS / ROUNDS);
    r.seconds = time_calls(b, calls);
    for (int64_t i = 0; i < calls; i++) driver_jit_run(d, u, d->jit, b->code->number, b->bases, b->seconds);
    (d->options.json ? print_json : print_text)(b, &r, (double)calls);
    return true;
}

typedef VEC(Bench) Benches;

static bool add(Driver *d, Benches *all, Code *code, const TrainLoop *loop, int64_t batch) {
    Bench b = {.d = d, .code = code, .loop = loop, .batch = batch};
    if (b.code) vec_push(all, b);
    return b.code != NULL;
}

static bool add_all(Driver *d, Benches *all) {
    Program *p = d->program;
    for (size_t t = 0; t < p->trains.len; t++)
        for (size_t i = 0; i < p->trains.at[t]->loops.len; i++) {
            TrainBlock *block = p->trains.at[t];
            const TrainLoop *loop = &block->loops.at[i];
            int64_t n = driver_batch(d, block, loop);
            if (!add(d, all, driver_add_loop(d, block, (int)i, n), loop, n)) return false;
        }
    for (size_t i = 0; i < p->exports.len; i++) {
        int64_t n = MAX(d->options.batch, 1);
        Unit *u = program_export_unit(p, &p->exports.at[i], NULL, 0, NULL, 0, n);
        if (!add(d, all, driver_add_unit(d, u), NULL, n)) return false;
    }
    return true;
}

int driver_bench(Driver *d) {
    Benches all = {0};
    double peak = 0;
    d->trains = true;
    bool ok = program_check(d->program) && add_all(d, &all);
    if (ok && !all.len) ok = driver_error(d, "'%s' has neither a train block nor an `export fn`", d->options.file);
    Code *init = ok ? driver_add_init(d) : NULL;
    ok = init && driver_build(d, true) && driver_init_variables(d, init, MAX(d->options.seed, 0)) &&
         (peak = measure_peak(d)) > 0;
    if (ok && !d->options.json)
        printf("peak of %d thread%s: %.1f GFLOP/s\n\n", rt_pool_threads(d->pool),
               rt_pool_threads(d->pool) > 1 ? "s" : "", 1e-9 * peak);
    for (size_t i = 0; i < all.len && ok; i++) ok = measure(d, &all.at[i], all.at[i].code->unit->name, peak);
    vec_free(&all);
    return driver_failed(d) || !ok;
}
