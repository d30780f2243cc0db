/* links: nnc_rt */
/* The thread pool: every tile once, in any mix of job sizes, parked or awake. */
#include "runtime/pool.h"
#include <criterion/criterion.h>
#include <float.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum { TILES = 1000 };

typedef struct {
    _Atomic int calls[TILES]; /* how often each tile ran */
    double values[TILES];
} Count;

static void count_tile(void *ctx, int64_t tile) {
    Count *c = ctx;
    atomic_fetch_add_explicit(&c->calls[tile], 1, memory_order_relaxed);
    c->values[tile] += (double)tile; /* not atomic: a tile writes only what is its own */
}

static void expect_counts(RtPool *p, int64_t tiles, int jobs) {
    Count *c = calloc(1, sizeof *c);
    for (int i = 0; i < jobs; i++) rt_parallel(p, count_tile, c, tiles);
    for (int64_t t = 0; t < TILES; t++) {
        int want = t < tiles ? jobs : 0;
        cr_assert(c->calls[t] == want, "tile %d ran %d times, not %d", (int)t, c->calls[t], want);
        cr_assert(c->values[t] == (double)t * want);
    }
    free(c);
}

Test(pool, every_tile_once) {
    const int threads[] = {1, 2, 3, 8};
    const int64_t tiles[] = {0, 1, 2, 3, 7, 64, TILES};
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        RtPool *p = rt_pool_new(threads[i]);
        cr_assert(rt_pool_threads(p) == threads[i]);
        for (size_t k = 0; k < sizeof tiles / sizeof *tiles; k++) expect_counts(p, tiles[k], 20);
        rt_pool_free(p);
    }
}

Test(pool, many_small_jobs) {
    RtPool *p = rt_pool_new(4);
    expect_counts(p, 5, 20000);
    rt_pool_free(p);
}

/* Long enough apart that the workers park in between. */
Test(pool, wakes_parked_workers) {
    RtPool *p = rt_pool_new(4);
    for (int i = 0; i < 20; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
        expect_counts(p, 8, 1);
    }
    rt_pool_free(p);
}

static void slow_tile(void *ctx, int64_t tile) {
    nanosleep(&(struct timespec){.tv_nsec = tile == 1 ? 20000000 : 100000}, NULL);
    atomic_fetch_add((_Atomic int *)ctx, 1);
}

/* The caller runs out of tiles long before a worker ends its own, and must wait for it. */
Test(pool, waits_for_the_last_tile) {
    RtPool *p = rt_pool_new(2);
    for (int i = 0; i < 5; i++) {
        _Atomic int done = 0;
        rt_parallel(p, slow_tile, &done, 4);
        cr_assert(done == 4);
    }
    rt_pool_free(p);
}

Test(pool, without_a_pool_tiles_run_inline) {
    expect_counts(NULL, 9, 2);
    cr_assert(rt_pool_threads(NULL) == 1);
    rt_pool_free(NULL);
}

Test(pool, default_size_is_the_machine) {
    RtPool *p = rt_pool_new(0);
    cr_assert(rt_pool_threads(p) >= 1);
    rt_pool_free(p);
}

enum { PAIRED = 64 };

typedef struct {
    pthread_t thread[PAIRED];
    _Atomic bool began[PAIRED];
} Pairs;

/* Ends when the tile half the job away has begun, so that two threads work side by side. */
static void run_paired(void *ctx, int64_t tile) {
    Pairs *p = ctx;
    p->thread[tile] = pthread_self();
    atomic_store(&p->began[tile], true);
    while (!atomic_load(&p->began[(tile + PAIRED / 2) % PAIRED])) sched_yield();
}

/* Tiles run where they ran in the job before, as long as both threads are there. */
Test(pool, tiles_stay_where_they_were) {
    RtPool *p = rt_pool_new(2);
    pthread_t worker = pthread_self();
    for (int job = 0; job < 20; job++) {
        Pairs pairs = {0};
        rt_parallel(p, run_paired, &pairs, PAIRED);
        if (job == 0) worker = pairs.thread[PAIRED / 2];
        for (int t = 0; t < PAIRED; t++)
            cr_expect(pthread_equal(pairs.thread[t], t < PAIRED / 2 ? pthread_self() : worker), "job %d tile %d", job,
                      t);
    }
    rt_pool_free(p);
}

static void halve(void *ctx, int64_t tile) { ((volatile double *)ctx)[tile] *= 0.5; }

/* What is too small for a normal number is zero in all threads while the mode is on, and only then. */
Test(pool, flushes_subnormals) {
    volatile double x[TILES];
    for (int flush = 0; flush < 2; flush++) {
        unsigned before = rt_floats_flush(flush);
        for (int i = 0; i < TILES; i++) x[i] = DBL_MIN;
        RtPool *p = rt_pool_new(3);
        rt_parallel(p, halve, (void *)(uintptr_t)x, TILES);
        rt_pool_free(p);
        rt_floats_restore(before);
#ifdef __x86_64__
        for (int i = 0; i < TILES; i++) cr_expect(x[i] == (flush ? 0 : DBL_MIN / 2));
#endif
    }
}
