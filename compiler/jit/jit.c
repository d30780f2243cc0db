/* Code in memory. A unit is run by walking its kernels; each kernel is a function of the places of its memory, so that
 * kernels with equal bytes (loop/kernel_bytes.h) share one. LLVM is needed only for bytes that the cache does not have;
 * it works on several groups of them at once, each in a context of its own that is gone afterwards. */
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
    Str key;     /* the identity that all share, whether it is plain code, the kernel's bytes */
    bool wanted; /* compiled, or about to be */
    bool placed; /* in an object */
    KernelFunction run;
} KernelCode;

typedef VEC(KernelCode *) KernelCodes;

/* Kernels that are compiled together: what LLVM does for an object, it does once for all of them. */
typedef struct {
    KernelCode *codes[CACHE_KEYS]; /* of its functions; NULL: of a kernel that is not here */
    size_t n;
    char *bytes; /* from malloc: the object is all of it or its end; NULL: to be compiled */
    const char *object;
    size_t size;
} KernelObject;

typedef VEC(KernelObject) KernelObjects;

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
    KernelCodes codes;
    size_t *slots, nslots; /* a hash table of codes: number + 1; a power of two */
    VEC(LoadedCode) loaded;
};

/* ---- kernels with the same bytes ---- */

/* How a kernel is made; in its key behind the identity. */
enum { WELL, PLAIN };

static bool is_plain(const JitCode *j, const Str *key) { return key->at[j->identity.len] == PLAIN; }

/* A kernel's place in the table, however it is made. */
static size_t slot_of(const JitCode *j, const Str *key) {
    size_t head = j->identity.len + 1;
    uint64_t h = hash_bytes(key->at + head, key->len - head);
    size_t i = (size_t)(h ^ h >> 32) & (j->nslots - 1);
    for (; j->slots[i]; i = (i + 1) & (j->nslots - 1)) {
        const Str *other = &j->codes.at[j->slots[i] - 1]->key;
        if (other->len == key->len && memcmp(other->at + head, key->at + head, key->len - head) == 0) break;
    }
    return i;
}

static void make_slots(JitCode *j, size_t kernels) {
    for (j->nslots = 64; j->nslots < 2 * kernels;) j->nslots *= 2;
    j->slots = xcalloc(j->nslots, sizeof *j->slots);
}

