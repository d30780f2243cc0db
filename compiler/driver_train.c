/* Training and evaluating: a train block's loops become compiled steps, which the runtime's epoch loop calls. */
#include "compiler/driver_probe.h"
#include "compiler/driver_record.h"

#include "runtime/files.h"
#include "runtime/signals.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one step ---- */

/* What steps are called with: the data set's fields, row numbers, seed, tick and epoch, results. Full and last steps
 * agree in it, but the last one may have more results. */
static void set_bases(LoopRun *l) {
    Driver *d = l->block->d;
    const RtData *data = driver_rt_data(l->loop->data);
    size_t size = dtype_size(d->nnc->float_type);
    l->bases = driver_bases(d, (l->last ? l->last : l->full)->unit, data);
    l->rows = l->bases + BASE_FIRST_INPUT + data->nfields;
    const void **next = l->rows + 1;
    for (size_t i = 0; i < COUNT(l->scalars); i++) *next++ = &l->scalars[i];
    for (int i = 0; i < l->nreports; i++) *next++ = (char *)l->results + (size_t)i * size;
    l->more = next;
}

static void run_step(LoopRun *l, const Code *c, const int32_t *rows, int64_t n, double *reports) {
    Driver *d = l->block->d;
    const float *singles = (const float *)l->results;
    *l->rows = rows;
    l->scalars[0] = (int32_t)l->block->seed;
    l->scalars[1] = l->block->tick;
    l->scalars[2] = l->block->epoch;
    if (l->loop->trains && d->options.check_nan) finite_keep(l->block);
    if (l->shown) report_before_step(l);
    driver_run_code(d, c, l->bases);
    for (int i = 0; i < l->nreports; i++)
        reports[i] = d->nnc->float_type == DT_F64 ? l->results[i] : (double)singles[i];
    if (l->shown) report_after_step(l, rows, n, reports);
    if (l->loop->trains) {
        finite_check(l, c, reports);
        l->block->tick++;
    }
}

static void full_step(void *self, const int32_t *rows, int64_t n, double *reports) {
    run_step(self, ((LoopRun *)self)->full, rows, n, reports);
}

static void last_step(void *self, const int32_t *rows, int64_t n, double *reports) {
    run_step(self, ((LoopRun *)self)->last, rows, n, reports);
}

/* ---- preparing a block ---- */

static LoopRun *add_loop(BlockRun *b, int index, bool reported) {
    Driver *d = b->d;
    LoopRun *l = ARENA_NEW(d->nnc->arena, LoopRun);
    l->block = b;
    l->loop = &b->block->loops.at[index];
    int64_t count = driver_rt_data(l->loop->data)->count;
    l->batch = driver_batch(d, b->block, l->loop);
    l->full = driver_add_loop(d, b->block, index, l->batch);
    if (!l->full || !driver_check_labels(d, l->full->unit, driver_rt_data(l->loop->data))) return NULL;
    if (count % l->batch) {
        l->last = driver_add_loop(d, b->block, index, count % l->batch);
        if (!l->last) return NULL;
    }
    size_t n = l->full->unit->results.len;
    l->names = ARENA_ARRAY(d->nnc->arena, const char *, n);
    l->results = ARENA_ARRAY(d->nnc->arena, double, n);
    for (size_t i = 0; i < n; i++) l->names[i] = l->full->unit->results.at[i].name;
    l->nreports = (int)n;
    if (reported) report_extend(l);
    return l;
}

static BlockRun *add_block(Driver *d, TrainBlock *block, int index, bool evaluate) {
    BlockRun *b = ARENA_NEW(d->nnc->arena, BlockRun);
    b->d = d;
    b->block = block;
    b->index = index;
    b->seed = d->options.seed >= 0 ? d->options.seed : block->seed;
    for (size_t i = 0; i < block->loops.len; i++) {
        if (evaluate && block->loops.at[i].trains) continue;
        LoopRun *l = add_loop(b, (int)i, !evaluate);
        if (!l) return NULL;
        vec_push(&b->loops, l);
    }
    return b;
}

static void written(void *user) {
    BlockRun *b = user;
    rt_tb_flush(&b->d->tb);
}

