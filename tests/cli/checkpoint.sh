#!/bin/sh
# What a run keeps and what it refuses: keep_best, stop_when, load, checkpoints of other runs, damaged ones, full disks, locks.
. "$SOURCE/tests/cli/lib.sh"
cp -r "$SOURCE/examples/data" data
# program SETTINGS STATEMENTS: net.nn
program() {
    cat >net.nn <<P
data (train_set, test_set) = split(csv("data/digits.csv", target = "digit"), 0.8)
let width = 16
let rate = 0.01
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(width, relu) |> Dense(10)
train {
    epochs = 12
    ${1-}
    for (pixels, digit) in train_set {
        minimize cross_entropy(net(pixels), digit) using Adam(lr = rate)
    }
    for (pixels, digit) in test_set {
        report accuracy = accuracy(net(pixels), digit)
    }
    ${2-}
}
P
}
train() { "$NNC" train net.nn --quiet "$@" || fail "train $*"; }
epochs() { grep -c '"event":"epoch"' "$1/log.jsonl"; }
# best_epoch DIR NAME ORDER: the first epoch with the best value, by an option of sort.
best_epoch() {
    grep '"event":"epoch"' "$1/log.jsonl" | sed 's/.*"epoch":\([0-9]*\),.*"'"$2"'":\([-+0-9.e]*\).*/\2 \1/' |
        sort -k1,1g"${3-}" -k2,2n | head -n 1 | cut -d' ' -f2
}

# weights are those of the best epoch, the first of several
program
train --out plain
train --out short --epochs "$(best_epoch plain accuracy r)"
train --out rough --set rate=3.0
train --out rough_short --set rate=3.0 --epochs "$(best_epoch rough loss)"
program 'keep_best = accuracy'
train --out best
cmp best/weights.safetensors short/weights.safetensors || fail "keep_best = accuracy: not the best weights"
program 'keep_best = -loss'
train --out least --set rate=3.0
cmp least/weights.safetensors rough_short/weights.safetensors || fail "keep_best = -loss: not the best weights"

# stop_when ends the run after the epoch where it is true
program '' 'stop_when accuracy > 0.9 and not (loss > 10) or 1 > 2'
train --out stop
[ "$(epochs stop)" -lt 12 ] || fail "stop_when never stops"
awk "BEGIN { exit !($(value accuracy <stop/log.jsonl) > 0.9) }" || fail "stopped too early"
grep -q '"reason":"stopped"' stop/log.jsonl || fail "no reason"
program '' 'stop_when no_improvement(accuracy, epochs = 2)'
train --out patience --epochs 40
awk -F'"accuracy":' '/"event":"epoch"/ { v = $2 + 0; n++; if (n == 1 || v > best) { best = v; at = n } } END { exit !(n == at + 2) }' \
    patience/log.jsonl || fail "no_improvement: $(epochs patience) epochs"
train --out still --epochs 40 --set rate=0.0
[ "$(epochs still)" = 3 ] || fail "nothing improves at rate 0, and it took $(epochs still) epochs"

# load: beside the .nn file, then in --data; what it brings is what the run begins with
program 'load net from "plain/weights.safetensors"'
train --out loaded --set rate=0.0 --epochs 1
cmp loaded/weights.safetensors plain/weights.safetensors || fail "load"
program 'load net from "weights.safetensors"'
train --out loaded2 --set rate=0.0 --epochs 1 --data plain
cmp loaded2/weights.safetensors plain/weights.safetensors || fail "load by way of --data"
expect_error 1 "'net.dense1.b' is f32[16] in the file and f32[17] in the program" \
    "$NNC" train net.nn --quiet --out bad --data plain --set width=17
grep -qF "'net.dense2.w' is" err.txt || fail "not all is listed: $(cat err.txt)"
expect_error 1 "weights.safetensors: cannot be opened" "$NNC" train net.nn --quiet --out bad
program 'load net.dense3 from "plain/weights.safetensors"'
expect_error 1 "net.dense3" "$NNC" train net.nn --quiet --out bad
[ -e bad/checkpoint.safetensors ] && fail "a run that could not begin has left a checkpoint"

