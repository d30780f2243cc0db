/* What the compiler supplies: the rows of builtin.def, and what their functions share. Private to lang/. */
#ifndef LANG_BUILTIN_H
#define LANG_BUILTIN_H

#include "lang/check.h"

typedef struct BuiltinCall {
    const struct Builtin *builtin;
    Value *args;  /* by parameter; V_NONE where not given */
    Span *places; /* of the arguments; of the call where not given */
    Span at;
} BuiltinCall;

typedef struct Builtin {
    const char *name;
    const char *params; /* "x, axis, keep", those from `required` on optional */
    int required;
    Value (*call)(Checker *, BuiltinCall *);
} Builtin;

const Builtin *builtin_find(const char *name);
void builtin_names(const char **out, int *n); /* out may be NULL */
Value call_builtin(Checker *c, const Builtin *b, Args args, Span at);
/** An axis in [0, rank), from a compile-time argument; false after a diagnostic. */
bool arg_axis(Checker *c, BuiltinCall *b, int arg, int rank, int missing, int *axis);
bool arg_int(Checker *c, BuiltinCall *b, int arg, int64_t missing, int64_t *n);
bool arg_bool(Checker *c, BuiltinCall *b, int arg, bool missing, bool *x);
Term *arg_tensor(Checker *c, BuiltinCall *b, int arg);
/** A shape: a list of sizes, or one size. */
bool arg_shape(Checker *c, BuiltinCall *b, int arg, int *rank, const Dim **dims);
/** The one size of a vector. */
bool arg_length(Checker *c, BuiltinCall *b, int arg, const Dim **dims);
bool arg_poisoned(const BuiltinCall *b, int n);
/** Reports that an argument is not what is `wanted`; false. */
bool arg_bad(Checker *c, BuiltinCall *b, int arg, const char *wanted);
bool arg_is_word(const BuiltinCall *b, int arg, const char *word);
bool axis_in(Checker *c, int64_t axis, int rank, Span at, int *out);

/** A tensor of random numbers, `op` as of T_RANDOM; NULL after a diagnostic. */
Term *random_term(Checker *c, const BuiltinCall *b, const char *op, DType t, int rank, const Dim *dims);

/* The functions of the rows: check_builtin.c, check_reduce.c, check_sort.c, check_shape.c, and beside what they work
 * on. */
#define BUILTIN(name, params, required, function) Value function(Checker *c, BuiltinCall *b);
#include "lang/builtin.def"
#undef BUILTIN

#endif
