"""R3GAN networks: residual blocks without any normalisation, tamed by R1 and R2 alone.

Both players mirror each other. A stage is a change of size ([1, 2, 1] filter, then or before it a
1x1 convolution when the width changes) and `blocks` residual blocks: 1x1 to twice the width, 3x3 in
groups of 16 channels, 1x1 back, starting at zero. The generator starts from a learned 4x4 basis.

With `patch=2` a picture is cut into cells of 2x2 pixels that become channels, so that all work is
done at half the side: four times faster, and not in the paper. The convolutions that read and write
cells are 3x3, and start equal for all pixels of a cell: 1x1 leaves a pattern of cells in samples.
"""

import math
from functools import partial

import keras
from keras import ops

from gantools.nets.blocks import (
    EqualSubpixels,
    Layers,
    activate,
    base_of,
    check_shape,
    crop,
    further_halvings,
    halvings,
    layer_seed,
    pad,
    picture,
    scaled,
    unchanged,
    zeros,
)
from gantools.nets.resampling import FilterDown, FilterUp, PixelShuffle, PixelUnshuffle

LINEAR = scaled(1.0)
GROUP = 16  # channels of a group at every width of the paper
PAPER = {"width": 768, "blocks": 2, "expansion": 2}


@keras.saving.register_keras_serializable(package="gantools")
class Basis(keras.layers.Layer):
    """A learned picture for each channel, weighted by a vector or matched against a map.

    `spread`: `(batch, channels)` -> `(batch, *space, channels)`, the generator's start. Otherwise
    `(batch, *space, channels)` -> `(batch, channels)`, the critic's end: a depthwise convolution
    with one position.

    Args:
        space: Size of the pictures.
        spread: The direction.
        seed: Seed of the initial normal distribution.
        **options: Of a Keras layer.
    """

    def __init__(self, space: tuple[int, ...], *, spread: bool, seed: int = 0, **options):
        super().__init__(**options)
        self.space, self.spread, self.seed = tuple(space), spread, seed

    def build(self, input_shape):
        """Create the pictures: N(0, 1) to spread, N(0, 1 / positions) to match."""
        deviation = 1.0 if self.spread else 1 / math.sqrt(math.prod(self.space))
        self.kernel = self.add_weight(
            shape=(*self.space, input_shape[-1]),
            initializer=keras.initializers.RandomNormal(0.0, deviation, seed=self.seed),
            name="kernel",
        )

    def call(self, x):
        """Return the weighted pictures, or the matches."""
        if self.spread:
            return self.kernel * ops.reshape(x, (-1, *(1,) * len(self.space), x.shape[-1]))
        return ops.sum(x * self.kernel, axis=tuple(range(1, len(self.space) + 1)))

    def compute_output_shape(self, input_shape):
        """Return the shape of either direction."""
        middle = self.space if self.spread else ()
        return (input_shape[0], *middle, input_shape[-1])

    def get_config(self):
        """Return the arguments of the layer."""
        own = {"space": self.space, "spread": self.spread, "seed": self.seed}
        return {**super().get_config(), **own}


