/* A safetensors file: the header's length as a little-endian uint64, the header, the tensors' bytes. */
#include "runtime/safetensors.h"
#include "runtime/array_bytes.h"
#include "runtime/files.h"
#include "runtime/safetensors_header.h"
#include "runtime/stream.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* The format's own limit. */
enum { MAX_HEADER = 100000000 };

void rt_tensors_free(RtTensors *t) {
    if (t == NULL) return;
    for (int i = 0; i < t->count; i++) {
        free(t->tensors[i].name);
        rt_array_free(&t->tensors[i].array);
    }
    for (int i = 0; i < t->ntags; i++) {
        free(t->tags[i].key);
        free(t->tags[i].value);
    }
    free(t->tensors);
    free(t->tags);
    free(t);
}

const RtTensor *rt_tensors_find(const RtTensors *t, const char *name) {
    for (int i = 0; i < t->count; i++) {
        if (strcmp(t->tensors[i].name, name) == 0) return &t->tensors[i];
    }
    return NULL;
}

const char *rt_tensors_tag(const RtTensors *t, const char *key) {
    for (int i = 0; i < t->ntags; i++) {
        if (strcmp(t->tags[i].key, key) == 0) return t->tags[i].value;
    }
    return NULL;
}

/* ---- reading ---- */

static bool make_native(RtTensor *t, const RtStoredType *type, const char *path, RtError *e) {
    void *data = t->array.data;
    int64_t n = rt_array_elements(&t->array);
    if (t->array.dtype == RT_BOOL) {
        for (int64_t i = 0; i < n; i++) ((uint8_t *)data)[i] = ((uint8_t *)data)[i] != 0;
    } else if (strcmp(type->name, "I16") == 0) {
        rt_bytes_widen_i16(data, n);
    } else if (strcmp(type->name, "U16") == 0) {
        rt_bytes_widen_u16(data, n);
    } else if (strcmp(type->name, "U32") == 0) {
        rt_bytes_widen_u32(data, n);
    } else if (strcmp(type->name, "U64") == 0 && rt_bytes_first_beyond_i64(data, n) >= 0) {
        return rt_fail(e, "%s: tensor '%s' has values that do not fit in i64", path, t->name);
    }
    return true;
}

typedef struct {
    uint64_t begin;
    int tensor;
} Place;

static int by_begin(const void *a, const void *b) {
    const Place *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return x->tensor - y->tensor;
}

/* Reads the tensors front to back: the header may list them in another order. Empty ones take no bytes. */
static bool read_tensors(RtStream *s, const char *path, RtTensors *t, const RtExtent *extents, RtError *e) {
    Place *order = calloc((size_t)t->count + 1, sizeof *order);
    if (order == NULL) return rt_fail(e, "%s: no memory", path);
    for (int i = 0; i < t->count; i++) order[i] = (Place){extents[i].begin, i};
    qsort(order, (size_t)t->count, sizeof *order, by_begin);
    bool good = true;
    for (int i = 0; good && i < t->count; i++) {
        int k = order[i].tensor;
        RtTensor *tensor = &t->tensors[k];
        good = rt_array_alloc(&tensor->array, path, e) &&
               rt_stream_read(s, tensor->array.data, (size_t)(extents[k].end - extents[k].begin), e) &&
               make_native(tensor, extents[k].type, path, e);
    }
    free(order);
    return good;
}

static bool read_file(RtStream *s, const char *path, RtTensors *t, RtExtent **extents, RtError *e) {
    uint8_t field[8];
    uint64_t length = 0;
    if (!rt_stream_read(s, field, sizeof field, e)) return false;
    for (int i = 8; i-- > 0;) length = length << 8 | field[i];
    uint64_t room = rt_stream_room(s);
    if (length == 0 || length > MAX_HEADER || length > room) {
        return rt_fail(e, "%s: is not a safetensors file: it declares a header of %llu bytes", path,
                       (unsigned long long)length);
    }
    char *text = malloc((size_t)length + 1);
    if (text == NULL) return rt_fail(e, "%s: no memory for its header", path);
    bool good = rt_stream_read(s, text, (size_t)length, e);
    text[good ? length : 0] = '\0';
    good = good && rt_safetensors_header(path, text, (size_t)length, room - length, t, extents, e);
    free(text);
    return good && read_tensors(s, path, t, *extents, e);
}

