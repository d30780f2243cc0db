/* Data sets as views: shared memory, counted references, lists of row numbers. */
#include "runtime/data.h"
#include "runtime/data_base.h"
#include "runtime/random.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- views ---- */

/* A view of `count` samples with room for `nfields` fields and, where it is `listed`, for a list of rows. */
static RtData *new_view(int64_t count, bool listed, int nfields, RtError *e) {
    RtData *d = calloc(1, sizeof *d + (size_t)nfields * sizeof *d->fields);
    if (d != NULL) {
        d->count = count;
        d->rows = listed ? malloc((size_t)count * sizeof *d->rows) : NULL;
        if (!listed || d->rows != NULL) return d;
    }
    free(d);
    rt_fail(e, "a data set of %lld samples: no memory", (long long)count);
    return NULL;
}

static void add_field(RtData *d, const RtField *f) {
    d->fields[d->nfields++] = *f;
    f->base->references++;
}

void rt_data_free(RtData *d) {
    if (d == NULL) return;
    for (int i = 0; i < d->nfields; i++) rt_base_drop(d->fields[i].base);
    free(d->rows);
    free(d);
}

RtData *rt_data_from_fields(const RtField *fields, int n, RtError *e) {
    RtData *d = new_view(fields[0].rows, false, n, e);
    for (int i = 0; i < n; i++) {
        if (d != NULL)
            d->fields[d->nfields++] = fields[i];
        else
            rt_base_drop(fields[i].base);
    }
    return d;
}

RtData *rt_data_from_bases(RtBase *const *bases, int n, RtError *e) {
    RtField fields[2] = {rt_base_field(bases[0])};
    for (int i = 1; i < n; i++) fields[i] = rt_base_field(bases[i]);
    return rt_data_from_fields(fields, n, e);
}

/* A data set needs a sample, a sample needs an element, and a row number is an int32. */
static bool check_array(const RtArray *a, const char *source, RtError *e) {
    if (a->rank == 0) return rt_fail(e, "%s: a data set needs an array of rank 1 or more, this is a scalar", source);
    if (a->dims[0] == 0) return rt_fail(e, "%s: holds no samples", source);
    if (a->dims[0] > INT32_MAX) {
        return rt_fail(e, "%s: holds %lld samples; at most %d can be used", source, (long long)a->dims[0], INT32_MAX);
    }
    return rt_array_elements(a) > 0 || rt_fail(e, "%s: its samples hold no elements", source);
}

RtData *rt_data_from_array(RtArray *a, const char *name, const char *source, RtError *e) {
    RtBase *b = check_array(a, source, e) ? rt_base_new(name, source, e) : NULL;
    if (b == NULL) {
        rt_array_free(a);
        return NULL;
    }
    b->array = *a;
    return rt_data_from_bases(&b, 1, e);
}

static int32_t row_of(const RtData *d, int64_t sample) { return d->rows == NULL ? (int32_t)sample : d->rows[sample]; }

void rt_data_rows(const RtData *d, int32_t *rows) {
    for (int64_t i = 0; i < d->count; i++) rows[i] = row_of(d, i);
}

void rt_data_prefetch(const RtData *d, const int32_t *rows, int64_t n) {
    enum { LINE = 64, MOST = 256 << 10 };
    int64_t fetched = 0;
    for (int i = 0; i < d->nfields; i++) {
        const RtField *f = &d->fields[i];
        int64_t bytes = rt_field_elements(f) * (int64_t)rt_dtype_size(f->dtype);
        for (int64_t k = 0; k < n && fetched < MOST; k++) {
            const char *row = (const char *)f->data + rows[k] * f->stride;
            for (int64_t at = 0; at < bytes && at < MOST; at += LINE) __builtin_prefetch(row + at, 0, 2);
            fetched += bytes;
        }
    }
}

/* A view of `count` samples of `d`: those numbered in `samples`, or where it is NULL those from `first` on. */
static RtData *pick(const RtData *d, const int32_t *samples, int64_t first, int64_t count, RtError *e) {
    bool listed = samples != NULL || first != 0 || d->rows != NULL;
    RtData *view = new_view(count, listed, d->nfields, e);
    if (view == NULL) return NULL;
    for (int64_t i = 0; listed && i < count; i++) view->rows[i] = row_of(d, samples != NULL ? samples[i] : first + i);
    for (int i = 0; i < d->nfields; i++) add_field(view, &d->fields[i]);
    return view;
}

RtData *rt_data_take(const RtData *d, int64_t n, RtError *e) {
    if (n >= 1) return pick(d, NULL, 0, n < d->count ? n : d->count, e);
    rt_fail(e, "%s: take of %lld samples leaves none", d->fields[0].source, (long long)n);
    return NULL;
}

RtData *rt_data_skip(const RtData *d, int64_t n, RtError *e) {
    if (n >= 0 && n < d->count) return pick(d, NULL, n, d->count - n, e);
    rt_fail(e, "%s: cannot skip %lld of %lld samples", d->fields[0].source, (long long)n, (long long)d->count);
    return NULL;
}

/* ---- split ---- */

