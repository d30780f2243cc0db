/* The epoch loop: runs compiled steps over data sets, averages what they report, tells how it goes. */
#ifndef RT_TRAIN_H
#define RT_TRAIN_H

#include "runtime/data.h"
#include "runtime/signals.h"
#include <stdio.h>

/**
 * One batch: `rows` names `n` rows of the loop's fields. Writes each reported value (the mean over the batch) to
 * `reports`, which has one place for each name of the loop.
 */
typedef void (*RtStep)(void *self, const int32_t *rows, int64_t n, double *reports);

/** One `for` of a train block. */
typedef struct {
    const RtData *data;
    bool trains;      /* rows are shuffled anew each epoch, batches count as steps */
    int64_t batch;    /* samples of a full batch */
    RtStep step;      /* for full batches; may be NULL where the data set has fewer samples than one */
    RtStep last_step; /* for the smaller last one; NULL only where `batch` divides the count */
    void *self;       /* handed to both */
    int nreports;
    const char *const *report_names; /* losses first */
} RtLoop;

/** How far a run is: what a checkpoint keeps so that it can go on exactly there. */
typedef struct {
    int64_t epoch; /* complete epochs */
    int loop;      /* in the epoch after them: which loop… */
    int64_t batch; /* …and how many of its batches are done */
    int64_t step;  /* training batches in all */
} RtPosition;

/** All of a run, besides the variables that its steps change, that it needs to go on: what a checkpoint keeps. */
typedef struct {
    RtPosition position;
    int nsums;
    const double *sums;   /* of each report over the samples of the epoch at hand, all loops in order; NULL: all 0 */
    int64_t log_bytes;    /* of the log so far: what stands behind them is of a time that a resumed run repeats */
    const char *log_tail; /* the last of them, which the file may lose or not have yet; may be NULL */
} RtPoint;

/** One reported value. */
typedef struct {
    const char *name;
    double value;
} RtReport;

/** What an epoch came to. */
typedef struct {
    RtPoint point; /* after it */
    bool whole;    /* false where the limit of steps came inside it */
    int nreports;
    const RtReport *reports; /* averages, of all loops in order that the epoch reached */
    double samples_per_s;    /* of the training loops alone */
    double seconds;          /* of the whole epoch */
    const char *weights;     /* a hash of the weights after it; may be NULL */
} RtEpoch;

/** A fact for the start event: `text`, or `number` where `text` is NULL. */
typedef struct {
    const char *name, *text;
    double number;
} RtFact;

typedef enum { RT_GO_ON, RT_STOP, RT_FAILED } RtNext;

typedef struct {
    const char *name;  /* of the train block; NULL where it has none */
    const char *title; /* what people know the block by; NULL where it is the only one */
    int nloops;
    const RtLoop *loops;

    int64_t epochs; /* 0: no limit, then `steps` must be set */
    int64_t steps;  /* training batches; 0: no limit. Reaching it ends training, not the evaluating loops after it */
    uint64_t seed;
    RtPoint start; /* zero, or where to go on; its nsums is 0 or the number of reports */

    int64_t log_every; /* a step event every so many training batches; 0: none */
    bool json, quiet;
    FILE *out;              /* NULL: stdout */
    const char *log_path;   /* NULL: no log file; it is cut to start.log_bytes, and goes on there */
    const char *table_path; /* NULL: no table (table.h); its columns, besides those that every run has: */
    int ncolumns;
    const char *const *columns;
    const char *weights; /* for the end event: where finish() saves the weights; may be NULL */
    int64_t peak_bytes;  /* for the end event; 0: what the system says this process took at most */
    int nfacts;
    const RtFact *facts;

    const RtSignals *signals; /* may be NULL */
    const bool *failed;       /* set by a step after which training cannot go on; may be NULL */
    const double *making;     /* seconds so far in which steps were not run but compiled; may be NULL */

    void *user;
    /** What is told so far is written now (may be NULL): what the user tells beside it should be, too. */
    void (*written)(void *user);
    /** A hash of the weights, for the event of an epoch (may be NULL). */
    const char *(*weights_hash)(void *user);
    /** After each epoch (may be NULL): checkpoints, keep_best, stop_when. RT_FAILED must fill the error. */
    RtNext (*epoch_end)(void *user, const RtEpoch *epoch, RtError *e);
    /** After the last batch, before the end event (may be NULL): saves. `point` is where the run stopped. */
    bool (*finish)(void *user, const RtPoint *point, RtError *e);
} RtTrain;

typedef enum { RT_END_EPOCHS, RT_END_STEPS, RT_END_STOPPED, RT_END_SIGNAL } RtEnd;

/** What happened. */
typedef struct {
    RtEnd end;
    int signal; /* where end is RT_END_SIGNAL */
    RtPosition position;
    int64_t log_bytes; /* of the whole log */
    double seconds;
} RtTrained;

/**
 * The names of all reports as events and epoch_end() have them, distinct over the whole run: what an evaluating loop
 * reports too is `train_NAME` in a training loop; what is still doubled gets a number. *n is their number; NULL where
 * memory is out. To be freed with rt_report_names_free().
 */
char **rt_report_names(const RtTrain *t, int *n);
void rt_report_names_free(char **names, int n);

/** Trains. False only on failure: a callback's, or the log's. A signal is not one: see `result`. */
bool rt_train(const RtTrain *t, RtTrained *result, RtError *e);

#endif
