/* The state of emission, shared by the emit_*.c files: loop nests to LLVM IR.
 *
 * Outside vector loops every value is a scalar. Inside one, a value that does not depend on the loop's variable stays a
 * scalar, computed once for all lanes; the others are vectors with a lane an iteration. */
#ifndef LLVM_EMIT_H
#define LLVM_EMIT_H

#include "compiler/llvm/helpers.h"

enum { MAX_LANES = 64 }; /* the widest vector loop */

/* A value of an expression; `wide`: a vector with one element a lane of the current vector loop. */
typedef struct {
    V v;
    bool wide;
} Val;

/* An expression that was emitted. Usable while the scope that it was emitted in is open and nothing that it reads was
 * stored to since. */
typedef struct {
    Val val;
    uint32_t depth;
    uint64_t scope, time;
} Memo;

/* Between opening and closing: a loop body or a branch. Code that came earlier in an open scope dominates what follows.
 */
typedef struct {
    uint64_t id;
    bool masked; /* no branch, only a narrower mask: values that read no memory hold outside too */
} Scope;

/* What a buffer is in the current kernel. */
typedef struct {
    V ptr;                   /* its first element */
    int lanes;               /* above 1: a copy of its own for each lane, element i of lane j at i * lanes + j */
    bool in_vector;          /* declared inside the current vector loop */
    V alias_scope, no_alias; /* metadata; NULL for stack arrays */
    uint64_t overlaps;       /* bits, as in Emit.reads, of itself and the buffers that share bytes with it */
} Slot;

/* Partial results of one LS_ACCUM over the lanes of a vector loop. */
typedef struct {
    const LoopStmt *stmt;
    V *vars;   /* those of unrolled loops tell apart the statement's copies */
    int copy;  /* which of the loop's interleaved bodies */
    V partial; /* alloca of one vector */
    V place;   /* the address that it is for */
} Accum;

typedef struct {
    const LoopStmt *stmt;
    V entry; /* a branch in front of the loop: what must be computed before it goes there */
    int width, copy;
    VEC(Accum) accums;
} VectorLoop;

/* The variable of the innermost loop times a number, counted along with it. */
typedef struct {
    int64_t by;
    V v;
} Multiple;

typedef struct {
    L l;
    const LoopUnit *unit;
    const Kernel *kernel;
    Graph *graph;
    Slot *slots;         /* a buffer */
    V *constants;        /* a buffer: its data in the module, NULL until needed */
    V *bases;            /* loaded in the entry block, NULL until needed */
    V *vars;             /* i64 values of the open loops' variables; the vector variable's is that of lane 0 */
    bool *var_inside;    /* bound inside the current vector loop */
    uint64_t *bound;     /* when: those of outer loops before those of inner ones; above 0 */
    uint64_t *reads;     /* an expression: the buffers below it, as bits buffer % 64 */
    Memo *memo;          /* an expression */
    uint64_t stored[64]; /* when a buffer with this bit was last stored to */
    uint64_t clock, scopes_made;
    VEC(Scope) scopes;
    V loop; /* the variable of the loop at run time that is open; NULL where there is none, or was one inside it */
    VEC(Multiple) multiples; /* of `loop` */
    VectorLoop *vector;      /* the current vector loop; NULL outside */
    int lane_var;            /* its variable; -1 where lanes == 1 */
    int lanes;               /* 1 outside of vector loops and in a tail of one iteration */
    int64_t lane_step;       /* the variable's value at lane 0 is a multiple of it */
    V mask;                  /* the active lanes; NULL: all */
    bool mask_empty;         /* there may be no active lane */
} Emit;

/* The bit that stands for a buffer, perhaps for others too. */
static inline uint64_t buffer_bit(int buffer) { return (uint64_t)1 << (buffer % 64); }

/* ---- emit.c ---- */

/** The kernels of a unit as functions of l's module. `symbol` is the unit's; "train.12.k12_reduce" is kernel 12 of
 * "train". */
void emit_kernels(const L *l, const LoopUnit *unit, const char *symbol, bool internal);

/** The unit's entry, which calls its kernels in order. */
V emit_unit(const L *l, const LoopUnit *unit, const char *symbol, bool internal);

/* ---- emit_loop.c: statements ---- */

