/* A text as a data set: windows of characters, all of them views of one array of numbers. Two walks over the file:
 * which characters there are and how many, then their numbers. */
#include "runtime/data_base.h"
#include "runtime/stream.h"
#include "runtime/utf8.h"
#include <stdlib.h>
#include <string.h>

enum { BUFFER = 1 << 16, LONGEST = 4, BYTE_ORDER_MARK = 0xFEFF };

typedef struct {
    const char *path;
    RtStream *stream;
    char buffer[BUFFER];
    size_t at, size; /* what of the buffer is not yet read */
    int64_t line, bytes;
    RtError *error;
    bool failed;
} Reader;

static bool reader_open(Reader *r, const char *path, RtError *e) {
    *r = (Reader){.path = path, .line = 1, .error = e};
    r->stream = rt_stream_open(path, true, e);
    return r->stream != NULL;
}

/* Moves what is left to the front and fills the rest; what is there then are characters whole or at the file's end. */
static bool refill(Reader *r) {
    size_t left = r->size - r->at, got;
    memmove(r->buffer, r->buffer + r->at, left);
    r->at = 0;
    r->size = left;
    if (!rt_stream_read_some(r->stream, r->buffer + left, BUFFER - left, &got, r->error)) return false;
    r->size += got;
    return true;
}

/* The next code point; false at the end, and after an error, which `failed` tells. */
static bool next_code(Reader *r, int32_t *code) {
    if (r->size - r->at < LONGEST && !refill(r)) {
        r->failed = true;
        return false;
    }
    if (r->at == r->size) return false;
    size_t length = rt_utf8_decode(r->buffer + r->at, r->size - r->at, code);
    if (length == 0) {
        r->failed = true;
        return rt_fail(r->error, "%s:%lld: byte %lld of the file, 0x%02x, is not UTF-8", r->path, (long long)r->line,
                       (long long)r->bytes + 1, (unsigned char)r->buffer[r->at]);
    }
    r->at += length;
    r->bytes += (int64_t)length;
    r->line += *code == '\n';
    return true;
}

/* The next character: a byte order mark at the beginning is none. */
static bool next(Reader *r, int32_t *code) {
    bool begins = r->bytes == 0;
    return next_code(r, code) && (!begins || *code != BYTE_ORDER_MARK || next_code(r, code));
}

/* What the first walk finds: how many characters, and the number of each, -1 where it does not occur. */
typedef struct {
    int64_t count;
    int vocab;
    int32_t *number;
} Survey;

static bool survey(Reader *r, Survey *s) {
    int32_t code;
    for (int i = 0; i < RT_UTF8_CODES; i++) s->number[i] = -1;
    for (; next(r, &code); s->count++) s->number[code] = 0;
    if (r->failed) return false;
    for (int i = 0; i < RT_UTF8_CODES; i++) {
        if (s->number[i] == 0) s->number[i] = s->vocab++;
    }
    if (s->count == 0) return rt_fail(r->error, "%s: holds no text", r->path);
    return s->count <= INT32_MAX || rt_fail(r->error, "%s: holds %lld characters; at most %d can be used", r->path,
                                            (long long)s->count, INT32_MAX);
}

static bool number_all(Reader *r, const Survey *s, int32_t *numbers) {
    int32_t code;
    int64_t i = 0;
    for (; next(r, &code) && i < s->count && s->number[code] >= 0; i++) numbers[i] = s->number[code];
    return !r->failed && (i == s->count || rt_fail(r->error, "%s: has changed while it was read", r->path));
}

static RtBase *new_base(const char *path, const Survey *s, RtError *e) {
    RtBase *b = rt_base_new("x", path, e);
    if (b == NULL) return NULL;
    b->array = (RtArray){.dtype = RT_I32, .rank = 1, .dims = {s->count}};
    b->alphabet = malloc((size_t)s->vocab * sizeof *b->alphabet);
    if (b->alphabet != NULL && rt_array_alloc(&b->array, path, e)) {
        for (int32_t i = 0; i < RT_UTF8_CODES; i++) {
            if (s->number[i] >= 0) b->alphabet[b->vocab++] = i;
        }
        return b;
    }
    if (b->alphabet == NULL) rt_fail(e, "%s: no memory for %d characters", path, s->vocab);
    rt_base_drop(b);
    return NULL;
}

/* The array of the numbers of a text's characters. */
static RtBase *read_text(const char *path, RtError *e) {
    Survey s = {.number = malloc(RT_UTF8_CODES * sizeof *s.number)};
    Reader *r = malloc(sizeof *r);
    RtBase *b = NULL;
    if (r == NULL || s.number == NULL) {
        rt_fail(e, "%s: no memory", path);
    } else if (reader_open(r, path, e)) {
        b = survey(r, &s) ? new_base(path, &s, e) : NULL;
        rt_stream_close(r->stream);
    }
    if (b != NULL) {
        bool good = reader_open(r, path, e) && number_all(r, &s, b->array.data);
        rt_stream_close(r->stream);
        if (!good) {
            rt_base_drop(b);
            b = NULL;
        }
    }
    free(r);
    free(s.number);
    return b;
}

RtData *rt_data_text(const char *path, const RtTextOptions *options, RtError *e) {
    int64_t window = options->window, stride = options->stride;
    if (window < 1 || stride < 1) {
        rt_fail(e, "%s: a text needs a window and a stride of 1 or more characters", path);
        return NULL;
    }
    RtBase *b = read_text(path, e);
    if (b == NULL) return NULL;
    int64_t count = b->array.dims[0];
    if (window >= count) {
        rt_fail(e, "%s: holds %lld characters, too few for a window of %lld and the next one", path, (long long)count,
                (long long)window);
        rt_base_drop(b);
        return NULL;
    }
    if (stride > count) stride = count; /* there is one window */
    RtField x = rt_base_field(b);
    x.rank = 1;
    x.dims[0] = window;
    x.stride = stride * (int64_t)sizeof(int32_t);
    x.rows = (count - 1 - window) / stride + 1;
    x.reach = (window - 1) / stride + 1;
    RtField y = x;
    y.name = "y";
    y.data = (const int32_t *)x.data + 1;
    b->references++;
    return rt_data_from_fields((RtField[]){x, y}, 2, e);
}
