/* Threefry and the shuffle made from it. */
#include "runtime/random.h"

static uint32_t rotate_left(uint32_t x, unsigned by) { return x << by | x >> (32 - by); }

void rt_threefry(uint32_t k0, uint32_t k1, uint32_t c0, uint32_t c1, uint32_t out[2]) {
    static const unsigned rotations[8] = {13, 15, 26, 6, 17, 29, 16, 24};
    const uint32_t keys[3] = {k0, k1, 0x1BD11BDAU ^ k0 ^ k1};
    uint32_t x0 = c0 + k0, x1 = c1 + k1;
    for (uint32_t round = 0; round < 20; round++) {
        x0 += x1;
        x1 = rotate_left(x1, rotations[round % 8]) ^ x0;
        if (round % 4 == 3) { /* a key injection after every fourth round */
            uint32_t injection = round / 4 + 1;
            x0 += keys[injection % 3];
            x1 += keys[(injection + 1) % 3] + injection;
        }
    }
    out[0] = x0;
    out[1] = x1;
}

void rt_shuffle(int32_t *rows, int64_t n, uint64_t seed, uint64_t epoch) {
    uint32_t key[2], draw[2];
    rt_threefry((uint32_t)seed, (uint32_t)(seed >> 32), (uint32_t)epoch, (uint32_t)(epoch >> 32), key);
    for (int64_t i = n - 1; i > 0; i--) { /* Fisher-Yates from the end; draw i is counter i */
        rt_threefry(key[0], key[1], (uint32_t)i, (uint32_t)((uint64_t)i >> 32), draw);
        /* The draw as a 64-bit fraction times i + 1: uneven by less than 2^-32. Needs i < 2^32, as int32 rows do. */
        uint64_t bound = (uint64_t)i + 1;
        int64_t j = (int64_t)((draw[1] * bound + (draw[0] * bound >> 32)) >> 32);
        int32_t kept = rows[i];
        rows[i] = rows[j];
        rows[j] = kept;
    }
}
