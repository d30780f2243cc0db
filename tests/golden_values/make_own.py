#!/usr/bin/env python3
"""Reference values for what PyTorch, Optax and Keras do not have: optimizers, schedules and initializers of the standard
library that the golden folder has no case of, or not with these options.

    make_own.py        writes own/index.json and own/own.safetensors beside itself; needs NumPy

Each case holds the call in .nn and the same thing as a plain loop over NumPy arrays in float64, from the publication that the
library names. The files have the format of the golden folder, so that golden_values runs them like any other case."""

import json
import math
import pathlib
import struct

import numpy as np

STEPS = 21
rng = np.random.default_rng(7)
tensors, cases = {}, []


def keep(key, array):
    tensors[key] = array
    return key


# ---- optimizers: p, g -> the next p; s holds the states, t counts from 1 ----


def norm(x):
    return math.sqrt((x * x).sum())


def avg(s, name, beta, x):
    """A moving average that begins with 0."""
    s[name] = beta * s.get(name, 0.0) + (1 - beta) * x
    return s[name]


def gd(p, g, s, t):
    return p - 0.1 * g


def gd_decayed(p, g, s, t):
    return p - 0.1 / math.sqrt(t) * g


def momentum(p, g, s, t):
    s["v"] = 0.8 * s.get("v", 0) + 0.05 / t * g  # the rate is in the velocity: it matters that it falls
    return p - s["v"]


def ema_momentum(p, g, s, t):
    return p - 0.05 * avg(s, "v", 0.8, g)


def nesterov(p, g, s, t):
    """The publication's: q is the point that the optimizer sees, x the one that it moves (Sutskever et al., 2013)."""
    x = s.get("x", p)
    v = -s.get("v", 0 * p)
    v = 0.8 * v - 0.05 * g  # g was taken at q = x + 0.8 v
    x = x + v
    s["x"], s["v"] = x, -v
    return x + 0.8 * v


def sgd_all(p, g, s, t):
    d = -g + 0.1 * p
    s["v"] = d if t == 1 else 0.9 * s["v"] + (1 - 0.3) * d
    return p - 0.05 * s["v"]


def asgd(p, g, s, t):
    """The state is the mean of the parameters after update t0 = 5."""
    rate = 0.05 / (1 + 0.02 * 0.05 * (t - 1)) ** 0.75
    p = p * (1 - 0.02 * rate) - rate * (g + 0.1 * p)
    after = s["after"] = [*s.get("after", []), p][-max(1, t - 1 - 5) :]
    s["average"] = sum(after) / len(after)
    return p


def rmsprop_inside(p, g, s, t):
    return p - 0.01 * g / np.sqrt(avg(s, "v", 0.9, g * g) + 1e-3)


def adagrad_all(p, g, s, t):
    g = -g + 0.1 * p
    s["s"] = s.get("s", 0.2) + g * g
    return p - 0.1 / (1 + 0.05 * (t - 1)) * g / (np.sqrt(s["s"]) + 1e-3)


def adam_terms(p, g, s, t, b1=0.9, b2=0.99):
    m, v = avg(s, "m", b1, g), avg(s, "v", b2, g * g)
    return m / (1 - b1**t), v / (1 - b2**t)


def adamw_max(p, g, s, t):
    m, v = adam_terms(p, -g, s, t)
    return p * (1 - 0.01 * 0.1) - 0.01 * m / (np.sqrt(v) + 1e-4)


def amsgrad(p, g, s, t):
    avg(s, "m", 0.9, g)
    avg(s, "v", 0.6, g * g)
    s["top"] = np.maximum(s.get("top", 0 * p), s["v"])
    return p - 0.01 * s["m"] / (1 - 0.9**t) / (np.sqrt(s["top"] / (1 - 0.6**t)) + 1e-4)


def nadam(p, g, s, t):
    """Dozat, 2016, with the products of the momenta written out."""
    mu = [0.9 * (1 - 0.5 * 0.96 ** (i * 0.1)) for i in range(1, t + 2)]
    g = g + 0.1 * p
    m, v = avg(s, "m", 0.9, g), avg(s, "v", 0.99, g * g) / (1 - 0.99**t)
    ahead = mu[t] * m / (1 - math.prod(mu)) + (1 - mu[t - 1]) * g / (1 - math.prod(mu[:t]))
    return p - 0.01 * ahead / (np.sqrt(v) + 1e-8)


