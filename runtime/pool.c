/* Each thread has a share of the tiles, neighbours, and takes from the others' shares when its own is done: in the next
   job over the same memory, most tiles are on the core whose cache has them already.
   A job is published behind a gate that workers may pass only while it is open. The caller opens it, works on the
   tiles too, closes it when none is left to hand out, and waits only for workers that are inside: one that the system
   has not scheduled yet (another process has the core) is never waited for. */
#include "runtime/pool.h"
#include "runtime/signals.h"
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

/* The gate: how many workers are inside, and two flags. */
enum { GATE_INSIDE = 0xFFFF, GATE_OPEN = 1 << 16, GATE_CALLER_PARKED = 1 << 17 };

/* How often a thread looks before it parks: some hundred microseconds, longer than most kernels that one thread runs
   alone, since waking a thread costs tens of them, of the waking one too. After the first looks, which take about as
   long as a small kernel, another process that wants the processor gets it. */
enum { SPINS = 1500, YIELDS = 300 };

/* A thread's share of the job, on a cache line of its own: whose it is mostly has it to itself. */
typedef struct {
    _Alignas(64) _Atomic int64_t next; /* the first tile that nobody has taken */
    int64_t end;
} Share;

typedef struct {
    RtPool *pool;
    pthread_t thread;
    int share; /* its number; the caller's is 0 */
} Worker;

struct RtPool {
    /* The job; written only while the gate is closed and nobody is inside. */
    void (*fn)(void *ctx, int64_t tile);
    void *ctx;
    Share *shares; /* one for each thread */

    _Alignas(64) _Atomic uint32_t gate;
    _Alignas(64) _Atomic uint32_t jobs; /* published so far: what an idle worker watches */
    _Atomic int parked;                 /* idle workers that need a signal */
    _Atomic bool quit;
    _Atomic int processor; /* that the caller published its last job on; -1: not known */

    pthread_mutex_t lock;
    pthread_cond_t work, done;
    int nworkers;
    Worker workers[];
};

/* Waits a little after look number `i`. */
static void relax(int i) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
    if (i >= SPINS) sched_yield();
}

/* The number of the processor that the thread is on; -1 where no system call tells. */
static int processor(void) {
#ifdef __linux__
    return sched_getcpu();
#else
    return -1;
#endif
}

/* Whether the thread shares a processor with the caller. The system would leave them there for long, as it moves no
   thread that ran a moment ago, and these yield to each other; one that is woken is put where there is room. */
static bool beside_caller(RtPool *p) {
    int caller = atomic_load_explicit(&p->processor, memory_order_relaxed);
    return caller >= 0 && caller == processor();
}

/* Works on the tiles of one share, then of those after it in turn. */
static void run_tiles(RtPool *p, int share) {
    int threads = p->nworkers + 1;
    for (int i = 0; i < threads; i++) {
        Share *s = &p->shares[(share + i) % threads];
        while (atomic_load_explicit(&s->next, memory_order_relaxed) < s->end) {
            int64_t tile = atomic_fetch_add_explicit(&s->next, 1, memory_order_relaxed);
            if (tile < s->end) p->fn(p->ctx, tile);
        }
    }
}

/* Works on the open job, if there is one. */
static void visit(const Worker *w) {
    RtPool *p = w->pool;
    uint32_t gate = atomic_load_explicit(&p->gate, memory_order_relaxed);
    do {
        if ((gate & GATE_OPEN) == 0) return;
    } while (
        !atomic_compare_exchange_weak_explicit(&p->gate, &gate, gate + 1, memory_order_acquire, memory_order_relaxed));
    run_tiles(p, w->share);
    gate = atomic_fetch_sub_explicit(&p->gate, 1, memory_order_release) - 1;
    if (gate == GATE_CALLER_PARKED) { /* the last one out */
        pthread_mutex_lock(&p->lock);
        pthread_cond_signal(&p->done);
        pthread_mutex_unlock(&p->lock);
    }
}

static bool idle(RtPool *p, uint32_t seen) {
    return atomic_load(&p->jobs) == seen && !atomic_load_explicit(&p->quit, memory_order_relaxed);
}

