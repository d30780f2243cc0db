"""nnc against other programs, measured in turns on one machine. README.md says what each command measures.

    python3 bench/compare.py COMMAND [options] [workload ...]

Needs numpy and torch, and jax with --jax. The exit status is 1 where nnc is behind (losses: apart).
"""
import argparse
import pathlib
import platform
import re
import sys

import kernels
import losses
import sweep
import system
import train
from tools import Nnc
from workloads import HERE

# name: what measures it, the title of its section in RESULTS.md
COMMANDS = {
    "train": (train.run, "Training"),
    "gemm": (kernels.gemm, "Products of matrices"),
    "adam": (kernels.adam, "Adam on 10 million parameters"),
    "start": (system.start, "From exec to the first step"),
    "memory": (system.memory, "Memory"),
    "busy": (system.busy, "One core kept busy"),
    "losses": (losses.run, "The first losses"),
    "sweep": (sweep.run, "Sizes nobody listed"),
}


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("command", choices=COMMANDS)
    p.add_argument("names", nargs="*", help="workloads (default: all), or the kinds of a sweep")
    p.add_argument("--nnc", default=HERE.parent / "build" / "nnc", type=pathlib.Path)
    p.add_argument("--python", default=sys.executable, help="the interpreter of the peers")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--seconds", type=float, default=1, help="of one measurement")
    p.add_argument("--steps", type=int, default=20, help="of losses")
    p.add_argument("--jax", action="store_true", help="JAX, too")
    p.add_argument("--compile", action="store_true", help="torch.compile, too")
    p.add_argument("--data", help="a folder that keeps the data between runs")
    p.add_argument("--every", type=int, default=1, help="only each n-th point of a sweep")
    p.add_argument("--all", action="store_true", help="every point of a sweep, not only the slow ones")
    p.add_argument("--cpu", help="nnc's --cpu; at x86-64 and x86-64-v3 the peers are held to the same level")
    p.add_argument("--write", action="store_true", help="put the table into RESULTS.md")
    return p.parse_intermixed_args()


def rows_of(text):
    """The lines of a table by their first cell; its head among them."""
    return {line.split("|")[1]: line for line in text.splitlines() if line.startswith("|")}


def with_section(text, title, body):
    """RESULTS.md with this section, in the place of one with its title, whose other rows stay where the tables have one head."""
    parts = re.split(r"(?m)^(?=## )", text)
    at = next((i for i, part in enumerate(parts) if part.startswith(f"## {title}\n")), None)
    old, new = rows_of(parts[at]) if at is not None else {}, rows_of(body)
    if list(old.values())[:2] == list(new.values())[:2]:
        body = body.split("|")[0] + "\n".join({**old, **new}.values())
    section = f"## {title}\n\n{body.strip()}\n\n"
    if at is None:
        parts.append(section)
    else:
        parts[at] = section
    return "".join(parts).rstrip() + "\n"


def title_of(title, args):
    words = [f"{args.threads} thread{'s' * (args.threads > 1)}"] + ([args.cpu] if args.cpu else [])
    return f"{title} ({', '.join(words)})"


def processor():
    names = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text())
    return names.group(1) if names else platform.machine()


def write(title, body):
    path = HERE / "RESULTS.md"
    text = path.read_text() if path.exists() else "# Results\n\n"
    path.write_text(with_section(text, title, body))


def main():
    args = arguments()
    measure, title = COMMANDS[args.command]
    text, behind = measure(args, Nnc(args.nnc, args.threads, args.cpu))
    if args.write:
        write(title_of(title, args), f"{processor()}.\n\n{text}")
    return 1 if behind else 0


if __name__ == "__main__":
    sys.exit(main())
