/* Pictures: PNG and JPEG files as arrays u8 [height, width, channels], 1 channel where they are grey and 3 (red, green,
 * blue) else. Transparency is dropped, 16 bits become 8; gamma, colour profiles and the EXIF orientation are not
 * applied. */
#ifndef RT_IMAGE_H
#define RT_IMAGE_H

#include "runtime/runtime.h"

/** Pictures with more pixels are refused. */
enum { RT_IMAGE_MOST_PIXELS = 1 << 27 };

/** The type and dims of the picture as it is in the file, by its header alone; nothing is allocated. */
bool rt_image_header(const char *path, RtArray *a, RtError *e);
/** Reads a picture: `channels` 1, 3, or 0 for those of the file. Grey is 0.299 red + 0.587 green + 0.114 blue. */
bool rt_image_read(const char *path, int channels, RtArray *a, RtError *e);
/** The picture in another size: linear interpolation, over all pixels that become one where it gets smaller. */
bool rt_image_resize(const RtArray *in, int64_t height, int64_t width, RtArray *out, RtError *e);
/** Writes u8 [height, width, 1 or 3], replacing `path` atomically. */
bool rt_image_write_png(const char *path, const RtArray *a, RtError *e);
/** The same as the bytes of a file, malloc'ed; NULL after an error. */
char *rt_image_encode_png(const RtArray *a, size_t *size, RtError *e);
/**
 * An array as a picture to write: [H, W], [H, W, 1 or 3] (also behind a dim of 1), or a sheet of N, as near to a square
 * as it gets, of [N, H, W, 1 or 3]. u8 stays as it is; floats are taken from 0..1 to 0..255, bool too.
 */
bool rt_image_of_array(const RtArray *a, RtArray *picture, RtError *e);

#endif
