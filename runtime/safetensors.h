/* Named arrays in a file: weights and checkpoints. */
#ifndef RT_SAFETENSORS_H
#define RT_SAFETENSORS_H

#include "runtime/runtime.h"

typedef struct {
    char *name;
    RtArray array;
} RtTensor;

/** One entry of a file's metadata. */
typedef struct {
    char *key, *value;
} RtTag;

/** A file's content, in the order of its header. */
typedef struct {
    int count, ntags;
    RtTensor *tensors;
    RtTag *tags;
} RtTensors;

/**
 * Reads a whole file. I16 and U16 become i32, U32 becomes i64, U64 becomes i64 where every value fits; 8-bit floats are
 * an error. Strict: overlapping, unused or missing bytes, doubled names and malformed headers are errors.
 */
RtTensors *rt_safetensors_read(const char *path, RtError *e);
void rt_tensors_free(RtTensors *t);
/** The tensor of that name, or NULL. */
const RtTensor *rt_tensors_find(const RtTensors *t, const char *name);
/** The value of a metadata key, or NULL. */
const char *rt_tensors_tag(const RtTensors *t, const char *key);

/**
 * Replaces `path` atomically. Names are distinct and not "__metadata__". The data stand by falling element size, then
 * by name, so that every tensor is aligned and the file does not depend on the order that they come in.
 */
bool rt_safetensors_write(const char *path, const RtTensor *tensors, int count, const RtTag *tags, int ntags,
                          RtError *e);

#endif
