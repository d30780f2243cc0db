/* One copy of each name, so that names compare by pointer. */
#ifndef NNC_INTERN_H
#define NNC_INTERN_H

#include "compiler/base/arena.h"

typedef const char *Name; /* interned, NUL-terminated */
typedef struct Interner Interner;

Interner *intern_new(Arena *a);
void intern_free(Interner *in);
Name intern(Interner *in, const char *text);
Name intern_n(Interner *in, const char *text, size_t len);

#endif
