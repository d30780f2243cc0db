/* The syntax tree: what the parser builds and everything after it reads. Nodes live in the compilation's arena and are
 * never changed after parsing. Lists are an array and a count; an absent part is NULL. */
#ifndef LANG_AST_H
#define LANG_AST_H

#include "compiler/nnc.h"

typedef struct Ast Ast;

typedef enum {
    /* expressions */
    AST_NUMBER, /* 10  1e-3  64MiB  inf  pi */
    AST_STRING, /* "text" */
    AST_BOOL,   /* true */
    AST_NAME,   /* x */
    AST_UNARY,  /* -x   not x */
    AST_BINARY, /* a + b */
    AST_PIPE,   /* x |> f(a) */
    AST_IF,     /* if c then a else b */
    AST_CALL,   /* f(a, k = 3) */
    AST_INDEX,  /* x[n, 2..5, :, ..] and the reducer's brackets sum[k in 0..K] */
    AST_FIELD,  /* enc.w */
    AST_LIST,   /* [64, 128] */
    AST_TUPLE,  /* (a, b) */
    AST_LAMBDA, /* fn(x) = e */
    AST_SCAN,   /* scan t in 0..T with h = e { ... } */
    /* what stands between the brackets of an index, or after `in` */
    AST_RANGE,  /* lo..hi by step, each part optional; `:` is a range without any */
    AST_REST,   /* ..  or  ..i  (name may be NULL) */
    AST_BINDER, /* k in 0..K */
    /* types */
    AST_TYPE, /* int[..B, C] */
    /* statements */
    AST_BLOCK,
    AST_LET,    /* let x = e   let (a, b) = e */
    AST_DEFINE, /* let y[i, j in 0..n] = e */
    AST_ASSIGN, /* x = e   (a, b) = e; in a train block also a setting */
    AST_RETURN,
    AST_YIELD,
    AST_WHEN, /* if c { ... } else { ... } */
    AST_FOR,  /* for p in e { ... } */
    AST_WHILE,
    AST_PARAM, /* param w: [In, units] ~ init   param b: [n] = 0 */
    AST_STATE, /* state m = 0   state n: [C] = 1 */
    AST_EXPR,  /* an expression as a statement */
    AST_MINIMIZE,
    AST_REPORT,
    AST_STOP_WHEN,
    AST_LOAD,
    /* declarations */
    AST_IMPORT,
    AST_FUNCTION, /* fn, loss, layer, model, optimizer */
    AST_DATA,     /* data d = source   data (a, b) = split(...) */
    AST_TRAIN,
    AST_KINDS
} AstKind;

/* OPERATOR(id, text, name): operators of AST_UNARY and AST_BINARY; `name` is the scalar operation that it stands for.
 */
#define AST_OPERATORS(OPERATOR)                                                                                        \
    OPERATOR(NEG, "-", "neg")                                                                                          \
    OPERATOR(NOT, "not", "not")                                                                                        \
    OPERATOR(ADD, "+", "add")                                                                                          \
    OPERATOR(SUB, "-", "sub")                                                                                          \
    OPERATOR(MUL, "*", "mul")                                                                                          \
    OPERATOR(DIV, "/", "div")                                                                                          \
    OPERATOR(POW, "^", "pow")                                                                                          \
    OPERATOR(MATMUL, "@", "matmul")                                                                                    \
    OPERATOR(EQ, "==", "eq")                                                                                           \
    OPERATOR(NE, "!=", "ne")                                                                                           \
    OPERATOR(LT, "<", "lt")                                                                                            \
    OPERATOR(LE, "<=", "le")                                                                                           \
    OPERATOR(GT, ">", "gt")                                                                                            \
    OPERATOR(GE, ">=", "ge")                                                                                           \
    OPERATOR(AND, "and", "and")                                                                                        \
    OPERATOR(OR, "or", "or")

typedef enum {
#define OPERATOR(id, text, name) OP_AST_##id,
    AST_OPERATORS(OPERATOR)
#undef OPERATOR
} AstOperator;

/* A name with its place. */
typedef struct {
    Name name;
    Span at;
} AstName;

typedef struct {
    Ast **at;
    int len;
} AstList;

/* name = value, as in arguments, carries of a scan, states; name.name is NULL in a positional argument. `type` only
 * where the syntax has one (states). */
typedef struct {
    AstName name;
    Ast *type, *value;
} AstField;

typedef struct {
    AstField *at;
    int len;
} AstFields;

/* A parameter of a function: type and default value optional. */
typedef struct {
    AstName name;
    Ast *type, *value;
} AstParam;

typedef struct {
    AstParam *at;
    int len;
} AstParams;

typedef struct {
    AstName *at;
    int len;
} AstNames; /* one name, or the names of a tuple pattern; `_` is the name "_" */

typedef enum { FN_FN, FN_LOSS, FN_LAYER, FN_MODEL, FN_OPTIMIZER } FunctionKind;

/** The height of a tree that is not reported as too deep, so that walks over it may recurse: at most this many
 * expressions and blocks inside each other (a chain such as a + b + c + … is as deep as it is long). */
enum { AST_MAX_HEIGHT = 2000 };

