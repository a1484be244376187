"""ESRGAN's generator: residual-in-residual dense blocks, no normalisation."""

import math

import keras

from gantools.errors import UserError
from gantools.nets.blocks import Layers, activate, picture, scaled
from gantools.nets.resampling import NearestUp

PAPER = {"width": 64, "growth": 32, "blocks": 23}
SHARE = 0.2  # of a branch that is added to its shortcut
START = 0.1  # of the usual spread of initial weights, which deep sums of branches need


def generator(
    channels: int = 3,
    *,
    scale: int = 4,
    width: int = 64,
    growth: int = 32,
    blocks: int = 23,
    seed: int = 0,
) -> keras.Model:
    """Return RRDBNet: `(batch, height, width, channels)` -> `scale` times as large, linear.

    Args:
        channels: 1 or 3.
        scale: Enlargement, a power of 2.
        width: Channels of the trunk.
        growth: Channels that each convolution of a dense block adds.
        blocks: Blocks of three dense blocks.
        seed: Same seed, same weights.

    Returns:
        A model whose float32 output is not held to [-1, 1].

    Raises:
        UserError: `scale` is not a power of 2.

    Source: Wang et al. 2018, arXiv 1809.00219, section 3.1 and figure 4.
    """
    doublings = round(math.log2(scale)) if scale > 0 else 0
    if scale < 2 or 2**doublings != scale:
        raise UserError(f"scale must be 2, 4 or 8. Received: scale={scale}.")
    make = Layers(seed, scaled(START * math.sqrt(2)))
    inputs = keras.Input((None, None, channels), name="low")
    head = x = make.conv(inputs, "head", width)
    for i in range(blocks):
        start = x
        for j in range(3):
            x = _dense_block(make, x, f"block{i}_{j}", growth)
        x = _added(x, start, f"block{i}")
    x = keras.layers.Add(name="long")([make.conv(x, "body", width), head])
    for i in range(doublings):
        x = make.conv(NearestUp(name=f"double{i}")(x), f"up{i}", width)
        x = activate(x, "leaky_relu", f"up{i}_act")
    x = activate(make.conv(x, "last", width), "leaky_relu", "last_act")
    return keras.Model(inputs, picture(make.conv(x, "tail", channels), "linear"), name="generator")


def _dense_block(make, start, name, growth):
    """Apply five convolutions of which each sees all before it, and add a share of the last."""
    seen = [start]
    for k in range(1, 5):
        x = keras.layers.Concatenate(name=f"{name}_in{k}")(seen) if k > 1 else start
        x = make.conv(x, f"{name}_conv{k}", growth)
        seen.append(activate(x, "leaky_relu", f"{name}_act{k}"))
    x = keras.layers.Concatenate(name=f"{name}_in5")(seen)
    return _added(make.conv(x, f"{name}_conv5", start.shape[-1]), start, name)


def _added(branch, start, name):
    branch = keras.layers.Rescaling(SHARE, name=f"{name}_less")(branch)
    return keras.layers.Add(name=name)([branch, start])
