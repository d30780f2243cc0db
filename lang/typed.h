/* The typed program: what checking makes of the syntax tree, and all that the compiler sees of the language.
 *
 * The checker (check*.c) walks the tree with compile-time values (numbers, strings, lists, functions, layers, data
 * sets) evaluated and functions, layers, losses and optimizers expanded where they are called. What is left are terms:
 * tensor operations with a type each. A unit is one function of terms: a step of a training or evaluating loop, an
 * exported function, or the drawing of initial values. Sizes may be symbolic ("N") while a program is only checked; a
 * unit that is going to be compiled is made with all sizes bound to numbers. */
#ifndef LANG_TYPED_H
#define LANG_TYPED_H

#include "lang/ast.h"

/* ---- sizes and types ---- */

/* A size: a number, or a polynomial in named sizes with rounded-down quotients, such as N*(H - 3) div 2. Canonical and
 * shared: equal sizes are the same pointer. */
typedef const struct DimData *Dim;

bool dim_is_const(Dim d, int64_t *value);
void dim_print(Str *out, Dim d);

typedef struct {
    DType dtype;
    int rank;
    const Dim *dims;
} Type;

bool type_equal(Type a, Type b);
void type_print(Str *out, Type t); /* "[N, 784]", "int[N]", "u8[N, 28, 28]"; f32 is left out */

/* ---- terms ---- */

typedef enum {
    T_NUMBER,  /* a scalar constant */
    T_ARRAY,   /* a constant tensor given by its elements */
    T_INPUT,   /* input `slot` of the unit */
    T_PARAM,   /* the value that parameter `slot` has when the unit starts */
    T_STATE,   /* likewise for states */
    T_OP,      /* scalar operation `op`, element by element; operands broadcast as in NumPy and have equal dtypes where
                  the operation asks for it (conversions are T_CASTs); "select" takes a bool and two values */
    T_CAST,    /* to the term's own dtype */
    T_REDUCE,  /* `op` (sum prod max min argmax argmin) over `axes` (ascending); dims stay as 1 where `keep` */
    T_RESHAPE, /* to the term's own shape, row-major; as many elements */
    T_BROADCAST, /* to the term's own shape, as NumPy does */
    T_TRANSPOSE, /* dim i of the result is dim axes[i] of the operand */
    T_SLICE,     /* element i of the result along dim d is begin[d] + i * step[d] of the operand */
    T_PAD,       /* begin[d] elements of value arg[1] (scalar) before dim d, the rest behind */
    T_CONCAT,    /* along axes[0] */
    T_GATHER,    /* arg[0][.., arg[1], ..] along axes[0]: result dims are those before, those of arg[1], those behind;
                    a negative index counts from the end; an index out of range gives NaN (0 for integers) */
    T_SORT,   /* the places of arg[0]'s elements along its last dim in order, `op` "ascending" or "descending", as many
                 as the term's own last dim says (int); NaN is the largest, equal ones stay in order of place */
    T_MATMUL, /* over the last two dims, earlier dims broadcast; rank 1 operands as in NumPy */
    T_IOTA,   /* 0, 1, 2, ... along its only dim */
    T_RANDOM, /* `op`: "uniform" in [0, 1), "normal", "bits" (any i32); arg[0]: the stream, a scalar i32 of the run
                 (seed), arg[1]: a scalar i32 that counts steps; `site`: the place in the program */
    T_DEFINE, /* index notation: element `indices` of the result is the scalar arg[0] */
    T_INDEX,  /* in index notation: the value of index `indices[0]`, an i32 scalar */
    T_ACCESS, /* in index notation: the element of arg[0] at the scalar integer terms arg[1..]; what lies outside the
                 tensor is never read: T_OP "select" decides by index conditions; a gathered index out of range
                 gives NaN (0 for integers) */
    T_FOLD,   /* in index notation: `op` (sum prod max min mean argmax argmin) of scalar arg[0] over `indices` */
    T_GRAD,   /* the gradient of scalar arg[0] with respect to arg[1] (T_PARAM, T_INPUT or T_MARK) */
    T_MARK,   /* arg[0], as something that a gradient can be taken for; each is its own */
    T_ITERATION, /* the number of the iteration of scan or while `site`, an i32 scalar from 0 on */
    T_CARRY,     /* the value of carry `slot` of scan or while `site` before the iteration */
    T_SCAN,      /* scan `site` of begin[0] iterations and `slot` carries: args are their first values, then their next
                    values, then what is yielded; the body is whatever depends on T_ITERATION and T_CARRY */
    T_WHILE,  /* while `site` of `slot` carries: args are their first values, then their next values, then a bool that
                 is computed before each iteration, which takes place where it is true */
    T_RESULT, /* of loop arg[0]: the last value of carry `slot`, or stacked yield `slot` less the carries */
    T_KINDS
} TermKind;

