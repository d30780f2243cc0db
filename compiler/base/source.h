/* Source text and places in it. A Span is what every later stage keeps to point at the user's file. */
#ifndef NNC_SOURCE_H
#define NNC_SOURCE_H

#include "compiler/base/arena.h"
#include "compiler/base/base.h"

/** Bytes [begin, end) of source file `file` (an index into Sources; 0 means no place). */
typedef struct {
    uint32_t file, begin, end;
} Span;

typedef struct {
    const char *path; /* as the user gave it */
    const char *text; /* NUL-terminated copy, `len` bytes before that */
    size_t len;
    uint32_t *lines; /* offset of each line's first byte */
    size_t nlines;
} Source;

typedef struct {
    VEC(Source *) files; /* files.at[0] is NULL: index 0 is "no place" */
} Sources;

/** Adds a file's text and returns its index (from 1). Keeps a copy in `a`. */
uint32_t source_add(Sources *s, Arena *a, const char *path, const char *text, size_t len);

/** Line and column, both from 1, of a byte offset; the column counts characters, not bytes. */
void source_place(const Source *s, uint32_t offset, int *line, int *column);

/** The text of a line (from 1) without its newline; `len` gets its bytes. */
const char *source_line(const Source *s, int line, size_t *len);

/** The source text of a span, with single spaces for white space and comments. Lives in `a`. */
const char *source_words(const Source *s, Arena *a, Span at);

/** The character at the beginning of `n` bytes; returns how many of them it takes, 0 where they are not UTF-8 (overlong
 * forms and surrogates are not). `n` is at least 1. */
size_t utf8_decode(const char *s, size_t n, uint32_t *c);

/** The smallest span that covers both; a span without a place is ignored. */
Span span_join(Span a, Span b);

#endif
