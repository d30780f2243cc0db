/* The inside of a contraction kernel. Private to this folder. */
#ifndef LOOP_CONTRACT_H
#define LOOP_CONTRACT_H

#include "compiler/loop/common.h"
#include "compiler/pass/contraction.h"

typedef struct {
    Builder *b;
    const Group *group;
    Ref r;
    const Node *node;
    Contraction c;

    /* sizes: contract_sizes.c */
    int width;       /* lanes of a vector */
    int vectors;     /* of a panel */
    int64_t nr, mr;  /* the register tile: mr rows, nr = vectors * width lanes */
    int64_t mc;      /* rows of a unit, a multiple of mr */
    int64_t kc;      /* sums of a block; k where it is not cut */
    int64_t k_cut;   /* how much of the first reduction index a block takes */
    bool pack_a;     /* mr rows of a are written to [mr, kc] first */
    bool pack_b;     /* a panel of b is written to [kc, nr] first */
    bool rows_first; /* the panels of b are gone through for each block of rows, not the other way round */

    Nest nest;
    const Aff **at;        /* index of each variable of the node at the current point */
    const Aff *k_in_block; /* number of the current sum within its block */
    const Aff *panel;      /* number of the panel, and its first lane */
    const Aff *first_lane;
    const Aff *first_row;     /* of the unit */
    int tile, a_pack, b_pack; /* buffers */
} Contract;

void contract_sizes(Contract *c);
double contract_nanoseconds(const Contract *c);

/** Adds a block of `rows` rows from row `from` on, over one block of sums, to rows `to`... of the tile. */
void contract_block(Contract *c, int64_t rows, const Aff *from, const Aff *to, const Aff *first_k, bool partial);
void contract_pack_a(Contract *c, int64_t rows, const Aff *from, const Aff *first_k);
void contract_pack_b(Contract *c, const Aff *first_k);

/** What follows on rows `from` ... of the result, the first `count` of the tile. */
void contract_epilogue(Contract *c, const Aff *from, int64_t count);

#endif
