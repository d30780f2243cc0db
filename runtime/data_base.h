/* What is behind a field; for the parts of the runtime that make data sets. */
#ifndef RT_DATA_BASE_H
#define RT_DATA_BASE_H

#include "runtime/data.h"

struct RtBase {
    int references;
    RtArray array; /* leading dim: rows */
    char *name, *source;
    int nnames;
    char **names;
    bool labels_known; /* the next two hold; worked out once, on the whole file */
    int64_t least_label, largest_label;
};

/** With one reference, which becomes the caller's. */
RtBase *rt_base_new(const char *name, const char *source, RtError *e);
/** Gives a reference back; `b` may be NULL. */
void rt_base_drop(RtBase *b);
/** The field of all of b's rows; takes over the caller's reference. */
RtField rt_base_field(RtBase *b);
/** Names and labels of `from`, for a copy of some of its rows. */
bool rt_base_copy_facts(RtBase *to, const RtBase *from, RtError *e);

/** A data set of one or more bases with equally many rows; takes over the references, also on failure. */
RtData *rt_data_from_bases(RtBase *const *bases, int n, RtError *e);

#endif
