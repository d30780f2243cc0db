#!/bin/sh
# --check-nan names the first expression that made a NaN or an infinity; without it a loss that is none is not silent.
. "$SOURCE/tests/cli/lib.sh"
python3 - <<'P' || exit 1
import random
random.seed(1)
with open("points.csv", "w") as f:
    f.write("a,b,y\n")
    for i in range(40):
        f.write("%g,%g,%g\n" % (0 if i == 17 else random.random(), random.random(), random.random()))
open("holes.csv", "w").write("a,b,y\n" + "".join("%s,%g,%g\n" % ("nan" if i == 11 else i / 40, i / 80, i / 40) for i in range(40)))
P
# program EXPRESSION: net.nn minimizes it; x is [N, 2], y is [N], w a parameter that is 1 at first.
program() {
    cat >net.nn <<P
data points = csv("${DATA:-points.csv}", target = "y")
layer Scale()(x: [..B]) -> [..B] {
    param w: [] = ${START:-1}
    return w * x
}
model net(x: [..B]) -> [..B] = x |> Scale()
train {
    epochs = ${EPOCHS:-2}
    batch = 8
    for (x, y) in points {
        let a = net(x[:, 0])
        $1
    }
}
P
}
# blames TEXT...: --check-nan ends the run with one error that holds all of these.
blames() {
    "$NNC" train net.nn --out run --check-nan >out.txt 2>err.txt
    got=$?
    [ "$got" = 1 ] || fail "exit status $got: $(cat net.nn err.txt)"
    [ "$(grep -c '^error: ' err.txt)" = 1 ] || fail "not one error: $(cat err.txt)"
    for text in "$@"; do grep -qF -- "$text" err.txt || fail "no '$text' in: $(cat err.txt)"; done
}

program 'minimize mean(-log(a)) using SGD(0.1)'
blames "error: 'log(a)' became infinite in step" "epoch 1" "net.nn:12:24" "where 'a' is 0" \
    "of the batch: row 18 of 'points.csv'"
program 'minimize mean(a / a) using SGD(0.1)'
blames "error: 'a / a' became nan in step" "where 'a' is 0" "row 18 of 'points.csv'"
START=50 program 'minimize mean(exp(2 * a)) using SGD(0.1)'
blames "error: 'exp(2 * a)' became infinite in step 1, epoch 1" "where '2 * a' is"
program 'minimize mean(sqrt(a)) using SGD(0.1)'
blames "error: the gradient of 'sqrt(a)' became" "net.nn:12:23" "row 18 of 'points.csv'"
# what is not chosen does not show, but for its gradient
program 'let l = log(a)
        minimize mean(where(a > 0, l, 0)) using SGD(0.1)'
blames "error: the gradient of 'log(a)' became" "net.nn:12:17"
# an infinity that is meant is not blamed, what is made of two is
program 'let m = where(a > 0.5, a, -inf)
        minimize mean(exp(m)) + mean(log(a)) using SGD(0.1)'
blames "error: 'log(a)' became infinite"
DATA=holes.csv program 'minimize mean(a + y) using SGD(0.1)'
blames "error: the data hold nan: 'holes.csv', row 12" "it is in column 'a'" "net.nn:10"
# the parameters, not the loss: an update that overflows
START=1 program 'minimize mean(1e30 * a) using SGD(1e30)'
blames "became"
# inside a scan, with the iteration
program 'let s = scan t in 0..4 with h = a { h = h - 1; yield log(h + 2.5) }
        minimize mean(s) using SGD(0.1)'
blames "error: 'log(h + 2.5)' became nan" "in iteration 2"

# without the flag: one warning, and the run goes on
program 'minimize mean(-log(a)) using SGD(0.1)'
"$NNC" train net.nn --out plain >out.txt 2>err.txt || fail "a loss that is no number ends the run: $(cat err.txt)"
[ "$(grep -c 'warning: the loss became' err.txt)" = 1 ] || fail "not one warning: $(cat err.txt)"
grep -qF -- "--check-nan" err.txt || fail "no help: $(cat err.txt)"
# a run that is well is the same run under the flag
program 'minimize mean((a - y)^2) using Adam(0.1)'
"$NNC" train net.nn --out well --quiet 2>err.txt || fail "$(cat err.txt)"
"$NNC" train net.nn --out watched --quiet --check-nan 2>>err.txt || fail "$(cat err.txt)"
cmp well/weights.safetensors watched/weights.safetensors || fail "--check-nan changes the weights"
[ -s err.txt ] && fail "$(cat err.txt)"
finish
