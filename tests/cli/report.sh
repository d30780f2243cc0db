#!/bin/sh
# report.html holds what the run has told, whatever kind of run it is.
. "$SOURCE/tests/cli/lib.sh"
check() { python3 "$SOURCE/tests/report/data.py" "$@" || fail "$1"; }

# two epochs of the main example: every number is that of the log
"$NNC" train "$SOURCE/examples/digits.nn" --epochs 2 --out two --quiet || fail "train"
accuracy=$(value accuracy <two/log.jsonl)
loss=$(value loss <two/log.jsonl)
check two/report.html 'len(b["epochs"]) == 2 and b["state"] == "finished"' '[r["name"] for r in b["reports"]] == ["loss", "accuracy"]' \
    "abs(b['epochs'][1][4] - $accuracy) < 1e-5 and abs(b['epochs'][1][3] - $loss) < 1e-5" 'steps(b["curves"][0]) == 90' \
    'abs(sum(floats(b["curves"][0]["mean"])[45:]) / 45 - b["epochs"][1][3]) < 0.02' 'b["classifier"]["judged"] == 359' \
    "abs(b['classifier']['right'] / 359 - $accuracy) < 1e-5" 'b["snapshots"][-1]["epoch"] == 2 and "gradients" in b["snapshots"][-1]' \
    'b["snapshots"][0]["epoch"] == 0 and b["tensors"][0] == {"name": "net.dense1.w", "shape": "[64, 64]"}' 'd["parameters"] == 4810' \
    '["net", "net.dense1", "net.dense2"] == [l["path"] for l in d["layers"]]' '["seed", "0"] in d["settings"]' 'd["report_seconds"] < d["seconds"]'

# a hundred epochs stay small (data.py knows the limit), curves and snapshots are thinned
"$NNC" train "$SOURCE/examples/digits.nn" --epochs 100 --out hundred --quiet || fail "train, 100 epochs"
check hundred/report.html 'len(b["epochs"]) == 100 and steps(b["curves"][0]) == 4500 and b["curves"][0]["width"] == 8'

