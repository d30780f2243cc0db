/* Arena: a bump allocator. Everything that a compilation makes lives in one and is freed in one call. */
#ifndef NNC_ARENA_H
#define NNC_ARENA_H

#include <stddef.h>

typedef struct Arena Arena;

Arena *arena_new(void);
void arena_free(Arena *a);

/** `size` zeroed bytes, aligned to 16. Never NULL: running out of memory ends the program with a message. */
void *arena_alloc(Arena *a, size_t size);

/** A copy of `size` bytes at `p`. */
void *arena_copy(Arena *a, const void *p, size_t size);

/** A formatted, NUL-terminated string. */
char *arena_printf(Arena *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))

#endif
