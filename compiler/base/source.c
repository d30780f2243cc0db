#include "compiler/base/source.h"

uint32_t source_add(Sources *s, Arena *a, const char *path, const char *text, size_t len) {
    if (!s->files.len) vec_push(&s->files, NULL);
    Source *f = ARENA_NEW(a, Source);
    char *copy = arena_alloc(a, len + 1);
    for (size_t i = 0; i < len; i++) copy[i] = text[i];
    f->path = arena_printf(a, "%s", path);
    f->text = copy;
    f->len = len;
    f->nlines = 1;
    for (size_t i = 0; i < len; i++) f->nlines += text[i] == '\n';
    f->lines = ARENA_ARRAY(a, uint32_t, f->nlines);
    size_t n = 1;
    for (size_t i = 0; i < len; i++)
        if (text[i] == '\n') f->lines[n++] = (uint32_t)(i + 1);
    vec_push(&s->files, f);
    return (uint32_t)(s->files.len - 1);
}

void source_place(const Source *s, uint32_t offset, int *line, int *column) {
    size_t lo = 0, hi = s->nlines;
    while (hi - lo > 1) { /* the last line that begins at or before offset */
        size_t mid = (lo + hi) / 2;
        if (s->lines[mid] <= offset)
            lo = mid;
        else
            hi = mid;
    }
    *line = (int)lo + 1;
    *column = 1;
    for (uint32_t i = s->lines[lo]; i < offset && i < s->len; i++)
        *column += ((unsigned char)s->text[i] & 0xC0) != 0x80;
}

const char *source_line(const Source *s, int line, size_t *len) {
    uint32_t begin = s->lines[line - 1];
    size_t n = 0;
    while (begin + n < s->len && s->text[begin + n] != '\n' && s->text[begin + n] != '\r') n++;
    *len = n;
    return s->text + begin;
}

const char *source_words(const Source *s, Arena *a, Span at) {
    char *text = arena_alloc(a, (size_t)(at.end - at.begin) + 1);
    size_t n = 0;
    bool space = false, string = false, escaped = false;
    for (uint32_t i = at.begin; i < at.end && i < s->len; i++) {
        char c = s->text[i];
        bool comment = c == '#' && !string;
        while (comment && i + 1 < at.end && s->text[i + 1] != '\n') i++;
        if (comment || (!string && (c == ' ' || (c >= '\t' && c <= '\r')))) {
            space = n > 0;
            continue;
        }
        if (c == '"' && !escaped) string = !string;
        escaped = string && c == '\\' && !escaped;
        if (space) text[n++] = ' ';
        space = false;
        text[n++] = c;
    }
    text[n] = 0;
    return text;
}

size_t utf8_decode(const char *s, size_t n, uint32_t *c) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000}; /* that needs so many bytes */
    unsigned char lead = (unsigned char)s[0];
    size_t len = lead < 0x80 ? 1 : lead < 0xC0 ? 0 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : lead < 0xF8 ? 4 : 0;
    if (len == 0 || len > n) return 0;
    *c = len == 1 ? lead : lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (((unsigned char)s[i] & 0xC0) != 0x80) return 0;
        *c = *c << 6 | ((unsigned char)s[i] & 0x3Fu);
    }
    return *c >= smallest[len] && *c <= 0x10FFFF && (*c < 0xD800 || *c > 0xDFFF) ? len : 0;
}

Span span_join(Span a, Span b) {
    if (!a.file) return b;
    if (!b.file || a.file != b.file) return a;
    return (Span){a.file, MIN(a.begin, b.begin), MAX(a.end, b.end)};
}
