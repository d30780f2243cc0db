/* links: nnc_rt */
/* What a report is made of: curves that stay small, histograms, what a classifier gets wrong. */
#include "runtime/report.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

Test(report, base64) {
    static const char *const pairs[][2] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        char *text = rt_base64(pairs[i][0], strlen(pairs[i][0]));
        cr_expect_str_eq(text, pairs[i][1]);
        free(text);
    }
}

/* ---- curves ---- */

static double wave(int64_t i) { return sin(0.01 * (double)i) + 0.1 * (double)(i % 7); }

/* Every point against the steps that it stands for. */
static void check_curve(int64_t steps) {
    RtCurve *c = calloc(1, sizeof *c);
    c->width = 1;
    for (int64_t i = 0; i < steps; i++) rt_curve_add(c, wave(i));
    cr_assert(c->n <= RT_CURVE_POINTS && c->n * c->width + c->held == steps, "%lld steps", (long long)steps);
    cr_expect(steps < RT_CURVE_POINTS || c->n >= RT_CURVE_POINTS / 2);
    for (int k = 0; k < c->n; k++) {
        double sum = 0, least = INFINITY, most = -INFINITY;
        for (int64_t i = k * c->width; i < (k + 1) * c->width; i++) {
            sum += wave(i);
            least = fmin(least, wave(i));
            most = fmax(most, wave(i));
        }
        cr_assert_float_eq(c->mean[k], sum / (double)c->width, 1e-5);
        cr_assert_float_eq(c->least[k], least, 1e-6);
        cr_assert_float_eq(c->most[k], most, 1e-6);
    }
    free(c);
}

Test(report, curves) {
    static const int64_t steps[] = {0, 1, 999, 1000, 1001, 1002, 1999, 2000, 2001, 12345, 1 << 20};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) check_curve(steps[i]);
}

Test(report, a_curve_keeps_what_is_no_number) {
    RtCurve *c = calloc(1, sizeof *c);
    c->width = 1;
    for (int i = 0; i < 5000; i++) rt_curve_add(c, i == 777 ? NAN : 1);
    int bad = 0;
    for (int k = 0; k < c->n; k++) bad += isnan(c->mean[k]) && isnan(c->least[k]) && isnan(c->most[k]);
    cr_expect_eq(bad, 1);
    free(c);
}

/* ---- histograms ---- */

Test(report, histogram) {
    float values[] = {0, 0, 0, 0, 1, 1, 2, NAN, 48, INFINITY};
    RtHistogram h = rt_histogram(values, RT_F32, 10);
    cJSON *list = cJSON_Parse(h.text);
    cr_assert(cJSON_GetArraySize(list) == 6, "%s", h.text);
    cr_expect_eq(cJSON_GetArrayItem(list, 0)->valuedouble, 0);
    cr_expect_eq(cJSON_GetArrayItem(list, 1)->valuedouble, 48);
    cr_expect_float_eq(cJSON_GetArrayItem(list, 2)->valuedouble, 6.5, 1e-3);
    cr_expect_eq(cJSON_GetArrayItem(list, 4)->valuedouble, 2);
    const char *bins = cJSON_GetArrayItem(list, 5)->valuestring;
    cr_expect_eq(strlen(bins), (size_t)RT_HISTOGRAM_BINS);
    cr_expect(bins[0] == '/' && bins[1] == 'g' && bins[2] == 'Q' && bins[3] == 'A' && bins[47] == 'Q', "%s", bins);
    cJSON_Delete(list);
}

Test(report, histogram_of_one_value_and_of_none) {
    double same[] = {3, 3}, none[] = {NAN};
    cr_expect(strstr(rt_histogram(same, RT_F64, 2).text, "[3,3,3,0,0,") != NULL);
    cr_expect(strstr(rt_histogram(none, RT_F64, 1).text, "[0,0,0,0,1,") != NULL);
    cr_expect(strstr(rt_histogram(none, RT_F64, 0).text, "[0,0,0,0,0,") != NULL);
}

/* ---- classifiers ---- */

static RtData *numbers(int64_t n) {
    RtArray a = {.dtype = RT_F32, .rank = 2, .dims = {n, 3}};
    RtError e;
    cr_assert(rt_array_alloc(&a, "numbers", &e));
    for (int64_t i = 0; i < 3 * n; i++) ((float *)a.data)[i] = (float)i;
    return rt_data_from_array(&a, "x", "numbers", &e);
}

