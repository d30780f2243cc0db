/* UTF-8: validation, code points. */
#include "runtime/utf8.h"

/* Bytes of the sequence that begins at s (1 to 4), or 0. `n` bytes are there. */
static size_t sequence(const unsigned char *s, size_t n) {
    if (s[0] < 0x80) return 1;
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || n < length) return 0;
    for (size_t i = 1; i < length; i++) {
        if ((s[i] & 0xC0) != 0x80) return 0;
    }
    if (s[0] == 0xE0 && s[1] < 0xA0) return 0; /* overlong */
    if (s[0] == 0xED && s[1] > 0x9F) return 0; /* a surrogate */
    if (s[0] == 0xF0 && s[1] < 0x90) return 0; /* overlong */
    if (s[0] == 0xF4 && s[1] > 0x8F) return 0; /* above U+10FFFF */
    return length;
}

size_t rt_utf8_valid_until(const char *text, size_t size) {
    size_t at = 0;
    while (at < size) {
        size_t length = sequence((const unsigned char *)text + at, size - at);
        if (length == 0) break;
        at += length;
    }
    return at;
}

size_t rt_utf8_decode(const char *text, size_t size, int32_t *code) {
    const unsigned char *s = (const unsigned char *)text;
    size_t length = sequence(s, size);
    if (length <= 1) {
        *code = s[0];
        return length;
    }
    *code = s[0] & (0x7F >> length);
    for (size_t i = 1; i < length; i++) *code = *code << 6 | (s[i] & 0x3F);
    return length;
}

size_t rt_utf8_encode(int64_t code, char into[4]) {
    if (code < 0 || code >= RT_UTF8_CODES || (code >= 0xD800 && code <= 0xDFFF)) return 0;
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length - 1; i > 0; i--, code >>= 6) into[i] = (char)(0x80 | (code & 0x3F));
    into[0] = (char)(length == 1 ? code : (0xF00 >> length & 0xFF) | code);
    return length;
}
