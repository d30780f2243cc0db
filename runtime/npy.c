/* Reading and writing .npy: a magic, a header that is a Python dict literal, the elements. */
#include "runtime/npy.h"
#include "runtime/array_bytes.h"
#include "runtime/data.h"
#include "runtime/files.h"
#include "runtime/stream.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* NumPy's types; `stored` bytes in the file, `dtype` in memory. */
static const struct {
    char kind;
    uint8_t stored;
    RtDType dtype;
} npy_types[] = {
    {'b', 1, RT_BOOL}, {'u', 1, RT_U8},  {'i', 1, RT_I8},  {'i', 2, RT_I32}, {'u', 2, RT_I32}, {'i', 4, RT_I32},
    {'u', 4, RT_I64},  {'i', 8, RT_I64}, {'u', 8, RT_I64}, {'f', 2, RT_F16}, {'f', 4, RT_F32}, {'f', 8, RT_F64},
};

typedef struct {
    const char *path, *at; /* `at`: the rest of the header, which a NUL ends */
    RtError *error;
    char descr[16]; /* '<f4' */
    bool fortran, has_descr, has_order, has_shape;
    char kind;
    size_t stored;
    bool big_endian;
} Npy;

static bool malformed(const Npy *p, const char *what) {
    return rt_fail(p->error, "%s: malformed .npy header: %s", p->path, what);
}

static void skip_space(Npy *p) {
    while (*p->at == ' ' || *p->at == '\t' || *p->at == '\n' || *p->at == '\r') p->at++;
}

/* Takes `c` where it comes next. */
static bool take(Npy *p, char c) {
    skip_space(p);
    if (*p->at != c) return false;
    p->at++;
    return true;
}

/* A short string in either kind of quotes, with no escapes: all that NumPy writes for what we read. */
static bool string(Npy *p, char *into, size_t room) {
    skip_space(p);
    char quote = *p->at;
    if (quote != '\'' && quote != '"') return malformed(p, "a string is missing");
    size_t n = 0;
    for (p->at++; *p->at != quote; p->at++) {
        if (*p->at == '\0' || *p->at == '\\' || n + 1 == room) return malformed(p, "a string of unknown kind");
        into[n++] = *p->at;
    }
    into[n] = '\0';
    p->at++;
    return true;
}

static bool word(Npy *p, const char *w) {
    skip_space(p);
    size_t n = strlen(w);
    if (strncmp(p->at, w, n) != 0) return false;
    p->at += n;
    return true;
}

/* One dim; Python 2 wrote `3L`. */
static bool dim(Npy *p, int64_t *value) {
    skip_space(p);
    if (!isdigit((unsigned char)*p->at)) return malformed(p, "the shape may hold only integers from 0");
    *value = 0;
    for (; isdigit((unsigned char)*p->at); p->at++) {
        if (*value > (INT64_MAX - 9) / 10) return malformed(p, "a dimension is too large");
        *value = *value * 10 + (*p->at - '0');
    }
    if (*p->at == 'L') p->at++;
    return true;
}

static bool shape(Npy *p, RtArray *a) {
    if (!take(p, '(')) return malformed(p, "the shape is not a tuple");
    a->rank = 0;
    while (!take(p, ')')) {
        if (a->rank == RT_MAX_RANK) return malformed(p, "more than 32 dimensions");
        if (!dim(p, &a->dims[a->rank++])) return false;
        if (take(p, ',')) continue;
        if (!take(p, ')')) return malformed(p, "the shape is not a tuple of integers");
        if (a->rank == 1) return malformed(p, "the shape is not a tuple"); /* (3) is a number in Python */
        break;
    }
    return true;
}

static bool type(Npy *p) {
    skip_space(p);
    if (*p->at == '[') return rt_fail(p->error, "%s: holds records (a structured type), not numbers", p->path);
    return string(p, p->descr, sizeof p->descr);
}

/* Remembers that an entry of the dict was seen; false the second time. */
static bool once(bool *seen) {
    bool first = !*seen;
    *seen = true;
    return first;
}

