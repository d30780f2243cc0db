/* The step of a training program, compiled and called again and again. */
#ifndef STEPS_H
#define STEPS_H

#include "tests/golden_values/golden.h"

typedef struct {
    Driver *d;
    const Code *step;
    char *path; /* of the program, which lies in a temporary folder with its data */
    bool f64;
} Steps;

/** Writes a program whose first loop trains, lets `write_data` (NULL: one row, g0.npy) put its data beside it, and
 * compiles the step. False after messages; steps_close in any case. */
bool steps_open(Steps *s, const char *source, bool f64, void (*write_data)(const char *path, const void *self),
                const void *self);
/** The same for batches of `n` rows. */
bool steps_open_batch(Steps *s, const char *source, int64_t n, bool f64,
                      void (*write_data)(const char *path, const void *self), const void *self);
void steps_close(Steps *s);

/** Copies numbers into a parameter. */
void steps_set(Steps *s, const char *name, const RtArray *a);

/** The bytes of a parameter or state. */
const void *steps_get(Steps *s, const char *name);

/** One step on row `row` of the data; the loss before it goes to `loss`, in the program's float type. */
void steps_call(Steps *s, int32_t row, void *loss);
/** Step `step` on a batch of rows; `results`, losses and then reports, ends with NULL. */
void steps_call_rows(Steps *s, const int32_t *rows, int32_t step, void *results[]);

/** Writes `rows` zeros as data set g0.npy beside a program. */
void steps_write_rows(const char *path, int64_t rows);

#endif