/* An index of index notation. Two uses of one index share the pointer. */
typedef struct {
    Name name;
    Dim extent;
    int id; /* unique in the unit */
} TermIndex;

typedef struct Term Term;
struct Term {
    TermKind kind;
    Type type; /* of scalar terms in index notation: rank 0 */
    Span at;
    Name name; /* the `let` that it was bound to, or NULL */
    int nargs;
    Term **args;
    int id; /* unique in the program; operands have smaller ones */
    union {
        double number; /* T_NUMBER (also integers: exact up to 2^53) */
        const double *elements;
        int slot;
        Name op;
    };
    uint32_t site; /* T_RANDOM; of a scan or while its number in the unit */
    int naxes;
    const int *axes;
    bool keep;
    const Dim *begin;
    const int64_t *step;
    int nindices;
    TermIndex *const *indices;
    int call;     /* the call that it was made in, see UnitCall; -1: none */
    bool indexed; /* in index notation: depends on an index, and so stands inside of a T_DEFINE */
};

/** A scan or a while. */
bool term_is_loop(const Term *t);

/* ---- data ---- */

/* A data expression, `zip(idx("a"), idx("b"))`, with its arguments evaluated. */
typedef struct DataExpr {
    Name fn; /* idx csv npy zip split take skip ... */
    Span at;
    int nsources;
    struct DataExpr **sources;
    int nargs;
    struct DataArg {
        Name name;
        const char *text;  /* a string, or NULL: */
        double numbers[2]; /* a number, or two of a list */
        Span at;
    } *args;  /* what was given, each checked against the parameters of `fn` */
    int part; /* which of several that it gives, as in data (a, b) = split(...) */
} DataExpr;

typedef struct {
    Name name; /* or NULL */
    DType dtype;
    int rank; /* of one sample */
    const int64_t *dims;
    int64_t rows;   /* that samples are picked from; 0: as many as there are samples */
    int64_t stride; /* elements from one row to the next, as windows of a text may overlap; 0: those of a row */
} DataField;

/* What is known of an opened data set. */
typedef struct {
    int64_t count;
    int nfields;
    const DataField *fields;
    int64_t classes;                                 /* -1: not known of this kind of data */
    int vocab;                                       /* characters of a text; 0 of anything else */
    const int32_t *alphabet;                         /* their code points */
    const double *(*mean)(void *handle, int64_t *n); /* per feature of the first field; may be NULL */
    const double *(*std)(void *handle, int64_t *n);
    void *handle; /* the opener's own */
    const DataExpr *expr;
} DataInfo;

/* Opens a data set. NULL after a diagnostic, or, where only checking goes on, silently: its types are then unknown. */
typedef struct {
    const DataInfo *(*open)(void *self, Nnc *nnc, const DataExpr *e);
    void *self;
} DataOpener;

/* ---- programs ---- */

