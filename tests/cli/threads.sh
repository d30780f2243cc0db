#!/bin/sh
# Results are the same bits for any number of threads and from run to run.
. "$SOURCE/tests/cli/lib.sh"
for model in digits binary regression; do
    for threads in 1 2 3 7 2; do
        "$NNC" train "$SOURCE/examples/$model.nn" --quiet --epochs 2 --threads $threads --out run$threads || fail "train $model"
        sum=$(sha256sum <run$threads/weights.safetensors)
        [ "${first:-$sum}" = "$sum" ] || fail "$model: other weights with $threads threads"
        first=$sum
    done
    unset first
done
finish
