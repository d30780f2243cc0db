/* The formatter: one layout for every program.
 *
 * Indentation is 4 spaces, lines are at most 120 characters wide where that is possible. Spaces stand around operators,
 * not around `^` and `..`; the author chooses between a * b and a*b. What fits on one line stands on one, except that
 * pipes, tables (lists of lists) and blocks keep the author's lines; a block on one line stays there where it holds at
 * most one simple statement. Settings of a train block are aligned; other lines of one kind stay aligned where they
 * were. Comments stay where they are, those behind code in one column; at most one empty line stays between statements.
 * Trailing commas and `;` go. */
#ifndef LANG_FORMAT_H
#define LANG_FORMAT_H

#include "lang/ast.h"

/** The text of source `file` as the formatter lays it out, NUL-terminated, from nnc->arena; `len` gets its bytes. It
 * has the same tree and the same comments, and formatting it again changes nothing. NULL, after diagnostics, where the
 * file has syntax errors. */
char *format_source(Nnc *nnc, uint32_t file, size_t *len);

#endif
