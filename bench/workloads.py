"""What is trained: sizes, data and first facts of each workload. nn/NAME.nn is nnc's program, peers/ hold the same networks."""
import gzip
import os
import pathlib
import subprocess

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent

# name: batch sizes, samples of the data set, the optimizer, FLOPs of one sample in forward, backward and weight gradients
# together (in millions; the first layer's input has no gradient)
WORKLOADS = {
    "tiny": dict(batches=(32,), rows=65536, optimizer="adam", lr=0.01, mflop=0.0002),
    "mlp": dict(batches=(100, 32, 512), rows=60000, optimizer="adam", lr=1e-3, mflop=1.598),
    "lenet": dict(batches=(64,), rows=60000, optimizer="adam", lr=1e-3, mflop=2.26),
    "cnn": dict(batches=(64,), rows=4096, optimizer="adam", lr=1e-3, mflop=25.7),
    "resnet8": dict(batches=(64,), rows=2048, optimizer="sgd", lr=0.1, mflop=74.1),
    "resnet20": dict(batches=(64,), rows=1024, optimizer="sgd", lr=0.1, mflop=244.0),
    "lstm": dict(batches=(32,), rows=512, optimizer="adam", lr=1e-3, mflop=135.0),
    "gpt": dict(batches=(16,), rows=512, optimizer="adamw", lr=1e-3, mflop=714.0),
}
VOCABULARY = 96
TEXT = {"lstm": 64, "gpt": 128}  # characters of a sample


def fashion_folder():
    """Where the Fashion-MNIST files are: NNC_DATA, else where Debian's package puts them."""
    if "NNC_DATA" in os.environ:
        return pathlib.Path(os.environ["NNC_DATA"])
    files = subprocess.run(["dpkg", "-L", "dataset-fashion-mnist"], capture_output=True, text=True, check=True).stdout
    return pathlib.Path(next(f for f in files.split() if f.endswith("train-images-idx3-ubyte.gz"))).parent


def fashion():
    """Images [60000, 28, 28] of bytes and labels."""
    folder = fashion_folder()
    with gzip.open(folder / "train-images-idx3-ubyte.gz") as f:
        images = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(folder / "train-labels-idx1-ubyte.gz") as f:
        return images, np.frombuffer(f.read(), np.uint8, offset=8).astype(np.int32)


def pictures(n, size=32, channels=3, classes=10, seed=0):
    """Pictures of a class are one pattern and noise: [n, size, size, channels]."""
    rng = np.random.default_rng(seed)
    patterns = rng.standard_normal((classes, size, size, channels), dtype=np.float32)
    labels = rng.integers(0, classes, n).astype(np.int32)
    return patterns[labels] / 2 + rng.standard_normal((n, size, size, channels), dtype=np.float32), labels


def points(n, seed=0):
    """Points of the plane, and whether each lies inside of a circle."""
    x = np.random.default_rng(seed).uniform(-1, 1, (n, 2)).astype(np.float32)
    return x, (np.square(x).sum(1, keepdims=True) < 0.6).astype(np.float32)


def chains(n, length, vocabulary=VOCABULARY, seed=0):
    """Text in which one of four characters follows each: the characters and those one further."""
    rng = np.random.default_rng(seed)
    follows = rng.integers(0, vocabulary, (vocabulary, 4))
    ids = np.empty((n, length + 1), np.int32)
    ids[:, 0] = rng.integers(0, vocabulary, n)
    for t in range(length):
        ids[:, t + 1] = follows[ids[:, t], rng.integers(0, 4, n)]
    return ids[:, :-1].copy(), ids[:, 1:].copy()


def arrays(name):
    rows = WORKLOADS[name]["rows"]
    if name in ("mlp", "lenet"):
        return fashion()
    if name == "tiny":
        return points(rows)
    if name in TEXT:
        return chains(rows, TEXT[name])
    return pictures(rows)


def write_data(name, folder):
    """Puts the workload's arrays into `folder` as x.npy and y.npy; the folder that nnc's program reads."""
    if not (folder / "x.npy").exists():
        x, y = arrays(name)
        np.save(folder / "x.npy", x)
        np.save(folder / "y.npy", y)
    return fashion_folder() if name in ("mlp", "lenet") else folder


# ---- the order of samples in an epoch of nnc, which is a pure function of the seed (runtime/random.h) ----

def threefry(key, counter):
    """Threefry-2x32 with 20 rounds; `counter` is a pair of arrays of uint32."""
    turns = (13, 15, 26, 6, 17, 29, 16, 24)
    keys = [np.uint32(key[0]), np.uint32(key[1]), np.uint32(0x1BD11BDA ^ int(key[0]) ^ int(key[1]))]
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for r in range(20):
        x = x + y
        y = (y << np.uint32(turns[r % 8]) | y >> np.uint32(32 - turns[r % 8])) ^ x
        if r % 4 == 3:
            n = r // 4 + 1
            x, y = x + keys[n % 3], y + keys[(n + 1) % 3] + np.uint32(n)
    return x, y


def shuffled(n, seed, epoch):
    """The order of rows in an epoch; epochs count from 0."""
    with np.errstate(over="ignore"):
        one = np.zeros(1, np.uint32)
        a, b = threefry((seed, 0), (one + np.uint32(epoch), one))
        i = np.arange(n, dtype=np.uint32)
        low, high = threefry((a[0], b[0]), (i, np.zeros(n, np.uint32)))
    bound = i.astype(np.uint64) + np.uint64(1)
    other = (high * bound + (low * bound >> np.uint64(32))) >> np.uint64(32)
    rows = np.arange(n)
    for k in range(n - 1, 0, -1):
        j = int(other[k])
        rows[k], rows[j] = rows[j], rows[k]
    return rows