static bool entry(Npy *p, RtArray *a) {
    char key[16];
    if (!string(p, key, sizeof key)) return false;
    if (!take(p, ':')) return malformed(p, "':' is missing");
    if (strcmp(key, "descr") == 0 && once(&p->has_descr)) return type(p);
    if (strcmp(key, "shape") == 0 && once(&p->has_shape)) return shape(p, a);
    if (strcmp(key, "fortran_order") == 0 && once(&p->has_order)) {
        p->fortran = word(p, "True");
        return p->fortran || word(p, "False") || malformed(p, "fortran_order is neither True nor False");
    }
    return malformed(p, "an unknown or doubled entry");
}

static bool dict(Npy *p, RtArray *a) {
    if (!take(p, '{')) return malformed(p, "it is not a dict");
    while (!take(p, '}')) {
        if (!entry(p, a)) return false;
        if (take(p, ',')) continue;
        if (!take(p, '}')) return malformed(p, "',' is missing");
        break;
    }
    skip_space(p);
    if (*p->at != '\0') return malformed(p, "something follows the dict");
    return (p->has_descr && p->has_order && p->has_shape) || malformed(p, "an entry is missing");
}

/* Finds the type in the table. */
static bool resolve_type(Npy *p, RtArray *a) {
    const char *d = p->descr;
    p->big_endian = *d == '>';
    if (strchr("<>|=", *d) != NULL && *d != '\0') d++;
    if (*d == 'O') return rt_fail(p->error, "%s: holds Python objects, which are never loaded", p->path);
    for (size_t i = 0; i < sizeof npy_types / sizeof *npy_types; i++) {
        if (d[0] != npy_types[i].kind || d[1] != '0' + npy_types[i].stored || d[2] != '\0') continue;
        a->dtype = npy_types[i].dtype;
        p->kind = npy_types[i].kind;
        p->stored = npy_types[i].stored;
        return true;
    }
    return rt_fail(p->error, "%s: holds elements of type '%s', which cannot be read%s", p->path, p->descr,
                   *d == 'c' ? " (complex numbers)" : "");
}

/* Magic, version, length, dict. */
static bool read_header(RtStream *s, Npy *p, RtArray *a) {
    uint8_t fixed[12];
    if (!rt_stream_read(s, fixed, 8, p->error)) return false;
    if (memcmp(fixed, "\x93NUMPY", 6) != 0) return rt_fail(p->error, "%s: is not a .npy file", p->path);
    if (fixed[6] < 1 || fixed[6] > 3 || fixed[7] != 0) {
        return rt_fail(p->error, "%s: is of .npy version %d.%d; 1.0 to 3.0 can be read", p->path, fixed[6], fixed[7]);
    }
    size_t wide = fixed[6] == 1 ? 2 : 4, length = 0; /* bytes of the length field, little-endian */
    if (!rt_stream_read(s, fixed + 8, wide, p->error)) return false;
    for (size_t i = wide; i-- > 0;) length = length << 8 | fixed[8 + i];
    if (length > rt_stream_room(s)) return malformed(p, "it is longer than the file");
    char *text = malloc(length + 1);
    if (text == NULL) return rt_fail(p->error, "%s: no memory for its header", p->path);
    bool good = rt_stream_read(s, text, length, p->error);
    text[good ? length : 0] = '\0';
    p->at = text;
    if (good && strlen(text) != length) good = malformed(p, "it holds a NUL byte");
    good = good && dict(p, a) && resolve_type(p, a);
    free(text);
    return good;
}

/* Turns column-major elements into row-major ones: walks the destination in order, an odometer gives the source. */
static bool transpose(RtArray *a, size_t size, const Npy *p) {
    RtArray columns = *a;
    if (!rt_array_alloc(a, p->path, p->error)) {
        *a = columns;
        return false;
    }
    int64_t n = rt_array_elements(a), index[RT_MAX_RANK] = {0};
    for (int64_t i = 0; i < n; i++) {
        int64_t from = 0;
        for (int k = a->rank - 1; k >= 0; k--) from = from * a->dims[k] + index[k];
        memcpy((char *)a->data + (size_t)i * size, (const char *)columns.data + (size_t)from * size, size);
        for (int k = a->rank - 1; k >= 0 && ++index[k] == a->dims[k]; k--) index[k] = 0;
    }
    rt_array_free(&columns);
    return true;
}

