/* What a report says before the first step: the settings of the run, the machine, where the memory goes, the layers. */
#include "compiler/driver_report.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { LARGEST = 16 };

static void add_fact(cJSON *list, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* [name, value] */
static void add_fact(cJSON *list, const char *name, const char *fmt, ...) {
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *pair[] = {name, text};
    cJSON_AddItemToArray(list, cJSON_CreateStringArray(pair, 2));
}

static void add_count(cJSON *list, const char *name, int64_t n) {
    if (n > 0) add_fact(list, name, "%lld", (long long)n);
}

/* ---- settings ---- */

static void add_block_settings(cJSON *list, const BlockRun *b) {
    const Options *o = &b->d->options;
    add_count(list, "epochs", o->epochs ? o->epochs : b->block->epochs);
    add_count(list, "steps", o->steps ? o->steps : b->block->steps);
    for (size_t i = 0; i < b->loops.len; i++) {
        const LoopRun *l = b->loops.at[i];
        add_fact(list, l->loop->trains ? "training loop" : "evaluating loop", "%lld samples in batches of %lld",
                 (long long)driver_rt_data(l->loop->data)->count, (long long)l->batch);
    }
    add_fact(list, "seed", "%lld", (long long)b->seed);
    if (b->block->keep_best)
        add_fact(list, "keeps the best", "%s%s", b->block->keep_best, b->block->keep_best_less ? " (least)" : "");
    if (b->block->memory) add_fact(list, "memory budget", "%lld bytes", (long long)b->block->memory);
}

static void add_settings(cJSON *root, const Driver *d, const BlockRuns *runs) {
    const Options *o = &d->options;
    cJSON *list = cJSON_AddArrayToObject(root, "settings");
    add_fact(list, "program", "%s", o->file);
    for (size_t i = 0; i < runs->len; i++) add_block_settings(list, runs->at[i]);
    for (int i = 0; i < o->nsets; i++) add_fact(list, "--set", "%s=%s", o->sets[i].name, o->sets[i].value);
    if (o->data_dir) add_fact(list, "--data", "%s", o->data_dir);
    if (o->only) add_fact(list, "--only", "%s", o->only);
    if (o->weights) add_fact(list, "--weights", "%s", o->weights);
    if (o->cpu) add_fact(list, "--cpu", "%s", o->cpu);
    if (o->stdlib_dir) add_fact(list, "--stdlib", "%s", o->stdlib_dir);
    if (o->resume) add_fact(list, "--resume", "yes");
    add_fact(list, "float type", "%s", o->float_type == DT_F64 ? "f64" : "f32");
}

/* ---- the machine ---- */

/* "AMD EPYC 7763 64-Core Processor", where the system says. */
static void add_processor(cJSON *list) {
    char line[512];
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f)) {
        char *value = strncmp(line, "model name", 10) == 0 ? strchr(line, ':') : NULL;
        if (!value) continue;
        value[strcspn(value, "\n")] = 0;
        add_fact(list, "processor", "%s", value + 2);
        break;
    }
    if (f) fclose(f);
}

static void add_machine(cJSON *root, const Driver *d) {
    cJSON *list = cJSON_AddArrayToObject(root, "machine");
    struct utsname system;
    add_processor(list);
    add_fact(list, "compiled for", "%s, vectors of %d bits", d->options.cpu ? d->options.cpu : "this processor",
             8 * d->machine.vector_bytes);
    add_fact(list, "threads", "%d of %ld", rt_pool_threads(d->pool), sysconf(_SC_NPROCESSORS_ONLN));
    add_fact(list, "memory", "%.1f GiB",
             (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE) / (1024.0 * 1024 * 1024));
    if (uname(&system) == 0) add_fact(list, "system", "%s %s, %s", system.sysname, system.release, system.machine);
    add_fact(list, "nnc", "%s", NNC_VERSION);
    add_fact(list, "LLVM", "%s", NNC_LLVM_VERSION);
}

