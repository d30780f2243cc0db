/* What the files of the checker share beside values: modules, the state of the unit being made, and the functions of
 * one file that others call. Private to lang/. */
#ifndef LANG_CHECK_H
#define LANG_CHECK_H

#include "lang/value.h"

enum {
    CHECK_MAX_DEPTH = 200,     /* calls inside each other */
    CHECK_MAX_TERMS = 2000000, /* of one unit */
    CHECK_MAX_NESTING = 3000,  /* expressions, calls and lets inside each other */
    CHECK_MAX_RANK = 32,       /* dims of a tensor */
    CHECK_MAX_LOOP = 100000,   /* iterations of one compile-time loop */
    CHECK_MAX_WORK = 5000000,  /* expressions evaluated for one unit */
    CHECK_TOP_LOOPS = 1 << 30  /* numbers of loops at the top level begin here */
};

/* ---- modules (resolve.c) ---- */

typedef VEC(const char *) Names;

typedef struct Decl {
    Name name;
    Ast *ast;
    Module *module;
    Span at;
    int part; /* of a tuple pattern, or -1 */
    enum { DECL_NEW, DECL_BUSY, DECL_DONE } state;
    Value value;
} Decl;

struct Module {
    const char *path;
    AstFile *file;
    Scope *scope;
    NameMap decls; /* Name to Decl */
    VEC(Decl *) order;
    VEC(Module *) imports;
    bool is_library;
};

/** What a name means at the top level of a module: its own declarations, then those that it imports, the library's, the
 * builtins. V_NONE where nothing has the name. */
Value module_lookup(Checker *c, Module *m, Name name, Span at);

/** Whether the name means anything at the top level of the module. */
bool module_has(Checker *c, Module *m, Name name);

/** Whether a top-level `let` gives the name a number. */
bool module_has_number(Checker *c, Module *m, Name name);

/** The nearest visible name to one that is not there, or NULL. */
const char *scope_nearest(Checker *c, Scope *s, Name name);

/** What the text of a setting stands for: a number, true, false, else a string. */
Value setting_value(Checker *c, const char *text);

bool resolve_program(Checker *c, const char *path, const char *const (*stdlib)[2], const Setting *sets, int nsets);

/* ---- the checker (check.c) ---- */

/* Gives the layers of one body their names. */
typedef struct Namer {
    Name path;       /* "" outside of everything */
    NameMap used;    /* names of children given away */
    NameMap numbers; /* of a name to its next two numbers, see child_name */
    int randoms;     /* random tensors made */
} Namer;

typedef struct Frame {
    struct Frame *up;
    Ast *fn;   /* AST_FUNCTION or AST_LAMBDA; NULL at the outermost */
    Name name; /* for messages */
    Span call; /* where it was called */
    Value result;
    Namer *namer;
    const NameMap *marks; /* names that gradients are taken for in this body */
    Scope *scope;
    struct Minimize *minimize; /* of the body of an optimizer */
    bool owns_params;          /* a layer or a model: may have param and state */
    int depth;
    int record; /* its number in Unit.calls, or -1 */
} Frame;

/* A variable in the unit being made: its value when the unit starts and now. */
typedef struct {
    Variable *var;
    Term *first, *now;
} Slot;

typedef struct {
    NameMap by_path;      /* to Variable */
    VEC(Variable *) list; /* in the order in which they were made */
} VarTable;

typedef struct UnitState {
    Unit *unit;
    bool training;
    bool symbolic; /* only checked: sizes may stay names, variables are not kept */
    bool alone;    /* a declaration by itself, not what a run or an export calls */
    bool in_loop;  /* of a train block: minimize and report are allowed */
    VarTable *vars;
    NameMap slots; /* path to Slot */
    VEC(Slot *) order;
    NameMap sites; /* random sites used */
    Term *seed, *tick, *epoch, *step;
    Namer *namer; /* of the unit itself */
    struct TrainBlock *block;
    Name optimizer_prefix; /* names of optimizer states begin with it */
    int minimizes;         /* made so far in the block */
    VEC(Term *) loops;     /* scans and whiles made in it by number; NULL: in the making, or not known */
    bool many_losses;
    const struct UnitState *around; /* of the unit of first values: the one that met the variable */
    VEC(UnitResult) reports;
    int first_term, errors;
} UnitState;

/* A file of the standard library. */
typedef struct {
    const char *path, *text;
    bool read;
} LibraryFile;