static const char *weights_hash(void *user) {
    BlockRun *b = user;
    record_weights(b->d, driver_values(b->d), b->weights_hash);
    return b->weights_hash;
}

static RtNext epoch_end(void *user, const RtEpoch *epoch, RtError *e) {
    BlockRun *b = user;
    b->epoch = (int32_t)(epoch->point.position.epoch + 1);
    if (!b->checkpoint) return RT_GO_ON;
    tensorboard_epoch(b, epoch);
    if (epoch->whole) {
        warn_epoch(b, epoch);
        decide_epoch(b, epoch->reports);
    }
    report_epoch(b, epoch);
    if (!checkpoint_save(b, &epoch->point, e)) return RT_FAILED;
    return b->stopped ? RT_STOP : RT_GO_ON;
}

/* Saves the run, then what it has come to: under keep_best the variables of the best epoch. */
static bool finish(void *user, const RtPoint *point, RtError *e) {
    BlockRun *b = user;
    if (!b->checkpoint) return true;
    tensorboard_weights(b, point->position.step);
    return checkpoint_save(b, point, e) &&
           driver_save_weights(b->d, b->weights, b->best ? b->best : driver_values(b->d), e);
}

/* How long the block runs; one that stop_when has ended does not go on. */
static void set_limits(const BlockRun *b, RtTrain *t, bool evaluate) {
    const Options *o = &b->d->options;
    t->epochs = o->epochs ? o->epochs : b->block->epochs;
    t->steps = o->steps ? o->steps : b->block->steps;
    if (evaluate || (!t->epochs && !t->steps)) t->epochs = 1;
    bool trains = false;
    for (size_t i = 0; i < b->loops.len; i++) trains = trains || b->loops.at[i]->loop->trains;
    if (!trains && !t->epochs) t->epochs = 1; /* a limit of steps is never reached */
    if (b->stopped) t->epochs = b->start.position.epoch;
    if (evaluate || b->stopped) t->steps = 0;
}

static RtLoop *runtime_loops(const BlockRun *b) {
    RtLoop *loops = ARENA_ARRAY(b->d->nnc->arena, RtLoop, b->loops.len);
    for (size_t i = 0; i < b->loops.len; i++) {
        LoopRun *l = b->loops.at[i];
        loops[i] = (RtLoop){.data = driver_rt_data(l->loop->data),
                            .trains = l->loop->trains,
                            .batch = l->batch,
                            .step = full_step,
                            .last_step = l->last ? last_step : NULL,
                            .self = l,
                            .nreports = l->nreports,
                            .report_names = l->names};
    }
    return loops;
}

/* What people know a block by, where there are several: its name, or its number. */
static const char *block_title(const BlockRun *b) {
    if (b->d->program->trains.len < 2) return NULL;
    if (b->block->name[0]) return b->block->name;
    return arena_printf(b->d->nnc->arena, "train %d,", b->index + 1);
}

/* What the blocks report, each name once: the columns of the run's table. */
static void add_columns(Driver *d, const BlockRun *b) {
    for (int i = 0; i < b->nnames; i++) {
        size_t k = 0;
        while (k < d->columns.len && strcmp(d->columns.at[k], b->names[i]) != 0) k++;
        if (k == d->columns.len) vec_push(&d->columns, b->names[i]);
    }
}

