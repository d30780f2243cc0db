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
        minimize cross_entropy(net(pixels + 0.1 * normal([N, 64])), digit) using Adam(lr = plateau(error, 1e-4, factor = 0.5, patience = 1))
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

# same DIR: the run came to what the run in `whole` did.
same() {
    cmp "$1/weights.safetensors" whole/weights.safetensors || fail "$1: other weights"
    tensors "$1/checkpoint.safetensors" | cmp - whole.tensors || fail "$1: another checkpoint"
    cmp "$1/run.json" whole/run.json || fail "$1: another record"
    sed 's/,[^,]*,[^,]*$//' "$1/log.csv" | cmp - whole.csv || fail "$1: another table"
    epochs "$1" | cmp - whole.txt || fail "$1: another log"
    [ "$(ls -A "$1" | grep -v tfevents | tr '\n' ' ')" = '.lock checkpoint.safetensors log.csv log.jsonl report.html run.json weights.safetensors ' ] ||
        fail "$1: something is left behind: $(ls -A "$1")"
}

# strike SIGNAL STATUS DIR FLAGS...: a run that gets the signal at a random moment after its start.
strike() {
    signal=$1 want=$2 dir=$3
    shift 3
    rm -f events.txt
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
sed 's/,[^,]*,[^,]*$//' whole/log.csv >whole.csv
tensors whole/checkpoint.safetensors >whole.tensors
[ "$(wc -l <whole.txt)" -gt 12 ] || fail "no second block: $(wc -l <whole.txt) epochs"
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

# A complete run stays as it is.
cp -r whole again
"$NNC" train net.nn --quiet --out again --resume || fail "resume of a complete run"
same again

# Stopped inside epochs by a limit that is raised.
"$NNC" train net.nn --quiet --out steps --only fine --epochs 6 --steps 20 || fail "steps"
"$NNC" train net.nn --quiet --out steps --only fine --epochs 6 --steps 20 --resume || fail "the same limit again"
for n in 45 100 131; do
    "$NNC" train net.nn --quiet --out steps --only fine --epochs 6 --steps $n --resume || fail "--steps $n --resume"
done
"$NNC" train net.nn --quiet --out steps --only fine --epochs 6 --resume || fail "on from the steps"
"$NNC" train net.nn --quiet --out six --only fine --epochs 6 || fail "train six epochs"
cmp steps/weights.safetensors six/weights.safetensors || fail "other weights after limits of steps"
epochs six >six.txt
epochs steps | cmp - six.txt || fail "another log after limits of steps"
finish
