#!/bin/sh
# An emitted object needs no library, and a C program that links it gets the bits of `nnc run`.
. "$SOURCE/tests/cli/lib.sh"
file=$SOURCE/examples/digits.nn
"$NNC" train "$file" --quiet --epochs 2 || fail "train"
"$NNC" compile "$file" -o digits.o --cpu native --batch 3 --quiet 2>/dev/null || fail "compile"
nm -u digits.o | grep -v -e ' memcpy$' -e ' memset$' && fail "the object needs more than memcpy and memset"
cc -std=c11 -Wall -Wextra -Werror -I. "$SOURCE/tests/cli/object_main.c" digits.o -o main || fail "the object does not link"
./main x.npy y.txt || fail "the C program"
"$NNC" run "$file" classify --arg pixels=x.npy 2>/dev/null | tr -d '[] \n' | tr ',' '\n' >want.txt || fail "run"
tr -d '[] \n' <y.txt | tr ',' '\n' >got.txt
cmp got.txt want.txt || fail "the object's results are not those of the JIT"

# for CPUs that this machine has not, with weights that are made here
for other in "--cpu x86-64-v4" "--target aarch64-linux-gnu --cpu cortex-a72"; do
    # shellcheck disable=SC2086
    "$NNC" compile "$file" --init $other -o other.o --quiet || fail "compile --init $other"
    nm other.o | grep -q ' T classify$' || fail "no function in the object of $other"
done
"$NNC" compile "$file" --init --cpu pentium9 -o other.o 2>err.txt && fail "an object for an unknown CPU"
grep -q "'pentium9' is not a known CPU" err.txt || fail "an unknown CPU: $(cat err.txt)"
finish
