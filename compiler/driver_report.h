/* What the files of the report share: driver_report.c follows a run and writes the page, driver_report_loop.c has what
 * a loop's steps give beside their reports, driver_report_facts.c what is known before the first step. */
#ifndef NNC_DRIVER_REPORT_H
#define NNC_DRIVER_REPORT_H

#include "compiler/driver_probe.h"
#include "runtime/report.h"

enum { REPORT_CURVES = 16, REPORT_TENSORS = 200, REPORT_HISTOGRAMS = 4000 };

/* What one loop shows. */
typedef struct LoopReport {
    RtCurve *curves; /* of a training loop: its first reports by step */
    int ncurves;
    int64_t first; /* the step that they begin after */

    bool classifies;       /* of an evaluating loop: its steps give scores and labels behind the reports */
    RtScored scored, kept; /* of the last pass; under keep_best that of the best epoch */
    int32_t epoch;         /* of the last pass */
} LoopReport;

/** Gets room for what the loop's steps give; false where there is none. */
bool report_begin_loop(LoopRun *l);
void report_free_loop(LoopRun *l);

/** Between steps: writes the page where the last one is old. */
void report_tick(BlockRun *b);

/** Adds what is known before the first step: settings, machine, memory, layers, the program's text. */
void report_add_facts(cJSON *root, Driver *d, const BlockRuns *runs);

#endif