/* ---- memory ---- */

typedef struct {
    const char *name, *kind, *shape; /* without a name: what the line of kernel `maker` makes */
    int64_t bytes;
    size_t order;
    int maker;
} Bill;

typedef VEC(Bill) Bills;

static int larger_first(const void *a, const void *b) {
    const Bill *x = a, *y = b;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? 1 : -1;
    return x->order != y->order ? (x->order < y->order ? -1 : 1) : strcmp(x->kind, y->kind);
}

static int64_t add_variables(const Driver *d, Bills *bills, const char *kind, bool params, bool optimizer) {
    int64_t sum = 0;
    size_t n = params ? d->program->params.len : d->program->states.len;
    for (size_t i = 0; i < n; i++) {
        const Variable *v = params ? d->program->params.at[i] : d->program->states.at[i];
        if (v->is_optimizer_state != optimizer) continue;
        vec_push(bills, (Bill){v->path, kind, driver_shape(d, v->type), driver_bytes(v->type), i, -1});
        sum += driver_bytes(v->type);
    }
    return sum;
}

/* Buffers share their places: only the arena as a whole counts in the sum. */
static void add_buffers(const Driver *d, Bills *bills, const LoopUnit *u) {
    MemoryValues values = driver_memory_values(u);
    for (size_t i = 0; i < values.len; i++) {
        const MemoryValue *v = &values.at[i];
        const Buffer *b = &u->buffers.at[v->buffer];
        const char *shape = arena_printf(d->nnc->arena, "%s[%lld]", dtype_name(b->dtype), (long long)b->elems);
        vec_push(bills, (Bill){NULL, "activations and scratch", shape, v->bytes, (size_t)v->buffer, v->first});
    }
    vec_free(&values);
}

/* The arrays behind the loops' data sets, each once. */
static int64_t data_bytes(const BlockRuns *runs) {
    VEC(const void *) seen = {0};
    int64_t sum = 0;
    for (size_t i = 0; i < runs->len; i++)
        for (size_t k = 0; k < runs->at[i]->loops.len; k++) {
            const RtData *data = driver_rt_data(runs->at[i]->loops.at[k]->loop->data);
            for (int f = 0; f < data->nfields; f++) {
                bool known = false;
                for (size_t s = 0; s < seen.len; s++) known = known || seen.at[s] == data->fields[f].data;
                if (!known) sum += data->fields[f].rows * data->fields[f].stride;
                vec_push(&seen, data->fields[f].data);
            }
        }
    vec_free(&seen);
    return sum;
}

static int64_t gradient_bytes(const BlockRuns *runs) {
    int64_t sum = 0;
    for (size_t i = 0; i < runs->len; i++)
        for (size_t k = 0; k < runs->at[i]->loops.len; k++) {
            const LoopRun *l = runs->at[i]->loops.at[k];
            if (l->loop->trains) sum += probe_gradient_bytes(l);
        }
    return sum;
}

static void add_kind(cJSON *list, const char *name, int64_t bytes) {
    if (!bytes) return;
    cJSON *pair = cJSON_CreateArray();
    cJSON_AddItemToArray(pair, cJSON_CreateString(name));
    cJSON_AddItemToArray(pair, cJSON_CreateNumber((double)bytes));
    cJSON_AddItemToArray(list, pair);
}

static void add_largest(cJSON *memory, const Driver *d, const LoopUnit *u, Bills *bills) {
    cJSON *list = cJSON_AddArrayToObject(memory, "largest");
    if (bills->len) qsort(bills->at, bills->len, sizeof *bills->at, larger_first);
    for (size_t i = 0; i < bills->len && i < LARGEST; i++) {
        const Bill *b = &bills->at[i];
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "name", b->name ? b->name : driver_place(d, u->kernels.at[b->maker]->at));
        cJSON_AddStringToObject(o, "kind", b->kind);
        cJSON_AddStringToObject(o, "shape", b->shape);
        cJSON_AddNumberToObject(o, "bytes", (double)b->bytes);
        cJSON_AddItemToArray(list, o);
    }
}

