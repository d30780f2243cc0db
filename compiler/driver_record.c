/* run.json: what a run is made of and what it came to, in hashes, so that it can be repeated and held against it. */
#include "compiler/driver_record.h"

#include "compiler/jit/target.h"
#include "runtime/files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- what a run is made of ---- */

static void add_text(cJSON *to, const char *name, const char *text) {
    if (text) cJSON_AddStringToObject(to, name, text);
}

static void add_count(cJSON *to, const char *name, int64_t n, int64_t none) {
    if (n != none) cJSON_AddNumberToObject(to, name, (double)n);
}

static void add_compiler(const Driver *d, cJSON *record) {
    cJSON *compiler = cJSON_AddObjectToObject(record, "compiler"), *cpu = cJSON_AddObjectToObject(record, "cpu");
    Str id = {0}, build = {0}, features = {0};
    Target target;
    if (!backend_identity(&id)) id.len = 0;
    for (size_t i = 0; i < id.len; i++) str_add(&build, "%02x", (unsigned char)id.at[i]);
    add_text(compiler, "version", NNC_VERSION);
    add_text(compiler, "llvm", NNC_LLVM_VERSION);
    add_text(compiler, "build", build.at);
    add_text(cpu, "name", d->options.cpu ? d->options.cpu : "native");
    if (target_find(d->nnc, NULL, d->options.cpu, &target)) target_cpu(d->nnc, &target, &features);
    add_text(cpu, "features", features.at);
    add_count(cpu, "vector_bits", 8 * d->machine.vector_bytes, 0);
    add_count(cpu, "fma", d->machine.fma, -1);
    vec_free(&id);
    vec_free(&build);
    vec_free(&features);
}

static void add_settings(const Options *o, cJSON *record) {
    cJSON *s = cJSON_AddObjectToObject(record, "settings"), *sets = cJSON_AddArrayToObject(s, "set");
    for (int i = 0; i < o->nsets; i++) {
        cJSON *one = cJSON_CreateObject();
        add_text(one, "name", o->sets[i].name);
        add_text(one, "value", o->sets[i].value);
        cJSON_AddItemToArray(sets, one);
    }
    add_text(s, "file", o->file);
    add_text(s, "data", o->data_dir);
    add_text(s, "stdlib", o->stdlib_dir);
    add_text(s, "cpu", o->cpu);
    add_text(s, "only", o->only);
    add_text(s, "weights", o->weights);
    add_text(s, "float", o->float_type == DT_F64 ? "f64" : "f32");
    add_count(s, "seed", o->seed, -1);
    add_count(s, "batch", o->batch, 0);
    add_count(s, "epochs", o->epochs, 0);
    add_count(s, "steps", o->steps, 0);
}

static bool is_library(const Driver *d, const char *path) {
    const char *dir = d->options.stdlib_dir ? d->options.stdlib_dir : "stdlib";
    size_t n = strlen(dir);
    return strncmp(path, dir, n) == 0 && path[n] == '/';
}

/* The program's own files each, the standard library as a whole. */
static void add_sources(const Driver *d, cJSON *record) {
    cJSON *sources = cJSON_AddObjectToObject(record, "source");
    RtSha256 library, own;
    char text[RT_SHA256_TEXT];
    rt_sha256_begin(&library);
    for (size_t i = 1; i < d->nnc->sources.files.len; i++) {
        const Source *s = d->nnc->sources.files.at[i];
        if (is_library(d, s->path)) {
            rt_sha256_add_text(&library, s->path);
            rt_sha256_add(&library, s->text, s->len + 1);
            continue;
        }
        rt_sha256_begin(&own);
        rt_sha256_add(&own, s->text, s->len);
        rt_sha256_end(&own, text);
        add_text(sources, s->path, text);
    }
    rt_sha256_end(&library, text);
    add_text(record, "library", text);
}

void record_hash_start(Driver *d) {
    size_t n = d->files.len;
    const char **paths = xcalloc(n, sizeof *paths);
    for (size_t i = 0; i < n; i++) paths[i] = d->files.at[i].path;
    d->hashing = rt_hashing_start(paths, n);
    d->hashed = n;
    free(paths);
}

