/* Header, target, kinds of columns, categories. */
#include "runtime/csv_columns.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the first row ---- */

/* The first row is a header where none of its cells is a number. */
static bool is_header(const RtCsv *r) {
    for (int i = 0; i < r->ncells; i++) {
        if (rt_cell_kind(&r->cells[i]) == RT_CELL_NUMBER) return false;
    }
    return true;
}

static char *column_name(const RtCell *cell, int number) {
    if (cell != NULL && cell->length > 0) return rt_cell_copy(cell);
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    return strdup(text);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static bool check_distinct(const RtColumns *t, const RtCsv *r) {
    char **names = malloc((size_t)t->count * sizeof *names);
    if (names == NULL) return rt_fail(r->error, "%s: no memory", r->path);
    for (int i = 0; i < t->count; i++) names[i] = t->columns[i].name;
    qsort(names, (size_t)t->count, sizeof *names, by_name);
    bool good = true;
    for (int i = 1; good && i < t->count; i++) {
        good = strcmp(names[i - 1], names[i]) != 0 ||
               rt_csv_fail(r, r->cells[0].text, "two columns are named '%s'", names[i]);
    }
    free(names);
    return good;
}

static bool find_target(RtColumns *t, const RtCsv *r, const char *target) {
    t->target = -1;
    if (target == NULL) return true;
    for (int i = 0; i < t->count; i++) {
        if (strcmp(t->columns[i].name, target) == 0) t->target = i;
    }
    if (t->target >= 0) return t->count > 1 || rt_fail(r->error, "%s: has no column but the target", r->path);
    return rt_fail(r->error, "%s: has no column '%s'; its %d columns begin with '%s'%s", r->path, target, t->count,
                   t->columns[0].name, t->header ? "" : ", as there is no header they are numbered from 1");
}

static bool read_first_row(RtColumns *t, RtCsv *r, const char *target) {
    bool failed;
    if (!rt_csv_next(r, &failed)) return !failed ? rt_fail(r->error, "%s: is empty", r->path) : false;
    const RtCell *first = r->cells;
    if (r->ncells == 1 && (memchr(first->text, ';', first->length) || memchr(first->text, '\t', first->length))) {
        return rt_csv_fail(r, first->text, "one column only: are the cells separated by something but commas?");
    }
    t->header = is_header(r);
    t->columns = calloc((size_t)r->ncells, sizeof *t->columns);
    if (t->columns == NULL) return rt_fail(r->error, "%s: no memory for %d columns", r->path, r->ncells);
    t->count = r->ncells;
    for (int i = 0; i < t->count; i++) {
        t->columns[i].integral = true;
        t->columns[i].name = column_name(t->header ? &r->cells[i] : NULL, i + 1);
        if (t->columns[i].name == NULL) return rt_fail(r->error, "%s: no memory", r->path);
    }
    return check_distinct(t, r) && find_target(t, r, target);
}

/* ---- the other rows ---- */

/* Where the cell stands among the categories, or would stand. */
static int category_place(const RtColumn *c, const RtCell *cell, bool *present) {
    int low = 0, high = c->ncategories;
    *present = false;
    while (low < high) {
        int middle = low + (high - low) / 2, order = rt_cell_compare(cell, c->categories[middle]);
        if (order == 0) {
            *present = true;
            return middle;
        }
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

int rt_column_category(const RtColumn *c, const RtCell *cell) {
    bool present;
    return category_place(c, cell, &present);
}

static bool add_category(RtColumn *c, const RtCsv *r, const RtCell *cell, int limit) {
    bool present;
    int place = category_place(c, cell, &present);
    if (present) return true;
    if (c->ncategories == limit) {
        return rt_csv_fail(r, cell->text, "column '%s' is text with more than %d different values", c->name, limit);
    }
    if (c->ncategories == c->room) {
        int room = c->room == 0 ? 8 : c->room * 2;
        char **grown = realloc(c->categories, (size_t)room * sizeof *grown);
        if (grown == NULL) return rt_fail(r->error, "%s: no memory for categories", r->path);
        c->categories = grown;
        c->room = room;
    }
    char *copy = rt_cell_copy(cell);
    if (copy == NULL) return rt_fail(r->error, "%s: no memory for categories", r->path);
    memmove(c->categories + place + 1, c->categories + place, (size_t)(c->ncategories - place) * sizeof copy);
    c->categories[place] = copy;
    c->ncategories++;
    return true;
}

/* The cell as it may stand in a message: a reasonable length of it. */
static int shown(const RtCell *cell) { return cell->length > 60 ? 60 : (int)cell->length; }

static bool read_cell(RtColumn *c, const RtCsv *r, const RtCell *cell, int limit) {
    RtCellKind kind = rt_cell_kind(cell);
    if (c->first == NULL) {
        c->first = cell->text;
        c->kind = kind;
    }
    if (kind == RT_CELL_EMPTY) return rt_csv_fail(r, cell->text, "column '%s': the cell is empty", c->name);
    if (kind == RT_CELL_DAMAGED || (kind == RT_CELL_TEXT && c->kind == RT_CELL_NUMBER)) {
        return rt_csv_fail(r, cell->text, "column '%s': '%.*s' is not a number", c->name, shown(cell), cell->text);
    }
    if (kind != c->kind) {
        return rt_csv_fail(r, cell->text, "column '%s': the number '%.*s' in a column of text", c->name, shown(cell),
                           cell->text);
    }
    if (kind == RT_CELL_TEXT) {
        c->quoted = c->quoted || cell->quoted;
        return add_category(c, r, cell, limit);
    }
    double v = rt_cell_number(cell);
    bool integer = v == trunc(v) && fabs(v) <= INT32_MAX;
    c->integral = c->integral && integer;
    if (c->no_label == NULL && !(integer && v >= 0)) c->no_label = cell->text;
    return true;
}

static bool read_row(RtColumns *t, const RtCsv *r) {
    if (r->ncells != t->count) {
        return rt_csv_fail(r, r->cells[0].text, "this row has %d cells, the first row has %d", r->ncells, t->count);
    }
    for (int i = 0; i < t->count; i++) {
        int limit = i == t->target ? RT_MAX_CLASSES : RT_MAX_CATEGORIES;
        if (!read_cell(&t->columns[i], r, &r->cells[i], limit)) return false;
    }
    t->rows++;
    return t->rows <= INT32_MAX || rt_fail(r->error, "%s: more than %d rows", r->path, INT32_MAX);
}

/* A bare word that fills a whole column is a damaged number rather than a category, which would tell nothing. */
static bool check_constant_text(const RtColumns *t, const RtCsv *r) {
    for (int i = 0; i < t->count; i++) {
        const RtColumn *c = &t->columns[i];
        if (c->kind != RT_CELL_TEXT || c->ncategories > 1 || c->quoted) continue;
        return rt_csv_fail(r, c->first, "column '%s': '%.60s' is not a number, and as a category it never changes",
                           c->name, c->categories[0]);
    }
    return true;
}

void rt_columns_rewind(const RtColumns *t, RtCsv *r) {
    bool failed;
    rt_csv_rewind(r);
    if (t->header) rt_csv_next(r, &failed);
}

bool rt_columns_find(RtColumns *t, RtCsv *r, const char *target) {
    *t = (RtColumns){0};
    bool failed;
    if (!read_first_row(t, r, target)) return false;
    rt_columns_rewind(t, r);
    while (rt_csv_next(r, &failed)) {
        if (!read_row(t, r)) return false;
    }
    if (failed) return false;
    if (t->rows == 0) return rt_fail(r->error, "%s: has a header but no rows", r->path);
    return check_constant_text(t, r);
}

void rt_columns_free(RtColumns *t) {
    for (int i = 0; i < t->count; i++) {
        RtColumn *c = &t->columns[i];
        for (int k = 0; k < c->ncategories; k++) free(c->categories[k]);
        free(c->categories);
        free(c->name);
    }
    free(t->columns);
    *t = (RtColumns){0};
}
