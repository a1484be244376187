"""Halving and doubling of pictures, signals and voxels, differentiable twice on every backend.

Built from reshapes, pads and sums only. `UpSampling2D(interpolation="bilinear")` and
`keras.ops.image.resize` have no second-order gradient on TensorFlow: a penalty would silently train
nothing through them.
"""

import keras
from keras import ops

_register = keras.saving.register_keras_serializable(package="gantools")


class _Resample(keras.layers.Layer):
    """A layer without weights that multiplies every space axis by `numerator / denominator`."""

    numerator, denominator = 1, 1

    def compute_output_shape(self, input_shape):
        """Return `(batch, *resampled space, channels)`; unknown sides stay unknown."""
        batch, *space, channels = input_shape
        resized = [s and s * self.numerator // self.denominator for s in space]
        return (batch, *resized, channels)


@_register
class NearestUp(_Resample):
    """Double every space axis by repeating: `(batch, *space, c)` -> `(batch, *2 space, c)`."""

    numerator = 2

    def call(self, x):
        """Return the doubled tensor."""
        for axis in range(1, len(x.shape) - 1):
            x = _interleave(x, x, axis)
        return x


@_register
class AverageDown(_Resample):
    """Halve every even space axis by means of 2 (4, 8) neighbours."""

    denominator = 2

    def call(self, x):
        """Return the halved tensor."""
        for axis in range(1, len(x.shape) - 1):
            even, odd = _split(x, axis)
            x = 0.5 * (even + odd)
        return x


@_register
class FilterUp(_Resample):
    """Double every space axis with the filter [1, 2, 1] / 2 after zero insertion.

    Along an axis, out[2i + 1] = x[i] and out[2i] = (x[i - 1] + x[i]) / 2 with x[-1] = 0.

    Source: Huang et al. 2024, arXiv 2501.05441 (R3GAN); the phase is that of StyleGAN2's
    upsampling (arXiv 1912.04958) for a filter of three taps.
    """

    numerator = 2

    def call(self, x):
        """Return the doubled tensor."""
        for axis in range(1, len(x.shape) - 1):
            x = _interleave(0.5 * (_previous(x, axis) + x), x, axis)
        return x


@_register
class FilterDown(_Resample):
    """Halve every even space axis with the filter [1, 2, 1] / 4: the adjoint of `FilterUp` / 2.

    Along an axis, out[i] = (x[2i - 1] + 2 x[2i] + x[2i + 1]) / 4 with x[-1] = 0.

    Source: as `FilterUp`.
    """

    denominator = 2

    def call(self, x):
        """Return the halved tensor."""
        for axis in range(1, len(x.shape) - 1):
            even, odd = _split(x, axis)
            x = 0.25 * (_previous(odd, axis) + odd) + 0.5 * even
        return x


@_register
class PixelShuffle(keras.layers.Layer):
    """Move channels into space: `(batch, *space, c * block**n)` -> `(batch, *block space, c)`.

    Channel `c * block**2 + dy * block + dx` becomes channel c of sub-pixel (dy, dx); likewise in
    one and three dimensions.

    Args:
        block: Enlargement of every space axis.
        **options: Of a Keras layer.

    Source: Shi et al. 2016, arXiv 1609.05158, eq. 4.
    """

    def __init__(self, block: int = 2, **options):
        super().__init__(**options)
        self.block = block

    def call(self, x):
        """Return the shuffled tensor."""
        n, block = len(x.shape) - 2, self.block
        space = ops.shape(x)[1:-1]
        channels = x.shape[-1] // block**n
        x = ops.reshape(x, (-1, *space, channels, *(block,) * n))
        pairs = [axis for i in range(n) for axis in (1 + i, n + 2 + i)]
        x = ops.transpose(x, (0, *pairs, n + 1))
        return ops.reshape(x, (-1, *(side * block for side in space), channels))

    def compute_output_shape(self, input_shape):
        """Return `(batch, *block space, c)`."""
        batch, *space, channels = input_shape
        grown = [side and side * self.block for side in space]
        return (batch, *grown, channels // self.block ** len(space))

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "block": self.block}


@_register
class PixelUnshuffle(keras.layers.Layer):
    """Move space into channels, the inverse of `PixelShuffle`; sides must be multiples of `block`.

    Args:
        block: Side of the cells that become channels.
        **options: Of a Keras layer.
    """

    def __init__(self, block: int = 2, **options):
        super().__init__(**options)
        self.block = block

    def call(self, x):
        """Return the unshuffled tensor."""
        n, block, channels = len(x.shape) - 2, self.block, x.shape[-1]
        space = [side // block for side in ops.shape(x)[1:-1]]
        cells = [size for side in space for size in (side, block)]
        x = ops.reshape(x, (-1, *cells, channels))
        outer, inner = range(1, 2 * n, 2), range(2, 2 * n + 1, 2)
        x = ops.transpose(x, (0, *outer, 2 * n + 1, *inner))
        return ops.reshape(x, (-1, *space, channels * block**n))

    def compute_output_shape(self, input_shape):
        """Return `(batch, *space / block, c * block**n)`."""
        batch, *space, channels = input_shape
        shrunk = [side and side // self.block for side in space]
        return (batch, *shrunk, channels * self.block ** len(space))

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "block": self.block}


@_register
class SumSpace(keras.layers.Layer):
    """Sum over all positions: `(batch, *space, channels)` -> `(batch, channels)`."""

    def call(self, x):
        """Return the sums."""
        return ops.sum(x, axis=tuple(range(1, len(x.shape) - 1)))

    def compute_output_shape(self, input_shape):
        """Return `(batch, channels)`."""
        return (input_shape[0], input_shape[-1])


def _interleave(first, second, axis: int):
    """Alternate two tensors along `axis`: first[0], second[0], first[1], ..."""
    space = list(ops.shape(first))
    space[axis] = 2 * space[axis]
    return ops.reshape(ops.stack([first, second], axis=axis + 1), (-1, *space[1:]))


def _split(x, axis: int):
    """Return the entries with even and with odd index along `axis`."""
    space = list(ops.shape(x))
    pairs = ops.reshape(x, (-1, *space[1:axis], space[axis] // 2, 2, *space[axis + 1 :]))
    even, odd = ops.split(pairs, 2, axis=axis + 1)
    return ops.squeeze(even, axis + 1), ops.squeeze(odd, axis + 1)


def _previous(x, axis: int):
    """Shift by one along `axis`, a zero coming in at index 0."""
    widths = [(0, 0)] * len(x.shape)
    widths[axis] = (1, 0)
    keep = [slice(None)] * len(x.shape)
    keep[axis] = slice(0, -1)
    return ops.pad(x, widths)[tuple(keep)]
