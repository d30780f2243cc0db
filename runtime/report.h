/* report.html: what there is to see of a run, in one file. This header has what it is made of — curves that stay small,
 * histograms, what a classifier gets wrong, pictures — as JSON, and the writer, which puts the JSON into the page of
 * report/. Long rows of numbers are base64 of little-endian f32. */
#ifndef RT_REPORT_H
#define RT_REPORT_H

#include "runtime/data.h"
#include <cjson/cJSON.h>

/** `n` bytes as base64, malloc'ed; NULL where memory is out. */
char *rt_base64(const void *bytes, size_t n);
/** Adds `n` numbers to an object under `key`. */
void rt_report_add_floats(cJSON *object, const char *key, const float *values, int n);
/** Adds a number as JSON has it: null where it is not finite, six digits else. */
void rt_report_add_number(cJSON *object, const char *key, double v);

/** Replaces `path` by the page with `data`. An interrupted write leaves the old page; unlike a checkpoint it does not
 * wait for the disk. */
bool rt_report_write(const char *path, const cJSON *data, RtError *e);

/** The data of a page, NULL where there is none; the caller frees it. */
cJSON *rt_report_read(const char *path);

/* ---- curves: report_curve.c ---- */

enum { RT_CURVE_POINTS = 1000 };

/** A value at every step of a run. Points stand for `width` steps each, their mean, least and most; when there are too
 * many, neighbours are joined. Zero but for `width` = 1 at the start. */
typedef struct {
    int64_t width;
    int n;
    int64_t held; /* steps that no point stands for yet, with: */
    double sum;
    float least_held, most_held;
    float mean[RT_CURVE_POINTS], least[RT_CURVE_POINTS], most[RT_CURVE_POINTS];
} RtCurve;

void rt_curve_add(RtCurve *c, double v);
/** {name, first, width, held, mean, least, most}: point i ends at step first + (i + 1) * width; one more point stands
 * for the `held` steps at the end where there are any. */
cJSON *rt_curve_json(const RtCurve *c, const char *name, int64_t first);

/* ---- histograms: report_histogram.c ---- */

enum { RT_HISTOGRAM_BINS = 48 };

/** How the numbers of an array lie, as JSON text: [least, most, mean, deviation, count of those not finite, bins]. A
 * bin is one character of base64's alphabet: its count as parts of 63 of the fullest one's. */
typedef struct {
    char text[160];
} RtHistogram;

/** Of long arrays, every k-th element is looked at, 65536 at most. */
RtHistogram rt_histogram(const void *data, RtDType dtype, int64_t n);

/* ---- classifiers: report_classifier.c ---- */

enum { RT_SCORED_PLACES = 10000, RT_WORST_SAMPLES = 24, RT_MATRIX_CLASSES = 100, RT_CONFUSED_PAIRS = 8 };

/** How scores lie: each sample has a label at each of its `places`, one or as many as a sequence is long, and beside it
 * a score for each class. Where `classes` is 1 there are two of them, and the score is that of class 1. */
typedef struct {
    int64_t count, batch; /* samples of the data, and of a batch */
    int64_t places, classes;
    RtDType scores, labels;
} RtScoredShape;

/** What a classifier gave for the samples of a data set in its last pass over it: the first ones, with RT_SCORED_PLACES
 * or one of them. Steps write where rt_scored_place() says. */
typedef struct {
    RtScoredShape shape;
    int64_t room, at;      /* samples there is room for, and done in this pass */
    char *scores, *labels; /* [room + batch, places, classes], [room + batch, places] */
    int32_t *rows;         /* of the data set */
} RtScored;

/** The memory it takes. */
int64_t rt_scored_bytes(const RtScoredShape *shape);
bool rt_scored_new(RtScored *s, const RtScoredShape *shape);
void rt_scored_free(RtScored *s);
/** A new pass begins. */
void rt_scored_begin(RtScored *s);
/** Where the next batch's scores and labels go. */
void rt_scored_place(const RtScored *s, void **scores, void **labels);
/** That batch is done: these were its `n` samples. */
void rt_scored_add(RtScored *s, const int32_t *rows, int64_t n);
/** The confusion matrix, or of many classes those confused most, and the samples with the highest loss; NULL where
 * there is nothing. Scores that are probabilities are taken as such, all others through softmax, or where they are one
 * for two classes through sigmoid. */
cJSON *rt_scored_json(const RtScored *s, const RtData *data);

/* ---- pictures: report_picture.c ---- */

/** The field whose samples can be shown as pictures: u8 or floats, [H, W], [H, W, 1 or 3] or [1 or 3, H, W]; -1: none.
 */
int rt_picture_field(const RtData *data);
/** A sample as u8 [H, W, 1 or 3], floats from the least to the most; false where it is none or memory is out. */
bool rt_picture(const RtField *f, int64_t row, RtArray *picture);
/** The same as a PNG in a data URI, shrunk to 64 pixels where it is larger; malloc'ed, or NULL. */
char *rt_picture_uri(const RtField *f, int64_t row);

#endif