def radam(p, g, s, t):
    g = g + 0.1 * p
    m, v = avg(s, "m", 0.9, g), avg(s, "v", 0.99, g * g)
    last = 2 / (1 - 0.99) - 1
    rho = last - 2 * t * 0.99**t / (1 - 0.99**t)
    m = m / (1 - 0.9**t)
    if rho <= 5:
        return p - 0.01 * m
    r = math.sqrt((rho - 4) * (rho - 2) * last / ((last - 4) * (last - 2) * rho))
    return p - 0.01 * m * r * math.sqrt(1 - 0.99**t) / (np.sqrt(v) + 1e-8)


def adan(p, g, s, t):
    d = g - s["g"] if t > 1 else 0 * g
    s["g"] = g
    m, n = avg(s, "m", 0.98, g) / (1 - 0.98**t), avg(s, "n", 0.92, d) / (1 - 0.92**t)
    v = avg(s, "v", 0.99, (g + 0.92 * d) ** 2) / (1 - 0.99**t)
    return (p - 0.01 * (m + 0.92 * n) / (np.sqrt(v) + 1e-8)) / (1 + 0.01 * 0.1)


def ademamix(p, g, s, t):
    m, v = adam_terms(p, g, s, t)
    slow = avg(s, "slow", 0.999, g)
    return p - 0.01 * ((m + 3 * slow) / (np.sqrt(v) + 1e-8) + 0.1 * p)


def adopt(p, g, s, t):
    if t == 1:
        s["v"], s["m"] = g * g, 0 * g
        return p - 0.01 * 0.1 * p
    bound = (t - 1) ** 0.25
    m = avg(s, "m", 0.9, np.clip(g / np.maximum(np.sqrt(s["v"]), 1e-6), -bound, bound))
    avg(s, "v", 0.99, g * g)
    return p - 0.01 * (m + 0.1 * p)


def novograd(p, g, s, t):
    square = (g * g).sum()
    s["v"] = square if t == 1 else 0.7 * s["v"] + 0.3 * square
    s["m"] = 0.9 * s.get("m", 0) + g / (math.sqrt(s["v"]) + 1e-6) + 0.1 * p
    return p - 0.01 * s["m"]


def lamb(p, g, s, t):
    m, v = adam_terms(p, g, s, t)
    d = m / (np.sqrt(v) + 1e-6) + 0.1 * p
    return p - 0.05 * norm(p) / norm(d) * d


def lars(p, g, s, t):
    d = g + 0.1 * p
    s["v"] = 0.8 * s.get("v", 0) + 0.5 * 0.02 * norm(p) / norm(d) * d
    return p - s["v"]


def polynomial(x):
    """Jordan et al., 2024: five steps on the side that is shorter."""
    tall = x.shape[0] > x.shape[1]
    y = (x.T if tall else x) / max(norm(x), 1e-7)
    for _ in range(5):
        a = y @ y.T
        y = 3.4445 * y + (-4.775 * a + 2.0315 * a @ a) @ y
    return y.T if tall else y


def muon(p, g, s, t, ratio=None):
    v = avg(s, "v", 0.95, g)
    d = 0.05 * g + 0.95 * v
    if p.ndim < 2:
        return p * (1 - 0.02 * 0.1) - 0.02 * d
    d = d.reshape(-1, p.shape[-1])
    ratio = ratio or (lambda fan_in, fan_out: math.sqrt(max(1, fan_out / fan_in)))
    return p * (1 - 0.02 * 0.1) - 0.02 * ratio(*d.shape) * polynomial(d).reshape(p.shape)


def muon_rms(p, g, s, t):
    return muon(p, g, s, t, lambda r, c: 0.2 * math.sqrt(max(r, c)))


def adafactor(p, g, s, t):
    """Shazeer and Stern, 2018, algorithm 4, with R and C as sums: V = R C / ΣR."""
    g = -g
    beta = 1 - t**-0.7
    if p.ndim < 2:
        v = s["v"] = beta * s.get("v", 0) + (1 - beta) * g * g
    else:
        r = s["r"] = beta * s.get("r", 0) + (1 - beta) * (g * g).sum(-1, keepdims=True)
        c = s["c"] = beta * s.get("c", 0) + (1 - beta) * (g * g).sum(-2, keepdims=True)
        v = r * c / r.sum(-2, keepdims=True)
    u = g / np.sqrt(v)
    rms = lambda x: norm(x) / math.sqrt(x.size)
    return p * (1 - 0.05 * 0.1) - max(1e-3, rms(p)) * min(0.05, t**-0.5) * u / max(1, rms(u) / 0.8)


