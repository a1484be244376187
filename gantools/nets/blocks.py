"""Building blocks of all networks: named, seeded layers in one, two or three dimensions.

The number of dimensions is read from the tensor: `(batch, *space, channels)`, channels last.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass

import keras

from gantools.errors import UserError

Initializer = keras.initializers.Initializer
FEW_GROUPS = 16  # the published sizes of grouped networks have up to 96, and need a GPU anyway


def layer_seed(seed: int, name: str) -> int:
    """Return the seed of the layer `name` in a network with seed `seed`: same pair, same number.

    Args:
        seed: Seed of the whole network, any int.
        name: Name of the layer; unique within the network.
    """
    return zlib.crc32(f"{seed}/{name}".encode()) & 0x7FFFFFFF


def normal(stddev: float) -> Callable[[int], Initializer]:
    """Return the family of initial distributions N(0, stddev): seed -> initializer."""
    return lambda seed: keras.initializers.RandomNormal(0.0, stddev, seed=seed)


def uniform(reach: float) -> Callable[[int], Initializer]:
    """Return the family of initial distributions U(-reach, reach): seed -> initializer."""
    return lambda seed: keras.initializers.RandomUniform(-reach, reach, seed=seed)


def scaled(gain: float = 1.0, mode: str = "fan_in", kind: str = "untruncated_normal"):
    """Return the family of distributions with variance gain**2 / fan: seed -> initializer.

    Args:
        gain: sqrt(2) suits a layer before a ReLU, 1 a linear layer.
        mode: "fan_in" or "fan_avg".
        kind: "untruncated_normal" or "uniform".
    """
    return lambda seed: keras.initializers.VarianceScaling(gain**2, mode, kind, seed=seed)


@keras.saving.register_keras_serializable(package="gantools")
class EqualSubpixels(Initializer):
    """One random filter for all sub-pixels of a channel: no chequerboard before a pixel shuffle.

    The filters are N(0, 1 / fan_in).

    Args:
        count: Sub-pixels of a cell, `block ** dimensions`.
        seed: Seed of the filters.

    Source: Aitken et al. 2017, arXiv 1707.02937 (ICNR).
    """

    def __init__(self, count: int, seed: int):
        self.count, self.seed = count, seed

    def __call__(self, shape, dtype=None):
        """Return `(*kernel, channels_in, channels * count)`."""
        few = (*shape[:-1], shape[-1] // self.count)
        filters = scaled(1.0)(self.seed)(few, dtype=dtype)
        return keras.ops.repeat(filters, self.count, axis=-1)

    def get_config(self):
        """Return the arguments."""
        return {"count": self.count, "seed": self.seed}


def zeros(seed: int) -> Initializer:
    """Return the initializer of layers that start silent; `seed` is not used."""
    return keras.initializers.Zeros()


def unchanged(layer: keras.layers.Layer) -> keras.layers.Layer:
    """Return `layer`: the default of every `wrap` argument."""
    return layer


@dataclass(frozen=True)
class Layers:
    """Adds layers to one network; names, seeds and the initial distribution in one place.

    Attributes:
        seed: Seed of the network; each layer derives its own from it and its name.
        init: Family of kernel distributions, seed -> initializer.
        wrap: Applied to every convolution and dense layer, for example spectral normalisation.
    """

    seed: int
    init: Callable[[int], Initializer]
    wrap: Callable[[keras.layers.Layer], keras.layers.Layer] = unchanged

    def conv(self, x, name: str, filters: int, kernel: int = 3, *, init=None, **options):
        """Convolve `(batch, *space, channels)` with zero 'same' padding.

        Args:
            x: Tensor `(batch, *space, channels)`, 1 to 3 space axes.
            name: Name of the layer.
            filters: Output channels.
            kernel: Side of the kernel.
            init: Another distribution than the network's.
            **options: Of the Keras layer: strides, groups, padding, use_bias, dtype.

        Returns:
            `(batch, *ceil(space / strides), filters)`.
        """
        layer = getattr(keras.layers, f"Conv{dimensions(x)}D")
        if options.get("groups", 1) > 1:
            layer = {1: layer, 2: GroupedConv2D, 3: GroupedConv3D}[dimensions(x)]
        options = {"padding": "same", **options}
        return self._add(layer, x, name, init, filters, kernel, **options)

    def conv_transpose(self, x, name: str, filters: int, kernel: int = 4, *, init=None, **options):
        """Convolve transposed with stride 2: `(batch, *space, c)` -> `(batch, *2 space, filters)`.

        Arguments as for `conv`.
        """
        layer = getattr(keras.layers, f"Conv{dimensions(x)}DTranspose")
        options = {"strides": 2, **options}
        return self._add(layer, x, name, init, filters, kernel, padding="same", **options)

    def dense(self, x, name: str, units: int, *, init=None, **options):
        """Apply an affine map to the last axis: `(batch, features)` -> `(batch, units)`."""
        return self._add(keras.layers.Dense, x, name, init, units, **options)

    def score(self, x, name: str = "score", **options):
        """Return the logits `(batch, 1)` of flat features, float32 also in mixed precision."""
        return self.dense(x, name, 1, dtype="float32", **options)

    def _add(self, layer, x, name, init, *sizes, **options):
        kernel = (init or self.init)(layer_seed(self.seed, name))
        return self.wrap(layer(*sizes, kernel_initializer=kernel, name=name, **options))(x)


class _Grouped:
    """Computes few groups as that many convolutions, many at once by the backend.

    The second-order gradient of a grouped convolution is slow on CPUs: 64x14x14x128 in 8 groups
    took 3.9 s on TensorFlow and 2.6 s on JAX, and 26 and 35 ms this way.
    """

    def convolution_op(self, inputs, kernel):
        if not 1 < self.groups <= FEW_GROUPS:
            return super().convolution_op(inputs, kernel)
        parts = zip(
            keras.ops.split(inputs, self.groups, axis=-1),
            keras.ops.split(kernel, self.groups, axis=-1),
            strict=True,
        )
        options = {"strides": self.strides, "padding": self.padding, "data_format": "channels_last"}
        outputs = [keras.ops.conv(x, k, **options) for x, k in parts]
        return keras.ops.concatenate(outputs, axis=-1)


@keras.saving.register_keras_serializable(package="gantools")
class GroupedConv2D(_Grouped, keras.layers.Conv2D):
    """keras.layers.Conv2D with fast groups."""


@keras.saving.register_keras_serializable(package="gantools")
class GroupedConv3D(_Grouped, keras.layers.Conv3D):
    """keras.layers.Conv3D with fast groups."""


@keras.saving.register_keras_serializable(package="gantools")
class InstanceNormalization(keras.layers.Layer):
    """Give each channel of each sample mean 0 and variance 1 over space, then scale and shift it.

    keras.layers.GroupNormalization(groups=-1) gives the same numbers by more operations: the first
    step of a tiny CycleGAN took 6.2 s of a processor with it, and 3.7 s with this (TensorFlow).

    Source: Ulyanov et al. 2016, arXiv 1607.08022.
    """

    def build(self, input_shape):
        """Create the scale and the offset of each channel."""
        channels = (input_shape[-1],)
        self.gamma = self.add_weight(name="gamma", shape=channels, initializer="ones")
        self.beta = self.add_weight(name="beta", shape=channels, initializer="zeros")
        self.built = True

    def call(self, x):
        """Return the normalised tensor, computed in float32."""
        space = tuple(range(1, len(x.shape) - 1))
        wide = keras.ops.cast(x, "float32")
        wide = wide - keras.ops.mean(wide, space, keepdims=True)
        variance = keras.ops.mean(keras.ops.square(wide), space, keepdims=True)
        scale = keras.ops.rsqrt(variance + 1e-5) * keras.ops.cast(self.gamma.value, "float32")
        return keras.ops.cast(
            wide * scale + keras.ops.cast(self.beta.value, "float32"), self.compute_dtype
        )

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape


def norm(x, kind: str, name: str):
    """Normalise `(batch, *space, channels)`.

    Args:
        x: The tensor.
        kind: "batch" (moving statistics as in PyTorch: momentum 0.9, epsilon 1e-5), "layer" (over
            everything but the batch, as penalised critics need), "instance" (over the space axes
            of each sample and channel) or "none".
        name: Name of the layer.

    Raises:
        UserError: another `kind`.
    """
    if kind == "none":
        return x
    if kind == "batch":
        return keras.layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
    if kind == "layer":
        return keras.layers.GroupNormalization(groups=1, epsilon=1e-5, name=name)(x)
    if kind == "instance":
        return InstanceNormalization(name=name)(x)
    raise UserError(f"norm must be batch, layer, instance or none. Received: norm={kind!r}.")


def activate(x, kind: str, name: str | None = None):
    """Apply an activation; "leaky_relu" has slope 0.2, the only one TensorFlow fuses correctly."""
    if kind == "leaky_relu":
        return keras.layers.LeakyReLU(0.2, name=name)(x)
    return keras.layers.Activation(kind, name=name)(x)


def picture(x, kind: str, name: str = "picture"):
    """Return the float32 output of a generator: `kind` is tanh, sigmoid or linear."""
    return keras.layers.Activation(kind, dtype="float32", name=name)(x)


def dimensions(x) -> int:
    """Return the number of space axes of `(batch, *space, channels)`."""
    return len(x.shape) - 2


def check_shape(shape: tuple[int, ...], smallest: int) -> tuple[int, ...]:
    """Return the shape of one sample as a tuple of ints.

    Args:
        shape: `(*space, channels)` with 1 to 3 space axes.
        smallest: Smallest side that the network can work with.

    Raises:
        UserError: another number of axes, or a side that is too small.
    """
    shape = tuple(int(side) for side in shape)
    if not 2 <= len(shape) <= 4 or min(shape) < 1:
        raise UserError(
            "A sample must be (length, channels), (height, width, channels) or (depth, height, "
            f"width, channels). Received: shape={shape}."
        )
    if min(shape[:-1]) < smallest:
        raise UserError(
            f"This network needs sides of at least {smallest}. Received: shape={shape}. "
            "Enlarge the pictures, or take the mlp network."
        )
    return shape


def halvings(space: tuple[int, ...], target: int = 4) -> int:
    """Return how often to halve `space` so that its shortest side comes near `target`."""
    return max(0, round(math.log2(min(space) / target)))


def further_halvings(space: tuple[int, ...], factor: int, largest: int | None) -> int:
    """Return how often to halve more, so that the shortest side comes to at most `largest`.

    Args:
        space: Sides of the sample.
        factor: What the network divides them by already.
        largest: Longest allowed shortest side of the smallest map, in pixels; None: any.
    """
    return 0 if largest is None else max(0, math.ceil(math.log2(min(space) / factor / largest)))


def base_of(space: tuple[int, ...], factor: int) -> tuple[int, ...]:
    """Return the smallest size that covers `space` when every side is multiplied by `factor`."""
    return tuple(-(-side // factor) for side in space)


def crop(x, space: tuple[int, ...]):
    """Cut the centre `space` out of `(batch, *larger, channels)`: a generator's data end."""
    spare = [have - want for have, want in zip(x.shape[1:-1], space, strict=True)]
    if not any(spare):
        return x
    layer = getattr(keras.layers, f"Cropping{dimensions(x)}D")
    return layer(_sides(spare), name="crop")(x)


def pad(x, space: tuple[int, ...]):
    """Pad `(batch, *smaller, channels)` with zeros on all sides to `space`: a critic's data end."""
    spare = [want - have for have, want in zip(x.shape[1:-1], space, strict=True)]
    if not any(spare):
        return x
    layer = getattr(keras.layers, f"ZeroPadding{dimensions(x)}D")
    return layer(_sides(spare), name="pad")(x)


def _sides(spare: list[int]):
    """Return (before, after) for each axis; one-dimensional layers want the bare pair."""
    pairs = [(n // 2, n - n // 2) for n in spare]
    return pairs if len(pairs) > 1 else pairs[0]
