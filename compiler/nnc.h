/* Nnc: the context of one compilation, passed to everything; there are no globals. */
#ifndef NNC_H
#define NNC_H

#include "compiler/base/arena.h"
#include "compiler/base/base.h"
#include "compiler/base/diag.h"
#include "compiler/base/dtype.h"
#include "compiler/base/intern.h"
#include "compiler/base/source.h"

typedef struct Nnc {
    Arena *arena;     /* everything made by this compilation */
    Interner *names;  /* one copy of each name */
    Sources sources;  /* the text behind every Span */
    Diags diags;      /* what was reported so far */
    DType float_type; /* what `f32`, the default dtype, means: DT_F32, or DT_F64 under --float f64 */
} Nnc;

Nnc *nnc_new(void);
void nnc_free(Nnc *nnc);

#endif
