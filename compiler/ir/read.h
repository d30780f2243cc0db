/* The reader of textual IR, shared by its two files: read.c (nodes and outputs) and read_expr.c (expressions). After
 * the first fault the reader stands at the end of its text, so that every loop ends; what was read is then worth
 * nothing. */
#ifndef IR_READ_H
#define IR_READ_H

#include "compiler/ir/private.h"

typedef struct {
    Graph *g;
    uint32_t file;
    const char *text; /* NUL-terminated */
    size_t len, pos;
    bool failed;
    int depth;      /* of nested expressions */
    VEC(Ref) nodes; /* by number in the text; 0: not defined */
    VEC(Ex) temps;  /* t0, t1, ... of this body */
    int nout, nred; /* how many i and k there are; q are counted as i */
    bool domain;    /* indices are q */
} Reader;

/** Reports a fault at the present place (or from byte `begin`), once. Always false. */
bool read_fail(Reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void read_space(Reader *r);
char read_peek(Reader *r);                     /* the next character that is no space */
bool read_accept(Reader *r, const char *text); /* a word or sign, if it is next */
bool read_expect(Reader *r, const char *text);
bool read_word(Reader *r, char *out, size_t size); /* letters and digits, if a letter is next */
int64_t read_integer(Reader *r);                   /* with an optional minus */
Ref read_ref(Reader *r);                           /* %7; 0 after a fault */

/* A number whose type is still open, or an expression. */
typedef struct {
    Ex e;
    bool literal, whole;
    double f;
    int64_t i; /* if whole */
} Operand;

Operand read_number(Reader *r);
Ex read_as(Reader *r, Operand o, DType t); /* a literal in the type that its place asks for */

/** expression; the literal it may be is of type `t`. */
Ex read_expr(Reader *r, DType t);

/** '{' ( 'tN' '=' expression )* expression '}', or an expression. */
Ex read_body(Reader *r, DType t);

/** '[' place, ... ']' with exactly n places. */
bool read_places(Reader *r, Place *at, int n);

#endif
