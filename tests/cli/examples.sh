#!/bin/sh
# Every example is checked, and trains for three steps on a handful of made-up images; examples/run.sh says what they reach on the
# real ones.
. "$SOURCE/tests/cli/lib.sh"

# idx DIMS FILE: standard input behind the header of an idx file of bytes; DIMS in octal
idx() { { printf "$1"; cat; } | gzip -c >"$2"; }
for part in train t10k; do
    LC_ALL=C awk 'BEGIN { for (i = 0; i < 200 * 784; i++) printf "%c", (i * i + 7 * i) % 251 }' |
        idx '\000\000\010\003\000\000\000\310\000\000\000\034\000\000\000\034' $part-images-idx3-ubyte.gz
    LC_ALL=C awk 'BEGIN { for (i = 0; i < 200; i++) printf "%c", i % 10 }' | idx '\000\000\010\001\000\000\000\310' $part-labels-idx1-ubyte.gz
done
sh "$SOURCE/examples/data/make_cifar.sh" . 40 || fail "make_cifar.sh"

for file in "$SOURCE"/examples/*.nn; do
    name=$(basename "$file" .nn)
    "$NNC" check "$file" --data . >out.txt 2>&1 || fail "check $name: $(head -n 5 out.txt)"
    [ -s out.txt ] && fail "check $name is not silent: $(head -n 3 out.txt)"
    "$NNC" train "$file" --data . --steps 3 --json >events.txt 2>err.txt || fail "train $name: $(head -n 5 err.txt)"
    grep -q '"event":"end"' events.txt || fail "$name did not end"
    grep -q -e 'nan' -e 'inf' events.txt && fail "$name: $(grep -m 1 -e nan -e inf events.txt)"
    grep -q "^ *$name " "$SOURCE/examples/run.sh" || fail "examples/run.sh does not know $name"
    grep -q "\`$name.nn\`" "$SOURCE/examples/README.md" || fail "examples/README.md does not know $name"
done

# pictures: what the README shows
boot=$SOURCE/examples/data/ankle_boot.png
for call in 'vae sample n=4' 'gan sample n=4' "autoencoder reconstruct image=$boot" "saliency saliency image=$boot"; do
    set -- $call
    "$NNC" run "$SOURCE/examples/$1.nn" "$2" --arg "$3" --out "$1.png" --quiet --data . 2>err.txt || fail "run $1: $(head -n 3 err.txt)"
    [ -s "$1.png" ] || fail "$1 wrote no picture"
done
finish