/* Two passes of one batch each; the second one's scores count. */
static cJSON *judged(RtScoredShape shape, const void *scores, const int32_t *labels) {
    RtScored s;
    int64_t n = shape.count;
    RtData *d = numbers(n);
    shape.batch = n;
    shape.scores = RT_F32;
    shape.labels = RT_I32;
    cr_assert(rt_scored_new(&s, &shape));
    int32_t *rows = calloc((size_t)n, sizeof *rows);
    rt_data_rows(d, rows);
    for (int pass = 0; pass < 2; pass++) {
        void *to_scores, *to_labels;
        size_t nlabels = (size_t)(n * shape.places), bytes = sizeof(float) * nlabels * (size_t)shape.classes;
        rt_scored_begin(&s);
        rt_scored_place(&s, &to_scores, &to_labels);
        memset(to_scores, 0, bytes);
        if (pass) memcpy(to_scores, scores, bytes);
        memcpy(to_labels, labels, sizeof *labels * nlabels);
        rt_scored_add(&s, rows, n);
    }
    cJSON *o = rt_scored_json(&s, d);
    free(rows);
    rt_scored_free(&s);
    rt_data_free(d);
    char *text = o ? cJSON_PrintUnformatted(o) : NULL; /* as a reader sees it */
    cJSON_Delete(o);
    o = text ? cJSON_Parse(text) : NULL;
    cJSON_free(text);
    return o;
}

static double at(const cJSON *o, const char *list, int i, const char *key) {
    return cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(o, list), i), key)->valuedouble;
}

Test(report, classifier) {
    const float scores[4][3] = {{5, 1, 0}, {0, 2, 4}, {1, 1, 9}, {0, 0, NAN}};
    const int32_t labels[] = {0, 1, 0, 3}; /* the last one is no class */
    cJSON *o = judged((RtScoredShape){.count = 4, .places = 1, .classes = 3}, scores, labels);
    cr_expect_eq(cJSON_GetObjectItem(o, "judged")->valueint, 3);
    cr_expect_eq(cJSON_GetObjectItem(o, "right")->valueint, 1);
    const cJSON *matrix = cJSON_GetObjectItem(o, "matrix");
    static const int expected[3][3] = {{1, 0, 1}, {0, 0, 1}, {0, 0, 0}};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            cr_expect_eq(cJSON_GetArrayItem(cJSON_GetArrayItem(matrix, i), k)->valueint, expected[i][k]);
    cr_expect_eq(at(o, "worst", 0, "row"), 2);
    cr_expect_float_eq(at(o, "worst", 0, "loss"), log(2 * exp(1.0) + exp(9.0)) - 1, 1e-4);
    cr_expect_float_eq(at(o, "worst", 1, "loss"), log(1 + exp(2.0) + exp(4.0)) - 2, 1e-4);
    cr_expect_float_eq(at(o, "worst", 1, "p_predicted"), exp(4.0) / (1 + exp(2.0) + exp(4.0)), 1e-5);
    cJSON_Delete(o);
}

Test(report, classifier_that_gives_probabilities) {
    const float scores[2][3] = {{0.25F, 0.5F, 0.25F}, {0.125F, 0.75F, 0.125F}};
    const int32_t labels[] = {0, 1};
    cJSON *o = judged((RtScoredShape){.count = 2, .places = 1, .classes = 3}, scores, labels);
    cr_expect_float_eq(at(o, "worst", 0, "loss"), log(4.0), 1e-5);
    cr_expect_float_eq(at(o, "worst", 1, "p_label"), 0.75, 1e-5);
    cJSON_Delete(o);
}

static double pair(const cJSON *o, int i, int k) {
    return cJSON_GetArrayItem(cJSON_GetArrayItem(cJSON_GetObjectItem(o, "confused"), i), k)->valuedouble;
}

Test(report, classifier_of_two_classes_by_one_score) {
    const float logits[] = {2, -1, 0.5F, -3}, sure[] = {0.9F, 0.25F, 0.75F, 0.125F};
    const int32_t labels[] = {1, 1, 0, 0}, amounts[] = {1, 7, 0, 0};
    const RtScoredShape shape = {.count = 4, .places = 1, .classes = 1};
    cJSON *o = judged(shape, logits, labels);
    cr_expect_eq(cJSON_GetObjectItem(o, "classes")->valueint, 2);
    cr_expect_eq(cJSON_GetObjectItem(o, "right")->valueint, 2);
    cr_expect_eq(cJSON_GetObjectItem(o, "threshold")->valuedouble, 0);
    cr_expect_eq(at(o, "worst", 0, "row"), 1);
    cr_expect_float_eq(at(o, "worst", 0, "loss"), log(1 + exp(1.0)), 1e-5);
    cr_expect_float_eq(at(o, "worst", 0, "p_predicted"), 1 / (1 + exp(-1.0)), 1e-5);
    cJSON_Delete(o);
    o = judged(shape, sure, labels);
    cr_expect_eq(cJSON_GetObjectItem(o, "threshold")->valuedouble, 0.5);
    cr_expect_float_eq(at(o, "worst", 0, "loss"), log(4.0), 1e-5);
    cr_expect_float_eq(at(o, "worst", 3, "p_predicted"), 0.9, 1e-5);
    cJSON_Delete(o);
    cr_expect_null(judged(shape, logits, amounts), "labels that are no classes");
}

