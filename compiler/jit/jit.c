/* Code in memory. A unit is run by walking its kernels; each kernel is a function of the places of its memory, so that
 * kernels with equal bytes (loop/kernel_bytes.h) share one. LLVM is needed only for bytes that the cache does not have;
 * it works on several kernels at once, each in a context of its own that is gone afterwards. */
#include "compiler/jit/jit.h"

#include "compiler/jit/backend.h"
#include "compiler/jit/cache.h"
#include "compiler/jit/load.h"
#include "compiler/loop/kernel_bytes.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum {
    CACHE_BYTES = 256 << 20,
    LITTLE_WORK = 1 << 21 /* operations and bytes of a kernel that takes less time to run than to be compiled well */
};

typedef void (*KernelFunction)(void *places, int64_t tile);

/* The code of all kernels with the same key. */
typedef struct {
    Str key;      /* the identity that all share, whether it is plain code, the kernel's bytes */
    char *object; /* until it is loaded */
    size_t size;
    bool wanted; /* compiled, or about to be */
    KernelFunction run;
} KernelCode;

typedef struct {
    const LoopUnit *unit;
    KernelCode **codes;  /* of each kernel; NULL: it has nothing to do */
    size_t *first;       /* where its places begin */
    KernelPlaces places; /* of all kernels */
    void **addresses;    /* of the places in the current run */
    bool made;
} UnitCode;

struct JitCode {
    Nnc *nnc;
    Target target;
    Str identity; /* everything but the kernel that code depends on */
    char *cache;  /* its folder, or NULL */
    UnitCode *units;
    int nunits;
    VEC(KernelCode *) codes;
    size_t *slots, nslots; /* a hash table of codes: number + 1; a power of two */
    VEC(LoadedCode) loaded;
};

/* ---- kernels with the same bytes ---- */

static size_t slot_of(const JitCode *j, const Str *key) {
    uint64_t h = hash_bytes(key->at + j->identity.len, key->len - j->identity.len);
    size_t i = (size_t)(h ^ h >> 32) & (j->nslots - 1);
    for (; j->slots[i]; i = (i + 1) & (j->nslots - 1)) {
        const Str *other = &j->codes.at[j->slots[i] - 1]->key;
        if (other->len == key->len && memcmp(other->at, key->at, key->len) == 0) break;
    }
    return i;
}

static void make_slots(JitCode *j, size_t kernels) {
    for (j->nslots = 64; j->nslots < 2 * kernels;) j->nslots *= 2;
    j->slots = xcalloc(j->nslots, sizeof *j->slots);
}

/* How a kernel is made; in its key behind the identity. */
enum { WELL, PLAIN };

static KernelCode *add_kernel(JitCode *j, UnitCode *u, const Kernel *k) {
    Str key = {0};
    str_put(&key, j->identity.at, j->identity.len);
    str_put(&key, &(char){WELL}, 1);
    loop_kernel_write(u->unit, k, &key, &u->places);
    size_t slot = slot_of(j, &key);
    if (!j->slots[slot] && u->unit->once && k->flops + k->bytes < LITTLE_WORK) {
        key.at[j->identity.len] = PLAIN;
        slot = slot_of(j, &key);
    }
    if (!j->slots[slot]) {
        KernelCode *c = xcalloc(1, sizeof *c);
        c->key = key;
        vec_push(&j->codes, c);
        j->slots[slot] = j->codes.len;
    } else {
        vec_free(&key);
    }
    return j->codes.at[j->slots[slot] - 1];
}

static void add_unit(JitCode *j, UnitCode *u, const LoopUnit *unit) {
    size_t n = unit->kernels.len;
    *u = (UnitCode){.unit = unit, .codes = xcalloc(n, sizeof *u->codes), .first = xcalloc(n, sizeof *u->first)};
    for (size_t k = 0; k < n; k++) {
        u->first[k] = u->places.len;
        if (unit->kernels.at[k]->tiles) u->codes[k] = add_kernel(j, u, unit->kernels.at[k]);
    }
    u->addresses = xcalloc(u->places.len, sizeof *u->addresses);
}

