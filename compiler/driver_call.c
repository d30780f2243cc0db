/* Calling an exported function in this process. */
#include "compiler/driver_private.h"

#include <stdlib.h>
#include <string.h>

const Export *driver_find_export(Driver *d, const char *name) {
    Program *p = d->program;
    const char **names = ARENA_ARRAY(d->nnc->arena, const char *, p->exports.len);
    for (size_t i = 0; i < p->exports.len; i++) {
        if (strcmp(p->exports.at[i].name, name) == 0) return &p->exports.at[i];
        names[i] = p->exports.at[i].name;
    }
    driver_error(d, "'%s' has no exported function '%s'", d->options.file, name);
    const char *near = diag_nearest(name, names, p->exports.len);
    if (near) fprintf(stderr, "  = help: did you mean '%s'?\n", near);
    return NULL;
}

/* Each input's array in its declared type; what is no tensor input goes to the compile-time settings. */
typedef struct {
    const Export *export;
    UnitInput *inputs;
    int ninputs;
    RtArray *arrays;
    Type *types;
} Call;

static bool take_array(Driver *d, Call *c, const CallArg *arg) {
    RtError err;
    for (int i = 0; i < c->ninputs; i++)
        if (strcmp(c->inputs[i].name, arg->name) == 0)
            return rt_array_convert(&arg->array, (RtDType)c->inputs[i].type.dtype, &c->arrays[i], "the array", &err) ||
                   driver_error(d, "argument '%s': %s", arg->name, err.text);
    return driver_error(d, "'%s' has no argument '%s'", c->export->name, arg->name);
}

static bool take_arguments(Driver *d, Call *c, const CallArg *args, int nargs) {
    Arena *a = d->nnc->arena;
    c->ninputs = program_export_inputs(d->program, c->export, &c->inputs);
    c->arrays = ARENA_ARRAY(a, RtArray, c->ninputs);
    c->types = ARENA_ARRAY(a, Type, c->ninputs);
    for (int i = 0; i < nargs; i++)
        if (!take_array(d, c, &args[i])) return false;
    for (int i = 0; i < c->ninputs; i++) {
        const RtArray *array = &c->arrays[i];
        const char *name = c->inputs[i].name;
        if (!array->data)
            return driver_error(d, "'%s' needs its argument '%s': --arg %s=FILE.npy", c->export->name, name, name);
        Dim *dims = ARENA_ARRAY(a, Dim, array->rank);
        for (int k = 0; k < array->rank; k++) dims[k] = program_dim(d->program, array->dims[k]);
        c->types[i] = (Type){(DType)array->dtype, array->rank, dims};
    }
    return true;
}

static bool alloc_results(Driver *d, const Unit *u, CallResult *r) {
    RtError err;
    r->unit = u;
    r->results = xcalloc(u->results.len, sizeof *r->results);
    for (size_t i = 0; i < u->results.len; i++) {
        Type t = u->results.at[i].value->type;
        RtArray *a = &r->results[i];
        *a = (RtArray){.dtype = (RtDType)t.dtype, .rank = t.rank};
        for (int k = 0; k < a->rank; k++) dim_is_const(t.dims[k], &a->dims[k]);
        if (!rt_array_alloc(a, "the result", &err)) return driver_error(d, "%s", err.text);
    }
    return true;
}

/* Inputs of a call: its arrays, then seed, tick and epoch where the function draws random numbers. */
static void run_code(Driver *d, const Call *c, const Code *code, const CallResult *r) {
    int32_t scalars[] = {(int32_t)MAX(d->options.seed, 0), 0, 1};
    const Unit *u = code->unit;
    const void **bases = driver_bases(d, u, NULL), **next = bases + BASE_FIRST_INPUT;
    for (size_t i = 0; i < u->inputs.len; i++)
        *next++ = i < (size_t)c->ninputs ? c->arrays[i].data : (const void *)&scalars[i - (size_t)c->ninputs];
    for (size_t i = 0; i < u->results.len; i++) *next++ = r->results[i].data;
    driver_run_code(d, code, bases);
}

bool driver_call(Driver *d, const char *function, const CallArg *args, int nargs, const Setting *settings,
                 int nsettings, void (*set)(Driver *d, void *self), void *self, CallResult *result) {
    *result = (CallResult){0};
    Call c = {.export = driver_find_export(d, function)};
    bool ok = c.export && program_export_takes(d->program, c.export, settings, nsettings) &&
              take_arguments(d, &c, args, nargs);
    if (ok) {
        Unit *u = program_export_unit(d->program, c.export, c.types, c.ninputs, settings, nsettings, d->options.batch);
        Code *code = driver_add_unit(d, u), *init = code ? driver_add_init(d) : NULL;
        ok = init && driver_build(d, true) && driver_find_weights(d, init, !set && d->program->params.len > 0) &&
             alloc_results(d, u, result);
        if (ok && set) set(d, self);
        if (ok) run_code(d, &c, code, result);
    }
    for (int i = 0; i < c.ninputs; i++) rt_array_free(&c.arrays[i]);
    return ok;
}

void call_free(CallResult *r) {
    for (size_t i = 0; r->results && i < r->unit->results.len; i++) rt_array_free(&r->results[i]);
    free(r->results);
}
