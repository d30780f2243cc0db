/* A step that is only looked at. It gives the gradients of a training loop's parameters and the largest value of each
 * unit behind a rectifier, for a batch of samples from all over the data, and changes nothing: for warnings and for the
 * report. */
#ifndef NNC_DRIVER_PROBE_H
#define NNC_DRIVER_PROBE_H

#include "compiler/driver_train.h"

typedef struct {
    const Variable *param;
    void *values;
} ProbeGradient;

typedef struct {
    Span at;
    Name param; /* the last one that it is computed from, or NULL */
    int64_t units;
    double *most; /* of each unit */
} ProbeRectifier;

typedef struct Probe {
    LoopRun *l;
    LoopUnit *loops;
    JitCode *jit;
    const void **bases;
    void *arena; /* NULL: that of the steps is large enough */
    int32_t *rows;
    int32_t tick; /* of the block when it ran last */
    int ngradients, nrectifiers;
    ProbeGradient *gradients;
    ProbeRectifier *rectifiers;
} Probe;

/** Bytes of the gradients that a probe of the loop gives: not of all where there are very many. */
int64_t probe_gradient_bytes(const LoopRun *l);

/** The loop's probe, built when it is first asked for; NULL where there is nothing to look at or no memory for it. */
Probe *probe_of(LoopRun *l);

/** Runs it on batch k of n such ones, with the parameters as they are. */
void probe_run(Probe *p, int k, int n);

/** Whether it has run since the parameters changed. */
bool probe_is_fresh(const Probe *p);

void probe_free(LoopRun *l);

#endif
