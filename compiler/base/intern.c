#include "compiler/base/intern.h"
#include "compiler/base/base.h"

#include <stdlib.h>
#include <string.h>

struct Interner {
    Arena *arena;
    Name *slots; /* open addressing, a power of two */
    size_t len, cap;
};

Interner *intern_new(Arena *a) {
    Interner *in = xcalloc(1, sizeof *in);
    in->arena = a;
    in->cap = 1024;
    in->slots = xcalloc(in->cap, sizeof *in->slots);
    return in;
}

void intern_free(Interner *in) {
    if (!in) return;
    free(in->slots);
    free(in);
}

static Name *find(Name *slots, size_t cap, const char *text, size_t len) {
    size_t i = hash_bytes(text, len) & (cap - 1);
    while (slots[i] && (strncmp(slots[i], text, len) != 0 || slots[i][len] != 0)) i = (i + 1) & (cap - 1);
    return &slots[i];
}

static void grow(Interner *in) {
    size_t cap = in->cap * 2;
    Name *slots = xcalloc(cap, sizeof *slots);
    for (size_t i = 0; i < in->cap; i++)
        if (in->slots[i]) *find(slots, cap, in->slots[i], strlen(in->slots[i])) = in->slots[i];
    free(in->slots);
    in->slots = slots;
    in->cap = cap;
}

Name intern_n(Interner *in, const char *text, size_t len) {
    Name *slot = find(in->slots, in->cap, text, len);
    if (*slot) return *slot;
    char *copy = arena_alloc(in->arena, len + 1);
    memcpy(copy, text, len);
    *slot = copy;
    if (++in->len * 2 > in->cap) grow(in);
    return copy;
}

Name intern(Interner *in, const char *text) { return intern_n(in, text, strlen(text)); }