/* Runs one block from b->start; 0, 1, or 128 + the signal that ended it. */
static int run_block(BlockRun *b, bool evaluate, const RtSignals *signals, const char *log_path, RtTrained *result) {
    Driver *d = b->d;
    b->signals = signals;
    const Options *o = &d->options;
    static const char *const states[] = {"finished", "finished", "stopped", "interrupted"}; /* by RtEnd */
    const RtFact facts[] = {{"file", o->file, 0},
                            {"threads", NULL, rt_pool_threads(d->pool)},
                            {"parameters", NULL, (double)d->program->params.len},
                            {"arena_bytes", NULL, (double)driver_arena_bytes(d)},
                            {"variable_bytes", NULL, (double)d->variables.layout.size},
                            {"recomputed", NULL, driver_recomputed(d, b->block)},
                            {"part", NULL, (double)driver_part(d, b->block, NULL)}};
    RtTrain t = {.name = b->block->name[0] ? b->block->name : NULL,
                 .title = block_title(b),
                 .nloops = (int)b->loops.len,
                 .loops = runtime_loops(b),
                 .seed = (uint64_t)b->seed,
                 .start = b->start,
                 .log_every = o->log_every,
                 .json = o->json,
                 .quiet = o->quiet,
                 .log_path = log_path,
                 .table_path = b->table,
                 .columns = (const char *const *)d->columns.at,
                 .ncolumns = (int)d->columns.len,
                 .weights = b->weights,
                 .facts = facts,
                 .nfacts = COUNT(facts),
                 .signals = signals,
                 .failed = &b->failed,
                 .making = &d->making,
                 .user = b,
                 .written = written,
                 .weights_hash = evaluate ? NULL : weights_hash,
                 .epoch_end = epoch_end,
                 .finish = finish};
    const char *memory = driver_memory_text(d, b->block);
    RtError err;
    if (memory && !o->json && !o->quiet) printf("memory: %s\n", memory);
    for (size_t i = 0; i < b->loops.len; i++) set_bases(b->loops.at[i]);
    set_limits(b, &t, evaluate);
    b->epoch = (int32_t)(b->start.position.epoch + 1);
    b->next_weights = rt_seconds() + 1;
    if (b->report) report_begin(b);
    bool ran = rt_train(&t, result, &err);
    if (b->report) report_end(b, ran ? states[result->end] : "failed");
    if (!ran) {
        if (!b->failed) driver_error(d, "%s", err.text);
        return 1;
    }
    if (result->end == RT_END_SIGNAL) return 128 + result->signal;
    decide_take_best(b);
    return 0;
}

/* ---- the command ---- */

