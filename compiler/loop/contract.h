/* The inside of a contraction kernel. Private to this folder. */
#ifndef LOOP_CONTRACT_H
#define LOOP_CONTRACT_H

#include "compiler/loop/common.h"
#include "compiler/pass/contraction.h"

enum {
    CONTRACT_LINE = 64,  /* bytes of a line of a cache */
    CONTRACT_VECTORS = 4 /* of a panel, at most */
};

/* How the inner loop reads its operand a. */
typedef enum {
    A_DIRECT, /* where it is */
    A_BLOCK,  /* each unit packs its rows for each block of sums: [mc / mr, kc, mr, copies] */
    A_PANELS  /* a kernel before this one packs all of it: [outer, block of rows, k, mr, copies] */
} PackA;

/* How the inner loop reads its operand b. */
typedef enum {
    B_DIRECT, /* where it is: consecutive lanes, short enough for the cache */
    B_BLOCK,  /* each unit packs its panels for each block of sums: [np, kc, nr] */
    B_PANELS  /* a kernel before this one packs all of it: [outer, panel, k, nr] */
} PackB;

typedef struct {
    Builder *b;
    const Group *group;
    Ref r;
    const Node *node;
    Contraction c;

    /* sizes: contract_sizes.c */
    int width;                      /* lanes of a vector */
    int vectors;                    /* of a panel */
    int64_t nr, mr;                 /* the register tile: mr rows, nr = vectors * width lanes */
    int64_t row_units, panel_units; /* that rows and panels are cut into, with nearly as many each */
    int64_t mc;                     /* most rows of a unit, a multiple of mr */
    int64_t np;                     /* most panels of a unit */
    int64_t kc;                     /* sums of a block; k where it is not cut */
    int level; /* blocks are cut along ks[level]: one of each index before it, k_cut of it, all of those after it */
    int64_t k_cut;
    PackA pack_a;
    int64_t copies; /* of each number of a_pack, next to each other: as many as a vector has lanes where no instruction
                       makes that vector from one, else 1 */
    bool for_order; /* packing a would only be for the order of what is read */
    bool a_by_k;    /* consecutive rows are consecutive in memory: they are written sum by sum, else block by block */
    int64_t a_stride, b_stride; /* A_PANELS, B_PANELS: elements from one block of rows, or panel, to the next, a little
                                   more than there are, so that neighbours don't meet in the same lines of the cache */
    PackB pack_b;
    bool b_in_panels;       /* b is a variable in panels as wide as the tile: it is read where it is */
    int64_t a_sums, b_sums; /* the operand is one along whose last sums there are panels so wide; else 0 */
    bool by_panels;         /* b is one, or what follows reads some: units are few panels */
    bool b_far;             /* B_PANELS: more than half of the second cache holds, and not read a moment ago, as in a
                               scan */
    bool columns;           /* units are panels with all rows, not rows with as many panels as they can have */
    bool flat; /* all that what follows reads and writes by rows and lanes is in panels as wide as the tile: a block
                  of rows is then one row, lanes that no variable has among them */
    bool block_tile; /* it also follows on each block at once, as all of its sums are there: the tile is a block's */
    bool at_once; /* what follows on a block of rows and a panel does so at once, not when the unit has all its sums */

    Nest nest;
    const Aff **outer_at;    /* per output index: its value, or phase, as an outer one */
    const Aff **at;          /* index of each variable of the node at the current point */
    const Aff *k_in_block;   /* number of the current sum within its block */
    const Aff *first_k;      /* of the block, along ks[level] */
    const Aff *first_sum;    /* of the block, counting through all ks */
    const Aff *panel;        /* number of the panel */
    const Aff *panel_inside; /* ... within the unit */
    const Aff *first_lane;
    const Aff *first_block, *first_row, *first_panel; /* of the unit */
    const Aff *unit_blocks, *unit_panels;             /* how many it has; NULL: as many as each */
    int tile, a_pack, b_pack;                         /* buffers */
    bool whole;                                       /* all sums, whatever the phase */
    const int64_t *a_outer,
        *b_outer; /* panels: the extents of the outer indices that the operand uses, 1 for the others */
} Contract;

/* contract.c */

/** Runs `emit` for number `i` of the `whole` full ones with full set, and for the partial one after them, if there is
 * one. */
typedef void ContractCase(Contract *c, bool full, void *self);
void contract_each_case(Contract *c, const Aff *i, int64_t whole, bool rest, ContractCase *emit, void *self);

/** Opens the loop over the blocks of mr rows of the unit; the number of the block, and its first row within the unit.
 */
const Aff *contract_open_blocks(Contract *c, const Aff **from);

/** The product that begins a group, without its sizes. */
void contract_begin(Contract *c, Builder *b, const Group *group);

/* contract_sizes.c */
void contract_sizes(Contract *c);

/** Lanes of the tile of a product whose operands are in rows. */
int64_t contract_lanes(const Contract *c);
double contract_nanoseconds(const Contract *c);
int64_t contract_panels(const Contract *c);
int64_t contract_blocks(const Contract *c); /* of mr rows */

/** How many values outer index number i takes: all, or its phases. */
int64_t contract_outer(const Contract *c, int i);

/* contract_pack.c */

/** Sets the node's row indices for flat row number `row`. */
void contract_set_row(Contract *c, const Aff *row);

/** The body of an operand, or another expression over the node's variables, at the current point. */
Ex contract_lowered(Contract *c, Ex e);

/** Opens loops over the sums of the block for the register tile; how many. The innermost is the last. */
int contract_open_sums(Contract *c);
void contract_close(Contract *c, int loops);

/** Opens the loop over the panels of the unit. */
void contract_open_panels(Contract *c);

/** Fills a_pack with the unit's rows, b_pack with its panels, for the current block of sums. */
void contract_pack_a(Contract *c);
void contract_pack_b(Contract *c);

/** Kernels before this one that pack all rows of a, or all panels of b, outside of the scans that these do not depend
 * on. */
void contract_pack_all_a(Contract *c);
void contract_pack_all_b(Contract *c);

/** The packed operands, at the current sum: row `row` of the unit for lane `lane`, and lane `lane` of the current
 * panel.
 */
Ex contract_packed_a(Contract *c, const Aff *row, const Aff *lane);
Ex contract_packed_b(Contract *c, const Aff *lane);

/** Asks for what packed b has some sums after the current one of the current panel. */
void contract_ahead(Contract *c);

/** Bound number i on the sums of row number `row`. */
const Aff *contract_bound(Contract *c, int i, const Aff *row);

/* contract_block.c */

/** Adds one block of sums for `rows` rows of the unit, from row `from` of it on, to the current panel of the tile.
 * `partial`: lanes beyond the last are not read. */
void contract_block(Contract *c, int64_t rows, const Aff *from, bool partial);

/** Goes on only where the block of `rows` rows from `from` on of the current panel has results; how many ifs. */
int contract_open_where(Contract *c, int64_t rows, const Aff *from);

/** What follows on all rows and panels of the unit. */
void contract_follow_all(Contract *c);

/** Whether what follows is `flat`; that on the block of rows from row `from` of the unit on, and the current panel. */
bool contract_follows_flat(const Contract *c);
void contract_follow_flat(Contract *c, const Aff *from);

/** What follows on a block of rows, from row `from` of the unit on, and the current panel, if these are its last sums.
 */
void contract_follow(Contract *c, const Aff *from);

#endif
