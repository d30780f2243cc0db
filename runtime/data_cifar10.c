/* CIFAR-10, the binary version: records of a label and 32x32 pixels as three planes, red, green, blue. */
#include "runtime/data_base.h"
#include "runtime/folders.h"
#include "runtime/stream.h"
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SIDE = 32, PIXELS = SIDE * SIDE, CHANNELS = 3, RECORD = 1 + CHANNELS * PIXELS, CLASSES = 10 };

static const char *const class_names[CLASSES] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                                 "dog",      "frog",       "horse", "ship", "truck"};

/* ---- files ---- */

static bool is_batch(const char *name, bool test) {
    if (test) return strcmp(name, "test_batch.bin") == 0;
    return strncmp(name, "data_batch_", 11) == 0 && rt_has_suffix(name, ".bin");
}

/* The paths of the batches: the file itself, or those in the folder. */
static bool find_batches(const char *path, bool test, RtNames *paths, RtError *e) {
    struct stat st;
    if (stat(path, &st) == 0 && S_ISREG(st.st_mode)) return rt_names_add(paths, NULL, path, e);
    RtNames names;
    if (!rt_folder_list(path, false, &names, e)) return false;
    bool good = true;
    for (int i = 0; good && i < names.count; i++) {
        if (is_batch(names.at[i], test)) good = rt_names_add(paths, path, names.at[i], e);
    }
    rt_names_free(&names);
    if (good && paths->count == 0) {
        return rt_fail(e, "%s: holds no %s of the binary version of CIFAR-10", path,
                       test ? "test_batch.bin" : "data_batch_1.bin");
    }
    return good;
}

/* How many records a file holds; -1 after an error. */
static int64_t count_records(const char *path, RtError *e) {
    RtStream *s = rt_stream_open(path, false, e);
    if (s == NULL) return -1;
    uint64_t size = rt_stream_room(s);
    rt_stream_close(s);
    if (size > 0 && size % RECORD == 0) return (int64_t)(size / RECORD);
    rt_fail(e, "%s: its %llu bytes are no whole number of records of %d", path, (unsigned long long)size, RECORD);
    return -1;
}

/* ---- records ---- */

static bool read_records(const char *path, int64_t n, uint8_t *images, int32_t *labels, RtError *e) {
    uint8_t record[RECORD];
    RtStream *s = rt_stream_open(path, false, e);
    bool good = s != NULL;
    for (int64_t i = 0; good && i < n; i++) {
        good = rt_stream_read(s, record, RECORD, e);
        if (good && record[0] >= CLASSES) {
            good = rt_fail(e, "%s: record %lld has the label %d; there are %d classes (0 to %d)", path,
                           (long long)i + 1, record[0], CLASSES, CLASSES - 1);
        }
        if (!good) break;
        labels[i] = record[0];
        uint8_t *image = images + i * CHANNELS * PIXELS;
        for (int p = 0; p < PIXELS; p++) {
            for (int c = 0; c < CHANNELS; c++) image[p * CHANNELS + c] = record[1 + c * PIXELS + p];
        }
    }
    good = good && rt_stream_expect_end(s, e);
    rt_stream_close(s);
    return good;
}

/* The arrays of images and labels with room for `n`. */
static bool new_bases(const char *path, int64_t n, RtBase *bases[2], RtError *e) {
    bases[0] = rt_base_new("images", path, e);
    if (bases[0] == NULL) return false;
    bases[0]->array = (RtArray){.dtype = RT_U8, .rank = 4, .dims = {n, SIDE, SIDE, CHANNELS}};
    if (!rt_array_alloc(&bases[0]->array, path, e)) return false;
    bases[1] = rt_base_labels(path, n, class_names, CLASSES, e);
    return bases[1] != NULL;
}

static RtData *read_batches(const char *path, const RtNames *files, RtError *e) {
    int64_t total = 0, done = 0;
    RtBase *bases[2] = {NULL, NULL};
    for (int i = 0; i < files->count; i++) {
        int64_t n = count_records(files->at[i], e);
        if (n < 0) return NULL;
        total += n;
    }
    bool good = total <= INT32_MAX || rt_fail(e, "%s: more than %d records", path, INT32_MAX);
    good = good && new_bases(path, total, bases, e);
    for (int i = 0; good && i < files->count; i++) {
        int64_t n = count_records(files->at[i], e);
        good = n >= 0 && (n <= total - done || rt_fail(e, "%s: has changed while it was read", files->at[i]));
        if (!good) break;
        uint8_t *images = bases[0]->array.data;
        int32_t *labels = bases[1]->array.data;
        good = read_records(files->at[i], n, images + done * CHANNELS * PIXELS, labels + done, e);
        done += n;
    }
    if (good && done == total) return rt_data_from_bases(bases, 2, e);
    if (good) rt_fail(e, "%s: has changed while it was read", path);
    rt_base_drop(bases[0]);
    rt_base_drop(bases[1]);
    return NULL;
}

RtData *rt_data_cifar10(const char *path, bool test, RtError *e) {
    RtNames files = {0};
    RtData *d = find_batches(path, test, &files, e) ? read_batches(path, &files, e) : NULL;
    rt_names_free(&files);
    return d;
}
