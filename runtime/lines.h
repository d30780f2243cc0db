/* Text put together in memory, to be handed to the system many lines at a time; and numbers and strings as JSON. */
#ifndef RT_LINES_H
#define RT_LINES_H

#include <stdbool.h>
#include <stddef.h>

/** Zero: empty. Once memory is out it takes nothing more, and `failed` says so. */
typedef struct {
    char *text; /* ends in NUL; NULL where nothing was ever added */
    size_t length, room;
    bool failed;
} RtLines;

void rt_lines_add(RtLines *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rt_lines_add_text(RtLines *l, const char *text, size_t n);
/** As a string of JSON, in its quotes. */
void rt_lines_add_quoted(RtLines *l, const char *text);
/** With as many digits as it takes to read the same number. JSON has no word for infinity: it is 1e999, a number that
 * readers of JSON take for it; NaN is null. */
void rt_lines_add_number(RtLines *l, double v);

/** Keeps the first `length` bytes; drops the first n. */
void rt_lines_cut(RtLines *l, size_t length);
void rt_lines_drop(RtLines *l, size_t n);
/** Writes what is behind the first `from` bytes to the file; false (errno) where that failed or memory was out. */
bool rt_lines_write(const RtLines *l, size_t from, int file);
void rt_lines_free(RtLines *l);

#endif
