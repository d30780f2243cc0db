/* Who made the first NaN or infinity of a step. */
#ifndef NNC_DRIVER_BLAME_H
#define NNC_DRIVER_BLAME_H

#include "compiler/driver_train.h"
#include "compiler/pass/watch.h"

/** Whether none of n elements is a NaN or an infinity. */
bool finite_all(const void *data, RtDType t, int64_t n);

/** "nan", "-inf", "0.5": in the arena. */
const char *driver_number(Nnc *nnc, double value);

typedef enum { FINITE, INFINITE, NOT_A_NUMBER } Badness;

/* What a node holds at its first element that is not finite. */
typedef struct {
    Badness what;
    bool meant;            /* an infinity that the program wrote, or made of such ones: no one's fault */
    int64_t element;       /* its row-major number */
    int64_t iteration;     /* of the scans around it */
    const int64_t *nan_at; /* by iteration; NULL where it is not watched */
    const int64_t *inf_at;
} Bad;

/* A step that is looked into. */
typedef struct {
    LoopRun *l;
    const Code *code;
    Graph *g;
    Watch watch;
    Bad *bad;      /* by node */
    bool *culprit; /* not finite, with operands that are */
    const Ref *homes;
} Blame;

/** Repeats the step that ended with a loss, or else the variable `spoilt`, that is not finite, and reports what is to
 * blame: driver_blame.c. */
void blame(LoopRun *l, const Code *c, const Variable *spoilt);

/** The diagnostic for node `r`: driver_blame_report.c. */
void blame_report(Blame *b, Ref r);

/** Runs a graph of nothing but results, each with room for `elements[i]` 8-byte elements, on the step's inputs and the
 * variables before it, where these are kept, else as they are. False after diagnostics. */
bool blame_run(const Blame *b, Graph *g, void **results, int n);

#endif
