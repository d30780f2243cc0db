"""Training throughput: samples a second of nnc and of the peers, in turns; the median of the rounds."""
import statistics
import tempfile

from tools import Data, Peer, peak, say, short, table, warn
from workloads import HERE, WORKLOADS

PICTURES = ("lenet", "cnn", "resnet8", "resnet20")
FASTER = ("mlp", "tiny")  # whose steps are short


def peers_of(name, args):
    """(how it is called, file, mode, arguments of load)"""
    peers = [("PyTorch", "pytorch.py", "eager", {})]
    if name in PICTURES:
        peers.append(("PyTorch, channels last", "pytorch.py", "eager", {"channels_last": True}))
    if args.compile:
        peers.append(("PyTorch, compiled", "pytorch.py", "compile", {}))
    if args.jax:
        peers.append(("JAX", "jax_scan.py", "scan", {}))
    return peers


def start_peers(name, batch, data, args):
    ready = {}
    for title, file, mode, how in peers_of(name, args):
        peer = Peer(args.python, file, mode, args.threads, args.cpu)
        try:
            peer.ask("load", workload=name, folder=str(data.folder), batch=batch, **how)
            peer.ask("train", seconds=0.1)
            ready[title] = peer
        except RuntimeError as e:
            warn(f"{title} on {name}: {e}")
    return ready


def measure(name, batch, nnc, args):
    """The rates of each by title, in rounds."""
    with Data(name, args.data) as data, tempfile.TemporaryDirectory() as out:
        peers = start_peers(name, batch, data, args)
        rates = {title: [] for title in ("nnc", *peers)}
        epoch = WORKLOADS[name]["rows"]
        guess = nnc.train(HERE / "nn" / f"{name}.nn", data.for_nnc, batch, 2, out)["rate"]
        epochs = 1 + max(2, round(args.seconds * guess / epoch))
        for _ in range(args.rounds):
            rates["nnc"].append(nnc.train(HERE / "nn" / f"{name}.nn", data.for_nnc, batch, epochs, out)["rate"])
            for title, peer in peers.items():
                rates[title].append(peer.ask("train", seconds=args.seconds)["rate"])
        for peer in peers.values():
            peer.close()
    return rates


def run(args, nnc):
    top, rows, failed = peak(nnc), [], 0
    for name in args.names or WORKLOADS:
        for batch in WORKLOADS[name]["batches"]:
            rates = measure(name, batch, nnc, args)
            median = {title: statistics.median(r) for title, r in rates.items()}
            ours = median.pop("nnc")
            best = max(median, key=median.get)
            spread = (max(rates["nnc"]) - min(rates["nnc"])) / ours
            share = ours * WORKLOADS[name]["mflop"] / 1e3 / top
            failed += ours < median[best]
            rows.append((f"{name}, {batch}", short(ours), f"{spread:.0%}", short(median[best]), best, f"{ours / median[best]:.2f}",
                         f"{share:.0%}"))
            say("  ".join(rows[-1]))
    text = table(("workload, batch", "nnc, samples/s", "spread", "best peer, samples/s", "peer", "ratio", "of peak"), rows)
    return text, failed
