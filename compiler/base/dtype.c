#include "compiler/base/dtype.h"

#include <string.h>

static const struct {
    const char *name, *c;
    size_t bytes;
    bool is_float;
} rows[] = {
#define DTYPE(id, name, bytes, is_float, c, np) {name, c, bytes, is_float},
#include "compiler/base/dtype.def"
#undef DTYPE
};

const char *dtype_name(DType t) { return rows[t].name; }
const char *dtype_c_name(DType t) { return rows[t].c; }
size_t dtype_size(DType t) { return rows[t].bytes; }
bool dtype_is_float(DType t) { return rows[t].is_float; }

bool dtype_from_name(const char *name, DType *t) {
    if (strcmp(name, "int") == 0) return *t = DT_I32, true;
    if (strcmp(name, "float") == 0) return *t = DT_F32, true;
    for (int i = 0; i < DT_COUNT; i++)
        if (strcmp(rows[i].name, name) == 0) return *t = (DType)i, true;
    return false;
}
