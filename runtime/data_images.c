/* Folders of pictures as a data set, one folder a class. Two walks: what the headers say, then the pictures. */
#include "runtime/data_base.h"
#include "runtime/folders.h"
#include "runtime/image.h"
#include <string.h>

static const char *const suffixes[] = {".png", ".jpg", ".jpeg", NULL};

/* Sets the dims of `all`: colour where one picture has it, the size given or else the one that all have. */
static bool survey(const RtNames *files, const int64_t *size, RtArray *all, RtError *e) {
    RtArray one;
    *all = (RtArray){.dtype = RT_U8, .rank = 4, .dims = {files->count, 0, 0, 1}};
    if (size != NULL) memcpy(all->dims + 1, size, 2 * sizeof *size);
    for (int i = 0; i < files->count; i++) {
        if (!rt_image_header(files->at[i], &one, e)) return false;
        if (one.dims[2] == 3) all->dims[3] = 3;
        if (size == NULL && i == 0) memcpy(all->dims + 1, one.dims, 2 * sizeof *one.dims);
        if (size != NULL || (one.dims[0] == all->dims[1] && one.dims[1] == all->dims[2])) continue;
        return rt_fail(e,
                       "%s: is %lld x %lld pixels high and wide, and %s is %lld x %lld; size = [H, W] makes all equal",
                       files->at[i], (long long)one.dims[0], (long long)one.dims[1], files->at[0],
                       (long long)all->dims[1], (long long)all->dims[2]);
    }
    return true;
}

/* Reads a picture into its place, in the size of the others. */
static bool read_one(const char *path, const RtArray *all, int64_t i, RtError *e) {
    const int64_t *dims = all->dims + 1;
    RtArray a, resized;
    if (!rt_image_read(path, (int)dims[2], &a, e)) return false;
    if (a.dims[0] != dims[0] || a.dims[1] != dims[1]) {
        bool good = rt_image_resize(&a, dims[0], dims[1], &resized, e);
        rt_array_free(&a);
        if (!good) return false;
        a = resized;
    }
    size_t bytes = (size_t)(dims[0] * dims[1] * dims[2]);
    memcpy((uint8_t *)all->data + (size_t)i * bytes, a.data, bytes);
    rt_array_free(&a);
    return true;
}

static RtData *read_all(const char *path, const RtClassFiles *f, const int64_t *size, RtError *e) {
    RtBase *bases[2] = {rt_base_new("images", path, e), NULL};
    if (bases[0] == NULL) return NULL;
    RtArray *all = &bases[0]->array;
    bool good = survey(&f->files, size, all, e) && rt_base_check_memory(bases[0], "size = [H, W]", e) &&
                rt_array_alloc(all, path, e);
    if (good) bases[1] = rt_base_class_labels(path, f, e);
    good = good && bases[1] != NULL;
    for (int i = 0; good && i < f->files.count; i++) good = read_one(f->files.at[i], all, i, e);
    if (good) return rt_data_from_bases(bases, 2, e);
    rt_base_drop(bases[0]);
    rt_base_drop(bases[1]);
    return NULL;
}

RtData *rt_data_images(const char *path, const int64_t *size, RtError *e) {
    RtClassFiles files;
    if (!rt_class_files(path, suffixes, "PNG or JPEG pictures", &files, e)) return NULL;
    RtData *d = read_all(path, &files, size, e);
    rt_class_files_free(&files);
    return d;
}
