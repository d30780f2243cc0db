/* A step over a batch as one over its parts. */
#ifndef PASS_PARTS_H
#define PASS_PARTS_H

#include "compiler/pass/batch.h"

/** `g`, whose batch batch_find has looked at and nothing mixes, part by part. */
Graph *pass_parts(Nnc *nnc, const Batch *b);

#endif
