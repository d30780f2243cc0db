/* The tensor IR. One kind of node does nearly everything: the comprehension
 *
 *     out[i...] = combine over k... of body(i..., k...)
 *
 * whose body is a scalar expression over loads of other tensors at index expressions (affine.h), over the indices
 * themselves and constants. Nodes and expressions only reach what was made before them, so array order is a topological
 * order and side tables are plain arrays. All shapes are constants: a graph is one specialization of a program.
 *
 * Nodes and expressions are made by the functions of build.c alone; they check types and shapes, fold constants and
 * share equal ones. */
#ifndef IR_GRAPH_H
#define IR_GRAPH_H

#include "compiler/ir/affine.h"
#include "compiler/nnc.h"

typedef uint32_t Ref; /* a node: index into Graph.nodes; 0 is none */
typedef uint32_t Ex;  /* a scalar expression: index into Graph.exprs; 0 is none */

typedef enum {
    EX_NONE,
    EX_CONST, /* a number of type dtype */
    EX_INDEX, /* the value of an index expression, as an integer */
    EX_LOAD,  /* an element of a node */
    EX_GUARD, /* a where all conditions hold, else b; only the loads of the chosen side are made */
    EX_FETCH, /* an element of a kernel's buffer (only in loop nests, loop/loop.h) */
#define OP(id, name, arity, type, flags, fold, deriv, emit, cost, synopsis) EX_##id,
#include "compiler/ir/ops.def"
#undef OP
    EX_KINDS
} ExKind;

typedef enum { OPT_SAME, OPT_FLOAT, OPT_COMPARE, OPT_LOGIC, OPT_INTEGER, OPT_SPECIAL } OpType;
enum { OPF_COMM = 1, OPF_USER = 2 };

/* The facts of a scalar operation, from ops.def. */
typedef struct {
    const char *name;
    int arity;
    OpType type;
    int flags;
    const char *deriv[4]; /* one line an operand; all NULL: not differentiable */
    int cost;
    const char *synopsis;
} OpInfo;

const OpInfo *op_info(ExKind k);                /* k from the rows of ops.def */
bool op_from_name(const char *name, ExKind *k); /* false: no such operation */

/* One row of a load's or scatter's place: the index along one dim of the tensor. */
typedef struct {
    const Aff *aff;
    Ex gather; /* 0, or an integer expression whose value is added */
} Place;

/* A condition on index expressions. */
typedef struct {
    const Aff *aff;
    int64_t lo, hi; /* holds where lo <= aff < hi; an equality has hi = lo + 1 */
} Cond;

typedef struct {
    ExKind kind;
    DType dtype;
    Ex arg[4]; /* operands; EX_GUARD: arg[0] inside, arg[1] outside */
    union {
        double f;  /* EX_CONST of a float type */
        int64_t i; /* EX_CONST of an integer or bool type */
        struct {
            Ref node;
            int rank;
            const Place *at;
        } load;           /* EX_LOAD */
        const Aff *index; /* EX_INDEX */
        struct {
            int n;
            const Cond *at;
        } guard; /* EX_GUARD */
        struct {
            int buffer;
            Place at; /* in elements */
        } fetch;      /* EX_FETCH */
    };
} Expr;

typedef enum {
    N_NONE,
    N_LEAF,    /* a value from outside: input, parameter, state; or a constant tensor */
    N_COMP,    /* the comprehension */
    N_SCATTER, /* zeros, then out[place(q)] += body(q) for every point q of a domain, in order */
    N_SORT,    /* out[i..., j]: the place along its last dim of the j-th of the elements i... of `of` in order */
    N_GRAD,    /* the gradient of scalar `of` with respect to node `wrt`; replaced by pass_autodiff */
    N_MARK,    /* `of` itself, but a node of its own that a gradient can be taken for; removed after autodiff */
    N_SCAN,    /* a loop: the nodes that reach its LEAF_ITER or LEAF_CARRY are its body, computed once an iteration */
    N_RESULT,  /* what a loop gives: the last value of a carry, or the values of a yield over a new first dim */
    N_KINDS
} NodeKind;

typedef enum {
    LEAF_INPUT,
    LEAF_PARAM,
    LEAF_STATE,
    LEAF_CONST,
    LEAF_ITER, /* the number of the iteration of scan `slot`, an i32 scalar from 0 on */
    LEAF_CARRY /* the value of carry `index` of scan `slot` before the iteration */
} LeafKind;

typedef enum { RED_NONE, RED_SUM, RED_PROD, RED_MAX, RED_MIN, RED_ARGMAX, RED_ARGMIN } Combine;

