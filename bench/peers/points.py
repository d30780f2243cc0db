"""The networks of a sweep's points in PyTorch; sweep.py holds them in .nn."""
from torch import nn

from networks import Attention


class Last(nn.Module):
    """A recurrent layer, then a dense one of the last state."""

    def __init__(self, layer, units):
        super().__init__()
        self.layer, self.out = layer, nn.Linear(units, 10)

    def forward(self, x):
        return self.out(self.layer(x)[0][:, -1])


class Attend(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.attention, self.norm, self.out = Attention(width, heads), nn.LayerNorm(width), nn.Linear(width, 10)

    def forward(self, x):
        return self.out(self.norm(x + self.attention(x)).mean(1))


def conv(channels, filters, kernel, stride):
    return nn.Sequential(nn.Conv2d(channels, filters, kernel, stride, kernel // 2), nn.ReLU(),
                         nn.Conv2d(filters, filters, kernel, 1, kernel // 2), nn.ReLU(),
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters, 10))


NETWORKS = {
    "dense": lambda inputs, units: nn.Sequential(nn.Linear(inputs, units), nn.ReLU(), nn.Linear(units, 10)),
    "conv": lambda channels, filters, kernel, stride, **_: conv(channels, filters, kernel, stride),
    "lstm_point": lambda inputs, units, **_: Last(nn.LSTM(inputs, units, batch_first=True), units),
    "gru_point": lambda inputs, units, **_: Last(nn.GRU(inputs, units, batch_first=True), units),
    "attention": lambda width, heads, **_: Attend(width, heads),
}