/* Byte order, and types that the runtime does not have. */
static bool make_native(RtArray *a, const Npy *p) {
    int64_t n = rt_array_elements(a);
    if (p->big_endian) rt_bytes_from_big_endian(a->data, n, p->stored);
    if (p->kind == 'b') {
        for (int64_t i = 0; i < n; i++) ((uint8_t *)a->data)[i] = ((uint8_t *)a->data)[i] != 0;
    } else if (p->stored == 2 && p->kind == 'i') {
        rt_bytes_widen_i16(a->data, n);
    } else if (p->stored == 2 && p->kind == 'u') {
        rt_bytes_widen_u16(a->data, n);
    } else if (p->stored == 4 && p->kind == 'u') {
        rt_bytes_widen_u32(a->data, n);
    } else if (p->stored == 8 && p->kind == 'u') {
        int64_t beyond = rt_bytes_first_beyond_i64(a->data, n);
        if (beyond >= 0) return rt_fail(p->error, "%s: element %lld does not fit in i64", p->path, (long long)beyond);
    }
    return true;
}

static bool read_array(RtStream *s, Npy *p, RtArray *a) {
    if (!read_header(s, p, a)) return false;
    int64_t n = rt_array_elements(a);
    if (n < 0 || (uint64_t)n > rt_stream_room(s) / p->stored) {
        return rt_fail(p->error, "%s: the header declares more data than the file holds", p->path);
    }
    if (!rt_array_alloc(a, p->path, p->error) || !rt_stream_read(s, a->data, (size_t)n * p->stored, p->error) ||
        !rt_stream_expect_end(s, p->error) || !make_native(a, p)) {
        return false;
    }
    return !p->fortran || a->rank < 2 || transpose(a, rt_dtype_size(a->dtype), p);
}

bool rt_npy_read(const char *path, RtArray *a, RtError *e) {
    *a = (RtArray){0};
    Npy p = {.path = path, .error = e};
    RtStream *s = rt_stream_open(path, true, e);
    if (s == NULL) return false;
    bool good = read_array(s, &p, a);
    rt_stream_close(s);
    if (!good) rt_array_free(a);
    return good;
}

RtData *rt_data_npy(const char *path, RtError *e) {
    RtArray a;
    return rt_npy_read(path, &a, e) ? rt_data_from_array(&a, "array", path, e) : NULL;
}

/* ---- writing ---- */

static const char *numpy_name(RtDType t) {
    static const char *const names[RT_DTYPE_COUNT] = {
        [RT_BOOL] = "|b1", [RT_U8] = "|u1",  [RT_I8] = "|i1",  [RT_I32] = "<i4",
        [RT_I64] = "<i8",  [RT_F16] = "<f2", [RT_F32] = "<f4", [RT_F64] = "<f8",
    };
    return names[t];
}

/* "(2, 3)", "(2,)", "()": at most 32 dims of 20 digits. */
static void shape_text(const RtArray *a, char text[RT_MAX_RANK * 22 + 4]) {
    char *at = text;
    *at++ = '(';
    for (int i = 0; i < a->rank; i++) {
        at += sprintf(at, "%lld%s", (long long)a->dims[i], i + 1 < a->rank ? ", " : a->rank == 1 ? "," : "");
    }
    strcpy(at, ")");
}

bool rt_npy_write(const char *path, const RtArray *a, RtError *e) {
    if (a->dtype == RT_BF16) {
        RtArray wide;
        if (!rt_array_convert(a, RT_F32, &wide, path, e)) return false;
        bool good = rt_npy_write(path, &wide, e);
        rt_array_free(&wide);
        return good;
    }
    char shape_of[RT_MAX_RANK * 22 + 4], header[RT_MAX_RANK * 22 + 100];
    shape_text(a, shape_of);
    int length = snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }",
                          numpy_name(a->dtype), shape_of);
    int padded = (10 + length + 1 + 63) / 64 * 64 - 10; /* the data begin at a multiple of 64 */
    RtReplace r;
    if (!rt_replace_begin(&r, path, e)) return false;
    fprintf(r.file, "\x93NUMPY\x01%c%c%c%-*s\n", 0, padded & 0xFF, padded >> 8, padded - 1, header);
    fwrite(a->data, rt_dtype_size(a->dtype), (size_t)rt_array_elements(a), r.file);
    return rt_replace_commit(&r, e);
}
