/* One random program through everything: front end, passes, code, threads; held against the interpreter of what the
 * front end made of it. */
#ifndef RANDOM_PROGRAMS_CHECK_H
#define RANDOM_PROGRAMS_CHECK_H

#include "compiler/base/dtype.h"
#include "tests/random_programs/program.h"

typedef struct {
    const char *cpu;
    DType type; /* of the program's floats */
    bool runs;  /* here; otherwise the program is compiled only */
} Setup;

typedef enum {
    CHECK_FINE,
    CHECK_VAGUE = 10, /* too badly conditioned to tell: f32 is far from f64 in the interpreter itself */
    CHECK_REJECTED,   /* by the front end */
    CHECK_WRONG,      /* numbers differ */
    CHECK_UNSTEADY,   /* the number of threads changes them */
} Verdict;

/** Writes the program and its data into `folder` and checks it; says on stderr what is wrong. */
Verdict check_program(const RandomProgram *p, const Setup *m, const char *folder);

#endif