# --weights: a run begins with these, also from a checkpoint; all that does not fit is listed, and what stands in the folder stays
program
train --out given --set rate=0.0 --epochs 1 --weights plain/weights.safetensors
cmp given/weights.safetensors plain/weights.safetensors || fail "--weights"
train --out given2 --set rate=0.0 --epochs 1 --weights plain/checkpoint.safetensors
cmp given2/weights.safetensors plain/weights.safetensors || fail "--weights with a checkpoint"
program 'load net.dense1 from "plain/weights.safetensors"'
train --out other --epochs 2
train --out given3 --set rate=0.0 --epochs 1 --weights other/weights.safetensors
cmp given3/weights.safetensors other/weights.safetensors || fail "--weights where a block loads"
"$NNC" train net.nn --out given4 --epochs 1 --weights other/weights.safetensors >out.txt 2>err.txt || fail "--weights"
grep -q 'weights from other/weights.safetensors' err.txt || fail "--weights says nothing: $(cat err.txt)"
program
cp -r given kept
expect_error 1 "'net.dense1.b' is f32[16] in the file and f32[17] in the program" \
    "$NNC" train net.nn --quiet --out given --set width=17 --weights plain/weights.safetensors
grep -qF "'net.dense2.w' is" err.txt || fail "not all is listed: $(cat err.txt)"
expect_error 1 "nowhere.safetensors: cannot be opened" "$NNC" train net.nn --quiet --out given --weights nowhere.safetensors
diff -r -x .lock kept given || fail "a run that could not begin has changed the folder"
expect_error 2 "'--resume' goes on with the weights of the run's checkpoint" \
    "$NNC" train net.nn --quiet --out given --resume --weights plain/weights.safetensors

# refuse TEXT FLAGS...: --resume in plain is one error
program
cp -r plain before
refuse() {
    text=$1
    shift
    expect_error 1 "$text" "$NNC" train net.nn --quiet --out plain --resume "$@"
    [ "$(grep -c '^error: ' err.txt)" = 1 ] || fail "not one error: $(cat err.txt)"
}
expect_error 1 "nothing to resume: 'absent' has no checkpoint" "$NNC" train net.nn --quiet --out absent --resume
[ -e absent ] && fail "a refused run has made its folder"
refuse "the seed is '0' in the checkpoint and '5' now" --seed 5
refuse "batches and samples of the loops are '32 of 1438, 32 of 359' in the checkpoint and '7 of 1438, 7 of 359' now" --batch 7
refuse "f32[64, 16] in the file and f64[64, 16] in the program" --float f64
refuse "'net.dense1.w' is f32[64, 16] in the file and f32[64, 8] in the program" --set width=8
for name in net.dense1.b net.dense2.w adam1.m/net.dense1.w adam1.v/net.dense2.w; do
    grep -qF "'$name' is" err.txt || fail "no '$name' among the mismatches: $(cat err.txt)"
done
sed 's/Dense(10)$/Dense(12) |> Dense(10)/' net.nn >other.nn
expect_error 1 "'net.dense3.w' is not in the file" "$NNC" train other.nn --quiet --out plain --resume
sed 's/Adam(lr/Momentum(lr/' net.nn >other.nn
expect_error 1 "'adam1.m/net.dense1.w' is only in the file" "$NNC" train other.nn --quiet --out plain --resume
program 'keep_best = accuracy'
refuse "keep_best and stop_when follow '' in the checkpoint and 'accuracy' now"
diff -r -x .lock plain before || fail "a refused run has changed its folder"

# a damaged checkpoint: cut anywhere, of another kind, with numbers that cannot be
program
size=$(wc -c <before/checkpoint.safetensors)
for bytes in 0 7 8 500 5000 $((size - 1)); do
    head -c $bytes before/checkpoint.safetensors >plain/checkpoint.safetensors
    refuse "checkpoint.safetensors: "
done
cp before/weights.safetensors plain/checkpoint.safetensors
refuse "is not a checkpoint of a training run"
# forge KEY VALUE...: the checkpoint with those entries in its metadata
forge() {
    python3 - "$@" <<'P'
import json, struct, sys
raw = open("before/checkpoint.safetensors", "rb").read()
n = struct.unpack("<Q", raw[:8])[0]
header = json.loads(raw[8:8 + n])
header["__metadata__"].update(zip(sys.argv[1::2], sys.argv[2::2]))
text = json.dumps(header).encode()
open("plain/checkpoint.safetensors", "wb").write(struct.pack("<Q", len(text)) + text + raw[8 + n:])
P
}
for entry in epoch:-1 epoch:x epoch:99999999999 loop:2 loop:-1 batch:46 step: step:1e3 log_bytes:-5 stopped:2 trends:nan 'trends:nan 0 1'; do
    forge "${entry%%:*}" "${entry#*:}"
    refuse "damaged: its '${entry%%:*}' makes no sense"
