/* What the builders of kernels share: where nodes are, and a writer of loop nests. Private to this folder. */
#ifndef LOOP_COMMON_H
#define LOOP_COMMON_H

#include "compiler/loop/loop.h"
#include "compiler/pass/schedule.h"

/* Where the elements of a node are read and written while a kernel is built: element (i...) is number
 * base + sum of strides[d] * i[d] of the buffer. A local of one row has strides of 0 for the dims of the row. */
typedef struct {
    int buffer; /* -1: nowhere yet */
    const int64_t *strides;
    const Aff *base; /* NULL: 0 */
    int panel;       /* of a variable in panels: their width; the last stride is then from one panel to the next */
} View;

/* One unit under construction. */
typedef struct {
    LoopUnit *u;
    Graph *g; /* the scheduled graph; also owns the expressions of the kernels */
    AffTable *affs;
    Arena *arena;
    const Machine *m;
    const Schedule *s;
    View *memory;    /* per node: its place in memory, once it has one */
    int scan;        /* kernels that are begun run in it; 0: in none */
    bool decides;    /* and come before its condition is tested */
    const Ref *home; /* per node: the N_SCAN whose body it is in, or 0 */
    int *scan_at;    /* per node: the number of an N_SCAN among the unit's scans */
    View *local;     /* per node: its place within the kernel being written, where that is another one */
    uint32_t *stamp; /* per expression: the lowering that last met it ... */
    Ex *memo;        /* ... and what it became */
    size_t nmemo;
    uint32_t lowering;
    const Cond *fails; /* a condition of bodies that does not hold at the current point; or NULL */
} Builder;

/* A kernel being written: the bodies that are open, innermost last. */
typedef struct {
    Builder *b;
    Kernel *k;
    VEC(int64_t) extents; /* of the variables so far */
    VEC(const Aff *)
    stands;                /* what a variable stands for, where it is no loop but short for an expression; else NULL */
    VEC(LoopStmt *) heads; /* the loops and ifs that are open */
    VEC(LoopBody) bodies;  /* one more than heads */
} Nest;

/* ---- buffers: common.c ---- */

int loop_buffer(Builder *b, BufKind kind, DType t, int64_t elems, Name name);
const int64_t *loop_strides(Builder *b, const Node *n); /* row-major, in elements */
View loop_memory(Builder *b, Ref r);                    /* the node's place in memory, made on demand */
View loop_view(Builder *b, Ref r);                      /* where it is for the kernel being written */

/* ---- writing: nest.c ---- */

Nest nest_begin(Builder *b, const char *what, Span at, int64_t tiles);
void nest_end(Nest *n); /* appends the kernel to the unit */

int nest_for(Nest *n, ForMode mode, int64_t count, const Aff *limit, int width); /* its variable */
void nest_within(Nest *n, const Aff *from, const Aff *limit); /* bounds of the innermost loop; NULL: as they are */
void nest_if(Nest *n, int nconds, const Cond *conds);
void nest_close(Nest *n); /* the innermost loop or if */
void nest_decl(Nest *n, int buffer);
void nest_store(Nest *n, int buffer, const Aff *at, Ex value);
void nest_accum(Nest *n, Combine c, int buffer, const Aff *at, Ex value);
void nest_ahead(Nest *n, int buffer, const Aff *at, int64_t by); /* LS_AHEAD */
void nest_add(Nest *n, LoopStmt *s);

/** A variable that stands for `a`, which is known to stay below `extent`: indices are simplified by that. */
const Aff *nest_stand(Nest *n, const Aff *a, int64_t extent);

/** The loop variable as an index expression. */
const Aff *nest_var(Nest *n, int var);

/** `count` units spread over the kernel's tiles: opens the loop over the tile's units, if any, and returns the unit's
 * number. Kernels are begun with loop_tiles() tiles. */
const Aff *nest_units(Nest *n, int64_t count);

/** Unit number z as indices of dims[0..n). */
void nest_unflatten(Nest *n, const Aff *z, const int64_t *dims, int ndims, const Aff **out);

/* ---- expressions: lower.c ---- */

/** `e`, over the variables of a node, as an expression over the kernel's variables: map[v] for variable v < nmap, loads
 * as fetches from the views of the nodes. */
Ex loop_lower(Nest *n, Ex e, const Aff *const *map, int nmap);

const Aff *loop_index(Nest *n, const Aff *a, const Aff *const *map, int nmap);

/** The element number of node r at `at` (over map) in its view; the gathers' part in *gather (0: none). */
Place loop_place(Nest *n, Ref r, const Place *at, const Aff *const *map, int nmap);

/** The element number of indices at[0..rank) in a view. */
const Aff *loop_offset(Nest *n, View v, const Aff *const *at, int rank);

/* ---- combining ---- */

Ex loop_identity(Graph *g, Combine c, DType t); /* what a reduction starts from */
DType loop_accumulator(Combine c, DType t);     /* f32 for sums and products of shorter floats */
Ex loop_fetch(Builder *b, int buffer, const Aff *at);
Ex loop_convert(Builder *b, DType to, Ex e);

/* ---- sizes: tiles.c ---- */

int loop_lanes(const Builder *b, DType t); /* lanes of a vector that computes in t */

/** How many tiles a kernel of `units` equal units, `nanoseconds` of work in all, is cut into. */
int64_t loop_tiles(int64_t units, double nanoseconds);

double loop_cost(const Graph *g, Ex body); /* vector instructions an element */

/** How many vectors of lanes a loop over `body` should compute side by side: 2 where it has a function that is a long
 * chain of instructions, each of which waits for the one before it. */
int loop_abreast(const Graph *g, Ex body);
int64_t loop_flops(const Graph *g, Ref r);

/* ---- the end: build.c ---- */

/** Moves what grew while the unit was built into the arena. */
void loop_seal(Builder *b);

/* ---- one builder a class of kernels ---- */

void loop_rows(Builder *b, const Group *group);
void loop_contract(Builder *b, const Group *group);
void loop_scatter(Builder *b, const Group *group);
void loop_sort(Builder *b, const Group *group);

/** A kernel that copies a tensor of so many elements, and its loop in one that is open. */
void loop_copy(Builder *b, View from, View to, int64_t elems, Span at);
void nest_copy(Nest *n, View from, View to, int64_t elems);

/* ---- variables in panels: panels.c ---- */

/** Chooses those that the unit keeps in panels, once leaves have their places and outputs have not. */
void loop_choose_panels(Builder *b);

/* ---- scans: scan.c ---- */

/** Finds the scans and gives their carries, results and yields their places. */
void loop_find_scans(Builder *b);

/** The copies that a scan or while takes: starting values, yields that are no kernel's result, next values. */
void loop_scan(Builder *b, const Group *group);

/** The innermost scan on which the value of `e`, an expression of the graph, depends; 0: none. */
int loop_scan_of(const Builder *b, Ex e);

/** Begins a kernel for those of the scan at hand that runs in `scan`: the same, or one around it. */
Nest loop_begin_outside(Builder *b, int scan, const char *what, Span at, int64_t tiles);

/** The iteration number that LEAF_ITER `n` stands for in kernels of the scan. */
Ex loop_iteration(Builder *b, const Node *n);

#endif
