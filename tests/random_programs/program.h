/* Random well-typed programs: a list of statements, each of which defines values from earlier ones, made by generate*.c
 * and written as .nn text by program.c. */
#ifndef RANDOM_PROGRAMS_PROGRAM_H
#define RANDOM_PROGRAMS_PROGRAM_H

#include "compiler/base/base.h"

#include <stdbool.h>
#include <stdint.h>

enum { MOST_RANK = 4, MOST_STATEMENTS = 64, MOST_VALUES = 128, MOST_USES = 8 };

typedef struct {
    int rank;
    int dims[MOST_RANK];
} Shape;

/* Value i is called v<i>. */
typedef struct {
    Shape shape;
    int limit;     /* of integers, which are 0 .. limit-1; 0: floats */
    double bound;  /* of the size of floats, about */
    bool exact;    /* an input: its numbers are the same in every float type */
    bool distinct; /* no two elements need be equal: the largest is one alone */
    int order;     /* gradients of gradients that it is */
    int by;        /* the statement that defines it */
    char name[8];
} Value;

typedef struct {
    Str text;         /* `let v3 = …`; empty for an input */
    Str declarations; /* what it needs above the function that it stands in */
    int uses[MOST_USES], nuses;
    int first, n; /* its values */
    bool input;   /* whatever the text says, its values come from outside */
} Statement;

typedef struct {
    uint64_t seed;
    bool trains; /* a network with a training step; otherwise an exported function `f` */
    int batch;   /* of a step; values 0 and 1 are then a batch of data and its labels */
    Statement statements[MOST_STATEMENTS];
    Value values[MOST_VALUES];
    int nstatements, nvalues;
    bool output[MOST_VALUES];
    const char *optimizer, *options; /* of a step */
} RandomProgram;

/** The program of a seed, which is well-typed and well-conditioned by construction. */
RandomProgram *random_program(uint64_t seed);
void random_program_free(RandomProgram *p);

/** Writes the program: what no output needs is left out. */
void random_program_print(Str *out, const RandomProgram *p);

/** The value of that name, or of that name behind a last dot; NULL where there is none. */
const Value *random_program_value(const RandomProgram *p, const char *name);

/** Makes the program smaller for as long as `fails` says that it still does. */
void random_program_shrink(RandomProgram *p, bool (*fails)(const RandomProgram *p, void *self), void *self);

#endif
