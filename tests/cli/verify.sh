#!/bin/sh
# run.json and nnc verify: a run that is repeated is identical, or the first epoch that differs and what has changed are named;
# a run whose data have changed is not resumed.
. "$SOURCE/tests/cli/lib.sh"
mkdir data
head -n 400 "$SOURCE/examples/data/digits.csv" >data/digits.csv
cat >sizes.nn <<'P'
let hidden = 12
P
cat >net.nn <<'P'
import "sizes.nn"
data (train_set, test_set) = split(csv("digits.csv", target = "digit"), 0.8)
let rate = 0.01
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(hidden, relu) |> Dropout(0.1) |> Dense(10)
train pre {
    epochs = 3
    for (pixels, digit) in train_set { minimize cross_entropy(net(pixels), digit) using Adam(lr = rate) }
}
train {
    epochs = 4
    keep_best = accuracy
    for (pixels, digit) in train_set { minimize cross_entropy(net(pixels), digit) using Momentum(lr = rate) }
    for (pixels, digit) in test_set { report accuracy = accuracy(net(pixels), digit) }
}
P
# verify STATUS TEXT...: nnc verify run ends so and prints lines with these.
verify() {
    want=$1
    shift
    "$NNC" verify run >out.txt 2>err.txt
    got=$?
    [ "$got" = "$want" ] || fail "exit status $got, not $want: $(cat out.txt err.txt)"
    for text in "$@"; do grep -qF -- "$text" out.txt || fail "no '$text' in: $(cat out.txt)"; done
    [ "$want" = 0 ] && [ "$(wc -l <out.txt)" != "${LINES_WANTED:-1}" ] && fail "too much is said: $(cat out.txt)"
    return 0
}

"$NNC" train net.nn --data data --out run --quiet --set rate=0.02 --seed 3 || fail "train"
for part in compiler cpu settings source data epochs weights; do
    grep -q "\"$part\"" run/run.json || fail "run.json has no '$part'"
done
[ "$(grep -c '"epoch":' run/run.json)" = 7 ] || fail "not every epoch is in run.json"
sha256sum data/digits.csv | grep -qF "$(grep -o '"digits.csv":[^"]*"[0-9a-f]*' run/run.json | grep -o '[0-9a-f]*$')" ||
    fail "not the hash of the data: $(grep digits.csv run/run.json)"
verify 0 "identical: 7 epochs"
(cd / && "$NNC" verify "$work/run" >"$work/out.txt") || fail "from another folder: $(cat out.txt)"

# a comment changes nothing but the source; other data, an import, the program change the weights
cp -r run keep
echo '# a comment' >>net.nn
LINES_WANTED=2 verify 0 "identical" "the source 'net.nn' has changed"
sed -i '$d' net.nn
cp data/digits.csv digits.keep
sed -i '30s/^[0-9]*,/9,/' data/digits.csv
verify 1 "different: epoch 1 of 'pre' is the first that came to other weights" "the file 'digits.csv' has changed"
grep -q "source" out.txt && fail "the source is the same: $(cat out.txt)"
cp digits.keep data/digits.csv
echo 'let hidden = 13' >sizes.nn
verify 1 "different: epoch 1 of 'pre'" "the source 'sizes.nn' has changed"
echo 'let hidden = 12' >sizes.nn
sed -i 's/Momentum(lr = rate)/Momentum(lr = rate \/ 2)/' net.nn
verify 1 "different: epoch 1 is the first" "the source 'net.nn' has changed"
sed -i 's/ \/ 2//' net.nn
verify 0 "identical"
# a bit of the record itself
sed -i '0,/"weights":/s/\("weights":[^"]*"\)../\1zz/' run/run.json
verify 1 "different: epoch 1 of 'pre'" "are the same: report this"
cp keep/run.json run/run.json
sed -i 's/"vector_bits":.*/"vector_bits": 64,/; s/"version":.*/"version": "0.0",/' run/run.json
LINES_WANTED=3 verify 0 "identical" "the CPU was" "the compiler was"
cp keep/run.json run/run.json

# weights that a run begins with are a part of it
sed 's/^train pre {/train pre {\n    load net from "first.safetensors"/' net.nn >loads.nn
cp run/weights.safetensors first.safetensors
"$NNC" train loads.nn --data data --out run --quiet || fail "load"
verify 0 "identical"
cp keep/checkpoint.safetensors first.safetensors
verify 1 "the file 'first.safetensors' has changed"
cp keep/run.json run/run.json

cp run/weights.safetensors given.safetensors
"$NNC" train net.nn --data data --out run --quiet --weights given.safetensors || fail "--weights"
verify 0 "identical"
cp keep/checkpoint.safetensors given.safetensors
verify 1 "the file 'given.safetensors' has changed"
cp keep/run.json run/run.json

# a run does not go on with other data
"$NNC" train net.nn --data data --out parts --quiet --set rate=0.02 --seed 3 --only pre --steps 13 || fail "train"
expect_error 1 "the data file 'digits.csv' has changed since" \
    sh -c 'sed -i "30s/^[0-9]*,/9,/" data/digits.csv; "$0" train net.nn --data data --out parts --quiet --set rate=0.02 --seed 3 --only pre --resume' "$NNC"
cp digits.keep data/digits.csv
"$NNC" train net.nn --data data --out parts --quiet --set rate=0.02 --seed 3 --only pre --resume || fail "resume"

# what cannot be verified
expect_error 1 "run.json: cannot be opened" "$NNC" verify nowhere
mkdir broken
echo '{"format": "nnc run 1"' >broken/run.json
expect_error 1 "is not the record of a run" "$NNC" verify broken
python3 - <<'P'
import json
r = json.load(open("keep/run.json"))
del r["epochs"]
json.dump(r, open("broken/run.json", "w"))
P
expect_error 1 "has not ended" "$NNC" verify broken
expect_error 2 "nnc verify needs a file" "$NNC" verify
finish
