/* --dump=plan: the buffers with their places, and the kernels as text. */
#include "compiler/loop/loop.h"

#include <stdlib.h>

static void print_name(Str *out, int var, void *self) {
    (void)self;
    str_add(out, "v%d", var);
}

static void print_aff(Str *out, const Aff *a) { aff_print(out, a, print_name, NULL); }

static void print_place(Str *out, const LoopUnit *u, int buffer, const Place *at) {
    str_add(out, "buffer%d[", buffer);
    print_aff(out, at->aff);
    if (at->gather) {
        str_add(out, " + {");
        ex_print(out, u->graph, at->gather, print_name, NULL);
        str_add(out, "}");
    }
    str_add(out, "]");
}

static const char *local_name(BufKind k) { return k == BUF_STACK ? "stack" : "reg"; }

static void print_for(Str *out, const LoopStmt *s) {
    if (s->loop.mode == FOR_VECTOR)
        str_add(out, "vector(%d)", s->loop.width);
    else
        str_add(out, "%s", s->loop.mode == FOR_UNROLL ? "unroll" : "for");
    str_add(out, " v%d in 0..%lld", s->loop.var, (long long)s->loop.count);
    if (s->loop.from) {
        str_add(out, " from ");
        print_aff(out, s->loop.from);
    }
    if (!s->loop.limit) return;
    str_add(out, " while v%d < ", s->loop.var);
    print_aff(out, s->loop.limit);
}

static void print_if(Str *out, const LoopStmt *s) {
    str_add(out, "if ");
    for (int i = 0; i < s->when.n; i++) {
        const Cond *c = &s->when.conds[i];
        str_add(out, "%s", i ? " and " : "");
        if (c->lo != INT64_MIN) str_add(out, "%lld <= ", (long long)c->lo);
        print_aff(out, c->aff);
        if (c->hi != INT64_MAX) str_add(out, " < %lld", (long long)c->hi);
    }
}

/* buffer3[5*v0 ...5] = sort buffer1[100*v0 ...100] descending in buffer4[1664*v0] */
static void print_sort(Str *out, const LoopUnit *u, const LoopStmt *s) {
    str_add(out, "buffer%d[", s->sort.to);
    print_aff(out, s->sort.to_at);
    str_add(out, " ...%lld] = sort buffer%d[", (long long)s->sort.k, s->sort.keys);
    print_aff(out, s->sort.keys_at);
    str_add(out, " ...%lld]%s in ", (long long)s->sort.n, s->sort.descending ? " descending" : "");
    print_place(out, u, s->sort.room, &(Place){s->sort.room_at, 0});
}

static void print_body(Str *out, const LoopUnit *u, const LoopBody *body, int depth);

static void print_stmt(Str *out, const LoopUnit *u, const LoopStmt *s, int depth) {
    static const char *const ops[] = {[RED_SUM] = "+=", [RED_PROD] = "*=", [RED_MAX] = "max=", [RED_MIN] = "min="};
    const Buffer *b;
    str_add(out, "%*s", 2 * depth, "");
    switch (s->kind) {
    case LS_FOR: print_for(out, s); break;
    case LS_IF: print_if(out, s); break;
    case LS_SORT: print_sort(out, u, s); break;
    case LS_DECL:
        b = &u->buffers.at[s->decl];
        str_add(out, "%s buffer%d %s[%lld]", local_name(b->kind), s->decl, dtype_name(b->dtype), (long long)b->elems);
        break;
    case LS_AHEAD:
        str_add(out, "ahead by %lld of ", (long long)s->ahead.by);
        print_place(out, u, s->ahead.buffer, &(Place){s->ahead.at, 0});
        break;
    case LS_STORE:
    case LS_ACCUM:
        print_place(out, u, s->store.buffer, &s->store.at);
        str_add(out, " %s ", s->kind == LS_STORE ? "=" : ops[s->store.combine]);
        ex_print(out, u->graph, s->store.value, print_name, NULL);
    }
    str_add(out, "\n");
    if (s->kind == LS_FOR) print_body(out, u, &s->loop.body, depth + 1);
    if (s->kind == LS_IF) print_body(out, u, &s->when.then, depth + 1);
}

static void print_body(Str *out, const LoopUnit *u, const LoopBody *body, int depth) {
    for (size_t i = 0; i < body->len; i++) print_stmt(out, u, body->at[i], depth);
}

static void print_buffer(const LoopUnit *u, size_t i, FILE *out) {
    const Buffer *b = &u->buffers.at[i];
    if (b->kind != BUF_MEMORY) return;
    fprintf(out, "  buffer%zu %s[%lld] at ", i, dtype_name(b->dtype), (long long)b->elems);
    if (b->constant)
        fprintf(out, "constant");
    else if (b->base == BASE_ARENA)
        fprintf(out, "arena + %lld", (long long)b->offset);
    else if (b->base == BASE_VARIABLES)
        fprintf(out, "variables + %lld", (long long)b->offset);
    else if (b->base < BASE_FIRST_INPUT + u->ninputs)
        fprintf(out, "input %d", b->base - BASE_FIRST_INPUT);
    else
        fprintf(out, "result %d", b->base - BASE_FIRST_INPUT - u->ninputs);
    for (int p = 0; p < u->npanels && b->base == BASE_VARIABLES; p++)
        if (u->panels[p].offset == b->offset) fprintf(out, " in panels of %d", u->panels[p].width);
    fprintf(out, b->name ? "    # %s\n" : "\n", b->name);
}

static void print_loop(const LoopScan *s, FILE *out) {
    if (s->cond >= 0)
        fprintf(out, "\nwhile v%d: %zu kernels, of which %zu before buffer%d[0] is tested\n", s->depth, s->to - s->from,
                s->body - s->from, s->cond);
    else
        fprintf(out, "\nscan v%d in 0..%lld%s: %zu kernels\n", s->depth, (long long)s->extent,
                s->reverse ? " reverse" : "", s->to - s->from);
}

void loop_print(const LoopUnit *u, FILE *out) {
    fprintf(out, "unit %s: %zu kernels, arena %lld bytes\n", u->name, u->kernels.len, (long long)u->arena_bytes);
    for (size_t i = 0; i < u->buffers.len; i++) print_buffer(u, i, out);
    for (size_t k = 0; k < u->kernels.len; k++) {
        const Kernel *kernel = u->kernels.at[k];
        Str text = {0};
        for (int s = 1; s <= u->nscans; s++)
            if (u->scans[s].from == k && u->scans[s].to > k) print_loop(&u->scans[s], out);
        fprintf(out, "\nkernel %s tiles %lld    # %lld flops, %lld bytes\n", kernel->name, (long long)kernel->tiles,
                (long long)kernel->flops, (long long)kernel->bytes);
        print_body(&text, u, &kernel->body, 1);
        fputs(text.at ? text.at : "", out);
        vec_free(&text);
    }
}
