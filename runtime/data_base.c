/* The memory behind fields. */
#include "runtime/data_base.h"
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool copy_names(RtBase *b, const char *const *names, int n, RtError *e) {
    b->names = calloc((size_t)n + 1, sizeof *b->names);
    for (int i = 0; b->names != NULL && i < n; i++) {
        b->names[i] = strdup(names[i]);
        if (b->names[i] == NULL) break;
        b->nnames++;
    }
    return b->nnames == n || rt_fail(e, "%s: no memory for %d names", b->source, n);
}

RtBase *rt_base_new(const char *name, const char *source, RtError *e) {
    RtBase *b = calloc(1, sizeof *b);
    if (b != NULL) {
        b->references = 1;
        b->name = strdup(name);
        b->source = strdup(source);
        if (b->name != NULL && b->source != NULL) return b;
    }
    rt_base_drop(b);
    rt_fail(e, "%s: no memory", source);
    return NULL;
}

RtBase *rt_base_labels(const char *source, int64_t n, const char *const *classes, int nclasses, RtError *e) {
    RtBase *b = rt_base_new("labels", source, e);
    if (b == NULL) return NULL;
    b->array = (RtArray){.dtype = RT_I32, .rank = 1, .dims = {n}};
    if (copy_names(b, classes, nclasses, e) && rt_array_alloc(&b->array, source, e)) return b;
    rt_base_drop(b);
    return NULL;
}

RtBase *rt_base_class_labels(const char *source, const RtClassFiles *files, RtError *e) {
    const RtNames *classes = &files->classes;
    RtBase *b = rt_base_labels(source, files->files.count, (const char *const *)classes->at, classes->count, e);
    if (b != NULL) memcpy(b->array.data, files->labels, (size_t)files->files.count * sizeof *files->labels);
    return b;
}

bool rt_base_check_memory(const RtBase *b, const char *option, RtError *e) {
    int64_t n = rt_array_elements(&b->array), size = (int64_t)rt_dtype_size(b->array.dtype);
    int64_t there = (int64_t)sysconf(_SC_PHYS_PAGES) * (int64_t)sysconf(_SC_PAGESIZE);
    if (n >= 0 && n <= there / size) return true;
    return rt_fail(
        e, "%s: its %lld samples need more memory than the %lld MiB that this machine has; a smaller %s takes less",
        b->source, (long long)b->array.dims[0], (long long)(there >> 20), option);
}

void rt_base_drop(RtBase *b) {
    if (b == NULL || --b->references > 0) return;
    for (int i = 0; i < b->nnames; i++) free(b->names[i]);
    free(b->names);
    free(b->alphabet);
    free(b->name);
    free(b->source);
    rt_array_free(&b->array);
    free(b);
}

RtField rt_base_field(RtBase *b) {
    RtField f = {.name = b->name, .source = b->source, .dtype = b->array.dtype, .rank = b->array.rank - 1};
    memcpy(f.dims, b->array.dims + 1, (size_t)f.rank * sizeof *f.dims);
    f.data = b->array.data;
    f.stride = rt_field_elements(&f) * (int64_t)rt_dtype_size(f.dtype);
    f.rows = b->array.dims[0];
    f.nnames = b->nnames;
    f.names = (const char *const *)b->names;
    f.vocab = b->vocab;
    f.alphabet = b->alphabet;
    f.base = b;
    return f;
}

bool rt_base_copy_facts(RtBase *to, const RtBase *from, RtError *e) {
    to->labels_known = from->labels_known;
    to->least_label = from->least_label;
    to->largest_label = from->largest_label;
    to->alphabet = malloc((size_t)from->vocab * sizeof *to->alphabet + 1);
    if (to->alphabet == NULL) return rt_fail(e, "%s: no memory", from->source);
    if (from->vocab > 0) memcpy(to->alphabet, from->alphabet, (size_t)from->vocab * sizeof *to->alphabet);
    to->vocab = from->vocab;
    return copy_names(to, (const char *const *)from->names, from->nnames, e);
}
