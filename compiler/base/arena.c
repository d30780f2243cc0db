#include "compiler/base/arena.h"
#include "compiler/base/base.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 << 10, ALIGN = 16 };

typedef struct Block {
    struct Block *next;
    size_t used, size;
    _Alignas(ALIGN) unsigned char bytes[];
} Block;

struct Arena {
    Block *head;
};

Arena *arena_new(void) { return xcalloc(1, sizeof(Arena)); }

void arena_free(Arena *a) {
    if (!a) return;
    for (Block *b = a->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(a);
}

void *arena_alloc(Arena *a, size_t size) {
    if (size > SIZE_MAX / 4) bug("arena_alloc of %zu bytes", size);
    size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    if (!a->head || a->head->size - a->head->used < size) {
        size_t room = size > BLOCK ? size : BLOCK;
        Block *b = xcalloc(1, sizeof(Block) + room);
        b->size = room;
        if (a->head && size > BLOCK) { /* a block of its own, behind the one in use */
            b->next = a->head->next;
            a->head->next = b;
            b->used = size;
            return b->bytes;
        }
        b->next = a->head;
        a->head = b;
    }
    void *p = a->head->bytes + a->head->used;
    a->head->used += size;
    return p;
}

void *arena_copy(Arena *a, const void *p, size_t size) {
    void *q = arena_alloc(a, size);
    if (size) memcpy(q, p, size);
    return q;
}

char *arena_printf(Arena *a, const char *fmt, ...) {
    va_list ap, again;
    va_start(ap, fmt);
    va_copy(again, ap);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *s = arena_alloc(a, (size_t)n + 1);
    vsnprintf(s, (size_t)n + 1, fmt, again);
    va_end(again);
    return s;
}
