"""Single kernels: products of matrices, and the update of Adam by itself."""
import pathlib
import tempfile

import numpy as np

from tools import Peer, say, short, table

SQUARES = (64, 128, 256, 512, 1024, 2048)
# (title, the product in .nn, shapes in .nn, m, n, k, whether the factors are transposed)
SHAPES = [(f"{n} x {n} x {n}", "a @ b", (n, n), (n, n), n, n, n, False, False) for n in SQUARES] + [
    ("100 x 784 x 500: x w", "a @ b", (100, 784), (784, 500), 100, 500, 784, False, False),
    ("its dw: xT g", "transpose(a) @ b", (100, 784), (100, 500), 784, 500, 100, True, False),
    ("its dx: g wT", "a @ transpose(b)", (100, 500), (784, 500), 100, 784, 500, False, True),
]


def gemm(args, nnc):
    """GFLOP/s of nnc, of oneDNN and MKL as PyTorch uses them, and of OpenBLAS as NumPy does."""
    peer = Peer(args.python, "pytorch.py", "eager", args.threads, args.cpu)
    rows, slower = [], 0
    with tempfile.TemporaryDirectory() as folder:
        for title, product, a, b, m, n, k, ta, tb in SHAPES:
            program = pathlib.Path(folder) / "product.nn"
            program.write_text(f"export fn product(a: {list(a)}, b: {list(b)}) = {product}\n")
            how = dict(m=m, n=n, k=k, ta=ta, tb=tb, seconds=args.seconds / 2)
            before = [peer.ask(f, **how)["gflops"] for f in ("gemm", "numpy_gemm")]
            ours = 2e-9 * m * n * k / nnc.events("bench", program)[0]["seconds"]
            theirs = [max(x, peer.ask(f, **how)["gflops"]) for x, f in zip(before, ("gemm", "numpy_gemm"))]
            slower += ours < max(theirs)
            rows.append((title, short(ours), *map(short, theirs), f"{ours / max(theirs):.2f}"))
            say("  ".join(rows[-1]))
    peer.close()
    return table(("m x k x n", "nnc, GFLOP/s", "PyTorch", "NumPy (OpenBLAS)", "ratio to the better"), rows), slower


FLOATS = 10_000_000
ADAM = """data gradients = npy("x.npy")
model far(x: [N, {n}]) -> [] {{
    param p: [{n}] = 0
    return sum(x[0] * p)
}}
train {{
    batch = 1
    for x in gradients {{
        minimize far(x) using Adam(lr = 1e-3)
    }}
}}
"""


def adam(args, nnc):
    """GB/s of updating 10 million parameters whose gradient lies in memory: p, g, m and v are read, p, m and v written."""
    peer = Peer(args.python, "pytorch.py", "eager", args.threads, args.cpu)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "adam.nn").write_text(ADAM.format(n=FLOATS))
        np.save(folder / "x.npy", np.full((1, FLOATS), 0.01, np.float32))
        theirs = peer.ask("adam", parameters=FLOATS, seconds=args.seconds)["gb"]
        kernels = nnc.events("bench", folder / "adam.nn")[0]["kernels"]
        theirs = max(theirs, peer.ask("adam", parameters=FLOATS, seconds=args.seconds)["gb"])
        copy = peer.ask("copy", floats=FLOATS, seconds=args.seconds)["gb"]
    peer.close()
    update = max((k for k in kernels if "adam.nn" in k["at"]), key=lambda k: k["bytes"])
    ours = update["bytes"] / 1e9 / update["seconds"]
    text = table(("", "GB/s"), [("nnc", short(ours)), ("PyTorch, fused Adam", short(theirs)), ("memcpy", short(copy))])
    say(text)
    return text, ours < theirs
