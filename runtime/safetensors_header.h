/* The header of a safetensors file, read and judged before any tensor is. */
#ifndef RT_SAFETENSORS_HEADER_H
#define RT_SAFETENSORS_HEADER_H

#include "runtime/safetensors.h"

/** The types of the format; in memory each is `dtype`, wider than `stored` bytes where the runtime lacks the type. */
typedef struct {
    const char *name;
    uint8_t stored;
    RtDType dtype;
} RtStoredType;

/** The table, ended by a row without a name. The first row of a dtype is the one that it is written as. */
const RtStoredType *rt_stored_types(void);

/** Where a tensor's bytes lie: `begin` counts from the end of the header. */
typedef struct {
    const RtStoredType *type;
    uint64_t begin, end;
} RtExtent;

/**
 * Reads the JSON text (with a NUL after its `size` bytes) of a file with `data` bytes after it into `t` (names, shapes,
 * tags; no arrays yet) and an array of extents, one a tensor, that cover the data without overlap or hole.
 * The caller frees both, also on failure.
 */
bool rt_safetensors_header(const char *path, const char *text, size_t size, uint64_t data, RtTensors *t,
                           RtExtent **extents, RtError *e);

#endif
