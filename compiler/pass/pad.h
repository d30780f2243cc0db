/* Operands of contractions with zeros around them. */
#ifndef PASS_PAD_H
#define PASS_PAD_H

#include "compiler/ir/graph.h"

/** `from` with the operands of its contractions that are read with zeros around them, often and overlapping, made
 * tensors of their own. Adds expressions to `from`. */
Graph *pass_pad(Nnc *nnc, Graph *from);

#endif
