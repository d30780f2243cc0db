/* Plain and gzip files behind one reader. zlib's own gzFile is not used: it ignores garbage after the data. */
#include "runtime/stream.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <zlib.h>

enum { BUFFER = 1 << 16, GZIP_WINDOW = 16 + MAX_WBITS };

/* A deflate stream cannot expand by more than this. */
enum { DEFLATE_RATIO = 1032 };

struct RtStream {
    FILE *file;
    char *path;
    uint64_t left;     /* bytes of the file not yet read */
    bool gzip, member; /* member: inside one, its end not yet seen */
    z_stream z;
    unsigned char buffer[BUFFER];
};

RtStream *rt_stream_open(const char *path, bool may_be_gzip, RtError *e) {
    RtStream *s = calloc(1, sizeof *s);
    if (s != NULL) s->path = strdup(path);
    if (s == NULL || s->path == NULL) {
        rt_fail(e, "%s: no memory", path);
        goto failed;
    }
    s->file = fopen(path, "rb");
    struct stat st;
    if (s->file == NULL || fstat(fileno(s->file), &st) != 0) {
        rt_fail_system(e, "%s: cannot be opened", path);
        goto failed;
    }
    if (!S_ISREG(st.st_mode)) {
        rt_fail(e, S_ISDIR(st.st_mode) ? "%s: is a folder, not a file" : "%s: is not a regular file", path);
        goto failed;
    }
    s->left = (uint64_t)st.st_size;
    unsigned char magic[2];
    s->gzip = may_be_gzip && fread(magic, 1, 2, s->file) == 2 && magic[0] == 0x1F && magic[1] == 0x8B;
    rewind(s->file);
    if (s->gzip && inflateInit2(&s->z, GZIP_WINDOW) != Z_OK) {
        s->gzip = false; /* nothing to end */
        rt_fail(e, "%s: no memory", path);
        goto failed;
    }
    s->member = s->gzip;
    return s;
failed:
    rt_stream_close(s);
    return NULL;
}

void rt_stream_close(RtStream *s) {
    if (s == NULL) return;
    if (s->gzip) inflateEnd(&s->z);
    if (s->file != NULL) fclose(s->file);
    free(s->path);
    free(s);
}

/* Reads up to n bytes of the file as it is. */
static bool read_some(RtStream *s, void *into, size_t n, size_t *got, RtError *e) {
    *got = fread(into, 1, n, s->file);
    s->left -= *got < s->left ? *got : s->left;
    return !ferror(s->file) || rt_fail_system(e, "%s: cannot be read", s->path);
}

static bool refill(RtStream *s, RtError *e) {
    size_t got;
    if (!read_some(s, s->buffer, BUFFER, &got, e)) return false;
    s->z.next_in = s->buffer;
    s->z.avail_in = (uInt)got;
    return true;
}

/* Decompresses up to n bytes, fewer only at the end of the file. */
static bool inflate_some(RtStream *s, void *into, size_t n, size_t *got, RtError *e) {
    unsigned char *place = into;
    *got = 0;
    while (*got < n) {
        if (s->z.avail_in == 0 && !refill(s, e)) return false;
        if (s->z.avail_in == 0) { /* the end of the file */
            return !s->member || rt_fail(e, "%s: the gzip data is cut off", s->path);
        }
        if (!s->member) { /* after one member there may be another, and nothing else */
            if (inflateReset(&s->z) != Z_OK) return rt_fail(e, "%s: no memory", s->path);
            s->member = true;
        }
        size_t want = n - *got < (1U << 30) ? n - *got : 1U << 30;
        s->z.next_out = place + *got;
        s->z.avail_out = (uInt)want;
        int status = inflate(&s->z, Z_NO_FLUSH);
        *got += want - s->z.avail_out;
        if (status == Z_STREAM_END) {
            s->member = false;
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return rt_fail(e, "%s: the gzip data is damaged: %s", s->path, s->z.msg ? s->z.msg : "no reason known");
        }
    }
    return true;
}

bool rt_stream_read_some(RtStream *s, void *into, size_t n, size_t *got, RtError *e) {
    return s->gzip ? inflate_some(s, into, n, got, e) : read_some(s, into, n, got, e);
}

bool rt_stream_read(RtStream *s, void *into, size_t n, RtError *e) {
    size_t got;
    if (!rt_stream_read_some(s, into, n, &got, e)) return false;
    return got == n || rt_fail(e, "%s: the file ends too early: %zu bytes are missing", s->path, n - got);
}

bool rt_stream_expect_end(RtStream *s, RtError *e) {
    char extra;
    size_t got;
    if (!rt_stream_read_some(s, &extra, 1, &got, e)) return false;
    return got == 0 || rt_fail(e, "%s: there is more data than the header declares", s->path);
}

uint64_t rt_stream_room(const RtStream *s) {
    if (!s->gzip) return s->left;
    uint64_t packed = s->left + s->z.avail_in;
    return packed > UINT64_MAX / DEFLATE_RATIO - 64 ? UINT64_MAX : (packed + 64) * DEFLATE_RATIO;
}
