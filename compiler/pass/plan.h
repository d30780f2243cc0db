/* Where everything is in memory: the order of the kernels and the place of each buffer. */
#ifndef PASS_PLAN_H
#define PASS_PLAN_H

#include "compiler/loop/loop.h"

typedef struct {
    int buffer;
    bool write;
} Access;

/* What one kernel reads and writes: each buffer once a way. */
typedef struct {
    const Access *at;
    size_t len;
} Accesses;

/** One list a kernel, in the unit's arena. */
const Accesses *plan_accesses(const LoopUnit *u);

/** Whether kernel k may write buffer `fresh` where `old`, which it reads, is. */
bool plan_overwrites(const LoopUnit *u, const Kernel *k, int old, int fresh);

/** Orders the kernels: each after those whose results it reads, and where possible after the last reader of an old
 * value that it overwrites. home[b] is the buffer of the variable whose new value buffer b holds, or -1; where the new
 * value can be written straight over the old one, b gets the variable's place and home[b] becomes -1. */
void plan_order(LoopUnit *u, int *home);

/** Whether a buffer has a place of its own in the arena, and how many bytes that takes. */
bool plan_in_arena(const Buffer *b);
int64_t plan_room(const Buffer *b);

/** Gives each arena buffer its offset, for the kernels in their final order, and the unit its arena_bytes. */
void plan_place(LoopUnit *u);

/** About how long a kernel that runs so often, with so much work in all, takes on a core, in nanoseconds. */
double plan_nanoseconds(double runs, double flops, double bytes);

/** Makes values again instead of keeping them until the arena has no more than so many bytes, or as few as can be. */
void pass_remat(LoopUnit *u, int64_t budget);

/** bug() where a kernel reads what was not written or is overwritten by then. */
void plan_verify(const LoopUnit *u);

#endif
