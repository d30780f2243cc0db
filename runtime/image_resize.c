/* Resizing pictures. A new pixel is a weighted mean of the old ones near it, by a triangle that is as wide as two old
 * pixels, or as two new ones where these are larger; first along rows, then along columns. */
#include "runtime/image.h"
#include <math.h>
#include <stdlib.h>

/* For each new place: the first old one that counts, and how much it and those after it count, `width` weights each. */
typedef struct {
    int64_t *first;
    float *weights;
    int64_t width;
} Filter;

static void fill_filter(Filter *f, int64_t from, int64_t to) {
    double scale = (double)from / (double)to, reach = scale > 1 ? scale : 1;
    for (int64_t i = 0; i < to; i++) {
        double centre = ((double)i + 0.5) * scale, sum = 0;
        int64_t first = (int64_t)fmax(floor(centre - reach + 0.5), 0);
        if (first + f->width > from) first = from - f->width;
        f->first[i] = first;
        for (int pass = 0; pass < 2; pass++) { /* the sum, then the weights */
            for (int64_t k = 0; k < f->width; k++) {
                double w = fmax(1 - fabs((double)(first + k) + 0.5 - centre) / reach, 0);
                if (pass == 0)
                    sum += w;
                else
                    f->weights[i * f->width + k] = (float)(w / sum);
            }
        }
    }
}

static bool make_filter(Filter *f, int64_t from, int64_t to) {
    double reach = from > to ? (double)from / (double)to : 1;
    f->width = (int64_t)ceil(2 * reach) + 1;
    if (f->width > from) f->width = from;
    f->first = malloc((size_t)to * sizeof *f->first);
    f->weights = malloc((size_t)(to * f->width) * sizeof *f->weights);
    if (f->first == NULL || f->weights == NULL) return false;
    fill_filter(f, from, to);
    return true;
}

static void free_filter(Filter *f) {
    free(f->first);
    free(f->weights);
}

/* Each row of `in` with the new width. */
static void along_rows(const RtArray *in, const Filter *f, int64_t width, float *out) {
    int64_t channels = in->dims[2];
    for (int64_t y = 0; y < in->dims[0]; y++) {
        const uint8_t *row = (const uint8_t *)in->data + y * in->dims[1] * channels;
        for (int64_t x = 0; x < width; x++) {
            for (int64_t c = 0; c < channels; c++) {
                float sum = 0;
                for (int64_t k = 0; k < f->width; k++)
                    sum += f->weights[x * f->width + k] * (float)row[(f->first[x] + k) * channels + c];
                *out++ = sum;
            }
        }
    }
}

/* Rows of `n` elements, as many as `out` has. */
static void along_columns(const float *in, const Filter *f, int64_t n, RtArray *out) {
    uint8_t *place = out->data;
    for (int64_t y = 0; y < out->dims[0]; y++) {
        for (int64_t i = 0; i < n; i++) {
            float sum = 0;
            for (int64_t k = 0; k < f->width; k++) sum += f->weights[y * f->width + k] * in[(f->first[y] + k) * n + i];
            *place++ = (uint8_t)(sum >= 255 ? 255 : sum + 0.5F);
        }
    }
}

bool rt_image_resize(const RtArray *in, int64_t height, int64_t width, RtArray *out, RtError *e) {
    Filter rows = {0}, columns = {0};
    *out = (RtArray){.dtype = RT_U8, .rank = 3, .dims = {height, width, in->dims[2]}};
    float *between = malloc((size_t)(in->dims[0] * width * in->dims[2]) * sizeof *between);
    bool good = between != NULL && make_filter(&rows, in->dims[1], width) && make_filter(&columns, in->dims[0], height);
    if (!good)
        rt_fail(e, "no memory to resize a picture to %lld x %lld", (long long)height, (long long)width);
    else
        good = rt_array_alloc(out, "a picture", e);
    if (good) {
        along_rows(in, &rows, width, between);
        along_columns(between, &columns, width * in->dims[2], out);
    }
    free_filter(&rows);
    free_filter(&columns);
    free(between);
    return good;
}
