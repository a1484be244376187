"""A restorer and its discriminator: strided convolutions only, small enough for a CPU.

No layer works at full resolution: the restorer ends with sub-pixels, the discriminator begins with
a stride. Normalisation costs as much as the convolutions on CPUs: the restorer has none, the
discriminator has group normalisation in its last two blocks. Scores need inference to be training:
no layer here knows a batch.
"""

import math

import keras
from keras import ops

from gantools.nets.blocks import (
    Layers,
    activate,
    base_of,
    check_shape,
    crop,
    halvings,
    picture,
    scaled,
)
from gantools.nets.dcgan import double

WIDTHS = (16, 24, 48, 96, 96, 96)  # of 64 pixels; smaller pictures start later in the row
GROUPS = 8
HEADS = ("adv", "rotation", "damaged", "mask", "hidden")  # before the features


def widths_of(shape, widths=WIDTHS):
    """Return the channels of each halving: the last ones of four, or more for large pictures."""
    levels = max(2, halvings(tuple(shape)[:-1]))
    return tuple(widths[max(0, 4 - levels) :][:levels])


def generator(
    shape: tuple[int, ...],
    *,
    widths: tuple[int, ...] | None = None,
    latent: int = 64,
    seed: int = 0,
) -> keras.Model:
    """Return a restorer, damaged pictures `(batch, *shape)` -> restored ones in [-1, 1].

    Its layer "latent" `(batch, latent)` is the narrow place through which all must pass.

    Args:
        shape: `(height, width, channels)`.
        widths: Channels of the halvings; None: `widths_of(shape)`.
        latent: Size of the narrow place.
        seed: Same seed, same weights.
    """
    shape = check_shape(shape, 8)
    widths = widths or widths_of(shape)
    make = Layers(seed, scaled(math.sqrt(2)))
    inputs = x = keras.Input(shape, name="x")
    for i, width in enumerate(widths):
        x = activate(make.conv(x, f"down{i}", width, 4, strides=2), "leaky_relu")
    x = keras.layers.Flatten()(x)
    z = make.dense(x, "latent", latent, init=scaled(1.0))
    base = base_of(shape[:-1], 2 ** len(widths))
    x = make.dense(z, "grow", math.prod(base) * widths[-1])
    x = keras.layers.Reshape((*base, widths[-1]))(activate(x, "leaky_relu"))
    for i, width in enumerate(widths[-2::-1]):
        x = activate(double(make, x, f"up{i}", width, 3, "subpixel"), "leaky_relu")
    x = double(make, x, "out", shape[-1], 3, "subpixel", init=scaled(0.1))
    return keras.Model(inputs, picture(crop(x, shape[:-1]), "tanh"), name="generator")


def discriminator(
    shape: tuple[int, ...],
    *,
    widths: tuple[int, ...] | None = None,
    hidden: int = 64,
    seed: int = 0,
) -> keras.Model:
    """Return a discriminator with several heads.

    Args:
        shape: `(height, width, channels)`.
        widths: Channels of the halvings; None: `widths_of(shape)`.
        hidden: Units of the layer under the heads.
        seed: Same seed, same weights.

    Returns:
        Model, pictures -> list, in the order of `HEADS`: real? `(batch, 1)`, rotation
        `(batch, 4)`, damaged? `(batch, 1)`, where damaged? `(batch, h / t, w / t, 1)` with t of
        `mask_stride`, all logits; the hidden layer `(batch, hidden)`; then the features of every
        halving `(batch, h, w, c)`.
    """
    shape = check_shape(shape, 8)
    widths = widths or widths_of(shape)
    make = Layers(seed, scaled(math.sqrt(2)))
    inputs = x = keras.Input(shape, name="x")
    features = []
    for i, width in enumerate(widths):
        x = make.conv(x, f"down{i}", width, 4, strides=2)
        if i >= max(1, len(widths) - 2):
            groups = math.gcd(GROUPS, width)
            x = keras.layers.GroupNormalization(groups, epsilon=1e-5, name=f"norm{i}")(x)
        x = activate(x, "leaky_relu")
        features.append(x)
    level = int(math.log2(mask_stride(shape))) - 1
    where = make.conv(features[level], "mask", 1, 1, init=scaled(1.0), dtype="float32")
    flat = keras.layers.Flatten()(x)
    h = activate(make.dense(flat, "hidden", hidden), "leaky_relu")
    pooled = [Pooled(name="pooled")(x), h]
    heads = [
        make.score(h, "adv", init=scaled(1.0)),
        make.dense(h, "rotation", 4, init=scaled(1.0), dtype="float32"),
        make.score(keras.layers.Concatenate()(pooled), "damaged", init=scaled(1.0)),
        where,
        h,
    ]
    return keras.Model(inputs, [*heads, *features], name="discriminator")


def quarter_turns(x, k: int):
    """Return pictures `(batch, h, w, c)` turned by k quarters, against the clock."""
    if k % 2:
        x = ops.flip(ops.transpose(x, (0, 2, 1, 3)), axis=1)
    return ops.flip(x, axis=(1, 2)) if k % 4 >= 2 else x


def mask_stride(shape) -> int:
    """Return the pixels of a cell of the damage mask: 4, from 64 pixels on 8."""
    return 8 if min(tuple(shape)[:-1]) >= 56 else 4


@keras.saving.register_keras_serializable(package="gantools")
class Pooled(keras.layers.Layer):
    """Means and maxima over all positions: `(batch, *space, c)` -> `(batch, 2 c)`."""

    def call(self, x):
        """Return the means, then the maxima."""
        axes = tuple(range(1, len(x.shape) - 1))
        return ops.concatenate([ops.mean(x, axis=axes), ops.max(x, axis=axes)], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return `(batch, 2 c)`."""
        return (input_shape[0], 2 * input_shape[-1])
