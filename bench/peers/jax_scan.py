"""JAX as a peer: many training steps in one compiled call (lax.scan) where that is faster, batches gathered on the device, buffers
donated; the optimizers written out. Requests as in pytorch.py.

    python3 peers/jax_scan.py scan THREADS
"""
import json
import pathlib
import resource
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, nn

from workloads import TEXT, VOCABULARY, WORKLOADS

STEPS = {"tiny": 2000, "mlp": 200}  # of a call; of the others one, since XLA's convolutions in loops are slow


class Weights:
    """Draws parameters, uniform as PyTorch does."""

    def __init__(self, seed=1):
        self.rng = np.random.default_rng(seed)

    def draw(self, fan, *shape):
        return jnp.asarray(self.rng.uniform(-1, 1, shape).astype(np.float32) / np.sqrt(fan))

    def dense(self, inputs, units, bias=True):
        return {"w": self.draw(inputs, inputs, units), **({"b": self.draw(inputs, units)} if bias else {})}

    def conv(self, kernel, channels, filters, bias=True):
        fan = kernel * kernel * channels
        return {"w": self.draw(fan, kernel, kernel, channels, filters), **({"b": self.draw(fan, filters)} if bias else {})}

    def norm(self, channels):
        return {"gamma": jnp.ones(channels), "beta": jnp.zeros(channels)}


def dense(p, x):
    return x @ p["w"] + p.get("b", 0)


def conv(p, x, stride=1, padding=0):
    return lax.conv_general_dilated(x, p["w"], (stride, stride), [(padding, padding)] * 2,
                                    dimension_numbers=("NHWC", "HWIO", "NHWC")) + p.get("b", 0)


def pool(x):
    return lax.reduce_window(x, -jnp.inf, lax.max, (1, 2, 2, 1), (1, 2, 2, 1), "VALID")


def normal(p, x, axes):
    m, v = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    return p["gamma"] * (x - m) * lax.rsqrt(v + 1e-5) + p["beta"]


# ---- networks: parameters, and the forward pass ----

def tiny(w):
    return [w.dense(2, 10), w.dense(10, 1)], lambda p, x: dense(p[1], nn.relu(dense(p[0], x)))


def mlp(w):
    p = [w.dense(784, 500), w.dense(500, 10)]
    return p, lambda p, x: dense(p[1], nn.relu(dense(p[0], x.reshape(len(x), -1) / 255.0)))


def lenet(w):
    p = [w.conv(5, 1, 6), w.conv(5, 6, 16), w.dense(400, 120), w.dense(120, 84), w.dense(84, 10)]

    def forward(p, x):
        x = pool(nn.relu(conv(p[0], x[..., None] / 255.0, padding=2)))
        x = pool(nn.relu(conv(p[1], x))).reshape(len(x), -1)
        return dense(p[4], nn.relu(dense(p[3], nn.relu(dense(p[2], x)))))
    return p, forward


def cnn(w):
    p = [w.conv(3, 3, 32), w.conv(3, 32, 64), w.conv(3, 64, 64), w.dense(1024, 64), w.dense(64, 10)]

    def forward(p, x):
        x = pool(nn.relu(conv(p[0], x)))
        x = pool(nn.relu(conv(p[1], x)))
        x = nn.relu(conv(p[2], x)).reshape(len(x), -1)
        return dense(p[4], nn.relu(dense(p[3], x)))
    return p, forward