done
forge batch 3 sums "0 x"
refuse "damaged: its 'sums' makes no sense"
forge block 1
refuse "is of train block 2, which is not run here"
forge epoch 12
train --out plain --resume

# a disk that is full: one error, and the checkpoint from before is whole
train --out full --epochs 2
cp full/checkpoint.safetensors two.safetensors
for flags in --resume ''; do
    (
        ulimit -f 8
        exec "$NNC" train net.nn --quiet --out full --epochs 4 $flags 2>err.txt
    )
    [ $? = 1 ] || fail "exit status with a full disk"
    [ "$(grep -c '^error: full/checkpoint.safetensors: cannot be written' err.txt)" = 1 ] || fail "not one error: $(cat err.txt)"
    cmp full/checkpoint.safetensors two.safetensors || fail "a full disk spoiled the checkpoint"
done
[ "$(ls -A full | grep -v tfevents | tr '\n' ' ')" = '.lock checkpoint.safetensors log.csv log.jsonl report.html run.json weights.safetensors ' ] || fail "left behind: $(ls -A full)"
: >full/checkpoint.safetensors.123-0.tmp # of a killed process
: >full/mine.tmp
train --out full --epochs 12 --resume
cmp full/weights.safetensors before/weights.safetensors || fail "other weights after a full disk"
[ -e full/checkpoint.safetensors.123-0.tmp ] && fail "what a killed run has left stays"
[ -e full/mine.tmp ] || fail "somebody else's file is removed"

# the table of a run that goes on has infinities and numbers that are none as the run wrote them
cat >far.nn <<P
data d = csv("data/digits.csv", target = "digit")
model net(pixels: [N, 64]) -> [N, 10] = Dense(10)(pixels / 16)
train {
    epochs = 2
    for (pixels, digit) in d {
        minimize cross_entropy(net(pixels), digit) using SGD(0.1)
        report above = sum(pixels) / 0.0
        report below = -sum(pixels) / 0.0
        report none_ = sum(0 * pixels) / 0.0
    }
}
P
"$NNC" train far.nn --quiet --out far 2>err.txt || fail "train far: $(cat err.txt)"
sed 's/,[^,]*,[^,]*$//' far/log.csv >far.csv
[ "$(grep -c ',inf,-inf,nan$' far.csv)" = 2 ] || fail "no infinities in the table: $(cat far.csv)"
"$NNC" train far.nn --quiet --out far --epochs 3 --resume 2>err.txt || fail "resume far: $(cat err.txt)"
sed 's/,[^,]*,[^,]*$//' far/log.csv | head -n 3 | cmp - far.csv || fail "another table after a resume: $(cat far/log.csv)"
python3 -c 'import json; [json.loads(l) for l in open("far/log.jsonl")]' || fail "the log is not JSON"

# folders that cannot be written; two runs in one folder
: >file
expect_error 1 "file" "$NNC" train net.nn --quiet --out file
expect_error 1 "/proc/none" "$NNC" train net.nn --quiet --out /proc/none
find_user
if [ "$user" = false ]; then
    echo "skipped: nothing is read-only to root"
else
    rm best/.lock
    chmod 555 best
    expect_error 1 "best: nothing can be written there" $user "$NNC" train net.nn --quiet --out best
fi
rm -f events.txt
"$NNC" train net.nn --json --out busy --epochs 1000000 >events.txt 2>busy.txt &
pid=$!
while [ ! -s events.txt ]; do sleep 0.02; done
expect_error 1 "busy: another run, process $pid, is at work in this folder" "$NNC" train net.nn --quiet --out busy
expect_error 1 "busy: another run" "$NNC" train net.nn --quiet --out busy --resume
kill -TERM $pid
wait $pid
status=$?
[ $status = 143 ] || fail "exit status $status after SIGTERM: $(tail -n 40 busy.txt)"
finish
