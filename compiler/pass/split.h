/* Long reductions with few results, cut into partial ones. */
#ifndef PASS_SPLIT_H
#define PASS_SPLIT_H

#include "compiler/ir/graph.h"

/** `from` with each reduction that is long and has too few results to keep threads busy as partial reductions over
 * equal parts, and one over their results. The cut depends on the shapes alone. Adds expressions to `from`. */
Graph *pass_split(Nnc *nnc, Graph *from);

#endif
