/* The picture of a compiled unit: its kernels, and the buffers that go from one to the next. What variables a kernel
 * reads and writes stands in its box. */
#include "compiler/driver_graph.h"

#include "compiler/pass/plan.h"

#include <string.h>

typedef struct {
    const char *from, *to;
    int64_t bytes;
} Flow;

typedef struct {
    Dot *dot;
    const LoopUnit *u;
    Arena *arena;
    int number;
    const Accesses *acc;
    int *writer; /* per buffer: the kernel that wrote it last; -1 */
    VEC(Flow) flows;
} Kernels;

static const char *kernel_id(const Kernels *k, size_t i) { return arena_printf(k->arena, "k%d_%zu", k->number, i); }

static const char *outside_id(const Kernels *k, const Buffer *b) {
    return arena_printf(k->arena, "b%d_%d", k->number, b->base);
}

static const char *size_text(const Kernels *k, const Buffer *b) {
    return driver_size(k->arena, b->elems * (int64_t)dtype_size(b->dtype));
}

static bool is_outside(const Buffer *b) {
    return b->kind == BUF_MEMORY && !b->constant && b->base >= BASE_FIRST_INPUT && b->elems > 1;
}

/* Inputs and results, numbers apart. */
static void draw_outside(const Kernels *k) {
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0, seen = 0; i < k->u->buffers.len; i++) {
            const Buffer *b = &k->u->buffers.at[i];
            bool input = b->base < BASE_FIRST_INPUT + k->u->ninputs;
            for (seen = 0; seen < i && k->u->buffers.at[seen].base != b->base;) seen++;
            if (!is_outside(b) || input != (pass == 0) || seen < i) continue;
            Str label = {0};
            dot_line(&label, false, "%s", b->name ? b->name : input ? "input" : "result");
            dot_line(&label, true, "%s", size_text(k, b));
            dot_node(k->dot, outside_id(k, b), "box", GRAPH_END, label.at, "");
            vec_free(&label);
        }
}

/* New values have buffers of their own, often in the same place: names are those of the places. */
static const char *variable_at(const Kernels *k, int64_t offset) {
    const Driver *d = k->dot->d;
    const VarLayout *v = &d->variables.layout;
    for (size_t i = 0; i < d->program->params.len; i++)
        if (v->param[i] == offset) return d->program->params.at[i]->path;
    for (size_t i = 0; i < d->program->states.len; i++)
        if (v->state[i] == offset) return d->program->states.at[i]->path;
    return "";
}

static bool is_variable(const Kernels *k, Access a, bool write, int64_t *offset) {
    const Buffer *b = &k->u->buffers.at[a.buffer];
    *offset = b->offset;
    return a.write == write && b->kind == BUF_MEMORY && !b->constant && b->base == BASE_VARIABLES;
}

static bool updates(const Kernels *k, size_t i, int64_t offset) {
    int64_t at;
    for (size_t j = 0; j < k->acc[i].len; j++)
        if (is_variable(k, k->acc[i].at[j], true, &at) && at == offset) return true;
    return false;
}

static void list_variables(const Kernels *k, Str *label, size_t i, bool write) {
    enum { MOST = 3 };
    int64_t offset;
    int n = 0;
    for (size_t j = 0; j < k->acc[i].len; j++) {
        if (!is_variable(k, k->acc[i].at[j], write, &offset) || (!write && updates(k, i, offset))) continue;
        if (n++ < MOST) dot_line(label, true, "%s %s", write ? "updates" : "reads", variable_at(k, offset));
    }
    if (n > MOST) dot_line(label, true, "and %d more", n - MOST);
}

static void draw_kernel(const Kernels *k, size_t i) {
    const Kernel *kernel = k->u->kernels.at[i];
    if (!kernel->tiles) return;
    Str label = {0};
    dot_line(&label, false, "%s", kernel->name);
    dot_line(&label, true, "%s", driver_place(k->dot->d, kernel->at));
    if (kernel->flops) dot_line(&label, true, "%s FLOP", driver_grouped(k->arena, kernel->flops));
    list_variables(k, &label, i, false);
    list_variables(k, &label, i, true);
    dot_node(k->dot, kernel_id(k, i), "box", kernel->flops ? GRAPH_LAYER : GRAPH_EXPRESSION, label.at, kernel->name);
    vec_free(&label);
}

