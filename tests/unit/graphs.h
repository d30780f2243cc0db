/* Graphs in tests: built by hand, printed, read. */
#ifndef TESTS_GRAPHS_H
#define TESTS_GRAPHS_H

#include "compiler/ir/graph.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static const Span nowhere = {0, 0, 0};

typedef struct {
    Nnc *nnc;
    Graph *g;
} Fix;

static inline Fix fix_new(void) {
    Nnc *nnc = nnc_new();
    return (Fix){nnc, ir_graph_new(nnc)};
}

static inline void fix_free(Fix *f) { nnc_free(f->nnc); }

static inline Ref leaf(Fix *f, int slot, DType t, int rank, const int64_t *dims) {
    return ir_leaf(f->g, LEAF_INPUT, slot, t, rank, dims, NULL, nowhere);
}

static inline const Aff *var(Fix *f, int v, int64_t c) {
    return aff_add(f->g->affs, aff_var(f->g->affs, v), aff_const(f->g->affs, c));
}
static inline Ex load1(Fix *f, Ref r, const Aff *a) { return ex_load(f->g, r, &(Place){a, 0}); }

/* The text of a graph; free it. Places of the source are dropped. */
static inline char *graph_text(const Graph *g) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    ir_print(g, out);
    fclose(out);
    char *to = text;
    for (char *c = text; *c; c++) {
        if (strncmp(c, "    #", 5) == 0) c += strcspn(c, "\n");
        *to++ = *c;
    }
    *to = 0;
    return text;
}

static inline Graph *read_graph(Nnc *nnc, const char *text) {
    return ir_read(nnc, source_add(&nnc->sources, nnc->arena, "test.ir", text, strlen(text)));
}

static inline void expect_text(Graph *g, const char *want) {
    char *text = graph_text(g);
    cr_expect_str_eq(text, want);
    free(text);
}

#endif
