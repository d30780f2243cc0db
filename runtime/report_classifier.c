/* What a classifier gets wrong: the confusion matrix, and the samples with the highest loss. */
#include "runtime/report.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

bool rt_scored_new(RtScored *s, int64_t count, int64_t batch, int64_t classes, RtDType scores_type,
                   RtDType labels_type) {
    int64_t room = count < RT_SCORED_SAMPLES ? count : RT_SCORED_SAMPLES, all = room + batch;
    *s = (RtScored){.room = room, .classes = classes, .scores_type = scores_type, .labels_type = labels_type};
    s->scores = calloc((size_t)(all * classes), rt_dtype_size(scores_type));
    s->labels = calloc((size_t)all, rt_dtype_size(labels_type));
    s->rows = calloc((size_t)room + 1, sizeof *s->rows);
    if (s->scores != NULL && s->labels != NULL && s->rows != NULL) return true;
    rt_scored_free(s);
    return false;
}

void rt_scored_free(RtScored *s) {
    free(s->scores);
    free(s->labels);
    free(s->rows);
    *s = (RtScored){0};
}

static int64_t done(const RtScored *s) { return s->at < s->room ? s->at : s->room; }

void rt_scored_begin(RtScored *s) { s->at = 0; }

void rt_scored_place(const RtScored *s, void **scores, void **labels) {
    *scores = s->scores + (size_t)(done(s) * s->classes) * rt_dtype_size(s->scores_type);
    *labels = s->labels + (size_t)done(s) * rt_dtype_size(s->labels_type);
}

void rt_scored_add(RtScored *s, const int32_t *rows, int64_t n) {
    int64_t first = done(s), kept = n < s->room - first ? n : s->room - first;
    memcpy(s->rows + first, rows, (size_t)kept * sizeof *rows);
    s->at += n;
}

/* ---- judging ---- */

typedef struct {
    int64_t sample, label, predicted;
    double loss, p_label, p_predicted;
} Verdict;

typedef struct {
    const RtScored *s;
    bool probabilities;
    int64_t judged, right;
    int64_t *matrix; /* [classes, classes], rows are labels; NULL where there are too many classes */
    Verdict worst[RT_WORST_SAMPLES + 1];
    int nworst;
} Judge;

static double score(const RtScored *s, int64_t sample, int64_t class) {
    return rt_element(s->scores, s->scores_type, sample * s->classes + class);
}

/* Whether each sample's scores are at least 0 and sum to 1. */
static bool are_probabilities(const RtScored *s) {
    for (int64_t i = 0; i < done(s); i++) {
        double sum = 0;
        for (int64_t c = 0; c < s->classes; c++) {
            double v = score(s, i, c);
            if (!(v >= 0)) return false;
            sum += v;
        }
        if (!(fabs(sum - 1) < 1e-3)) return false;
    }
    return true;
}

/* Minus the logarithm of the sum of exp(score - most). */
static double log_share(const RtScored *s, int64_t sample, double most) {
    double sum = 0;
    for (int64_t c = 0; c < s->classes; c++) sum += exp(score(s, sample, c) - most);
    return -log(sum);
}

/* Whether the sample's label and scores are some; then the verdict on it, without its loss where that is less than
 * those of the worst so far for sure. */
static bool judge(const Judge *j, int64_t sample, Verdict *v) {
    const RtScored *s = j->s;
    int64_t label = (int64_t)rt_element(s->labels, s->labels_type, sample), best = 0;
    if (label < 0 || label >= s->classes) return false;
    double most = score(s, sample, 0);
    for (int64_t c = 0; c < s->classes; c++) {
        double of_class = score(s, sample, c);
        if (isnan(of_class)) return false;
        if (of_class > most) most = of_class, best = c;
    }
    double of_label = score(s, sample, label);
    *v = (Verdict){.sample = sample, .label = label, .predicted = best};
    if (!isfinite(most)) return false;
    if (j->probabilities) {
        v->loss = -log(of_label);
        v->p_predicted = most;
    } else {
        double bound = most - of_label + log((double)s->classes);
        if (j->nworst == RT_WORST_SAMPLES && bound < j->worst[RT_WORST_SAMPLES - 1].loss) return true;
        double share = log_share(s, sample, most);
        v->loss = most - of_label - share;
        v->p_predicted = exp(share);
    }
    v->p_label = exp(-v->loss);
    return true;
}

