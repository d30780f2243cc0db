/* `nnc verify DIR`: repeats the run that DIR/run.json is of, and says whether it is the same. */
#include "compiler/driver_record.h"

#include "runtime/files.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const cJSON *part(const cJSON *record, const char *name) {
    return cJSON_GetObjectItemCaseSensitive(record, name);
}

static const char *text(const cJSON *record, const char *name) { return cJSON_GetStringValue(part(record, name)); }

static int64_t number(const cJSON *record, const char *name, int64_t none) {
    const cJSON *n = part(record, name);
    return cJSON_IsNumber(n) && n->valuedouble >= 0 && n->valuedouble < 0x1p53 ? (int64_t)n->valuedouble : none;
}

/* NULL after an error. */
static cJSON *read_record(const char *dir) {
    enum { LIMIT = 1 << 30 };
    RtError err;
    Str path = {0};
    size_t size;
    str_add(&path, "%s/run.json", dir);
    char *bytes = rt_file_read(path.at, LIMIT, &size, &err);
    cJSON *record = bytes ? cJSON_ParseWithLength(bytes, size) : NULL;
    const char *format = text(record, "format");
    if (!bytes) {
        driver_error(NULL, "%s", err.text);
        if (err.number == ENOENT)
            fputs("  = help: nnc verify takes the folder of a run, such as runs/digits\n", stderr);
    } else if (!format || strcmp(format, RECORD_FORMAT) != 0 || !text(part(record, "settings"), "file")) {
        driver_error(NULL, "'%s' is not the record of a run", path.at);
        cJSON_Delete(record);
        record = NULL;
    }
    free(bytes);
    vec_free(&path);
    return record;
}

/* The command line of the run; its texts are the record's. */
static Options options_of(const cJSON *record, int threads, Setting *sets) {
    const cJSON *s = part(record, "settings"), *one;
    const char *type = text(s, "float");
    Options o = {.file = text(s, "file"),
                 .data_dir = text(s, "data"),
                 .stdlib_dir = text(s, "stdlib"),
                 .cpu = text(s, "cpu"),
                 .only = text(s, "only"),
                 .weights = text(s, "weights"),
                 .float_type = type && strcmp(type, "f64") == 0 ? DT_F64 : DT_F32,
                 .seed = number(s, "seed", -1),
                 .batch = number(s, "batch", 0),
                 .epochs = number(s, "epochs", 0),
                 .steps = number(s, "steps", 0),
                 .threads = threads,
                 .sets = sets,
                 .quiet = true};
    cJSON_ArrayForEach(one, part(s, "set")) {
        const char *name = text(one, "name"), *value = text(one, "value");
        if (name && value) sets[o.nsets++] = (Setting){name, value};
    }
    return o;
}

/* ---- differences ---- */

static bool same(const cJSON *a, const cJSON *b) { return a && b && cJSON_Compare(a, b, true); }

/* A line for each part of an object that is another one now; how many there are. */
static int list_changes(const cJSON *then, const cJSON *now, const char *what) {
    int n = 0;
    const cJSON *p;
    cJSON_ArrayForEach(p, then) {
        if (same(p, part(now, p->string))) continue;
        n++;
        printf(part(now, p->string) ? "  %s '%s' has changed\n" : "  %s '%s' is gone\n", what, p->string);
    }
    cJSON_ArrayForEach(p, now) if (!part(then, p->string)) n++, printf("  %s '%s' is new\n", what, p->string);
    return n;
}

static int list_change(const cJSON *then, const cJSON *now, const char *name, const char *what) {
    if (same(part(then, name), part(now, name))) return 0;
    char *a = cJSON_PrintUnformatted(part(then, name)), *b = cJSON_PrintUnformatted(part(now, name));
    printf("  %s was %s and is %s\n", what, a ? a : "unknown", b ? b : "unknown");
    cJSON_free(a);
    cJSON_free(b);
    return 1;
}

