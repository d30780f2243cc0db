/* Data sets: expressions of a program become the runtime's data sets, each opened once. */
#include "compiler/driver_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct DataSet {
    char *key; /* the expression as text: equal ones share the data */
    RtData *data;
    DataInfo info;
    double *mean, *std;
    bool judged;
};

static void key_of(Str *s, const DataExpr *e) {
    str_add(s, "%s(", e->fn);
    for (int i = 0; i < e->nsources; i++) key_of(s, e->sources[i]);
    for (int i = 0; i < e->nargs; i++) {
        str_add(s, ",%s=", e->args[i].name);
        if (e->args[i].text)
            str_add(s, "\"%s\"", e->args[i].text);
        else
            str_add(s, "%.17g,%.17g", e->args[i].numbers[0], e->args[i].numbers[1]);
    }
    str_add(s, ")%d", e->part);
}

const char *driver_find_file(Driver *d, uint32_t from, const char *name) {
    Arena *a = d->nnc->arena;
    if (name[0] == '/') return name;
    const char *file = d->nnc->sources.files.at[from]->path, *slash = strrchr(file, '/');
    const char *beside = slash ? arena_printf(a, "%.*s/%s", (int)(slash - file), file, name) : name;
    if (access(beside, F_OK) == 0) return beside;
    const char *dirs[] = {d->options.data_dir, getenv("NNC_DATA")};
    for (size_t i = 0; i < COUNT(dirs); i++) {
        if (!dirs[i]) continue;
        const char *path = arena_printf(a, "%s/%s", dirs[i], name);
        if (access(path, F_OK) == 0) return path;
    }
    return beside;
}

/* The arguments stand under the names that the language gives them. */
static const struct DataArg *data_arg(const DataExpr *e, const char *name) {
    for (int i = 0; i < e->nargs; i++)
        if (strcmp(e->args[i].name, name) == 0) return &e->args[i];
    return NULL;
}

static int64_t count_arg(const DataExpr *e, const char *name) {
    const struct DataArg *a = data_arg(e, name);
    return a ? (int64_t)a->numbers[0] : 0;
}

static DataSet *open_set(Driver *d, const DataExpr *e);

/* ---- from files ---- */

static const char *path_arg(Driver *d, const DataExpr *e) {
    DataFile f = {.name = data_arg(e, "path")->text};
    f.path = driver_find_file(d, e->at.file, f.name);
    for (size_t i = 0; i < d->files.len; i++)
        if (strcmp(d->files.at[i].path, f.path) == 0) return f.path;
    vec_push(&d->files, f);
    return f.path;
}

static RtData *open_idx(Driver *d, const DataExpr *e, RtError *err) { return rt_data_idx(path_arg(d, e), err); }

static RtData *open_npy(Driver *d, const DataExpr *e, RtError *err) { return rt_data_npy(path_arg(d, e), err); }

static RtData *open_csv(Driver *d, const DataExpr *e, RtError *err) {
    const struct DataArg *target = data_arg(e, "target");
    RtCsvOptions options = {0};
    if (target) options.target = target->text ? target->text : arena_printf(d->nnc->arena, "%.0f", target->numbers[0]);
    return rt_data_csv(path_arg(d, e), &options, err);
}

static RtData *open_text(Driver *d, const DataExpr *e, RtError *err) {
    const char *step = data_arg(e, "stride") ? "stride" : "window"; /* by default each character comes once */
    RtTextOptions options = {.window = count_arg(e, "window"), .stride = count_arg(e, step)};
    return rt_data_text(path_arg(d, e), &options, err);
}

static RtData *open_cifar10(Driver *d, const DataExpr *e, RtError *err) {
    return rt_data_cifar10(path_arg(d, e), count_arg(e, "test") != 0, err);
}

static RtData *open_images(Driver *d, const DataExpr *e, RtError *err) {
    const struct DataArg *a = data_arg(e, "size");
    int64_t size[] = {a ? (int64_t)a->numbers[0] : 0, a ? (int64_t)a->numbers[1] : 0};
    return rt_data_images(path_arg(d, e), a ? size : NULL, err);
}

static RtData *open_wav(Driver *d, const DataExpr *e, RtError *err) {
    return rt_data_wav(path_arg(d, e), count_arg(e, "length"), err);
}

/* ---- from others ---- */

static RtData *open_zip(Driver *d, const DataExpr *e, RtError *err) {
    const RtData **parts = ARENA_ARRAY(d->nnc->arena, const RtData *, e->nsources);
    for (int i = 0; i < e->nsources; i++) {
        DataSet *s = open_set(d, e->sources[i]);
        if (!s) return NULL;
        parts[i] = s->data;
    }
    return rt_data_zip(parts, e->nsources, err);
}

static RtData *open_take(Driver *d, const DataExpr *e, RtError *err) {
    DataSet *s = open_set(d, e->sources[0]);
    return s ? rt_data_take(s->data, count_arg(e, "n"), err) : NULL;
}

static RtData *open_skip(Driver *d, const DataExpr *e, RtError *err) {
    DataSet *s = open_set(d, e->sources[0]);
    return s ? rt_data_skip(s->data, count_arg(e, "n"), err) : NULL;
}