/* Takes over what the thread has found. */
static void end_hashing(Driver *d) {
    char(*texts)[RT_SHA256_TEXT] = xcalloc(d->hashed, sizeof *texts);
    rt_hashing_end(d->hashing, texts);
    for (size_t i = 0; i < d->hashed; i++) memcpy(d->files.at[i].hash, texts[i], sizeof *texts);
    d->hashing = NULL;
    d->hashed = 0;
    free(texts);
}

bool record_hash_files(Driver *d) {
    RtError err;
    end_hashing(d);
    for (size_t i = 0; i < d->files.len; i++)
        if (!d->files.at[i].hash[0] && !rt_sha256_path(d->files.at[i].path, d->files.at[i].hash, &err))
            return driver_error(d, "%s", err.text);
    return true;
}

static void add_data(const Driver *d, cJSON *record) {
    cJSON *data = cJSON_AddObjectToObject(record, "data");
    for (size_t i = 0; i < d->files.len; i++) add_text(data, d->files.at[i].name, d->files.at[i].hash);
}

/* ---- what it came to ---- */

void record_weights(Driver *d, char *bytes, char text[RT_SHA256_TEXT]) {
    SavedList list = driver_saved(d, bytes, false);
    RtSha256 h;
    rt_sha256_begin(&h);
    for (size_t i = 0; i < list.len; i++) {
        RtArray a = driver_tensor_of(list.at[i]).array;
        rt_sha256_add_text(&h, list.at[i].var->path);
        rt_sha256_add(&h, a.data, (size_t)rt_array_elements(&a) * rt_dtype_size(a.dtype));
    }
    rt_sha256_end(&h, text);
    vec_free(&list);
}

static const char *text_of(const cJSON *event, const char *name) {
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(event, name));
    return text ? text : "";
}

/* One line of the log: an epoch, or the start of the block whose epochs follow. */
static void add_event(cJSON *epochs, cJSON **start, cJSON *event) {
    const char *kind = text_of(event, "event");
    if (strcmp(kind, "start") == 0) {
        cJSON_Delete(*start);
        *start = event;
        return;
    }
    if (strcmp(kind, "epoch") == 0) {
        cJSON *one = cJSON_CreateObject();
        if (*text_of(*start, "name")) add_text(one, "block", text_of(*start, "name"));
        cJSON_AddNumberToObject(one, "epoch", cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(event, "epoch")));
        add_text(one, "weights", text_of(event, "weights_sha256"));
        cJSON_AddItemToArray(epochs, one);
    }
    cJSON_Delete(event);
}

/* The epochs as the log tells them, those of before a stop too. */
static bool add_epochs(Driver *d, cJSON *record, const char *log) {
    RtError err;
    size_t size;
    char *text = rt_file_read(log, SIZE_MAX / 4, &size, &err);
    if (!text) return driver_error(d, "%s", err.text);
    cJSON *epochs = cJSON_AddArrayToObject(record, "epochs"), *start = NULL;
    for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        cJSON *event = cJSON_ParseWithLength(line, (size_t)(end - line));
        if (event) add_event(epochs, &start, event);
    }
    cJSON_Delete(start);
    free(text);
    return true;
}

/* ---- the file ---- */

bool record_write(Driver *d, const char *dir, const char *log) {
    RtError err;
    char hash[RT_SHA256_TEXT], *cwd = getcwd(NULL, 0), *text;
    cJSON *record = cJSON_CreateObject();
    add_text(record, "format", RECORD_FORMAT);
    add_text(record, "directory", cwd);
    add_compiler(d, record);
    add_settings(&d->options, record);
    add_sources(d, record);
    add_data(d, record);
    bool ok = !log || add_epochs(d, record, log);
    if (log) {
        record_weights(d, driver_values(d), hash);
        add_text(record, "weights", hash);
    }
    text = ok ? cJSON_Print(record) : NULL;
    const char *path = arena_printf(d->nnc->arena, "%s/run.json", dir);
    if (text) {
        const char *whole = arena_printf(d->nnc->arena, "%s\n", text);
        ok = rt_file_replace(path, whole, strlen(whole), &err) || driver_error(d, "%s", err.text);
    }
    cJSON_free(text);
    cJSON_Delete(record);
    free(cwd);
    return ok;
}