# pictures, a name that looks like the end of a script, keep_best, two blocks
python3 - <<'P' || fail "python"
import random, struct
random.seed(1)
pixels, labels = bytearray(), bytearray()
for i in range(64):
    label = i % 2
    pixels += bytes(random.randrange(128) + 100 * (x // 4 == label) for y in range(8) for x in range(8))
    labels.append(label)
open("images", "wb").write(struct.pack(">IIII", 0x803, 64, 8, 8) + pixels)
open("labels", "wb").write(struct.pack(">II", 0x801, 64) + labels)
P
cat >pictures.nn <<'N'
# </script><!-- of the page
data d = zip(idx("images"), idx("labels"))
model net(x: [N, 8, 8]) -> [N, 2] = flatten(x / 255) |> Dense(2)
train first {
    epochs = 2
    for (x, y) in d { minimize cross_entropy(net(x), y) using SGD(0.001) }
}
train second {
    keep_best = right
    for (x, y) in d { minimize cross_entropy(net(x), y) using SGD(0.001) }
    for (x, y) in d { report right = accuracy(softmax(net(x)), y) }
}
N
"$NNC" train pictures.nn --quiet || fail "train, pictures"
check runs/pictures/report.html 'all("gradients" in s for s in (b["snapshots"][-1], d["blocks"][0]["snapshots"][-1]))' 'len(d["blocks"]) == 2 and d["blocks"][0]["name"] == "first" and len(d["blocks"][0]["epochs"]) == 2' \
    '"classifier" not in d["blocks"][0] and all(w["picture"] for w in b["classifier"]["worst"])' 'b["classifier"]["best_epoch"]' \
    '"</script><!--" in d["source"]' 'len(b["classifier"]["matrix"]) == 2'

# Ctrl-C; going on afterwards
"$NNC" train pictures.nn --only second --epochs 1000000 --out long --quiet 2>err.txt &
job=$!
wait_until grep -q '"gradients":\[' long/report.html
kill -INT $job
wait $job
[ $? = 130 ] || fail "Ctrl-C: $(cat err.txt)"
check long/report.html 'b["state"] == "interrupted" and any("gradients" in s for s in b["snapshots"])'
epochs=$(grep -c '"event":"epoch"' long/log.jsonl)
"$NNC" train pictures.nn --only second --epochs $((epochs + 3)) --out long --quiet --resume || fail "resume"
check long/report.html "[r[0] for r in b['epochs']] == list(range(1, $epochs + 4))" 'b["snapshots"][0]["epoch"] == 0 and b["state"] == "finished"'

# Ctrl-C in the first epoch: no gradients are computed any more
cat >slow.nn <<N
data d = csv("$SOURCE/examples/data/digits.csv", target = "digit")
model net(x: [N, 64]) -> [N, 10] = x |> Dense(2000) |> Dense(2000) |> Dense(2000) |> Dense(10)
train {
    epochs = 1000
    batch = 1
    for (x, y) in d { minimize cross_entropy(net(x), y) using SGD(0.001) }
}
N
"$NNC" train slow.nn --json --log-every 1 --out slow >events.txt 2>err.txt &
job=$!
wait_until grep -q '"step"' events.txt
kill -INT $job
wait $job
[ $? = 130 ] || fail "Ctrl-C in the first epoch: $(cat err.txt)"
if grep -q '"epoch":1' slow/log.jsonl; then fail "the first epoch was over"; fi
check slow/report.html 'b["state"] == "interrupted" and not any("gradients" in s for s in b["snapshots"])'

# two classes by one score; the characters of a text
"$NNC" train "$SOURCE/examples/binary.nn" --epochs 1 --out binary --quiet || fail "train, binary"
accuracy=$(value accuracy <binary/log.jsonl)
check binary/report.html 'b["classifier"]["classes"] == 2 and b["classifier"]["threshold"] == 0 and b["classifier"]["judged"] == 114' \
    "abs(b['classifier']['right'] / 114 - $accuracy) < 1e-5"

# classes that the data have as floats; floats that are none
python3 - <<'P' || fail "python"
import array, random, struct
random.seed(3)
def npy(name, shape, values):
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }" % ", ".join(map(str, shape))
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    open(name, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + array.array("f", values).tobytes())
labels = [random.randrange(3) for _ in range(60)]
npy("x.npy", [60, 3], [random.random() + (l == k) for l in labels for k in range(3)])
npy("three.npy", [60], labels)
npy("two.npy", [60], [l > 0 for l in labels])
npy("none.npy", [60], [l / 2 for l in labels])
P
cat >floats.nn <<'N'
let file = "three.npy"
let outputs = 3
data d = zip(npy("x.npy"), npy(file))
model net(x: [N, 3]) -> [N, outputs] = Dense(outputs)(x)
fn far(scores: [N, C], y: [N]) = mean(cross_entropy(scores, int(y)))
fn far_of_two(scores: [N], y: [N]) = bce(scores, y)
fn far_of_any(x, y) = if outputs > 1 then far(x, y) else far_of_two(x[:, 0], y)
train {
    for (x, y) in d { minimize far_of_any(net(x), y) using Adam(0.1) }
    for (x, y) in d { report loss = far_of_any(net(x), y) }
}
N
"$NNC" train floats.nn --quiet --out three || fail "train, three classes as floats"
check three/report.html 'b["classifier"]["classes"] == 3 and b["classifier"]["judged"] == 60 and len(b["classifier"]["matrix"]) == 3'
"$NNC" train floats.nn --quiet --set file=two.npy --set outputs=1 --out two_floats || fail "train, two classes as floats"
check two_floats/report.html 'b["classifier"]["classes"] == 2 and b["classifier"]["judged"] == 60'
"$NNC" train floats.nn --quiet --set file=none.npy --set outputs=1 --out no_classes || fail "train, floats that are no classes"
check no_classes/report.html '"classifier" not in b'

# a run that ends inside its first epoch has gradients, too
"$NNC" train "$SOURCE/examples/digits.nn" --steps 7 --out seven --quiet || fail "train, seven steps"
check seven/report.html 'b["snapshots"][-1]["epoch"] == 1 and "gradients" in b["snapshots"][-1] and b["snapshots"][0]["epoch"] == 0'
yes 'to be or not to be' | head -n 40 >words.txt
cat >letters.nn <<'N'
data d = text("words.txt", window = 8)
model net(x: int[N, 8]) -> [N, 8, vocab(d)] = Embedding(vocab(d), 4)(x) |> Dense(vocab(d))
train {
    for (x, y) in d { minimize cross_entropy(net(x), y) using Adam(0.01) }
    for (x, y) in d { report right = accuracy(net(x), y) }
}
N
"$NNC" train letters.nn --out letters --quiet || fail "train, letters"
right=$(value right <letters/log.jsonl)
check letters/report.html 'b["classifier"]["places"] == 8 and b["classifier"]["names"] == list("\n benort")' \
    "abs(b['classifier']['right'] / b['classifier']['judged'] - $right) < 1e-5" \
    'all(len(w["text"]) == w["place"] + 1 and w["place"] < 8 for w in b["classifier"]["worst"])'

# what classifies nothing
"$NNC" train "$SOURCE/examples/regression.nn" --epochs 1 --out plain --quiet || fail "train, regression"
check plain/report.html '"classifier" not in b'
finish
