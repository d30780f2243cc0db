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
finish
