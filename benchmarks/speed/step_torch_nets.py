"""The networks of the step-time benchmark in plain PyTorch.

Layers have the names that they have in `gantools.nets`, so that weights can be carried over and
both sides compared. Pictures are `(batch, channels, height, width)`, channels last in memory.
"""

from functools import partial
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

leaky = partial(F.leaky_relu, negative_slope=0.2)


class Net(nn.Module):
    """Holds its layers by their names."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleDict()

    def conv(self, name, before, after, kernel=3, **options):
        """Add a convolution that keeps the size, unless `options` say otherwise."""
        options = {"padding": kernel // 2, **options}
        self.layers[name] = nn.Conv2d(before, after, kernel, **options)

    def spread(self, name, z, base):
        """Apply the dense layer `name` and return its output as a map of `base` x `base`."""
        x = self.layers[name](z)
        return x.view(len(z), base, base, -1).permute(0, 3, 1, 2)


class DcganGenerator(Net):
    """See `gantools.nets.dcgan.generator`."""

    def __init__(self, shape, latent=100, widths=(512, 256, 128, 64)):
        super().__init__()
        self.base, self.count, add = shape[0] // 2 ** len(widths), len(widths), self.layers
        add["dense"] = nn.Linear(latent, self.base**2 * widths[0], bias=False)
        add["norm0"] = nn.BatchNorm2d(widths[0])
        for i, (before, width) in enumerate(pairwise(widths), 1):
            add[f"up{i}"] = nn.ConvTranspose2d(before, width, 4, 2, 1, bias=False)
            add[f"norm{i}"] = nn.BatchNorm2d(width)
        add["out"] = nn.ConvTranspose2d(widths[-1], shape[-1], 4, 2, 1)

    def forward(self, z):
        """Return `(batch, channels, height, width)`."""
        x = self.spread("dense", z, self.base)
        for i in range(self.count):
            x = self.layers[f"up{i}"](x) if i else x
            x = F.relu(self.layers[f"norm{i}"](x), inplace=True)
        return torch.tanh(self.layers["out"](x))


class DcganDiscriminator(Net):
    """See `gantools.nets.dcgan.discriminator`."""

    def __init__(self, shape, widths=(64, 128, 256, 512)):
        super().__init__()
        self.count = len(widths)
        for i, (before, width) in enumerate(pairwise((shape[-1], *widths))):
            self.conv(f"down{i}", before, width, 4, stride=2, padding=1, bias=i == 0)
            if i:
                self.layers[f"norm{i}"] = nn.BatchNorm2d(width)
        side = shape[0] // 2 ** len(widths)
        self.layers["score"] = nn.Linear(side**2 * widths[-1], 1)

    def forward(self, x):
        """Return logits `(batch, 1)`."""
        for i in range(self.count):
            x = self.layers[f"down{i}"](x)
            x = self.layers[f"norm{i}"](x) if i else x
            x = F.leaky_relu(x, 0.2, inplace=True)
        return self.layers["score"](x.permute(0, 2, 3, 1).flatten(1))


class ResidualNet(Net):
    """What the two networks of WGAN-GP share: blocks of two convolutions beside a shortcut."""

    def block_layers(self, name, before, width, shortcut, normed=False):
        """Add the layers of one block."""
        if shortcut:
            self.conv(f"{name}_shortcut", before, width, 1)
        for i, channels in ((1, before), (2, width)):
            if normed:
                self.layers[f"{name}_norm{i}"] = nn.BatchNorm2d(channels)
            self.conv(f"{name}_conv{i}", channels, width)

    def active(self, name, x):
        """Return the ReLU of x, normalised if there is such a layer."""
        return F.relu(self.layers[name](x) if name in self.layers else x)


class ResnetGenerator(ResidualNet):
    """See `gantools.nets.resnet.generator`."""

    def __init__(self, shape, latent=128, width=128, levels=3):
        super().__init__()
        self.base, self.levels = shape[0] // 2**levels, levels
        self.layers["dense"] = nn.Linear(latent, self.base**2 * width)
        for i in range(levels):
            self.block_layers(f"block{i}", width, width, True, normed=True)
        self.layers["norm"] = nn.BatchNorm2d(width)
        self.conv("out", width, shape[-1])

    def forward(self, z):
        """Return `(batch, channels, height, width)`."""
        double = partial(F.interpolate, scale_factor=2, mode="nearest")
        x = self.spread("dense", z, self.base)
        for name in (f"block{i}" for i in range(self.levels)):
            y = double(self.active(f"{name}_norm1", x))
            y = self.active(f"{name}_norm2", self.layers[f"{name}_conv1"](y))
            x = self.layers[f"{name}_conv2"](y) + double(self.layers[f"{name}_shortcut"](x))
        return torch.tanh(self.layers["out"](self.active("norm", x)))


class ResnetCritic(ResidualNet):
    """See `gantools.nets.resnet.critic`."""

    def __init__(self, shape, width=128, levels=2, flat=2):
        super().__init__()
        self.levels, self.count = levels, levels + flat
        for i in range(self.count):
            self.block_layers(f"block{i}", width if i else shape[-1], width, i < levels)
        self.layers["score"] = nn.Linear(width, 1)

    def forward(self, x):
        """Return scores `(batch, 1)`."""
        for i in range(self.count):
            name, halve = f"block{i}", partial(F.avg_pool2d, kernel_size=2)
            halve = halve if i < self.levels else lambda x: x
            y = self.layers[f"{name}_conv1"](F.relu(x) if i else x)
            y = halve(self.layers[f"{name}_conv2"](F.relu(y)))
            x = halve(x)
            x = y + (self.layers[f"{name}_shortcut"](x) if i < self.levels else x)
        return self.layers["score"](F.relu(x).mean((2, 3)))
