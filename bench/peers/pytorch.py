"""PyTorch as a peer: reads one request a line on stdin, answers one line of JSON. See `serve` for the requests.

    python3 peers/pytorch.py MODE THREADS

MODE: eager (fused optimizers; pictures in the channels-last layout where `channels_last`), compile (torch.compile of the network).
"""
import json
import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

import networks
import points
import safetensors_file
from workloads import WORKLOADS, shuffled


def images_first(x):
    """[n, h, w, c] -> [n, c, h, w], which in PyTorch is the logical order whatever the memory's."""
    return x.permute(0, 3, 1, 2)


def inputs(workload, folder):
    """The data set as the network takes it."""
    x, y = (torch.from_numpy(np.load(pathlib.Path(folder) / f)) for f in ("x.npy", "y.npy"))
    if workload == "mlp":
        x = x.flatten(1).float() / 255
    elif workload == "lenet":
        x = x.unsqueeze(1).float() / 255
    elif x.dim() == 4:
        x = images_first(x)
    return (x.long() if x.dtype == torch.int32 else x), (y.long() if y.dtype == torch.int32 else y)


def loss_of(net, x, y):
    z = net(x)
    if y.is_floating_point():
        return F.binary_cross_entropy_with_logits(z, y)
    return F.cross_entropy(z.flatten(0, -2), y.flatten())


def optimizer(facts, parameters):
    parameters = [p for p in parameters if p.requires_grad]
    if facts["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, lr=facts["lr"], momentum=0.9, fused=True)
    if facts["optimizer"] == "adamw":
        return torch.optim.AdamW(parameters, lr=facts["lr"], weight_decay=0.01, fused=True)
    return torch.optim.Adam(parameters, lr=facts["lr"], fused=True)


class Training:
    """A network in training on a data set in memory, in epochs of shuffled batches."""

    def __init__(self, net, facts, x, y, batch, mode, channels_last):
        if channels_last and x.dim() == 4:
            net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
        elif x.dim() == 4:
            x = x.contiguous()
        self.net = torch.compile(net) if mode == "compile" else net
        self.opt = optimizer(facts, net.parameters())
        self.x, self.y, self.batch, self.rows = x, y, batch, iter(())

    def step(self, rows):
        loss = loss_of(self.net, self.x[rows], self.y[rows])
        self.opt.zero_grad(set_to_none=True)
        loss.backward()
        self.opt.step()
        return loss

    def next(self):
        rows = next(self.rows, None)
        if rows is None or len(rows) < self.batch:
            self.rows = iter(torch.randperm(len(self.x)).split(self.batch))
            rows = next(self.rows)
        return self.step(rows)


def rate(run, units, seconds):
    """Units a second of a call that does `units`: after one for warmth, calls for about `seconds`, in one go."""
    run()
    n = 1
    while True:
        start = time.perf_counter()
        for _ in range(n):
            run()
        took = time.perf_counter() - start
        if took >= seconds / 2:
            return n * units / took
        n = max(2 * n, int(n * 0.8 * seconds / max(took, 1e-9)))


class Peer:
    def __init__(self, mode):
        self.mode, self.training = mode, None

    def load(self, workload, folder, batch, channels_last=False):
        """Makes the network and its data; how long the first step took."""
        torch.manual_seed(1)
        x, y = inputs(workload, folder)
        facts = WORKLOADS[workload]
        self.training = Training(networks.NETWORKS[workload](), facts, x, y, batch, self.mode, channels_last)
        start = time.perf_counter()
        self.training.next().item()
        return {"first_step": time.perf_counter() - start}

    def point(self, kind, folder, batch, channels_last=False, **sizes):
        """The same for a point of a sweep."""
        torch.manual_seed(1)
        x, y = inputs(kind, folder)
        facts = dict(optimizer="adam", lr=1e-3)
        self.training = Training(points.NETWORKS[kind](**sizes), facts, x, y, batch, self.mode, channels_last)
        self.training.next()
        return {}

    def train(self, seconds):
        """Samples a second."""
        return {"rate": rate(self.training.next, self.training.batch, seconds)}

    def memory(self):
        return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}

    def losses(self, workload, folder, batch, steps, weights, seed=0, double=False, channels_last=False):
        """Writes first weights for nnc; the losses of the first steps over nnc's order of samples."""
        torch.manual_seed(seed + 1)
        x, y = inputs(workload, folder)
        net = networks.NETWORKS[workload]()
        safetensors_file.write(weights, networks.weights(workload, net))
        if double:
            net, x, y = net.double(), *(t.double() if t.is_floating_point() else t for t in (x, y))
        training = Training(net, WORKLOADS[workload], x, y, batch, "eager", channels_last)
        losses, epoch = [], 0
        while len(losses) < steps:
            for rows in torch.from_numpy(shuffled(len(x), seed, epoch)).split(batch)[:steps - len(losses)]:
                losses.append(training.step(rows).item())
            epoch += 1
        return {"losses": losses}

    def gemm(self, m, n, k, ta=False, tb=False, seconds=0.2):
        a = torch.rand(k, m).T if ta else torch.rand(m, k)
        b = torch.rand(n, k).T if tb else torch.rand(k, n)
        out = torch.empty(m, n)
        with torch.no_grad():
            return {"gflops": rate(lambda: torch.mm(a, b, out=out), 2e-9 * m * n * k, seconds)}

    def numpy_gemm(self, m, n, k, ta=False, tb=False, seconds=0.2):
        a = np.random.rand(k, m).astype(np.float32).T if ta else np.random.rand(m, k).astype(np.float32)
        b = np.random.rand(n, k).astype(np.float32).T if tb else np.random.rand(k, n).astype(np.float32)
        out = np.empty((m, n), np.float32)
        return {"gflops": rate(lambda: np.matmul(a, b, out=out), 2e-9 * m * n * k, seconds)}

    def adam(self, parameters, seconds=1):
        """GB/s of an update alone: four arrays read, three written."""
        p = nn.Parameter(torch.ones(parameters))
        p.grad = torch.full((parameters,), 0.01)
        opt = torch.optim.Adam([p], lr=1e-3, fused=True)
        return {"gb": rate(opt.step, 28e-9 * parameters, seconds)}

    def copy(self, floats, seconds=1):
        """GB/s of copying, what is read and what is written."""
        a, b = np.ones(floats, np.float32), np.empty(floats, np.float32)
        return {"gb": rate(lambda: np.copyto(b, a), 8e-9 * floats, seconds)}


def serve(peer):
    """{"do": NAME, ...arguments} calls that method."""
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(peer, request.pop("do"))(**request)
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    torch.set_num_threads(int(sys.argv[2]))
    serve(Peer(sys.argv[1]))