typedef struct {
    NodeKind kind;
    DType dtype;
    int rank;
    const int64_t *dims;
    Span at;      /* the expression of the user's file that it computes */
    Name name;    /* a `let` or parameter name, or NULL; for people */
    bool adjoint; /* made by autodiff: part of the gradient of what is at `at` */
    union {
        struct {
            LeafKind kind;
            int slot;         /* which input, parameter, state or scan */
            const void *data; /* LEAF_CONST: the elements, row-major */
            int index;        /* LEAF_CARRY: which carry */
        } leaf;
        struct {
            Combine combine;
            int nred;               /* reduction indices: variables rank .. rank+nred-1 */
            const int64_t *extents; /* rank + nred of them: dims, then the reductions' */
            Ex body;
        } comp; /* ARGMAX, ARGMIN: the row-major number of the winning reduction index, as I32: the first
             of equals, and the first NaN where there is any */
        struct {
            int ndomain; /* variables 0 .. ndomain-1 of `body` and `place` */
            const int64_t *extents;
            const Place *place; /* `rank` of them */
            Ex body;
        } scatter;
        struct {
            Ref of;
            bool descending; /* NaN counts as the largest number; what is equal stays in order of place either way */
        } sort;              /* I32; the last dim says how many of the order there are */
        struct {
            Ref of, wrt;
        } grad; /* N_GRAD; N_MARK uses `of` */
        struct {
            int id;   /* its own in the graph: `slot` of its LEAF_ITER and LEAF_CARRYs */
            Ref cond; /* 0: the loop has `extent` iterations. Otherwise a while: a bool of the body, computed before
                         each iteration, which takes place where it holds; there are no yields */
            int64_t extent; /* of a while: more than it ever gets to */
            bool reverse;   /* the iteration numbers run from extent-1 down to 0 */
            int ncarry, nyield;
            const Ref *init, *next; /* of each carry: before the first iteration, after each */
            const Ref *yield;       /* what is stacked by the iteration number; 0: nothing uses it any more */
        } scan;
        struct {
            Ref of;
            int index; /* a carry, or ncarry + a yield */
        } result;
    };
} Node;

typedef enum { OUT_RESULT, OUT_PARAM, OUT_STATE } OutKind;

/* What a graph gives back: a result, or the new value of a parameter or state. */
typedef struct {
    OutKind kind;
    int slot; /* which result, parameter or state */
    Ref node;
    Name name;
} Output;

typedef struct Graph {
    Nnc *nnc;
    AffTable *affs;
    VEC(Node) nodes; /* nodes.at[0] is N_NONE */
    VEC(Expr) exprs; /* exprs.at[0] is EX_NONE */
    VEC(Output) outputs;
    int nscans;              /* ids of scans are below it */
    struct IrTables *tables; /* sharing tables of build.c */
} Graph;

Graph *ir_graph_new(Nnc *nnc);

static inline Node *ir_node(const Graph *g, Ref r) { return &g->nodes.at[r]; }
static inline Expr *ir_expr(const Graph *g, Ex e) { return &g->exprs.at[e]; }
int64_t ir_elements(const Node *n); /* the product of its dims; 1 for a scalar */

/* ---- building: build.c ---- */

/** The numbers of a kind of leaf: made once per (kind, slot). */
Ref ir_leaf(Graph *g, LeafKind kind, int slot, DType dtype, int rank, const int64_t *dims, Name name, Span at);

/** A constant tensor; copies `data`, which has dtype_size(dtype) bytes an element. */
Ref ir_constant(Graph *g, DType dtype, int rank, const int64_t *dims, const void *data);

/** A comprehension; `extents` has rank + nred entries. The result type is the body's, or I32 for ARGMAX and ARGMIN.
 * Unused indices, extents of 1, and reductions over nothing are canonicalized; a copy of a whole tensor is that tensor.
 */
Ref ir_comp(Graph *g, Combine c, int rank, int nred, const int64_t *extents, Ex body, Span at);
Ref ir_scatter(Graph *g, int rank, const int64_t *dims, const Place *place, int ndomain, const int64_t *extents,
               Ex body, Span at);

/** The places of the first k elements of `of`, of rank 1 or more, in order along its last dim. */
Ref ir_sort(Graph *g, Ref of, int64_t k, bool descending, Span at);
Ref ir_grad(Graph *g, Ref of, Ref wrt, Span at);
Ref ir_mark(Graph *g, Ref of, Span at); /* never shared */
void ir_output(Graph *g, OutKind kind, int slot, Ref node, Name name);

/* ---- scans and whiles: scan.c ---- */

enum { WHILE_EXTENT = INT32_MAX };

/** The iteration number and the carries of scan `id`, which is made after its body; a new scan's id is g->nscans. */
Ref ir_iteration(Graph *g, int id, Span at);
Ref ir_carry(Graph *g, int id, int index, DType dtype, int rank, const int64_t *dims, Name name, Span at);

/** The loop over a body that has been made; `desc` is copied. Never shared. */
typedef struct {
    int id;
    Ref cond; /* 0: `extent` iterations */
    int64_t extent;
    bool reverse;
    int ncarry, nyield;
    const Ref *init, *next, *yield;
} ScanDesc;
Ref ir_scan(Graph *g, const ScanDesc *desc, Span at);
Ref ir_result(Graph *g, Ref scan, int index, Span at);

