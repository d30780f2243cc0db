/* links: nnc_rt */
/* Pictures: what is written is what is read, in every kind of PNG; JPEG; damaged files; resizing; sheets. */
#include "runtime/image.h"
#include "runtime/files.h"
#include <criterion/criterion.h>
#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jpeglib.h>

static const char *path_of(char *path, const char *suffix) {
    const char *folder = getenv("TMPDIR");
    snprintf(path, 256, "%s/rt-image-%ld%s", folder != NULL ? folder : "/tmp", (long)getpid(), suffix);
    return path;
}

static RtArray picture(int64_t h, int64_t w, int64_t c, const uint8_t *pixels) {
    RtArray a = {.dtype = RT_U8, .rank = 3, .dims = {h, w, c}};
    RtError e;
    cr_assert(rt_array_alloc(&a, "test", &e));
    for (int64_t i = 0; i < h * w * c; i++) {
        uint8_t made_up = (uint8_t)(i * 7 + i / 5);
        ((uint8_t *)a.data)[i] = pixels != NULL ? pixels[i] : made_up;
    }
    return a;
}

static void expect_same(const RtArray *a, const RtArray *b) {
    cr_assert(a->rank == b->rank && memcmp(a->dims, b->dims, sizeof(int64_t) * (size_t)a->rank) == 0);
    cr_expect(memcmp(a->data, b->data, (size_t)rt_array_elements(a)) == 0);
}

/* ---- PNG ---- */

Test(image, png_there_and_back) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {1, 1, 3}, {5, 7, 1}, {16, 3, 3}};
    char path[256];
    RtError e = {.number = 0};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        RtArray a = picture(shapes[i][0], shapes[i][1], shapes[i][2], NULL), b, header;
        cr_assert(rt_image_write_png(path_of(path, ".png"), &a, &e), "%s", e.text);
        cr_assert(rt_image_header(path, &header, &e) && rt_image_read(path, 0, &b, &e), "%s", e.text);
        cr_expect(header.data == NULL && header.dims[1] == shapes[i][1]);
        expect_same(&a, &b);
        rt_array_free(&a);
        rt_array_free(&b);
    }
    unlink(path);
}