def sm3(p, g, s, t):
    """Anil et al., 2019, algorithm SM3-II: one accumulator for each slice along each dim."""
    mu = [s.get(i, np.zeros(p.shape[i])) for i in range(p.ndim)]
    nu = np.empty(p.shape)
    for at in np.ndindex(*p.shape):
        nu[at] = min(mu[i][at[i]] for i in range(p.ndim)) + g[at] ** 2
    for i in range(p.ndim):
        s[i] = np.array([nu.take(j, i).max() for j in range(p.shape[i])])
    return p - 0.1 * avg(s, "m", 0.9, g / np.sqrt(nu + 1e-8))


def fromage(p, g, s, t):
    return (p - 0.1 * norm(p) / norm(g) * g) / math.sqrt(1 + 0.1**2)


def optimistic(p, g, s, t):
    before = s.get("g", g)
    s["g"] = g
    return p - 0.05 * (0.8 * g + 0.5 * (g - before))


def lion(p, g, s, t):
    c = 0.8 * s.get("m", 0) + 0.2 * g
    avg(s, "m", 0.95, g)
    return p - 0.01 * (np.sign(c) + 0.1 * p)


def rprop(p, g, s, t):
    """Riedmiller and Braun, 1993, element by element."""
    p, g = p.copy(), -g
    size, before = s.get("size", np.full(p.shape, 0.01)), s.get("before", np.zeros(p.shape))
    for i in np.ndindex(*p.shape):
        if g[i] * before[i] > 0:
            size[i] = min(size[i] * 1.3, 0.04)
        elif g[i] * before[i] < 0:
            size[i] = max(size[i] * 0.6, 0.005)
            g[i] = 0
        p[i] -= np.sign(g[i]) * size[i]
        before[i] = g[i]
    s["size"], s["before"] = size, before
    return p


OPTIMIZERS = [
    ("GD(0.1)", gd),
    ("GD(0.1 / sqrt(step))", gd_decayed),
    ("Momentum(0.05 / step, gamma = 0.8)", momentum),
    ("EMAMomentum(0.05, beta = 0.8)", ema_momentum),
    ("Nesterov(0.05, gamma = 0.8)", nesterov),
    ("OptimisticGD(0.05, alpha = 0.8, beta = 0.5)", optimistic),
    ("SGD(0.05, momentum = 0.9, dampening = 0.3, weight_decay = 0.1, maximize = true)", sgd_all),
    ("ASGD(0.05, decay = 0.02, t0 = 5, weight_decay = 0.1)", asgd),
    ("AdaGrad(0.1, eps = 1e-3, lr_decay = 0.05, weight_decay = 0.1, initial = 0.2, maximize = true)", adagrad_all),
    ("RMSpropInside(0.01, eps = 1e-3)", rmsprop_inside),
    ("AdamW(0.01, beta2 = 0.99, eps = 1e-4, weight_decay = 0.1, maximize = true)", adamw_max),
    ("AMSGrad(0.01, beta2 = 0.6, eps = 1e-4)", amsgrad),
    ("NAdam(0.01, beta2 = 0.99, momentum_decay = 0.1, weight_decay = 0.1)", nadam),
    ("RAdam(0.01, beta2 = 0.99, weight_decay = 0.1)", radam),
    ("Adan(0.01, weight_decay = 0.1)", adan),
    ("AdEMAMix(0.01, beta2 = 0.99, beta3 = 0.999, alpha = 3, weight_decay = 0.1)", ademamix),
    ("ADOPT(0.01, beta2 = 0.99, weight_decay = 0.1)", adopt),
    ("NovoGrad(0.01, beta2 = 0.7, weight_decay = 0.1)", novograd),
    ("LAMB(0.05, beta2 = 0.99, weight_decay = 0.1)", lamb),
    ("LARS(0.5, momentum = 0.8, weight_decay = 0.1, trust = 0.02)", lars),
    ("Fromage(0.1)", fromage),
    ("Lion(0.01, beta1 = 0.8, beta2 = 0.95, weight_decay = 0.1)", lion),
    ("Rprop(0.01, shrink = 0.6, grow = 1.3, least = 0.005, most = 0.04, maximize = true)", rprop),
    ("Muon(0.02)", muon),
    ("Muon(0.02, ratio = rms_ratio)", muon_rms),
    ("Adafactor(0.05, decay = -0.7, weight_decay = 0.1, d = 0.8, maximize = true)", adafactor),
    ("SM3(0.1)", sm3),
]
SHAPES = [(3, 4), (2,), (2, 2, 3)]
# the rules that see a tensor's shape
KERNELS = {muon, muon_rms, adafactor, sm3}


