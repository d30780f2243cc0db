/* Compiled code kept on disk between runs: an object is found by what it was made from. */
#ifndef LLVM_CACHE_H
#define LLVM_CACHE_H

#include "compiler/llvm/target.h"

/** The folder: $NNC_CACHE, else nnc in $XDG_CACHE_HOME or ~/.cache; made where it is missing. NULL where there is none,
 * and then nothing is kept. From malloc. */
char *cache_folder(void);

/** The object made from `module` (as emitted, before any pass) for `target`, or NULL where it is not there or damaged.
 */
LLVMMemoryBufferRef cache_find(const char *folder, const Target *target, LLVMMemoryBufferRef module);

/** Keeps an object. What goes wrong is not worth a word: the next run compiles again. */
void cache_keep(const char *folder, const Target *target, LLVMMemoryBufferRef module, LLVMMemoryBufferRef object);

/** Deletes the entries used longest ago while all together are larger than `limit` bytes. */
void cache_trim(const char *folder, int64_t limit);

#endif