struct Ast {
    AstKind kind;
    int height; /* of the tree below: 1 for a leaf; at most AST_MAX_HEIGHT plus the few levels of a declaration */
    Span at;    /* the node's own text; the parentheses around an expression do not belong to it */
    union {
        struct {
            double value;
            int64_t integer; /* meaningful where is_int */
            bool is_int;
        } number;
        struct {
            const char *text; /* escapes resolved; may hold NUL only through \u{0}, which is an error */
            size_t len;
        } string;
        bool boolean;
        Name name; /* AST_NAME; AST_REST (or NULL) */
        struct {
            AstOperator op;
            Span op_at;
            Ast *a, *b; /* b is NULL in AST_UNARY */
        } op;           /* AST_UNARY, AST_BINARY */
        struct {
            Ast *value, *into;
        } pipe;
        struct {
            Ast *cond, *then, *els;
        } when; /* AST_IF (expressions); AST_WHEN (then: block; els: block, AST_WHEN or NULL) */
        struct {
            Ast *callee;
            AstFields args;
        } call;
        struct {
            Ast *of;
            AstList items; /* expressions, AST_RANGE, AST_REST, AST_BINDER */
        } index;
        struct {
            Ast *of;
            AstName field;
        } field;
        AstList list; /* AST_LIST, AST_TUPLE, AST_BLOCK */
        struct {
            AstParams params;
            Ast *body; /* expression or block */
        } lambda;
        struct {
            AstName var;
            Ast *range;
            AstFields carries;
            Ast *body;
        } scan;
        struct {
            Ast *lo, *hi, *step;
        } range;
        struct {
            AstName var; /* of a pack `..i in`, never: binders name single indices */
            Ast *range;
        } binder;
        struct {
            Name dtype;   /* NULL: the default, f32 */
            bool scalar;  /* `int` or `f32` without brackets: a compile-time value or a scalar */
            AstList dims; /* expressions, AST_REST */
        } type;
        struct {
            AstNames names;
            bool is_tuple;
            Ast *value;
            Name doc; /* text of the ## comment before it, or NULL; for top-level lets and data */
            bool exported;
        } let; /* AST_LET, AST_ASSIGN, AST_DATA */
        struct {
            AstName name;
            AstList indices; /* AST_NAME, AST_REST, AST_BINDER */
            Ast *value;
        } define;
        Ast *value; /* AST_RETURN, AST_YIELD, AST_EXPR, AST_STOP_WHEN */
        struct {
            AstNames names;
            bool is_tuple;
            Ast *over; /* AST_RANGE or an expression */
            Ast *body;
        } loop; /* AST_FOR */
        struct {
            Ast *cond, *body;
        } loop_while;
        struct {
            AstName name;
            Ast *type;
            bool drawn; /* `~ init` rather than `= value` */
            Ast *init;
        } param;
        AstFields states;
        struct {
            Ast *value;
            AstList over; /* names and fields; empty: every parameter reached */
            Ast *optimizer;
            Ast *clip_norm, *clip_value, *accumulate;
        } minimize;
        struct {
            AstName name;
            Ast *value;
        } report;
        struct {
            Ast *target; /* name or field */
            Ast *path;   /* AST_STRING */
        } load;
        struct {
            const char *path;
            Span path_at;
        } import;
        struct {
            FunctionKind kind;
            AstName name;
            AstParams hyper;  /* layers and optimizers: the first parentheses */
            AstParams params; /* inputs */
            Ast *result;      /* AST_TYPE or NULL (tuples of types: AST_TUPLE of AST_TYPE) */
            Ast *body;        /* block, or an expression after `=` */
            Name doc;
            bool exported;
        } fn;
        struct {
            AstName name; /* name.name NULL where it has none */
            Ast *body;
            Name doc;
        } train;
    };
};

/* One parsed file: its declarations in order. */
typedef struct {
    uint32_t file; /* index into nnc->sources */
    AstList decls;
    struct {
        Span *at;
        int len;
    } comments; /* every comment, in order, for the formatter */
} AstFile;

/** Parses source `file` (see source_add). Reports every syntax error that recovery at statement ends reaches; the
 * result holds what could be read. Never NULL. */
AstFile *parse_file(Nnc *nnc, uint32_t file);

/** Reads `path` into nnc->sources, after checking that it is a regular file, not empty, not above 16 MiB, UTF-8 and
 * free of NUL bytes. Returns its index, or 0 after a diagnostic (at `from`, where it was asked for). */
uint32_t source_read(Nnc *nnc, const char *path, Span from);

/** --dump=tokens: one token a line, `line:column kind text`. */
void lex_dump(Nnc *nnc, uint32_t file, FILE *out);

/** --dump=ast: the tree as nested lists, one node a line. */
void ast_dump(const AstFile *f, FILE *out);

/** Calls `visit` with each direct child, in the order of the members above; absent ones are left out. */
void ast_each_child(const Ast *n, void (*visit)(Ast *child, void *arg), void *arg);

/** The name of a kind of node, as --dump=ast prints it. */
const char *ast_kind_name(AstKind kind);

/** The operator's text in the language ("+") and the scalar operation behind it ("add"). */
const char *ast_operator_text(AstOperator op);
const char *ast_operator_name(AstOperator op);

#endif
