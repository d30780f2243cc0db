/* Weights: first values, safetensors files in and out, and which file a command takes. */
#include "compiler/driver_private.h"

#include "runtime/files.h"
#include "runtime/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Code *driver_add_init(Driver *d) { return driver_add_unit(d, program_init_unit(d->program)); }

bool driver_init_variables(Driver *d, Code *init, int64_t seed) {
    int32_t scalars[3] = {(int32_t)seed, 0, 0}; /* seed, tick, epoch */
    VEC(const void *) bases = {0};
    vec_push(&bases, d->arena);
    vec_push(&bases, d->variables.bytes);
    for (size_t i = 0; i < init->unit->inputs.len; i++) vec_push(&bases, &scalars[i]);
    RtCall call = rt_call(d->pool);
    init->run((void *const *)bases.at, &call);
    vec_free(&bases);
    return true;
}

const char *driver_out_dir(Driver *d) {
    if (d->options.out) return d->options.out;
    const char *name = strrchr(d->options.file, '/'), *dot;
    name = name ? name + 1 : d->options.file;
    dot = strrchr(name, '.');
    return arena_printf(d->nnc->arena, "runs/%.*s", (int)(dot && dot != name ? (size_t)(dot - name) : strlen(name)),
                        name);
}

/* Every variable that a weights file holds: parameters and the states of layers. */
typedef struct {
    const Variable *var;
    char *bytes;
} Saved;

typedef VEC(Saved) SavedList;

static SavedList saved_variables(Driver *d) {
    SavedList list = {0};
    Program *p = d->program;
    for (size_t i = 0; i < p->params.len; i++)
        vec_push(&list, (Saved){p->params.at[i], d->variables.bytes + d->variables.layout.param[i]});
    for (size_t i = 0; i < p->states.len; i++)
        if (!p->states.at[i]->is_optimizer_state)
            vec_push(&list, (Saved){p->states.at[i], d->variables.bytes + d->variables.layout.state[i]});
    return list;
}

static RtArray array_of(const Variable *v, void *bytes) {
    RtArray a = {.dtype = (RtDType)v->type.dtype, .rank = v->type.rank, .data = bytes};
    for (int i = 0; i < v->type.rank; i++) dim_is_const(v->type.dims[i], &a.dims[i]);
    return a;
}

bool driver_save_weights(Driver *d, const char *path) {
    SavedList list = saved_variables(d);
    RtTensor *tensors = xcalloc(list.len, sizeof *tensors);
    for (size_t i = 0; i < list.len; i++) {
        size_t n = strlen(list.at[i].var->path) + 1;
        tensors[i].name = arena_copy(d->nnc->arena, list.at[i].var->path, n);
        tensors[i].array = array_of(list.at[i].var, list.at[i].bytes);
    }
    RtTag tag = {(char[]){"format"}, (char[]){"nnc"}};
    RtError err;
    bool ok = rt_safetensors_write(path, tensors, (int)list.len, &tag, 1, &err) || driver_error(d, "%s", err.text);
    free(tensors);
    vec_free(&list);
    return ok;
}

static void shape_text(Str *s, const RtArray *a) {
    str_add(s, "%s[", rt_dtype_name(a->dtype));
    for (int i = 0; i < a->rank; i++) str_add(s, "%s%lld", i ? ", " : "", (long long)a->dims[i]);
    str_add(s, "]");
}

/* A variable's value from the file, or one line about why not. */
static bool take_tensor(Saved s, const RtTensors *file, const char *path, Str *problems) {
    const RtTensor *t = rt_tensors_find(file, s.var->path);
    if (!t) {
        str_add(problems, "\n  '%s' is not in the file", s.var->path);
        return false;
    }
    RtArray want = array_of(s.var, s.bytes), got;
    if (t->array.rank != want.rank || memcmp(t->array.dims, want.dims, sizeof *want.dims * (size_t)want.rank) != 0) {
        Str a = {0}, b = {0};
        shape_text(&a, &t->array);
        shape_text(&b, &want);
        str_add(problems, "\n  '%s' is %s in the file and %s in the program", s.var->path, a.at, b.at);
        vec_free(&a);
        vec_free(&b);
        return false;
    }
    RtError err;
    if (!rt_array_convert(&t->array, want.dtype, &got, path, &err)) {
        str_add(problems, "\n  '%s': %s", s.var->path, err.text);
        return false;
    }
    memcpy(s.bytes, got.data, (size_t)rt_array_elements(&got) * rt_dtype_size(got.dtype));
    rt_array_free(&got);
    return true;
}

static bool below(const char *path, const char *model) {
    size_t n = strlen(model);
    return strncmp(path, model, n) == 0 && (path[n] == 0 || path[n] == '.');
}

bool driver_load_weights(Driver *d, const char *path, const char *model) {
    RtError err;
    RtTensors *file = rt_safetensors_read(path, &err);
    if (!file) return driver_error(d, "%s", err.text);
    SavedList list = saved_variables(d);
    Str problems = {0};
    bool ok = true;
    for (size_t i = 0; i < list.len; i++)
        if (!model || below(list.at[i].var->path, model)) ok &= take_tensor(list.at[i], file, path, &problems);
    if (!ok) driver_error(d, "the weights in '%s' are not those of this program:%s", path, problems.at);
    vec_free(&problems);
    vec_free(&list);
    rt_tensors_free(file);
    return ok;
}

bool driver_find_weights(Driver *d, Code *init, bool needed) {
    if (!driver_init_variables(d, init, MAX(d->options.seed, 0))) return false;
    if (d->options.init || (!needed && !d->options.weights)) return true;
    const char *path = d->options.weights;
    if (!path) {
        path = arena_printf(d->nnc->arena, "%s/weights.safetensors", driver_out_dir(d));
        if (access(path, F_OK) != 0) {
            driver_error(d, "no trained weights: '%s' does not exist", path);
            fprintf(
                stderr,
                "  = help: train first (nnc train %s), name a file with --weights, or ask for fresh ones with --init\n",
                d->options.file);
            return false;
        }
    }
    if (!d->options.quiet) fprintf(stderr, "weights from %s\n", path);
    return driver_load_weights(d, path, NULL);
}
