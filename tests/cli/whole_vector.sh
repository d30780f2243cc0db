#!/bin/sh
# Optimizers of all parameters as one vector: the same bits for any number of threads and after a stop; the names of states.
. "$SOURCE/tests/cli/lib.sh"
cp -r "$SOURCE/examples/data" data
write() {
    cat >$1.nn <<P
data (train_set, test_set) = split(csv("data/digits.csv", target = "digit"), 0.8)
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(24) |> BatchNorm() |> relu |> Dropout(0.2) |> Dense(10)
train {
    epochs = 4
    batch = 500
    for (pixels, digit) in train_set {
        minimize cross_entropy(net(pixels), digit) + 1e-4 * l2(net) using $2
    }
    for (pixels, digit) in test_set {
        report accuracy = accuracy(net(pixels), digit)
    }
}
P
}

write lbfgs "LBFGS(max_iter = 5)"
write newton "NewtonCG(max_iter = 4)"
write cg "NonlinearCG(max_iter = 4)"
for model in lbfgs newton cg; do
    "$NNC" train $model.nn --quiet --threads 1 --out ${model}1 || fail "train $model"
    tensors ${model}1/checkpoint.safetensors >$model.tensors
    for threads in 2 3; do
        "$NNC" train $model.nn --quiet --threads $threads --out $model$threads || fail "train $model"
        tensors $model$threads/checkpoint.safetensors | cmp - $model.tensors || fail "$model: other bits with $threads threads"
    done
    "$NNC" train $model.nn --quiet --epochs 2 --out part_$model || fail "train $model in part"
    "$NNC" train $model.nn --quiet --resume --epochs 4 --out part_$model || fail "resume $model"
    tensors part_$model/checkpoint.safetensors | cmp - $model.tensors || fail "$model: other bits after a stop"
done
for name in lbfgs1.S lbfgs1.rho lbfgs1.evaluations lbfgs1.step; do
    grep -aqF "\"$name\":" lbfgs1/checkpoint.safetensors || fail "no state $name"
done
accuracy=$("$NNC" train lbfgs.nn --json --epochs 12 --out long | value accuracy)
awk "BEGIN { exit !($accuracy > 0.85) }" || fail "an accuracy of $accuracy"
finish