/* The seed of every split: a split must not change from run to run, nor with the run's own seed. */
enum { SPLIT_SEED = 1 };

static int by_number(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Two views of `d`: the samples order[0..first-1] and order[from..]; NULL is their own order. */
static bool pick_parts(const RtData *d, const int32_t *order, int64_t first, int64_t from, RtData *parts[2],
                       RtError *e) {
    parts[0] = pick(d, order, 0, first, e);
    if (parts[0] == NULL) return false;
    parts[1] = pick(d, order == NULL ? NULL : order + from, from, d->count - from, e);
    if (parts[1] != NULL) return true;
    rt_data_free(parts[0]);
    parts[0] = NULL;
    return false;
}

/* The end of a text is held back from its beginning: no character that is predicted in one part is in the other. */
static bool split_in_order(const RtData *d, int64_t from, int64_t reach, RtData *parts[2], RtError *e) {
    int64_t first = from;
    while (first > 0 && row_of(d, first - 1) + reach > row_of(d, from)) first--;
    if (first > 0) return pick_parts(d, NULL, first, from, parts, e);
    return rt_fail(e, "%s: the windows of the first part all overlap those of the second", d->fields[0].source);
}

bool rt_data_split(const RtData *d, double fraction, RtData *parts[2], RtError *e) {
    const char *source = d->fields[0].source;
    int64_t reach = 0;
    parts[0] = parts[1] = NULL;
    if (!(fraction > 0 && fraction < 1)) return rt_fail(e, "%s: a split needs a fraction between 0 and 1", source);
    int64_t first = llround(fraction * (double)d->count);
    if (first < 1 || first >= d->count) {
        return rt_fail(e, "%s: a split of %lld samples at %g leaves one part empty", source, (long long)d->count,
                       fraction);
    }
    for (int i = 0; i < d->nfields; i++) {
        if (d->fields[i].reach > reach) reach = d->fields[i].reach;
    }
    if (reach > 0) return split_in_order(d, first, reach, parts, e);
    int32_t *order = malloc((size_t)d->count * sizeof *order);
    if (order == NULL) return rt_fail(e, "%s: no memory to split it", source);
    for (int64_t i = 0; i < d->count; i++) order[i] = (int32_t)i;
    rt_shuffle(order, d->count, SPLIT_SEED, 0);
    /* Within each part the samples stand in the order of the file again. */
    qsort(order, (size_t)first, sizeof *order, by_number);
    qsort(order + first, (size_t)(d->count - first), sizeof *order, by_number);
    bool good = pick_parts(d, order, first, first, parts, e);
    free(order);
    return good;
}

/* ---- zip ---- */

static bool same_rows(const RtData *a, const RtData *b) {
    if (a->rows == NULL || b->rows == NULL) return a->rows == b->rows;
    return memcmp(a->rows, b->rows, (size_t)a->count * sizeof *a->rows) == 0;
}

/* Adds to `into` a copy of field `f` of `d` in which sample i is row i. */
static bool add_dense_copy(RtData *into, const RtData *d, const RtField *f, RtError *e) {
    RtBase *b = rt_base_new(f->name, f->source, e);
    if (b == NULL) return false;
    b->array.dtype = f->dtype;
    b->array.rank = f->rank + 1;
    b->array.dims[0] = d->count;
    memcpy(b->array.dims + 1, f->dims, (size_t)f->rank * sizeof *f->dims);
    if (!rt_base_copy_facts(b, f->base, e) || !rt_array_alloc(&b->array, f->source, e)) {
        rt_base_drop(b);
        return false;
    }
    RtField copy = rt_base_field(b);
    copy.reach = f->reach;
    size_t bytes = (size_t)copy.stride;
    for (int64_t i = 0; i < d->count; i++) {
        memcpy((char *)b->array.data + (size_t)i * bytes, (const char *)f->data + row_of(d, i) * f->stride, bytes);
    }
    into->fields[into->nfields++] = copy;
    return true;
}

RtData *rt_data_zip(const RtData *const *parts, int nparts, RtError *e) {
    const RtData *first = parts[0];
    int nfields = 0;
    bool aligned = true;
    for (int p = 0; p < nparts; p++) {
        if (parts[p]->count != first->count) {
            rt_fail(e, "zip: %s holds %lld samples, %s holds %lld", first->fields[0].source, (long long)first->count,
                    parts[p]->fields[0].source, (long long)parts[p]->count);
            return NULL;
        }
        nfields += parts[p]->nfields;
        aligned = aligned && same_rows(first, parts[p]);
    }
    RtData *d = new_view(first->count, aligned && first->rows != NULL, nfields, e);
    if (d == NULL) return NULL;
    if (d->rows != NULL) memcpy(d->rows, first->rows, (size_t)d->count * sizeof *d->rows);
    for (int p = 0; p < nparts; p++) {
        for (int i = 0; i < parts[p]->nfields; i++) {
            const RtField *f = &parts[p]->fields[i];
            if (aligned || parts[p]->rows == NULL) {
                add_field(d, f);
            } else if (!add_dense_copy(d, parts[p], f, e)) {
                rt_data_free(d);
                return NULL;
            }
        }
    }
    return d;
}
