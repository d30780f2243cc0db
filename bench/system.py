"""What a run costs beside its steps: the way to the first step, memory, and a core that something else keeps busy."""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

from tools import Data, Peer, say, short, table
from workloads import HERE, WORKLOADS

STARTED = ("mlp", "gpt", "resnet20")


def first_step_of_nnc(nnc, name, data, cache):
    """Seconds from exec to the first step's event."""
    with tempfile.TemporaryDirectory() as out:
        command = nnc.command("train", HERE / "nn" / f"{name}.nn", "--data", data.for_nnc, "--batch", WORKLOADS[name]["batches"][0],
                              "--steps", 1, "--log-every", 1, "--out", out, "--json")
        start = time.perf_counter()
        run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, "NNC_CACHE": str(cache)})
        while '"step"' not in (line := run.stdout.readline()) and line:
            pass
        took = time.perf_counter() - start
        run.communicate()
    return took


def first_step_of_peer(args, name, data, file, mode, cache):
    """From exec, too: imports, the data, the network, the first step."""
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(cache)
    peer = Peer(args.python, file, mode, args.threads, args.cpu)
    start = time.perf_counter()
    peer.ask("load", workload=name, folder=str(data.folder), batch=WORKLOADS[name]["batches"][0])
    took = time.perf_counter() - start
    peer.close()
    return took


def start(args, nnc):
    rows, slower = [], 0
    for name in args.names or STARTED:
        with Data(name, args.data) as data, tempfile.TemporaryDirectory() as cache:
            cache = pathlib.Path(cache)
            cold = statistics.median(first_step_of_nnc(nnc, name, data, cache / str(i)) for i in range(args.rounds))
            warm = statistics.median(first_step_of_nnc(nnc, name, data, cache / "0") for _ in range(args.rounds))
            peers = {"PyTorch": first_step_of_peer(args, name, data, "pytorch.py", "eager", cache)}
            if args.compile:
                for when in ("cold", "warm"):
                    peers["compiled, " + when] = first_step_of_peer(args, name, data, "pytorch.py", "compile", cache / "torch")
            if args.jax:
                peers["JAX"] = first_step_of_peer(args, name, data, "jax_scan.py", "scan", cache)
        slower += cold > min(peers.values())
        rows.append((name, f"{cold:.2f}", f"{warm:.2f}", *(f"{p}: {s:.2f}" for p, s in peers.items())))
        say("  ".join(rows[-1]))
    head = ("workload", "nnc cold, s", "nnc warm, s", *["peers, s"] * (len(rows[0]) - 3))
    return table(head, rows), slower


def memory(args, nnc):
    """The most memory that a process has had after some steps, and of nnc the arena, known before it runs."""
    rows, slower = [], 0
    for name in args.names or WORKLOADS:
        batch = WORKLOADS[name]["batches"][0]
        with Data(name, args.data) as data, tempfile.TemporaryDirectory() as out:
            program = HERE / "nn" / f"{name}.nn"
            ours = nnc.events("train", program, "--data", data.for_nnc, "--batch", batch, "--steps", 20, "--out", out)[-1]
            theirs = {}
            for title, file, mode in [("PyTorch", "pytorch.py", "eager")] + [("JAX", "jax_scan.py", "scan")] * args.jax:
                peer = Peer(args.python, file, mode, args.threads, args.cpu)
                peer.ask("load", workload=name, folder=str(data.folder), batch=batch)
                peer.ask("train", seconds=0.2)
                theirs[title] = peer.ask("memory")["peak_mb"]
                peer.close()
        mb = ours["peak_bytes"] / 2**20
        slower += mb > min(theirs.values())
        rows.append((name, f"{mb:.0f}", *(f"{v:.0f}" for v in theirs.values())))
        say("  ".join(rows[-1]))
    return table(("workload", "nnc, MiB", *theirs), rows), slower


SPIN = "while True: pass"


def busy(args, nnc):
    """Samples a second while another process keeps one core busy, as a share of those on a quiet machine."""
    rows, slower = [], 0
    for name in args.names or ("mlp", "resnet8", "gpt"):
        batch = WORKLOADS[name]["batches"][0]
        with Data(name, args.data) as data, tempfile.TemporaryDirectory() as out:
            peer = Peer(args.python, "pytorch.py", "eager", args.threads, args.cpu)
            peer.ask("load", workload=name, folder=str(data.folder), batch=batch)
            rates = {}
            for when in ("quiet", "busy"):
                spinner = subprocess.Popen([sys.executable, "-c", SPIN]) if when == "busy" else None
                rates[when] = (nnc.train(HERE / "nn" / f"{name}.nn", data.for_nnc, batch, 4, out)["rate"],
                               peer.ask("train", seconds=args.seconds)["rate"])
                if spinner:
                    spinner.kill()
                    spinner.wait()
            peer.close()
        kept = [b / q for b, q in zip(rates["busy"], rates["quiet"])]
        slower += kept[0] < kept[1]
        rows.append((name, short(rates["quiet"][0]), f"{kept[0]:.0%}", short(rates["quiet"][1]), f"{kept[1]:.0%}",
                     f"{rates['busy'][0] / rates['busy'][1]:.2f}"))
        say("  ".join(rows[-1]))
    head = ("workload", "nnc, samples/s", "kept when busy", "PyTorch, samples/s", "kept when busy", "ratio when busy")
    return table(head, rows), slower
