/* Kernels as loop nests: the second and last IR, between the fused graph and LLVM.
 *
 * A kernel is a function of a tile number. Its body is loops, stores and accumulations over buffers; values are the
 * graph's scalar expressions whose loads have become EX_FETCH of a buffer at an element offset. Index variables are the
 * kernel's loops: variable 0 is the tile number, every FOR binds one more. Offsets are quasi-affine in them.
 *
 * Loops inside a vector loop are serial or unrolled and have counts and limits that are the same for every lane. In a
 * vector loop a REG index is a constant, or a constant plus the lane variable. A buffer may share its memory with
 * another one of the same kernel (an update in place): they then have equal bases and offsets, and each statement reads
 * before the statements after it write.
 *
 *   kernel k3 tiles 13                            # fashion.nn:7:12
 *     for v1 in 0..8 while 8*v0 + v1 < 100        rows of the tile
 *       reg acc f32[1]
 *       acc[0] = 0
 *       vector(8) v2 in 0..784
 *         acc[0] += b1[784*(8*v0 + v1) + v2] * b2[v2]
 *       b3[8*v0 + v1] = max(acc[0], 0)
 */
#ifndef LOOP_H
#define LOOP_H

#include "compiler/ir/graph.h"

typedef enum {
    BUF_MEMORY, /* bases[base] + offset bytes: arena, variables, inputs, results, constants */
    BUF_STACK,  /* a small array of the kernel's invocation (aligned to 64 bytes) */
    BUF_REG /* as BUF_STACK, but every index is a constant once unrolled loops are expanded and vector loops have become
               lanes: it is kept in registers */
} BufKind;

typedef struct {
    BufKind kind;
    DType dtype;
    int base;       /* BUF_MEMORY: index into the bases[] that every kernel is called with */
    int64_t offset; /* BUF_MEMORY: bytes from the base; 64-aligned for arena and variables */
    int64_t elems;
    Name name;            /* for people */
    const void *constant; /* BUF_MEMORY with base < 0: read-only data inside the module */
    bool carry;           /* of a scan: written before it and at the end of each iteration */
    int scan;             /* of a carry: which scan's */
    int shares;           /* a carry whose place its next value has, this one; -1: none */
} Buffer;

typedef enum { LS_FOR, LS_DECL, LS_STORE, LS_ACCUM, LS_IF, LS_SORT, LS_AHEAD } LoopStmtKind;

typedef enum {
    FOR_SERIAL,
    FOR_VECTOR, /* iterations are lanes of `width`-wide vectors, the last ones masked; iterations must be independent
                   but for LS_ACCUM into places that do not depend on the variable: those are folded over the lanes
                   after the loop, in a fixed order */
    FOR_UNROLL  /* expanded at compile time */
} ForMode;

typedef struct LoopStmt LoopStmt;
typedef VEC(LoopStmt *) LoopBody;

struct LoopStmt {
    LoopStmtKind kind;
    Span at;
    union {
        struct {
            ForMode mode;
            int var;
            int64_t count;    /* 0 <= var < count ... */
            const Aff *limit; /* ... and var < limit, where not NULL (over outer variables): the partial last tile */
            const Aff *from;  /* ... and from <= var, where not NULL: of serial loops */
            int width;        /* FOR_VECTOR: lanes */
            LoopBody body;
        } loop;
        int decl; /* LS_DECL: a STACK or REG buffer begins to live here, uninitialized. Inside a vector loop each lane
                     has its own copy */
        struct {
            int buffer;
            Place at; /* element offset */
            Ex value;
            Combine combine; /* LS_ACCUM: buffer[at] = combine(buffer[at], value); SUM PROD MAX MIN */
            bool fused;      /* LS_ACCUM of a product with SUM: may be one fused multiply-add */
        } store;             /* LS_STORE, LS_ACCUM */
        struct {
            int n;
            const Cond *conds; /* all of them */
            LoopBody then;
        } when; /* LS_IF */
        struct {
            int keys, to, room; /* buffers; `room`, of I64, is written over */
            const Aff *keys_at, *to_at, *room_at;
            int64_t n, k;
            bool descending;
        } sort; /* LS_SORT: to[to_at ...] become the places, from keys_at on, of the first k of n keys in order (as
                   N_SORT). Not in a vector loop */
        struct {
            int buffer;
            const Aff *at;
            int64_t by;
        } ahead; /* LS_AHEAD: what is `by` elements after this one, if anything, will be read soon: it may be fetched
                    into the first cache. Not in a vector loop */
    };
};

typedef struct {
    const char *name; /* "k3_dense" */
    Span at;
    int64_t tiles;        /* how often it is called, with tile 0 .. tiles-1, in any order and on any thread; 0: a copy
                             of what is in its place already */
    int64_t flops, bytes; /* for all tiles and iterations together, for reports and the cost model */
    int scan;             /* the innermost scan that it runs in; 0: none */
    bool last;            /* runs after all others of an iteration: carries get their next values */
    bool decides;         /* runs before the condition of the while that it is directly in is tested */
    int nvars;            /* variables 0 .. nvars-1; 0 is the tile, then the iteration numbers of the scans around, the
                             outermost first */
    int64_t *extents;     /* of the variables, for simplification */
    LoopBody body;
} Kernel;

