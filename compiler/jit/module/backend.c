/* The backend as a module, nnc-llvm.so: beside the program, or in ../lib/nnc as seen from it. */
#include "compiler/jit/backend.h"
#include "compiler/jit/cache.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where the module is, from malloc. */
static char *module_path(void) {
    char own[4096];
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);
    own[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(own, '/');
    if (slash) *slash = '\0';
    Str path = {0};
    str_add(&path, "%s/nnc-llvm.so", own);
    if (access(path.at, R_OK) == 0) return path.at;
    vec_free(&path);
    str_add(&path, "%s/../lib/nnc/nnc-llvm.so", own);
    return path.at;
}

const Backend *backend(void) {
    char *path = module_path();
    void *module = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
    void *entry = module ? dlsym(module, "nnc_backend") : NULL;
    if (!entry) {
        fprintf(stderr, "error: the part of nnc that makes machine code cannot be loaded: %s\n", dlerror());
        exit(1);
    }
    free(path);
    const Backend *(*get)(void);
    memcpy(&get, &entry, sizeof get);
    return get();
}

bool backend_identity(Str *key) {
    char *path = module_path();
    bool known = cache_file_identity("/proc/self/exe", key) && cache_file_identity(path, key);
    free(path);
    return known;
}
