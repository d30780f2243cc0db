/* What a training run tells: JSON events to a log file and, where asked for, to the output. */
#ifndef RT_EVENTS_H
#define RT_EVENTS_H

#include "runtime/train.h"

typedef struct {
    const RtTrain *train;
    FILE *log; /* may be NULL */
    FILE *out; /* where json is asked for, else NULL */
} RtEvents;

bool rt_events_open(RtEvents *v, const RtTrain *t, RtError *e);
/** Bytes of the log so far. */
int64_t rt_events_log_bytes(const RtEvents *v);
/** Ends the log; false where it could not be written in full. */
bool rt_events_close(RtEvents *v, RtError *e);

/* One line each, flushed. Values that are not finite become null. */
bool rt_event_start(RtEvents *v, RtError *e);
bool rt_event_step(RtEvents *v, int64_t step, const RtReport *reports, int n, RtError *e);
bool rt_event_epoch(RtEvents *v, int64_t number, const RtEpoch *epoch, RtError *e);
bool rt_event_end(RtEvents *v, const RtTrained *result, RtError *e);

#endif
