/* `nnc summary`: what a program is and costs, exactly, before anything runs. */
#include "compiler/driver_private.h"

#include <string.h>

/* ---- layers ---- */

/* Whether an earlier unit, or an earlier call in this one, has shown the layer. */
static bool is_shown(const Driver *d, size_t unit, size_t call) {
    const char *path = d->codes.at[unit]->unit->layers.at[call].path;
    for (size_t i = 0; i <= unit; i++) {
        const Unit *u = d->codes.at[i]->unit;
        for (size_t k = 0; k < (i == unit ? call : u->layers.len); k++)
            if (strcmp(u->layers.at[k].path, path) == 0) return true;
    }
    return false;
}

static void print_layer(Driver *d, const LayerCall *l) {
    int64_t n = driver_parameters_below(d->program, l->path);
    if (d->options.json) {
        printf("{\"event\":\"layer\",\"path\":\"%s\",\"kind\":\"%s\",\"depth\":%d,\"result\":\"%s\",\"parameters\":%"
               "lld}\n",
               l->path, l->layer, l->depth, driver_shape(d, l->result), (long long)n);
        return;
    }
    const char *dot = strrchr(l->path, '.'), *name = dot && l->depth ? dot + 1 : l->path;
    const char *kind = strcmp(l->path, l->layer) == 0 ? "model" : l->layer;
    printf("%*s%-*s %-18s %-20s %14s\n", 2 * l->depth, "", 34 - 2 * l->depth, name, kind, driver_shape(d, l->result),
           driver_grouped(d->nnc->arena, n));
}

/* Each layer once, as the first unit that calls it does, those around it first. */
static void print_layers(Driver *d, size_t units) {
    if (!d->options.json) printf("%-34s %-18s %-20s %14s\n", "layer", "kind", "result", "parameters");
    for (size_t i = 0; i < units; i++)
        for (size_t k = 0; k < d->codes.at[i]->unit->layers.len; k++)
            if (!is_shown(d, i, k)) print_layer(d, &d->codes.at[i]->unit->layers.at[k]);
}

/* ---- totals ---- */

typedef struct {
    int64_t parameters, trainable, weights, layer_state, optimizer_state;
    int64_t variables, arena; /* of a run, as they are allocated */
} Totals;

static bool is_updated(const Driver *d, const Variable *v) {
    for (size_t i = 0; i < d->codes.len; i++) {
        const Unit *u = d->codes.at[i]->unit;
        for (size_t k = 0; u->kind == UNIT_STEP && k < u->updates.len; k++)
            if (u->updates.at[k].var == v) return true;
    }
    return false;
}

static Totals count_totals(const Driver *d) {
    const Program *p = d->program;
    Totals t = {.variables = d->variables.layout.size};
    for (size_t i = 0; i < p->params.len; i++) {
        const Variable *v = p->params.at[i];
        t.parameters += driver_elements(v->type);
        t.trainable += is_updated(d, v) ? driver_elements(v->type) : 0;
        t.weights += driver_bytes(v->type);
    }
    for (size_t i = 0; i < p->states.len; i++) {
        const Variable *v = p->states.at[i];
        *(v->is_optimizer_state ? &t.optimizer_state : &t.layer_state) += driver_bytes(v->type);
    }
    for (size_t i = 0; i < d->codes.len; i++)
        if (d->codes.at[i]->unit->kind != UNIT_EXPORT) t.arena = MAX(t.arena, d->codes.at[i]->loops->arena_bytes);
    t.arena = MAX(t.arena, DRIVER_LEAST_ARENA);
    return t;
}

static void print_totals(Driver *d) {
    Arena *a = d->nnc->arena;
    Totals t = count_totals(d);
    if (d->options.json) {
        printf("{\"event\":\"summary\",\"parameters\":%lld,\"trainable\":%lld,\"weight_bytes\":%lld,\"layer_state_"
               "bytes\":%lld,"
               "\"optimizer_state_bytes\":%lld",
               (long long)t.parameters, (long long)t.trainable, (long long)t.weights, (long long)t.layer_state,
               (long long)t.optimizer_state);
        if (d->program->trains.len)
            printf(",\"variable_bytes\":%lld,\"arena_bytes\":%lld", (long long)t.variables, (long long)t.arena);
        printf("}\n");
        return;
    }
    printf("\nparameters       %14s\n", driver_grouped(a, t.parameters));
    if (d->program->trains.len) printf("trainable        %14s\n", driver_grouped(a, t.trainable));
    printf("weights          %14s bytes\n", driver_grouped(a, t.weights));
    printf("layer state      %14s bytes\n", driver_grouped(a, t.layer_state));
    printf("optimizer state  %14s bytes\n", driver_grouped(a, t.optimizer_state));
    if (!d->program->trains.len) return;
    printf("a run            %14s bytes: %s of variables (each padded to 64), %s of activations and scratch\n",
           driver_grouped(a, t.variables + t.arena), driver_grouped(a, t.variables), driver_grouped(a, t.arena));
    for (size_t i = 0; i < d->program->trains.len; i++)
        if (d->program->trains.at[i]->memory)
            printf("memory           %14s\n", driver_memory_text(d, d->program->trains.at[i]));
}

