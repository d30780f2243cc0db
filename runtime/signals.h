/* Ctrl-C and SIGTERM as a flag. */
#ifndef RT_SIGNALS_H
#define RT_SIGNALS_H

#include "runtime/runtime.h"

#include <pthread.h>

typedef struct RtSignals RtSignals;

/**
 * From here on the first SIGINT or SIGTERM only sets the flag; the next one ends the process. Call it on the main
 * thread before other threads start (an RtPool may be older: its workers take no signals).
 */
RtSignals *rt_signals_new(RtError *e);
/** 0, or the signal that came. `s` may be NULL. */
int rt_signals_seen(const RtSignals *s);
/** Back to what signals did before; `s` may be NULL. */
void rt_signals_free(RtSignals *s);

/** Starts a thread that takes no signals: they go to the threads that care. */
bool rt_thread_start(pthread_t *thread, void *(*run)(void *), void *arg);

#endif
