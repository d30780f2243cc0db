/* The memory behind fields. */
#include "runtime/data_base.h"
#include <stdlib.h>
#include <string.h>

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

void rt_base_drop(RtBase *b) {
    if (b == NULL || --b->references > 0) return;
    for (int i = 0; i < b->nnames; i++) free(b->names[i]);
    free(b->names);
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
    f.base = b;
    return f;
}

bool rt_base_copy_facts(RtBase *to, const RtBase *from, RtError *e) {
    to->labels_known = from->labels_known;
    to->least_label = from->least_label;
    to->largest_label = from->largest_label;
    to->names = calloc((size_t)from->nnames + 1, sizeof *to->names);
    for (int i = 0; to->names != NULL && i < from->nnames; i++) {
        to->names[i] = strdup(from->names[i]);
        if (to->names[i] == NULL) break;
        to->nnames++;
    }
    return to->nnames == from->nnames || rt_fail(e, "%s: no memory", from->source);
}
