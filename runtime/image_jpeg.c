/* JPEG through libjpeg. Its errors come by longjmp: what must outlive one stands in structures, and no function that
 * calls setjmp() changes a local variable after it. */
#include "runtime/image_formats.h"
#include <setjmp.h>
#include <stdio.h>

#include <jpeglib.h>

#include <jerror.h>

/* A generous bound on bytes of pixels for each of the file: arithmetic coding has next to none for blocks that are all
 * alike. */
enum { MOST_EXPANSION = 1 << 14 };

bool rt_image_is_jpeg(const RtImageFile *f) {
    return f->size >= 3 && f->bytes[0] == 0xFF && f->bytes[1] == 0xD8 && f->bytes[2] == 0xFF;
}

typedef struct {
    struct jpeg_error_mgr manager; /* first: libjpeg hands out a pointer to it */
    jmp_buf back;
    RtImageFile *file;
} Errors;

static void on_error(j_common_ptr jpeg) {
    Errors *x = (Errors *)jpeg->err;
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    rt_fail(x->file->error, "%s: the JPEG data is damaged: %s", x->file->path, text);
    longjmp(x->back, 1);
}

/* Some warnings mean that pixels are made up; stray bytes between segments, which many cameras leave, mean nothing. */
static void on_message(j_common_ptr jpeg, int level) {
    int code = jpeg->err->msg_code;
    bool damage = code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE ||
                  code == JWRN_MUST_RESYNC || code == JWRN_ARITH_BAD_CODE;
    if (level < 0 && damage) on_error(jpeg);
}

static bool decode(RtImageFile *f, struct jpeg_decompress_struct *jpeg, Errors *errors) {
    if (setjmp(errors->back)) return false;
    jpeg_create_decompress(jpeg);
    jpeg_mem_src(jpeg, f->bytes, f->size);
    jpeg_read_header(jpeg, TRUE);
    bool grey = jpeg->jpeg_color_space == JCS_GRAYSCALE;
    if (!grey && jpeg->jpeg_color_space != JCS_YCbCr && jpeg->jpeg_color_space != JCS_RGB)
        return rt_fail(f->error, "%s: a JPEG picture must be grey or RGB, and this one is meant for print", f->path);
    jpeg->out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    if (!rt_image_begin(f, jpeg->image_height, jpeg->image_width, grey ? 1 : 3, (uint64_t)f->size * MOST_EXPANSION))
        return false;
    if (f->header_only) return true;
    jpeg_start_decompress(jpeg);
    size_t row = (size_t)(f->array->dims[1] * f->array->dims[2]);
    while (jpeg->output_scanline < jpeg->output_height) {
        JSAMPROW place = (JSAMPROW)f->array->data + jpeg->output_scanline * row;
        jpeg_read_scanlines(jpeg, &place, 1);
    }
    jpeg_finish_decompress(jpeg);
    return true;
}

bool rt_image_jpeg(RtImageFile *f) {
    Errors errors = {.file = f};
    struct jpeg_decompress_struct jpeg = {.err = jpeg_std_error(&errors.manager)};
    errors.manager.error_exit = on_error;
    errors.manager.emit_message = on_message;
    bool good = decode(f, &jpeg, &errors);
    jpeg_destroy_decompress(&jpeg);
    return good;
}