/* A parameter or a state: one named tensor that lives as long as the run. */
typedef struct {
    Name path; /* "mlp.dense1.w"; optimizer states "adam1.m/mlp.dense1.w" */
    Type type;
    Span at;
    Term *init; /* its first value, made of T_RANDOM and constants only */
    bool is_param;
    bool is_optimizer_state;
    int slot; /* index in Program.params or Program.states */
} Variable;

typedef struct {
    Name name;
    Type type;
    Span at;
    int gathered; /* index of the input that holds row numbers (int[N]) by which this one, a whole data field
                     [count, ...], is read; -1: the input is used as it is */
} UnitInput;

typedef enum { UNIT_STEP, UNIT_EVAL, UNIT_EXPORT, UNIT_INIT } UnitKind;

typedef struct {
    Name name;
    Term *value;
    Span at;
} UnitResult;

typedef struct {
    Variable *var;
    Term *value;
} UnitUpdate;

/* A layer or model that was called while a unit was made, in the order in which the calls ended. */
typedef struct {
    Name path;          /* "mlp.dense1"; of a model, its name */
    Name layer;         /* "Dense" */
    Type input, result; /* of its first tensor input and of its (first) result; rank -1: none */
    Span at;
    int depth; /* 0: called by no layer or model */
} LayerCall;

/* A call of a function, layer or model that was expanded while a unit was made. */
typedef struct {
    Name name; /* NULL: of the unit itself */
    int up;    /* the call around it, by its number in the unit; -1: none */
    int layer; /* its number in Unit.layers; -1: a function */
} UnitCall;

/* What a step descends along: the gradient of what is minimized, before it is clipped. */
typedef struct {
    Variable *param;
    Term *value;
} UnitGradient;

/* A classifier, as an evaluating loop shows it: scores that depend on parameters and labels of the data, from which the
 * scores are not computed, beside each other in the call of a metric or a loss. Labels are int[..B] and scores [..B,
 * C]; where there are no such, both have the same dims, and it is a classifier of two classes if all labels turn out to
 * be 0 or 1. Where there are no integers, labels are floats, and it is one if all turn out to be numbers of classes.
 * NULL: none. */
typedef struct {
    Term *scores, *labels;
    bool binary;
} UnitClassifier;

/* One function to compile. Inputs of exported functions: the tensors, then those of `seed`, `tick` and `epoch` that it
 * uses. Inputs of steps: every field of the data set as a whole, then `rows` (i32[N]), then the scalars
 * `seed`, `tick` (a count of steps over the whole run) and `epoch` (i32 each). Results of steps: first one per
 * `minimize` (the loss), then one per `report`, scalars of the float type. */
typedef struct {
    UnitKind kind;
    Name name;
    Name doc; /* of an exported function, or NULL */
    VEC(UnitInput) inputs;
    VEC(UnitResult) results;
    int nlosses;             /* of a step: how many results, the first ones, are minimized */
    VEC(UnitUpdate) updates; /* parameters and states that get a new value */
    struct Program *program;
    VEC(LayerCall) layers;      /* for `summary` */
    VEC(UnitCall) calls;        /* for `graph` */
    Variable *const *variables; /* of a unit whose sizes are names: the slots of T_PARAM and T_STATE count these */
    size_t nvariables;
    /* For reports: what a unit of its own can compute from the same inputs. Nothing here is compiled by itself. */
    VEC(UnitGradient) gradients;
    UnitClassifier classifier;
} Unit;

typedef struct {
    const DataInfo *data; /* NULL before program_loop_data or a unit was asked for */
    bool trains;
    Span at;
    Ast *ast;
} TrainLoop;

/* A condition on what the loops of an epoch report. Truth is 1 or 0. */
typedef enum {
    STOP_NUMBER,
    STOP_REPORT,
    STOP_NO_IMPROVEMENT, /* of `report` over the last `number` epochs */
    STOP_OP              /* `op` of a and (of two operands) b: those of AST_UNARY and AST_BINARY but `@` */
} StopKind;

