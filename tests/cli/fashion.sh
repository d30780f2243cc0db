#!/bin/sh
# The real Fashion-MNIST: accuracy over five seeds, and the convolutional network. Slow; skipped where the data is not there.
. "$SOURCE/tests/cli/lib.sh"
data=/usr/share/datasets/fashion-mnist
[ -d $data ] || { echo "skipped: no $data"; exit 0; }
sum=0
for seed in 1 2 3 4 5; do
    accuracy=$("$NNC" train "$SOURCE/examples/fashion_mlp.nn" --json --data $data --seed $seed | value accuracy)
    echo "fashion_mlp seed $seed: $accuracy"
    awk "BEGIN { exit !($accuracy >= 0.865) }" || fail "seed $seed: $accuracy is below 0.865"
    sum=$(awk "BEGIN { print $sum + $accuracy }")
done
awk "BEGIN { exit !($sum / 5 >= 0.872) }" || fail "the mean over the seeds is below 0.872: $sum / 5"
accuracy=$("$NNC" train "$SOURCE/examples/fashion_cnn.nn" --json --data $data | value accuracy)
echo "fashion_cnn: $accuracy"
awk "BEGIN { exit !($accuracy >= 0.90) }" || fail "fashion_cnn: $accuracy is below 0.90"
finish