static KernelCode *add_kernel(JitCode *j, UnitCode *u, const Kernel *k) {
    Str key = {0};
    bool plain = u->unit->once && k->flops + k->bytes < LITTLE_WORK;
    str_put(&key, j->identity.at, j->identity.len);
    str_put(&key, &(char){plain ? PLAIN : WELL}, 1);
    loop_kernel_write(u->unit, k, &key, &u->places);
    size_t slot = slot_of(j, &key);
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

/* ---- what earlier runs have kept ---- */

/* An entry's object, for all of its kernels that this program has. */
static void add_kept(JitCode *j, const CacheEntry *e, KernelObjects *objects) {
    KernelObject o = {.n = e->nkeys, .bytes = e->bytes, .object = e->object, .size = e->size};
    for (size_t i = 0; i < e->nkeys; i++) {
        size_t slot = j->slots[slot_of(j, &e->keys[i])];
        KernelCode *c = slot ? j->codes.at[slot - 1] : NULL;
        if (!c || c->placed || is_plain(j, &c->key) != is_plain(j, &e->keys[i])) continue;
        c->wanted = c->placed = true;
        o.codes[i] = c;
    }
    vec_push(objects, o);
}

static void find_kept(JitCode *j, const KernelCodes *codes, KernelObjects *objects) {
    for (size_t i = 0; i < codes->len && j->cache; i++) {
        if (codes->at[i]->placed) continue;
        CacheEntry e = cache_find(j->cache, &codes->at[i]->key);
        if (e.bytes) add_kept(j, &e, objects);
    }
}

/* ---- compiling ---- */

typedef struct {
    const JitCode *jit;
    const Backend *backend;
    KernelObjects *objects;
    atomic_size_t next; /* of the objects to be compiled */
} Missing;

static void compile_object(const Missing *m, KernelMaker *maker, KernelObject *o) {
    const JitCode *j = m->jit;
    size_t head = j->identity.len + 1;
    KernelBytes kernels[CACHE_KEYS];
    const Str *keys[CACHE_KEYS];
    for (size_t i = 0; i < o->n; i++) {
        keys[i] = &o->codes[i]->key;
        kernels[i] = (KernelBytes){keys[i]->at + head, keys[i]->len - head};
    }
    o->object = o->bytes = m->backend->kernels(maker, kernels, o->n, is_plain(j, &o->codes[0]->key), &o->size);
    if (j->cache) cache_keep(j->cache, keys, o->n, o->object, o->size);
}

static void compile_objects(void *missing, int64_t worker) {
    Missing *m = missing;
    (void)worker;
    KernelMaker *maker = m->backend->maker(&m->jit->target);
    for (size_t i; (i = atomic_fetch_add(&m->next, 1)) < m->objects->len;)
        if (!m->objects->at[i].bytes) compile_object(m, maker, &m->objects->at[i]);
    m->backend->maker_free(maker);
}

static int longest_first(const void *a, const void *b) {
    size_t x = (*(KernelCode *const *)a)->key.len, y = (*(KernelCode *const *)b)->key.len;
    return (x < y) - (x > y);
}

/* Shares out kernels that follow each other over objects: each is a part of what is left, so that all threads end at
 * about the same time. */
static void group(JitCode *j, const KernelCodes *codes, int threads, KernelObjects *objects) {
    size_t left = 0, share = 0;
    KernelObject *o = NULL;
    for (size_t i = 0; i < codes->len; i++) left += codes->at[i]->key.len - j->identity.len;
    for (size_t i = 0, taken = 0; i < codes->len; i++) {
        KernelCode *c = codes->at[i];
        size_t bytes = c->key.len - j->identity.len;
        if (!o || o->n == CACHE_KEYS || taken + bytes > share ||
            is_plain(j, &c->key) != is_plain(j, &o->codes[0]->key)) {
            vec_push(objects, (KernelObject){0});
            o = &objects->at[objects->len - 1];
            share = left / (size_t)(2 * threads);
            taken = 0;
        }
        o->codes[o->n++] = c;
        c->placed = true;
        taken += bytes;
        left -= bytes;
    }
}

/* Those of `codes` that are in no object yet. */
static void compile_missing(JitCode *j, const KernelCodes *codes, KernelObjects *objects) {
    KernelCodes missing = {0};
    for (int plain = 0; plain < 2; plain++) {
        size_t from = missing.len;
        for (size_t i = 0; i < codes->len; i++)
            if (!codes->at[i]->placed && is_plain(j, &codes->at[i]->key) == plain) vec_push(&missing, codes->at[i]);
        if (missing.len > from) qsort(missing.at + from, missing.len - from, sizeof *missing.at, longest_first);
    }
    if (!missing.len) return;
    RtPool *pool = missing.len > 1 ? rt_pool_new(0) : NULL;
    int threads = pool ? rt_pool_threads(pool) : 1;
    group(j, &missing, threads, objects);
    target_prepare(j->nnc, &j->target);
    Missing m = {.jit = j, .backend = backend(), .objects = objects};
    rt_parallel(pool, compile_objects, &m, threads);
    rt_pool_free(pool);
    if (j->cache && cache_trim_due(j->cache)) cache_trim(j->cache, CACHE_BYTES);
    vec_free(&missing);
}

static void load(JitCode *j, const KernelObjects *objects) {
    LoadObject *load = xcalloc(objects->len, sizeof *load);
    void *(*functions)[CACHE_KEYS] = xcalloc(objects->len, sizeof *functions);
    for (size_t i = 0; i < objects->len; i++) {
        const KernelObject *o = &objects->at[i];
        load[i] = (LoadObject){.bytes = o->object, .size = o->size, .nfunctions = o->n, .functions = functions[i]};
    }
    vec_push(&j->loaded, load_objects(load, objects->len));
    for (size_t i = 0; i < objects->len; i++) {
        KernelCode *const *codes = objects->at[i].codes;
        for (size_t k = 0; k < objects->at[i].n; k++)
            if (codes[k]) codes[k]->run = (KernelFunction)(uintptr_t)functions[i][k];
        free(objects->at[i].bytes);
    }
    free(functions);
    free(load);
}

void jit_make(JitCode *j, const bool *wanted) {
    KernelCodes codes = {0};
    KernelObjects objects = {0};
    for (int i = 0; i < j->nunits; i++) {
        UnitCode *u = &j->units[i];
        if (!wanted[i] || u->made) continue;
        u->made = true;
        for (size_t k = 0; k < u->unit->kernels.len; k++) {
            if (!u->codes[k] || u->codes[k]->wanted) continue;
            u->codes[k]->wanted = true;
            vec_push(&codes, u->codes[k]);
        }
    }
    find_kept(j, &codes, &objects);
    compile_missing(j, &codes, &objects);
    if (objects.len) load(j, &objects);
    vec_free(&objects);
    vec_free(&codes);
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