/* Writes 2 x 3 pixels in one of the other layouts of PNG. */
static void write_png(const char *path, int colour, int depth, int interlace, const uint8_t *rows, size_t row) {
    FILE *file = fopen(path, "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    png_init_io(png, file);
    png_set_IHDR(png, info, 3, 2, depth, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    static const png_color palette[] = {{10, 20, 30}, {40, 50, 60}, {70, 80, 90}};
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, palette, 3);
    uint8_t *pointers[] = {(uint8_t *)rows, (uint8_t *)rows + row};
    png_set_rows(png, info, pointers);
    png_write_png(png, info, PNG_TRANSFORM_IDENTITY, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(file);
}

Test(image, kinds_of_png) {
    static const struct {
        int colour, depth;
        size_t row;
        uint8_t bytes[48];
        int channels;
        uint8_t want[18];
    } rows[] = {
        {PNG_COLOR_TYPE_GRAY, 1, 1, {0xA0, 0x40}, 1, {255, 0, 255, 0, 255, 0}},
        {PNG_COLOR_TYPE_GRAY, 4, 2, {0x0F, 0x10, 0x20, 0x30}, 1, {0, 255, 17, 34, 0, 51}},
        {PNG_COLOR_TYPE_GRAY, 16, 6, {0, 0, 255, 255, 128, 0, 1, 0, 2, 0, 0, 200}, 1, {0, 255, 128, 1, 2, 1}},
        {PNG_COLOR_TYPE_GRAY_ALPHA, 8, 6, {1, 0, 2, 9, 3, 255, 4, 0, 5, 1, 6, 2}, 1, {1, 2, 3, 4, 5, 6}},
        {PNG_COLOR_TYPE_PALETTE,
         2,
         1,
         {0x18, 0x90},
         3,
         {10, 20, 30, 40, 50, 60, 70, 80, 90, 70, 80, 90, 40, 50, 60, 10, 20, 30}},
        {PNG_COLOR_TYPE_RGB_ALPHA,
         8,
         12,
         {1, 2, 3, 0, 4, 5, 6, 0, 7, 8, 9, 0, 10, 11, 12, 0, 13, 14, 15, 1, 16, 17, 18, 255},
         3,
         {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}},
    };
    char path[256];
    RtError e = {.number = 0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int interlace = 0; interlace < 2; interlace++) {
            write_png(path_of(path, ".png"), rows[i].colour, rows[i].depth,
                      interlace ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE, rows[i].bytes, rows[i].row);
            RtArray want = picture(2, 3, rows[i].channels, rows[i].want), got;
            cr_assert(rt_image_read(path, 0, &got, &e), "%s", e.text);
            expect_same(&want, &got);
            rt_array_free(&want);
            rt_array_free(&got);
        }
    }
    unlink(path);
}

Test(image, channels_as_asked) {
    static const uint8_t colour[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9}, grey[] = {76, 150, 29, 9};
    static const uint8_t thrice[] = {76, 76, 76, 150, 150, 150, 29, 29, 29, 9, 9, 9};
    RtArray a = picture(2, 2, 3, colour), g = picture(2, 2, 1, grey), t = picture(2, 2, 3, thrice), b;
    char path[256];
    RtError e = {.number = 0};
    cr_assert(rt_image_write_png(path_of(path, ".png"), &a, &e) && rt_image_read(path, 1, &b, &e), "%s", e.text);
    expect_same(&g, &b);
    rt_array_free(&b);
    cr_assert(rt_image_write_png(path, &g, &e) && rt_image_read(path, 3, &b, &e), "%s", e.text);
    expect_same(&t, &b);
    rt_array_free(&b);
    rt_array_free(&a);
    rt_array_free(&g);
    rt_array_free(&t);
    unlink(path);
}

/* ---- JPEG ---- */

/* 16 x 16 pixels, the upper half of one colour and the lower of another. */
static void write_jpeg(const char *path, bool grey, bool progressive, bool print) {
    FILE *file = fopen(path, "wb");
    struct jpeg_error_mgr errors;
    struct jpeg_compress_struct jpeg = {.err = jpeg_std_error(&errors)};
    jpeg_create_compress(&jpeg);
    jpeg_stdio_dest(&jpeg, file);
    jpeg.image_width = jpeg.image_height = 16;
    jpeg.input_components = grey ? 1 : print ? 4 : 3;
    jpeg.in_color_space = grey ? JCS_GRAYSCALE : print ? JCS_CMYK : JCS_RGB;
    jpeg_set_defaults(&jpeg);
    jpeg_set_quality(&jpeg, 100, TRUE);
    jpeg.comp_info[0].h_samp_factor = jpeg.comp_info[0].v_samp_factor = 1; /* no blurred colours */
    if (progressive) jpeg_simple_progression(&jpeg);
    jpeg_start_compress(&jpeg, TRUE);
    for (int y = 0; y < 16; y++) {
        uint8_t row[64];
        for (int i = 0; i < 64; i++) row[i] = (uint8_t)(y < 8 ? 200 - 60 * (i % jpeg.input_components) : 30);
        JSAMPROW p = row;
        jpeg_write_scanlines(&jpeg, &p, 1);
    }
    jpeg_finish_compress(&jpeg);
    jpeg_destroy_compress(&jpeg);
    fclose(file);
}

Test(image, jpeg) {
    char path[256];
    RtError e = {.number = 0};
    RtArray a;
    for (int kind = 0; kind < 4; kind++) {
        bool grey = kind & 1;
        write_jpeg(path_of(path, ".jpg"), grey, kind & 2, false);
        cr_assert(rt_image_read(path, 0, &a, &e), "%s", e.text);
        cr_assert(a.dims[0] == 16 && a.dims[1] == 16 && a.dims[2] == (grey ? 1 : 3));
        for (int64_t i = 0; i < rt_array_elements(&a); i++) {
            int want = i < rt_array_elements(&a) / 2 ? 200 - 60 * (int)(i % a.dims[2]) : 30;
            int got = ((uint8_t *)a.data)[i];
            cr_assert(abs(got - want) <= 2, "%d: %d is %d, not %d", kind, (int)i, got, want);
        }
        rt_array_free(&a);
    }
    write_jpeg(path, false, false, true);
    cr_expect(!rt_image_read(path, 0, &a, &e) && strstr(e.text, "grey or RGB") != NULL, "%s", e.text);
    unlink(path);
}

/* ---- damaged files ---- */

static bool reads(const char *path, const char *bytes, size_t size) {
    RtError e = {.number = 0};
    RtArray a;
    FILE *file = fopen(path, "wb");
    cr_assert(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
    bool good = rt_image_read(path, 0, &a, &e);
    cr_assert(good || strstr(e.text, path) != NULL, "no file is named: %s", e.text);
    if (good) rt_array_free(&a);
    return good;
}

/* Cut anywhere the file is refused; with any byte changed, read or refused. */
static void damage(const char *suffix) {
    char path[256], *bytes;
    size_t size;
    RtError e = {.number = 0};
    bytes = rt_file_read(path_of(path, suffix), 1 << 20, &size, &e);
    cr_assert_not_null(bytes, "%s", e.text);
    cr_assert(reads(path, bytes, size));
    for (size_t n = 0; n < size - 1; n++) cr_expect(!reads(path, bytes, n), "cut at %zu of %zu", n, size);
    for (size_t i = 0; i < size; i++) {
        char old = bytes[i];
        for (int k = 0; k < 3; k++) {
            bytes[i] = (char)(k == 0 ? ~old : k == 1 ? old ^ 1 : 0);
            reads(path, bytes, size);
        }
        bytes[i] = old;
    }
    free(bytes);
    unlink(path);
}

Test(image, damaged_png) {
    char path[256];
    RtArray a = picture(9, 11, 3, NULL);
    RtError e = {.number = 0};
    cr_assert(rt_image_write_png(path_of(path, ".png"), &a, &e), "%s", e.text);
    rt_array_free(&a);
    damage(".png");
}

Test(image, damaged_jpeg) {
    char path[256];
    for (int progressive = 0; progressive < 2; progressive++) {
        write_jpeg(path_of(path, ".jpg"), false, progressive, false);
        damage(".jpg");
    }
}

Test(image, claims_and_other_files) {
    static const char huge[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\1\0\0\0\1\0\0\x08\2\0\0\0\xFF\xA2\xF3\x24";
    char path[256];
    cr_expect(!reads(path_of(path, ".png"), huge, sizeof huge - 1)); /* 65536 x 65536 */
    cr_expect(!reads(path, "", 0));
    cr_expect(!reads(path, "GIF89a", 6));
    unlink(path);
    RtError e = {.number = 0};
    RtArray a;
    cr_expect(!rt_image_read("/nonexistent.png", 0, &a, &e));
    cr_expect(!rt_image_read("/", 0, &a, &e));
}

/* ---- resizing ---- */

Test(image, resize) {
    static const struct {
        int h, w, to_h, to_w;
        uint8_t from[8], want[8];
    } rows[] = {
        {1, 2, 1, 2, {10, 200}, {10, 200}},
        {1, 2, 1, 4, {0, 100}, {0, 25, 75, 100}},
        {2, 2, 1, 1, {10, 20, 30, 40}, {25}},
        {1, 4, 1, 2, {0, 0, 80, 160}, {11, 103}}, /* weights of 3, 3 and 1 seventh, and mirrored */
        {4, 1, 2, 1, {0, 0, 80, 160}, {11, 103}},
        {1, 1, 2, 3, {77}, {77, 77, 77, 77, 77, 77}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RtArray a = picture(rows[i].h, rows[i].w, 1, rows[i].from), b;
        RtError e = {.number = 0};
        cr_assert(rt_image_resize(&a, rows[i].to_h, rows[i].to_w, &b, &e), "%s", e.text);
        for (int k = 0; k < rows[i].to_h * rows[i].to_w; k++) {
            int got = ((uint8_t *)b.data)[k];
            cr_expect(got == rows[i].want[k], "row %d, pixel %d: %d, not %d", (int)i, k, got, rows[i].want[k]);
        }
        rt_array_free(&a);
        rt_array_free(&b);
    }
}

/* ---- arrays as pictures ---- */

Test(image, sheets) {
    static const struct {
        int rank;
        int64_t dims[4], want[3];
    } rows[] = {{2, {5, 7}, {5, 7, 1}},
                {3, {5, 7, 3}, {5, 7, 3}},
                {3, {5, 7, 1}, {5, 7, 1}},
                {3, {1, 5, 7}, {5, 7, 1}},
                {4, {1, 5, 7, 3}, {5, 7, 3}},
                {4, {4, 5, 5, 1}, {12, 12, 1}},
                {3, {4, 5, 5}, {12, 12, 1}},
                {4, {5, 6, 6, 3}, {14, 22, 3}},
                {4, {2, 1, 9, 1}, {4, 9, 1}},
                {5, {1, 1, 1, 1}, {0}},
                {1, {9}, {0}},
                {4, {2, 3, 4, 2}, {0}},
                {4, {0, 3, 4, 3}, {0}}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        RtArray a = {.dtype = RT_F32, .rank = rows[i].rank}, p = {0};
        for (int k = 0; k < 4; k++) a.dims[k] = rows[i].dims[k];
        if (a.rank == 5) a.dims[4] = 1;
        RtError e = {.number = 0};
        cr_assert(rt_array_alloc(&a, "test", &e));
        for (int64_t k = 0; k < rt_array_elements(&a); k++) ((float *)a.data)[k] = 1;
        bool good = rt_image_of_array(&a, &p, &e);
        cr_assert(good == (rows[i].want[0] > 0), "row %d: %s", (int)i, e.text);
        if (good)
            cr_expect(memcmp(p.dims, rows[i].want, sizeof rows[i].want) == 0, "row %d: %d x %d", (int)i, (int)p.dims[0],
                      (int)p.dims[1]);
        rt_array_free(&a);
        rt_array_free(&p);
    }
}

Test(image, levels) {
    float values[] = {0, 1, 0.5F, -3, 7, 0.1F, (float)NAN};
    static const uint8_t want[] = {0, 255, 128, 0, 255, 26, 0};
    RtArray a = {.dtype = RT_F32, .rank = 2, .dims = {1, 7}, .data = values}, p;
    RtError e = {.number = 0};
    cr_assert(rt_image_of_array(&a, &p, &e), "%s", e.text);
    cr_expect(memcmp(p.data, want, sizeof want) == 0);
    rt_array_free(&p);
    a.dtype = RT_I32;
    cr_expect(!rt_image_of_array(&a, &p, &e));
    uint8_t whole[] = {0, 3, 255};
    a = (RtArray){.dtype = RT_U8, .rank = 2, .dims = {1, 3}, .data = whole};
    cr_assert(rt_image_of_array(&a, &p, &e));
    cr_expect(memcmp(p.data, whole, 3) == 0);
    rt_array_free(&p);
}
