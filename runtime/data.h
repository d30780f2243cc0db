/* Data sets: arrays whose leading dim counts samples, and views of them by row number. */
#ifndef RT_DATA_H
#define RT_DATA_H

#include "runtime/runtime.h"

typedef struct RtBase RtBase; /* reference-counted memory behind one or more fields */

/** One array of a data set: what one name of `for (image, label) in d` stands for. */
typedef struct {
    const char *name;   /* "images", "target", …: for people */
    const char *source; /* the file it came from: for messages */
    RtDType dtype;
    int rank;                  /* of one sample; 0 for a scalar such as a label */
    int64_t dims[RT_MAX_RANK]; /* of one sample */
    const void *data;          /* row r starts at (const char *)data + r * stride */
    int64_t stride;            /* bytes from one row to the next; windows of a text may overlap or leave gaps */
    int64_t rows;              /* rows behind `data`, used by this view or not */
    int64_t reach; /* of windows of a text: how many rows on the characters of a row go, at least 1; 0: not in order */
    int nnames;    /* class names of a label field, feature names of a csv table; 0 where there are none */
    const char *const *names;
    int vocab;               /* of a text: how many characters there are, */
    const int32_t *alphabet; /* and which, as code points in ascending order: what its integers stand for */
    RtBase *base;            /* owns all of the above */
} RtField;

/** A data set of `count` samples. Sample i is row `rows[i]` of every field, or row i where `rows` is NULL. */
typedef struct {
    int64_t count;
    int32_t *rows;
    int nfields;
    RtField fields[];
} RtData;

/** Frees the view; the memory behind it goes with the last view that uses it. `d` may be NULL. */
void rt_data_free(RtData *d);

/* ---- sources: one file each, data_NAME.c. A data set has at least one sample. ---- */

/** An IDX file, plain or gzip (seen from its content). int16 becomes i32. */
RtData *rt_data_idx(const char *path, RtError *e);

/** A NumPy file of rank >= 1; see npy.h for the types. */
RtData *rt_data_npy(const char *path, RtError *e);

typedef struct {
    const char *target; /* a column by its name, or by its number from 1 where there is no header; NULL: no target */
    bool labels;        /* the target must be class labels: text, or integers from 0 */
} RtCsvOptions;

/**
 * A CSV table (see README.md for the rules): field "features" f32[F]; where a target is asked for, field "target" too:
 * i32[] where its cells are integers or text (text: the position among the sorted distinct values), else f32[].
 */
RtData *rt_data_csv(const char *path, const RtCsvOptions *options, RtError *e);

/**
 * CIFAR-10 as binary files: fields "images" u8[32, 32, 3] and "labels" i32[]. Of a folder, all its data_batch_*.bin, or
 * with `test` its test_batch.bin; `path` may also be one such file.
 */
RtData *rt_data_cifar10(const char *path, bool test, RtError *e);

/**
 * Pictures in folders, one folder a class: fields "images" u8[H, W, C] (see image.h; C is 1 where all are grey) and
 * "labels" i32[], numbered by the sorted names of the folders. They are resized to size[0] x size[1], or where `size`
 * is NULL must all have one size.
 */
RtData *rt_data_images(const char *path, const int64_t *size, RtError *e);

/** WAV files in folders, one folder a class: fields "sound" f32[length] (see wav.h) and "labels" i32[]. They are cut or
 * filled with silence to `length`, or where it is 0 must all have one length. */
RtData *rt_data_wav(const char *path, int64_t length, RtError *e);

typedef struct {
    int64_t window; /* characters of a sample */
    int64_t stride; /* characters from one sample to the next */
} RtTextOptions;

/**
 * A UTF-8 text, plain or gzip, as windows of characters: fields "x" i32[window], the numbers of the characters, and "y"
 * i32[window], those one further. Samples stand in the order of the text; their memory is that of one number a
 * character. A byte order mark is no character.
 */
RtData *rt_data_text(const char *path, const RtTextOptions *options, RtError *e);

/** A data set of one field from an array whose leading dim counts samples. Takes over `a`, also on failure. */
RtData *rt_data_from_array(RtArray *a, const char *name, const char *source, RtError *e);

/* ---- combinators: the results share the memory of what they are made of, which may be freed before them ---- */

/** The fields of all parts side by side; their counts must agree. A part in another row order than the first is copied.
 */
RtData *rt_data_zip(const RtData *const *parts, int nparts, RtError *e);
/**
 * Two disjoint views: parts[0] has round(fraction * count) samples, parts[1] the rest. Which sample goes where is
 * pseudo-random but the same in every run, so that a file sorted by class splits well; within a part the order stays.
 * A text is cut in two: parts[0] is its beginning, without the last windows where these overlap those of parts[1].
 */
bool rt_data_split(const RtData *d, double fraction, RtData *parts[2], RtError *e);
/** The first `n` samples (all, where there are fewer). */
RtData *rt_data_take(const RtData *d, int64_t n, RtError *e);
/** All but the first `n` samples, of which at least one must remain. */
RtData *rt_data_skip(const RtData *d, int64_t n, RtError *e);

/* ---- facts ---- */

/** Elements of one sample of a field: `features(d)` for field 0. */
int64_t rt_field_elements(const RtField *f);
/** The field that holds labels: the last one of integers with rank 0; -1 where there is none. */
int rt_data_label_field(const RtData *d);
/** `classes(d)`: the number of named categories, else the largest label of the whole file plus 1; -1 (and `e`) where
 * there is no label field or a label is negative. All views of one file agree on it. */
int64_t rt_data_classes(const RtData *d, RtError *e);
/** Whether every integer of the view's samples in field `field` is in 0..classes-1; the error names file and row. */
bool rt_data_check_labels(const RtData *d, int field, int64_t classes, RtError *e);
/** Mean and standard deviation (of the population) of each element of a sample over the view's samples; `mean` and
 * `std` have room for rt_field_elements() each. */
void rt_data_mean_std(const RtData *d, int field, double *mean, double *std);
/** Writes into `rows` (room for count) the row number of each sample: what steps and rt_shuffle() work on. */
void rt_data_rows(const RtData *d, int32_t *rows);
/** Begins to bring rows that are wanted soon into the cache: in a shuffled set no processor guesses them. */
void rt_data_prefetch(const RtData *d, const int32_t *rows, int64_t n);

#endif
