/* Samples as pictures, and small ones inside a page. */
#include "runtime/image.h"
#include "runtime/report.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_SIDE = 4, MOST_SIDE = 64, MOST_READ = 4096 };

/* How the elements of a sample lie as pixels. */
typedef struct {
    int64_t height, width, channels;
    int64_t row, column, channel; /* elements from one to the next */
} Pixels;

static bool is_side(int64_t n) { return n >= LEAST_SIDE && n <= MOST_READ; }
static bool is_channels(int64_t n) { return n == 1 || n == 3; }

static bool pixels_of(const RtField *f, Pixels *p) {
    const int64_t *d = f->dims;
    if (f->vocab > 0 || f->rank < 2 || f->rank > 3 || (f->dtype != RT_U8 && !rt_dtype_is_float(f->dtype))) return false;
    if (f->rank == 2)
        *p = (Pixels){d[0], d[1], 1, d[1], 1, 0};
    else if (is_channels(d[2]))
        *p = (Pixels){d[0], d[1], d[2], d[1] * d[2], d[2], 1};
    else if (is_channels(d[0]))
        *p = (Pixels){d[1], d[2], d[0], d[2], 1, d[1] * d[2]};
    else
        return false;
    return is_side(p->height) && is_side(p->width);
}

int rt_picture_field(const RtData *data) {
    Pixels p;
    for (int i = 0; i < data->nfields; i++) {
        if (pixels_of(&data->fields[i], &p)) return i;
    }
    return -1;
}

/* u8 as it is, anything else from its least value to its most. */
static bool to_bytes(const RtField *f, const Pixels *p, int64_t row, RtArray *out) {
    const char *data = (const char *)f->data + row * f->stride;
    int64_t n = rt_field_elements(f), at = 0;
    double least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        double v = rt_element(data, f->dtype, i);
        if (v < least) least = v;
        if (v > most) most = v;
    }
    if (f->dtype == RT_U8) least = 0, most = 255;
    double scale = most > least ? 255 / (most - least) : 0;
    *out = (RtArray){.dtype = RT_U8, .rank = 3, .dims = {p->height, p->width, p->channels}};
    if (!rt_array_alloc(out, "a picture", NULL)) return false;
    for (int64_t y = 0; y < p->height; y++)
        for (int64_t x = 0; x < p->width; x++)
            for (int64_t c = 0; c < p->channels; c++) {
                double v = (rt_element(data, f->dtype, y * p->row + x * p->column + c * p->channel) - least) * scale;
                ((uint8_t *)out->data)[at++] = v >= 0 && v <= 255 ? (uint8_t)(v + 0.5) : 0; /* NaN is black */
            }
    return true;
}

static bool shrink(RtArray *a) {
    int64_t side = a->dims[0] > a->dims[1] ? a->dims[0] : a->dims[1];
    if (side <= MOST_SIDE) return true;
    int64_t height = a->dims[0] * MOST_SIDE / side, width = a->dims[1] * MOST_SIDE / side;
    RtArray small = {0};
    bool good = rt_image_resize(a, height > 0 ? height : 1, width > 0 ? width : 1, &small, NULL);
    rt_array_free(a);
    *a = small;
    return good;
}

static char *png_uri(const RtArray *a) {
    static const char head[] = "data:image/png;base64,";
    size_t size;
    char *bytes = rt_image_encode_png(a, &size, NULL), *code = bytes != NULL ? rt_base64(bytes, size) : NULL;
    char *uri = code != NULL ? malloc(sizeof head + strlen(code)) : NULL;
    if (uri != NULL) snprintf(uri, sizeof head + strlen(code), "%s%s", head, code);
    free(code);
    free(bytes);
    return uri;
}

bool rt_picture(const RtField *f, int64_t row, RtArray *picture) {
    Pixels p;
    return pixels_of(f, &p) && to_bytes(f, &p, row, picture);
}

char *rt_picture_uri(const RtField *f, int64_t row) {
    RtArray a = {0};
    char *uri = rt_picture(f, row, &a) && shrink(&a) ? png_uri(&a) : NULL;
    rt_array_free(&a);
    return uri;
}
