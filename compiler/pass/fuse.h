/* Fusion: element-wise nodes disappear into their readers. */
#ifndef PASS_FUSE_H
#define PASS_FUSE_H

#include "compiler/ir/graph.h"

/** `g` with element-wise nodes inlined into the bodies that read them, where that is no more work. A new graph with the
 * same outputs. */
Graph *pass_fuse(Nnc *nnc, const Graph *g);

#endif