/* A loop around kernels from .. to-1, which run in order for each iteration: a scan, or a while. That one runs the
 * first of them, tests its condition, and where it holds runs the others. */
typedef struct {
    int parent; /* the loop around it; 0: none */
    int depth;  /* 1 for the outermost: also the variable that is its iteration number in its kernels */
    int64_t extent;
    bool reverse; /* the iteration numbers run down */
    int cond;     /* of a while: the buffer whose element 0 says whether to go on; -1: it has `extent` iterations */
    bool decides; /* as for a kernel */
    int base;     /* of the cell: BASE_ARENA */
    int64_t cell; /* an int64_t for the iteration number, which the unit sets and kernels read */
    size_t from, body, to; /* kernels from .. body-1 run before the condition is tested */
} LoopScan;

/* Which base a buffer counts from: fixed ones first, then the unit's inputs, then its results. */
enum { BASE_ARENA, BASE_VARIABLES, BASE_FIRST_INPUT };

/* A variable [..., n] that a unit reads and writes as [n / width, ..., width], lanes beyond the last row of zeros: as
 * its contractions go through it. In all other units, and outside of them, it is in rows. */
typedef struct {
    int64_t offset; /* from the variables' base, in bytes */
    int64_t rows;   /* all dims but the last */
    int64_t lanes;  /* the last */
    int width;      /* lanes of a panel */
    int size;       /* bytes of an element */
} Panels;

/* A compiled unit before LLVM: kernels in the order in which they run, over one table of buffers. */
typedef struct {
    Nnc *nnc;
    Graph *graph; /* owner of the expressions; EX_FETCH refers to buffers[] */
    const char *name;
    VEC(Buffer) buffers;
    VEC(Kernel *) kernels;
    LoopScan *scans; /* scans and whiles, 1 .. nscans, inner ones before those around them */
    int nscans;
    int ninputs, nresults;
    int64_t arena_bytes;  /* exact size of BASE_ARENA */
    const Panels *panels; /* variables that the unit keeps in panels, in the order of their places */
    int npanels;
    int recomputed; /* buffers that are filled once more rather than kept */
    bool once;      /* run once in a program: the code of small kernels is made fast rather than fast code */
} LoopUnit;

/* What the target offers, for schedules: loop/tiles.c. */
typedef struct {
    int vector_bytes; /* 16, 32 or 64 */
    int registers;    /* vector registers: 16 or 32 */
    int64_t l1, l2;   /* bytes */
    bool fma;
    bool broadcast; /* a number in memory is loaded into all lanes by one instruction */
} Machine;

/* Where each parameter and state lives in BASE_VARIABLES, in bytes; -1: not in this unit. */
typedef struct {
    const int64_t *param, *state;
    int64_t size;
    bool panels; /* each has room for loop_variable_bytes: a unit may keep it in panels */
} VarLayout;

/** Bytes that a variable takes in rows, and in panels of whatever width if it is one that may be in panels. */
int64_t loop_variable_bytes(const Machine *m, DType t, const int64_t *dims, int rank);

/** Puts a variable's bytes from rows into panels, and back. `room`: scratch of panels_bytes. */
int64_t panels_bytes(const Panels *p);
void panels_from_rows(const Panels *p, void *at, void *room);
void panels_to_rows(const Panels *p, void *at, void *room);

/** fuse.c, schedule, plan, loop/: the whole way from an optimized graph (no gradients left) to loop nests. Exactly the
 * results, parameters and states among graph->outputs are written. */
LoopUnit *loop_build(Nnc *nnc, const Graph *g, const char *name, int ninputs, int nresults, const VarLayout *vars,
                     const Machine *m);

/** The same, with an arena of at most so many bytes, or as few as can be. */
LoopUnit *loop_build_within(Nnc *nnc, const Graph *g, const char *name, int ninputs, int nresults,
                            const VarLayout *vars, const Machine *m, int64_t arena_bytes);

/** Whether two buffers in memory share bytes. */
bool loop_overlap(const Buffer *a, const Buffer *b);

/** The scan directly inside `scope` (0: outside of all) that kernel k runs in, or 0 where it is directly there. */
int loop_scan_below(const LoopUnit *u, const Kernel *k, int scope);

enum { LOOP_SORT_RUN = 8 }; /* keys are first sorted in runs of so many */

/** How many elements of `room` an LS_SORT of n keys of type t takes: two lists of keys with their places, each of whole
 * runs. */
int64_t loop_sort_room(DType t, int64_t n);

/** A unit of nothing but multiply-adds in f32, for measuring the most that a machine can do: two inputs of one number
 * each and a third of *result_bytes that it writes. */
LoopUnit *loop_peak(Nnc *nnc, const Machine *m, int64_t *result_bytes);

/** --dump=plan: buffers with offsets, kernels as text. */
void loop_print(const LoopUnit *u, FILE *out);

/** bug() where a variable is used outside its loop, an offset can leave its buffer, a REG index is not constant, ... */
void loop_verify(const LoopUnit *u);

#endif
