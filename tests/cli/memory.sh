#!/bin/sh
# `nnc summary` names the bytes that a run takes, and `memory = …` is kept to: with half of the memory a network trains to the
# same bits, in parts to the same losses; where nothing makes the plan small enough, there is a bill and no run.
. "$SOURCE/tests/cli/lib.sh"
sed 's|"data/|"'"$SOURCE"'/examples/data/|' "$SOURCE/examples/digits.nn" >digits.nn
cat >net.nn <<EOF2
data (train_set, test_set) = split(csv("$SOURCE/examples/data/digits.csv", target = "digit"), 0.8)
layer Block(filters: int)(x: [N, H, W, C]) {
    return relu(x + (Conv2d(filters, 3, padding = same)(x) |> BatchNorm |> tanh |> Conv2d(filters, 3, padding = same)))
}
model net(pixels: [N, 64]) -> [N, 10] = reshape(pixels / 16, [N, 8, 8, 1]) |> Conv2d(8, 3, padding = same)
    |> Block(8) |> Block(8) |> Block(8) |> Dropout(0.2) |> flatten |> Dense(10)
train {
    steps = 30
    batch = 64; # budget
    for (pixels, digit) in train_set { minimize cross_entropy(net(pixels), digit) using Adam(lr = 2e-3) }
    for (pixels, digit) in test_set { report accuracy = accuracy(net(pixels), digit) }
}
EOF2

# the summary's bytes are those of the run
for file in digits.nn net.nn; do
    "$NNC" summary $file --json >summary.txt || fail "summary of $file"
    "$NNC" train $file --json --steps 30 --out whole >run.txt || fail "train $file"
    for name in arena_bytes variable_bytes; do
        named=$(grep '"event":"summary"' summary.txt | value $name) taken=$(grep '"event":"start"' run.txt | value $name)
        [ -n "$named" ] && [ "$named" = "$taken" ] || fail "$file: $name is $named in the summary and $taken in the run"
    done
done
"$NNC" summary digits.nn >text.txt || fail "summary"
grep -q '^  dense1 .* 4,160$' text.txt || fail "no row of dense1"
grep -q '^trainable  *4,810$' text.txt || fail "not all of 4,810 parameters are trainable"
grep -q 'FLOPs (forward ' text.txt || fail "no FLOPs of the forward pass"
[ "$("$NNC" summary digits.nn --json | grep -c '"event":"layer"')" = 3 ] || fail "not three layers"

# half of what the step takes
arena=$(grep '"event":"start"' run.txt | value arena_bytes) variables=$(grep '"event":"start"' run.txt | value variable_bytes)
half=$((variables + arena / 2))
sed "s/# budget/memory = $half/" net.nn >half.nn
"$NNC" train half.nn --json --steps 30 --out half >half.txt || fail "train with half of the memory"
[ "$(grep '"event":"start"' half.txt | value arena_bytes)" -le $((arena / 2)) ] || fail "more than half of the memory"
[ "$(grep '"event":"start"' half.txt | value recomputed)" -gt 0 ] || fail "nothing is recomputed"
grep -o '"\(loss\|accuracy\)":[^,]*' run.txt >want.txt
grep -o '"\(loss\|accuracy\)":[^,]*' half.txt | cmp - want.txt || fail "other losses with half of the memory"
cmp whole/weights.safetensors half/weights.safetensors || fail "other weights with half of the memory"
"$NNC" train half.nn --steps 1 --out half >text.txt || fail "train half.nn"
grep -q '^memory: .* of .*, recomputes .* tensors$' text.txt || fail "the run does not say what it takes: $(head -n 1 text.txt)"

# no plan is that small: a bill, and no run
sed "s/# budget/memory = $((variables + arena / 20))/" net.nn >little.nn
expect_error 1 "at least" "$NNC" train little.nn --out little
grep -q "'net.*batchnorm1' .* works on the batch as a whole" err.txt || fail "batch normalization is not named: $(tail -n 1 err.txt)"
grep -q 'of weights and states' err.txt || fail "no weights in the bill"
grep -q 'iB  stdlib/layers/convolution.nn:' err.txt || fail "no tensor of a convolution in the bill"
[ -e little ] && fail "a run began without the memory that it needs"
least=$(sed -n 's/.*a step needs \(.*\) at least.*/\1/p' err.txt)
sed "s/# budget/memory = 1KiB/" net.nn >least.nn
expect_error 1 "a step needs $least at least" "$NNC" train least.nn --out little

