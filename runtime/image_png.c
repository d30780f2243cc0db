/* PNG through libpng. Its errors come by longjmp: what must outlive one stands in structures, and no function that
 * calls setjmp() changes a local variable after it. */
#include "runtime/files.h"
#include "runtime/image.h"
#include "runtime/image_formats.h"
#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* A deflate stream cannot expand by more than this. */
enum { DEFLATE_RATIO = 1032, MOST_CHUNK_BYTES = 1 << 23, MOST_CHUNKS = 100 };

bool rt_image_is_png(const RtImageFile *f) { return f->size >= 8 && png_sig_cmp(f->bytes, 0, 8) == 0; }

/* ---- reading ---- */

static void on_read_error(png_structp png, png_const_charp text) {
    RtImageFile *f = png_get_error_ptr(png);
    rt_fail(f->error, "%s: the PNG data is damaged: %s", f->path, text);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp text) {
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep into, size_t n) {
    RtImageFile *f = png_get_io_ptr(png);
    if (n > f->size - f->at) png_error(png, "the file ends too early");
    memcpy(into, f->bytes + f->at, n);
    f->at += n;
}

/* Makes libpng deliver 8 bits a channel, and 1 or 3 of them. */
static int normalize(png_structp png, png_infop info) {
    int colour = png_get_color_type(png, info), depth = png_get_bit_depth(png, info);
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_palette_to_rgb(png);
    if (colour == PNG_COLOR_TYPE_GRAY && depth < 8) png_set_expand_gray_1_2_4_to_8(png);
    if (depth == 16) png_set_scale_16(png);
    if (colour & PNG_COLOR_MASK_ALPHA) png_set_strip_alpha(png);
    return colour & PNG_COLOR_MASK_COLOR ? 3 : 1;
}

static bool decode(RtImageFile *f, png_structp png, png_infop info) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_set_read_fn(png, f, read_bytes);
    png_set_user_limits(png, RT_IMAGE_MOST_PIXELS, RT_IMAGE_MOST_PIXELS);
    png_set_chunk_malloc_max(png, MOST_CHUNK_BYTES);
    png_set_chunk_cache_max(png, MOST_CHUNKS);
    png_read_info(png, info);
    uint64_t height = png_get_image_height(png, info), width = png_get_image_width(png, info);
    if (!rt_image_begin(f, height, width, normalize(png, info), (uint64_t)f->size * DEFLATE_RATIO)) return false;
    if (f->header_only) return true;
    int passes = png_set_interlace_handling(png);
    png_read_update_info(png, info);
    size_t row = width * (size_t)f->array->dims[2];
    if (png_get_rowbytes(png, info) != row) png_error(png, "an unknown layout of pixels");
    for (int pass = 0; pass < passes; pass++) {
        for (uint64_t y = 0; y < height; y++) png_read_row(png, (png_bytep)f->array->data + y * row, NULL);
    }
    png_read_end(png, NULL);
    return true;
}

bool rt_image_png(RtImageFile *f) {
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, f, on_read_error, ignore);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    bool good = info != NULL ? decode(f, png, info) : rt_fail(f->error, "%s: no memory", f->path);
    png_destroy_read_struct(&png, &info, NULL);
    return good;
}

/* ---- writing ---- */

typedef struct {
    FILE *file;
    RtError *error;
} Writer;

static void on_write_error(png_structp png, png_const_charp text) {
    Writer *w = png_get_error_ptr(png);
    rt_fail(w->error, "a picture cannot be written: %s", text);
    png_longjmp(png, 1);
}

static bool encode(Writer *w, png_structp png, png_infop info, const RtArray *a) {
    if (setjmp(png_jmpbuf(png))) return false;
    png_init_io(png, w->file);
    int colour = a->dims[2] == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY;
    png_set_IHDR(png, info, (uint32_t)a->dims[1], (uint32_t)a->dims[0], 8, colour, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    size_t row = (size_t)(a->dims[1] * a->dims[2]);
    for (int64_t y = 0; y < a->dims[0]; y++) png_write_row(png, (const uint8_t *)a->data + (size_t)y * row);
    png_write_end(png, info);
    return true;
}

static bool write_png(FILE *file, const RtArray *a, RtError *e) {
    Writer w = {file, e};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_write_error, ignore);
    png_infop info = png != NULL ? png_create_info_struct(png) : NULL;
    bool good = info != NULL ? encode(&w, png, info, a) : rt_fail(e, "a picture: no memory");
    png_destroy_write_struct(&png, &info);
    return good;
}

bool rt_image_write_png(const char *path, const RtArray *a, RtError *e) {
    RtReplace file;
    if (!rt_replace_begin(&file, path, e)) return false;
    if (write_png(file.file, a, e)) return rt_replace_commit(&file, e);
    rt_replace_abort(&file);
    return false;
}

char *rt_image_encode_png(const RtArray *a, size_t *size, RtError *e) {
    char *bytes = NULL;
    FILE *file = open_memstream(&bytes, size);
    bool good = file != NULL ? write_png(file, a, e) : rt_fail(e, "a picture: no memory");
    if (file != NULL && fclose(file) != 0) good = rt_fail(e, "a picture: no memory");
    if (good) return bytes;
    free(bytes);
    return NULL;
}
