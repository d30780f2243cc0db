/* Text as arrays of code points. */
#include "runtime/text.h"
#include "runtime/files.h"
#include "runtime/utf8.h"
#include <stdlib.h>

static const size_t most_bytes = (size_t)1 << 30;

bool rt_text_read(const char *path, RtArray *a, RtError *e) {
    size_t size, at = 0;
    int32_t code;
    char *bytes = rt_file_read(path, most_bytes, &size, e);
    if (bytes == NULL) return false;
    *a = (RtArray){.dtype = RT_I32, .rank = 1, .dims = {(int64_t)size}}; /* at most so many */
    size_t valid = rt_utf8_valid_until(bytes, size);
    bool good = valid == size || rt_fail(e, "%s: byte %zu of the file, 0x%02x, is not UTF-8", path, valid + 1,
                                         (unsigned char)bytes[valid]);
    good = good && rt_array_alloc(a, path, e);
    int64_t n = 0;
    while (good && at < size) {
        at += rt_utf8_decode(bytes + at, size - at, &code);
        if (at > 3 || code != 0xFEFF) ((int32_t *)a->data)[n++] = code;
    }
    free(bytes);
    a->dims[0] = n;
    if (!good || n > 0) return good;
    rt_array_free(a);
    return rt_fail(e, "%s: holds no text", path);
}

static int64_t integer_at(const RtArray *a, int64_t i) {
    return a->dtype == RT_I64 ? ((const int64_t *)a->data)[i] : (int64_t)rt_element(a->data, a->dtype, i);
}

char *rt_text_of_array(const RtArray *a, size_t *size, RtError *e) {
    int64_t n = rt_array_elements(a), row = a->rank > 1 ? a->dims[a->rank - 1] : n;
    if (rt_dtype_is_float(a->dtype) || a->dtype == RT_BOOL) {
        rt_fail(e, "text is made of integers, not of %s", rt_dtype_name(a->dtype));
        return NULL;
    }
    char *text = malloc((size_t)n * 5 + 1); /* a character and the end of its line */
    if (text == NULL) {
        rt_fail(e, "no memory for a text of %lld characters", (long long)n);
        return NULL;
    }
    *size = 0;
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && i % row == 0) text[(*size)++] = '\n';
        size_t length = rt_utf8_encode(integer_at(a, i), text + *size);
        *size += length;
        if (length > 0) continue;
        rt_fail(e, "element %lld is %lld, which is no character", (long long)i, (long long)integer_at(a, i));
        free(text);
        return NULL;
    }
    text[*size] = '\0';
    return text;
}