static void draw_scope(const Kernels *k, int scan) {
    for (size_t i = 0; i < k->u->kernels.len; i++)
        if (k->u->kernels.at[i]->scan == scan) draw_kernel(k, i);
    for (int s = 1; s <= k->u->nscans; s++) {
        if (k->u->scans[s].parent != scan) continue;
        Str label = {0};
        if (k->u->scans[s].cond >= 0)
            dot_line(&label, false, "while");
        else
            dot_line(&label, false, "%lld iterations", (long long)k->u->scans[s].extent);
        dot_begin(k->dot, label.at);
        draw_scope(k, s);
        dot_end(k->dot);
        vec_free(&label);
    }
}

/* One edge for all that goes from one to the other; in a large picture a few numbers would hide the rest. */
static void add_flow(Kernels *k, const char *from, const char *to, const Buffer *b) {
    enum { FEW_KERNELS = 32, FEW_NUMBERS = 256 };
    int64_t bytes = b->elems * (int64_t)dtype_size(b->dtype);
    if (b->elems < FEW_NUMBERS && k->u->kernels.len > FEW_KERNELS) return;
    for (size_t i = k->flows.len; i-- > 0;)
        if (strcmp(k->flows.at[i].from, from) == 0 && strcmp(k->flows.at[i].to, to) == 0) {
            k->flows.at[i].bytes += bytes;
            return;
        }
    vec_push(&k->flows, (Flow){from, to, bytes});
}

static void find_flows(Kernels *k, size_t i) {
    if (!k->u->kernels.at[i]->tiles) return;
    for (size_t j = 0; j < k->acc[i].len; j++) {
        int n = k->acc[i].at[j].buffer;
        const Buffer *b = &k->u->buffers.at[n];
        if (k->acc[i].at[j].write || b->kind != BUF_MEMORY || b->constant) continue;
        if (is_outside(b) && k->writer[n] < 0)
            add_flow(k, outside_id(k, b), kernel_id(k, i), b);
        else if (k->writer[n] >= 0)
            add_flow(k, kernel_id(k, (size_t)k->writer[n]), kernel_id(k, i), b);
    }
    for (size_t j = 0; j < k->acc[i].len; j++) {
        int n = k->acc[i].at[j].buffer;
        if (!k->acc[i].at[j].write) continue;
        k->writer[n] = (int)i;
        if (is_outside(&k->u->buffers.at[n]))
            add_flow(k, kernel_id(k, i), outside_id(k, &k->u->buffers.at[n]), &k->u->buffers.at[n]);
    }
}

void graph_kernels(Dot *dot, const Code *c, const char *title) {
    Kernels k = {.dot = dot,
                 .u = c->loops,
                 .arena = dot->d->nnc->arena,
                 .number = dot->pictures++,
                 .acc = plan_accesses(c->loops)};
    Str label = {0};
    dot_line(&label, false, "%s", title);
    dot_beside(&label, "%s of activations and scratch", driver_size(k.arena, k.u->arena_bytes));
    k.writer = ARENA_ARRAY(k.arena, int, k.u->buffers.len);
    for (size_t b = 0; b < k.u->buffers.len; b++) k.writer[b] = -1;
    dot_begin(dot, label.at);
    draw_outside(&k);
    draw_scope(&k, 0);
    dot_end(dot);
    for (size_t i = 0; i < k.u->kernels.len; i++) find_flows(&k, i);
    for (size_t i = 0; i < k.flows.len; i++)
        dot_edge(dot, k.flows.at[i].from, k.flows.at[i].to, driver_size(k.arena, k.flows.at[i].bytes));
    vec_free(&k.flows);
    vec_free(&label);
}
