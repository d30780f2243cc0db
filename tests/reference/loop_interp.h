/* A plain interpreter of loop nests: one thread, one lane at a time. Tests compare it with the interpreter of the IR.
 */
#ifndef TESTS_REFERENCE_LOOP_INTERP_H
#define TESTS_REFERENCE_LOOP_INTERP_H

#include "compiler/loop/loop.h"

/** Runs the kernels; `bases` as in loop.h, and the arena as large as the unit says. Tiles go from the last to the
 * first, and local arrays begin full of NaN. A place outside its buffer is a bug(). */
void loop_interp_run(const LoopUnit *u, void *const *bases);

#endif
