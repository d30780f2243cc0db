#!/bin/sh
# Weights that are large beside the second cache, which the step keeps in panels: the same bits for any number of threads
# and after a resume in the middle of an epoch; nearly the numbers of a step that keeps them in rows; and what reads them
# between steps (evaluation, the best epoch's weights, checkpoints) finds rows.
. "$SOURCE/tests/cli/lib.sh"
cp -r "$SOURCE/examples/data" data
cat >wide.nn <<'P'
data (train_set, test_set) = split(csv("data/digits.csv", target = "digit"), 0.8)
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(1030, relu) |> Dense(1500, relu) |> Dense(10)
train {
    epochs = 2
    batch = 100
    keep_best = accuracy
    for (pixels, digit) in train_set {
        minimize cross_entropy(net(pixels), digit) using Adam(lr = 1e-3)
    }
    for (pixels, digit) in test_set {
        report accuracy = accuracy(net(pixels), digit)
    }
}
P
"$NNC" bench wide.nn --dump=plan --threads 1 >plan 2>&1 || fail "bench"
grep -q 'variables + .* in panels of' plan || fail "no variable is in panels"
for threads in 1 2 3; do
    "$NNC" train wide.nn --quiet --threads $threads --out t$threads || fail "train on $threads threads"
    cmp t1/weights.safetensors t$threads/weights.safetensors || fail "other weights on $threads threads"
done
"$NNC" train wide.nn --quiet --steps 20 --out parts || fail "train 20 steps"
"$NNC" train wide.nn --quiet --resume --out parts || fail "resume"
cmp t1/weights.safetensors parts/weights.safetensors || fail "other weights after a resume"
"$NNC" train wide.nn --quiet --check-nan --out rows || fail "train with --check-nan"
last() { "$NNC" eval wide.nn --json --weights "$1/weights.safetensors" 2>eval.err | value accuracy; }
awk -v a="$(last t1)" -v b="$(last rows)" 'BEGIN { exit !(a > 0.8 && a - b < 0.02 && b - a < 0.02) }' ||
    fail "accuracy $(last t1) in panels, $(last rows) in rows"
finish
