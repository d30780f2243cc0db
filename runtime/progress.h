/* What a training run shows to people: a live line on a terminal, else a plain line an epoch. */
#ifndef RT_PROGRESS_H
#define RT_PROGRESS_H

#include "runtime/spark.h"
#include "runtime/train.h"

typedef struct {
    FILE *out; /* NULL: shows nothing */
    bool live, colour;
    bool drawn;        /* a live line stands there */
    double next_draw;  /* on rt_seconds() */
    int64_t epochs;    /* 0: unknown */
    const char *title; /* before the number of an epoch; may be NULL */
    const char *loss_name;
    double loss, weight; /* of the steps so far, the latest ones most: a sum, and what it is divided by */
    RtSpark curve;
    bool blocks; /* the terminal shows block characters */
} RtProgress;

void rt_progress_open(RtProgress *p, const RtTrain *t);

/** Tells the loss of a step: cheap. */
void rt_progress_step(RtProgress *p, double loss);

/** Whether it is time to redraw the live line: at most ten times a second. */
bool rt_progress_due(const RtProgress *p, double now);
/** Where the run is: `done` of the epoch and `left` seconds of the run (negative: unknown). */
typedef struct {
    int64_t epoch; /* from 1 */
    double done, samples_per_s, left;
    int nreports;
    const RtReport *reports; /* averages so far; those not yet known are NaN */
} RtNow;
void rt_progress_draw(RtProgress *p, const RtNow *now, double seconds);

/** The line of a complete epoch; it waits for rt_progress_write(). */
void rt_progress_epoch(RtProgress *p, int64_t number, const RtEpoch *epoch);
void rt_progress_write(RtProgress *p);
/** Takes the live line away; all else is written. */
void rt_progress_close(RtProgress *p);

#endif