RtTensors *rt_safetensors_read(const char *path, RtError *e) {
    RtStream *s = rt_stream_open(path, false, e);
    if (s == NULL) return NULL;
    RtTensors *t = calloc(1, sizeof *t);
    RtExtent *extents = NULL;
    bool good = t != NULL ? read_file(s, path, t, &extents, e) : rt_fail(e, "%s: no memory", path);
    free(extents);
    rt_stream_close(s);
    if (good) return t;
    rt_tensors_free(t);
    return NULL;
}

/* ---- writing ---- */

static int by_size_and_name(const void *a, const void *b) {
    const RtTensor *x = *(const RtTensor *const *)a, *y = *(const RtTensor *const *)b;
    size_t size_x = rt_dtype_size(x->array.dtype), size_y = rt_dtype_size(y->array.dtype);
    if (size_x != size_y) return size_x > size_y ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_key(const void *a, const void *b) {
    return strcmp((*(const RtTag *const *)a)->key, (*(const RtTag *const *)b)->key);
}

static size_t bytes_of(const RtArray *a) { return (size_t)rt_array_elements(a) * rt_dtype_size(a->dtype); }

static const char *type_name(RtDType t) {
    const RtStoredType *type = rt_stored_types();
    while (type->dtype != t) type++;
    return type->name;
}

static bool add_tensor(cJSON *header, const RtTensor *t, size_t begin) {
    cJSON *info = cJSON_AddObjectToObject(header, t->name);
    cJSON *type = cJSON_AddStringToObject(info, "dtype", type_name(t->array.dtype));
    cJSON *shape = cJSON_AddArrayToObject(info, "shape"), *offsets = cJSON_AddArrayToObject(info, "data_offsets");
    bool good = type != NULL && shape != NULL && offsets != NULL;
    for (int i = 0; i < t->array.rank; i++) {
        good = cJSON_AddItemToArray(shape, cJSON_CreateNumber((double)t->array.dims[i])) && good;
    }
    good = cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)begin)) && good;
    return cJSON_AddItemToArray(offsets, cJSON_CreateNumber((double)(begin + bytes_of(&t->array)))) && good;
}

/* The header of the tensors in that order; to be freed with cJSON_free(). NULL: no memory. */
static char *header_text(const RtTensor *const *tensors, int count, const RtTag *const *tags, int ntags) {
    cJSON *header = cJSON_CreateObject();
    bool good = header != NULL;
    cJSON *metadata = ntags > 0 ? cJSON_AddObjectToObject(header, "__metadata__") : NULL;
    for (int i = 0; i < ntags; i++) good = cJSON_AddStringToObject(metadata, tags[i]->key, tags[i]->value) && good;
    size_t begin = 0;
    for (int i = 0; i < count; i++) {
        good = add_tensor(header, tensors[i], begin) && good;
        begin += bytes_of(&tensors[i]->array);
    }
    char *text = good ? cJSON_PrintUnformatted(header) : NULL;
    cJSON_Delete(header);
    return text;
}

/* Length, header padded with spaces to a multiple of 8, data. Errors stay in the stream for the commit to see. */
static void write_all(FILE *f, const char *text, const RtTensor *const *tensors, int count) {
    uint64_t length = (strlen(text) + 7) / 8 * 8;
    for (int i = 0; i < 8; i++) fputc((int)(length >> 8 * i & 0xFF), f);
    fprintf(f, "%-*s", (int)length, text);
    for (int i = 0; i < count; i++) fwrite(tensors[i]->array.data, 1, bytes_of(&tensors[i]->array), f);
}

bool rt_safetensors_write(const char *path, const RtTensor *tensors, int count, const RtTag *tags, int ntags,
                          RtError *e) {
    const RtTensor **order = calloc((size_t)count + 1, sizeof *order);
    const RtTag **sorted = calloc((size_t)ntags + 1, sizeof *sorted);
    char *text = NULL;
    if (order != NULL && sorted != NULL) {
        for (int i = 0; i < count; i++) order[i] = &tensors[i];
        for (int i = 0; i < ntags; i++) sorted[i] = &tags[i];
        qsort(order, (size_t)count, sizeof *order, by_size_and_name);
        qsort(sorted, (size_t)ntags, sizeof *sorted, by_key);
        text = header_text(order, count, sorted, ntags);
    }
    RtReplace r;
    bool good = text != NULL && strlen(text) <= MAX_HEADER - 8;
    if (!good) rt_fail(e, "%s: its header takes more memory than there is or a reader would take", path);
    if (good) good = rt_replace_begin(&r, path, e);
    if (good) {
        write_all(r.file, text, order, count);
        good = rt_replace_commit(&r, e);
    }
    cJSON_free(text);
    free(order);
    free(sorted);
    return good;
}
