/* UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef RT_UTF8_H
#define RT_UTF8_H

#include <stddef.h>

/** The offset of the first byte that is not UTF-8, or `size`. */
size_t rt_utf8_valid_until(const char *text, size_t size);

#endif
