/* Arrays in files for `nnc run`: what a file is, its suffix says. */
#include "compiler/driver_private.h"

#include "runtime/files.h"
#include "runtime/folders.h"
#include "runtime/image.h"
#include "runtime/npy.h"
#include "runtime/text.h"

#include <stdlib.h>
#include <string.h>

static bool is_picture(const char *path) {
    return rt_has_suffix(path, ".png") || rt_has_suffix(path, ".jpg") || rt_has_suffix(path, ".jpeg");
}

/* A picture [H, W, C] in the layout that the declared type asks for: [H, W], [1, H, W], [1, H, W, C]; grey or coloured
 * as its last dim says. */
static bool read_picture(const Type *t, const char *path, RtArray *a, RtError *e) {
    int64_t last = 0;
    bool known = t->rank > 2 && dim_is_const(t->dims[t->rank - 1], &last), grey = known && last != 1 && last != 3;
    grey = t->rank == 2 || (t->rank == 3 && grey);
    if (!rt_image_read(path, grey ? 1 : known && (last == 1 || last == 3) ? (int)last : 0, a, e)) return false;
    if (t->rank == 2) {
        a->rank = 2;
    } else if (grey || t->rank == 4) {
        int64_t dims[] = {1, a->dims[0], a->dims[1], a->dims[2]};
        a->rank = grey ? 3 : 4;
        memcpy(a->dims, dims, sizeof dims);
    }
    return true;
}

bool driver_read_array(const Type *t, const char *path, RtArray *a, RtError *e) {
    if (is_picture(path)) return read_picture(t, path, a, e);
    if (!rt_has_suffix(path, ".txt")) return rt_npy_read(path, a, e);
    if (!rt_text_read(path, a, e)) return false;
    if (t->rank != 2) return true;
    a->rank = 2;
    a->dims[1] = a->dims[0];
    a->dims[0] = 1;
    return true;
}

static bool write_picture(const char *path, const RtArray *a, RtError *e) {
    RtArray picture = {0};
    if (!rt_has_suffix(path, ".png")) return rt_fail(e, "%s: pictures are written as .png files", path);
    bool good = rt_image_of_array(a, &picture, e) && rt_image_write_png(path, &picture, e);
    rt_array_free(&picture);
    return good;
}

bool driver_write_array(const char *path, const RtArray *a, RtError *e) {
    if (is_picture(path)) return write_picture(path, a, e);
    if (!rt_has_suffix(path, ".txt")) return rt_npy_write(path, a, e);
    size_t size;
    char *text = rt_text_of_array(a, &size, e);
    bool good = text && rt_file_replace(path, text, size, e);
    free(text);
    return good;
}