Test(report, classifier_of_sequences) {
    const float scores[2][2][3] = {{{5, 1, 0}, {0, 2, 4}}, {{0, 3, 0}, {9, 0, 0}}};
    const int32_t labels[] = {0, 1, 1, -1}; /* the second sequence is shorter */
    cJSON *o = judged((RtScoredShape){.count = 2, .places = 2, .classes = 3}, scores, labels);
    cr_expect_eq(cJSON_GetObjectItem(o, "looked_at")->valueint, 2);
    cr_expect_eq(cJSON_GetObjectItem(o, "judged")->valueint, 3);
    cr_expect_eq(cJSON_GetObjectItem(o, "right")->valueint, 2);
    cr_expect(at(o, "worst", 0, "row") == 0 && at(o, "worst", 0, "place") == 1 && at(o, "worst", 1, "row") == 1);
    cr_expect(pair(o, 0, 0) == 1 && pair(o, 0, 1) == 2 && pair(o, 0, 2) == 1 && pair(o, 0, 3) == 0.5);
    cJSON_Delete(o);
}

/* Of each class i two samples: one right, one taken for class i % 7; classes 0 to 6 have two that are right. */
Test(report, classifier_of_many_classes) {
    enum { CLASSES = 120, SAMPLES = 2 * CLASSES };
    float *scores = calloc(SAMPLES * CLASSES, sizeof *scores);
    int32_t labels[SAMPLES];
    for (int i = 0; i < SAMPLES; i++) {
        labels[i] = i / 2;
        scores[i * CLASSES + (i % 2 ? i / 2 % 7 : i / 2)] = 3;
    }
    for (int k = 0; k < 3; k++) labels[2 * k + 40] = 20, scores[(2 * k + 40) * CLASSES + 110] = 4;
    cJSON *o = judged((RtScoredShape){.count = SAMPLES, .places = 1, .classes = CLASSES}, scores, labels);
    cr_expect_null(cJSON_GetObjectItem(o, "matrix"));
    cr_expect_eq(cJSON_GetArraySize(cJSON_GetObjectItem(o, "confused")), RT_CONFUSED_PAIRS);
    cr_expect(pair(o, 0, 0) == 20 && pair(o, 0, 1) == 110 && pair(o, 0, 2) == 3 && pair(o, 0, 3) == 0.75);
    cr_expect(pair(o, 1, 0) != 20 && pair(o, 1, 2) == 1);
    cJSON_Delete(o);
    free(scores);
}

/* ---- pictures ---- */

static RtField field_of(const RtArray *a) {
    RtField f = {.dtype = a->dtype, .rank = a->rank - 1, .data = a->data};
    int64_t bytes = (int64_t)rt_dtype_size(a->dtype);
    for (int i = 1; i < a->rank; i++) bytes *= f.dims[i - 1] = a->dims[i];
    f.stride = bytes;
    return f;
}

Test(report, pictures) {
    static const struct {
        RtDType dtype;
        int rank;
        int64_t dims[4];
        bool picture;
    } cases[] = {{RT_U8, 3, {2, 28, 28}, true},   {RT_U8, 4, {2, 32, 32, 3}, true},
                 {RT_F32, 4, {2, 3, 8, 8}, true}, {RT_F32, 4, {2, 200, 100, 1}, true},
                 {RT_F32, 2, {2, 64}, false},     {RT_F32, 4, {2, 8, 8, 5}, false},
                 {RT_F32, 3, {2, 2, 2}, false},   {RT_I32, 3, {2, 28, 28}, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        RtArray a = {.dtype = cases[i].dtype, .rank = cases[i].rank};
        memcpy(a.dims, cases[i].dims, sizeof cases[i].dims);
        RtError e;
        cr_assert(rt_array_alloc(&a, "pixels", &e));
        memset(a.data, 1, (size_t)rt_array_elements(&a) * rt_dtype_size(a.dtype));
        RtField f = field_of(&a);
        char *uri = rt_picture_uri(&f, 1);
        cr_expect_eq(uri != NULL, cases[i].picture, "case %zu", i);
        cr_expect(uri == NULL || (strncmp(uri, "data:image/png;base64,iVBOR", 27) == 0 && strlen(uri) < 20000));
        free(uri);
        rt_array_free(&a);
    }
}
