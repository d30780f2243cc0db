/* What the files that generate statements share. */
#ifndef RANDOM_PROGRAMS_GENERATE_H
#define RANDOM_PROGRAMS_GENERATE_H

#include "tests/random_programs/program.h"

typedef struct {
    RandomProgram *p;
    uint64_t random;
    int64_t work; /* multiply-adds that the statements made so far take, about */
} Gen;

/** A number from lo to hi; true so many times of a hundred. */
int pick(Gen *g, int lo, int hi);
bool chance(Gen *g, int percent);
#define ONE_OF(g, array) ((array)[pick(g, 0, (int)COUNT(array) - 1)])

/* ---- shapes ---- */

int64_t elements(Shape s);
Shape shape_of(const Gen *g, int value);
Shape without_axis(Shape s, int axis);
Shape with_axis(Shape s, int axis, int dim);
/** "[3, 4]" */
void put_shape(Str *s, Shape shape);

/* ---- values to begin from ---- */

/** A float value of so many dims, rather a late one; a new input where there is none. */
int some(Gen *g, int lowest_rank, int highest_rank);
/** A float value of this shape, or a new input. */
int of_shape(Gen *g, Shape s);
int new_input(Gen *g, Shape s);
/** An input, whose numbers are exact. */
int exact_of_shape(Gen *g, Shape s);
/** Integers 0 .. limit-1 in this shape. */
int integers(Gen *g, Shape s, int limit);

/* ---- statements ---- */

/** Begins a statement; the values made afterwards are its. */
Statement *begin(Gen *g);
/** A value of the statement at hand: floats of about this size. */
int result(Gen *g, Shape s, double bound);
int integer_result(Gen *g, Shape s, int limit);
/** The name of a value that the statement at hand uses, or defines. */
const char *use(Gen *g, int value);
const char *name_of(const Gen *g, int value);

/** Whether b is computed from a. */
bool depends(const RandomProgram *p, int b, int a);

/* One statement more, or none where nothing fits: generate_elements.c, generate_shapes.c, generate_sums.c,
 * generate_loops.c, generate_layers.c. */
void make_unary(Gen *g);
void make_binary(Gen *g);
void make_choice(Gen *g);
void make_integers(Gen *g);
void make_library(Gen *g);
void make_reduction(Gen *g);
void make_order(Gen *g);

void make_slice(Gen *g);
void make_reshape(Gen *g);
void make_transpose(Gen *g);
void make_concat(Gen *g);
void make_split(Gen *g);
void make_pad(Gen *g);
void make_gather(Gen *g);

void make_matmul(Gen *g);
void make_contraction(Gen *g);
void make_window(Gen *g);
void make_indexed(Gen *g);
void make_gradient(Gen *g);

void make_scan(Gen *g);
void make_while(Gen *g);

void make_layer(Gen *g);
void make_own_layer(Gen *g);

#endif