# without batch normalization the batch is run in parts: the same losses but for rounding, in f64 to 12 digits
sed '/^layer Block/,/^}/d; s/|> Block(8) |> Block(8) |> Block(8)/|> tanh |> Conv2d(8, 3, padding = same) |> relu/; s/steps = 30/steps = 12/' \
    net.nn >plain.nn
"$NNC" train plain.nn --float f64 --json --log-every 1 --out plain >run.txt || fail "train plain.nn"
arena=$(grep '"event":"start"' run.txt | value arena_bytes) variables=$(grep '"event":"start"' run.txt | value variable_bytes)
sed "s/# budget/memory = $((variables + arena / 5))/" plain.nn >parts.nn
"$NNC" summary parts.nn --float f64 --json >summary.txt || fail "summary of parts.nn"
"$NNC" train parts.nn --float f64 --json --log-every 1 --threads 1 --out parts >split.txt || fail "train in parts"
named=$(grep '"event":"summary"' summary.txt | value arena_bytes) taken=$(grep '"event":"start"' split.txt | value arena_bytes)
[ "$named" = "$taken" ] || fail "in parts: arena_bytes is $named in the summary and $taken in the run"
sed "s/# budget/memory = $((variables + arena / 12))/" plain.nn >little.nn # evaluating takes more than training then
summed=$("$NNC" summary little.nn --float f64 --json | grep '"event":"summary"' | value arena_bytes)
used=$("$NNC" train little.nn --float f64 --json --steps 1 --out little | grep '"event":"start"' | value arena_bytes)
[ "$summed" = "$used" ] || fail "in few parts: arena_bytes is $summed in the summary and $used in the run"
[ "$taken" -le $((arena / 5)) ] || fail "in parts: $taken bytes, more than a fifth of $arena"
[ "$(grep '"event":"start"' split.txt | value part)" -gt 0 ] || fail "the batch is not run in parts"
same_losses() {
    grep -o '"loss":[^,}]*' "$1" | cut -d: -f2 >want.txt
    grep -o '"loss":[^,}]*' "$2" | cut -d: -f2 | paste want.txt - |
        awk -v e="$3" '{ d = $1 - $2; if (d < 0) d = -d; if (d > e * $1) bad = 1 } END { exit bad || NR < 12 }'
}
same_losses run.txt split.txt 1e-12 || fail "other losses in parts: $(paste want.txt split.txt | head -n 3)"
"$NNC" train parts.nn --float f64 --json --log-every 1 --threads 2 --out parts2 >split2.txt || fail "train in parts on two threads"
cmp parts/weights.safetensors parts2/weights.safetensors || fail "other weights on two threads"
"$NNC" train parts.nn --float f64 --steps 5 --quiet --out parts3 && "$NNC" train parts.nn --float f64 --quiet --resume --out parts3 ||
    fail "resume in parts"
cmp parts/weights.safetensors parts3/weights.safetensors || fail "other weights after a resume"
"$NNC" train parts.nn --float f64 --steps 1 --out parts >text.txt || fail "train parts.nn"
grep -q '^memory: .* of .*, batches of 64 in parts of [0-9]*$' text.txt || fail "the run does not say what it does: $(head -n 1 text.txt)"

# whole bills, but for what the plan of the day makes of them: sizes, and which tensors are the largest
cp "$SOURCE/tests/golden/memory/"*.nn .
sed -i "s|\"data/|\"$SOURCE/examples/data/|" bill_*.nn
for file in bill_*.nn; do
    "$NNC" train "$file" --cpu x86-64 --out bill 2>bill.txt && fail "$file has a plan"
    grep -q '^ *= help:  *[0-9.]* [a-zA-Z]*  ' bill.txt || fail "no tensor in the bill of $file"
    sed -e 's/[0-9.]* \(bytes\|[KMG]iB\)/SIZE/g' -e 's/parts of [0-9]*/parts of N/' -e '/= help:  *SIZE  /d' bill.txt >err.txt
    if [ -n "${NNC_REGENERATE:-}" ]; then cp err.txt "$SOURCE/tests/golden/memory/${file%.nn}.err"; fi
    cmp err.txt "$SOURCE/tests/golden/memory/${file%.nn}.err" || fail "another bill of $file"
done
finish