/* ---- compiling ---- */

typedef struct {
    const JitCode *jit;
    const Backend *backend;
    VEC(KernelCode *) list;
    atomic_size_t next; /* of the list to be compiled */
} Missing;

static void compile_kernel(const Missing *m, KernelMaker *maker, KernelCode *c) {
    const JitCode *j = m->jit;
    size_t head = j->identity.len + 1;
    c->object = m->backend->kernel(maker, c->key.at + head, c->key.len - head, c->key.at[head - 1] == PLAIN, &c->size);
    if (j->cache) cache_keep(j->cache, &c->key, c->object, c->size);
}

static void compile_kernels(void *missing, int64_t worker) {
    Missing *m = missing;
    (void)worker;
    KernelMaker *maker = m->backend->maker(&m->jit->target);
    for (size_t i; (i = atomic_fetch_add(&m->next, 1)) < m->list.len;) compile_kernel(m, maker, m->list.at[i]);
    m->backend->maker_free(maker);
}

static int longest_first(const void *a, const void *b) {
    size_t x = (*(KernelCode *const *)a)->key.len, y = (*(KernelCode *const *)b)->key.len;
    return (x < y) - (x > y);
}

static void compile_missing(JitCode *j, KernelCode *const *codes, size_t n) {
    Missing m = {.jit = j};
    for (size_t i = 0; i < n; i++)
        if (!codes[i]->object) vec_push(&m.list, codes[i]);
    if (!m.list.len) return;
    m.backend = backend();
    target_prepare(j->nnc, &j->target);
    qsort(m.list.at, m.list.len, sizeof *m.list.at, longest_first);
    RtPool *pool = m.list.len > 1 ? rt_pool_new(0) : NULL;
    rt_parallel(pool, compile_kernels, &m, pool ? rt_pool_threads(pool) : 1);
    rt_pool_free(pool);
    if (j->cache && cache_trim_due(j->cache)) cache_trim(j->cache, CACHE_BYTES);
    vec_free(&m.list);
}

static void load(JitCode *j, KernelCode *const *codes, size_t n) {
    LoadObject *objects = xcalloc(n, sizeof *objects);
    for (size_t i = 0; i < n; i++) objects[i] = (LoadObject){.bytes = codes[i]->object, .size = codes[i]->size};
    vec_push(&j->loaded, load_objects(objects, n));
    for (size_t i = 0; i < n; i++) {
        codes[i]->run = (KernelFunction)(uintptr_t)objects[i].function;
        free(codes[i]->object);
        codes[i]->object = NULL;
    }
    free(objects);
}

void jit_make(JitCode *j, const bool *wanted) {
    VEC(KernelCode *) list = {0};
    for (int i = 0; i < j->nunits; i++) {
        UnitCode *u = &j->units[i];
        if (!wanted[i] || u->made) continue;
        u->made = true;
        for (size_t k = 0; k < u->unit->kernels.len; k++) {
            if (!u->codes[k] || u->codes[k]->wanted) continue;
            u->codes[k]->wanted = true;
            vec_push(&list, u->codes[k]);
        }
    }
    if (!list.len) return;
    for (size_t i = 0; i < list.len && j->cache; i++)
        list.at[i]->object = cache_find(j->cache, &list.at[i]->key, &list.at[i]->size);
    compile_missing(j, list.at, list.len);
    load(j, list.at, list.len);
    vec_free(&list);
}

/* ---- running ---- */

/* A run of a unit. */
typedef struct {
    const UnitCode *u;
    const void *const *bases;
    RtPool *pool;
    double *seconds; /* by kernel, or NULL */
} Run;

static void run_kernel(const Run *r, size_t k) {
    const KernelCode *c = r->u->codes[k];
    if (!c) return;
    double start = r->seconds ? rt_seconds() : 0;
    rt_parallel(r->pool, c->run, r->u->addresses + r->u->first[k], r->u->unit->kernels.at[k]->tiles);
    if (r->seconds) r->seconds[k] += rt_seconds() - start;
}