static int list_inputs(const cJSON *then, const cJSON *now) {
    return list_changes(part(then, "source"), part(now, "source"), "the source") +
           list_changes(part(then, "data"), part(now, "data"), "the file") +
           list_change(then, now, "library", "the standard library") +
           list_change(then, now, "compiler", "the compiler") + list_change(then, now, "cpu", "the CPU");
}

/* The first epoch that differs, by its place in the list; -1 where none does. */
static int first_difference(const cJSON *then, const cJSON *now) {
    const cJSON *a = part(then, "epochs"), *b = part(now, "epochs");
    int n = MAX(cJSON_GetArraySize(a), cJSON_GetArraySize(b));
    for (int i = 0; i < n; i++)
        if (!same(cJSON_GetArrayItem(a, i), cJSON_GetArrayItem(b, i))) return i;
    return -1;
}

static int tell(const cJSON *then, const cJSON *now) {
    int at = first_difference(then, now), n = cJSON_GetArraySize(part(then, "epochs"));
    bool equal = at < 0 && same(part(then, "weights"), part(now, "weights"));
    if (equal) {
        printf("identical: %d epoch%s, weights %.16s\n", n, n == 1 ? "" : "s", text(then, "weights"));
        list_inputs(then, now);
        return 0;
    }
    const cJSON *epoch = cJSON_GetArrayItem(part(at < n ? then : now, "epochs"), at);
    const char *block = text(epoch, "block");
    if (at < 0)
        printf("different: all epochs are the same, but not the weights that were kept\n");
    else
        printf("different: epoch %lld%s%s%s is the first that came to other weights\n",
               (long long)number(epoch, "epoch", 0), block ? " of '" : "", block ? block : "", block ? "'" : "");
    if (!list_inputs(then, now))
        printf("  its source, data, settings, compiler and CPU are the same: report this, or look at the memory\n");
    return 1;
}

/* ---- repeating ---- */

static void remove_folder(const char *dir) {
    char *const roots[] = {(char *)dir, NULL};
    FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    for (FTSENT *f; walk && (f = fts_read(walk)) != NULL;) {
        if (f->fts_info == FTS_DP) rmdir(f->fts_accpath);
        if (f->fts_info != FTS_DP && f->fts_info != FTS_D) unlink(f->fts_accpath);
    }
    if (walk) fts_close(walk);
}

static int repeat(const cJSON *record, int threads, char *folder) {
    Setting *sets = xcalloc((size_t)cJSON_GetArraySize(part(part(record, "settings"), "set")) + 1, sizeof *sets);
    Options o = options_of(record, threads, sets);
    o.out = folder;
    Driver *d = driver_open(&o);
    int status = d ? driver_train(d, false) : 1;
    driver_close(d);
    cJSON *now = status ? NULL : read_record(folder);
    if (now) status = tell(record, now);
    cJSON_Delete(now);
    free(sets);
    return status;
}

int driver_verify(const char *dir, int threads) {
    cJSON *record = read_record(dir);
    if (!record) return 1;
    const char *cwd = text(record, "directory"), *tmp = getenv("TMPDIR");
    Str folder = {0};
    int status = 1;
    str_add(&folder, "%s/nnc-verify-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!cJSON_IsArray(part(record, "epochs"))) {
        driver_error(NULL, "the run in '%s' has not ended: nnc train --resume goes on with it", dir);
    } else if (!mkdtemp(folder.at)) {
        driver_error(NULL, "'%s' cannot be made: %s", folder.at, strerror(errno));
    } else {
        char *absolute = realpath(folder.at, NULL);
        if (cwd && access(text(part(record, "settings"), "file"), F_OK) != 0 && chdir(cwd) != 0)
            driver_error(NULL, "the run began in '%s', which cannot be entered: %s", cwd, strerror(errno));
        else
            status = repeat(record, threads, absolute);
        remove_folder(absolute);
        free(absolute);
    }
    vec_free(&folder);
    cJSON_Delete(record);
    return status;
}