void emit_body(Emit *e, const LoopBody *body);

void scope_open(Emit *e, bool masked);
void scope_close(Emit *e);

/** min(count, limit) as an i64. */
V emit_trip_count(Emit *e, const LoopStmt *s);

/** `var`, the variable of a loop at run time, times a number of bytes. */
V emit_times(Emit *e, V var, int64_t by);

/** A loop at run time: `body` for from, from + step, ... below `to`. */
void emit_counted(Emit *e, const LoopStmt *s, V from, V to, int64_t step, void (*body)(Emit *, const LoopStmt *, V));

/** Forgets what was read of `buffer` and of those that overlap it. */
void emit_stored(Emit *e, int buffer);

/* ---- emit_vector.c: vector loops and sums over their lanes ---- */

void emit_vector_loop(Emit *e, const LoopStmt *s);
void emit_accum(Emit *e, const LoopStmt *s);

/* ---- emit_interleave.c ---- */

/** Whether an unrolled loop inside the vector loop stores what its iterations compute side by side. */
bool emit_interleaves(const Emit *e, const LoopStmt *s);

/** Emits such a loop for vectors without a mask; false: it is none. */
bool emit_interleaved(Emit *e, const LoopStmt *s);

/* ---- emit_sort.c ---- */

void emit_sort(Emit *e, const LoopStmt *s);

/* ---- emit_index.c: index expressions ---- */

/** The value as an i64; that of lane 0 where it depends on the lane. */
V emit_aff(Emit *e, const Aff *a);

/** The element at `base` + a + gathered (an i64, or NULL) + more. What outer loops give is added first, so that LLVM
 * moves it out of the inner ones; what remains there is a variable and a constant, which instructions add by
 * themselves. */
V emit_pointer(Emit *e, V base, LLVMTypeRef element, const Aff *a, V gathered, int64_t more);

/** Whether `a` is, over the lanes, emit_aff(a) + coef * lane. */
bool aff_in_lanes(const Emit *e, const Aff *a, int64_t *coef);

/** One value a lane, as i32 where every value fits, else as i64. */
V emit_aff_lanes(Emit *e, const Aff *a);

/** All of the conditions, as an i1 or one a lane. */
Val emit_conds(Emit *e, int n, const Cond *conds);

/* ---- emit_expr.c: scalar expressions ---- */

Val emit_ex(Emit *e, Ex x);
V emit_wide(Emit *e, Val v);                               /* as a vector, where there are lanes */
V emit_constant(const L *l, DType t, double f, int64_t i); /* f for float types, else i */

/* ---- emit_memory.c: loads and stores ---- */

/* An element offset: aff + gathered + step * lane, or one a lane. */
typedef struct {
    const Aff *aff;
    V gathered; /* an i64, or NULL */
    int64_t step;
    V lanes;        /* NULL, or a vector; then the above means nothing */
    int64_t lo, hi; /* its bounds over the whole loops; lo < 0 where they are not known */
} Offset;

Offset emit_offset(Emit *e, const Place *p);
Val emit_load(Emit *e, int buffer, const Offset *at);
void emit_store(Emit *e, int buffer, const Offset *at, Val value);

/** Declares a stack array, or registers. */
void emit_decl(Emit *e, int buffer);

V emit_address(Emit *e, int buffer, const Aff *at);
V emit_element(Emit *e, int buffer, V offset); /* its address */
V emit_plain_load(Emit *e, int buffer, LLVMTypeRef element_in_memory, V address);
void emit_plain_store(Emit *e, int buffer, V value, V address);
V emit_from_memory(const L *l, DType t, V v); /* bytes to bools */
V emit_to_memory(const L *l, DType t, V v);   /* bools to bytes */

/** Whether any lane is active, as an i1; NULL where that is certain. */
V emit_any_lane(Emit *e);

/* ---- scalar.c: the rows of ops.def ---- */

/** Operation `op` whose operands have type `t`; all operands are scalars or all vectors. `to`: the result's type. */
V emit_op(const L *l, ExKind op, DType t, DType to, const V *operands);

/** a combined with b; the value that changes nothing. */
V emit_combine(const L *l, Combine c, DType t, V a, V b);
V emit_identity(const L *l, Combine c, DType t);

#endif
