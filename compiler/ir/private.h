/* What the files of this folder share, and the reference interpreter uses: the values of scalars, and the inside of the
 * builders. Everything else goes through graph.h. */
#ifndef IR_PRIVATE_H
#define IR_PRIVATE_H

#include "compiler/ir/affine_private.h"
#include "compiler/ir/graph.h"

/* ---- values: fold.c ---- */

/* The value of a scalar: `f` for float types, `i` for integers and bool (0 or 1). */
typedef struct {
    double f;
    int64_t i;
} Scalar;

double scalar_round(DType t, double v);                       /* the nearest number of float type t, ties to even */
int64_t scalar_wrap(DType t, int64_t v);                      /* v modulo the range of integer type t */
bool scalar_exact(DType t, int64_t v);                        /* whether type t can hold v */
void scalar_limits(DType t, Scalar *lowest, Scalar *highest); /* -inf and inf for floats */
Scalar scalar_cast(DType to, DType from, Scalar v);

/** Element i of an array of type t in memory. */
Scalar scalar_read(DType t, const void *data, int64_t i);
void scalar_write(DType t, void *data, int64_t i, Scalar v);

/** Operation `op` on operands of type `t` (SELECT: the type of its last two). Not CAST, STOP and RANDOM. */
Scalar scalar_op(ExKind op, DType t, const Scalar *a);

uint16_t f16_bits(double v);
double f16_value(uint16_t bits);
uint16_t bf16_bits(double v);
double bf16_value(uint16_t bits);

/* ---- operations: ops.c ---- */

/** The result type of `op` over operands of these types; false where they don't fit (or op is CAST). */
bool op_result(ExKind op, const DType *types, DType *result);

/* ---- building ---- */

bool ex_is_const(const Graph *g, Ex e);
Scalar ex_value(const Graph *g, Ex e); /* of an EX_CONST */
Ex ex_const(Graph *g, DType t, Scalar v);
Ex ex_share(Graph *g, const Expr *x); /* build.c: the shared expression equal to x; copies its arrays */

/** A gather by an index or by a constant is no gather: its value joins the affine part. */
Place place_plain(Graph *g, Place p);

/** The simpler equal of an operation whose operands are built, or 0: algebra.c. */
Ex ex_algebra(Graph *g, ExKind op, Ex a, Ex b, Ex c);
Ex ex_cast_algebra(Graph *g, DType to, Ex a);

/** A total order of expressions by structure. */
int ex_cmp(const Graph *g, Ex a, Ex b);

typedef enum { COND_DEPENDS, COND_ALWAYS, COND_NEVER } CondFate;

/** Brings a condition into its canonical form: no constant, no common factor, leading coefficient positive, no outer
 * quotient. */
CondFate cond_normalize(AffTable *t, Cond *c);

/** Operands and gathers of an expression; ex_child may be 0. */
int ex_nchildren(const Expr *x);
Ex ex_child(const Expr *x, int i);

/* Expressions below one, operands first; free with vec_free. */
typedef VEC(Ex) ExList;
ExList ex_below(const Graph *g, const Ex *roots, int n);
size_t ex_position(const ExList *l, Ex e); /* its index in the list */

/* How a copy of an expression differs from the original. */
typedef struct {
    Graph *to;
    const Graph *from;
    const Aff *const *map; /* variables below n become these; NULL: kept */
    int n;
    const Ref *refs;        /* nodes become these; NULL: kept */
    const int64_t *extents; /* ranges of the new variables, to simplify by; NULL: unknown */
    int nvars;
} Rebuild;

Ex ex_rebuild(const Rebuild *r, Ex e);
const Aff *aff_rebuild(const Rebuild *r, const Aff *a);

/** Adds a node, whose arrays are copied; or finds an equal one: node.c. */
Ref ir_append(Graph *g, const Node *n);
Ref ir_share(Graph *g, const Node *n);

/** The first thing wrong in the graph, as words in `why` and the node, or false: verify.c. */
bool ir_faulty(const Graph *g, Str *why, Ref *where);

/* Growth of a graph's arrays, in its arena. */
#define graph_push(g, v, ...)                                                                                          \
    do {                                                                                                               \
        if ((v)->len == (v)->cap) (v)->at = graph_grow((g), (v)->at, (v)->len, &(v)->cap, sizeof *(v)->at);            \
        (v)->at[(v)->len++] = __VA_ARGS__;                                                                             \
    } while (0)
void *graph_grow(Graph *g, const void *at, size_t len, size_t *cap, size_t size);

/* Sharing: open addressing over numbers of expressions or nodes. */
typedef struct {
    uint32_t *slots;
    uint64_t *hashes;
    size_t len, cap;
} ShareTable;

struct IrTables {
    ShareTable exprs, nodes;
    uint32_t *mark; /* per expression: the last walk that met it */
    size_t nmark;
    uint32_t walk;
};

uint64_t hash_mix(uint64_t h, uint64_t x);

/** The next candidate with this hash, or 0 at the end; *slot starts at (size_t)hash. */
uint32_t share_next(const ShareTable *t, uint64_t hash, size_t *slot);
void share_add(Graph *g, ShareTable *t, uint64_t hash, uint32_t number);

#endif
