/* The header is JSON of one shape only: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}, …}, with
   an optional "__metadata__" of strings. A scan makes sure of what the JSON reader would let pass: NULs, control
   characters, fractions, nesting. What is left for it is small and flat. */
#include "runtime/safetensors_header.h"
#include "runtime/utf8.h"
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

/* Objects in the object, arrays in those. */
enum { MAX_DEPTH = 3 };

/* The integers that a double, which is what the JSON reader gives, holds exactly. */
static const double largest_exact = 9007199254740992.0;

static const RtStoredType stored_types[] = {
    {"BOOL", 1, RT_BOOL}, {"U8", 1, RT_U8},     {"I8", 1, RT_I8},   {"I32", 4, RT_I32}, {"I64", 8, RT_I64},
    {"F16", 2, RT_F16},   {"BF16", 2, RT_BF16}, {"F32", 4, RT_F32}, {"F64", 8, RT_F64}, {"I16", 2, RT_I32},
    {"U16", 2, RT_I32},   {"U32", 4, RT_I64},   {"U64", 8, RT_I64}, {NULL, 0, RT_U8},
};

const RtStoredType *rt_stored_types(void) { return stored_types; }

/* The string that begins at text[*at]; leaves *at on its closing quote. */
static bool scan_string(const char *path, const char *text, size_t size, size_t *at, RtError *e) {
    size_t i = *at + 1;
    for (; i < size && text[i] != '"'; i++) {
        if ((unsigned char)text[i] < 0x20) return rt_fail(e, "%s: a control character in a name of the header", path);
        if (text[i] != '\\') continue;
        if (size - i > 5 && memcmp(text + i, "\\u0000", 6) == 0) {
            return rt_fail(e, "%s: a NUL in a name of the header", path);
        }
        i++; /* what is escaped is no quote */
    }
    *at = i;
    return i < size || rt_fail(e, "%s: the header is cut off inside a string", path);
}

static bool scan(const char *path, const char *text, size_t size, RtError *e) {
    size_t valid = rt_utf8_valid_until(text, size);
    if (valid < size) return rt_fail(e, "%s: the header is not UTF-8 at byte %zu", path, 8 + valid);
    int depth = 0;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '"') {
            if (!scan_string(path, text, size, &i, e)) return false;
        } else if (c == '{' || c == '[') {
            if (++depth > MAX_DEPTH) return rt_fail(e, "%s: the header is nested too deeply", path);
        } else if (c == '}' || c == ']') {
            depth--;
        } else if (c == '\0' || strchr("0123456789:, \t\r\n", c) == NULL) {
            return rt_fail(e, "%s: the header is malformed at byte %zu: only strings and integers from 0 are values",
                           path, 8 + i);
        }
    }
    return true;
}

static bool integer(const cJSON *item, int64_t *value) {
    if (!cJSON_IsNumber(item) || item->valuedouble < 0 || item->valuedouble > largest_exact) return false;
    *value = (int64_t)item->valuedouble;
    return true;
}

/* The three members, each once; others are skipped. */
static bool find_members(const cJSON *info, const cJSON *found[3]) {
    static const char *const names[3] = {"dtype", "shape", "data_offsets"};
    for (const cJSON *member = info->child; member != NULL; member = member->next) {
        for (int i = 0; i < 3; i++) {
            if (strcmp(member->string, names[i]) != 0) continue;
            if (found[i] != NULL) return false;
            found[i] = member;
        }
    }
    return cJSON_IsString(found[0]) && cJSON_IsArray(found[1]) && cJSON_IsArray(found[2]);
}

static bool read_type(const char *path, const char *tensor, const char *name, RtExtent *x, RtError *e) {
    for (x->type = stored_types; x->type->name != NULL; x->type++) {
        if (strcmp(x->type->name, name) == 0) return true;
    }
    return rt_fail(e, "%s: tensor '%s' is of the type '%s', which cannot be read", path, tensor, name);
}

static bool read_tensor(const char *path, const cJSON *info, RtTensor *t, RtExtent *x, RtError *e) {
    const char *name = info->string;
    const cJSON *found[3] = {NULL, NULL, NULL};
    if (!cJSON_IsObject(info) || !find_members(info, found)) {
        return rt_fail(e, "%s: tensor '%s' needs one dtype, one shape and one data_offsets", path, name);
    }
    if (!read_type(path, name, found[0]->valuestring, x, e)) return false;
    t->array.dtype = x->type->dtype;
    for (const cJSON *dim = found[1]->child; dim != NULL; dim = dim->next) {
        if (t->array.rank == RT_MAX_RANK) {
            return rt_fail(e, "%s: tensor '%s' has more than %d dimensions", path, name, RT_MAX_RANK);
        }
        if (!integer(dim, &t->array.dims[t->array.rank++])) {
            return rt_fail(e, "%s: tensor '%s' has a dimension that is no integer from 0 to 2^53", path, name);
        }
    }
    const cJSON *first = found[2]->child, *second = first == NULL ? NULL : first->next;
    int64_t begin, end;
    if (second == NULL || second->next != NULL || !integer(first, &begin) || !integer(second, &end) || end < begin) {
        return rt_fail(e, "%s: tensor '%s' needs two data_offsets, the first not above the second", path, name);
    }
    x->begin = (uint64_t)begin;
    x->end = (uint64_t)end;
    int64_t n = rt_array_elements(&t->array);
    if (n < 0 || (uint64_t)n * x->type->stored != x->end - x->begin) {
        return rt_fail(e, "%s: tensor '%s': its shape and type do not agree with its %lld bytes", path, name,
                       (long long)(end - begin));
    }
    return true;
}

