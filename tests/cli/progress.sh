#!/bin/sh
# What a run shows and logs: a live line with a bar, the loss and its curve on a terminal of any width, plain lines elsewhere, which
# name the block where there are several; log.csv.
. "$SOURCE/tests/cli/lib.sh"
cat >net.nn <<P
data (train_set, test_set) = split(csv("$SOURCE/examples/data/digits.csv", target = "digit"), 0.8)
model net(pixels: [N, 64]) -> [N, 10] = pixels / 16 |> Dense(128, relu) |> Dense(10)
train pre {
    epochs = 2
    for (pixels, digit) in train_set { minimize cross_entropy(net(pixels), digit) using Adam(1e-3) }
}
train {
    epochs = 40
    batch = 8
    for (pixels, digit) in train_set { minimize cross_entropy(net(pixels), digit) using Adam(1e-3) }
    for (pixels, digit) in test_set { report accuracy = accuracy(net(pixels), digit) }
}
P
cat >terminal.py <<'P'
import fcntl, os, pty, re, struct, sys, termios
columns, env = int(sys.argv[1]), dict(os.environ, TERM="xterm", LC_ALL=sys.argv[2])
env.pop("NO_COLOR", None)
pid, fd = pty.fork()
if pid == 0:
    os.execvpe(sys.argv[3], sys.argv[3:], env)
out = b""
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
while True:
    try:
        got = os.read(fd, 65536)
    except OSError:
        break
    if not got: break
    out += got
status = os.waitpid(pid, 0)[1]
text = out.decode()
lines = [re.sub("\x1b\\[[0-9;]*[mK]", "", l) for l in re.split("[\r\n]+", text)]
live = [l for l in lines if "[" in l]
assert status == 0, text[-500:]
assert live, text[:500]
assert all(len(l) < columns for l in live), max(live, key=len)
curves = [l for l in live if re.search("[▁-█]", l)]
if columns == 200 or columns == 20: assert bool(curves) == (sys.argv[2] == "C.UTF-8" and columns == 200), live[-1]
if columns >= 200: assert re.search(r"train 2, epoch \d+/40 \[=*>? *\] [▁-█]* *loss [0-9.e-]+.*samples/s  \d+:\d\d left", live[-1]), live[-1]
P
for columns in 20 80 200; do
    python3 terminal.py $columns C.UTF-8 "$NNC" train net.nn --out "tty$columns" >/dev/null || fail "a terminal of $columns columns"
done
python3 terminal.py 200 C "$NNC" train net.nn --out plain_locale >/dev/null || fail "a terminal without UTF-8"

"$NNC" train net.nn --out run >out.txt || fail "train"
grep -q "$(printf '[\r\033]')" out.txt && fail "control characters in a pipe: $(head -n 3 out.txt)"
[ "$(wc -l <out.txt)" = 42 ] || fail "not a line an epoch: $(cat out.txt)"
grep -q '^pre epoch 1/2  loss [0-9.]*  [0-9]* samples/s  [0-9.]* s$' out.txt || fail "no line of the first block: $(head -n 3 out.txt)"
grep -q '^train 2, epoch 40/40  loss .*  accuracy ' out.txt || fail "no line of the second block: $(tail -n 3 out.txt)"

[ "$(head -n 1 run/log.csv)" = 'block,epoch,step,loss,accuracy,samples_per_s,seconds' ] || fail "header: $(head -n 1 run/log.csv)"
[ "$(wc -l <run/log.csv)" = 43 ] || fail "not a row an epoch: $(wc -l <run/log.csv)"
python3 - <<'P' || fail "log.csv is not what log.jsonl is"
import csv, json
events = [json.loads(l) for l in open("run/log.jsonl")]
epochs = [e for e in events if e["event"] == "epoch"]
rows = list(csv.DictReader(open("run/log.csv")))
assert len(rows) == len(epochs)
for row, e in zip(rows, epochs):
    assert int(row["epoch"]) == e["epoch"] and int(row["step"]) == e["step"]
    assert abs(float(row["loss"]) - e["loss"]) <= 1e-8 * abs(e["loss"])
    assert (row["accuracy"] == "") == ("accuracy" not in e)
assert rows[0]["block"] == "pre" and rows[-1]["block"] == ""
P
finish