def optimizer_cases():
    start = [rng.standard_normal(s).astype(np.float32) for s in SHAPES]
    grads = [rng.standard_normal((STEPS, *s)).astype(np.float32) for s in SHAPES]
    names = {}
    for i in range(len(SHAPES)):
        names[f"p{i}"] = keep(f"p{i}", start[i])
        names[f"grad_p{i}"] = keep(f"grad_p{i}", grads[i])
    for k, (using, update) in enumerate(OPTIMIZERS):
        n = len(SHAPES) if update in KERNELS else 2
        outputs = {}
        for i in range(n):
            p, s, path = start[i].astype(np.float64), {}, []
            for t in range(STEPS):
                p = update(p, grads[i][t].astype(np.float64), s, t + 1)
                path.append(p)
            key = keep(f"optimizer{k}/traj_p{i}", np.array(path))
            outputs[f"traj_p{i}"] = {"key": key, "f32": [2e-5, 1e-5], "f64": [1e-10, 1e-12]}
            if "average" in s:
                key = keep(f"optimizer{k}/average_p{i}", s["average"])
                outputs[f"state_average_p{i}"] = {"key": key, "f32": [2e-5, 1e-5], "f64": [1e-10, 1e-12]}
        inputs = {x: y for x, y in names.items() if int(x[-1]) < n}
        case(f"own/optimizers/{using}", "own/optimizer", {"using": using, "steps": STEPS}, inputs, outputs)


# ---- schedules: of t, from 0 ----


def half_cosine(u):
    return (1 - math.cos(math.pi * u)) / 2


def restarts(t, lr, period, factor, end):
    while t >= period:
        t, period = t - period, period * factor
    return end + (lr - end) * (1 + math.cos(math.pi * t / period)) / 2


def triangle(t, lo, hi, up, down, scale):
    cycle, u = divmod(t, up + down)
    return lo + (hi - lo) * (u / up if u <= up else (up + down - u) / down) * scale(cycle, t)


def one_cycle(t, hi, n, up, start, end, curve, three):
    top = up * n - 1
    lo, last = hi / start, hi / start / end
    joints = [(0, lo), (top, hi), (2 * top, lo), (n - 1, last)] if three else [(0, lo), (top, hi), (n - 1, last)]
    for (a, x), (b, y) in zip(joints, joints[1:]):
        if t <= b:
            return x + (y - x) * curve((t - a) / (b - a))
    return last