static void add_memory(cJSON *root, const Driver *d, const BlockRuns *runs) {
    cJSON *memory = cJSON_AddObjectToObject(root, "memory"), *kinds = cJSON_AddArrayToObject(memory, "kinds");
    Bills bills = {0};
    const LoopUnit *largest = NULL; /* one unit runs at a time */
    add_kind(kinds, "weights", add_variables(d, &bills, "weights", true, false));
    add_kind(kinds, "layer state", add_variables(d, &bills, "layer state", false, false));
    add_kind(kinds, "optimizer state", add_variables(d, &bills, "optimizer state", false, true));
    for (size_t i = 0; i < d->codes.len; i++) {
        const LoopUnit *u = d->codes.at[i]->loops;
        if (!largest || u->arena_bytes > largest->arena_bytes) largest = u;
    }
    if (largest) {
        add_buffers(d, &bills, largest);
        add_kind(kinds, "activations and scratch", largest->arena_bytes);
    }
    add_kind(kinds, "gradients, for this report", gradient_bytes(runs));
    add_kind(kinds, "data", data_bytes(runs));
    add_largest(memory, d, largest, &bills);
    vec_free(&bills);
}

/* ---- the model ---- */

/* Whether the layer was called before with the same shapes. */
static bool is_again(const Unit *u, size_t call) {
    const LayerCall *l = &u->layers.at[call];
    for (size_t i = 0; i < call; i++) {
        const LayerCall *m = &u->layers.at[i];
        if (m->path == l->path && type_equal(m->input, l->input) && type_equal(m->result, l->result)) return true;
    }
    return false;
}

static void add_layers(cJSON *root, const Driver *d, const Unit *u) {
    cJSON *list = cJSON_AddArrayToObject(root, "layers");
    for (size_t i = 0; i < u->layers.len; i++) {
        const LayerCall *l = &u->layers.at[i];
        if (is_again(u, i)) continue;
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "path", l->path);
        cJSON_AddStringToObject(o, "layer", l->layer);
        if (l->input.rank >= 0) cJSON_AddStringToObject(o, "input", driver_shape(d, l->input));
        if (l->result.rank >= 0) cJSON_AddStringToObject(o, "result", driver_shape(d, l->result));
        cJSON_AddNumberToObject(o, "parameters", (double)driver_parameters_below(d->program, l->path));
        cJSON_AddNumberToObject(o, "depth", l->depth);
        cJSON_AddItemToArray(list, o);
    }
}

/* In Graphviz's language; the page lays it out. */
static void add_graph(cJSON *root, Driver *d) {
    const char *why, *dot = driver_graph(d, NULL, false, &why);
    if (dot) cJSON_AddStringToObject(root, "graph", dot);
}

/* ---- all of it ---- */

static void add_source(cJSON *root, const Driver *d, uint32_t file) {
    enum { MOST = 200000 };
    const Source *s = d->nnc->sources.files.at[file];
    if (s->len <= MOST) cJSON_AddStringToObject(root, "source", s->text);
}

void report_add_facts(cJSON *root, Driver *d, const BlockRuns *runs) {
    const char *name = strrchr(d->options.file, '/');
    int64_t parameters = 0;
    cJSON_AddStringToObject(root, "title", name ? name + 1 : d->options.file);
    cJSON_AddStringToObject(root, "version", NNC_VERSION);
    for (size_t i = 0; i < d->program->params.len; i++) parameters += driver_elements(d->program->params.at[i]->type);
    cJSON_AddNumberToObject(root, "parameters", (double)parameters);
    add_settings(root, d, runs);
    add_machine(root, d);
    add_memory(root, d, runs);
    add_layers(root, d, runs->at[0]->loops.at[0]->full->unit);
    add_graph(root, d);
    add_source(root, d, runs->at[0]->block->at.file);
}
