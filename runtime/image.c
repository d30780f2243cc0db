/* Pictures, whatever their format. */
#include "runtime/image.h"
#include "runtime/files.h"
#include "runtime/image_formats.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 30 };

bool rt_image_begin(RtImageFile *f, uint64_t height, uint64_t width, int channels, uint64_t most_bytes) {
    if (height == 0 || width == 0 || height > RT_IMAGE_MOST_PIXELS || width > RT_IMAGE_MOST_PIXELS / height) {
        return rt_fail(f->error, "%s: a picture of %llu x %llu pixels is more than can be read", f->path,
                       (unsigned long long)height, (unsigned long long)width);
    }
    if (height * width / 8 > most_bytes)
        return rt_fail(f->error, "%s: the header declares more pixels than the file holds", f->path);
    *f->array = (RtArray){.dtype = RT_U8, .rank = 3, .dims = {(int64_t)height, (int64_t)width, channels}};
    return f->header_only || rt_array_alloc(f->array, f->path, f->error);
}

static bool load(const char *path, bool header_only, RtArray *a, RtError *e) {
    size_t size;
    *a = (RtArray){0};
    char *bytes = rt_file_read(path, MOST_BYTES, &size, e);
    if (bytes == NULL) return false;
    RtImageFile f = {.path = path,
                     .bytes = (unsigned char *)bytes,
                     .size = size,
                     .header_only = header_only,
                     .array = a,
                     .error = e};
    bool good;
    if (rt_image_is_png(&f))
        good = rt_image_png(&f);
    else if (rt_image_is_jpeg(&f))
        good = rt_image_jpeg(&f);
    else
        good = rt_fail(e, "%s: is neither a PNG nor a JPEG file", path);
    free(bytes);
    if (!good) rt_array_free(a);
    return good;
}

/* The picture with 1 or 3 channels; takes over `a`. */
static bool change_channels(RtArray *a, int channels, const char *path, RtError *e) {
    int64_t pixels = a->dims[0] * a->dims[1];
    RtArray to = {.dtype = RT_U8, .rank = 3, .dims = {a->dims[0], a->dims[1], channels}};
    bool good = rt_array_alloc(&to, path, e);
    const uint8_t *from = a->data;
    for (int64_t i = 0; good && i < pixels; i++) {
        uint8_t *place = (uint8_t *)to.data + i * channels;
        if (channels == 3)
            place[0] = place[1] = place[2] = from[i];
        else
            *place = (uint8_t)((299 * from[3 * i] + 587 * from[3 * i + 1] + 114 * from[3 * i + 2] + 500) / 1000);
    }
    rt_array_free(a);
    *a = to;
    return good;
}

bool rt_image_header(const char *path, RtArray *a, RtError *e) { return load(path, true, a, e); }

bool rt_image_read(const char *path, int channels, RtArray *a, RtError *e) {
    if (!load(path, false, a, e)) return false;
    return channels == 0 || channels == a->dims[2] || change_channels(a, channels, path, e);
}
