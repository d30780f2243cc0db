/* Folders of WAV files as a data set, one folder a class. Two walks: what the headers say, then the sound. */
#include "runtime/data_base.h"
#include "runtime/folders.h"
#include "runtime/wav.h"

static const char *const suffixes[] = {".wav", NULL};

/* The length that all have, but for a `length` that is given; they must agree on the rate, too. */
static bool survey(const RtNames *files, int64_t *length, RtError *e) {
    RtWavInfo first = {0, 0}, one;
    for (int i = 0; i < files->count; i++) {
        if (!rt_wav_header(files->at[i], &one, e)) return false;
        if (i == 0) first = one;
        if (one.rate != first.rate)
            return rt_fail(e, "%s: has %lld samples a second, and %s has %lld", files->at[i], (long long)one.rate,
                           files->at[0], (long long)first.rate);
        if (*length == 0 && one.length != first.length)
            return rt_fail(e, "%s: is %lld samples long, and %s is %lld; length = n makes all equal", files->at[i],
                           (long long)one.length, files->at[0], (long long)first.length);
    }
    if (*length == 0) *length = first.length;
    return true;
}

static RtData *read_all(const char *path, const RtClassFiles *f, int64_t length, RtError *e) {
    RtBase *bases[2] = {rt_base_new("sound", path, e), NULL};
    if (bases[0] == NULL) return NULL;
    RtArray *all = &bases[0]->array;
    bool good = survey(&f->files, &length, e);
    *all = (RtArray){.dtype = RT_F32, .rank = 2, .dims = {f->files.count, length}};
    good = good && rt_base_check_memory(bases[0], "length = n", e) && rt_array_alloc(all, path, e);
    if (good) bases[1] = rt_base_class_labels(path, f, e);
    good = good && bases[1] != NULL;
    for (int i = 0; good && i < f->files.count; i++)
        good = rt_wav_read(f->files.at[i], (float *)all->data + i * length, length, e);
    if (good) return rt_data_from_bases(bases, 2, e);
    rt_base_drop(bases[0]);
    rt_base_drop(bases[1]);
    return NULL;
}

RtData *rt_data_wav(const char *path, int64_t length, RtError *e) {
    RtClassFiles files;
    if (!rt_class_files(path, suffixes, "WAV files", &files, e)) return NULL;
    RtData *d = read_all(path, &files, length, e);
    rt_class_files_free(&files);
    return d;
}
