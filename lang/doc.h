/* What a file declares, for readers: signatures, and the `##` comments as Markdown. */
#ifndef LANG_DOC_H
#define LANG_DOC_H

#include "lang/ast.h"

/** "layer Dense(units: int, bias = true)(x: [..B, In]) -> [..B, units]": a function or a lambda without its body. */
const char *doc_signature(Nnc *nnc, const Ast *fn);

/** The head of a table that doc_rows() fills. */
void doc_head(FILE *out);

/** The documented declarations of a file in their order, a row each. A line without a comment of its own directly below
 * a documented line belongs to the same row; returns how many others have none. */
int doc_rows(Nnc *nnc, const AstFile *f, FILE *out);

#endif
