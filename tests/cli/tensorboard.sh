#!/bin/sh
# The event file of a run, as TensorBoard reads it. NNC_TENSORBOARD is a Python that has TensorBoard; without one it is installed for
# the test, and where that cannot be, the test is skipped.
. "$SOURCE/tests/cli/lib.sh"
python=${NNC_TENSORBOARD:-${XDG_CACHE_HOME:-$HOME/.cache}/nnc-tests/tensorboard/bin/python}
if ! "$python" -c 'import tensorboard' 2>/dev/null; then
    folder=${python%/bin/python}
    { python3 -m venv "$folder" && timeout 600 "$folder/bin/pip" install -q tensorboard; } >pip.log 2>&1 || {
        echo "skipped: TensorBoard cannot be installed: $(tail -n 1 pip.log)"
        exit 0
    }
fi
python3 - <<'P'
import random, struct
random.seed(2)
n = 200
open("x.idx", "wb").write(struct.pack(">HBBIII", 0, 8, 3, n, 8, 8) + bytes(random.randrange(256) for _ in range(64 * n)))
open("y.idx", "wb").write(struct.pack(">HBBI", 0, 8, 1, n) + bytes(random.randrange(10) for _ in range(n)))
P
cat >net.nn <<'P'
data train_set = zip(idx("x.idx"), idx("y.idx"))
let rate = 0.01
model net(x: [N, 8, 8]) -> [N, 10] = reshape(x, [N, 64]) / 255 |> Dense(16, relu) |> Dense(10)
train {
    epochs = 4
    for (x, y) in train_set { minimize cross_entropy(net(x), y) using Adam(rate) }
    for (x, y) in train_set { report accuracy = accuracy(net(x), y) }
}
P
"$NNC" train net.nn --out run --quiet --set rate=0.5 || fail "train"
"$NNC" train net.nn --out run --quiet --set rate=0.02 --seed 5 || fail "train again"
"$python" "$SOURCE/tests/cli/read_events.py" run 2>err.txt || fail "$(tail -n 3 err.txt)"
finish
