/* Compiled code kept on disk between runs: an object is found by each of the keys of what it was made from. */
#ifndef JIT_CACHE_H
#define JIT_CACHE_H

#include "compiler/base/base.h"

/** The folder: $NNC_CACHE, else nnc in $XDG_CACHE_HOME or ~/.cache; made where it is missing. NULL where there is none,
 * and then nothing is kept. From malloc. */
char *cache_folder(void);

/** Adds the linker's hash of the program or module at `path`. False where it has none. */
bool cache_file_identity(const char *path, Str *key);

enum { CACHE_KEYS = 8 }; /* the most of one object */

/* An object and what it was made from. */
typedef struct {
    char *bytes;        /* all of it, from malloc; NULL: there is none */
    const char *object; /* inside, at a multiple of 16 */
    size_t size, nkeys;
    Str keys[CACHE_KEYS]; /* inside too: not to be freed */
} CacheEntry;

/** The object that was kept under `key` among others; none where it is not there or damaged. */
CacheEntry cache_find(const char *folder, const Str *key);

/** Keeps an object under n keys. What goes wrong is not worth a word: the next run compiles again. */
void cache_keep(const char *folder, const Str *const *keys, size_t n, const char *object, size_t size);

/** Deletes the entries used longest ago while all together are larger than `limit` bytes. */
void cache_trim(const char *folder, int64_t limit);

/** Whether nobody has trimmed for ten minutes; whoever is told so is to do it. Looking at every entry takes longer than
 * compiling a small program. */
bool cache_trim_due(const char *folder);

#endif
