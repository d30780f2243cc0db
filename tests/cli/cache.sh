#!/bin/sh
# Compiled code is kept and used again; damaged entries are made anew; --no-cache keeps nothing. The results are the same.
. "$SOURCE/tests/cli/lib.sh"
run() { NNC_CACHE=$1 "$NNC" train "$SOURCE/examples/digits.nn" --quiet --epochs 1 --out "$2" ${3:-} || fail "train $2"; }
same() { cmp -s first/weights.safetensors "$1/weights.safetensors" || fail "other weights: $1"; }
run "$work/none" first --no-cache
[ -e none ] && fail "--no-cache keeps code"
run "$work/cache" second
entries=$(ls cache | wc -l)
[ "$entries" -gt 0 ] || fail "nothing was kept"
same second
run "$work/cache" third
same third
[ "$(ls cache | wc -l)" = "$entries" ] || fail "the second run does not find what the first kept"
for entry in cache/*.o; do
    head -c 2000 "$entry" >cut && cp cut "$entry"
done
run "$work/cache" fourth
same fourth
for entry in cache/*.o; do
    size=$(wc -c <"$entry")
    printf 'x' | dd of="$entry" bs=1 seek=$((size - 100)) conv=notrunc 2>/dev/null
done
run "$work/cache" fifth
same fifth
touch file
run "$work/file/below" sixth
same sixth
finish
