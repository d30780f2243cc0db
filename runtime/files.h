/* Files: whole reads, replacing without ever leaving half a file, making folders. */
#ifndef RT_FILES_H
#define RT_FILES_H

#include "runtime/runtime.h"
#include <stdio.h>

/** The file's bytes with a NUL after them, malloc'ed; an error where it holds more than `limit` bytes. */
char *rt_file_read(const char *path, size_t limit, size_t *size, RtError *e);

/** A file on its way to replace another: write to `file`, then commit or abort. */
typedef struct {
    FILE *file;
    char *path, *temp;
} RtReplace;

bool rt_replace_begin(RtReplace *r, const char *path, RtError *e);
/** Flushes to disk and renames over `path`: after a crash there is the old file or the new one. Frees `r`'s content. */
bool rt_replace_commit(RtReplace *r, RtError *e);
/** Renames over `path` at once: nobody sees half a file, but after a crash of the machine it may be gone. Frees too. */
bool rt_replace_swap(RtReplace *r, RtError *e);
void rt_replace_abort(RtReplace *r);

/** All of it in one call. */
bool rt_file_replace(const char *path, const void *data, size_t size, RtError *e);

/** mkdir -p. */
bool rt_mkdirs(const char *path, RtError *e);

/**
 * Takes the folder for this process alone, until it ends or rt_unlock_folder(): a lock (flock) on the file `.lock` in
 * it. Then removes what replacements of killed processes have left there. -1 after an error; else to be unlocked.
 */
int rt_lock_folder(const char *path, RtError *e);
void rt_unlock_folder(int lock);

#endif
