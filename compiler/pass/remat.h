/* What the files of recomputation share: kernels in steps, and which value each of their buffers stands for. */
#ifndef PASS_REMAT_H
#define PASS_REMAT_H

#include "compiler/pass/plan.h"

/* A buffer that a step uses: the one in its text, and the one that it stands for now. */
typedef struct {
    int text, now;
    bool write;
} Use;

typedef struct {
    size_t from, to; /* the kernels, of those that there were */
    int scan;        /* the outermost scan that it is in; 0: none */
    bool loop;       /* is a scan inside of that, or a while */
    Use *uses;
    int nuses;
    int64_t scratch; /* bytes of what lives only inside */
    bool again;
} Step;

typedef VEC(Step) StepList;

typedef struct {
    LoopUnit *u;
    Arena *arena;
    Kernel *const *kernels; /* in their first order */
    size_t nkernels, nbuffers;
    LoopScan *scans;
    StepList steps;
    int *writers;         /* per old buffer: how many steps write it */
    VEC(int) text;        /* per buffer: the old one that it is the value of */
    VEC(bool) given;      /* per buffer: another try is of no use */
    int *first, *last;    /* per buffer: the step that makes it, the one that it is needed to */
    int *begin;           /* per buffer: the step that it has its place from */
    int *before, *behind; /* per buffer: the steps that use it nearest to the peak */
    bool *lasting;        /* per buffer: is there through all iterations of a scan */
    int64_t *live;
    int peak;
} Remat;

/** Puts the steps into the unit, with a buffer for each value: remat_write.c. */
void remat_write(Remat *r);

#endif
