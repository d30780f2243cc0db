/* SIGINT and SIGTERM are blocked everywhere and taken by a thread of their own: no handler, hence no global for one. */
#include "runtime/signals.h"
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct RtSignals {
    _Atomic int seen;
    _Atomic bool over;
    pthread_t thread;
    sigset_t awaited, before;
};

static void *wait_for_signals(void *arg) {
    RtSignals *s = arg;
    int number = 0;
    if (sigwait(&s->awaited, &number) != 0 || atomic_load(&s->over)) return NULL;
    atomic_store(&s->seen, number);
    if (sigwait(&s->awaited, &number) != 0 || atomic_load(&s->over)) return NULL;
    /* The second one: the process ends as if nobody had ever waited. */
    signal(number, SIG_DFL);
    pthread_sigmask(SIG_UNBLOCK, &s->awaited, NULL);
    kill(getpid(), number);
    return NULL;
}

RtSignals *rt_signals_new(RtError *e) {
    RtSignals *s = calloc(1, sizeof *s);
    if (s == NULL) {
        rt_fail(e, "no memory to wait for signals");
        return NULL;
    }
    atomic_init(&s->seen, 0);
    atomic_init(&s->over, false);
    sigemptyset(&s->awaited);
    sigaddset(&s->awaited, SIGINT);
    sigaddset(&s->awaited, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &s->awaited, &s->before);
    if (pthread_create(&s->thread, NULL, wait_for_signals, s) == 0) return s;
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
    rt_fail(e, "no thread to wait for signals");
    return NULL;
}

int rt_signals_seen(const RtSignals *s) { return s == NULL ? 0 : atomic_load(&s->seen); }

void rt_signals_free(RtSignals *s) {
    if (s == NULL) return;
    atomic_store(&s->over, true);
    pthread_kill(s->thread, SIGTERM); /* one for this thread alone */
    pthread_join(s->thread, NULL);
    pthread_sigmask(SIG_SETMASK, &s->before, NULL);
    free(s);
}

bool rt_thread_start(pthread_t *thread, void *(*run)(void *), void *arg) {
    sigset_t all, before; /* the thread inherits the mask */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(thread, NULL, run, arg) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}
