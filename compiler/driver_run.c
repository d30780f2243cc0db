/* `nnc run`: calls an exported function on arrays from files. */
#include "compiler/driver_private.h"

#include "runtime/folders.h"
#include "runtime/safetensors.h"
#include "runtime/text.h"

#include <stdlib.h>
#include <string.h>

static void print_element(const RtArray *a, int64_t i) {
    double v = rt_element(a->data, a->dtype, i);
    if (v != v)
        printf("nan"); /* without a sign, which differs between CPUs */
    else if (a->dtype == RT_F64)
        printf("%.17g", v);
    else if (rt_dtype_is_float(a->dtype))
        printf("%.9g", v);
    else
        printf("%.0f", v);
}

/* Nested brackets, one line for each innermost row. */
static void print_array(const RtArray *a, int dim, int64_t at) {
    if (dim == a->rank) {
        print_element(a, at);
        return;
    }
    int64_t inner = 1;
    for (int k = dim + 1; k < a->rank; k++) inner *= a->dims[k];
    putchar('[');
    for (int64_t i = 0; i < a->dims[dim]; i++) {
        if (i) printf(dim + 1 == a->rank ? ", " : ",\n%*s", dim + 1 == a->rank ? 0 : dim + 1, "");
        print_array(a, dim + 1, at + i * inner);
    }
    putchar(']');
}

static bool write_safetensors(const char *out, const Unit *u, RtArray *results, RtError *err) {
    RtTensor *tensors = xcalloc(u->results.len, sizeof *tensors);
    for (size_t i = 0; i < u->results.len; i++) {
        Str name = {0};
        str_add(&name, "%s", u->results.at[i].name ? u->results.at[i].name : "");
        if (!name.len) str_add(&name, "%zu", i);
        tensors[i] = (RtTensor){name.at, results[i]};
    }
    bool ok = rt_safetensors_write(out, tensors, (int)u->results.len, NULL, 0, err);
    for (size_t i = 0; i < u->results.len; i++) free(tensors[i].name);
    free(tensors);
    return ok;
}

/* y.npy, or y.0.npy, y.1.npy, ... of a tuple, and so with other suffixes; one .safetensors takes all. */
static bool write_results(Driver *d, const Unit *u, RtArray *results, const char *out) {
    static const char *const suffixes[] = {".npy", ".png", ".txt"};
    RtError err;
    if (rt_has_suffix(out, ".safetensors"))
        return write_safetensors(out, u, results, &err) || driver_error(d, "%s", err.text);
    const char *suffix = "";
    for (size_t i = 0; i < COUNT(suffixes); i++)
        if (rt_has_suffix(out, suffixes[i])) suffix = out + strlen(out) - strlen(suffixes[i]);
    for (size_t i = 0; i < u->results.len; i++) {
        const char *path = out;
        if (u->results.len > 1)
            path = arena_printf(d->nnc->arena, "%.*s.%zu%s", (int)(strlen(out) - strlen(suffix)), out, i,
                                *suffix ? suffix : ".npy");
        if (!driver_write_array(path, &results[i], &err)) return driver_error(d, "%s", err.text);
    }
    return true;
}

static bool print_result(Driver *d, const RtArray *a, bool as_text) {
    RtError err;
    size_t size;
    if (!as_text || rt_dtype_is_float(a->dtype) || a->dtype == RT_BOOL) {
        print_array(a, 0, 0);
    } else {
        char *text = rt_text_of_array(a, &size, &err);
        if (!text) return driver_error(d, "%s", err.text);
        fwrite(text, 1, size, stdout);
        free(text);
    }
    putchar('\n');
    return true;
}

/* Splits the command line's arguments into arrays (the function's tensor inputs) and compile-time values. */
static bool read_arguments(Driver *d, const char *function, const Setting *args, int nargs, CallArg *arrays,
                           int *narrays, Setting *settings, int *nsettings) {
    const Export *export = driver_find_export(d, function);
    if (!export) return false;
    UnitInput *inputs;
    int ninputs = program_export_inputs(d->program, export, &inputs);
    for (int i = 0; i < nargs; i++) {
        int k = 0;
        while (k < ninputs && strcmp(inputs[k].name, args[i].name) != 0) k++;
        if (k == ninputs) {
            settings[(*nsettings)++] = args[i];
            continue;
        }
        RtError err;
        RtArray *a = &arrays[*narrays].array;
        char *end;
        double number = strtod(args[i].value, &end);
        if (*args[i].value && !*end) {
            *a = (RtArray){.dtype = RT_F64, .rank = 0};
            if (!rt_array_alloc(a, args[i].name, &err)) return driver_error(d, "%s", err.text);
            *(double *)a->data = number;
        } else if (!driver_read_array(&inputs[k].type, args[i].value, a, &err))
            return driver_error(d, "%s", err.text);
        arrays[(*narrays)++].name = args[i].name;
    }
    return true;
}

int driver_run(Driver *d, const char *function, const Setting *args, int nargs, const char *out, bool as_text) {
    CallArg *arrays = xcalloc((size_t)nargs, sizeof *arrays);
    Setting *settings = ARENA_ARRAY(d->nnc->arena, Setting, nargs);
    int narrays = 0, nsettings = 0;
    CallResult r = {0};
    bool ok = read_arguments(d, function, args, nargs, arrays, &narrays, settings, &nsettings) &&
              driver_call(d, function, arrays, narrays, settings, nsettings, NULL, NULL, &r);
    if (ok && out) ok = write_results(d, r.unit, r.results, out);
    for (size_t i = 0; ok && !out && i < r.unit->results.len; i++) ok = print_result(d, &r.results[i], as_text);
    call_free(&r);
    for (int i = 0; i < narrays; i++) rt_array_free(&arrays[i].array);
    free(arrays);
    return driver_failed(d) || !ok;
}
