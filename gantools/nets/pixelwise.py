"""A critic that judges every place of a picture, and sees its detail only."""

import keras
import numpy as np
from keras import ops

from gantools.data.resample import resize
from gantools.nets.blocks import Layers, activate, check_shape, normal, unchanged
from gantools.nets.resampling import NearestUp, PixelUnshuffle

# One over the standard deviation of the detail that photographs in [-1, 1] lose at x4. Without it a
# critic with spectral norm, whose scores change by no more than its input, tells too little.
GAIN = 6.0


@keras.saving.register_keras_serializable(package="gantools")
class Detail(keras.layers.Layer):
    """What a picture loses when it is reduced and enlarged again, amplified: GAIN (x - U D x).

    U and D are the exact bicubic pair, so the mean of the result is 0 and its gradient by x sums to
    0 over a picture: who learns by it alone cannot change colours.

    Args:
        scale: Reduction; both sides of the picture, known when the layer is built, are multiples.
        **options: Of a Keras layer; it computes in float32 by default.

    Source: the split into bands is that of Korkmaz et al. 2024, arXiv 2402.19215; there by a
        stationary wavelet transform.
    """

    def __init__(self, scale: int, dtype="float32", **options):
        super().__init__(dtype=dtype, **options)
        self.scale = scale

    def build(self, input_shape):
        """Prepare the low pass of each axis."""
        self.matrices = [low_pass(side, self.scale) for side in input_shape[1:3]]
        self.built = True

    def call(self, x):
        """Return GAIN (x - U D x), shape of `x`."""
        rows, columns = self.matrices
        low = ops.einsum("hH,bHWc->bhWc", rows, x)
        return GAIN * (x - ops.einsum("wW,bhWc->bhwc", columns, low))

    def compute_output_shape(self, input_shape):
        """Return `input_shape`."""
        return input_shape

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "scale": self.scale}


def low_pass(side: int, scale: int) -> np.ndarray:
    """Return the matrix U D `(side, side)` float32 of one axis: reduced by `scale`, enlarged again.

    Args:
        side: Pixels, a multiple of `scale`.
        scale: Reduction.
    """
    down = resize(np.eye(side), size=(side // scale, side))
    return resize(down, size=(side, side)).astype(np.float32)


def critic(
    shape: tuple[int, int, int],
    *,
    width: int = 32,
    levels: int = 3,
    cell: int = 2,
    detail: int = 0,
    wrap=unchanged,
    seed: int = 0,
) -> keras.Model:
    """Return a U-Net critic `(batch, *shape)` -> `(scores, [feature, ...])`.

    Args:
        shape: (height, width, channels), sides multiples of `cell * 2**levels`.
        width: Channels at the finest level; each coarser one has twice as many.
        levels: Halvings.
        cell: Side of the cells that one score judges. 1 is the published network; 2 moves cells
            into channels first, which loses nothing and costs a quarter.
        detail: Scale of the `Detail` that is all the critic sees; 0: it sees the picture.
        wrap: Applied to every convolution, for example spectral normalisation.
        seed: Same seed, same weights.

    Returns:
        A model with the outputs `scores` `(batch, height / cell, width / cell, 1)` float32 and the
        activations of all levels, down and up again.

    Raises:
        UserError: a shape that is no picture or too small.

    Source: Wang et al. 2021, arXiv 2107.10833, section 3.2; after Schoenfeld et al. 2020, arXiv
        2002.12655. Doubled by repeating instead of bilinearly.
    """
    shape = check_shape(shape, cell * 2**levels)
    make = Layers(seed, normal(0.02), wrap)
    inputs = x = keras.Input(shape, name="x")
    x = Detail(detail, name="detail")(x) if detail else x
    x = PixelUnshuffle(cell, name="cells")(x) if cell > 1 else x
    x = activate(make.conv(x, "head", width), "leaky_relu", "head_act")
    finer, maps = [], []
    for i in range(levels):
        finer.append(x)
        x = make.conv(x, f"down{i}", width * 2 ** (i + 1), 4, strides=2)
        x = activate(x, "leaky_relu", f"down{i}_act")
        maps.append(x)
    for i in reversed(range(levels)):
        x = make.conv(NearestUp(name=f"double{i}")(x), f"up{i}", width * 2**i)
        x = activate(x, "leaky_relu", f"up{i}_act")
        x = keras.layers.Add(name=f"join{i}")([x, finer[i]])
        maps.append(x)
    for i in range(2):
        x = activate(make.conv(x, f"last{i}", width), "leaky_relu", f"last{i}_act")
    scores = make.conv(x, "score", 1, dtype="float32")
    return keras.Model(inputs, (scores, maps), name="discriminator")
