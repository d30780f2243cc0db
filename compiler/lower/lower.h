/* From the typed program to the tensor IR: one unit becomes one graph. */
#ifndef LOWER_H
#define LOWER_H

#include "compiler/ir/graph.h"
#include "lang/typed.h"

/** The graph of unit `u` of program `p`, whose sizes are all numbers (a bug() otherwise). Leaves: LEAF_INPUT `slot` is
 * input `slot` of the unit, LEAF_PARAM and LEAF_STATE `slot` that of the Variable. Outputs: OUT_RESULT k is u->results
 * [k]; OUT_PARAM and OUT_STATE are u->updates, with the slots of their variables. Everything lives in nnc->arena. */
Graph *lower_unit(Nnc *nnc, const Program *p, const Unit *u);

#endif
