#include "runtime/lines.h"
#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Room for n more bytes and a NUL. */
static bool make_room(RtLines *l, size_t n) {
    if (l->failed) return false;
    if (l->length + n < l->room) return true;
    size_t room = 2 * (l->length + n) + 256;
    char *grown = realloc(l->text, room);
    l->failed = grown == NULL;
    if (l->failed) return false;
    l->text = grown;
    l->room = room;
    return true;
}

void rt_lines_add_text(RtLines *l, const char *text, size_t n) {
    if (!make_room(l, n)) return;
    memcpy(l->text + l->length, text, n);
    l->length += n;
    l->text[l->length] = '\0';
}

void rt_lines_add(RtLines *l, const char *format, ...) {
    enum { USUAL = 64 }; /* bytes that most of what is added fits into */
    for (size_t room = USUAL; make_room(l, room);) {
        va_list args;
        va_start(args, format);
        int n = vsnprintf(l->text + l->length, room + 1, format, args);
        va_end(args);
        if (n < 0) l->failed = true;
        if (n >= 0 && (size_t)n <= room) {
            l->length += (size_t)n;
            return;
        }
        room = (size_t)n;
    }
}

void rt_lines_add_quoted(RtLines *l, const char *text) {
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    rt_lines_add_text(l, "\"", 1);
    for (const char *p = text; *p != '\0'; p++) {
        size_t n = 0; /* bytes that stand for themselves */
        while ((unsigned char)p[n] >= 0x20 && p[n] != '"' && p[n] != '\\') n++;
        rt_lines_add_text(l, p, n);
        p += n;
        if (*p == '\0') break;
        const char *special = strchr(plain, *p);
        if (special != NULL)
            rt_lines_add_text(l, (char[]){'\\', letters[special - plain]}, 2);
        else
            rt_lines_add(l, "\\u%04x", (unsigned)*p);
    }
    rt_lines_add_text(l, "\"", 1);
}

void rt_lines_add_number(RtLines *l, double v) {
    char text[32];
    if (!isfinite(v)) {
        const char *word = isnan(v) ? "null" : v > 0 ? "1e999" : "-1e999";
        rt_lines_add_text(l, word, strlen(word));
        return;
    }
    bool whole = fabs(v) < 1e9 && v == (double)(int)v;
    int n = whole ? snprintf(text, sizeof text, "%d", (int)v) : snprintf(text, sizeof text, "%.15g", v);
    if (!whole && strtod(text, NULL) != v) n = snprintf(text, sizeof text, "%.17g", v);
    rt_lines_add_text(l, text, (size_t)n);
}

void rt_lines_cut(RtLines *l, size_t length) {
    l->length = length;
    if (l->text != NULL) l->text[length] = '\0';
}

void rt_lines_drop(RtLines *l, size_t n) {
    if (n == 0) return;
    memmove(l->text, l->text + n, l->length - n);
    rt_lines_cut(l, l->length - n);
}

bool rt_lines_write(const RtLines *l, size_t from, int file) {
    if (l->failed) errno = ENOMEM;
    for (size_t done = from; done < l->length && !l->failed;) {
        ssize_t n = write(file, l->text + done, l->length - done);
        if (n < 0 && errno != EINTR) return false;
        if (n > 0) done += (size_t)n;
    }
    return !l->failed;
}

void rt_lines_free(RtLines *l) {
    free(l->text);
    *l = (RtLines){0};
}