static bool read_tags(const char *path, const cJSON *metadata, RtTensors *t, RtError *e) {
    if (!cJSON_IsObject(metadata) || t->tags != NULL) {
        return rt_fail(e, "%s: __metadata__ must be one object of strings", path);
    }
    t->tags = calloc((size_t)cJSON_GetArraySize(metadata) + 1, sizeof *t->tags);
    if (t->tags == NULL) return rt_fail(e, "%s: no memory", path);
    for (const cJSON *tag = metadata->child; tag != NULL; tag = tag->next) {
        if (!cJSON_IsString(tag)) return rt_fail(e, "%s: '%s' in __metadata__ is not a string", path, tag->string);
        RtTag *place = &t->tags[t->ntags++];
        *place = (RtTag){strdup(tag->string), strdup(tag->valuestring)};
        if (place->key == NULL || place->value == NULL) return rt_fail(e, "%s: no memory", path);
    }
    return true;
}

static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* An extent in data order; one of no bytes stands before another that begins where it does. */
static int by_place(const void *a, const void *b) {
    const RtExtent *x = a, *y = b;
    if (x->begin != y->begin) return x->begin < y->begin ? -1 : 1;
    return (x->end > y->end) - (x->end < y->end);
}

/* No name twice, neither a tensor's nor a tag's. */
static bool check_names(const char *path, const RtTensors *t, char **names, RtError *e) {
    for (int pass = 0; pass < 2; pass++) {
        int n = pass == 0 ? t->count : t->ntags;
        for (int i = 0; i < n; i++) names[i] = pass == 0 ? t->tensors[i].name : t->tags[i].key;
        qsort(names, (size_t)n, sizeof *names, by_text);
        for (int i = 1; i < n; i++) {
            if (strcmp(names[i - 1], names[i]) == 0) {
                return rt_fail(e, "%s: the header has the name '%s' twice", path, names[i]);
            }
        }
    }
    return true;
}

/* The extents, sorted, follow each other from 0 to the end of the data. */
static bool check_cover(const char *path, RtExtent *sorted, int n, uint64_t data, RtError *e) {
    qsort(sorted, (size_t)n, sizeof *sorted, by_place);
    uint64_t end = 0;
    for (int i = 0; i < n; i++) {
        if (sorted[i].begin != end) {
            return rt_fail(e, "%s: %s at byte %llu of the data", path,
                           sorted[i].begin < end ? "two tensors overlap" : "unused bytes lie",
                           (unsigned long long)(sorted[i].begin < end ? sorted[i].begin : end));
        }
        end = sorted[i].end;
    }
    return end == data || rt_fail(e, "%s: holds %llu bytes of data, but its tensors take %llu", path,
                                  (unsigned long long)data, (unsigned long long)end);
}

static bool read_header(const char *path, const cJSON *json, uint64_t data, RtTensors *t, RtExtent **extents,
                        RtError *e) {
    size_t n = (size_t)cJSON_GetArraySize(json);
    t->tensors = calloc(n + 1, sizeof *t->tensors);
    *extents = calloc(n + 1, sizeof **extents);
    if (t->tensors == NULL || *extents == NULL) return rt_fail(e, "%s: no memory", path);
    for (const cJSON *item = json->child; item != NULL; item = item->next) {
        if (strcmp(item->string, "__metadata__") == 0) {
            if (!read_tags(path, item, t, e)) return false;
            continue;
        }
        RtTensor *place = &t->tensors[t->count];
        RtExtent *extent = &(*extents)[t->count++];
        place->name = strdup(item->string);
        if (place->name == NULL) return rt_fail(e, "%s: no memory", path);
        if (!read_tensor(path, item, place, extent, e)) return false;
    }
    char **names = calloc((size_t)(t->count > t->ntags ? t->count : t->ntags) + 1, sizeof *names);
    RtExtent *sorted = calloc(n + 1, sizeof *sorted);
    bool good = names != NULL && sorted != NULL;
    if (good) {
        memcpy(sorted, *extents, (size_t)t->count * sizeof *sorted);
        good = check_names(path, t, names, e) && check_cover(path, sorted, t->count, data, e);
    } else {
        rt_fail(e, "%s: no memory", path);
    }
    free(names);
    free(sorted);
    return good;
}

bool rt_safetensors_header(const char *path, const char *text, size_t size, uint64_t data, RtTensors *t,
                           RtExtent **extents, RtError *e) {
    if (!scan(path, text, size, e)) return false;
    const char *end = NULL;
    cJSON *json = cJSON_ParseWithLengthOpts(text, size, &end, false);
    bool good = cJSON_IsObject(json);
    /* Spaces may follow: writers pad with them. */
    while (good && end < text + size && strchr(" \t\r\n", *end) != NULL) end++;
    if (good && end == text + size) {
        good = read_header(path, json, data, t, extents, e);
    } else {
        good = rt_fail(e, "%s: the header is not one JSON object", path);
    }
    cJSON_Delete(json);
    return good;
}
