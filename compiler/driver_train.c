/* Training and evaluating: a train block's loops become compiled steps, which the runtime's epoch loop calls. */
#include "compiler/driver_private.h"

#include "runtime/files.h"
#include "runtime/signals.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One loop of a block with its compiled steps for full and for smaller last batches. */
typedef struct {
    struct BlockRun *block;
    TrainLoop *loop;
    int64_t batch;
    Code *full, *last;
    const char **names;
    double *results; /* room for every result, as doubles or floats */
} LoopRun;

typedef struct BlockRun {
    Driver *d;
    TrainBlock *block;
    VEC(LoopRun *) loops;
    int64_t seed;
    int32_t tick, epoch; /* batches trained in the whole run, for random numbers; epochs count from 1 */
    const char *weights;
} BlockRun;

/* ---- one step ---- */

/* Fills the bases of a step: the data set's fields, then row numbers, seed, tick and epoch, then the results. */
static void run_step(LoopRun *l, Code *c, const int32_t *rows, double *reports) {
    Driver *d = l->block->d;
    const RtData *data = driver_rt_data(l->loop->data);
    const int32_t scalars[] = {(int32_t)l->block->seed, l->block->tick, l->block->epoch};
    size_t nresults = c->unit->results.len, size = dtype_size(d->nnc->float_type);
    VEC(const void *) bases = {0};
    vec_push(&bases, d->arena);
    vec_push(&bases, d->variables.bytes);
    for (int i = 0; i < data->nfields; i++) vec_push(&bases, data->fields[i].data);
    vec_push(&bases, rows);
    for (size_t i = 0; i < COUNT(scalars); i++) vec_push(&bases, &scalars[i]);
    char *results = (char *)l->results;
    for (size_t i = 0; i < nresults; i++) vec_push(&bases, results + i * size);
    RtCall call = rt_call(d->pool);
    c->run((void *const *)bases.at, &call);
    vec_free(&bases);
    for (size_t i = 0; i < nresults; i++)
        reports[i] = d->nnc->float_type == DT_F64 ? l->results[i] : (double)((float *)results)[i];
    if (l->loop->trains) l->block->tick++;
}

static void full_step(void *self, const int32_t *rows, int64_t n, double *reports) {
    (void)n;
    run_step(self, ((LoopRun *)self)->full, rows, reports);
}

static void last_step(void *self, const int32_t *rows, int64_t n, double *reports) {
    (void)n;
    run_step(self, ((LoopRun *)self)->last, rows, reports);
}

/* ---- preparing a block ---- */

static LoopRun *add_loop(BlockRun *b, int index) {
    Driver *d = b->d;
    LoopRun *l = ARENA_NEW(d->nnc->arena, LoopRun);
    l->block = b;
    l->loop = &b->block->loops.at[index];
    int64_t count = driver_rt_data(l->loop->data)->count;
    l->batch = d->options.batch ? d->options.batch : b->block->batch ? b->block->batch : 32;
    l->batch = MIN(l->batch, count);
    l->full = driver_add_unit(d, program_loop_unit(d->program, b->block, index, l->batch));
    if (!l->full || !driver_check_labels(d, l->full->unit, driver_rt_data(l->loop->data))) return NULL;
    if (count % l->batch) {
        l->last = driver_add_unit(d, program_loop_unit(d->program, b->block, index, count % l->batch));
        if (!l->last) return NULL;
    }
    size_t n = l->full->unit->results.len;
    l->names = ARENA_ARRAY(d->nnc->arena, const char *, n);
    l->results = ARENA_ARRAY(d->nnc->arena, double, n);
    for (size_t i = 0; i < n; i++) l->names[i] = l->full->unit->results.at[i].name;
    return l;
}

static BlockRun *add_block(Driver *d, TrainBlock *block, bool evaluate) {
    BlockRun *b = ARENA_NEW(d->nnc->arena, BlockRun);
    b->d = d;
    b->block = block;
    b->seed = d->options.seed >= 0 ? d->options.seed : block->seed;
    for (size_t i = 0; i < block->loops.len; i++) {
        if (evaluate && block->loops.at[i].trains) continue;
        LoopRun *l = add_loop(b, (int)i);
        if (!l) return NULL;
        vec_push(&b->loops, l);
    }
    return b;
}

static RtNext epoch_end(void *user, const RtEpoch *epoch, RtError *e) {
    BlockRun *b = user;
    (void)e;
    b->epoch = (int32_t)(epoch->position.epoch + 1);
    return RT_GO_ON;
}

static bool finish(void *user, const RtPosition *position, RtError *e) {
    BlockRun *b = user;
    (void)position;
    if (!b->weights) return true;
    if (driver_save_weights(b->d, b->weights)) return true;
    snprintf(e->text, sizeof e->text, "the weights were not saved");
    return false;
}

