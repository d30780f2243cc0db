/* `nnc summary`: what a program is and costs, exactly, before anything runs. */
#include "compiler/driver_private.h"

#include <string.h>

static int64_t elements(Type t) { return driver_bytes(t) / (int64_t)dtype_size(t.dtype); }

/* Parameters whose path lies below `path`. */
static int64_t parameters_below(const Program *p, const char *path) {
    int64_t n = 0;
    size_t len = strlen(path);
    for (size_t i = 0; i < p->params.len; i++)
        if (strncmp(p->params.at[i]->path, path, len) == 0 && p->params.at[i]->path[len] == '.')
            n += elements(p->params.at[i]->type);
    return n;
}

static void print_layers(Driver *d, const Unit *u) {
    Arena *a = d->nnc->arena;
    printf("%-34s %-16s %-20s %14s\n", "layer", "kind", "result", "parameters");
    for (size_t i = 0; i < u->layers.len; i++) {
        const LayerCall *l = &u->layers.at[i];
        printf("%*s%-*s %-16s %-20s %14s\n", 2 * l->depth, "", 34 - 2 * l->depth, l->path, l->layer,
               driver_shape(d, l->result), driver_grouped(a, parameters_below(d->program, l->path)));
    }
    printf("\n");
}

static void print_parameters(Driver *d) {
    Arena *a = d->nnc->arena;
    int64_t weights = 0, weight_bytes = 0, layer_state = 0, optimizer_state = 0;
    printf("%-46s %-20s %14s\n", "parameter", "shape", "elements");
    for (size_t i = 0; i < d->program->params.len; i++) {
        const Variable *v = d->program->params.at[i];
        printf("%-46s %-20s %14s\n", v->path, driver_shape(d, v->type), driver_grouped(a, elements(v->type)));
        weights += elements(v->type);
        weight_bytes += driver_bytes(v->type);
    }
    for (size_t i = 0; i < d->program->states.len; i++) {
        const Variable *v = d->program->states.at[i];
        int64_t bytes = driver_bytes(v->type);
        *(v->is_optimizer_state ? &optimizer_state : &layer_state) += bytes;
    }
    printf("\nparameters       %14s\n", driver_grouped(a, weights));
    printf("weights          %14s bytes\n", driver_grouped(a, weight_bytes));
    printf("layer state      %14s bytes\n", driver_grouped(a, layer_state));
    printf("optimizer state  %14s bytes\n", driver_grouped(a, optimizer_state));
}

static void print_kernels(Driver *d, const Code *c) {
    Arena *a = d->nnc->arena;
    int64_t flops = 0;
    size_t count = 0;
    for (size_t i = 0; i < c->loops->kernels.len; i++) count += c->loops->kernels.at[i]->tiles > 0;
    printf("\n%s: %zu kernels, %s bytes of activations and scratch\n", c->unit->name, count,
           driver_grouped(a, c->loops->arena_bytes));
    printf("  %-32s %16s %16s  %s\n", "kernel", "FLOPs", "bytes moved", "from");
    for (size_t i = 0; i < c->loops->kernels.len; i++) {
        const Kernel *k = c->loops->kernels.at[i];
        if (!k->tiles) continue;
        printf("  %-32s %16s %16s  %s\n", k->name, driver_grouped(a, k->flops), driver_grouped(a, k->bytes),
               driver_place(d, k->at));
        flops += k->flops;
    }
    printf("  %-32s %16s\n", "in all", driver_grouped(a, flops));
}

bool driver_add_all(Driver *d, const char *name) {
    Program *p = d->program;
    bool ok = true, found = !name;
    for (size_t t = 0; t < p->trains.len && ok; t++) {
        TrainBlock *b = p->trains.at[t];
        if (name && strcmp(b->name, name) != 0) continue;
        found = true;
        for (size_t i = 0; i < b->loops.len && ok; i++) {
            const DataInfo *data = program_loop_data(p, b, (int)i);
            ok = data && driver_add_unit(d, program_loop_unit(p, b, (int)i, driver_batch(d, b, &b->loops.at[i])));
        }
    }
    for (size_t i = 0; i < p->exports.len && ok; i++) {
        const Export *e = &p->exports.at[i];
        if (name && strcmp(e->name, name) != 0) continue;
        found = true;
        ok = driver_add_unit(d, program_export_unit(p, e, NULL, 0, NULL, 0, MAX(d->options.batch, 1))) != NULL;
    }
    if (!ok || found) return ok;
    return driver_error(d, "'%s' has no train block and no exported function named '%s'", d->options.file, name);
}

int driver_summary(Driver *d) {
    bool ok = program_check(d->program) && driver_add_all(d, NULL);
    if (ok && driver_build(d, false) && d->codes.len) {
        print_layers(d, d->codes.at[0]->unit);
        print_parameters(d);
        for (size_t i = 0; i < d->codes.len; i++) print_kernels(d, d->codes.at[i]);
    }
    return driver_failed(d) || !ok;
}
