/* The inside of a row kernel: stages of nodes that share a loop. Private to this folder. */
#ifndef LOOP_ROW_H
#define LOOP_ROW_H

#include "compiler/loop/common.h"

/* Members of a group that are computed in the same loops: beside the row's dims, all run over the same space, and
 * what one reads of another is the same point. */
typedef struct {
    const int64_t *space; /* a member's dims after the row's, and its reduction indices */
    int nspace;
    bool alone; /* a reduction with dims of its own: shares its loops with nobody */
    Ref *members;
    int nmembers;
} Stage;

typedef struct {
    Builder *b;
    const Group *group;
    Stage *stages;
    int nstages;
    int *stage_of;            /* per member */
    int *last_read;           /* per member: the last stage that reads it */
    int stage;                /* the one being written */
    DType widest;             /* the type that decides how many lanes there are */
    bool across;              /* lanes are rows; else they are inside the row */
    int first_lane, end_lane; /* across: the row dims that are flattened into the lanes' axis */
    int64_t lanes, chunk;     /* its extent; how much of it one unit computes */
    int unroll, width;
    int abreast; /* vectors of the machine that `width` is */
    Nest n;
    const Aff **row;       /* index of each row dim, and after them of each space dim, at the current point */
    const Aff *chunk_from; /* across: the first lane of the unit */
} Rows;

void rows_stages(Rows *r);               /* row_stages.c: fills stages */
void rows_lanes(Rows *r);                /* row_lanes.c: decides where lanes come from */
int rows_member(const Rows *r, Ref x);   /* its number in the group, or -1 */
int rows_inner(Rows *r, const Stage *s); /* the space dim that becomes lanes, or -1 */
void rows_emit(Rows *r);                 /* row_emit.c: the body of one unit */

static inline int row_reduces(const Node *n) { return n->comp.combine != RED_NONE; }

#endif
