#!/bin/sh
# Runs that are interrupted or killed and go on end with the bits of the run that was not; errors around checkpoints.
# NNC_KILLS: how many times each kind of ending strikes (3).
. "$SOURCE/tests/cli/lib.sh"
cp -r "$SOURCE/examples/data" data
cat >net.nn <<'P'
data (train_set, test_set) = split(csv("data/digits.csv", target = "digit"), 0.8)
let width = 256
let goal = 2
model net(pixels: [N, 64]) -> [N, 10] =
    pixels / 16 |> Dense(width) |> BatchNorm() |> Dropout(0.2) |> Dense(10)
train pre {
    epochs = 12
    batch = 64
    keep_best = accuracy
    for (pixels, digit) in train_set {
        minimize cross_entropy(net(pixels), digit) using Momentum(lr = step_decay(0.05, 4, 0.5)) accumulate 3
    }
    for (pixels, digit) in test_set {
        report accuracy = accuracy(net(pixels), digit)
    }
}
train fine {
    epochs = 40
    batch = 32
    seed = 3
    for (pixels, digit) in train_set {
        minimize cross_entropy(net(pixels + 0.1 * normal([N, 64])), digit) using Adam(lr = 1e-4)
        report seen = accuracy(net(pixels), digit)
    }
    for (pixels, digit) in test_set {
        report accuracy = accuracy(net(pixels), digit)
        report error = cross_entropy(net(pixels), digit)
    }
    stop_when no_improvement(error, epochs = 30) or no_improvement(-error, epochs = 39) or accuracy >= goal
}
P

# epochs DIR: what the log tells of each epoch, without times.
epochs() { grep '"event":"epoch"' "$1/log.jsonl" | sed 's/,"samples_per_s".*//'; }

same() {
    cmp "$1/weights.safetensors" whole/weights.safetensors || fail "$1: other weights"
    cmp "$1/checkpoint.safetensors" whole/checkpoint.safetensors >/dev/null # differs in log_bytes only
    epochs "$1" | cmp - whole.txt || fail "$1: another log"
    [ "$(ls -A "$1" | tr '\n' ' ')" = '.lock checkpoint.safetensors log.jsonl weights.safetensors ' ] ||
        fail "$1: something is left behind: $(ls -A "$1")"
}

# strike SIGNAL STATUS DIR FLAGS...: a run that gets the signal at a random moment after its start.
strike() {
    signal=$1 want=$2 dir=$3
    shift 3
    "$NNC" train net.nn --out "$dir" --json "$@" >events.txt 2>err.txt &
    pid=$!
    while [ ! -s events.txt ] && kill -0 $pid 2>/dev/null; do sleep 0.01; done
    sleep "$(awk "BEGIN { srand($pid); print rand() * 0.25 }")"
    kill -"$signal" $pid 2>/dev/null
    wait $pid
    got=$?
    [ $got = 0 ] || [ $got = "$want" ] || fail "exit status $got, not $want, after SIG$signal: $(cat err.txt)"
    [ $got = 0 ] || [ "$signal" = KILL ] || grep -q "nnc train net.nn --out $dir --resume" err.txt || fail "no hint: $(cat err.txt)"
    [ "$(cat err.txt | wc -l)" -le 1 ] || fail "more than a hint: $(cat err.txt)"
}

"$NNC" train net.nn --quiet --out whole || fail "train"
epochs whole >whole.txt
[ "$(wc -l <whole.txt)" = 52 ] || fail "not 52 epochs: $(wc -l <whole.txt)"
for kind in INT:130 TERM:143 KILL:137; do
    dir=run${kind%:*}
    flags=
    for k in $(seq "${NNC_KILLS:-3}"); do
        strike "${kind%:*}" "${kind#*:}" "$dir" $flags
        [ -e "$dir/checkpoint.safetensors" ] && flags=--resume
    done
    "$NNC" train net.nn --quiet --out "$dir" $flags || fail "resume after $kind"
    same "$dir"
done

# A limit of steps inside an epoch, raised bit by bit; a run that is complete stays as it is.
"$NNC" train net.nn --quiet --out steps --steps 40 || fail "steps"
"$NNC" train net.nn --quiet --out steps --steps 41 --resume || fail "steps --resume"
"$NNC" train net.nn --quiet --out half --only pre || fail "only"
"$NNC" train net.nn --quiet --out whole2 || fail "train again"
"$NNC" train net.nn --quiet --out whole2 --resume || fail "resume of a complete run"
same whole2
finish
