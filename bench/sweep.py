"""A grid of sizes that no workload has, against PyTorch: every point where nnc is slower than it should be."""
import itertools
import pathlib
import tempfile

import numpy as np

from tools import Peer, say, warn

ENOUGH = 0.9

# kind: the grid, and the program with sizes in braces
GRIDS = {
    "dense": dict(inputs=(1, 7, 64, 500, 1000, 4096), units=(1, 3, 10, 33, 100, 512, 1000, 4096), batch=(1, 3, 32, 100, 1024)),
    "conv": dict(channels=(1, 3, 16, 33, 64), filters=(1, 8, 16, 33, 64, 128), kernel=(1, 3, 5), stride=(1, 2), size=(7, 14, 32),
                 batch=(1, 16, 64)),
    "lstm_point": dict(inputs=(8, 64), units=(16, 100, 256), length=(1, 8, 64, 256), batch=(1, 32)),
    "gru_point": dict(inputs=(8, 64), units=(16, 100, 256), length=(1, 8, 64), batch=(1, 32)),
    "attention": dict(width=(16, 64, 192), heads=(1, 4), length=(8, 50, 128, 512), batch=(1, 16)),
}
TOP = 2e9  # multiply-adds of one step at most
PROGRAM = """data d = zip(npy("x.npy"), npy("y.npy"))
{declarations}
train {{
    batch = {batch}
    for (x, y) in d {{
        minimize cross_entropy(net(x), y) using Adam(lr = 1e-3)
    }}
}}
"""
MODELS = {
    "dense": "model net(x: [N, {inputs}]) -> [N, 10] = x |> Dense({units}, relu) |> Dense(10)",
    "conv": "model net(x: [N, {size}, {size}, {channels}]) -> [N, 10] = x |> Conv2d({filters}, {kernel}, stride = {stride}, "
            "padding = {half}, activation = relu) |> Conv2d({filters}, {kernel}, padding = {half}, activation = relu) "
            "|> GlobalAvgPool() |> Dense(10)",
    "lstm_point": "model net(x: [N, {length}, {inputs}]) -> [N, 10] = Dense(10)(LSTM({units})(x)[:, -1])",
    "gru_point": "model net(x: [N, {length}, {inputs}]) -> [N, 10] = Dense(10)(GRU({units})(x)[:, -1])",
    "attention": "model net(x: [N, {length}, {width}]) -> [N, 10] = Dense(10)(mean(LayerNorm()(x + "
                 "Attention({heads}, causal = true)(x)), axis = 1))",
}


def work(kind, p):
    """Multiply-adds of the forward pass of one batch, about."""
    if kind == "dense":
        return p["batch"] * p["units"] * (p["inputs"] + 10)
    if kind == "conv":
        places = (p["size"] / p["stride"]) ** 2 * p["kernel"] ** 2
        return p["batch"] * places * p["filters"] * (p["channels"] + p["filters"])
    if kind == "attention":
        return p["batch"] * p["length"] * p["width"] * (4 * p["width"] + 2 * p["length"])
    return p["batch"] * p["length"] * 4 * p["units"] * (p["inputs"] + p["units"])


def points(kind, every):
    grid = GRIDS[kind]
    all_of = [dict(zip(grid, values)) for values in itertools.product(*grid.values())]
    return [p for p in all_of if work(kind, p) * 3 <= TOP][::every]


def sample_shape(kind, p):
    if kind == "dense":
        return (p["inputs"],)
    if kind == "conv":
        return (p["size"], p["size"], p["channels"])
    return (p["length"], p["width" if kind == "attention" else "inputs"])


class Point:
    """One point's data and program in a folder of its own."""

    def __init__(self, kind, p, folder):
        self.kind, self.p, self.folder = kind, p, pathlib.Path(folder)
        sizes = {**p, "half": p.get("kernel", 0) // 2}
        declarations = MODELS[kind].format(**sizes)
        (self.folder / "net.nn").write_text(PROGRAM.format(declarations=declarations, batch=p["batch"]))
        self.write(4)

    def write(self, batches):
        """So many batches of random numbers."""
        n = self.p["batch"] * batches
        rng = np.random.default_rng(1)
        np.save(self.folder / "x.npy", rng.standard_normal((n, *sample_shape(self.kind, self.p)), dtype=np.float32))
        np.save(self.folder / "y.npy", rng.integers(0, 10, n).astype(np.int32))

    def theirs(self, peer, seconds, layouts):
        """The best rate of the layouts; 0 where PyTorch ends in an error, as it does with some convolutions."""
        best = 0
        for channels_last in layouts:
            try:
                peer.ask("point", kind=self.kind, folder=str(self.folder), channels_last=channels_last, **self.p)
                best = max(best, peer.ask("train", seconds=seconds)["rate"])
            except RuntimeError as e:
                warn(f"PyTorch: {self.kind} {self.p}: {e}")
        return best

    def ours(self, nnc, epochs):
        return nnc.train(self.folder / "net.nn", self.folder, self.p["batch"], epochs, self.folder / "run")["rate"]


def measure(kind, p, nnc, peer, args):
    """Both rates, the best of the rounds of each, as disturbances only make slower; zeros where PyTorch has none."""
    layouts = (False, True) if p.get("channels", 1) > 1 else (False,)  # of one channel the two are the same
    with tempfile.TemporaryDirectory() as folder:
        point = Point(kind, p, folder)
        theirs = point.theirs(peer, args.seconds, layouts)
        if not theirs:
            return 0, 0
        batches = max(4, min(int(args.seconds * theirs / p["batch"]), 2000, 40_000_000 // (p["batch"] * np.prod(sample_shape(kind, p)))))
        point.write(int(batches))
        ours = 0
        for _ in range(args.rounds):
            ours = max(ours, point.ours(nnc, 3))
            if ours >= theirs:
                break
            theirs = max(theirs, point.theirs(peer, args.seconds, layouts))
    return ours, theirs


def run(args, nnc):
    peer = Peer(args.python, "pytorch.py", "eager", args.threads, args.cpu)
    ratios, slow, alone = [], [], 0
    for kind in args.names or GRIDS:
        for p in points(kind, args.every):
            name = kind.removesuffix("_point") + " " + " ".join(f"{k} {v}" for k, v in p.items())
            try:
                ours, theirs = measure(kind, p, nnc, peer, args)
            except RuntimeError as e:
                warn(f"{name}: {e}")
                slow.append(f"{name}: failed")
                continue
            if not theirs:
                alone += 1
                continue
            ratios.append(ours / theirs)
            if ratios[-1] < ENOUGH:
                slow.append(f"{name}: {ratios[-1]:.2f} ({ours:,.0f} and {theirs:,.0f} samples/s)")
                say(slow[-1])
            elif args.all:
                say(f"{name}: {ratios[-1]:.2f}")
    peer.close()
    text = f"{len(ratios)} points, {len(slow)} below {ENOUGH}; the median ratio is {np.median(ratios):.2f}, the least {min(ratios):.2f}" + (
        f"; {alone} where PyTorch ends in an error.\n" if alone else ".\n")
    say(text)
    return text + "".join(f"\n- {line}" for line in slow) + "\n" * bool(slow), len(slow)
