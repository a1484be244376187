"""Residual networks of WGAN-GP and SNGAN for 32 pixels, and for any size by more levels.

Both papers share the block: (norm, ReLU, conv 3x3) twice beside a learned 1x1 shortcut, resampled
by nearest neighbours upwards and by means downwards. They differ in widths, in the critic's head
(mean or sum over positions) and in what tames it: a gradient penalty or spectral normalisation.
The 1x1 convolutions of the shortcuts run at the smaller resolution; they commute with resampling.
"""

import math

import keras

from gantools.errors import UserError
from gantools.nets.blocks import (
    Layers,
    activate,
    base_of,
    check_shape,
    crop,
    dimensions,
    halvings,
    norm,
    pad,
    picture,
    scaled,
    unchanged,
)
from gantools.nets.resampling import AverageDown, NearestUp, SumSpace

# "conv before ReLU": variance 4 / (fan_in + fan_out); shortcuts and linear layers half of that.
HE = scaled(math.sqrt(2), "fan_avg", "uniform")
GLOROT = scaled(1.0, "fan_avg", "uniform")

WGAN_GP_GENERATOR = {"latent": 128, "width": 128}
WGAN_GP_CRITIC = {"width": 128, "head": "mean"}
SNGAN_GENERATOR = {"latent": 128, "width": 256}
SNGAN_CRITIC = {"width": 128, "head": "sum"}


def generator(
    shape: tuple[int, ...],
    *,
    latent: int = 128,
    width: int = 128,
    levels: int | None = None,
    norm_kind: str = "batch",
    seed: int = 0,
) -> keras.Model:
    """Return a generator `(batch, latent)` -> `(batch, *shape)` float32 in [-1, 1].

    Args:
        shape: Shape of one sample.
        latent: Size of the noise vector.
        width: Channels of every block.
        levels: Doublings, one block each; None: from a shortest side near 4.
        norm_kind: "batch", "layer" or "none".
        seed: Same seed, same weights.

    Source: Gulrajani et al. 2017, arXiv 1704.00028, appendix F; Miyato et al. 2018, arXiv
    1802.05957, table 4.
    """
    shape = check_shape(shape, 8)
    levels = halvings(shape[:-1]) if levels is None else levels
    make = Layers(seed, HE)
    base = base_of(shape[:-1], 2**levels)
    z = keras.Input((latent,), name="z")
    x = make.dense(z, "dense", math.prod(base) * width, init=GLOROT)
    x = keras.layers.Reshape((*base, width))(x)
    for i in range(levels):
        x = block(make, x, f"block{i}", width, resample="up", norm_kind=norm_kind)
    x = activate(norm(x, norm_kind, "norm"), "relu")
    x = crop(make.conv(x, "out", shape[-1], init=GLOROT), shape[:-1])
    return keras.Model(z, picture(x, "tanh"), name="generator")


def critic(
    shape: tuple[int, ...],
    *,
    width: int = 128,
    levels: int | None = None,
    flat: int = 2,
    head: str = "mean",
    norm_kind: str = "none",
    wrap=unchanged,
    seed: int = 0,
) -> keras.Model:
    """Return a critic `(batch, *shape)` -> scores `(batch, 1)` float32.

    Args:
        shape: Shape of one sample; sides are padded with zeros to a multiple of 2**levels.
        width: Channels of every block.
        levels: Blocks that halve the picture; None: until the shortest side is near 8.
        flat: Blocks after them that keep the size.
        head: "mean" (WGAN-GP) or "sum" (SNGAN) over positions before the linear layer.
        norm_kind: "none" or "layer"; batch statistics would couple the samples of a penalty.
        wrap: Applied to every layer with a kernel, for example spectral normalisation.
        seed: Same seed, same weights.

    Raises:
        UserError: an unknown `head`.
    """
    if head not in ("mean", "sum"):
        raise UserError(f"head must be mean or sum. Received: head={head!r}.")
    shape = check_shape(shape, 8)
    levels = max(1, halvings(shape[:-1], 8)) if levels is None else levels
    make = Layers(seed, HE, wrap)
    inputs = x = keras.Input(shape, name="x")
    covering = tuple(side * 2**levels for side in base_of(shape[:-1], 2**levels))
    x = first_block(make, pad(x, covering), width)
    for i in range(1, levels):
        x = block(make, x, f"block{i}", width, resample="down", norm_kind=norm_kind)
    for i in range(levels, levels + flat):
        x = block(make, x, f"block{i}", width, norm_kind=norm_kind)
    x = activate(norm(x, norm_kind, "norm"), "relu")
    mean = getattr(keras.layers, f"GlobalAveragePooling{dimensions(x)}D")
    x = mean()(x) if head == "mean" else SumSpace()(x)
    return keras.Model(inputs, make.score(x, init=GLOROT), name="critic")


def block(make: Layers, x, name: str, width: int, *, resample: str = "none", norm_kind: str):
    """Apply one residual block: `(batch, *space, c)` -> `(batch, *resampled space, width)`.

    Args:
        make: The network's layers.
        x: Tensor `(batch, *space, c)`.
        name: Prefix of the names of its layers.
        width: Output channels.
        resample: "up", "down" or "none".
        norm_kind: Normalisation before each activation.
    """
    shortcut = x
    if resample == "down":
        shortcut = AverageDown(name=f"{name}_shortcut_down")(x)
    if resample != "none" or x.shape[-1] != width:
        shortcut = make.conv(shortcut, f"{name}_shortcut", width, 1, init=GLOROT)
    if resample == "up":
        shortcut = NearestUp(name=f"{name}_shortcut_up")(shortcut)
    y = activate(norm(x, norm_kind, f"{name}_norm1"), "relu")
    y = NearestUp(name=f"{name}_up")(y) if resample == "up" else y
    y = make.conv(y, f"{name}_conv1", width)
    y = activate(norm(y, norm_kind, f"{name}_norm2"), "relu")
    y = make.conv(y, f"{name}_conv2", width)
    y = AverageDown(name=f"{name}_down")(y) if resample == "down" else y
    return keras.layers.Add(name=name)([y, shortcut])


def first_block(make: Layers, x, width: int):
    """Apply the critic's first block, which has no activation before the picture is read."""
    small = AverageDown(name="block0_shortcut_down")(x)
    shortcut = make.conv(small, "block0_shortcut", width, 1, init=GLOROT)
    y = activate(make.conv(x, "block0_conv1", width), "relu")
    y = AverageDown(name="block0_down")(make.conv(y, "block0_conv2", width))
    return keras.layers.Add(name="block0")([y, shortcut])