def stage_widths(space: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Return the channels of each stage, smallest map first: `width` up to 32 px, then halved.

    Args:
        space: Sides of the map that the last stage works on.
        width: Channels of the small stages, 768 in the paper.
    """
    levels = halvings(space)
    return tuple(max(1, width // 2 ** max(0, i - 3)) for i in range(levels + 1))


def generator(
    shape: tuple[int, ...],
    *,
    latent: int = 64,
    width: int = 768,
    widths: tuple[int, ...] | None = None,
    blocks: int = 2,
    expansion: int = 2,
    patch: int = 1,
    largest: int | None = None,
    seed: int = 0,
) -> keras.Model:
    """Return a generator `(batch, latent)` -> `(batch, *shape)` float32: about [-1, 1], unbounded.

    Args:
        shape: Shape of one sample.
        latent: Size of the noise vector.
        width: Channels of the small stages, see `stage_widths`.
        widths: Channels of every stage instead, smallest map first.
        blocks: Residual blocks of a stage.
        expansion: Widening inside a block.
        patch: Side of the cells of pixels that the last stage makes at once; 1 in the paper.
        largest: Longest allowed side of the basis: stages of the first width are put before the
            others until the shorter side is no longer; None: as `widths` have it.
        seed: Same seed, same weights.

    Source: Huang et al. 2024, arXiv 2501.05441, section 3 and config E.
    """
    shape, widths, base = _plan(shape, width, widths, patch, largest)
    make = Layers(seed, LINEAR)
    gain = _gain(len(widths) * blocks)
    z = keras.Input((latent,), name="z")
    x = make.dense(z, "dense", widths[0], use_bias=False)
    x = Basis(base, spread=True, seed=layer_seed(seed, "basis"), name="basis")(x)
    for i, channels in enumerate(widths):
        if i:
            x = _to_width(make, x, f"stage{i}", channels)
            x = FilterUp(name=f"stage{i}_up")(x)
        for j in range(blocks):
            x = _block(make, x, f"stage{i}_block{j}", expansion, gain)
    if patch > 1:
        count = patch ** len(base)
        init = partial(EqualSubpixels, count)
        x = make.conv(x, "picture_channels", shape[-1] * count, 3, use_bias=False, init=init)
        x = PixelShuffle(patch, name="cells")(x)
    else:
        x = make.conv(x, "picture_channels", shape[-1], 1, use_bias=False)
    return keras.Model(z, picture(crop(x, shape[:-1]), "linear"), name="generator")


def critic(
    shape: tuple[int, ...],
    *,
    width: int = 768,
    widths: tuple[int, ...] | None = None,
    blocks: int = 2,
    expansion: int = 2,
    patch: int = 1,
    largest: int | None = None,
    wrap=unchanged,
    seed: int = 0,
) -> keras.Model:
    """Return a critic `(batch, *shape)` -> scores `(batch, 1)` float32.

    Arguments as for `generator`, `widths` smallest map first as there; sides are padded with zeros
    to what the generator crops. `wrap` is applied to every convolution and dense layer.
    """
    shape, widths, base = _plan(shape, width, widths, patch, largest)
    make = Layers(seed, LINEAR, wrap)
    gain = _gain(len(widths) * blocks)
    levels = len(widths) - 1
    inputs = keras.Input(shape, name="x")
    x = pad(inputs, tuple(side * patch * 2**levels for side in base))
    x = PixelUnshuffle(patch, name="cells")(x) if patch > 1 else x
    x = make.conv(x, "picture_channels", widths[-1], 1 if patch == 1 else 3, use_bias=False)
    for i in reversed(range(levels + 1)):
        for j in range(blocks):
            x = _block(make, x, f"stage{i}_block{j}", expansion, gain)
        if i:
            x = FilterDown(name=f"stage{i}_down")(x)
            x = _to_width(make, x, f"stage{i}", widths[i - 1])
    x = Basis(base, spread=False, seed=layer_seed(seed, "basis"), name="basis")(x)
    return keras.Model(inputs, make.score(x, use_bias=False), name="critic")


def _plan(shape, width, widths, patch, largest):
    """Return the checked sample shape, the stages' widths and the size of the smallest map."""
    shape = check_shape(shape, 8)
    cells = base_of(shape[:-1], patch)
    widths = tuple(widths) if widths else stage_widths(cells, width)
    widths = (widths[0],) * further_halvings(cells, 2 ** (len(widths) - 1), largest) + widths
    return shape, widths, base_of(cells, 2 ** (len(widths) - 1))


def _gain(count: int) -> float:
    """Return the gain of the first two layers of each of `count` blocks: stable at any depth.

    Source: as `generator`; the exponent -1/4 is that of Fixup (arXiv 1901.09321) for three layers.
    """
    return math.sqrt(2 / (1 + 0.2**2)) * count**-0.25


def _block(make: Layers, x, name: str, expansion: int, gain: float):
    """Apply one residual block; shape and width stay."""
    width = x.shape[-1]
    wide = width * expansion
    init = scaled(gain)
    y = activate(make.conv(x, f"{name}_in", wide, 1, init=init), "leaky_relu")
    y = make.conv(y, f"{name}_mid", wide, 3, init=init, groups=max(1, wide // GROUP))
    y = activate(y, "leaky_relu")
    y = make.conv(y, f"{name}_out", width, 1, init=zeros, use_bias=False)
    return keras.layers.Add(name=name)([x, y])


def _to_width(make: Layers, x, name: str, channels: int):
    """Change the number of channels by a 1x1 convolution, where it changes."""
    if x.shape[-1] == channels:
        return x
    return make.conv(x, f"{name}_width", channels, 1, use_bias=False)
