/* What is behind a field; for the parts of the runtime that make data sets. */
#ifndef RT_DATA_BASE_H
#define RT_DATA_BASE_H

#include "runtime/data.h"
#include "runtime/folders.h"

struct RtBase {
    int references;
    RtArray array; /* leading dim: rows */
    char *name, *source;
    int nnames;
    char **names;
    int vocab;
    int32_t *alphabet;
    bool labels_known; /* the next two hold; worked out once, on the whole file */
    int64_t least_label, largest_label;
};

/** With one reference, which becomes the caller's. */
RtBase *rt_base_new(const char *name, const char *source, RtError *e);
/** For `n` labels of named classes. */
RtBase *rt_base_labels(const char *source, int64_t n, const char *const *classes, int nclasses, RtError *e);
/** For the labels of files in folders. */
RtBase *rt_base_class_labels(const char *source, const RtClassFiles *files, RtError *e);
/** Whether this machine has the memory for b's array, still to be allocated, at all: what is not there may be promised
 * all the same. `option` is what makes it smaller. */
bool rt_base_check_memory(const RtBase *b, const char *option, RtError *e);
/** Gives a reference back; `b` may be NULL. */
void rt_base_drop(RtBase *b);
/** The field of all of b's rows; takes over the caller's reference. */
RtField rt_base_field(RtBase *b);
/** Names, labels and alphabet of `from`, for a copy of some of its rows. */
bool rt_base_copy_facts(RtBase *to, const RtBase *from, RtError *e);

/** A data set of one or two bases with equally many rows; takes over the references, also on failure. */
RtData *rt_data_from_bases(RtBase *const *bases, int n, RtError *e);
/** A data set of fields with equally many rows; takes over a reference of each one's base, also on failure. */
RtData *rt_data_from_fields(const RtField *fields, int n, RtError *e);

#endif