static bool add_blocks(Driver *d, bool evaluate, BlockRuns *runs) {
    const char *only = d->options.only;
    bool found = false;
    for (size_t i = 0; i < d->program->trains.len; i++) {
        TrainBlock *block = d->program->trains.at[i];
        if (only && (!block->name || strcmp(block->name, only) != 0)) continue;
        found = true;
        BlockRun *b = add_block(d, block, (int)i, evaluate);
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

static bool load_parts(const BlockRun *b) {
    for (int i = 0; i < b->block->nloads; i++) {
        const char *file = driver_find_file(b->d, b->block->loads[i].at.file, b->block->loads[i].file);
        if (!driver_load_weights(b->d, file, b->block->loads[i].path)) return false;
    }
    return true;
}

static void note_file(Driver *d, const char *name, const char *path) {
    if (access(path, R_OK) == 0) /* who loads it tells where there is none */
        vec_push(&d->files, ((DataFile){.loaded = true, .name = name, .path = path}));
}

static void note_loads(const BlockRun *b) {
    for (int i = 0; i < b->block->nloads; i++) {
        const char *name = b->block->loads[i].file;
        note_file(b->d, name, driver_find_file(b->d, b->block->loads[i].at.file, name));
    }
}

/* What the first block begins with: what it loads, then what the command line names. */
static bool load_first(const BlockRun *b) {
    Driver *d = b->d;
    if (!load_parts(b)) return false;
    return !d->options.weights || driver_take_weights(d, d->options.weights);
}

/* Gets a block that starts anew ready: its first checkpoint stands before its first step, so that one of an earlier run
 * is never taken for its own. */
static bool begin_block(BlockRun *b, int64_t log_bytes) {
    RtError err;
    b->start = (RtPoint){.log_bytes = log_bytes};
    return checkpoint_save(b, &b->start, &err) || driver_error(b->d, "%s", err.text);
}

static int train_blocks(Driver *d, BlockRuns *runs, const RtSignals *signals, const char *dir) {
    Arena *a = d->nnc->arena;
    const char *log = arena_printf(a, "%s/log.jsonl", dir), *path = arena_printf(a, "%s/checkpoint.safetensors", dir);
    RtTrained result = {0};
    int first = 0, status = 0;
    for (size_t i = 0; i < runs->len; i++) {
        BlockRun *b = runs->at[i];
        b->checkpoint = path;
        b->weights = arena_printf(a, "%s/weights.safetensors", dir);
        b->table = arena_printf(a, "%s/log.csv", dir);
        if (!decide_prepare(b, runtime_loops(b))) return 1;
        add_columns(d, b);
        note_loads(b);
    }
    if (d->options.weights) note_file(d, d->options.weights, d->options.weights);
    if (!record_hash_files(d)) return 1;
    if (d->options.resume ? (first = checkpoint_load(d, runs, path)) < 0 : !load_first(runs->at[0])) return 1;
    if (!record_write(d, dir, NULL) || !tensorboard_begin(d, runs, first, dir)) return 1;
    for (size_t i = (size_t)first; i < runs->len && !status; i++) {
        BlockRun *b = runs->at[i];
        bool is_first = i == (size_t)first, resumed = d->options.resume && is_first;
        if (!is_first && !load_parts(b)) return tensorboard_end(d, false), 1;
        if (!resumed && !begin_block(b, result.log_bytes)) return tensorboard_end(d, false), 1;
        status = run_block(b, false, signals, log, &result);
    }
    if (!tensorboard_end(d, !status) || driver_failed(d)) return 1;
    if (!status && !record_write(d, dir, log)) return 1;
    if (status == 1) checkpoint_hint(d, "  = help: the last checkpoint is whole; to go on from it: ");
    if (status > 1 && !d->options.quiet) checkpoint_hint(d, "stopped; to go on: ");
    return status;
}

static int evaluate_blocks(Driver *d, BlockRuns *runs, Code *init) {
    RtError err;
    RtTrained result;
    RtSignals *signals = rt_signals_new(&err);
    if (!signals) return driver_error(d, "%s", err.text), 1;
    int status = !driver_find_weights(d, init, d->program->params.len > 0);
    for (size_t i = 0; i < runs->len && !status; i++) status = run_block(runs->at[i], true, signals, NULL, &result);
    rt_signals_free(signals);
    return status;
}

static bool can_resume(Driver *d, const char *dir) {
    if (!d->options.resume || access(arena_printf(d->nnc->arena, "%s/checkpoint.safetensors", dir), F_OK) == 0)
        return true;
    driver_error(d, "nothing to resume: '%s' has no checkpoint.safetensors", dir);
    fprintf(stderr, "  = help: train without --resume first, or name the run's folder with --out\n");
    return false;
}

/* Trains with the run's folder for this run alone. */
static int train_in_folder(Driver *d, BlockRuns *runs, Code *init, const char *dir, double started) {
    RtError err;
    Report *report = NULL;
    int lock = rt_mkdirs(dir, &err) ? rt_lock_folder(dir, &err) : -1, status = 1;
    RtSignals *signals = lock >= 0 ? rt_signals_new(&err) : NULL;
    if (!signals) {
        driver_error(d, "%s", err.text);
    } else if (driver_init_variables(d, init, runs->at[0]->seed)) {
        report = report_new(d, runs, dir, started);
        status = train_blocks(d, runs, signals, dir);
    }
    report_free(report);
    rt_signals_free(signals);
    rt_unlock_folder(lock);
    return status;
}

int driver_train(Driver *d, bool evaluate) {
    BlockRuns runs = {0};
    const char *dir = driver_out_dir(d);
    double started = rt_seconds();
    int status = 1;
    d->trains = true;
    if (program_check(d->program) && add_blocks(d, evaluate, &runs) && can_resume(d, dir)) {
        if (!evaluate) record_hash_start(d);
        Code *init = driver_add_init(d);
        runs.at[0]->loops.at[0]->full->soon = true;
        if (init) init->soon = !evaluate;
        if (init && driver_build(d, true))
            status = evaluate ? evaluate_blocks(d, &runs, init) : train_in_folder(d, &runs, init, dir, started);
    }
    if (driver_failed(d)) status = status ? status : 1;
    for (size_t i = 0; i < runs.len; i++) {
        for (size_t k = 0; k < runs.at[i]->loops.len; k++) probe_free(runs.at[i]->loops.at[k]);
        decide_free(runs.at[i]);
        vec_free(&runs.at[i]->loops);
    }
    vec_free(&runs);
    vec_free(&d->columns);
    return status;
}