static RtData *open_split(Driver *d, const DataExpr *e, RtError *err) {
    DataSet *s = open_set(d, e->sources[0]);
    RtData *parts[2];
    if (!s || !rt_data_split(s->data, data_arg(e, "fraction")->numbers[0], parts, err)) return NULL;
    rt_data_free(parts[1 - e->part]);
    return parts[e->part];
}

static const struct {
    const char *name;
    RtData *(*open)(Driver *, const DataExpr *, RtError *);
} openers[] = {{"idx", open_idx},         {"npy", open_npy},       {"csv", open_csv},  {"text", open_text},
               {"cifar10", open_cifar10}, {"images", open_images}, {"wav", open_wav},  {"zip", open_zip},
               {"split", open_split},     {"take", open_take},     {"skip", open_skip}};

static RtData *open_expr(Driver *d, const DataExpr *e) {
    RtError err = {.number = 0};
    for (size_t i = 0; i < COUNT(openers); i++) {
        if (strcmp(e->fn, openers[i].name) != 0) continue;
        RtData *data = openers[i].open(d, e, &err);
        Diag *told = !data && err.text[0] ? diag(d->nnc, e->at, DIAG_data_file, err.text) : NULL;
        if (told && err.number == ENOENT)
            diag_help(d->nnc, told, "files are looked for beside the program, then in the folder that --data names");
        return data;
    }
    bug("a data source without an opener");
}

/* ---- facts ---- */

static void measure(DataSet *s, int64_t *n) {
    *n = rt_field_elements(&s->data->fields[0]);
    if (s->mean) return;
    s->mean = xcalloc((size_t)*n, sizeof *s->mean);
    s->std = xcalloc((size_t)*n, sizeof *s->std);
    rt_data_mean_std(s->data, 0, s->mean, s->std);
}

static const double *fact_mean(void *handle, int64_t *n) {
    DataSet *s = handle;
    measure(s, n);
    return s->mean;
}

static const double *fact_std(void *handle, int64_t *n) {
    DataSet *s = handle;
    measure(s, n);
    return s->std;
}

static DataInfo info_of(Driver *d, DataSet *s, const DataExpr *e) {
    const RtData *data = s->data;
    DataField *fields = ARENA_ARRAY(d->nnc->arena, DataField, data->nfields);
    for (int i = 0; i < data->nfields; i++) {
        const RtField *f = &data->fields[i];
        fields[i] = (DataField){.name = f->name ? intern(d->nnc->names, f->name) : NULL,
                                .dtype = (DType)f->dtype,
                                .rank = f->rank,
                                .dims = arena_copy(d->nnc->arena, f->dims, sizeof(int64_t) * (size_t)f->rank),
                                .rows = f->rows};
        int64_t bytes = (int64_t)rt_dtype_size(f->dtype);
        if (f->stride != rt_field_elements(f) * bytes) fields[i].stride = f->stride / bytes;
    }
    int text = 0;
    while (text < data->nfields - 1 && data->fields[text].vocab == 0) text++;
    return (DataInfo){.count = data->count,
                      .nfields = data->nfields,
                      .fields = fields,
                      .classes = rt_data_classes(data, NULL),
                      .vocab = data->fields[text].vocab,
                      .alphabet = data->fields[text].alphabet,
                      .mean = fact_mean,
                      .std = fact_std,
                      .handle = s,
                      .expr = e};
}

static DataSet *open_set(Driver *d, const DataExpr *e) {
    Str key = {0};
    key_of(&key, e);
    for (size_t i = 0; i < d->data.len; i++)
        if (strcmp(d->data.at[i]->key, key.at) == 0) {
            vec_free(&key);
            return d->data.at[i];
        }
    RtData *data = open_expr(d, e);
    if (!data) {
        vec_free(&key);
        return NULL;
    }
    DataSet *s = xcalloc(1, sizeof *s);
    s->key = key.at;
    s->data = data;
    s->info = info_of(d, s, e);
    vec_push(&d->data, s);
    return s;
}

static const DataInfo *open_info(void *self, Nnc *nnc, const DataExpr *e) {
    (void)nnc;
    DataSet *s = open_set(self, e);
    return s ? &s->info : NULL;
}

DataOpener driver_data_opener(Driver *d) { return (DataOpener){open_info, d}; }

const RtData *driver_rt_data(const DataInfo *info) { return ((DataSet *)info->handle)->data; }

bool driver_judges_data(const DataInfo *info) {
    DataSet *s = info->handle;
    bool first = !s->judged;
    s->judged = true;
    return first;
}

bool driver_scales_data(const Driver *d) {
    for (size_t i = 0; i < d->data.len; i++)
        if (d->data.at[i]->std) return true;
    return false;
}

void driver_free_data(Driver *d) {
    for (size_t i = 0; i < d->data.len; i++) {
        DataSet *s = d->data.at[i];
        rt_data_free(s->data);
        free(s->mean);
        free(s->std);
        free(s->key);
        free(s);
    }
    vec_free(&d->data);
    vec_free(&d->files);
}
