/* What the columns of a CSV table are, found by one walk over all its rows. */
#ifndef RT_CSV_COLUMNS_H
#define RT_CSV_COLUMNS_H

#include "runtime/csv.h"

/** Text columns with more distinct values are an error: as features, as a target. */
enum { RT_MAX_CATEGORIES = 256, RT_MAX_CLASSES = 65536 };

typedef struct {
    char *name;      /* from the header; without one, or where it is empty, its number from 1 */
    RtCellKind kind; /* RT_CELL_NUMBER or RT_CELL_TEXT, the same in every row */
    int ncategories, room;
    char **categories;    /* text: the distinct values, sorted */
    bool quoted;          /* text: some cell is quoted, so that text is meant */
    bool integral;        /* numbers: all are integers that fit in an int32 */
    const char *first;    /* the first row's cell, for messages */
    const char *no_label; /* numbers: the first cell that is no integer from 0, or NULL */
} RtColumn;

typedef struct {
    int count;
    int64_t rows;
    bool header;
    RtColumn *columns;
    int target; /* -1: none */
} RtColumns;

/** Reads all rows of `r` (left at its end); `target` as in RtCsvOptions. Free with rt_columns_free(), also on failure.
 */
bool rt_columns_find(RtColumns *t, RtCsv *r, const char *target);
void rt_columns_free(RtColumns *t);
/** Moves `r` to the first row of data. */
void rt_columns_rewind(const RtColumns *t, RtCsv *r);
/** The place of the cell among the column's categories: it is one of them. */
int rt_column_category(const RtColumn *c, const RtCell *cell);

#endif
