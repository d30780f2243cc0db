#include "compiler/nnc.h"

#include <stdlib.h>

Nnc *nnc_new(void) {
    Nnc *nnc = xcalloc(1, sizeof *nnc);
    nnc->arena = arena_new();
    nnc->names = intern_new(nnc->arena);
    nnc->float_type = DT_F32;
    vec_push(&nnc->sources.files, NULL);
    return nnc;
}

void nnc_free(Nnc *nnc) {
    if (!nnc) return;
    for (size_t i = 0; i < nnc->diags.list.len; i++) {
        vec_free(&nnc->diags.list.at[i]->labels);
        vec_free(&nnc->diags.list.at[i]->helps);
    }
    vec_free(&nnc->diags.list);
    vec_free(&nnc->sources.files);
    intern_free(nnc->names);
    arena_free(nnc->arena);
    free(nnc);
}
