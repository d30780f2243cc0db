/* What can be said about a data set: counts of classes, means. */
#include "runtime/data_base.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

int64_t rt_field_elements(const RtField *f) {
    int64_t n = 1;
    for (int i = 0; i < f->rank; i++) n *= f->dims[i];
    return n;
}

int rt_data_label_field(const RtData *d) {
    for (int i = d->nfields - 1; i >= 0; i--) {
        if (d->fields[i].rank == 0 && !rt_dtype_is_float(d->fields[i].dtype)) return i;
    }
    return -1;
}

/* Elements from one row to the next. */
static int64_t step_of(const RtField *f) { return f->stride / (int64_t)rt_dtype_size(f->dtype); }

static int64_t label_at(const RtField *f, int64_t element) {
    if (f->dtype == RT_I64) return ((const int64_t *)f->data)[element];
    return (int64_t)rt_element(f->data, f->dtype, element);
}

static void find_label_range(const RtField *f) {
    RtBase *b = f->base;
    if (b->labels_known) return;
    b->least_label = b->largest_label = label_at(f, 0);
    for (int64_t r = 1; r < f->rows; r++) {
        int64_t label = label_at(f, r);
        if (label < b->least_label) b->least_label = label;
        if (label > b->largest_label) b->largest_label = label;
    }
    b->labels_known = true;
}

int64_t rt_data_classes(const RtData *d, RtError *e) {
    int i = rt_data_label_field(d);
    if (i < 0) {
        rt_fail(e, "%s: has no classes, as it has no field with one integer a sample", d->fields[0].source);
        return -1;
    }
    const RtField *f = &d->fields[i];
    if (f->nnames > 0) return f->nnames;
    find_label_range(f);
    if (f->base->least_label < 0) {
        rt_fail(e, "%s: holds the label %lld; classes are counted from 0", f->source, (long long)f->base->least_label);
        return -1;
    }
    if (f->base->largest_label == INT64_MAX) return INT64_MAX;
    return f->base->largest_label + 1;
}

bool rt_data_check_labels(const RtData *d, int field, int64_t classes, RtError *e) {
    const RtField *f = &d->fields[field];
    int64_t n = rt_field_elements(f);
    if (f->vocab > 0 && f->vocab <= classes) return true;
    for (int64_t i = 0; i < d->count; i++) {
        int64_t row = d->rows == NULL ? i : d->rows[i], at = row * step_of(f);
        for (int64_t k = 0; k < n; k++) {
            int64_t label = label_at(f, at + k);
            if (label >= 0 && label < classes) continue;
            return rt_fail(e, "%s: sample %lld has the label %lld, but there are %lld classes (0 to %lld)", f->source,
                           (long long)row + 1, (long long)label, (long long)classes, (long long)classes - 1);
        }
    }
    return true;
}

void rt_data_mean_std(const RtData *d, int field, double *mean, double *std) {
    const RtField *f = &d->fields[field];
    int64_t n = rt_field_elements(f), step = step_of(f), first = (d->rows == NULL ? 0 : d->rows[0]) * step;
    for (int64_t k = 0; k < n; k++) mean[k] = std[k] = 0;
    /* Sums of (v - shift) and its square, the shift being the first sample: where the mean is large beside the
       deviations no digits are lost. */
    for (int64_t i = 1; i < d->count; i++) {
        int64_t row = (d->rows == NULL ? i : d->rows[i]) * step;
        for (int64_t k = 0; k < n; k++) {
            double v = rt_element(f->data, f->dtype, row + k) - rt_element(f->data, f->dtype, first + k);
            mean[k] += v;
            std[k] += v * v;
        }
    }
    for (int64_t k = 0; k < n; k++) {
        double offset = mean[k] / (double)d->count, variance = std[k] / (double)d->count - offset * offset;
        mean[k] = rt_element(f->data, f->dtype, first + k) + offset;
        std[k] = variance <= 0 ? 0 : sqrt(variance); /* a NaN stays one */
    }
}
