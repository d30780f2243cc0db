/* Element types of tensors, one row each in dtype.def. */
#ifndef NNC_DTYPE_H
#define NNC_DTYPE_H

#include <stdbool.h>
#include <stddef.h>

typedef enum {
#define DTYPE(id, name, bytes, is_float, c, np) DT_##id,
#include "compiler/base/dtype.def"
#undef DTYPE
    DT_COUNT
} DType;

const char *dtype_name(DType t);   /* "f32" */
const char *dtype_c_name(DType t); /* "float" */
size_t dtype_size(DType t);        /* bytes of one element */
bool dtype_is_float(DType t);
bool dtype_from_name(const char *name, DType *t); /* "int" is i32, "float" is f32 */

#endif
