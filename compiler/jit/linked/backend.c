/* The backend where it is linked into the program: in tests. */
#include "compiler/jit/cache.h"
#include "compiler/llvm/llvm.h"

const Backend *backend(void) { return llvm_backend(); }
bool backend_identity(Str *key) { return cache_file_identity("/proc/self/exe", key); }