static char *address(const Run *r, int base, int64_t offset) { return (char *)(uintptr_t)r->bases[base] + offset; }

/* Kernels from .. to-1, which run in `scope` and the loops inside it. */
static void run_kernels(const Run *r, int scope, size_t from, size_t to) {
    const LoopUnit *u = r->u->unit;
    for (size_t k = from; k < to; k++) {
        int inner = loop_scan_below(u, u->kernels.at[k], scope);
        if (!inner) {
            run_kernel(r, k);
            continue;
        }
        const LoopScan *s = &u->scans[inner];
        const Buffer *cond = s->cond < 0 ? NULL : &u->buffers.at[s->cond];
        int64_t *cell = (int64_t *)address(r, s->base, s->cell);
        for (int64_t i = 0; i < s->extent; i++) {
            *cell = s->reverse ? s->extent - 1 - i : i;
            run_kernels(r, inner, s->from, s->body);
            if (cond && !*address(r, cond->base, cond->offset)) break;
            run_kernels(r, inner, s->body, s->to);
        }
        k = s->to - 1;
    }
}

bool jit_made(const JitCode *j, int unit) { return j->units[unit].made; }

void jit_make_unit(JitCode *j, int unit) {
    bool *wanted = xcalloc((size_t)j->nunits, sizeof *wanted);
    wanted[unit] = true;
    jit_make(j, wanted);
    free(wanted);
}

void jit_run(JitCode *j, int unit, const void *const *bases, RtPool *pool, double *seconds) {
    UnitCode *u = &j->units[unit];
    if (!u->made) jit_make_unit(j, unit);
    Run r = {u, bases, pool, seconds};
    for (size_t i = 0; i < u->places.len; i++) {
        const KernelPlace *p = &u->places.at[i];
        u->addresses[i] = p->constant ? (void *)(uintptr_t)p->constant : address(&r, p->base, p->offset);
    }
    run_kernels(&r, 0, 0, u->unit->kernels.len);
}

/* ---- the whole ---- */

JitCode *jit_new(Nnc *nnc, LoopUnit *const *units, int n, const char *cpu, bool cached) {
    Target target;
    if (!target_find(nnc, NULL, cpu, &target)) return NULL;
    if (!target.runs_here) {
        diag(nnc, (Span){0}, DIAG_cpu_foreign, cpu);
        return NULL;
    }
    JitCode *j = xcalloc(1, sizeof *j);
    j->nnc = nnc;
    j->target = target;
    if (cached && backend_identity(&j->identity)) j->cache = cache_folder();
    target_identity(nnc, &j->target, &j->identity);
    size_t kernels = 0;
    for (int i = 0; i < n; i++) kernels += units[i]->kernels.len;
    make_slots(j, kernels);
    j->units = xcalloc((size_t)n, sizeof *j->units);
    j->nunits = n;
    for (int once = 0; once < 2; once++) /* what others run too is made well */
        for (int i = 0; i < n; i++)
            if (units[i]->once == once) add_unit(j, &j->units[i], units[i]);
    return j;
}

void jit_free(JitCode *j) {
    if (!j) return;
    for (int i = 0; i < j->nunits; i++) {
        free(j->units[i].codes);
        free(j->units[i].first);
        free(j->units[i].addresses);
        vec_free(&j->units[i].places);
    }
    for (size_t i = 0; i < j->codes.len; i++) {
        vec_free(&j->codes.at[i]->key);
        free(j->codes.at[i]->object);
        free(j->codes.at[i]);
    }
    for (size_t i = 0; i < j->loaded.len; i++) load_free(j->loaded.at[i]);
    vec_free(&j->loaded);
    vec_free(&j->codes);
    vec_free(&j->identity);
    free(j->slots);
    free(j->units);
    free(j->cache);
    free(j);
}