SCHEDULES = [  # the call without its t; the formula; whether it is continuous
    ("constant_lr(0.1)", lambda t: 0.1, True),
    ("step_decay(0.1, 10, 0.5", lambda t: 0.1 * 0.5 ** (t // 10), False),
    ("multi_step(0.1, [7, 20, 21], 0.3", lambda t: 0.1 * 0.3 ** ((t >= 7) + (t >= 20) + (t >= 21)), False),
    ("exponential_decay(0.1, 0.9, every = 4", lambda t: 0.1 * 0.9 ** (t / 4), True),
    ("polynomial_decay(0.1, 30, power = 2, end = 0.01", lambda t: 0.09 * (1 - min(t, 30) / 30) ** 2 + 0.01, True),
    ("inverse_sqrt(0.1, 16", lambda t: 0.1 * (t / 16 if t < 16 else math.sqrt(16 / t)), True),
    ("piecewise([10, 25], [0.1, 0.5, 0.2]", lambda t: 0.1 if t < 10 else 0.5 if t < 25 else 0.2, False),
    ("linear_warmup(0.1, 12, start = 0.02", lambda t: 0.02 + 0.08 * min(t / 12, 1), True),
    ("cosine_decay(0.1, 33, end = 0.01", lambda t: 0.1 - 0.09 * half_cosine(min(t, 33) / 33), True),
    ("cosine_restarts(0.1, 7, end = 0.01", lambda t: restarts(t, 0.1, 7, 1, 0.01), False),
    ("cosine_restarts(0.1, 5, factor = 2, end = 0.01", lambda t: restarts(t, 0.1, 5, 2, 0.01), False),
    ("warmup_cosine(0.1, 10, 35, start = 0.02, end = 0.01",
     lambda t: 0.02 + 0.008 * t if t < 10 else 0.1 - 0.09 * half_cosine(min(t - 10, 25) / 25), True),
    ("cyclical(0.01, 0.1, 14", lambda t: triangle(t, 0.01, 0.1, 7, 7, lambda c, t: 1), True),
    ('cyclical(0.01, 0.1, 14, "triangular2", up = 5',
     lambda t: triangle(t, 0.01, 0.1, 5, 9, lambda c, t: 0.5**c), True),
    ('cyclical(0.01, 0.1, 12, "exp_range", decay = 0.97',
     lambda t: triangle(t, 0.01, 0.1, 6, 6, lambda c, t: 0.97**t), True),
    ("one_cycle(0.1, 41", lambda t: one_cycle(t, 0.1, 41, 0.3, 25, 1e4, half_cosine, False), True),
    ('one_cycle(0.1, 41, up = 0.25, start = 10, end = 100, shape = "linear"',
     lambda t: one_cycle(t, 0.1, 41, 0.25, 10, 100, lambda u: u, False), True),
    ("one_cycle(0.1, 41, up = 0.4, three_phase = true",
     lambda t: one_cycle(t, 0.1, 41, 0.4, 25, 1e4, half_cosine, True), True),
]


def schedule_cases():
    """At whole and half updates, which shows both sides of a joint."""
    for k, (call, f, continuous) in enumerate(SCHEDULES):
        fine = np.array([f(t / 1000) for t in range(50000)])
        if continuous != (abs(np.diff(fine)).max() < 1e-3):
            raise SystemExit(f"{call}: continuity is not as stated")
        lr = keep(f"schedule{k}", np.array([f(t / 2) for t in range(100)]))
        text = f"0 * arange(100) + {call}" if call.endswith(")") else f"{call}, t = arange(100) / 2)"
        outputs = {"lr": {"key": lr, "f32": [2e-5, 1e-9], "f64": [1e-12, 1e-16]}}
        case(f"own/schedules/{call.rstrip(')')})", "own/schedule", {"call": text}, {}, outputs)


def plateau(metrics, lr, factor, patience, threshold, cooldown, least, sign):
    """PyTorch's ReduceLROnPlateau with its counters as they read; sign -1: more is better."""
    best, bad, wait, rates = math.inf * sign, 0, 0, []
    for m in metrics:
        rates.append(lr)
        if sign * m < sign * best * (1 - sign * threshold):
            best, bad = m, 0
        else:
            bad += 1
        if wait > 0:
            wait, bad = wait - 1, 0
        if bad > patience:
            lr, wait, bad = max(lr * factor, least), cooldown, 0
    return rates


def plateau_cases():
    falling = 2 * 0.9 ** np.minimum(np.arange(40), 12) + 0.1 * rng.random(40)
    falling[20] = math.nan  # is never better
    for k, (call, *options) in enumerate([
        ("plateau(metric, 0.1, patience = 2)", 0.1, 0.1, 2, 1e-4, 0, 0, 1),
        ("plateau(metric, 0.1, factor = 0.5, patience = 1, threshold = 0.05, cooldown = 3, min_lr = 0.02)",
         0.1, 0.5, 1, 0.05, 3, 0.02, 1),
        ('plateau(metric, 0.1, factor = 0.5, patience = 3, threshold = 0.03, mode = "max")',
         0.1, 0.5, 3, 0.03, 0, 0, -1),
    ]):
        metrics = (falling if options[-1] > 0 else 3 - falling).astype(np.float32)
        rates = np.array(plateau(metrics.astype(np.float64), *options))
        outputs = {"lr": {"key": keep(f"plateau{k}/lr", rates), "f32": [2e-6, 1e-9], "f64": [1e-12, 1e-16]}}
        inputs = {"metric": keep(f"plateau{k}/metric", metrics)}
        case(f"own/schedules/{call}", "own/plateau", {"schedule": call}, inputs, outputs)


# ---- initializers, with the fans that the compiler finds: [k..., in, out] ----

UNIFORM = 1 / math.sqrt(3)  # the deviation of U(-1, 1)
CUT = 0.8796256610342398  # of a normal distribution cut at 2
CONV, WIDE = [3, 3, 20, 40], [80, 120]
INITIALIZERS = [  # shape, initializer, bound or None, deviation, as functions of the fans
    ("uniform_init(-0.5, 1.5)", WIDE, lambda i, o: (-0.5, 1.5), lambda i, o: UNIFORM),
    ("normal_init(0.3)", WIDE, None, lambda i, o: 0.3),
    ("truncated_normal(0.5)", WIDE, lambda i, o: (-1, 1), lambda i, o: 0.5 * CUT),
    ("glorot_uniform", CONV, lambda i, o: math.sqrt(6 / (i + o)), lambda i, o: math.sqrt(2 / (i + o))),
    ("glorot_normal", CONV, None, lambda i, o: math.sqrt(2 / (i + o))),
    ("fan_avg_normal", CONV, None, lambda i, o: math.sqrt(2 / (i + o))),
    ("he_uniform", CONV, lambda i, o: math.sqrt(6 / i), lambda i, o: math.sqrt(2 / i)),
    ("he_normal", CONV, None, lambda i, o: math.sqrt(2 / i)),
    ("lecun_uniform", CONV, lambda i, o: math.sqrt(3 / i), lambda i, o: math.sqrt(1 / i)),
    ("lecun_normal", CONV, None, lambda i, o: math.sqrt(1 / i)),
    ("glorot_normal", [400], None, lambda i, o: math.sqrt(2 / (i + o))),
]
EXACT = [  # of which something is 0, up to 1e-5
    ("zeros_init", [3, 5], "w"),
    ("ones_init", [3, 5], "w - 1"),
    ("constant(0.3)", [3, 5], "w - 0.3"),
    ("identity_init", [3, 5], "w - eye(5)[0..3]"),
    ("identity_init", [5, 3], "w - eye(5)[:, 0..3]"),
    ("orthogonal(2)", [4, 3, 5], "transpose(reshape(w, [12, 5])) @ reshape(w, [12, 5]) - 4 * eye(5)"),
    ("orthogonal", [2, 9], "w @ transpose(w) - eye(2)"),
    ("sparse_init(0.3)", [20, 7], "sum(float(w == 0), axis = 0) - 6"),
    ("dirac", [5, 3, 2], "w[2] - eye(3)[:, 0..2]"),
    ("dirac", [5, 4, 3, 2], "concat([w[0..2], w[3..]])"),
    ("dirac(groups = 2)", [3, 3, 2, 4], "w[1, 1] - concat([eye(2), eye(2)], axis = 1)"),
]


def initializer_cases():
    for k, (init, shape, bound, std) in enumerate(INITIALIZERS):
        field = math.prod(shape[:-2])
        fans = (field * shape[-2], field * shape[-1]) if len(shape) > 1 else (shape[0], shape[0])
        n, s = math.prod(shape), std(*fans)
        b = bound(*fans) if bound else None
        lo, hi = b if isinstance(b, tuple) else (-b, b) if b else (0, 0)
        expect = {"mean": (lo + hi) / 2, "std": s, "mean_tolerance": 5 * s / math.sqrt(n)}
        expect |= {"std_relative_tolerance": 5 / math.sqrt(2 * n), "bound": [lo, hi] if b else None}
        drawn(f"{init}.{k}", {"init": init, "shape": shape}, expect)
    for k, (init, shape, zero) in enumerate(EXACT):
        drawn(f"{init}.{k}", {"init": init, "shape": shape, "zero": zero}, {})


def drawn(name, attrs, expect):
    cases.append({"id": f"own/initializers/{name}", "op": "own/init", "attrs": attrs, "inputs": {}, "expect": expect})


# ---- the files ----


def case(name, op, attrs, inputs, outputs):
    cases.append({"id": name, "file": "own.safetensors", "op": op, "attrs": attrs, "inputs": inputs, "outputs": outputs})


def write(folder):
    folder.mkdir(exist_ok=True)
    header, data = {}, b""
    for key, x in tensors.items():
        dtype = {"float32": "F32", "float64": "F64"}[x.dtype.name]
        header[key] = {"dtype": dtype, "shape": x.shape, "data_offsets": [len(data), len(data) + x.nbytes]}
        data += x.astype(x.dtype.newbyteorder("<")).tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    (folder / "own.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + data)
    lines = ",\n".join(json.dumps(c) for c in cases)
    (folder / "index.json").write_text('{"cases": [\n' + lines + "\n]}\n")


optimizer_cases()
schedule_cases()
plateau_cases()
initializer_cases()
write(pathlib.Path(__file__).parent / "own")
