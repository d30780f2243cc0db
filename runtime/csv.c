/* Cutting CSV into cells, and what a cell is. */
#include "runtime/csv.h"
#include "runtime/files.h"
#include "runtime/utf8.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the text ---- */

bool rt_csv_fail(const RtCsv *r, const char *where, const char *format, ...) {
    int64_t line = 1;
    const char *start = r->text;
    for (const char *p = r->text; p < where; p++) {
        if (*p != '\n' && !(*p == '\r' && p[1] != '\n')) continue;
        line++;
        start = p + 1;
    }
    char message[800];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return rt_fail(r->error, "%s:%lld:%lld: %s", r->path, (long long)line, (long long)(where - start) + 1, message);
}

void rt_csv_rewind(RtCsv *r) {
    r->at = r->text;
    if (r->end - r->text >= 3 && memcmp(r->text, "\xEF\xBB\xBF", 3) == 0) r->at += 3;
    r->ncells = 0;
}

bool rt_csv_open(RtCsv *r, const char *path, RtError *e) {
    *r = (RtCsv){.path = path, .error = e};
    size_t size;
    r->text = rt_file_read(path, SIZE_MAX / 4, &size, e);
    if (r->text == NULL) return false;
    r->end = r->text + size;
    rt_csv_rewind(r);
    if (size >= 2 && memcmp(r->text, "\x1F\x8B", 2) == 0) {
        rt_csv_close(r);
        return rt_fail(e, "%s: is compressed by gzip: a table must be unpacked first", path);
    }
    const char *nul = memchr(r->text, '\0', size);
    size_t valid = rt_utf8_valid_until(r->text, size);
    if (nul != NULL) {
        rt_csv_fail(r, nul, "a NUL byte");
    } else if (valid < size) {
        rt_csv_fail(r, r->text + valid, "the text is not UTF-8");
    } else {
        return true;
    }
    rt_csv_close(r);
    return false;
}

void rt_csv_close(RtCsv *r) {
    free(r->text);
    free(r->cells);
    *r = (RtCsv){0};
}

/* ---- rows ---- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/* At the end of a line or of the text. */
static bool at_line_end(const RtCsv *r) { return r->at == r->end || *r->at == '\n' || *r->at == '\r'; }

static bool quoted_cell(RtCsv *r, RtCell *c) {
    const char *open = r->at++;
    c->text = r->at;
    for (; r->at < r->end; r->at++) {
        if (*r->at != '"') continue;
        if (r->at[1] != '"') break; /* the NUL after the text ends it too */
        r->at++;
    }
    if (r->at == r->end) return rt_csv_fail(r, open, "this quote is never closed");
    c->length = (size_t)(r->at - c->text);
    c->quoted = true;
    r->at++;
    while (r->at < r->end && is_blank(*r->at)) r->at++;
    return at_line_end(r) || *r->at == ',' || rt_csv_fail(r, r->at, "text after a closing quote");
}

static bool cell(RtCsv *r, RtCell *c) {
    while (r->at < r->end && is_blank(*r->at)) r->at++;
    if (r->at < r->end && *r->at == '"') return quoted_cell(r, c);
    c->text = r->at;
    while (!at_line_end(r) && *r->at != ',') r->at++;
    const char *last = r->at;
    while (last > c->text && is_blank(last[-1])) last--;
    c->length = (size_t)(last - c->text);
    c->quoted = false;
    return true;
}

static bool room_for_cell(RtCsv *r) {
    if (r->ncells < r->room) return true;
    if (r->ncells == RT_CSV_MAX_COLUMNS) {
        return rt_csv_fail(r, r->at, "more than %d columns", RT_CSV_MAX_COLUMNS);
    }
    int room = r->room == 0 ? 16 : r->room * 2;
    RtCell *cells = realloc(r->cells, (size_t)room * sizeof *cells);
    if (cells == NULL) return rt_fail(r->error, "%s: no memory for %d cells", r->path, room);
    r->cells = cells;
    r->room = room;
    return true;
}

