/* The rows and cells of a CSV text (RFC 4180; lines may also end in CR or LF alone, blank ones are skipped). */
#ifndef RT_CSV_H
#define RT_CSV_H

#include "runtime/runtime.h"

/** More columns than any table has. */
enum { RT_CSV_MAX_COLUMNS = 1000000 };

/** A cell: its text inside the quotes, or without the spaces around it. Doubled quotes still stand in it doubled. */
typedef struct {
    const char *text;
    size_t length;
    bool quoted;
} RtCell;

typedef struct {
    const char *path;
    char *text; /* the file, a NUL after it */
    const char *at, *end;
    int ncells, room; /* of the current row */
    RtCell *cells;
    RtError *error;
} RtCsv;

/** Reads the file: it must be UTF-8 (a byte order mark is skipped) without NUL. */
bool rt_csv_open(RtCsv *r, const char *path, RtError *e);
void rt_csv_close(RtCsv *r);
/** Goes back to the first row. */
void rt_csv_rewind(RtCsv *r);
/** The next row's cells; false at the end and on failure. */
bool rt_csv_next(RtCsv *r, bool *failed);

/** Fills the error with file:line:column of `where` (a place in the text) before the message; returns false. */
bool rt_csv_fail(const RtCsv *r, const char *where, const char *format, ...) __attribute__((format(printf, 3, 4)));

typedef enum { RT_CELL_EMPTY, RT_CELL_NUMBER, RT_CELL_DAMAGED, RT_CELL_TEXT } RtCellKind;

/** What a cell holds. Damaged is what begins like a number but is none: `1.5abc`, `0x10`, `"1,5"`; in quotes letters
 * make it text. */
RtCellKind rt_cell_kind(const RtCell *c);
/** The value of a cell that is a number; infinite beyond the range of a double. */
double rt_cell_number(const RtCell *c);
/** Order of a cell and a text, byte by byte. */
int rt_cell_compare(const RtCell *c, const char *text);
/** The cell as a malloc'ed text, or NULL. */
char *rt_cell_copy(const RtCell *c);

#endif