/* Runs one block; 0, 1, or 128 + the signal that ended it. */
static int run_block(BlockRun *b, bool evaluate, const RtSignals *signals, const char *log_path, bool append) {
    Driver *d = b->d;
    const Options *o = &d->options;
    RtLoop *loops = ARENA_ARRAY(d->nnc->arena, RtLoop, b->loops.len);
    for (size_t i = 0; i < b->loops.len; i++) {
        LoopRun *l = b->loops.at[i];
        loops[i] = (RtLoop){.data = driver_rt_data(l->loop->data),
                            .trains = l->loop->trains,
                            .batch = l->batch,
                            .step = full_step,
                            .last_step = l->last ? last_step : NULL,
                            .self = l,
                            .nreports = (int)l->full->unit->results.len,
                            .report_names = l->names};
    }
    bool named = b->block->name && b->block->name[0];
    int64_t epochs = o->epochs ? o->epochs : b->block->epochs, steps = o->steps ? o->steps : b->block->steps;
    const RtFact facts[] = {{"file", o->file, 0},
                            {"threads", NULL, rt_pool_threads(d->pool)},
                            {"parameters", NULL, (double)d->program->params.len}};
    RtTrain t = {.name = named ? b->block->name : NULL,
                 .nloops = (int)b->loops.len,
                 .loops = loops,
                 .epochs = evaluate          ? 1
                           : epochs || steps ? epochs
                                             : 1,
                 .steps = evaluate ? 0 : steps,
                 .seed = (uint64_t)b->seed,
                 .log_every = o->log_every,
                 .json = o->json,
                 .quiet = o->quiet,
                 .log_path = log_path,
                 .log_append = append,
                 .weights = b->weights,
                 .facts = facts,
                 .nfacts = COUNT(facts),
                 .signals = signals,
                 .user = b,
                 .epoch_end = epoch_end,
                 .finish = finish};
    RtTrained result;
    RtError err;
    b->epoch = 1;
    if (!rt_train(&t, &result, &err)) return driver_error(d, "%s", err.text), 1;
    return result.end == RT_END_SIGNAL ? 128 + result.signal : 0;
}

/* ---- the command ---- */

typedef VEC(BlockRun *) BlockRuns;

static bool add_blocks(Driver *d, bool evaluate, BlockRuns *runs) {
    const char *only = d->options.only;
    bool found = false;
    for (size_t i = 0; i < d->program->trains.len; i++) {
        TrainBlock *block = d->program->trains.at[i];
        if (only && (!block->name || strcmp(block->name, only) != 0)) continue;
        found = true;
        BlockRun *b = add_block(d, block, evaluate);
        if (!b) return driver_failed(d), false;
        if (!evaluate || b->loops.len) vec_push(runs, b);
    }
    if (only && !found) return driver_error(d, "'%s' has no train block named '%s'", d->options.file, only);
    if (runs->len) return true;
    return driver_error(d,
                        evaluate ? "'%s' has no evaluating loop: a `for` without `minimize` in a train block"
                                 : "'%s' has no train block",
                        d->options.file);
}

static bool load_parts(BlockRun *b) {
    for (int i = 0; i < b->block->nloads; i++)
        if (!driver_load_weights(b->d, b->block->loads[i].file, b->block->loads[i].path)) return false;
    return true;
}

static int run_blocks(Driver *d, BlockRuns *runs, bool evaluate, Code *init) {
    RtError err;
    const char *dir = driver_out_dir(d), *log = NULL, *weights = NULL;
    if (evaluate) {
        if (!driver_find_weights(d, init, d->program->params.len > 0)) return 1;
    } else {
        if (!rt_mkdirs(dir, &err)) return driver_error(d, "%s", err.text), 1;
        log = arena_printf(d->nnc->arena, "%s/log.jsonl", dir);
        weights = arena_printf(d->nnc->arena, "%s/weights.safetensors", dir);
        if (!driver_init_variables(d, init, runs->at[0]->seed)) return 1;
    }
    RtSignals *signals = rt_signals_new(&err);
    int status = 0;
    for (size_t i = 0; i < runs->len && !status; i++) {
        runs->at[i]->weights = weights;
        status = load_parts(runs->at[i]) ? run_block(runs->at[i], evaluate, signals, log, i > 0) : 1;
    }
    rt_signals_free(signals);
    return status;
}

int driver_train(Driver *d, bool evaluate) {
    BlockRuns runs = {0};
    int status = 1;
    if (program_check(d->program) && add_blocks(d, evaluate, &runs)) {
        Code *init = driver_add_init(d);
        if (init && driver_build(d, true)) status = run_blocks(d, &runs, evaluate, init);
    }
    if (driver_failed(d)) status = status ? status : 1;
    for (size_t i = 0; i < runs.len; i++) vec_free(&runs.at[i]->loops);
    vec_free(&runs);
    return status;
}