static void *work(void *worker) {
    const Worker *w = worker;
    RtPool *p = w->pool;
    uint32_t seen = 0;
    for (;;) {
        for (int i = 0; i < SPINS + YIELDS && idle(p, seen); i++) {
            relax(i);
            if (i >= SPINS && beside_caller(p)) break;
        }
        if (idle(p, seen)) {
            pthread_mutex_lock(&p->lock);
            /* First say that we park, then look again; rt_parallel() publishes first and looks for parked ones
               after. Both in sequentially consistent order, so one of the two sees the other. */
            atomic_fetch_add(&p->parked, 1);
            while (idle(p, seen)) pthread_cond_wait(&p->work, &p->lock);
            atomic_fetch_sub(&p->parked, 1);
            pthread_mutex_unlock(&p->lock);
        }
        if (atomic_load_explicit(&p->quit, memory_order_relaxed)) return NULL;
        seen = atomic_load(&p->jobs);
        visit(w);
    }
}

static void publish(RtPool *p, int64_t tiles) {
    int64_t threads = p->nworkers + 1, each = tiles / threads, more = tiles % threads, next = 0;
    for (int64_t i = 0; i < threads; i++) {
        atomic_store_explicit(&p->shares[i].next, next, memory_order_relaxed);
        p->shares[i].end = next += each + (i < more);
    }
    atomic_store_explicit(&p->processor, processor(), memory_order_relaxed);
    atomic_store_explicit(&p->gate, GATE_OPEN, memory_order_release);
    atomic_fetch_add(&p->jobs, 1);
    if (atomic_load(&p->parked) == 0) return;
    pthread_mutex_lock(&p->lock);
    if (tiles > p->nworkers) {
        pthread_cond_broadcast(&p->work);
    } else {
        for (int64_t i = 1; i < tiles; i++) pthread_cond_signal(&p->work);
    }
    pthread_mutex_unlock(&p->lock);
}

/* Closes the gate and waits until nobody is inside. */
static void await(RtPool *p) {
    atomic_fetch_and_explicit(&p->gate, ~(uint32_t)GATE_OPEN, memory_order_relaxed);
    for (int i = 0; i < SPINS + YIELDS; i++) {
        if (atomic_load_explicit(&p->gate, memory_order_acquire) == 0) return;
        relax(i);
    }
    pthread_mutex_lock(&p->lock);
    atomic_fetch_or_explicit(&p->gate, GATE_CALLER_PARKED, memory_order_relaxed);
    while ((atomic_load_explicit(&p->gate, memory_order_acquire) & GATE_INSIDE) != 0) {
        pthread_cond_wait(&p->done, &p->lock);
    }
    atomic_store_explicit(&p->gate, 0, memory_order_relaxed);
    pthread_mutex_unlock(&p->lock);
}

void rt_parallel(RtPool *p, void (*fn)(void *ctx, int64_t tile), void *ctx, int64_t tiles) {
    if (p == NULL || p->nworkers == 0 || tiles < 2) {
        for (int64_t tile = 0; tile < tiles; tile++) fn(ctx, tile);
        return;
    }
    p->fn = fn;
    p->ctx = ctx;
    publish(p, tiles);
    run_tiles(p, 0);
    await(p);
}

static int processors(void) {
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : online > RT_POOL_MOST ? RT_POOL_MOST : (int)online;
}

RtPool *rt_pool_new(int threads) {
    if (threads <= 0) threads = processors();
    if (threads > RT_POOL_MOST) threads = RT_POOL_MOST;
    size_t bytes = sizeof(RtPool) + (size_t)(threads - 1) * sizeof(Worker);
    RtPool *p = aligned_alloc(64, (bytes + 63) / 64 * 64);
    if (p == NULL) return NULL;
    p->shares = aligned_alloc(64, (size_t)threads * sizeof(Share));
    if (p->shares == NULL) {
        free(p);
        return NULL;
    }
    p->nworkers = 0;
    atomic_init(&p->gate, 0);
    atomic_init(&p->jobs, 0);
    atomic_init(&p->parked, 0);
    atomic_init(&p->quit, false);
    atomic_init(&p->processor, -1);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    for (int i = 0; i < threads - 1; i++) {
        Worker *w = &p->workers[i];
        w->pool = p;
        w->share = i + 1;
        if (!rt_thread_start(&w->thread, work, w)) break;
        p->nworkers++;
    }
    return p;
}

void rt_pool_free(RtPool *p) {
    if (p == NULL) return;
    pthread_mutex_lock(&p->lock);
    atomic_store_explicit(&p->quit, true, memory_order_relaxed);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->nworkers; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_cond_destroy(&p->done);
    pthread_cond_destroy(&p->work);
    pthread_mutex_destroy(&p->lock);
    free(p->shares);
    free(p);
}

int rt_pool_threads(const RtPool *p) { return p == NULL ? 1 : p->nworkers + 1; }
