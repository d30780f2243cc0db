/* The two formats, for image.c. */
#ifndef RT_IMAGE_FORMATS_H
#define RT_IMAGE_FORMATS_H

#include "runtime/runtime.h"

/** A file on its way to an array: its bytes, and the array, with `data` NULL until its header was read. */
typedef struct {
    const char *path;
    const unsigned char *bytes;
    size_t size, at;
    bool header_only;
    RtArray *array;
    RtError *error;
} RtImageFile;

/** Sets the array's type and dims, and but for `header_only` allocates it; false where the file cannot hold so much. */
bool rt_image_begin(RtImageFile *f, uint64_t height, uint64_t width, int channels, uint64_t most_bytes);

bool rt_image_is_png(const RtImageFile *f);
bool rt_image_is_jpeg(const RtImageFile *f);
bool rt_image_png(RtImageFile *f);
bool rt_image_jpeg(RtImageFile *f);

#endif
