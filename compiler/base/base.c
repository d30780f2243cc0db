#include "compiler/base/base.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void bug_at(const char *file, int line, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "nnc: internal error at %s:%d: ", file, line);
    vfprintf(stderr, fmt, ap);
    fprintf(stderr, "\nThis is a fault of nnc, not of your program; please report it with the file that led to it.\n");
    va_end(ap);
    abort();
}

static _Noreturn void out_of_memory(size_t size) {
    fprintf(stderr, "nnc: error: out of memory (%zu bytes asked for)\n", size);
    exit(1);
}

void *xcalloc(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size ? size : 1);
    if (!p) out_of_memory(n * size);
    return p;
}

void *xrealloc(void *p, size_t size) {
    p = realloc(p, size ? size : 1);
    if (!p) out_of_memory(size);
    return p;
}

void *vec_grow(void *at, size_t len, size_t *cap, size_t size) {
    if (len < *cap) return at;
    *cap = *cap ? *cap * 2 : 8;
    return xrealloc(at, *cap * size);
}

void vec_drop(void *at) { free(at); }

void str_put(Str *s, const char *bytes, size_t n) {
    if (s->len + n + 1 > s->cap) {
        s->cap = MAX(s->cap * 2, s->len + n + 1);
        s->at = xrealloc(s->at, s->cap);
    }
    if (n) memcpy(s->at + s->len, bytes, n);
    s->len += n;
    s->at[s->len] = 0;
}

void str_add(Str *s, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *room = xcalloc((size_t)n + 1, 1);
    vsnprintf(room, (size_t)n + 1, fmt, again);
    va_end(again);
    str_put(s, room, (size_t)n);
    free(room);
}

int64_t gcd64(int64_t a, int64_t b) {
    a = llabs(a), b = llabs(b);
    while (b) {
        int64_t r = a % b;
        a = b;
        b = r;
    }
    return a;
}

uint64_t hash_bytes(const void *bytes, size_t n) {
    const unsigned char *p = bytes;
    uint64_t h = 14695981039346656037u;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word;
        memcpy(&word, p + i, 8);
        h = (h ^ word) * 1099511628211u;
        h ^= h >> 29;
    }
    for (; i < n; i++) h = (h ^ p[i]) * 1099511628211u;
    return h;
}
