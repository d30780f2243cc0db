"""What the measurements share: running nnc, peers that answer requests, tables."""
import functools
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

from workloads import HERE, write_data

# what holds the peers' libraries to a level of nnc's --cpu; at x86-64 see `held_mkl`, too
LEVELS = {
    "x86-64": dict(ATEN_CPU_CAPABILITY="default", ONEDNN_MAX_CPU_ISA="SSE41", MKL_ENABLE_INSTRUCTIONS="SSE4_2",
                   XLA_FLAGS="--xla_cpu_max_isa=SSE4_2", OPENBLAS_CORETYPE="Nehalem"),
    "x86-64-v3": dict(ATEN_CPU_CAPABILITY="avx2", ONEDNN_MAX_CPU_ISA="AVX2", MKL_ENABLE_INSTRUCTIONS="AVX2",
                      XLA_FLAGS="--xla_cpu_max_isa=AVX2", OPENBLAS_CORETYPE="Haswell"),
}


@functools.cache
def shim_folder():
    return tempfile.TemporaryDirectory()


def held_mkl():
    """MKL honours MKL_ENABLE_INSTRUCTIONS on Intel's processors alone; on others it runs kernels for AVX2. A library loaded before
    it says that this is one: products then take its kernels for SSE4.2. Where no compiler is at hand, its slower ones for SSE2."""
    source, library = (pathlib.Path(shim_folder().name) / name for name in ("intel.c", "intel.so"))
    source.write_text("int mkl_serv_intel_cpu_true(void) { return 1; }\n")
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
    except (OSError, subprocess.CalledProcessError):
        return {"MKL_CBWR": "COMPATIBLE"}
    return {"LD_PRELOAD": " ".join(filter(None, (os.environ.get("LD_PRELOAD"), str(library))))}


def environment(threads, cpu=None):
    t = str(threads)
    return {**os.environ, "PYTHONWARNINGS": "ignore", "OMP_NUM_THREADS": t, "OPENBLAS_NUM_THREADS": t, "MKL_NUM_THREADS": t,
            **LEVELS.get(cpu, {}), **(held_mkl() if cpu == "x86-64" else {})}


class Nnc:
    """The program, with the flags of this comparison."""

    def __init__(self, path, threads, cpu=None):
        self.path, self.threads, self.cpu = str(path), threads, cpu

    def command(self, *arguments):
        cpu = ["--cpu", self.cpu] if self.cpu else []
        return [self.path, *map(str, arguments), "--threads", str(self.threads), *cpu]

    def events(self, *arguments):
        """The lines of JSON that a command prints."""
        run = subprocess.run(self.command(*arguments, "--json"), capture_output=True, text=True)
        if run.returncode:
            raise RuntimeError(run.stderr.strip()[-500:])
        return [json.loads(line) for line in run.stdout.splitlines()]

    def train(self, program, data, batch, epochs, out):
        """Samples a second of the training loop, the median of the epochs after the first; peak bytes; the first loss."""
        events = self.events("train", program, "--data", data, "--batch", batch, "--epochs", epochs, "--out", out)
        rates = [e["samples_per_s"] for e in events if e["event"] == "epoch"]
        return {"rate": statistics.median(rates[1:] or rates), "peak_mb": events[-1]["peak_bytes"] / 2**20}


class Peer:
    """A process that answers requests: peers/FILE MODE THREADS. One that dies is started anew by the next request."""

    def __init__(self, python, file, mode, threads, cpu=None):
        self.command = [python, HERE / "peers" / file, mode, str(threads)]
        if threads == 1 and file.startswith("jax"):  # takes as many threads as it may use processors
            self.command = ["taskset", "-c", "1", *self.command]
        self.environment, self.process = environment(threads, cpu), None

    def ask(self, do, **arguments):
        if not self.process:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                            stderr=subprocess.PIPE, env=self.environment)
        self.process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            why = self.process.stderr.read().strip()[-500:]
            self.process = None
            raise RuntimeError(why)
        return json.loads(line)

    def close(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()


class Data:
    """A folder with the arrays of a workload for as long as it is needed."""

    def __init__(self, name, keep=None):
        self.name, self.own = name, None if keep else tempfile.TemporaryDirectory()
        self.folder = pathlib.Path(keep) / name if keep else pathlib.Path(self.own.name)

    def __enter__(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.for_nnc = write_data(self.name, self.folder)
        return self

    def __exit__(self, *_):
        if self.own:
            self.own.cleanup()


def peak(nnc):
    """GFLOP/s of nnc's threads when they do nothing but multiply-adds, as it measures them."""
    with tempfile.TemporaryDirectory() as folder:
        program = pathlib.Path(folder) / "one.nn"
        program.write_text("export fn one(x: [64]) = x + 1\n")
        return nnc.events("bench", program)[0]["peak_gflop_per_s"]


def table(head, rows):
    """Markdown."""
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(map(str, row)) + " |" for row in rows]) + "\n"


def short(x):
    return f"{x:,.0f}" if x >= 100 else f"{x:.3g}"


def say(text):
    print(text, flush=True)


def warn(text):
    print(text, file=sys.stderr, flush=True)
