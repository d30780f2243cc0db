"""The losses of the first steps from the same weights over the same batches, in nnc and in PyTorch.

In f64 the two must agree. In f32 a training run multiplies rounding errors, some by a million in twenty steps: there nnc must stay
as near to the losses in f64 as PyTorch does with one or the other layout of pictures, and so one or the other order of sums.
"""
import pathlib
import tempfile

from tools import Data, Peer, say, table
from workloads import HERE, WORKLOADS

TOLERANCE = 1e-5


def program_with_weights(name, folder):
    """The workload's program, which begins with the weights of a file."""
    text = (HERE / "nn" / f"{name}.nn").read_text()
    model = next(line.split()[1].split("(")[0] for line in text.splitlines() if line.startswith("model "))
    path = folder / f"{name}.nn"
    path.write_text(text.replace("train {", f'train {{\n    load {model} from "first.safetensors"', 1))
    return path


def apart(ours, theirs):
    """By how much the losses up to each step differ."""
    worst, so_far = 0, []
    for a, b in zip(ours, theirs, strict=True):
        worst = max(worst, abs(a - b))
        so_far.append(worst)
    return so_far


class Start:
    """A workload's data and first weights."""

    def __init__(self, nnc, peer, name, data, folder, steps):
        self.nnc, self.peer, self.name, self.data, self.steps = nnc, peer, name, data, steps
        self.batch, self.folder = WORKLOADS[name]["batches"][0], pathlib.Path(folder)

    def theirs(self, **how):
        return self.peer.ask("losses", workload=self.name, folder=str(self.data.folder), batch=self.batch, steps=self.steps,
                             weights=str(self.folder / "first.safetensors"), **how)["losses"]

    def ours(self, float_type):
        program = program_with_weights(self.name, self.folder)
        events = self.nnc.events("train", program, "--data", self.data.for_nnc, "--batch", self.batch, "--steps", self.steps,
                                 "--epochs", self.steps, "--log-every", 1, "--seed", 0, "--float", float_type,
                                 "--out", self.folder / float_type)
        return [e["loss"] for e in events if e["event"] == "step"]


def compare(start):
    """Whether all is well; how far the losses are apart in f64; in f32 how far nnc and PyTorch are from PyTorch's in f64; the
    steps in f32 that are within the tolerance."""
    exact = start.theirs(double=True)
    double = apart(start.ours("f64"), exact)
    ours, theirs = start.ours("f32"), start.theirs()
    off, peer_off = apart(ours, exact), [max(a, b) for a, b in zip(apart(theirs, exact), apart(start.theirs(channels_last=True), exact))]
    steps = sum(a <= TOLERANCE for a in apart(ours, theirs))
    good = double[-1] <= TOLERANCE and all(a <= max(TOLERANCE, 30 * b) for a, b in zip(off, peer_off))
    return good, double[-1], off[-1], peer_off[-1], steps


def run(args, nnc):
    peer = Peer(args.python, "pytorch.py", "eager", args.threads, args.cpu)
    rows, failed = [], 0
    for name in args.names or WORKLOADS:
        with Data(name, args.data) as data, tempfile.TemporaryDirectory() as folder:
            good, double, ours, theirs, steps = compare(Start(nnc, peer, name, data, folder, args.steps))
        failed += not good
        rows.append((name, "ok" if good else "APART", f"{double:.0e}", f"{steps} of {args.steps}", f"{ours:.0e}", f"{theirs:.0e}"))
        say("  ".join(rows[-1]))
    peer.close()
    head = ("workload", "", "f64: nnc and PyTorch", f"f32: steps within {TOLERANCE:g}", "f32: nnc and f64", "f32: PyTorch and f64")
    return table(head, rows), failed
