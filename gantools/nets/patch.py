"""Critics that judge patches: a map of scores, each of a part of the picture."""

import keras

from gantools.nets.blocks import Layers, activate, norm, normal

PAPER = {"widths": (64, 128, 256, 512), "halvings": 3}


def critic(
    channels: int = 3,
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    halvings: int = 3,
    norm_kind: str = "instance",
    seed: int = 0,
) -> keras.Model:
    """Return a critic `(batch, height, width, channels)` -> scores `(batch, h, w, 1)` float32.

    All kernels are 4x4. h and w are height and width divided by `2**halvings`, rounded up. With
    the defaults each score sees 70x70 pixels; `patch_side` tells it for others.

    Args:
        channels: Channels of the picture, or of the pictures that are judged together.
        widths: Channels of the convolutions before the score.
        halvings: How many of them, from the first on, have stride 2.
        norm_kind: "instance", "batch", "layer" or "none"; never on the first convolution.
        seed: Same seed, same weights.

    Source: Isola et al. 2016, arXiv 1611.07004, section 6.1.2.
    """
    make = Layers(seed, normal(0.02))
    inputs = x = keras.Input((None, None, channels), name="x")
    for i, width in enumerate(widths):
        bare = i == 0 or norm_kind == "none"
        x = make.conv(x, f"conv{i}", width, 4, strides=2 if i < halvings else 1, use_bias=bare)
        x = activate(x if bare else norm(x, norm_kind, f"norm{i}"), "leaky_relu")
    scores = make.conv(x, "score", 1, 4, dtype="float32")
    return keras.Model(inputs, scores, name="discriminator")


def patch_side(widths: tuple[int, ...], halvings: int) -> int:
    """Return the side in pixels of the square that one score of `critic` sees.

    Args:
        widths, halvings: As of `critic`.
    """
    side = 4  # of the score itself
    for i in reversed(range(len(widths))):
        side = (side - 1) * (2 if i < halvings else 1) + 4
    return side
