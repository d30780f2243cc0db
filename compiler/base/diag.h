/* Diagnostics for the user: what is wrong, where, and what would help. Our own faults go to bug() instead. */
#ifndef NNC_DIAG_H
#define NNC_DIAG_H

#include "compiler/base/source.h"

typedef enum {
#define DIAG(id, severity, text) DIAG_##id,
#include "compiler/base/diag.def"
#undef DIAG
    DIAG_COUNT
} DiagId;

typedef enum { SEV_ERROR, SEV_WARNING } Severity;

typedef struct {
    Span at;
    const char *text; /* "" for the caret alone */
} DiagLabel;

typedef struct {
    DiagId id;
    Severity severity;
    const char *text;
    VEC(DiagLabel) labels; /* labels.at[0] is the place of the message */
    VEC(const char *) helps;
} Diag;

typedef struct {
    VEC(Diag *) list;
    size_t printed; /* how many of `list` diag_print has shown */
    int errors, warnings;
    int left_out[2];  /* by severity: not shown because there are too many */
    int muted;        /* above 0: counted, not kept (used while a question is tried out) */
    bool errors_only; /* no warning is printed */
} Diags;

struct Nnc;

/** Reports the message `id`, whose text in diag.def is a printf format, at `at`. Returns it so that labels and helps
 * can be added; they belong to the same message. Nothing is printed before diag_print. */
Diag *diag(struct Nnc *nnc, Span at, DiagId id, ...);

/** Words at the place of the message itself (under its caret), or at another place. */
void diag_here(struct Nnc *nnc, Diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void diag_label(struct Nnc *nnc, Diag *d, Span at, const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void diag_help(struct Nnc *nnc, Diag *d, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Whether another error would not be printed because there are so many: no work needs to go into its help. */
bool diag_enough(const struct Nnc *nnc);

/** The identifier of a message as in diag.def, for tests. */
const char *diag_name(DiagId id);

/** Prints what was reported since the last call, in the layout that the command line's description shows: at most 50
 * errors; or, where there is none, as many warnings. */
void diag_print(struct Nnc *nnc, FILE *out, bool colour);

/** The candidate closest to `name` by edit distance, or NULL where none is near enough to suggest. */
const char *diag_nearest(const char *name, const char *const *candidates, size_t n);

#endif