struct Checker {
    Program *program;
    Nnc *nnc;
    Dims *dims;
    DataOpener opener;
    Module *main, *library;
    VEC(LibraryFile *) library_files;
    NameMap library_names; /* what the library declares: name to LibraryFile */
    VEC(Module *) modules;
    NameMap by_path; /* imported files */
    VarTable vars;   /* the program's own */
    UnitState init;  /* of the unit that draws first values */
    Namer top;       /* of layers made outside of every body */
    NameMap marks;
    NameMap overrides; /* --set: name to Setting */
    NameMap reported;
    Frame *frame;
    UnitState *unit;
    struct ScanContext *scan;     /* the scan or while whose body is being made */
    struct IndexContext *indices; /* of the definition in index notation that is being made */
    int terms, work, nesting, index_ids, top_loops;
    Span place;        /* of the expression evaluated last */
    bool stopped;      /* a limit was reached: everything is poison from here on */
    bool broken;       /* a file could not be read whole: what it declares is not known */
    bool without_data; /* a data set could not be opened: layers that depend on it have no parameters yet */
    bool repeated;     /* the message being made was reported before */
};

/* err(c, at, id, ...) reports a message once for each place and adds the calls that led there. */
#define err(c, at, id, ...)                                                                                            \
    (check_begin((c), (at), DIAG_##id), check_note((c), (at), diag((c)->nnc, (at), DIAG_##id, ##__VA_ARGS__)))
void check_begin(Checker *c, Span at, DiagId id);
Diag *check_note(Checker *c, Span at, Diag *d);

Name check_name(Checker *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *type_text(Checker *c, Type t);
const char *dim_text(Checker *c, Dim d);
const char *source_text(Checker *c, Span at); /* the source there, white space made single spaces */
static inline Arena *check_arena(Checker *c) { return c->nnc->arena; }

/* frames */
bool frame_push(Checker *c, Frame *f, Ast *fn, Name name, Span call, Scope *parent);
void frame_pop(Checker *c);
void check_stop(Checker *c);

/* ---- terms (term.c) ---- */

Term *term_new(Checker *c, TermKind kind, Type type, Span at, int nargs, Term *const *args);
Type type_scalar(DType t);
Type type_of(Checker *c, DType t, int rank, const Dim *dims);
Dim type_count(Checker *c, Type t); /* elements */
DType type_float(Checker *c);
Term *term_number(Checker *c, double x, DType t, Span at);
Term *term_cast(Checker *c, Term *t, DType to, Span at);
Term *term_reshape(Checker *c, Term *t, int rank, const Dim *dims, Span at);
Term *term_broadcast(Checker *c, Term *t, int rank, const Dim *dims, Span at);
Term *term_slice(Checker *c, Term *t, const Dim *dims, const Dim *begin, const int64_t *step, Span at);
Term *term_transpose(Checker *c, Term *t, const int *perm, Span at); /* keeps perm, an arena's */
Term *term_gather(Checker *c, Term *t, Term *index, int axis, Span at);
Term *term_reduce(Checker *c, const char *op, Term *t, const int *axes, int naxes, bool keep, Span at);
Term *term_stop(Checker *c, Term *t, Span at);
Term *term_mark(Checker *c, Term *t, Span at);
Term *term_input(Checker *c, Unit *u, Name name, Type t, int gathered, Span at);

/** A scalar operation on terms of one shape rule: broadcasts and converts; NULL after a diagnostic. `what` is the
 * operation in the user's words. */
Term *term_apply(Checker *c, const char *op, int n, Term **args, const Span *places, const char *what, Span at);
Term *term_unary(Checker *c, const char *op, Term *a, Span at);
/** The same of two terms that are known to fit. */
Term *term_binary(Checker *c, const char *op, Term *a, Term *b, Span at);
Term *term_select(Checker *c, Term *cond, Term *a, Term *b, Span at);

DType dtype_join(Checker *c, DType a, DType b);

/** The value as a tensor; numbers get the type of `like` where it holds them (NULL: int, or the float type). NULL for
 * poison and, after a diagnostic, for what is no tensor. */
Term *value_to_term(Checker *c, Value v, const Term *like, Span at);

/** Where `v` is a layer: says how one gets its input. */
void help_apply(Checker *c, Diag *d, Value v);
/** Two or three values that meet in one operation. */
bool values_to_terms(Checker *c, int n, const Value *v, const Span *places, Term **out);
/** As a tensor of the float type or of a wider one. */
Term *term_to_float(Checker *c, Term *t, Span at);
/** The dims of broadcasting a with b; false where they do not fit: then *bad is the dim counted from the end. */
bool dims_broadcast(Checker *c, Type a, Type b, int *rank, const Dim **dims, int *bad);
void label_origin(Checker *c, Diag *d, const Term *t);

/* ---- expressions ---- */

/** Adds to the work done for the unit; false, after a diagnostic, where it is too much. Without a place it is that of
 * the expression before. */
bool check_work(Checker *c, int64_t amount, Span at);
Value eval_expr(Checker *c, Scope *s, Ast *e);                           /* check_expr.c */
Value eval_lookup(Checker *c, Scope *s, Name name, Span at);             /* check_expr.c */
Value eval_unknown(Checker *c, Scope *s, Name name, Span at);            /* reports an unknown name */
bool eval_is_ambient(const char *name);                                  /* training, step, epoch */
Value eval_binary(Checker *c, AstOperator op, Value a, Value b, Ast *e); /* check_op.c */
Value eval_unary(Checker *c, AstOperator op, Value a, Ast *e);           /* check_op.c */
Value eval_if(Checker *c, Scope *s, Ast *e);                             /* check_op.c */
Value number_binary(Checker *c, AstOperator op, Value a, Value b, Span at);
Value value_binary(Checker *c, const char *op, Value a, Value b, const Span *places, Span at, const char *what);
Value eval_matmul(Checker *c, Scope *s, Value a, Value b, Ast *e);   /* check_matmul.c */
Value eval_index(Checker *c, Scope *s, Ast *e);                      /* check_slice.c */
Value eval_field(Checker *c, Scope *s, Ast *e);                      /* check_layer.c */
Value index_axis(Checker *c, Term *t, int axis, int64_t n, Span at); /* x[.., n, ..] */

/* ---- calls (check_call.c) ---- */

typedef struct {
    Name name; /* NULL: by position */
    Value value;
    Span at, name_at;
} Arg;

typedef struct {
    const Arg *at;
    int len;
} Args;

Value eval_call(Checker *c, Scope *s, Ast *e);
Value eval_pipe(Checker *c, Scope *s, Ast *e);
Args eval_args(Checker *c, Scope *s, Value callee, const Value *first, Span first_at, AstFields fields);
/** One argument of a call, of the parameter `place` where it has no name (check_reported.c). */
Value eval_argument(Checker *c, Scope *s, Value callee, const AstField *f, int place);
bool type_is_reported(const Ast *type);
Value call_value(Checker *c, Value callee, Args args, Span at);
/** The same by position. */
Value call_with(Checker *c, Value callee, int n, const Value *args, Span at);
/** Sorts arguments to the parameters' places; false after a diagnostic. */
bool args_place(Checker *c, const AstParams *params, Args args, const Ast *fn, const char *what, Span at, Value *given,
                Span *places);
Value function_body(Checker *c, Ast *fn, Scope *s);

typedef struct {
    const AstParams *params;
    Value *given;
    Span *places;
} ParamGroup;
/** Binds parameters to the given values, the sizes of their types and the defaults; false after a diagnostic. */
bool bind_params(Checker *c, Scope *s, const ParamGroup *groups, int ngroups, Name owner);

/* ---- types (check_type.c) ---- */

bool type_dtype(Checker *c, const Ast *type, DType *t);
/** A declared type all of whose sizes are known in `s`; false after a diagnostic or for poison. */
bool type_eval(Checker *c, Scope *s, Ast *type, Type *t);
/** Binds the plain names of a declared type that have no meaning yet to the sizes of `t`. */
void type_bind(Checker *c, Scope *s, const Ast *type, const Term *t, Span at);
void type_bind_poison(Checker *c, Scope *s, const Ast *type);
/** The value as the declared type asks, converted; poison after a diagnostic. `what` says whose type it is. */
Value type_agree(Checker *c, Scope *s, Ast *type, Value v, Span at, const char *what);
bool type_has_rest(const Ast *type);
/** Fresh sizes for the names of a declared type, and a type made of them; `pack` dims for `..`. */
bool type_fresh(Checker *c, Scope *s, Ast *type, int pack, Type *t);

/* ---- statements (check_stmt.c) ---- */

typedef enum { FLOW_NEXT, FLOW_RETURN } Flow;
Flow exec_block(Checker *c, Scope *s, Ast *block);
Flow exec_statement(Checker *c, Scope *s, Ast *stmt);
Value grad_mark(Checker *c, Name name, Value v, Span at);
void bind_pattern(Checker *c, Scope *s, const AstNames *names, bool is_tuple, Value v, Span at);
const NameMap *grad_marks(Checker *c, Ast *fn);
/** The values that a `for` runs over; false after a diagnostic or for unknown ones. */
bool loop_values(Checker *c, Scope *s, Ast *over, Value *list);
bool exec_poisoned(Checker *c, Scope *s, Ast *stmt); /* marks what it assigns as unknown; true where it may return */

/* ---- layers (check_layer.c, check_params.c, check_variable.c) ---- */

Value make_instance(Checker *c, Value layer, Args args, Span at);
Value call_instance(Checker *c, Instance *in, Args args, Span at);
Value call_model(Checker *c, Value model, Args args, Span at);
void name_instance(Checker *c, Value v, Name name);
/** The path of a layer, by count where no let named it. */
Name instance_path(Checker *c, Instance *in);
/** What names the layers made here. */
Namer *namer_here(Checker *c);
bool vars_within(const VarTable *vars, Name path);
Flow exec_param(Checker *c, Scope *s, Ast *stmt);
Flow exec_states(Checker *c, Scope *s, Ast *stmt);
/** The variable at a path, made where it is new (then *made); NULL after a diagnostic. */
Variable *variable_at(Checker *c, Name path, Type t, bool is_param, bool of_optimizer, Span at, bool *made);
Slot *variable_slot(Checker *c, Variable *var, Span at);
/** A variable as an expression sees it: its value now; where a first value is made, its own first value. */
Value variable_value(Checker *c, Variable *var, Span at);
/** Where a first value is made: that of the parameter or state that `v` is; `v` where it is none. */
Value initial_value(Checker *c, Value v);
void init_value(Checker *c, Variable *var, Scope *s, Ast *init, bool drawn);
void init_number(Checker *c, Variable *var, double x);
Name value_path_join(Checker *c, Name path, Name child);
bool value_path_within(Name path, Name whole);
/** Path of a model, part or named instance; NULL for anything else. */
Name value_path(Value v);
Value model_params(Checker *c, Value model, Span at);
Value call_replaced(Checker *c, const Replaced *r, Args args, Span at);
/** What all variables are now, and back to it: what happened to any of them in between is undone. */
Term **slots_now(Checker *c, size_t *n);
void slots_reset(Checker *c, Term **now, size_t n);
uint32_t random_site(Checker *c);
Term *run_scalar(Checker *c, const char *name, Span at); /* seed, tick or epoch of the unit */

/** Keeps a classifier's scores and labels where they are among the arguments of a call: check_classifier.c. */
void note_classifier(Checker *c, const Value *args, int n);

/* ---- gradients (check_grad.c) ---- */

Value eval_grad(Checker *c, Value e, Value x, Span at, Span x_at);
Term *term_grad(Checker *c, Term *e, Term *x, Span at);
/** Which of the slots' current values `e` reaches, in their order. */
void grad_reached(Checker *c, const Term *e, bool *reached);
bool grad_reaches(Checker *c, const Term *e, const Term *x);
/** Whether a gradient of `e` would get to `x` through what a loop carries. */
bool grad_carried(Checker *c, const Term *e, const Term *x, const Term *loop);
/** Whether no while stands between `e` and `x`; a diagnostic if one does. */
bool grad_passes(Checker *c, const Term *e, const Term *x, Span at);
/** Where no gradient of `e` reaches a wanted slot: labels the integer or truth value that stops it, if one does. */
void grad_explain(Checker *c, Diag *d, const Term *e, bool (*wanted)(const Slot *, const void *), const void *arg);

/* ---- index notation (check_index.c, check_range.c) ---- */

typedef struct IndexContext {
    struct IndexContext *up;
    VEC(struct Access {
        Affine *affine;
        Dim size;
        Span at;
        bool guarded; /* under a condition: bounds only what nothing else does */
        const Term *of;
    })
    accesses;
    VEC(struct IndexState {
        TermIndex *index;
        bool given;
        Span at;
    })
    indices;
    int guards; /* conditions around the expression being evaluated */
} IndexContext;

Flow exec_define(Checker *c, Scope *s, Ast *stmt);

/** Whether a callee is sum[k] and the like; with a scope: and the word has its own meaning there. */
bool is_reducer_syntax(const Ast *callee);
bool is_reducer(Checker *c, Scope *s, const Ast *callee);
Value eval_reducer(Checker *c, Scope *s, Ast *call);
/** y[.., j] = x[.., places[.., j]]: the elements of the last dim that `places` names. */
Term *index_last(Checker *c, Term *x, Term *places, Span at);
Value index_access(Checker *c, Term *t, const Value *items, const Span *places, int n, Span at);
Term *affine_term(Checker *c, Affine *a, bool as_index, Span at);
Value affine_binary(Checker *c, AstOperator op, Value a, Value b);
TermIndex *index_new(Checker *c, Name name, Span at);
bool ranges_solve(Checker *c, IndexContext *ctx);

/* ---- data (check_data.c) ---- */

void data_declare(Checker *c, Decl *d);
const DataInfo *data_info(Checker *c, DataSet *d);
/** The inputs of a batch of `n` samples, the fields and then the row numbers; `values`: each field's samples. */
void data_batch(Checker *c, const DataInfo *info, Dim n, Span at, Value *values);
Value data_fact(Checker *c, DataSet *d, const char *fact, Span at);

/* ---- training (check_train.c, check_minimize.c) ---- */

void train_declare(Checker *c, Ast *ast);
void train_check(Checker *c, TrainBlock *t);
void train_stop_when(Checker *c, TrainBlock *t, Ast *a);            /* check_stop.c */
void train_report_help(Checker *c, Diag *d, Ast *train, Name name); /* where no loop does */
bool train_reports(Checker *c, Ast *train, Name name);              /* whether a loop seems to report it */
/* What an optimizer's body is expanded for. */
typedef struct Minimize {
    Name prefix; /* of its states: "adam1" */
    Name path;   /* of the parameter; NULL: all as one vector */
    Type type;
    VEC(Slot *) states;
} Minimize;

/** Expands an optimizer's body in a frame that has `minimize` and all parameters bound; the new value of the parameter,
 * or NULL after a diagnostic. */
Term *optimizer_body(Checker *c, Ast *fn, Scope *s);
/** The same of an optimizer with its hyper-parameters, in a frame of its own. */
Term *optimizer_expand(Checker *c, const Update *up, Minimize *m, const Value *inputs, int n, Span at);
void optimizer_state(Checker *c, Scope *s, const AstField *f);
Flow exec_minimize(Checker *c, Scope *s, Ast *stmt);
Flow exec_report(Checker *c, Scope *s, Ast *stmt);

/* ---- optimizers of all parameters as one vector (check_vector.c) ---- */

typedef enum {
    OPTIMIZER_EACH,      /* (p, g): one parameter at a time */
    OPTIMIZER_WHOLE,     /* (p, g, objective): all as one vector */
    OPTIMIZER_RESIDUALS, /* (p: [P], r: [M], objective): likewise, for half the sum of the squares of r */
    OPTIMIZER_BAD
} OptimizerForm;
OptimizerForm optimizer_form(const Ast *fn);

typedef struct {
    Term *at, *value, *gradient; /* the gradient of a scalar value */
} Evaluation;

typedef struct Objective {
    Type point, type; /* of the vector, of the value */
    Term *value;      /* what is minimized, a scalar or residuals [M]; NULL: of a declaration by itself */
    Slot **params;    /* the parameters in the vector */
    size_t n;
    bool residuals;
    VEC(Evaluation) known;
} Objective;

/** objective(q): (value, gradient), or the residuals. */
Value call_objective(Checker *c, Objective *o, Args args, Span at);

/** Updates parameters as one vector; the value (or the residuals) before, or NULL after a diagnostic. */
Term *minimize_whole(Checker *c, const Ast *a, const Update *up, Name prefix, Slot **params, size_t n, Term *value);

/* ---- copies of terms (term_replace.c) ---- */

/** Makes of `roots` what they are with each term of `from` replaced by that of `to`, which has its type. */
void terms_replace(Checker *c, Term **roots, int nroots, Term *const *from, Term *const *to, size_t n);

/* ---- units (check_unit.c) ---- */

void unit_begin(Checker *c, UnitState *u, UnitKind kind, Name name, bool symbolic);
/** The finished unit; NULL where errors were reported since its beginning. */
Unit *unit_end(Checker *c, UnitState *u);
/** Adds a value to the unit's results, a tuple as name.0, name.1, ... */
void unit_results(Checker *c, Name name, Value v, Span at);
void init_begin(Checker *c);

/* ---- names (check_names.c) ---- */

void names_check(Checker *c, Module *m);

/* ---- declarations by themselves (check_decl.c) ---- */

void check_declaration(Checker *c, Module *m, Ast *fn);
/** Makes an attempt, with one dim for each `..` of the parameters' types; where that leads to errors, with others. */
void check_with_packs(Checker *c, const AstParams *params, void (*attempt)(Checker *, void *, int), void *what);

#endif
