/* What the files of training share: driver_train.c runs blocks, driver_decide.c judges epochs, driver_checkpoint.c
 * keeps runs. */
#ifndef NNC_DRIVER_TRAIN_H
#define NNC_DRIVER_TRAIN_H

#include "compiler/driver_private.h"

/* One loop of a block with its compiled steps for full and for smaller last batches. */
typedef struct {
    struct BlockRun *block;
    TrainLoop *loop;
    int64_t batch;
    Code *full, *last;
    const char **names;
    int nreports;
    double *results;            /* room for every report, as doubles or floats */
    const void **bases, **rows; /* what steps are called with; the row numbers among them, */
    const void **more;          /* and the results behind the reports */
    int32_t scalars[3];         /* seed, tick, epoch */
    struct LoopReport *shown;   /* what the report has of it; NULL while evaluating */
    struct Probe *probe;        /* driver_probe.h; NULL so far */
} LoopRun;

/* The best value of a report so far (NaN: none yet), and the epochs since it. */
typedef struct {
    Name report;
    double best;
    int64_t since;
} Trend;

enum { MAX_TRENDS = 16 };

/* The run of one train block. */
typedef struct BlockRun {
    Driver *d;
    TrainBlock *block;
    int index; /* of the block in the program */
    VEC(LoopRun *) loops;
    int64_t seed;
    int32_t tick, epoch; /* batches trained in the block, for random numbers; epochs count from 1 */
    const char *checkpoint, *weights, *table; /* paths; NULL while evaluating */
    struct Report *report;                    /* NULL while evaluating */
    const RtSignals *signals;                 /* while it runs */
    RtPoint start;
    double next_weights; /* when TensorBoard gets the weights again, on rt_seconds() */
    int32_t weighed;     /* the block's tick when it got them */

    /* decisions */
    char **names; /* of the reports, as they are shown */
    int nnames;
    Trend keep_best, trends[MAX_TRENDS]; /* of each no_improvement in stop_when */
    int ntrends;
    char *best;                        /* the variables as they were after the best epoch; NULL where there is none */
    bool stopped;                      /* by stop_when */
    bool is_best;                      /* the last epoch was the best so far */
    char weights_hash[RT_SHA256_TEXT]; /* after the last epoch */

    /* numbers that are none */
    char *kept;          /* the variables before the step at hand; NULL without --check-nan */
    double first_loss;   /* of the first epoch */
    bool warned, failed; /* a loss was not finite and the run went on; the run ends for it */
} BlockRun;

typedef VEC(BlockRun *) BlockRuns;

/* ---- driver_decide.c ---- */

/** Gets the block's keep_best and stop_when ready for a run with these loops; false after an error. */
bool decide_prepare(BlockRun *b, const RtLoop *loops);
/** Judges a whole epoch by its reports: keeps the variables if it is the best one, sets b->stopped. */
void decide_epoch(BlockRun *b, const RtReport *reports);
/** Keeps the variables as those of the best epoch. */
void decide_keep(BlockRun *b);
/** Makes the weights of the best epoch, where there is one, the program's: what the next block begins with. */
void decide_take_best(BlockRun *b);
void decide_free(BlockRun *b);

/* ---- driver_finite.c ---- */

/** Keeps the variables as they are before a step. */
void finite_keep(BlockRun *b);
/** Looks whether a training step's losses (under --check-nan the variables too) are finite: warns once where they are
 * not, or under --check-nan names what is to blame and ends the run. */
void finite_check(LoopRun *l, const Code *c, const double *results);

/* ---- driver_warn.c ---- */

/** Warns of what the first epochs of a block tell about its data, its layers and its loss. */
void warn_epoch(BlockRun *b, const RtEpoch *epoch);

/* ---- driver_tensorboard.c ---- */

/** Begins the event file of a run, block `first` of which is the first to run; false after an error. */
bool tensorboard_begin(Driver *d, const BlockRuns *runs, int first, const char *dir);
/** Tells of an epoch; what is told is in the file after rt_tb_flush(). */
void tensorboard_epoch(BlockRun *b, const RtEpoch *epoch);
/** Tells how the weights are spread, unless it has since the last step. */
void tensorboard_weights(BlockRun *b, int64_t step);
/** Ends the file; false where the run went well and the file could not be written. */
bool tensorboard_end(Driver *d, bool well);

/* ---- driver_checkpoint.c ---- */

/** Replaces the block's checkpoint by one of `point`. */
bool checkpoint_save(const BlockRun *b, const RtPoint *point, RtError *e);
/** Puts the run back to where the checkpoint at `path` was made. The index of its block in `runs`, -1 after an error.
 */
int checkpoint_load(Driver *d, const BlockRuns *runs, const char *path);
/** Prints how to go on, as one command. */
void checkpoint_hint(const Driver *d, const char *why);

/* ---- driver_report*.c: report.html ---- */

typedef struct Report Report;

/** The report of a run that began at `started`, in its folder; the blocks get it. */
Report *report_new(Driver *d, const BlockRuns *runs, const char *dir, double started);
void report_free(Report *r);
/** Makes the loop's steps give what is shown beside the reports; before they are built. */
void report_extend(LoopRun *l);
/** The block's first step is next. */
void report_begin(BlockRun *b);
/** Around each step. */
void report_before_step(LoopRun *l);
void report_after_step(LoopRun *l, const int32_t *rows, int64_t n, const double *reports);
/** An epoch has been judged. */
void report_epoch(BlockRun *b, const RtEpoch *epoch);
/** The block is over: "finished", "stopped", "interrupted" or "failed". */
void report_end(BlockRun *b, const char *state);

#endif
