/* The module's side of backend.c: its one entry. */
#include "compiler/jit/backend.h"

const Backend *nnc_backend(void) __attribute__((visibility("default")));
const Backend *nnc_backend(void) { return backend(); }