/* ---- kernels ---- */

static int64_t flops_of(const LoopUnit *u) {
    int64_t flops = 0;
    for (size_t i = 0; i < u->kernels.len; i++) flops += u->kernels.at[i]->tiles ? u->kernels.at[i]->flops : 0;
    return flops;
}

/* What the results alone take: the loss and the reports, no gradient and no update. */
static int64_t forward_flops(Driver *d, const Code *c) {
    Graph results = *c->graph;
    results.outputs.at = ARENA_ARRAY(d->nnc->arena, Output, c->graph->outputs.len);
    results.outputs.len = 0;
    for (size_t i = 0; i < c->graph->outputs.len; i++)
        if (c->graph->outputs.at[i].kind == OUT_RESULT)
            results.outputs.at[results.outputs.len++] = c->graph->outputs.at[i];
    return flops_of(loop_build(d->nnc, ir_compact(&results, NULL), "forward", (int)c->unit->inputs.len,
                               (int)c->unit->results.len, &d->variables.layout, &d->machine));
}

static void print_unit(Driver *d, const Code *c) {
    Arena *a = d->nnc->arena;
    bool trains = c->unit->kind == UNIT_STEP;
    int64_t flops = flops_of(c->loops), forward = trains ? forward_flops(d, c) : flops;
    size_t count = 0;
    for (size_t i = 0; i < c->loops->kernels.len; i++) count += c->loops->kernels.at[i]->tiles > 0;
    if (d->options.json) {
        printf("{\"event\":\"unit\",\"unit\":\"%s\",\"kernels\":%zu,\"forward_flops\":%lld,\"flops\":%lld,\"arena_"
               "bytes\":%lld,"
               "\"recomputed\":%d,\"part\":%lld}\n",
               c->unit->name, count, (long long)forward, (long long)flops, (long long)c->loops->arena_bytes,
               c->loops->recomputed, (long long)c->parts.part);
        return;
    }
    printf("\n%s: %zu kernels, %s FLOPs", c->unit->name, count, driver_grouped(a, flops));
    if (trains) printf(" (forward %s)", driver_grouped(a, forward));
    printf(", %s bytes of activations and scratch\n", driver_grouped(a, c->loops->arena_bytes));
    printf("  %-32s %16s %16s  %s\n", "kernel", "FLOPs", "bytes moved", "from");
    for (size_t i = 0; i < c->loops->kernels.len; i++) {
        const Kernel *k = c->loops->kernels.at[i];
        if (k->tiles)
            printf("  %-32s %16s %16s  %s\n", k->name, driver_grouped(a, k->flops), driver_grouped(a, k->bytes),
                   driver_place(d, k->at));
    }
}

/* ---- the command ---- */

bool driver_add_all(Driver *d, const char *name) {
    Program *p = d->program;
    bool ok = true, found = !name;
    for (size_t t = 0; t < p->trains.len && ok; t++) {
        TrainBlock *b = p->trains.at[t];
        if (name && strcmp(b->name, name) != 0) continue;
        found = true;
        for (size_t i = 0; i < b->loops.len && ok; i++) {
            const DataInfo *data = program_loop_data(p, b, (int)i);
            ok = data && driver_add_loop(d, b, (int)i, driver_batch(d, b, &b->loops.at[i]));
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

/* What a run compiles beside: steps for the last batches, and first values. Steps, of which those for full batches
 * are the first units, give what a report shows. */
static bool add_rest_of_run(Driver *d) {
    Program *p = d->program;
    bool ok = true;
    size_t unit = 0;
    for (size_t t = 0; t < p->trains.len; t++)
        for (size_t i = 0; i < p->trains.at[t]->loops.len && ok; i++) {
            const TrainLoop *loop = &p->trains.at[t]->loops.at[i];
            int64_t batch = driver_batch(d, p->trains.at[t], loop), rest = loop->data->count % batch;
            const Code *full = d->codes.at[unit++], *last = NULL;
            if (rest) ok = (last = driver_add_loop(d, p->trains.at[t], (int)i, rest)) != NULL;
            if (ok) driver_add_scores(d, loop, batch, full->unit, last ? last->unit : NULL);
        }
    return ok && (!p->trains.len || driver_add_init(d));
}

int driver_summary(Driver *d) {
    d->trains = true; /* what is told is what a run takes */
    bool ok = program_check(d->program) && driver_add_all(d, NULL);
    size_t units = d->codes.len;
    ok = ok && add_rest_of_run(d);
    if (ok && driver_build(d, false) && units) {
        print_layers(d, units);
        print_totals(d);
        for (size_t i = 0; i < units; i++) print_unit(d, d->codes.at[i]);
    }
    return driver_failed(d) || !ok;
}
