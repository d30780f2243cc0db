/* RIFF WAVE: chunks of a name and a length, of which "fmt " says what the samples in "data" are. The length that the
 * file gives for itself is not looked at: it is often wrong, and the chunks tell all. */
#include "runtime/wav.h"
#include "runtime/files.h"
#include <stdlib.h>
#include <string.h>

enum { CHUNK_HEADER = 8, MOST_CHANNELS = 64, PCM = 1, FLOATS = 3, EXTENSIBLE = 0xFFFE };
static const size_t most_bytes = (size_t)1 << 31;

typedef struct {
    const char *path;
    unsigned char *bytes;
    size_t size;
    unsigned format, channels, bits;
    int64_t rate;
    const unsigned char *data; /* NULL: no such chunk yet */
    int64_t length;
    RtError *error;
} Wav;

static uint32_t u16(const unsigned char *p) { return (uint32_t)p[0] | (uint32_t)p[1] << 8; }
static uint32_t u32(const unsigned char *p) { return u16(p) | u16(p + 2) << 16; }

/* ---- chunks ---- */

static bool read_format(Wav *w, const unsigned char *p, size_t size) {
    if (size < 16) return rt_fail(w->error, "%s: the WAV format chunk is too short", w->path);
    w->format = u16(p);
    w->channels = u16(p + 2);
    w->rate = u32(p + 4);
    w->bits = u16(p + 14);
    if (w->format == EXTENSIBLE && size >= 26) w->format = u16(p + 24);
    bool known = (w->format == PCM && (w->bits == 8 || w->bits == 16 || w->bits == 24 || w->bits == 32)) ||
                 (w->format == FLOATS && (w->bits == 32 || w->bits == 64));
    if (!known) {
        return rt_fail(
            w->error,
            "%s: WAV samples of format %u with %u bits are not known; integers of 8 to 32 bits and floats are", w->path,
            w->format, w->bits);
    }
    if (w->channels == 0 || w->channels > MOST_CHANNELS)
        return rt_fail(w->error, "%s: the WAV header declares %u channels", w->path, w->channels);
    return w->rate > 0 || rt_fail(w->error, "%s: the WAV header declares 0 samples a second", w->path);
}

/* Reads one chunk, `left` bytes from its content to the end of the file, of which it declares `size`. */
static bool read_chunk(Wav *w, const unsigned char *p, size_t size, size_t left) {
    bool is_format = memcmp(p - CHUNK_HEADER, "fmt ", 4) == 0, is_data = memcmp(p - CHUNK_HEADER, "data", 4) == 0;
    if (is_data && size == UINT32_MAX) size = left;
    if ((is_format || is_data) && size > left)
        return rt_fail(w->error, "%s: the header declares more data than the file holds", w->path);
    if (is_format) return read_format(w, p, size);
    if (!is_data || w->data != NULL) return true;
    if (w->channels == 0) return rt_fail(w->error, "%s: the WAV data come before their format", w->path);
    w->data = p;
    w->length = (int64_t)(size / (w->channels * w->bits / 8));
    return w->length > 0 || rt_fail(w->error, "%s: holds no sound", w->path);
}

static bool read_chunks(Wav *w) {
    if (w->size < 12 || memcmp(w->bytes, "RIFF", 4) != 0 || memcmp(w->bytes + 8, "WAVE", 4) != 0)
        return rt_fail(w->error, "%s: is not a WAV file", w->path);
    size_t at = 12;
    while (w->data == NULL && w->size - at >= CHUNK_HEADER) {
        size_t size = u32(w->bytes + at + 4);
        at += CHUNK_HEADER;
        size_t left = w->size - at;
        if (!read_chunk(w, w->bytes + at, size, left)) return false;
        at += size < left ? size + (size & 1 && size + 1 <= left) : left; /* chunks begin at even places */
    }
    return w->data != NULL || rt_fail(w->error, "%s: holds no sound", w->path);
}

static bool open_wav(Wav *w, const char *path, RtError *e) {
    *w = (Wav){.path = path, .error = e};
    w->bytes = (unsigned char *)rt_file_read(path, most_bytes, &w->size, e);
    if (w->bytes == NULL) return false;
    if (read_chunks(w)) return true;
    free(w->bytes);
    return false;
}

/* ---- samples ---- */

static double sample(const Wav *w, const unsigned char *p) {
    float f;
    double d;
    uint64_t bits;
    uint32_t word = w->bits == 32 ? u32(p) : 0;
    if (w->format == FLOATS && w->bits == 32) {
        memcpy(&f, &word, sizeof f);
        return (double)f;
    }
    switch (w->bits) {
    case 8: return (p[0] - 128) / 128.0;
    case 16: return (int16_t)u16(p) / 32768.0;
    case 24: return (int32_t)(u16(p) << 8 | (uint32_t)p[2] << 24) / 2147483648.0;
    case 32: return (int32_t)word / 2147483648.0;
    default:
        bits = (uint64_t)u32(p + 4) << 32 | u32(p);
        memcpy(&d, &bits, sizeof d);
        return d;
    }
}

bool rt_wav_header(const char *path, RtWavInfo *info, RtError *e) {
    Wav w;
    if (!open_wav(&w, path, e)) return false;
    *info = (RtWavInfo){w.length, w.rate};
    free(w.bytes);
    return true;
}

bool rt_wav_read(const char *path, float *into, int64_t n, RtError *e) {
    Wav w;
    if (!open_wav(&w, path, e)) return false;
    size_t width = w.bits / 8;
    const unsigned char *p = w.data;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (unsigned c = 0; c < w.channels && i < w.length; c++, p += width) sum += sample(&w, p);
        into[i] = (float)(sum / w.channels);
    }
    free(w.bytes);
    return true;
}
