/* Data sets: expressions of a program become the runtime's data sets, each opened once. */
#include "compiler/driver_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct DataSet {
    char *key; /* the expression as text: equal ones share the data */
    RtData *data;
    DataInfo info;
    double *mean, *std;
};

static void key_of(Str *s, const DataExpr *e) {
    str_add(s, "%s(", e->fn);
    for (int i = 0; i < e->nsources; i++) key_of(s, e->sources[i]);
    for (int i = 0; i < e->nargs; i++) {
        str_add(s, ",%s=", e->args[i].name ? e->args[i].name : "");
        if (e->args[i].text)
            str_add(s, "\"%s\"", e->args[i].text);
        else
            str_add(s, "%.17g", e->args[i].number);
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

static const struct DataArg *data_arg(const DataExpr *e, int position, const char *name) {
    int seen = 0;
    for (int i = 0; i < e->nargs; i++) {
        if (e->args[i].name ? strcmp(e->args[i].name, name) == 0 : seen == position) return &e->args[i];
        if (!e->args[i].name) seen++;
    }
    return NULL;
}

static const char *text_arg(Driver *d, const DataExpr *e, int position, const char *name) {
    const struct DataArg *a = data_arg(e, position, name);
    if (a && a->text) return a->text;
    diag(d->nnc, a ? a->at : e->at, DIAG_data_argument, e->fn, name, "a string");
    return NULL;
}

static bool number_arg(Driver *d, const DataExpr *e, int position, const char *name, double *v) {
    const struct DataArg *a = data_arg(e, position, name);
    if (a && !a->text) return *v = a->number, true;
    diag(d->nnc, a ? a->at : e->at, DIAG_data_argument, e->fn, name, "a number");
    return false;
}

static DataSet *open_set(Driver *d, const DataExpr *e);

static bool source_count(Driver *d, const DataExpr *e, int n) {
    if (e->nsources == n) return true;
    diag(d->nnc, e->at, DIAG_data_sources, e->fn, n, e->nsources);
    return false;
}

static RtData *open_file(Driver *d, const DataExpr *e, RtError *err) {
    const char *name = text_arg(d, e, 0, "path");
    if (!name || !source_count(d, e, 0)) return NULL;
    const char *path = driver_find_file(d, e->at.file, name);
    if (strcmp(e->fn, "idx") == 0) return rt_data_idx(path, err);
    if (strcmp(e->fn, "npy") == 0) return rt_data_npy(path, err);
    RtCsvOptions options = {0};
    const struct DataArg *target = data_arg(e, 1, "target");
    if (target) options.target = target->text ? target->text : arena_printf(d->nnc->arena, "%.0f", target->number);
    return rt_data_csv(path, &options, err);
}

static RtData *open_zip(Driver *d, const DataExpr *e, RtError *err) {
    const RtData **parts = ARENA_ARRAY(d->nnc->arena, const RtData *, e->nsources);
    for (int i = 0; i < e->nsources; i++) {
        DataSet *s = open_set(d, e->sources[i]);
        if (!s) return NULL;
        parts[i] = s->data;
    }
    return rt_data_zip(parts, e->nsources, err);
}

static RtData *open_view(Driver *d, const DataExpr *e, RtError *err) {
    double v;
    bool is_split = strcmp(e->fn, "split") == 0;
    if (!source_count(d, e, 1) || !number_arg(d, e, 0, is_split ? "fraction" : "n", &v)) return NULL;
    DataSet *s = open_set(d, e->sources[0]);
    if (!s) return NULL;
    if (!is_split) return (strcmp(e->fn, "take") == 0 ? rt_data_take : rt_data_skip)(s->data, (int64_t)v, err);
    RtData *parts[2];
    if (!rt_data_split(s->data, v, parts, err)) return NULL;
    rt_data_free(parts[1 - e->part]);
    return parts[e->part];
}

static const struct {
    const char *name;
    RtData *(*open)(Driver *, const DataExpr *, RtError *);
} openers[] = {{"idx", open_file},   {"npy", open_file},  {"csv", open_file}, {"zip", open_zip},
               {"split", open_view}, {"take", open_view}, {"skip", open_view}};

static RtData *open_expr(Driver *d, const DataExpr *e) {
    RtError err = {{0}};
    const char *names[COUNT(openers)];
    for (size_t i = 0; i < COUNT(openers); i++) {
        names[i] = openers[i].name;
        if (strcmp(e->fn, names[i]) != 0) continue;
        RtData *data = openers[i].open(d, e, &err);
        if (!data && err.text[0]) diag(d->nnc, e->at, DIAG_data_file, err.text);
        return data;
    }
    Diag *m = diag(d->nnc, e->at, DIAG_data_unknown, e->fn);
    const char *near = diag_nearest(e->fn, names, COUNT(names));
    if (near) diag_help(d->nnc, m, "did you mean '%s'?", near);
    return NULL;
}

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
                                .dims = arena_copy(d->nnc->arena, f->dims, sizeof(int64_t) * (size_t)f->rank)};
    }
    return (DataInfo){.count = data->count,
                      .nfields = data->nfields,
                      .fields = fields,
                      .classes = rt_data_classes(data, NULL),
                      .vocab = -1,
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
}
