/* What a classifier gets wrong: the confusion matrix, the pairs confused most, and the samples with the highest loss.
 */
#include "runtime/report.h"
#include "runtime/utf8.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Samples that are kept, and bytes of one. */
static int64_t room_of(const RtScoredShape *s) {
    int64_t most = s->places < RT_SCORED_PLACES ? RT_SCORED_PLACES / s->places : 1;
    return s->count < most ? s->count : most;
}

static int64_t score_bytes(const RtScoredShape *s) {
    return s->places * s->classes * (int64_t)rt_dtype_size(s->scores);
}

static int64_t label_bytes(const RtScoredShape *s) { return s->places * (int64_t)rt_dtype_size(s->labels); }

int64_t rt_scored_bytes(const RtScoredShape *s) {
    return (room_of(s) + s->batch) * (score_bytes(s) + label_bytes(s) + (int64_t)sizeof(int32_t));
}

bool rt_scored_new(RtScored *s, const RtScoredShape *shape) {
    *s = (RtScored){.shape = *shape, .room = room_of(shape)};
    size_t all = (size_t)(s->room + shape->batch);
    s->scores = calloc(all, (size_t)score_bytes(shape));
    s->labels = calloc(all, (size_t)label_bytes(shape));
    s->rows = calloc(all, sizeof *s->rows);
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
    *scores = s->scores + done(s) * score_bytes(&s->shape);
    *labels = s->labels + done(s) * label_bytes(&s->shape);
}

void rt_scored_add(RtScored *s, const int32_t *rows, int64_t n) {
    int64_t first = done(s), kept = n < s->room - first ? n : s->room - first;
    memcpy(s->rows + first, rows, (size_t)kept * sizeof *rows);
    s->at += n;
}

/* ---- judging ---- */

/* On one label; `at` counts them all. */
typedef struct {
    int64_t at, label, predicted;
    double loss, p_label, p_predicted;
} Verdict;

typedef struct {
    int64_t label, predicted, count;
    double share; /* of those with the label */
} Pair;

typedef struct {
    const RtScored *s;
    int64_t classes; /* at least two */
    bool probabilities;
    int64_t judged, right;
    int64_t *labels; /* how often each class is the label */
    Pair *wrong;     /* of each mistake, then of each kind of mistake, the most frequent first */
    int64_t nwrong;
    Verdict worst[RT_WORST_SAMPLES + 1];
    int nworst;
} Judge;

static int64_t labels_done(const RtScored *s) { return done(s) * s->shape.places; }

static double score(const RtScored *s, int64_t at, int64_t class) {
    return rt_element(s->scores, s->shape.scores, at * s->shape.classes + class);
}

static int64_t label_at(const RtScored *s, int64_t at) { return (int64_t)rt_element(s->labels, s->shape.labels, at); }

/* Whether all scores are from 0 to 1, and sum to 1 where there is one for each class. */
static bool are_probabilities(const RtScored *s) {
    for (int64_t i = 0; i < labels_done(s); i++) {
        double sum = 0;
        for (int64_t c = 0; c < s->shape.classes; c++) {
            double v = score(s, i, c);
            if (!(v >= 0)) return false;
            sum += v;
        }
        if (!(s->shape.classes == 1 ? sum <= 1 : fabs(sum - 1) < 1e-3)) return false;
    }
    return true;
}

/* One score for two classes, or labels that are floats, is no classifier's where a label is not the number of a class.
 */
static bool are_classes(const RtScored *s) {
    double classes = s->shape.classes == 1 ? 2 : (double)s->shape.classes;
    if (s->shape.classes > 1 && !rt_dtype_is_float(s->shape.labels)) return true;
    for (int64_t i = 0; i < labels_done(s); i++) {
        double label = rt_element(s->labels, s->shape.labels, i);
        if (!(label >= 0 && label < classes && label == floor(label))) return false;
    }
    return true;
}

/* Minus the logarithm of the sum of exp(score - most). */
static double log_share(const RtScored *s, int64_t at, double most) {
    double sum = 0;
    for (int64_t c = 0; c < s->shape.classes; c++) sum += exp(score(s, at, c) - most);
    return -log(sum);
}

/* By one score for two classes. */
static bool judge_score(const Judge *j, int64_t at, Verdict *v) {
    double of_one = score(j->s, at, 0), sign = v->label ? 1 : -1;
    if (!isfinite(of_one)) return false;
    v->predicted = of_one > (j->probabilities ? 0.5 : 0);
    if (j->probabilities)
        v->loss = -log(v->label ? of_one : 1 - of_one);
    else
        v->loss = fmax(-sign * of_one, 0) + log1p(exp(-fabs(of_one)));
    v->p_label = exp(-v->loss);
    v->p_predicted = v->predicted == v->label ? v->p_label : 1 - v->p_label;
    return true;
}