/* Keeps the worst in falling order; of equals the first stays. */
static void keep_worst(Judge *j, Verdict v) {
    int at = j->nworst < RT_WORST_SAMPLES ? j->nworst++ : RT_WORST_SAMPLES;
    while (at > 0 && j->worst[at - 1].loss < v.loss) {
        j->worst[at] = j->worst[at - 1];
        at--;
    }
    j->worst[at] = v;
}

static void judge_all(Judge *j) {
    j->probabilities = are_probabilities(j->s);
    for (int64_t i = 0; i < done(j->s); i++) {
        Verdict v;
        if (!judge(j, i, &v)) continue;
        j->judged++;
        j->right += v.predicted == v.label;
        if (j->matrix != NULL) j->matrix[v.label * j->s->classes + v.predicted]++;
        keep_worst(j, v);
    }
}

/* ---- telling ---- */

/* The label field's names, where it has one for each class. */
static const char *const *names_of(const RtData *data, int64_t classes) {
    int field = rt_data_label_field(data);
    return field >= 0 && data->fields[field].nnames == classes ? data->fields[field].names : NULL;
}

static void add_matrix(const Judge *j, cJSON *o) {
    int64_t n = j->s->classes;
    cJSON *rows = cJSON_AddArrayToObject(o, "matrix");
    for (int64_t i = 0; i < n; i++) {
        cJSON *row = cJSON_CreateArray();
        for (int64_t k = 0; k < n; k++) cJSON_AddItemToArray(row, cJSON_CreateNumber((double)j->matrix[i * n + k]));
        cJSON_AddItemToArray(rows, row);
    }
}

/* The sample itself: a picture, or the numbers of its first field where they are not many. */
static void add_sample(cJSON *o, const RtData *data, int32_t row) {
    enum { MOST_NUMBERS = 256 };
    float numbers[MOST_NUMBERS];
    int picture = rt_picture_field(data);
    char *uri = picture >= 0 ? rt_picture_uri(&data->fields[picture], row) : NULL;
    if (uri != NULL) cJSON_AddStringToObject(o, "picture", uri);
    free(uri);
    const RtField *f = &data->fields[0];
    int64_t n = rt_field_elements(f);
    if (picture >= 0 || f->rank != 1 || n > MOST_NUMBERS || f->vocab > 0) return;
    for (int64_t i = 0; i < n; i++)
        numbers[i] = (float)rt_element((const char *)f->data + row * f->stride, f->dtype, i);
    rt_report_add_floats(o, "numbers", numbers, (int)n);
}

static void add_worst(const Judge *j, cJSON *o, const RtData *data) {
    cJSON *list = cJSON_AddArrayToObject(o, "worst");
    for (int i = 0; i < j->nworst; i++) {
        const Verdict *v = &j->worst[i];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddNumberToObject(one, "row", (double)j->s->rows[v->sample]);
        cJSON_AddNumberToObject(one, "label", (double)v->label);
        cJSON_AddNumberToObject(one, "predicted", (double)v->predicted);
        rt_report_add_number(one, "loss", v->loss);
        rt_report_add_number(one, "p_label", v->p_label);
        rt_report_add_number(one, "p_predicted", v->p_predicted);
        add_sample(one, data, j->s->rows[v->sample]);
        cJSON_AddItemToArray(list, one);
    }
}

cJSON *rt_scored_json(const RtScored *s, const RtData *data) {
    Judge j = {.s = s};
    if (done(s) == 0) return NULL;
    if (s->classes <= RT_MATRIX_CLASSES) j.matrix = calloc((size_t)(s->classes * s->classes), sizeof *j.matrix);
    judge_all(&j);
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "count", (double)data->count);
    cJSON_AddNumberToObject(o, "looked_at", (double)done(s));
    cJSON_AddNumberToObject(o, "judged", (double)j.judged);
    cJSON_AddNumberToObject(o, "right", (double)j.right);
    cJSON_AddNumberToObject(o, "classes", (double)s->classes);
    const char *const *names = names_of(data, s->classes);
    if (names != NULL) cJSON_AddItemToObject(o, "names", cJSON_CreateStringArray(names, (int)s->classes));
    if (j.matrix != NULL) add_matrix(&j, o);
    add_worst(&j, o, data);
    free(j.matrix);
    return o;
}