def resnet(w, blocks):
    """Running statistics are left out: nothing in training reads them."""
    p, before, strides = {"stem": [w.conv(3, 3, 16, False), w.norm(16)], "blocks": [], "out": w.dense(64, 10)}, 16, []
    for width in (16, 32, 64):
        for _ in range(blocks):
            units = [(3, before, width), (3, width, width)] + ([(1, before, width)] if before != width else [])
            p["blocks"].append([[w.conv(k, i, o, False), w.norm(o)] for k, i, o in units])
            strides.append(2 if before != width else 1)
            before = width

    def unit(p, x, stride=1):
        return normal(p[1], conv(p[0], x, stride, p[0]["w"].shape[0] // 2), (0, 1, 2))

    def forward(p, x):
        x = nn.relu(unit(p["stem"], x))
        for b, s in zip(p["blocks"], strides):
            x = nn.relu(unit(b[1], nn.relu(unit(b[0], x, s))) + (unit(b[2], x, s) if len(b) > 2 else x))
        return dense(p["out"], x.mean((1, 2)))
    return p, forward


def lstm(w, width=64, units=256):
    p = {"table": jnp.asarray(w.rng.standard_normal((VOCABULARY, width), dtype=np.float32)), "wx": w.draw(units, width, 4 * units),
         "wh": w.draw(units, units, 4 * units), "b": jnp.zeros(4 * units), "out": w.dense(units, VOCABULARY)}

    def forward(p, ids):
        z = p["table"][ids] @ p["wx"] + p["b"]

        def step(carry, zt):
            h, c = carry
            i, f, g, o = jnp.split(zt + h @ p["wh"], 4, -1)
            c = nn.sigmoid(f) * c + nn.sigmoid(i) * jnp.tanh(g)
            h = nn.sigmoid(o) * jnp.tanh(c)
            return (h, c), h
        zero = jnp.zeros((len(ids), units))
        return dense(p["out"], lax.scan(step, (zero, zero), z.swapaxes(0, 1))[1].swapaxes(0, 1))
    return p, forward


def gpt(w, width=128, heads=4, blocks=4):
    small = lambda *shape: jnp.asarray(0.02 * w.rng.standard_normal(shape, dtype=np.float32))
    p = {"table": small(VOCABULARY, width), "place": small(TEXT["gpt"], width), "norm": w.norm(width),
         "out": w.dense(width, VOCABULARY, False),
         "blocks": [{"n1": w.norm(width), "n2": w.norm(width), "qkv": w.dense(width, 3 * width), "o": w.dense(width, width),
                     "up": w.dense(width, 4 * width), "down": w.dense(4 * width, width)} for _ in range(blocks)]}

    def attention(b, x):
        n, t, e = x.shape
        q, k, v = dense(b["qkv"], x).reshape(n, t, 3, heads, e // heads).transpose(2, 0, 3, 1, 4)
        s = jnp.where(jnp.tril(jnp.ones((t, t), bool)), q @ k.swapaxes(2, 3) / np.sqrt(e // heads), -jnp.inf)
        return dense(b["o"], (nn.softmax(s) @ v).transpose(0, 2, 1, 3).reshape(n, t, e))

    def forward(p, ids):
        x = p["table"][ids] + p["place"]
        for b in p["blocks"]:
            x = x + attention(b, normal(b["n1"], x, -1))
            x = x + dense(b["down"], nn.gelu(dense(b["up"], normal(b["n2"], x, -1)), approximate=False))
        return dense(p["out"], normal(p["norm"], x, -1))
    return p, forward


NETWORKS = {"tiny": tiny, "mlp": mlp, "lenet": lenet, "cnn": cnn, "resnet8": lambda w: resnet(w, 1),
            "resnet20": lambda w: resnet(w, 3), "lstm": lstm, "gpt": gpt}


# ---- training ----

def loss_of(forward, p, x, y):
    z = forward(p, x)
    if y.dtype == jnp.float32:
        return jnp.mean(jnp.maximum(z, 0) - z * y + jnp.log1p(jnp.exp(-jnp.abs(z))))
    return -jnp.mean(jnp.take_along_axis(nn.log_softmax(z), y[..., None], -1))


def update(facts, state, g):
    p, m, v, t = state
    lr, each = facts["lr"], jax.tree.map
    if facts["optimizer"] == "sgd":
        m = each(lambda m, g: 0.9 * m + g, m, g)
        return each(lambda p, m: p - lr * m, p, m), m, v, t
    t, decay = t + 1, 0.01 if facts["optimizer"] == "adamw" else 0
    m = each(lambda m, g: 0.9 * m + 0.1 * g, m, g)
    v = each(lambda v, g: 0.999 * v + 0.001 * g * g, v, g)
    a, b = 1 - 0.9 ** t, 1 - 0.999 ** t
    return each(lambda p, m, v: p * (1 - lr * decay) - lr * (m / a) / (jnp.sqrt(v / b) + 1e-8), p, m, v), m, v, t


class Peer:
    def load(self, workload, folder, batch, **_):
        x, y = (jnp.asarray(np.load(pathlib.Path(folder) / f)) for f in ("x.npy", "y.npy"))
        facts = WORKLOADS[workload]
        p, forward = NETWORKS[workload](Weights())
        self.state = (p, jax.tree.map(jnp.zeros_like, p), jax.tree.map(jnp.zeros_like, p), jnp.zeros(()))
        self.batch, self.count, self.steps = batch, len(x), STEPS.get(workload, 1)
        self.rng, self.rows = np.random.default_rng(1), np.empty(0, np.int64)

        def step(state, rows):
            loss, g = jax.value_and_grad(lambda p: loss_of(forward, p, x[rows], y[rows]))(state[0])
            return update(facts, state, g), loss
        def many(state, rows):
            return lax.scan(step, state, rows) if self.steps > 1 else step(state, rows[0])
        self.many = jax.jit(many, donate_argnums=0)
        start = time.perf_counter()
        self.call()
        return {"first_step": time.perf_counter() - start}

    def call(self):
        """So many steps over shuffled batches."""
        need = self.steps * self.batch
        while len(self.rows) < need:
            self.rows = np.concatenate([self.rows, self.rng.permutation(self.count)])
        rows, self.rows = self.rows[:need], self.rows[need:]
        self.state, losses = self.many(self.state, rows.reshape(self.steps, self.batch))
        losses.block_until_ready()

    def train(self, seconds):
        calls, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            self.call()
            calls += 1
        return {"rate": calls * self.steps * self.batch / (time.perf_counter() - start)}

    def memory(self):
        return {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


if __name__ == "__main__":
    peer = Peer()
    for line in sys.stdin:
        request = json.loads(line)
        print(json.dumps(getattr(peer, request.pop("do"))(**request)), flush=True)
