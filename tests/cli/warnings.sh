#!/bin/sh
# Warnings that a run gives by itself, each true; and none where all is well.
. "$SOURCE/tests/cli/lib.sh"
python3 - <<'P' || exit 1
import random
random.seed(3)
with open("scaled.csv", "w") as f, open("same.csv", "w") as g, open("plain.csv", "w") as h, open("flat.csv", "w") as k:
    for o in (f, g, h, k): o.write("small,large,y\n")
    for i in range(64):
        a, b = random.gauss(0, 1), random.gauss(0, 1)
        f.write("%g,%g,%g\n" % (a * 1e-3, b * 10, a + b))
        g.write("%g,%g,7\n" % (a, b))
        h.write("%g,%g,%g\n" % (a, b, a + b))
        k.write("%g,0,%g\n" % (a, a + b))
with open("many.csv", "w") as f, open("sparse.csv", "w") as g:
    for o in (f, g): o.write(",".join("c%d" % k for k in range(8)) + ",y\n")
    for i in range(64):
        f.write(",".join(str(k if k % 2 else i * (k + 1) % 37 + 1) for k in range(8)) + ",%g\n" % (i / 64))
        g.write(",".join(str(int(k % 2 and i % 5 == k)) for k in range(8)) + ",%g\n" % (i / 64))
P
# program DATA MODEL OPTIMIZER
program() {
    cat >net.nn <<P
data points = csv("$1.csv", target = "y")
layer Low(n: int)(x: [..B, In]) -> [..B, n] {
    param w: [In, n] ~ glorot_uniform
    return relu(x @ w - 100)
}
model net(x: [N, 2]) -> [N] = x $2 |> Dense(1) |> reshape([N])
train {
    epochs = 4
    for (x, y) in points { minimize mse(net(x), cast(y, f32)) using $3 }
}
P
}
# warns TEXT...: one warning, with these; without any text: none.
warns() {
    "$NNC" train net.nn --out run >out.txt 2>err.txt || fail "train: $(cat err.txt)"
    [ "$(grep -c '^warning: ' err.txt)" = "$([ $# = 0 ] && echo 0 || echo 1)" ] || fail "not the warnings: $(cat net.nn err.txt)"
    for text in "$@"; do grep -qF -- "$text" err.txt || fail "no '$text' in: $(cat err.txt)"; done
}
program plain '|> Dense(8, relu)' 'SGD(0.01)'
warns
program scaled '|> Dense(8, relu)' 'SGD(1e-4)'
warns "column 'large' of 'scaled.csv' varies" "column 'small'" "--> net.nn:9" "subtract the mean"
program scaled '- mean_of(points) |> fn(v) = v / std_of(points) |> Dense(8, relu)' 'SGD(0.01)'
warns
program same '|> Dense(8, relu)' 'SGD(0.01)'
warns "every label of 'same.csv' is 7" "--> net.nn:9"
program flat '|> Dense(8, relu)' 'SGD(0.01)'
warns "every sample of 'flat.csv' has the same value in column 'large'" "--> net.nn:9" "leave it out"
sed 's/^train {/train second {/' net.nn | grep -A4 '^train' >second.txt && cat second.txt >>net.nn
warns "column 'large'"
program flat '- mean_of(points) |> fn(v) = v / (std_of(points) + 1e-6) |> Dense(8, relu)' 'SGD(0.01)'
warns "column 'large'"
program flat '- mean_of(points) |> fn(v) = v / std_of(points) |> Dense(8, relu)' 'SGD(0.01)'
"$NNC" train net.nn --out run >out.txt 2>err.txt
grep -qF "column 'large'" err.txt && grep -qF "std_of(data) + 1e-6" err.txt || fail "a constant column divided by its deviation: $(cat err.txt)"
# of many columns some are named; what fills the others too (categories, borders, ends) means nothing
program many '/ 64 |> Dense(8)' 'SGD(0.01)'
sed -i 's/x: \[N, 2\]/x: [N, 8]/' net.nn
warns "the same value in columns 'c1', 'c3', 'c5' and 1 more"
sed -i 's/many.csv/sparse.csv/' net.nn
warns
program plain '|> Low(8)' 'SGD(0.01)'
warns "8 of 8 units here are 0 for all of 64 samples" "--> net.nn:6"
program plain '|> Dense(8, relu)' 'SGD(0)'
warns "the loss is still" "after 3 epochs" "net.nn:9"
program plain '|> Dense(8) |> fn(h) = 1e-9 * h |> Dense(8)' 'SGD(0.01)'
warns "the gradient of 'net.dense" "vanishes" "--> net.nn:6"
program plain '|> Dense(8) |> fn(h) = 1e9 * h' 'SGD(1e-20)'
warns "explodes" "--> net.nn:6"
"$NNC" train net.nn --out run --quiet >out.txt 2>err.txt
[ -s err.txt ] && fail "a warning under --quiet: $(cat err.txt)"
finish
