/* The standard library's .nn files, embedded in the program by embed.cmake. */
#ifndef NNC_STDLIB_H
#define NNC_STDLIB_H

#include <stddef.h>

typedef struct {
    const char *path; /* relative to stdlib/, such as "layers/dense.nn" */
    const char *text; /* NUL-terminated */
    size_t len;
} StdlibFile;

extern const StdlibFile stdlib_files[]; /* ends with a row whose path is NULL */

#endif
