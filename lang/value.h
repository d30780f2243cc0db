/* Compile-time values, the maps that they are kept in, and the scopes that bind names to them. Private to lang/. */
#ifndef LANG_VALUE_H
#define LANG_VALUE_H

#include "lang/dim.h"
#include "lang/typed.h"

typedef struct Checker Checker;
typedef struct Value Value;
typedef struct Scope Scope;
typedef struct Module Module;

/* ---- values (value.c) ---- */

typedef enum {
    V_NONE,   /* no value: an argument that was not given */
    V_POISON, /* unknown; silences whatever touches it */
    V_INT,    /* num / den: exact; whole where den is NULL */
    V_FLOAT,  /* a number; unknown where it depends on a named size */
    V_BOOL,
    V_STRING,
    V_DTYPE,
    V_LIST,
    V_TUPLE,
    V_INDEX, /* index notation: an affine form of indices, known at compile time up to their values */
    V_PACK,  /* index notation: `..i` */
    V_TENSOR,
    V_FUNCTION, /* fn, loss, lambda */
    V_BUILTIN,
    V_LAYER,    /* a layer's declaration: what makes instances */
    V_INSTANCE, /* a layer with its hyper-parameters */
    V_MODEL,
    V_PART,      /* a part of a model, by path */
    V_REPLACED,  /* a model or layer with other values for its parameters */
    V_OPTIMIZER, /* an optimizer's declaration */
    V_UPDATE,    /* an optimizer with its hyper-parameters */
    V_OBJECTIVE, /* what an optimizer of all parameters evaluates what is minimized with */
    V_DATA
} ValueKind;

/* One call of a layer's declaration. Named where it is bound by a let or at its first use; parameters live under the
 * name. */
typedef struct Instance {
    Ast *layer;
    Scope *scope; /* the module's */
    Value *hyper; /* by position; V_NONE: the default */
    Span *places; /* of them in the call that made it */
    struct Namer *home;
    Name path; /* NULL: not named yet */
} Instance;

/* (sum of coef * index + base) / den, den NULL for 1; rounded down where it is used as an index. */
typedef struct Affine {
    Dim base, den;
    int len;
    struct AffineTerm {
        TermIndex *index;
        Dim coef;
    } *terms;
} Affine;

/* `..i`: its indices, made at first use. */
typedef struct Pack {
    Name name;
    int len; /* -1: not known yet */
    TermIndex **at;
    Span place;
} Pack;

/* An optimizer applied to hyper-parameters. */
typedef struct Update {
    Ast *optimizer;
    Scope *scope;
    Value *hyper;
    Span *places;
} Update;

/* A model or a layer that is called with other values in place of its parameters. */
typedef struct Replaced Replaced;

typedef struct DataSet {
    DataExpr *expr;
    const DataInfo *info; /* NULL: not opened, or it could not be */
    bool tried;
} DataSet;

struct Value {
    ValueKind kind;
    union {
        struct {
            Dim num, den;
        } whole;
        struct {
            double value;
            bool unknown;
        } real;
        bool truth;
        Name text;
        DType dtype;
        struct {
            const Value *at;
            int len;
        } list;
        Affine *affine;
        Pack *pack;
        Term *term;
        struct {
            Ast *ast;
            Scope *scope;
        } fn;
        const struct Builtin *builtin;
        Instance *instance;
        Replaced *replaced;
        Name path;
        Update *update;
        struct Objective *objective;
        DataSet *data;
    };
};

struct Replaced {
    Value callee, values; /* a list of them, or a function that makes one of a parameter */
    Span at;              /* of the values */
};

Value value_none(void);
Value value_poison(void);
Value value_dim(Dim d);
Value value_int(Checker *c, int64_t n);
Value value_ratio(Checker *c, Dim num, Dim den);
Value value_float(double x);
Value value_unknown_float(void);
Value value_bool(bool b);
Value value_string(Name text);
Value value_term(Term *t); /* NULL gives poison */
Value value_list(Checker *c, ValueKind kind, const Value *items, int len);

/** The whole number of a V_INT or an integral V_FLOAT, where it is known; quotients round down. */
bool value_is_known_int(Value v, int64_t *n);

/** The size that a value stands for, rounded down; NULL where it is none. */
Dim value_size(Checker *c, Value v);

/** The number that a V_INT or V_FLOAT stands for; false where it depends on a named size. */
bool value_number(Value v, double *x);

static inline bool value_is_number(Value v) { return v.kind == V_INT || v.kind == V_FLOAT; }

/** "a number", "a list", "a tensor [N, 3]": for messages. */
const char *value_text(Checker *c, Value v);

/** 1 where equal, 0 where not, -1 where it is not known. Values of different kinds are not equal. */
int value_equal(Checker *c, Value a, Value b);

/* A map from names to anything. */
typedef struct {
    struct NameSlot {
        Name name;
        void *value;
    } *at;
    size_t len, cap;
} NameMap;

void *map_get(const NameMap *m, Name name);
void map_put(Checker *c, NameMap *m, Name name, void *value);

/* Adds to a VEC that lives in the checker's arena. */
#define arena_push(c, v, ...)                                                                                          \
    do {                                                                                                               \
        (v)->at = check_grow((c), (v)->at, (v)->len, &(v)->cap, sizeof *(v)->at);                                      \
        (v)->at[(v)->len++] = __VA_ARGS__;                                                                             \
    } while (0)
void *check_grow(Checker *c, void *at, size_t len, size_t *cap, size_t size);

/* ---- scopes (scope.c) ---- */

typedef struct Binding {
    Name name;
    Value value;
    Span at;       /* where it was bound, or for sizes the argument that they came from */
    Variable *var; /* a param or a state */
} Binding;

struct Scope {
    Scope *up;
    Module *module; /* of the outermost scope: what its names are looked up in */
    bool frame;     /* the outermost scope of a function's body: assignments do not reach beyond it */
    VEC(Binding) names;
    NameMap places; /* of many names: where in `names` each is, from 1 */
};

Scope *scope_new(Checker *c, Scope *up);
Binding *scope_define(Checker *c, Scope *s, Name name, Value v, Span at);

/** The binding of a name in the scopes of the body, not in the module; NULL where there is none. */
Binding *scope_binding(Scope *s, Name name);

#endif
