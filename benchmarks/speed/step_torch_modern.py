"""R3GAN's and CycleGAN's networks in plain PyTorch; see `step_torch_nets`."""

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.speed.step_torch_nets import Net, leaky

GROUP = 16


class R3ganNet(Net):
    """What the two networks of R3GAN share: stages of residual blocks, smallest map first."""

    def __init__(self, shape, widths, blocks, patch):
        super().__init__()
        self.widths, self.blocks, self.patch = widths, blocks, patch
        self.base = shape[0] // patch // 2 ** (len(widths) - 1)
        for name, width in ((name, w) for i, w in enumerate(widths) for name in self.names(i)):
            wide = 2 * width
            self.conv(f"{name}_in", width, wide, 1)
            self.conv(f"{name}_mid", wide, wide, groups=max(1, wide // GROUP))
            self.conv(f"{name}_out", wide, width, 1, bias=False)
        self.basis = nn.Parameter(torch.randn(widths[0], self.base, self.base) / self.base)

    def names(self, i):
        """Return the names of the blocks of stage i."""
        return [f"stage{i}_block{j}" for j in range(self.blocks)]

    def width_layers(self, inwards):
        """Add the 1x1 convolutions between stages, towards the smallest map or away from it."""
        for i, (small, large) in enumerate(pairwise(self.widths), 1):
            if small != large:
                sizes = (large, small) if inwards else (small, large)
                self.conv(f"stage{i}_width", *sizes, 1, bias=False)

    def stage(self, i, x):
        """Apply the blocks of stage i."""
        for name in self.names(i):
            y = leaky(self.layers[f"{name}_in"](x))
            y = leaky(self.layers[f"{name}_mid"](y))
            x = x + self.layers[f"{name}_out"](y)
        return x

    def to_width(self, i, x):
        """Apply the 1x1 convolution of stage i, if there is one."""
        name = f"stage{i}_width"
        return self.layers[name](x) if name in self.layers else x


class R3ganGenerator(R3ganNet):
    """See `gantools.nets.r3gan.generator`."""

    def __init__(self, shape, latent=64, widths=(96, 64, 48), blocks=1, patch=2):
        super().__init__(shape, widths, blocks, patch)
        self.layers["dense"] = nn.Linear(latent, widths[0], bias=False)
        self.width_layers(inwards=False)
        self.conv("picture_channels", widths[-1], shape[-1] * patch**2, bias=False)

    def forward(self, z):
        """Return `(batch, channels, height, width)`."""
        x = self.layers["dense"](z)[:, :, None, None] * self.basis
        x = x.contiguous(memory_format=torch.channels_last)
        for i in range(len(self.widths)):
            x = filter_up(self.to_width(i, x)) if i else x
            x = self.stage(i, x)
        return F.pixel_shuffle(self.layers["picture_channels"](x), self.patch)


class R3ganCritic(R3ganNet):
    """See `gantools.nets.r3gan.critic`."""

    def __init__(self, shape, widths=(96, 64, 48), blocks=1, patch=2):
        super().__init__(shape, widths, blocks, patch)
        self.conv("picture_channels", shape[-1] * patch**2, widths[-1], bias=False)
        self.width_layers(inwards=True)
        self.layers["score"] = nn.Linear(widths[0], 1, bias=False)

    def forward(self, x):
        """Return scores `(batch, 1)`."""
        x = self.layers["picture_channels"](F.pixel_unshuffle(x, self.patch))
        for i in reversed(range(len(self.widths))):
            x = self.stage(i, x)
            x = self.to_width(i, filter_down(x)) if i else x
        return self.layers["score"]((x * self.basis).sum((2, 3)))


def filter_up(x):
    """Double both sides as `gantools.nets.resampling.FilterUp`."""
    for axis, margin in ((2, (0, 0, 1, 0)), (3, (1, 0))):
        before = F.pad(x, margin).narrow(axis, 0, x.shape[axis])
        x = torch.stack([0.5 * (before + x), x], axis + 1).flatten(axis, axis + 1)
    return x.contiguous(memory_format=torch.channels_last)


def filter_down(x):
    """Halve both sides as `gantools.nets.resampling.FilterDown`: a depthwise convolution."""
    taps = torch.tensor([1.0, 2.0, 1.0], dtype=x.dtype) / 4
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(x, kernel, stride=2, padding=1, groups=x.shape[1])


class Translator(Net):
    """See `gantools.nets.unet.resnet`."""

    def __init__(self, channels, width=32, halvings=2, blocks=6):
        super().__init__()
        self.halvings, self.blocks = halvings, blocks
        self.normed("head", nn.Conv2d(channels, width, 7, bias=False))
        for i in range(halvings):
            step = nn.Conv2d(width * 2**i, width * 2 ** (i + 1), 3, 2, 1, bias=False)
            self.normed(f"down{i}", step)
        wide = width * 2**halvings
        for name in (f"block{i}_conv{j}" for i in range(blocks) for j in (1, 2)):
            self.normed(name, nn.Conv2d(wide, wide, 3, bias=False))
        for i in range(halvings):
            wide = width * 2 ** (halvings - i)
            step = nn.ConvTranspose2d(wide, wide // 2, 3, 2, 1, output_padding=1, bias=False)
            self.normed(f"up{i}", step)
        self.layers["tail"] = nn.Conv2d(width, channels, 7)

    def normed(self, name, layer):
        """Add a layer and the normalisation of its output."""
        self.layers[name] = layer
        width = layer.out_channels
        self.layers[f"{name}_norm"] = nn.InstanceNorm2d(width, affine=True)

    def step(self, name, x, margin=0):
        """Mirror the border, convolve and normalise."""
        x = F.pad(x, (margin,) * 4, mode="reflect") if margin else x
        return self.layers[f"{name}_norm"](self.layers[name](x))

    def forward(self, x):
        """Return `(batch, channels, height, width)`."""
        x = F.relu(self.step("head", x, 3), inplace=True)
        for i in range(self.halvings):
            x = F.relu(self.step(f"down{i}", x), inplace=True)
        for i in range(self.blocks):
            y = F.relu(self.step(f"block{i}_conv1", x, 1), inplace=True)
            x = x + self.step(f"block{i}_conv2", y, 1)
        for i in range(self.halvings):
            x = F.relu(self.step(f"up{i}", x), inplace=True)
        return torch.tanh(self.layers["tail"](F.pad(x, (3,) * 4, mode="reflect")))


class PatchCritic(Net):
    """See `gantools.nets.patch.critic`."""

    def __init__(self, channels, widths=(32, 64, 128), halvings=1):
        super().__init__()
        self.count = len(widths)
        for i, (before, width) in enumerate(pairwise((channels, *widths))):
            size = {"stride": 2, "padding": 1} if i < halvings else {"padding": 0}
            self.conv(f"conv{i}", before, width, 4, bias=i == 0, **size)
            if i:
                self.layers[f"norm{i}"] = nn.InstanceNorm2d(width, affine=True)
        self.conv("score", widths[-1], 1, 4, padding=0)

    def forward(self, x):
        """Return scores `(batch, 1, height, width)`."""
        for i in range(self.count):
            x = self.sized(self.layers[f"conv{i}"], x)
            x = self.layers[f"norm{i}"](x) if i else x
            x = F.leaky_relu(x, 0.2, inplace=True)
        return self.sized(self.layers["score"], x)

    def sized(self, conv, x):
        """Convolve by 4x4; with stride 1 the size stays, and the longer border is at the end."""
        return conv(x if conv.padding[0] else F.pad(x, (1, 2, 1, 2)))
