"""The workloads' networks in PyTorch, and their weights under the names and in the layouts of nnc's."""
import torch
from torch import nn
from torch.nn import functional as F

VOCABULARY = 96


class Unit(nn.Module):
    """Convolution and batch normalization."""

    def __init__(self, before, after, kernel, stride=1):
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(after)

    def forward(self, x):
        return self.norm(self.conv(x))


class Basic(nn.Module):
    def __init__(self, before, after, stride):
        super().__init__()
        self.first, self.second = Unit(before, after, 3, stride), Unit(after, after, 3)
        self.short = Unit(before, after, 1, stride) if stride != 1 or before != after else None

    def forward(self, x):
        return F.relu(self.second(F.relu(self.first(x))) + (self.short(x) if self.short else x))


class ResNet(nn.Module):
    def __init__(self, blocks):
        super().__init__()
        self.stem = Unit(3, 16, 3)
        widths = [16] * blocks + [32] * blocks + [64] * blocks
        before = [16] + widths
        self.blocks = nn.ModuleList(Basic(b, w, 2 if b != w else 1) for b, w in zip(before, widths))
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        return self.out(x.mean((2, 3)))


class Conv(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2, self.c3 = nn.Conv2d(3, 32, 3), nn.Conv2d(32, 64, 3), nn.Conv2d(64, 64, 3)
        self.d1, self.d2 = nn.Linear(1024, 64), nn.Linear(64, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2)
        return self.d2(F.relu(self.d1(F.relu(self.c3(x)).flatten(1))))


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.c2 = nn.Conv2d(1, 6, 5, padding=2), nn.Conv2d(6, 16, 5)
        self.d1, self.d2, self.d3 = nn.Linear(400, 120), nn.Linear(120, 84), nn.Linear(84, 10)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.c1(x)), 2)
        x = F.max_pool2d(F.relu(self.c2(x)), 2).flatten(1)
        return self.d3(F.relu(self.d2(F.relu(self.d1(x)))))


class Lstm(nn.Module):
    """PyTorch's LSTM has two biases, of which nnc's is the sum."""

    def __init__(self, width=64, units=256):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(VOCABULARY, width), nn.LSTM(width, units, batch_first=True)
        self.out = nn.Linear(units, VOCABULARY)
        nn.init.zeros_(self.lstm.bias_hh_l0)
        self.lstm.bias_hh_l0.requires_grad_(False)

    def forward(self, ids):
        return self.out(self.lstm(self.embedding(ids))[0])


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        n, t, e = x.shape
        q, k, v = self.qkv(x).view(n, t, 3, self.heads, e // self.heads).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(y.transpose(1, 2).reshape(n, t, e))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2, self.attention = nn.LayerNorm(width), nn.LayerNorm(width), Attention(width, heads)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.down(F.gelu(self.up(self.norm2(x))))


class Gpt(nn.Module):
    def __init__(self, width=128, heads=4, blocks=4, length=128):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, width)
        self.place = nn.Parameter(torch.empty(length, width))
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(blocks))
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, VOCABULARY, bias=False)
        nn.init.normal_(self.embedding.weight, std=0.02)
        nn.init.normal_(self.place, std=0.02)

    def forward(self, ids):
        x = self.embedding(ids) + self.place
        for block in self.blocks:
            x = block(x)
        return self.out(self.norm(x))


NETWORKS = {
    "tiny": lambda: nn.Sequential(nn.Linear(2, 10), nn.ReLU(), nn.Linear(10, 1)),
    "mlp": lambda: nn.Sequential(nn.Linear(784, 500), nn.ReLU(), nn.Linear(500, 10)),
    "lenet": LeNet,
    "cnn": Conv,
    "resnet8": lambda: ResNet(1),
    "resnet20": lambda: ResNet(3),
    "lstm": Lstm,
    "gpt": Gpt,
}


# ---- weights as nnc names them ----

def put_dense(out, name, m):
    out[name + ".w"] = m.weight.T
    if m.bias is not None:
        out[name + ".b"] = m.bias


def put_conv(out, name, m):
    out[name + ".w"] = m.weight.permute(2, 3, 1, 0)
    if m.bias is not None:
        out[name + ".b"] = m.bias


def put_norm(out, name, m):
    out[name + ".gamma"], out[name + ".beta"] = m.weight, m.bias
    if isinstance(m, nn.BatchNorm2d):
        out[name + ".running_mean"], out[name + ".running_var"] = m.running_mean, m.running_var


def put_unit(out, name, m):
    put_conv(out, name + ".conv2d1", m.conv)
    put_norm(out, name + ".batchnorm1", m.norm)


def put_block(out, name, m):
    for part, w, b in zip("qkv", m.attention.qkv.weight.chunk(3), m.attention.qkv.bias.chunk(3)):
        out[f"{name}.multiheadattention1.{part}.w"], out[f"{name}.multiheadattention1.{part}.b"] = w.T, b
    put_dense(out, name + ".multiheadattention1.o", m.attention.out)
    put_norm(out, name + ".layernorm1", m.norm1)
    put_norm(out, name + ".layernorm2", m.norm2)
    put_dense(out, name + ".dense1", m.up)
    put_dense(out, name + ".dense2", m.down)


def weights(workload, m):
    """Every parameter and state of the workload's model in nnc, by path."""
    out = {}
    if workload in ("tiny", "mlp"):
        name = {"tiny": "net", "mlp": "mlp"}[workload]
        put_dense(out, name + ".dense1", m[0])
        put_dense(out, name + ".dense2", m[2])
    elif workload in ("lenet", "cnn"):
        for i, conv in enumerate(c for c in m.children() if isinstance(c, nn.Conv2d)):
            put_conv(out, f"{workload}.conv2d{i + 1}", conv)
        dense = [d for d in m.children() if isinstance(d, nn.Linear)]
        for i, d in enumerate(dense):
            put_dense(out, f"{workload}.dense{i + 1}", d)
        # behind the flattening the channels are last in nnc, first in PyTorch
        channels = 16 if workload == "lenet" else 64
        side = round((dense[0].in_features / channels) ** 0.5)
        w = dense[0].weight.view(-1, channels, side, side).permute(2, 3, 1, 0)
        out[f"{workload}.dense1.w"] = w.reshape(dense[0].in_features, -1)
    elif workload == "lstm":
        out["rnn.embedding1.table"] = m.embedding.weight
        out["rnn.lstm1.wx"], out["rnn.lstm1.wh"] = m.lstm.weight_ih_l0.T, m.lstm.weight_hh_l0.T
        out["rnn.lstm1.b"] = m.lstm.bias_ih_l0
        put_dense(out, "rnn.dense1", m.out)
    elif workload == "gpt":
        out["gpt.embedding1.table"], out["gpt.positions1.p"] = m.embedding.weight, m.place
        for i, block in enumerate(m.blocks):
            put_block(out, f"gpt.block{i + 1}", block)
        put_norm(out, "gpt.layernorm1", m.norm)
        put_dense(out, "gpt.dense1", m.out)
    else:
        put_unit(out, "resnet.convbn1", m.stem)
        for i, block in enumerate(m.blocks):
            for k, unit in enumerate((block.first, block.second, block.short)):
                if unit:
                    put_unit(out, f"resnet.basic{i + 1}.convbn{k + 1}", unit)
        put_dense(out, "resnet.dense1", m.out)
    return {name: t.detach().contiguous().numpy() for name, t in out.items()}
