/* The formatter: one layout for every program. */
#ifndef LANG_FORMAT_H
#define LANG_FORMAT_H

#include "lang/ast.h"

/** The text of source `file` as the formatter lays it out, NUL-terminated, from nnc->arena; `len` gets its bytes. It
 * has the same tree and the same comments, and formatting it again changes nothing. NULL, after diagnostics, where the
 * file has syntax errors. */
char *format_source(Nnc *nnc, uint32_t file, size_t *len);

#endif
