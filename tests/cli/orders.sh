#!/bin/sh
# Sorts: the same bits for any number of threads, and as an object that needs no library.
. "$SOURCE/tests/cli/lib.sh"
cat >orders.nn <<'END'
fn made() = floor(100 * sin(float(reshape(arange(300 * 1200), [300, 1200]))))
export fn orders() = (sort(made()), argsort(made(), axis = 0, descending = true), cumsum(made()), cumsum(made(), axis = 0))
export fn shuffled() = permutation(3000)
export fn five(x: [20]) = topk(x, 5)
END
for threads in 1 2 5; do
    for f in orders shuffled; do
        "$NNC" run orders.nn $f --threads $threads --seed 4 --out $threads.$f.npy --quiet || fail "run $f"
    done
    sum=$(cat $threads.*.npy | sha256sum)
    [ "${first:-$sum}" = "$sum" ] || fail "other results with $threads threads"
    first=$sum
done
"$NNC" run orders.nn shuffled --seed 4 2>/dev/null | tr -d '[] \n' | tr ',' '\n' | sort -n | uniq | wc -l | grep -qx ' *3000' ||
    fail "no permutation"

"$NNC" compile orders.nn -o orders.o --quiet 2>/dev/null || fail "compile"
nm -u orders.o | grep -v -e ' memcpy$' -e ' memset$' && fail "the object needs more than memcpy and memset"
cat >main.c <<'END'
#include "orders.h"
#include <stdio.h>
#include <stdlib.h>
int main(void) {
    float x[20], values[5];
    int32_t places[5];
    for (int i = 0; i < 20; i++) x[i] = (float)(i * 7 % 20 / 2);
    void *scratch = aligned_alloc(64, (five_SCRATCH + 63) / 64 * 64);
    five(x, values, places, scratch);
    for (int i = 0; i < 5; i++) printf("%g@%d ", values[i], places[i]);
    free(scratch);
}
END
cc -std=c11 -I. main.c orders.o -o main || fail "the object does not link"
[ "$(./main)" = "9@14 9@17 8@8 8@11 7@2 " ] || fail "the object gives $(./main)"
finish
