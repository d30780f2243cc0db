/* UTF-8 as the Unicode standard defines it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef RT_UTF8_H
#define RT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/** Code points are below this. */
enum { RT_UTF8_CODES = 0x110000 };

/** The offset of the first byte that is not UTF-8, or `size`. */
size_t rt_utf8_valid_until(const char *text, size_t size);
/** The code point that the text begins with, and how many bytes it takes; 0 where they are not UTF-8. `size` >= 1. */
size_t rt_utf8_decode(const char *text, size_t size, int32_t *code);
/** Writes a code point and returns its bytes; 0 where it is none. */
size_t rt_utf8_encode(int64_t code, char into[4]);

#endif
