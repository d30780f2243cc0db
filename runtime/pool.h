/* The thread pool that compiled steps run on. */
#ifndef RT_POOL_H
#define RT_POOL_H

#include "runtime/runtime.h"

typedef struct RtPool RtPool;

enum { RT_POOL_MOST = 1024 }; /* threads of a pool */

/** `threads` in all, the caller's included; 0 means one for each processor that this process may use. Where the
 * system grants fewer threads, the pool has fewer; without memory it is NULL, a pool of one. Workers take no signals.
 */
RtPool *rt_pool_new(int threads);
/** Ends the workers; `p` may be NULL. */
void rt_pool_free(RtPool *p);
int rt_pool_threads(const RtPool *p);

/**
 * Runs fn(ctx, tile) for every tile in 0..tiles-1 and returns when all are done; the caller takes part. Which thread
 * runs which tile is undefined, so a tile must write only what is its own. One caller at a time; a tile must not
 * call rt_parallel on the same pool. `p` NULL, or a pool of one thread, runs the tiles in order on the caller.
 */
void rt_parallel(RtPool *p, void (*fn)(void *ctx, int64_t tile), void *ctx, int64_t tiles);

#endif
