#include "tests/golden_values/steps.h"
#include "runtime/npy.h"

#include <string.h>

void steps_write_rows(const char *path, int64_t rows) {
    RtArray a = {.dtype = RT_F32, .rank = 1, .dims = {rows}};
    RtError err;
    Str file = {0};
    str_add(&file, "%.*s/g0.npy", (int)(strrchr(path, '/') - path), path);
    if (!rt_array_alloc(&a, "the steps", &err) || !rt_npy_write(file.at, &a, &err)) bug("%s", err.text);
    rt_array_free(&a);
    vec_free(&file);
}

bool steps_open(Steps *s, const char *source, bool f64, void (*write_data)(const char *path, const void *self),
                const void *self) {
    return steps_open_batch(s, source, 1, f64, write_data, self);
}

bool steps_open_batch(Steps *s, const char *source, int64_t n, bool f64,
                      void (*write_data)(const char *path, const void *self), const void *self) {
    *s = (Steps){.path = golden_write(source), .f64 = f64};
    if (write_data)
        write_data(s->path, self);
    else
        steps_write_rows(s->path, 1);
    Options options = golden_options(s->path, f64);
    Driver *d = s->d = driver_open(&options);
    if (!d) return false;
    s->step = driver_add_unit(d, program_loop_unit(driver_program(d), driver_program(d)->trains.at[0], 0, n));
    Code *init = s->step ? driver_add_init(d) : NULL;
    if (init && driver_build(d, true) && driver_init_variables(d, init, 0)) return true;
    driver_failed(d);
    return false;
}

void steps_close(Steps *s) {
    driver_close(s->d);
    golden_remove(s->path);
}

static char *variable(Steps *s, const char *name) {
    char *bytes = golden_variable(s->d, name, strlen(name));
    if (!bytes) bug("the program has no variable '%s'", name);
    return bytes;
}

void steps_set(Steps *s, const char *name, const RtArray *a) {
    golden_place(variable(s, name), s->f64, *a, NULL, false);
}

const void *steps_get(Steps *s, const char *name) { return variable(s, name); }

void steps_call(Steps *s, int32_t row, void *loss) { steps_call_rows(s, &row, row, (void *[]){loss, NULL}); }

void steps_call_rows(Steps *s, const int32_t *rows, int32_t step, void *results[]) {
    const RtData *data = driver_rt_data(driver_program(s->d)->trains.at[0]->loops.at[0].data);
    const int32_t scalars[] = {0, step, 1}; /* seed, tick, epoch */
    const void **bases = driver_bases(s->d, s->step->unit, data), **next = bases + BASE_FIRST_INPUT + data->nfields;
    *next++ = rows;
    for (size_t i = 0; i < COUNT(scalars); i++) *next++ = &scalars[i];
    for (int i = 0; results[i]; i++) *next++ = results[i];
    driver_run_code(s->d, s->step, bases);
}
