/* links: nnc_rt */
/* Threefry against the known answers of Random123, and what a shuffle promises. */
#include "runtime/random.h"
#include <criterion/criterion.h>
#include <string.h>

Test(random, threefry_known_answers) { /* kat_vectors of Random123: threefry2x32, 20 rounds */
    static const uint32_t known[3][6] = {
        {0, 0, 0, 0, 0x6b200159U, 0x99ba4efeU},
        {0xffffffffU, 0xffffffffU, 0xffffffffU, 0xffffffffU, 0x1cb996fcU, 0xbb002be7U},
        {0x13198a2eU, 0x03707344U, 0x243f6a88U, 0x85a308d3U, 0xc4923a9cU, 0x483df7a0U},
    };
    for (int i = 0; i < 3; i++) {
        uint32_t out[2];
        rt_threefry(known[i][0], known[i][1], known[i][2], known[i][3], out);
        cr_expect(out[0] == known[i][4] && out[1] == known[i][5], "row %d: %08x %08x", i, out[0], out[1]);
    }
}

enum { N = 1000 };

static void fresh(int32_t *rows) {
    for (int32_t i = 0; i < N; i++) rows[i] = i;
}

Test(random, shuffle_is_a_permutation) {
    int32_t rows[N];
    int seen[N] = {0}, moved = 0;
    fresh(rows);
    rt_shuffle(rows, N, 1, 0);
    for (int i = 0; i < N; i++) {
        cr_assert(rows[i] >= 0 && rows[i] < N);
        seen[rows[i]]++;
        moved += rows[i] != i;
    }
    for (int i = 0; i < N; i++) cr_assert(seen[i] == 1);
    cr_expect(moved > N * 9 / 10);
}

Test(random, shuffle_depends_on_seed_and_epoch_alone) {
    int32_t a[N], b[N];
    fresh(a);
    fresh(b);
    rt_shuffle(a, N, 42, 3);
    rt_shuffle(b, N, 42, 3);
    cr_expect(memcmp(a, b, sizeof a) == 0);
    const uint64_t others[3][2] = {{42, 4}, {43, 3}, {42 + (UINT64_C(1) << 32), 3}};
    for (int i = 0; i < 3; i++) {
        fresh(b);
        rt_shuffle(b, N, others[i][0], others[i][1]);
        cr_expect(memcmp(a, b, sizeof a) != 0, "pair %d", i);
    }
}

Test(random, shuffle_of_nothing_and_one) {
    int32_t one = 7;
    rt_shuffle(&one, 0, 1, 1);
    rt_shuffle(&one, 1, 1, 1);
    cr_expect(one == 7);
}

/* Each of 5 rows comes to each place equally often: 5000 shuffles, expected 1000, deviation 28. */
Test(random, shuffle_is_even) {
    int count[5][5] = {{0}};
    for (uint64_t epoch = 0; epoch < 5000; epoch++) {
        int32_t rows[5] = {0, 1, 2, 3, 4};
        rt_shuffle(rows, 5, 9, epoch);
        for (int i = 0; i < 5; i++) count[i][rows[i]]++;
    }
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < 5; k++) cr_expect(count[i][k] > 860 && count[i][k] < 1140, "%d %d: %d", i, k, count[i][k]);
    }
}
