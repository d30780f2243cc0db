/* The passes of passes.def. Each builds a new graph in the arena of the context and leaves the old one as it is. */
#ifndef PASS_PASSES_H
#define PASS_PASSES_H

#include "compiler/ir/graph.h"

#define PASS(name, function, text) Graph *function(Nnc *nnc, const Graph *g);
#include "compiler/pass/passes.def"
#undef PASS

#endif