typedef struct StopTerm {
    StopKind kind;
    Span at;
    bool condition; /* a truth, not a number */
    double number;
    Name report;
    bool less; /* STOP_NO_IMPROVEMENT: smaller is better */
    AstOperator op;
    struct StopTerm *a, *b;
} StopTerm;

/* A report that a schedule reads, and the scalar state that holds what it came to in the last epoch: NaN before the
 * first one ends. The run sets it. */
typedef struct {
    Name report;
    Variable *var;
} Reported;

typedef struct TrainBlock {
    Name name; /* "" where it has none */
    Span at;
    int64_t epochs, steps, batch, seed, memory; /* 0: not set (epochs 1, batch 32, seed 0, no budget) */
    Name keep_best;                             /* or NULL; `keep_best_less`: smaller is better */
    bool keep_best_less;
    Span keep_best_at;
    VEC(StopTerm *) stops;  /* the run ends after an epoch where any of them is true */
    VEC(Reported) reported; /* grows as units are made */
    VEC(TrainLoop) loops;
    struct {
        Name path; /* model or part */
        const char *file;
        Span at;
    } *loads;
    int nloads;
    Ast *ast;
} TrainBlock;

typedef struct {
    Name name, doc;
    Ast *ast;
} Export;

typedef struct {
    Name name;
    Ast *ast;
    struct Module *module;
} Model;

typedef struct Program {
    Nnc *nnc;
    VEC(Variable *) params, states; /* grow as units are made */
    VEC(TrainBlock *) trains;
    VEC(Export) exports;
    VEC(Model) models;       /* of the file and of what it imports */
    struct Checker *checker; /* the checker's own */
} Program;

/* `--set NAME=VALUE` and `--arg k=3`: the text is a number, true, false, or a string. */
typedef struct {
    const char *name, *value;
} Setting;

/** Parses `path`, its imports and the standard library (`stdlib`: path, text pairs ending with NULL, or a directory
 * that overrides it), resolves names and evaluates the top level. NULL after diagnostics. */
Program *program_load(Nnc *nnc, const char *path, const char *const (*stdlib)[2], const Setting *sets, int nsets,
                      DataOpener opener);

/** The size `n`. */
Dim program_dim(Program *p, int64_t n);

/** Checks everything there is with symbolic sizes: each declaration by itself, each train block, each exported
 * function. False after diagnostics. */
bool program_check(Program *p);

/** Opens the data set that a loop runs over; NULL after a diagnostic. */
const DataInfo *program_loop_data(Program *p, TrainBlock *t, int loop);

/** The unit of one loop of a train block for batches of exactly `n` rows; NULL after diagnostics. */
Unit *program_loop_unit(Program *p, TrainBlock *t, int loop, int64_t n);

/** The unit of an exported function. `types` gives each tensor argument's type where known (rank -1: as declared),
 * which binds its sizes; `args` the compile-time arguments; `n` (0: none) binds the size named N where nothing else
 * did. */
Unit *program_export_unit(Program *p, const Export *e, const Type *types, int ntypes, const Setting *args, int nargs,
                          int64_t n);

/** Whether the function has parameters of these names; false after diagnostics. */
bool program_export_takes(Program *p, const Export *e, const Setting *args, int nargs);

/** The names and declared types of an export's tensor inputs (symbolic), in order; returns their number. */
int program_export_inputs(Program *p, const Export *e, UnitInput **inputs);

/** An exported function or a model by itself, to look at: inputs are as their types say, sizes stay names, a model
 * trains. A result that is not known is NULL. NULL after diagnostics. */
Unit *program_export_picture(Program *p, const Export *e);
Unit *program_model_picture(Program *p, const Model *m);

/** The unit that draws the first values of all parameters and states made so far; its inputs are `seed`, `tick`,
 * `epoch`, its updates all variables. */
Unit *program_init_unit(Program *p);

/** --dump=types: every term of a unit with its type and place. */
void unit_dump(const Unit *u, FILE *out);

#endif
