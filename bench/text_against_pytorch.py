"""Trains examples/char_lstm.nn and examples/gpt.nn with nnc and the same networks with PyTorch: the same text, split, windows,
batch, initializers, optimizer and number of steps, each with its own random numbers. Prints both validation losses; exit
status 1 if their means over the seeds differ by more than 2 %.

    python3 bench/text_against_pytorch.py --nnc build/nnc [--seeds 3] [--passes 3] [char_lstm] [gpt]

The text is that of Debian's package fortunes. Needs torch and numpy.
"""
import argparse
import json
import math
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parent.parent
WINDOW, BATCH = 64, 32
TOLERANCE = 0.02


def windows(path, share=0.9):
    """The windows of the text as numbers of characters, one row more than a window each: those to train on, and the others."""
    text = np.frombuffer(pathlib.Path(path).read_text(encoding="utf-8").encode("utf-32-le"), dtype="<u4")
    alphabet, ids = np.unique(text, return_inverse=True)
    count = (len(ids) - 1 - WINDOW) // WINDOW + 1
    rows = np.stack([ids[i * WINDOW:i * WINDOW + WINDOW + 1] for i in range(count)])
    rows = torch.from_numpy(rows.astype(np.int64))
    first = math.floor(share * count + 0.5)
    return rows[:first], rows[first:], len(alphabet)


class CharLSTM(nn.Module):
    """The network of char_lstm.nn. PyTorch's LSTM has two biases, of which one stays 0."""

    def __init__(self, characters, width=32, units=128):
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.lstm = nn.LSTM(width, units, batch_first=True)
        self.next = nn.Linear(units, characters)
        nn.init.xavier_uniform_(self.lstm.weight_ih_l0)
        nn.init.orthogonal_(self.lstm.weight_hh_l0)
        nn.init.xavier_uniform_(self.next.weight)
        for bias in (self.lstm.bias_ih_l0, self.lstm.bias_hh_l0, self.next.bias):
            nn.init.zeros_(bias)
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, ids):
        return self.next(self.lstm(self.embedding(ids))[0])


class Block(nn.Module):
    """A TransformerBlock with `norm_first` and causal attention."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        n, t, e = x.shape
        y = self.norm1(x)
        q, k, v = (f(y).view(n, t, self.heads, -1).transpose(1, 2) for f in (self.q, self.k, self.v))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).reshape(n, t, e)
        x = x + self.o(y)
        return x + self.down(F.gelu(self.up(self.norm2(x)), approximate="tanh"))


class GPT(nn.Module):
    """The network of gpt.nn."""

    def __init__(self, characters, width=96, heads=4, blocks=2):
        super().__init__()
        self.embedding = nn.Embedding(characters, width)
        self.place = nn.Parameter(torch.empty(WINDOW, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(blocks)))
        self.norm, self.next = nn.LayerNorm(width), nn.Linear(width, characters)
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.zeros_(m.bias)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.place, std=0.02)

    def forward(self, ids):
        return self.next(self.norm(self.blocks(self.embedding(ids) + self.place)))


def half_cosine(lr, t, steps):
    return lr * (1 + math.cos(math.pi * min(t / steps, 1))) / 2


def lstm_rate(t, steps):
    return half_cosine(5e-3, t, steps)


def gpt_rate(t, steps, lr=3e-3, warmup=100):
    return lr * t / warmup if t < warmup else half_cosine(lr, t - warmup, steps - warmup)


NETWORKS = {
    "char_lstm": (CharLSTM, lambda p: torch.optim.Adam(p), lstm_rate),
    "gpt": (GPT, lambda p: torch.optim.AdamW(p, weight_decay=0.01), gpt_rate),
}


def in_pytorch(name, text, seed, passes):
    torch.manual_seed(seed)
    train, test, characters = windows(text)
    network, optimizer, rate = NETWORKS[name]
    net = network(characters)
    parameters = [p for p in net.parameters() if p.requires_grad]
    opt = optimizer(parameters)
    steps = passes * math.ceil(len(train) / BATCH)
    t = 0
    for _ in range(passes):
        for rows in torch.randperm(len(train)).split(BATCH):
            opt.param_groups[0]["lr"] = rate(t, steps)
            opt.zero_grad()
            loss_of(net, train[rows]).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            opt.step()
            t += 1
    with torch.no_grad():
        return sum(loss_of(net, rows).item() * len(rows) for rows in test.split(BATCH)) / len(test)


def loss_of(net, rows):
    return F.cross_entropy(net(rows[:, :-1]).flatten(0, 1), rows[:, 1:].flatten())


def in_nnc(nnc, name, text, seed, passes, threads):
    with tempfile.TemporaryDirectory() as out:
        command = [nnc, "train", ROOT / "examples" / f"{name}.nn", "--data", pathlib.Path(text).parent, "--json",
                   "--seed", str(seed), "--set", f"passes={passes}", "--threads", str(threads), "--out", out]
        events = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    losses = [e["loss"] for e in map(json.loads, events.splitlines()) if "loss" in e and "train_loss" in e]
    return losses[-1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", help="which of " + ", ".join(NETWORKS))
    parser.add_argument("--nnc", default=ROOT / "build" / "nnc")
    parser.add_argument("--text", default="/usr/share/games/fortunes/cookie")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--passes", type=int, default=3, help="over the text")
    parser.add_argument("--threads", type=int, default=1, help="of each of the two")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    apart = 0
    for name in args.names or NETWORKS:
        ours, theirs = [], []
        for seed in range(args.seeds):
            start = time.time()
            ours.append(in_nnc(args.nnc, name, args.text, seed, args.passes, args.threads))
            middle = time.time()
            theirs.append(in_pytorch(name, args.text, seed, args.passes))
            print(f"{name}  seed {seed}  nnc {ours[-1]:.4f} in {middle - start:.0f} s  "
                  f"PyTorch {theirs[-1]:.4f} in {time.time() - middle:.0f} s", flush=True)
        ratio = np.mean(ours) / np.mean(theirs)
        word = "ok" if abs(ratio - 1) <= TOLERANCE else "APART"
        apart += word != "ok"
        print(f"{word}  {name}  nnc {np.mean(ours):.4f}  PyTorch {np.mean(theirs):.4f}  ratio {ratio:.4f}", flush=True)
    return min(apart, 1)


if __name__ == "__main__":
    sys.exit(main())