static void skip_blank_lines(RtCsv *r) {
    for (;;) {
        const char *start = r->at;
        while (r->at < r->end && is_blank(*r->at)) r->at++;
        if (r->at == r->end) return;
        if (!at_line_end(r)) {
            r->at = start;
            return;
        }
        r->at++;
    }
}

bool rt_csv_next(RtCsv *r, bool *failed) {
    *failed = false;
    r->ncells = 0;
    skip_blank_lines(r);
    if (r->at == r->end) return false;
    for (;;) {
        *failed = !room_for_cell(r) || !cell(r, &r->cells[r->ncells]);
        if (*failed) return false;
        r->ncells++;
        if (at_line_end(r)) return true;
        r->at++; /* the comma */
    }
}

/* ---- cells ---- */

static const char *digits(const char *p, const char *end) {
    while (p < end && isdigit((unsigned char)*p)) p++;
    return p;
}

static bool is_word(const char *p, const char *end, const char *word) {
    return (size_t)(end - p) == strlen(word) && strncasecmp(p, word, strlen(word)) == 0;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or after the point; or nan, inf, infinity. */
static bool is_number(const char *p, const char *end) {
    if (p < end && (*p == '+' || *p == '-')) p++;
    if (is_word(p, end, "nan") || is_word(p, end, "inf") || is_word(p, end, "infinity")) return true;
    const char *point = digits(p, end), *after = point;
    if (point < end && *point == '.') after = digits(point + 1, end);
    if (after - p - (after > point) < 1) return false;
    if (after < end && (*after == 'e' || *after == 'E')) {
        const char *exponent = after + 1;
        if (exponent < end && (*exponent == '+' || *exponent == '-')) exponent++;
        after = digits(exponent, end);
        if (after == exponent) return false;
    }
    return after == end;
}

/* Quoted cells keep their spaces; a number's do not matter. */
static void trim(const RtCell *c, const char **begin, const char **end) {
    *begin = c->text;
    *end = c->text + c->length;
    while (*begin < *end && is_blank(**begin)) ++*begin;
    while (*end > *begin && is_blank((*end)[-1])) --*end;
}

RtCellKind rt_cell_kind(const RtCell *c) {
    const char *p, *end;
    trim(c, &p, &end);
    if (p == end) return RT_CELL_EMPTY;
    if (is_number(p, end)) return RT_CELL_NUMBER;
    const char *first = p;
    while (first < end && strchr("+-.", *first) != NULL) first++;
    if (first == end || !isdigit((unsigned char)*first)) return RT_CELL_TEXT;
    for (; c->quoted && p < end; p++) {
        if (isalpha((unsigned char)*p) || (unsigned char)*p >= 0x80) return RT_CELL_TEXT;
    }
    return RT_CELL_DAMAGED;
}

/* What is_number() took is what strtod() takes: a comma, a quote, a space or the end of the text stops it. */
double rt_cell_number(const RtCell *c) { return strtod(c->text, NULL); }

/* The cell's character at *i, the second of two quotes being skipped; -1 at its end. */
static int next_char(const RtCell *c, size_t *i) {
    if (*i == c->length) return -1;
    char at = c->text[(*i)++];
    if (c->quoted && at == '"') ++*i;
    return (unsigned char)at;
}

int rt_cell_compare(const RtCell *c, const char *text) {
    size_t i = 0;
    for (;; text++) {
        int at = next_char(c, &i), other = *text == '\0' ? -1 : (unsigned char)*text;
        if (at != other) return at < other ? -1 : 1;
        if (at < 0) return 0;
    }
}

char *rt_cell_copy(const RtCell *c) {
    char *copy = malloc(c->length + 1);
    size_t n = 0;
    if (copy == NULL) return NULL;
    for (size_t i = 0; i < c->length;) copy[n++] = (char)next_char(c, &i);
    copy[n] = '\0';
    return copy;
}
