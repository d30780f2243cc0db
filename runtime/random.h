/* Counter-based random numbers: everything is a pure function of its key and counter. */
#ifndef RT_RANDOM_H
#define RT_RANDOM_H

#include <stdint.h>

/** Threefry-2x32 with 20 rounds (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011). */
void rt_threefry(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1, uint32_t out[2]);

/** Permutes `rows`: a pure function of n, seed and epoch, whatever the machine and the number of threads. */
void rt_shuffle(int32_t *rows, int64_t n, uint64_t seed, uint64_t epoch);

#endif
