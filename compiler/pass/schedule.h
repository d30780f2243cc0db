/* Which nodes one kernel computes: the step between the fused graph and its loop nests. */
#ifndef PASS_SCHEDULE_H
#define PASS_SCHEDULE_H

#include "compiler/ir/graph.h"

typedef enum {
    GROUP_ROWS, /* nodes whose leading `nrow` dims agree: each row of them is computed from its own row of the others */
    GROUP_CONTRACT, /* members[0] is a sum of products; the others work on the tiles of its result */
    GROUP_SCATTER,  /* one scatter */
    GROUP_SORT,     /* one sort */
    GROUP_SCAN      /* one scan or while: the end of its body */
} GroupKind;

typedef struct {
    GroupKind kind;
    int nrow;
    Ref home;           /* the scan or while whose body it is part of; 0: none */
    bool decides;       /* and comes before the condition of that while is tested */
    const Ref *members; /* in topological order */
    int nmembers;
} Group;

typedef struct {
    const Group *groups; /* in an order in which each reads only what those before it write */
    int ngroups;
    const int *group_of; /* per node; -1: a leaf */
    const bool *stored;  /* per node: an output, or read by another group */
} Schedule;

struct Machine;

/** Groups the nodes of a fused graph. */
const Schedule *pass_schedule(Nnc *nnc, Graph *g);

#endif
