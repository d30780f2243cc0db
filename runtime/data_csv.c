/* A CSV table as a data set: features f32[F], and a target. Two walks over the text: what the columns are, then values.
 */
#include "runtime/csv_columns.h"
#include "runtime/data_base.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How many features a column makes: text is one-hot. */
static int width(const RtColumns *t, int column) {
    if (column == t->target) return 0;
    return t->columns[column].kind == RT_CELL_TEXT ? t->columns[column].ncategories : 1;
}

/* "column", or "column=category" for each place of a one-hot column; for a target of text its classes. */
static bool add_names(RtBase *b, const RtColumn *c, bool bare) {
    for (int k = 0; k < (c->kind == RT_CELL_TEXT ? c->ncategories : 1); k++) {
        const char *category = c->kind == RT_CELL_TEXT ? c->categories[k] : "";
        size_t room = strlen(c->name) + strlen(category) + 2;
        char *name = malloc(room);
        if (name == NULL) return false;
        if (c->kind != RT_CELL_TEXT)
            strcpy(name, c->name);
        else if (bare)
            strcpy(name, category);
        else
            snprintf(name, room, "%s=%s", c->name, category);
        b->names[b->nnames++] = name;
    }
    return true;
}

static RtBase *new_features(const RtColumns *t, const char *path, RtError *e) {
    RtBase *b = rt_base_new("features", path, e);
    if (b == NULL) return NULL;
    int n = 0;
    for (int i = 0; i < t->count; i++) n += width(t, i); /* below 2^31: a million columns of 256 categories */
    b->array = (RtArray){.dtype = RT_F32, .rank = 2, .dims = {t->rows, n}};
    b->names = calloc((size_t)n, sizeof *b->names);
    bool good = b->names != NULL;
    for (int i = 0; good && i < t->count; i++) good = i == t->target || add_names(b, &t->columns[i], false);
    if (!good) rt_fail(e, "%s: no memory for %d features", path, n);
    if (good && rt_array_alloc(&b->array, path, e)) return b;
    rt_base_drop(b);
    return NULL;
}

static RtBase *new_target(const RtColumns *t, const char *path, RtError *e) {
    const RtColumn *c = &t->columns[t->target];
    RtBase *b = rt_base_new("target", path, e);
    if (b == NULL) return NULL;
    bool labels = c->kind == RT_CELL_TEXT || c->integral;
    b->array = (RtArray){.dtype = labels ? RT_I32 : RT_F32, .rank = 1, .dims = {t->rows}};
    bool good = true;
    if (c->kind == RT_CELL_TEXT) {
        b->names = calloc((size_t)c->ncategories, sizeof *b->names);
        good = b->names != NULL && add_names(b, c, true);
        if (!good) rt_fail(e, "%s: no memory for %d classes", path, c->ncategories);
    }
    if (good && rt_array_alloc(&b->array, path, e)) return b;
    rt_base_drop(b);
    return NULL;
}

/* A number as f32; one beyond its range is an error rather than an infinity that nobody wrote: only `inf` has an n. */
static bool number(const RtCsv *r, const RtColumn *c, const RtCell *cell, float *into) {
    *into = (float)rt_cell_number(cell);
    if (!isinf(*into) || memchr(cell->text, 'n', cell->length) || memchr(cell->text, 'N', cell->length)) return true;
    return rt_csv_fail(r, cell->text, "column '%s': the number is beyond the range of f32", c->name);
}

static bool fill_row(const RtCsv *r, const RtColumns *t, int64_t row, RtBase *features, RtBase *target) {
    float *place = (float *)features->array.data + row * features->array.dims[1];
    for (int i = 0; i < t->count; i++) {
        const RtColumn *c = &t->columns[i];
        const RtCell *cell = &r->cells[i];
        if (i == t->target && target->array.dtype == RT_I32) {
            ((int32_t *)target->array.data)[row] =
                c->kind == RT_CELL_TEXT ? rt_column_category(c, cell) : (int32_t)rt_cell_number(cell);
        } else if (i == t->target) {
            if (!number(r, c, cell, (float *)target->array.data + row)) return false;
        } else if (c->kind == RT_CELL_TEXT) {
            for (int k = 0; k < c->ncategories; k++) place[k] = 0;
            place[rt_column_category(c, cell)] = 1;
            place += c->ncategories;
        } else if (!number(r, c, cell, place++)) {
            return false;
        }
    }
    return true;
}

static bool fill(RtCsv *r, const RtColumns *t, RtBase *features, RtBase *target) {
    bool failed;
    rt_columns_rewind(t, r);
    for (int64_t row = 0; rt_csv_next(r, &failed); row++) {
        if (!fill_row(r, t, row, features, target)) return false;
    }
    return !failed;
}

static RtData *read_table(RtCsv *r, const RtColumns *t, bool labels, RtError *e) {
    const RtColumn *c = t->target >= 0 ? &t->columns[t->target] : NULL;
    if (c != NULL && labels && c->kind == RT_CELL_NUMBER && c->no_label != NULL) {
        rt_csv_fail(r, c->no_label, "column '%s': class labels are text or integers from 0", c->name);
        return NULL;
    }
    RtBase *bases[2] = {new_features(t, r->path, e), NULL};
    if (bases[0] != NULL && c != NULL) bases[1] = new_target(t, r->path, e);
    bool good = bases[0] != NULL && (c == NULL || bases[1] != NULL) && fill(r, t, bases[0], bases[1]);
    if (good) return rt_data_from_bases(bases, c == NULL ? 1 : 2, e);
    rt_base_drop(bases[0]);
    rt_base_drop(bases[1]);
    return NULL;
}

RtData *rt_data_csv(const char *path, const RtCsvOptions *options, RtError *e) {
    RtCsv r;
    if (!rt_csv_open(&r, path, e)) return NULL;
    RtColumns t;
    RtData *d = rt_columns_find(&t, &r, options->target) ? read_table(&r, &t, options->labels, e) : NULL;
    rt_columns_free(&t);
    rt_csv_close(&r);
    return d;
}
