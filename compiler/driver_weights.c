/* Weights: first values, safetensors files in and out, and which file a command takes. */
#include "compiler/driver_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

Code *driver_add_init(Driver *d) {
    Code *c = driver_add_unit(d, program_init_unit(d->program));
    if (c) c->once = true;
    return c;
}

bool driver_init_variables(Driver *d, Code *init, int64_t seed) {
    int32_t scalars[3] = {(int32_t)seed, 0, 0}; /* seed, tick, epoch */
    const void **bases = driver_bases(d, init->unit, NULL);
    for (size_t i = 0; i < init->unit->inputs.len; i++) bases[BASE_FIRST_INPUT + i] = &scalars[i];
    driver_run_code(d, init, bases);
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

SavedList driver_saved(Driver *d, char *bytes, bool optimizer_states) {
    SavedList list = {0};
    Program *p = d->program;
    for (size_t i = 0; i < p->params.len; i++)
        vec_push(&list, (Saved){p->params.at[i], bytes + d->variables.layout.param[i]});
    for (size_t i = 0; i < p->states.len; i++)
        if (optimizer_states || !p->states.at[i]->is_optimizer_state)
            vec_push(&list, (Saved){p->states.at[i], bytes + d->variables.layout.state[i]});
    return list;
}

RtTensor driver_tensor_of(Saved s) {
    const Type *t = &s.var->type;
    RtTensor tensor = {(char *)s.var->path, {.dtype = (RtDType)t->dtype, .rank = t->rank, .data = s.bytes}};
    for (int i = 0; i < t->rank; i++) dim_is_const(t->dims[i], &tensor.array.dims[i]);
    return tensor;
}

bool driver_save_weights(Driver *d, const char *path, char *bytes, RtError *e) {
    SavedList list = driver_saved(d, bytes, false);
    RtTensor *tensors = xcalloc(list.len + 1, sizeof *tensors);
    for (size_t i = 0; i < list.len; i++) tensors[i] = driver_tensor_of(list.at[i]);
    RtTag tag = {(char[]){"format"}, (char[]){"nnc"}};
    bool ok = rt_safetensors_write(path, tensors, (int)list.len, &tag, 1, e);
    free(tensors);
    vec_free(&list);
    return ok;
}

static void shape_text(Str *s, const RtArray *a) {
    str_add(s, "%s[", rt_dtype_name(a->dtype));
    for (int i = 0; i < a->rank; i++) str_add(s, "%s%lld", i ? ", " : "", (long long)a->dims[i]);
    str_add(s, "]");
}

static void mismatch(Str *problems, const char *name, const RtArray *in_file, const RtArray *in_program) {
    Str a = {0}, b = {0};
    shape_text(&a, in_file);
    shape_text(&b, in_program);
    str_add(problems, "\n  '%s' is %s in the file and %s in the program", name, a.at, b.at);
    vec_free(&a);
    vec_free(&b);
}

bool driver_take_tensor(Saved s, const char *prefix, const RtTensors *file, bool exact, Str *problems) {
    Str name = {0};
    str_add(&name, "%s%s", prefix, s.var->path);
    const RtTensor *t = rt_tensors_find(file, name.at);
    RtArray want = driver_tensor_of(s).array, got;
    RtError err;
    bool ok = false;
    if (!t) {
        str_add(problems, "\n  '%s' is not in the file", name.at);
    } else if (t->array.rank != want.rank || (exact && t->array.dtype != want.dtype) ||
               memcmp(t->array.dims, want.dims, sizeof *want.dims * (size_t)want.rank) != 0) {
        mismatch(problems, name.at, &t->array, &want);
    } else if (!rt_array_convert(&t->array, want.dtype, &got, name.at, &err)) {
        str_add(problems, "\n  %s", err.text);
    } else {
        memcpy(s.bytes, got.data, (size_t)rt_array_elements(&got) * rt_dtype_size(got.dtype));
        rt_array_free(&got);
        ok = true;
    }
    vec_free(&name);
    return ok;
}

static bool below(const char *path, const char *model) {
    size_t n = strlen(model);
    return strncmp(path, model, n) == 0 && (path[n] == 0 || path[n] == '.');
}

/* Tensors that the program has no place for: of no importance by themselves (a file may hold more than is used), but a
 * help where others are missing. */
static void list_unused(const RtTensors *file, const SavedList *list, Str *problems) {
    for (int i = 0; i < file->count; i++) {
        const char *name = file->tensors[i].name;
        bool used = strchr(name, '/') != NULL; /* an optimizer's */
        for (size_t k = 0; k < list->len && !used; k++) used = strcmp(list->at[k].var->path, name) == 0;
        if (!used) str_add(problems, "\n  '%s' is only in the file", name);
    }
}

bool driver_load_weights(Driver *d, const char *path, const char *model) {
    RtError err;
    RtTensors *file = rt_safetensors_read(path, &err);
    if (!file) return driver_error(d, "%s", err.text);
    SavedList list = driver_saved(d, driver_values(d), false);
    Str problems = {0};
    bool ok = true;
    int found = 0;
    for (size_t i = 0; i < list.len; i++) {
        if (model && !below(list.at[i].var->path, model)) continue;
        ok &= driver_take_tensor(list.at[i], "", file, false, &problems);
        found++;
    }
    if (!ok && !model) list_unused(file, &list, &problems);
    if (!ok)
        driver_error(d, "the weights in '%s' are not those of %s%s%s:%s", path, model ? "'" : "this program",
                     model ? model : "", model ? "'" : "", problems.at);
    else if (model && !found)
        ok = driver_error(d, "'%s' has no parameters in this program, so nothing can be loaded from '%s'", model, path);
    vec_free(&problems);
    vec_free(&list);
    rt_tensors_free(file);
    return ok;
}

bool driver_take_weights(Driver *d, const char *path) {
    if (!driver_load_weights(d, path, NULL)) return false;
    if (!d->options.quiet) fprintf(stderr, "weights from %s\n", path);
    return true;
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
    return driver_take_weights(d, path);
}
