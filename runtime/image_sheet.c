/* Arrays as pictures to look at. */
#include "runtime/image.h"
#include <math.h>
#include <string.h>

enum { GAP = 2 }; /* pixels between the pictures of a sheet */

/* What an array is as pictures. */
typedef struct {
    int64_t n, height, width, channels;
} Sheet;

static bool find_layout(const RtArray *a, Sheet *s, RtError *e) {
    const int64_t *d = a->dims;
    bool colours = a->rank >= 3 && (d[a->rank - 1] == 1 || d[a->rank - 1] == 3);
    if (a->rank == 2)
        *s = (Sheet){1, d[0], d[1], 1};
    else if (a->rank == 3 && (colours || d[0] == 1))
        *s = colours ? (Sheet){1, d[0], d[1], d[2]} : (Sheet){1, d[1], d[2], 1};
    else if (a->rank == 3)
        *s = (Sheet){d[0], d[1], d[2], 1};
    else if (a->rank == 4 && colours)
        *s = (Sheet){d[0], d[1], d[2], d[3]};
    else
        return rt_fail(
            e, "a picture is made of [H, W], [H, W, 1], [H, W, 3] or a batch of them, not of an array of %d dims%s",
            a->rank, a->rank == 4 ? " with another last dim" : "");
    if (a->dtype == RT_I8 || a->dtype == RT_I32 || a->dtype == RT_I64)
        return rt_fail(e, "a picture is made of u8, bool or floats from 0 to 1, not of %s", rt_dtype_name(a->dtype));
    int64_t area = s->height * s->width;
    return (area > 0 && s->n > 0) || rt_fail(e, "an array without elements is no picture");
}

/* A pixel's value from 0 to 255; NaN is black. */
static uint8_t level(const RtArray *a, int64_t i) {
    if (a->dtype == RT_U8) return ((const uint8_t *)a->data)[i];
    double v = rt_element(a->data, a->dtype, i) * 255;
    return (uint8_t)(v >= 255 ? 255 : v > 0 ? v + 0.5 : 0);
}

static void copy_pictures(const RtArray *a, const Sheet *s, int64_t columns, RtArray *picture) {
    int64_t i = 0, across = picture->dims[1];
    for (int64_t n = 0; n < s->n; n++) {
        int64_t top = n / columns * (s->height + GAP), left = n % columns * (s->width + GAP);
        for (int64_t y = 0; y < s->height; y++) {
            uint8_t *row = (uint8_t *)picture->data + ((top + y) * across + left) * s->channels;
            for (int64_t k = 0; k < s->width * s->channels; k++) row[k] = level(a, i++);
        }
    }
}

bool rt_image_of_array(const RtArray *a, RtArray *picture, RtError *e) {
    Sheet s = {0};
    if (!find_layout(a, &s, e)) return false;
    int64_t columns = (int64_t)ceil(sqrt((double)s.n * (double)s.height / (double)s.width));
    columns = columns < 1 ? 1 : columns > s.n ? s.n : columns;
    int64_t rows = (s.n + columns - 1) / columns;
    *picture = (RtArray){.dtype = RT_U8, .rank = 3};
    picture->dims[0] = rows * (s.height + GAP) - GAP;
    picture->dims[1] = columns * (s.width + GAP) - GAP;
    picture->dims[2] = s.channels;
    if (picture->dims[0] > RT_IMAGE_MOST_PIXELS / picture->dims[1])
        return rt_fail(e, "a picture of %lld x %lld pixels is more than can be written", (long long)picture->dims[0],
                       (long long)picture->dims[1]);
    if (!rt_array_alloc(picture, "a picture", e)) return false;
    memset(picture->data, 0, (size_t)rt_array_elements(picture));
    copy_pictures(a, &s, columns, picture);
    return true;
}
