#!/bin/sh
# `nnc summary` names the bytes that a run takes, and `memory = …` is kept to: with half of the memory a network trains to the
# same bits; where nothing makes the plan small enough, there is a bill and no run.
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
expect_error 1 "at least: a smaller batch needs less" "$NNC" train little.nn --out little
grep -q 'of weights and states' err.txt || fail "no weights in the bill"
grep -q 'iB  stdlib/layers/convolution.nn:' err.txt || fail "no tensor of a convolution in the bill"
[ -e little ] && fail "a run began without the memory that it needs"
least=$(sed -n 's/.*a step needs \(.*\) at least.*/\1/p' err.txt)
sed "s/# budget/memory = 1KiB/" net.nn >least.nn
expect_error 1 "a step needs $least at least" "$NNC" train least.nn --out little
finish