/* By a score for each class; without the loss where that is less than those of the worst so far for sure. */
static bool judge_scores(const Judge *j, int64_t at, Verdict *v) {
    const RtScored *s = j->s;
    double most = score(s, at, 0), of_label = score(s, at, v->label);
    for (int64_t c = 0; c < j->classes; c++) {
        double of_class = score(s, at, c);
        if (isnan(of_class)) return false;
        if (of_class > most) most = of_class, v->predicted = c;
    }
    if (!isfinite(most)) return false;
    if (j->probabilities) {
        v->loss = -log(of_label);
        v->p_predicted = most;
    } else {
        double bound = most - of_label + log((double)j->classes);
        if (j->nworst == RT_WORST_SAMPLES && bound < j->worst[RT_WORST_SAMPLES - 1].loss) return true;
        double share = log_share(s, at, most);
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

/* What has no label that is a class is left out, as what is behind the end of a sequence. */
static void judge_all(Judge *j) {
    j->probabilities = are_probabilities(j->s);
    for (int64_t i = 0; i < labels_done(j->s); i++) {
        Verdict v = {.at = i, .label = label_at(j->s, i)};
        if (v.label < 0 || v.label >= j->classes) continue;
        if (!(j->s->shape.classes == 1 ? judge_score(j, i, &v) : judge_scores(j, i, &v))) continue;
        j->judged++;
        j->right += v.predicted == v.label;
        j->labels[v.label]++;
        if (v.predicted != v.label) j->wrong[j->nwrong++] = (Pair){v.label, v.predicted, 1, 0};
        keep_worst(j, v);
    }
}

static int by_classes(const void *a, const void *b) {
    const Pair *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return (x->predicted > y->predicted) - (x->predicted < y->predicted);
}

static int most_frequent_first(const void *a, const void *b) {
    const Pair *x = a, *y = b;
    if (x->count != y->count) return x->count > y->count ? -1 : 1;
    if (x->share != y->share) return x->share > y->share ? -1 : 1;
    return by_classes(a, b);
}

/* Mistakes of one kind become one. */
static void count_pairs(Judge *j) {
    int64_t n = 0;
    qsort(j->wrong, (size_t)j->nwrong, sizeof *j->wrong, by_classes);
    for (int64_t i = 0; i < j->nwrong; i++) {
        if (n > 0 && by_classes(&j->wrong[n - 1], &j->wrong[i]) == 0)
            j->wrong[n - 1].count++;
        else
            j->wrong[n++] = j->wrong[i];
    }
    j->nwrong = n;
    for (int64_t i = 0; i < n; i++)
        j->wrong[i].share = (double)j->wrong[i].count / (double)j->labels[j->wrong[i].label];
    qsort(j->wrong, (size_t)n, sizeof *j->wrong, most_frequent_first);
}

/* ---- telling ---- */

/* The text that the labels are characters of, or NULL. */
static const RtField *text_of(const RtData *data, int64_t classes) {
    for (int i = 0; i < data->nfields; i++)
        if (data->fields[i].vocab == classes) return &data->fields[i];
    return NULL;
}

static void add_names(cJSON *o, const RtData *data, int64_t classes) {
    int field = rt_data_label_field(data);
    const RtField *text = text_of(data, classes);
    if (field >= 0 && data->fields[field].nnames == classes) {
        cJSON_AddItemToObject(o, "names", cJSON_CreateStringArray(data->fields[field].names, (int)classes));
    } else if (text != NULL) {
        cJSON *names = cJSON_AddArrayToObject(o, "names");
        for (int64_t i = 0; i < classes; i++) {
            char name[5] = {0};
            rt_utf8_encode(text->alphabet[i], name);
            cJSON_AddItemToArray(names, cJSON_CreateString(name));
        }
    }
}

static void add_matrix(const Judge *j, cJSON *o) {
    int64_t n = j->classes;
    double *matrix = calloc((size_t)(n * n), sizeof *matrix);
    if (matrix == NULL) return;
    for (int64_t i = 0; i < n; i++) matrix[i * n + i] = (double)j->labels[i];
    for (int64_t i = 0; i < j->nwrong; i++) {
        const Pair *p = &j->wrong[i];
        matrix[p->label * n + p->predicted] += (double)p->count;
        matrix[p->label * n + p->label] -= (double)p->count;
    }
    cJSON *rows = cJSON_AddArrayToObject(o, "matrix");
    for (int64_t i = 0; i < n; i++) cJSON_AddItemToArray(rows, cJSON_CreateDoubleArray(matrix + i * n, (int)n));
    free(matrix);
}

/* [label, predicted, count, share] */
static void add_confused(const Judge *j, cJSON *o) {
    cJSON *list = cJSON_AddArrayToObject(o, "confused");
    for (int64_t i = 0; i < j->nwrong && i < RT_CONFUSED_PAIRS; i++) {
        const Pair *p = &j->wrong[i];
        const double numbers[] = {(double)p->label, (double)p->predicted, (double)p->count, p->share};
        cJSON_AddItemToArray(list, cJSON_CreateDoubleArray(numbers, 4));
    }
}

/* The characters that were read up to a place of a text. */
static void add_text(cJSON *o, const RtField *f, int32_t row, int64_t place) {
    enum { MOST = 24 };
    char text[4 * MOST + 1];
    size_t n = 0;
    for (int64_t i = place < MOST ? 0 : place - MOST + 1; i <= place; i++) {
        int64_t c = (int64_t)rt_element((const char *)f->data + row * f->stride, f->dtype, i);
        if (c >= 0 && c < f->vocab) n += rt_utf8_encode(f->alphabet[c], text + n);
    }
    text[n] = 0;
    cJSON_AddStringToObject(o, "text", text);
}

/* The sample itself: a picture, a piece of a text, or the numbers of its first field where they are not many. */
static void add_sample(cJSON *o, const RtData *data, int32_t row, int64_t place) {
    enum { MOST_NUMBERS = 256 };
    float numbers[MOST_NUMBERS];
    int picture = rt_picture_field(data);
    char *uri = picture >= 0 ? rt_picture_uri(&data->fields[picture], row) : NULL;
    if (uri != NULL) cJSON_AddStringToObject(o, "picture", uri);
    free(uri);
    const RtField *f = &data->fields[0];
    int64_t n = rt_field_elements(f);
    if (f->vocab > 0 && place < n) add_text(o, f, row, place);
    if (picture >= 0 || f->rank != 1 || n > MOST_NUMBERS || f->vocab > 0) return;
    for (int64_t i = 0; i < n; i++)
        numbers[i] = (float)rt_element((const char *)f->data + row * f->stride, f->dtype, i);
    rt_report_add_floats(o, "numbers", numbers, (int)n);
}

static void add_worst(const Judge *j, cJSON *o, const RtData *data) {
    cJSON *list = cJSON_AddArrayToObject(o, "worst");
    int64_t places = j->s->shape.places;
    for (int i = 0; i < j->nworst; i++) {
        const Verdict *v = &j->worst[i];
        int32_t row = j->s->rows[v->at / places];
        cJSON *one = cJSON_CreateObject();
        cJSON_AddNumberToObject(one, "row", (double)row);
        if (places > 1) cJSON_AddNumberToObject(one, "place", (double)(v->at % places));
        cJSON_AddNumberToObject(one, "label", (double)v->label);
        cJSON_AddNumberToObject(one, "predicted", (double)v->predicted);
        rt_report_add_number(one, "loss", v->loss);
        rt_report_add_number(one, "p_label", v->p_label);
        rt_report_add_number(one, "p_predicted", v->p_predicted);
        add_sample(one, data, row, v->at % places);
        cJSON_AddItemToArray(list, one);
    }
}

static cJSON *tell(const Judge *j, const RtData *data) {
    cJSON *o = cJSON_CreateObject();
    cJSON_AddNumberToObject(o, "count", (double)data->count);
    cJSON_AddNumberToObject(o, "looked_at", (double)done(j->s));
    cJSON_AddNumberToObject(o, "places", (double)j->s->shape.places);
    cJSON_AddNumberToObject(o, "judged", (double)j->judged);
    cJSON_AddNumberToObject(o, "right", (double)j->right);
    cJSON_AddNumberToObject(o, "classes", (double)j->classes);
    if (j->s->shape.classes == 1) cJSON_AddNumberToObject(o, "threshold", j->probabilities ? 0.5 : 0);
    add_names(o, data, j->classes);
    if (j->classes <= RT_MATRIX_CLASSES) add_matrix(j, o);
    add_confused(j, o);
    add_worst(j, o, data);
    return o;
}

cJSON *rt_scored_json(const RtScored *s, const RtData *data) {
    Judge j = {.s = s, .classes = s->shape.classes > 1 ? s->shape.classes : 2};
    if (done(s) == 0 || !are_classes(s)) return NULL;
    j.labels = calloc((size_t)j.classes, sizeof *j.labels);
    j.wrong = calloc((size_t)labels_done(s), sizeof *j.wrong);
    cJSON *o = NULL;
    if (j.labels != NULL && j.wrong != NULL) {
        judge_all(&j);
        count_pairs(&j);
        o = tell(&j, data);
    }
    free(j.labels);
    free(j.wrong);
    return o;
}
