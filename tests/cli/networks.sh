#!/bin/sh
# The networks of ../shared/bench/nn train as they stand, on data made here: their losses fall. NNC_BENCH names another folder.
. "$SOURCE/tests/cli/lib.sh"
nets=${NNC_BENCH:-$SOURCE/../shared/bench/nn}
[ -d "$nets" ] || { echo "skipped: no $nets"; exit 0; }
python3 - <<'P' || fail "python"
import random, struct

def npy(path, descr, shape, data):
    header = "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }" % (descr, "".join("%d, " % n for n in shape))
    header += " " * ((64 - (11 + len(header)) % 64) % 64) + "\n"
    open(path, "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)

random.seed(1)
# a ring: inside or outside of a circle
points = [(random.uniform(-1, 1), random.uniform(-1, 1)) for _ in range(4096)]
npy("tiny_x.npy", "<f4", (4096, 2), b"".join(struct.pack("<2f", *p) for p in points))
npy("tiny_y.npy", "<f4", (4096, 1), b"".join(struct.pack("<f", x * x + y * y < 0.5) for x, y in points))
# images with a bright bar whose place is the class
n, pixels, labels = 256, bytearray(), []
for i in range(n):
    k = i * 7 % 10
    labels.append(k)
    for y in range(32):
        for x in range(32):
            v = 1.0 if 3 * k <= x < 3 * k + 3 else 0.0
            pixels += struct.pack("<3f", *(v + random.gauss(0, 0.3) for _ in range(3)))
npy("images_x.npy", "<f4", (n, 32, 32, 3), bytes(pixels))
npy("images_y.npy", "<i4", (n,), struct.pack("<%di" % n, *labels))
# grey images of the shape of Fashion-MNIST
n = 512
images = bytearray(min(255, max(0, int((200 if 2 * (i % 10) <= x < 2 * (i % 10) + 4 else 30) + random.gauss(0, 20))))
                   for i in range(n) for y in range(28) for x in range(28))
for stem in ("train", "t10k"):
    open(stem + "-images-idx3-ubyte.gz", "wb").write(struct.pack(">4B3I", 0, 0, 8, 3, n, 28, 28) + images)
    open(stem + "-labels-idx1-ubyte.gz", "wb").write(struct.pack(">4BI", 0, 0, 8, 1, n) + bytes(i % 10 for i in range(n)))
P
for net in tiny mlp lenet cnn resnet8; do
    epochs=6
    [ $net = tiny ] && epochs=20
    "$NNC" train "$nets/$net.nn" --json --data . --epochs $epochs >events.txt || fail "train $net"
    first=$(grep '"epoch"' events.txt | head -n 1 | value loss)
    last=$(grep '"event":"epoch"' events.txt | value loss)
    echo "$net: loss $first -> $last"
    awk "BEGIN { exit !($last < 0.6 * $first) }" || fail "$net: the loss does not fall: $first, then $last"
done
finish
