/* IDX: two zero bytes, the type, the rank, the dims as big-endian uint32, the elements in big-endian C order. */
#include "runtime/data.h"
#include "runtime/array_bytes.h"
#include "runtime/stream.h"
#include <stdlib.h>

/* The types of the format; `stored` bytes in the file, `dtype` in memory. */
static const struct {
    uint8_t code;
    RtDType dtype;
    uint8_t stored;
} idx_types[] = {
    {0x08, RT_U8, 1}, {0x09, RT_I8, 1}, {0x0B, RT_I32, 2}, {0x0C, RT_I32, 4}, {0x0D, RT_F32, 4}, {0x0E, RT_F64, 8},
};

/* Reads type and shape into `a`; `stored` is the size of an element in the file. */
static bool read_header(RtStream *s, const char *path, RtArray *a, size_t *stored, RtError *e) {
    uint8_t magic[4];
    if (!rt_stream_read(s, magic, sizeof magic, e)) return false;
    size_t type = 0, ntypes = sizeof idx_types / sizeof *idx_types;
    while (type < ntypes && idx_types[type].code != magic[2]) type++;
    if (magic[0] != 0 || magic[1] != 0 || type == ntypes) {
        return rt_fail(e, "%s: is not an IDX file: it begins with %02x %02x %02x %02x", path, magic[0], magic[1],
                       magic[2], magic[3]);
    }
    if (magic[3] == 0) return rt_fail(e, "%s: the IDX header declares no dimension", path);
    if (magic[3] > RT_MAX_RANK) {
        return rt_fail(e, "%s: the IDX header declares %d dimensions; at most %d are read", path, magic[3],
                       RT_MAX_RANK);
    }
    a->dtype = idx_types[type].dtype;
    *stored = idx_types[type].stored;
    a->rank = magic[3];
    for (int i = 0; i < a->rank; i++) {
        uint8_t dim[4];
        if (!rt_stream_read(s, dim, sizeof dim, e)) return false;
        a->dims[i] = (int64_t)dim[0] << 24 | dim[1] << 16 | dim[2] << 8 | dim[3];
    }
    return true;
}

static bool read_array(RtStream *s, const char *path, RtArray *a, RtError *e) {
    size_t stored = 1;
    if (!read_header(s, path, a, &stored, e)) return false;
    int64_t n = rt_array_elements(a);
    if (n < 0 || (uint64_t)n > rt_stream_room(s) / stored) {
        return rt_fail(e, "%s: the header declares more data than the file holds", path);
    }
    if (!rt_array_alloc(a, path, e)) return false;
    if (!rt_stream_read(s, a->data, (size_t)n * stored, e) || !rt_stream_expect_end(s, e)) return false;
    rt_bytes_from_big_endian(a->data, n, stored);
    if (stored == 2) rt_bytes_widen_i16(a->data, n);
    return true;
}

RtData *rt_data_idx(const char *path, RtError *e) {
    RtStream *s = rt_stream_open(path, true, e);
    if (s == NULL) return NULL;
    RtArray a = {0};
    bool good = read_array(s, path, &a, e);
    rt_stream_close(s);
    if (good) return rt_data_from_array(&a, a.rank == 1 ? "labels" : "images", path, e);
    rt_array_free(&a);
    return NULL;
}
