/* What a training run tells: JSON events to a log file and, where asked for, to the output. */
#ifndef RT_EVENTS_H
#define RT_EVENTS_H

#include "runtime/lines.h"
#include "runtime/train.h"

typedef struct {
    const RtTrain *train;
    int log;          /* a file; -1: none */
    FILE *out;        /* where json is asked for, else NULL */
    int64_t safe;     /* bytes of the log that are on the disk, whatever happens to the machine */
    RtLines lines;    /* the rest of it */
    size_t written;   /* bytes of these that the system has */
    double next_sync; /* on rt_seconds() */
} RtEvents;

bool rt_events_open(RtEvents *v, const RtTrain *t, RtError *e);
/** Bytes of the log so far. */
int64_t rt_events_log_bytes(const RtEvents *v);
/** Writes the log as far as it goes. */
bool rt_events_write(RtEvents *v, RtError *e);
/** The same, and waits until it is on the disk. */
bool rt_events_save(RtEvents *v, RtError *e);
/** Ends the log; false where it could not be written in full. */
bool rt_events_close(RtEvents *v, RtError *e);

/* One line each, which the output gets at once, the log with rt_events_write(). NaN becomes null,
 * infinity 1e999. */
bool rt_event_start(RtEvents *v, RtError *e);
bool rt_event_step(RtEvents *v, int64_t step, const RtReport *reports, int n, RtError *e);
bool rt_event_epoch(RtEvents *v, int64_t number, const RtEpoch *epoch, RtError *e);
bool rt_event_end(RtEvents *v, const RtTrained *result, RtError *e);

/** Gives each epoch that lines of a log tell of to `epoch`, with the name of its block (NULL where it has none). False
 * where memory is out. */
bool rt_events_read(const char *lines, void (*epoch)(void *self, const char *block, int64_t number, const RtEpoch *),
                    void *self);

#endif
