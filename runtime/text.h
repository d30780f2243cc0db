/* Text as arrays of code points, and back. */
#ifndef RT_TEXT_H
#define RT_TEXT_H

#include "runtime/runtime.h"

/** The characters of a UTF-8 file as i32[n], n >= 1; a byte order mark at its beginning is none. */
bool rt_text_read(const char *path, RtArray *a, RtError *e);
/** Integers as the characters that they are the code points of, malloc'ed with a NUL after them; with more than one dim
 * a line for each row. */
char *rt_text_of_array(const RtArray *a, size_t *size, RtError *e);

#endif