/** The values of `node`, a part of the body or a carry, in all iterations: one more yield, unless it is one. */
Ref ir_stacked(Graph *g, Ref scan, Ref node);

/** Calls `visit` for every node that node r is computed from (a loop: starting values, next values, yields, condition).
 */
void ir_uses(const Graph *g, Ref r, void (*visit)(Ref used, void *self), void *self);

/** Marks what ir_uses() visits. */
void ir_mark_uses(const Graph *g, Ref r, bool *used);

/** Marks what live node r is computed from. All users of r have been looked at: a yield that none of them takes is left
 * out. */
void ir_mark_live(const Graph *g, Ref r, bool *live);

/** The same for a loop, without its carries. */
void ir_mark_loop(const Graph *g, Ref r, bool *live);

/** Per node: the innermost scan whose body it is part of, 0 for none; in the arena of the context. */
const Ref *ir_homes(const Graph *g);

/** Per node: whether it is part of a while's body that the condition needs, and so comes before the condition is
 * tested; in the arena of the context. */
const bool *ir_deciders(const Graph *g, const Ref *homes);

/** Gives a node a name for people, unless it has one. */
void ir_name(Graph *g, Ref r, Name name);

Ex ex_float(Graph *g, DType t, double v);
Ex ex_int(Graph *g, DType t, int64_t v);
Ex ex_zero(Graph *g, DType t);
bool ex_is_zero(const Graph *g, Ex e);
Ex ex_index(Graph *g, DType t, const Aff *a); /* t: DT_I32 or DT_I64 */
Ex ex_load(Graph *g, Ref node, const Place *at);
Ex ex_fetch(Graph *g, DType t, int buffer, Place at);
Ex ex_guard(Graph *g, int n, const Cond *conds, Ex inside, Ex outside);

bool conds_equal(const Cond *a, const Cond *b, int n);
/** Conditions of any graph as conditions of `to`. */
Cond *conds_copy(Graph *to, const Cond *conds, int n);

/** A scalar operation. Folds constants and the identities that are exact for every float (x * 1, x + -0, --x, select of
 * a constant, ...; not x * 0 nor x - x); orders commutative operands; shares equal expressions. Operand types must
 * already agree as the row of ops.def says (a bug() otherwise): conversions are explicit. */
Ex ex_op(Graph *g, ExKind op, Ex a, Ex b, Ex c);
Ex ex_random(Graph *g, Ex k0, Ex k1, Ex c0, Ex c1);
Ex ex_cast(Graph *g, DType to, Ex a);

/** An expression as it is, neither folded nor shared. */
Ex ex_add(Graph *g, const Expr *x);

/** `e` with each index variable v < n replaced by map[v]. */
Ex ex_subst(Graph *g, Ex e, const Aff *const *map, int n);

/** `e` rebuilt in graph `to` (may be the graph itself): variables through map (may be NULL), nodes through refs[] (may
 * be NULL: the same). The way every pass copies bodies. */
Ex ex_copy(Graph *to, const Graph *from, Ex e, const Aff *const *map, int n, const Ref *refs);

/** `e` with each buffer that it fetches from replaced by buffers[it]; nothing else changes. */
Ex ex_renamed(Graph *g, Ex e, const int *buffers);

/** Calls `visit` once for every distinct expression below `e`, operands first. */
void ex_walk(const Graph *g, Ex e, void (*visit)(const Graph *g, Ex e, void *self), void *self);

/** Marks the variables (below n) that the indices in `e` use. */
void ex_used(const Graph *g, Ex e, bool *used, int n);

/** The same without the expressions below it. */
void ex_used_by(const Graph *g, Ex e, bool *used, int n);

/** Copies node `r` of `from` into `to`, loads going through refs[]; the new node's number. */
Ref ir_copy(Graph *to, const Graph *from, Ref r, const Ref *refs);

/** Makes the copies of the nodes that are outputs of `from` outputs of `to`. */
void ir_copy_outputs(Graph *to, const Graph *from, const Ref *refs);

/** `g` without the nodes that no output reaches; refs[] (as many as g has nodes, or NULL) gets the new numbers, 0 for
 * dropped ones. */
Graph *ir_compact(const Graph *g, Ref *refs);

/* ---- text and checks ---- */

/** The textual IR (--dump=ir); reads back with ir_read. */
void ir_print(const Graph *g, FILE *out);

/** One expression as text, `name` giving a variable's (see aff_print); over several lines in braces where parts are
 * shared. */
void ex_print(Str *out, const Graph *g, Ex e, void (*name)(Str *out, int var, void *self), void *self);

/** Reads textual IR from source `file`; NULL after diagnostics. */
Graph *ir_read(Nnc *nnc, uint32_t file);

/** What holds after every pass: order, types, ranks, each load inside its tensor over the whole domain given the guards
 * around it (gathers excepted). bug() names `after` and the node where it does not. */
void ir_verify(const Graph *g, const char *after);

#endif
