#!/bin/sh
# A run that is killed at any moment, from its start to its end, and goes on ends with the bits of the run that was not, and never
# finds a checkpoint that it cannot read. NNC_KILLS: how many runs are killed (10); every third one is killed twice.
. "$SOURCE/tests/cli/lib.sh"
cat >net.nn <<P
data (train_set, test_set) = split(csv("$SOURCE/examples/data/digits.csv", target = "digit"), 0.8)
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(128, relu) |> BatchNorm() |> Dropout(0.2) |> Dense(10)
train {
    epochs = 15
    batch = 16
    keep_best = accuracy
    for (pixels, digit) in train_set { minimize cross_entropy(net(pixels), digit) using Adam(1e-3) accumulate 3 }
    for (pixels, digit) in test_set { report accuracy = accuracy(net(pixels), digit) }
}
P
train() { "$NNC" train net.nn --quiet --out "$@"; }
train whole || fail "train"
tensors whole/checkpoint.safetensors >whole.tensors
rows() { sed 's/,[^,]*,[^,]*$//' "$1/log.csv"; }
rows whole >whole.rows
epochs() { grep '"event":"epoch"' "$1/log.jsonl" | sed 's/,"samples_per_s".*//'; }
epochs whole >whole.epochs

# strike EPOCHS SECONDS FLAGS...: kills a run in run/ so long after its log has told of so many epochs.
strike() {
    epochs=$1 seconds=$2
    shift 2
    "$NNC" train net.nn --quiet --out run "$@" 2>>errors.txt &
    pid=$!
    while [ "$(cat run/log.jsonl 2>/dev/null | grep -c '"epoch":')" -lt "$epochs" ] && kill -0 $pid 2>/dev/null; do :; done
    sleep "$seconds"
    kill -9 $pid 2>/dev/null
    wait $pid 2>/dev/null
    strikes=$((strikes + 1))
}

strikes=0 early=0 done=0
: >errors.txt
for i in $(seq "${NNC_KILLS:-10}"); do
    rm -rf run
    moments=$(awk "BEGIN { srand($i * 7919 + $$); n = int(rand() * 15); print n, (n ? 0.02 : 0.1) * rand(), n + 1 + int(rand() * (14 - n)), 0.02 * rand() }")
    # shellcheck disable=SC2086
    set -- $moments
    strike "$1" "$2"
    if [ ! -e run/checkpoint.safetensors ]; then # before the first one: there is nothing to go on from
        early=$((early + 1))
        train run || fail "kill $i: a run cannot begin in what was left"
    else
        [ -e run/weights.safetensors ] && done=$((done + 1))
        if [ $((i % 3)) = 0 ]; then
            strike "$3" "$4" --resume
        fi
        train run --resume || fail "kill $i: not resumed"
    fi
    cmp run/weights.safetensors whole/weights.safetensors || fail "kill $i: other weights"
    tensors run/checkpoint.safetensors | cmp - whole.tensors || fail "kill $i: another checkpoint"
    cmp run/run.json whole/run.json || fail "kill $i: another record"
    rows run | cmp - whole.rows || fail "kill $i: another table"
    epochs run | cmp - whole.epochs || fail "kill $i: another log"
    left=$(ls -A run | grep -v tfevents | tr '\n' ' ')
    [ "$left" = '.lock checkpoint.safetensors log.csv log.jsonl report.html run.json weights.safetensors ' ] || fail "kill $i: left behind: $left"
done
[ -s errors.txt ] && fail "a run that was to be killed failed: $(cat errors.txt)"
echo "$strikes kills of ${NNC_KILLS:-10} runs: $early before the first checkpoint, $done after the end"
finish
