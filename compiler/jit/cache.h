/* Compiled code kept on disk between runs: an object is found by what it was made from. */
#ifndef JIT_CACHE_H
#define JIT_CACHE_H

#include "compiler/base/base.h"

/** The folder: $NNC_CACHE, else nnc in $XDG_CACHE_HOME or ~/.cache; made where it is missing. NULL where there is none,
 * and then nothing is kept. From malloc. */
char *cache_folder(void);

/** Adds the linker's hash of the program or module at `path`. False where it has none. */
bool cache_file_identity(const char *path, Str *key);

/** The object that was kept under `key`, from malloc, or NULL where it is not there or damaged. */
char *cache_find(const char *folder, const Str *key, size_t *size);

/** Keeps an object. What goes wrong is not worth a word: the next run compiles again. */
void cache_keep(const char *folder, const Str *key, const char *object, size_t size);

/** Deletes the entries used longest ago while all together are larger than `limit` bytes. */
void cache_trim(const char *folder, int64_t limit);

/** Whether nobody has trimmed for ten minutes; whoever is told so is to do it. Looking at every entry takes longer than
 * compiling a small program. */
bool cache_trim_due(const char *folder);

#endif
