/* What every file may use: checked allocation, growable arrays, strings that grow, and bug(). */
#ifndef NNC_BASE_H
#define NNC_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/** An error of ours, never the user's: prints "internal error", the place and the text, and aborts. */
#define bug(...) bug_at(__FILE__, __LINE__, __VA_ARGS__)
_Noreturn void bug_at(const char *file, int line, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** calloc and realloc that end the program with one message where memory runs out. */
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);

/* A growable array of T: VEC(T) v = {0}; vec_push(&v, x); v.at[i], v.len; vec_free(&v). */
#define VEC(T)                                                                                                         \
    struct {                                                                                                           \
        T *at;                                                                                                         \
        size_t len, cap;                                                                                               \
    }
#define vec_push(v, ...)                                                                                               \
    do {                                                                                                               \
        (v)->at = vec_grow((v)->at, (v)->len, &(v)->cap, sizeof *(v)->at);                                             \
        (v)->at[(v)->len++] = __VA_ARGS__;                                                                             \
    } while (0)
#define vec_free(v) (vec_drop((v)->at), (v)->at = NULL, (v)->len = (v)->cap = 0)
void *vec_grow(void *at, size_t len, size_t *cap, size_t size);
void vec_drop(void *at);

/* A string that grows. `at` is NUL-terminated once anything was added; the owner calls vec_free. */
typedef VEC(char) Str;
void str_add(Str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void str_put(Str *s, const char *bytes, size_t n);

/** The greatest common divisor, at least 0; of 0 and n it is |n|. */
int64_t gcd64(int64_t a, int64_t b);

/** FNV-1a, eight bytes at a time. */
uint64_t hash_bytes(const void *bytes, size_t n);

#define COUNT(a) (sizeof(a) / sizeof *(a))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
