"""StyleGAN's layers: equalised learning rates, styles, noise, and the two ways a style acts.

Source: Karras, Laine & Aila 2018, arXiv 1812.04948; each layer names what else it is of.
"""

import math

import keras
from keras import ops

_register = keras.saving.register_keras_serializable(package="gantools")


@_register
class EqualRate(keras.layers.Layer):
    """Scale a linear layer's kernel at run time by gain / sqrt(fan_in), times a rate.

    Args:
        layer: A Dense or Conv layer, not built yet, with a bias and no activation.
        gain: sqrt(2) before a LeakyReLU, 1 for a linear output.
        rate: Learning rate of kernel and bias relative to other layers'; the kernel should start as
            N(0, 1 / rate).
        **options: Of a Keras layer.

    Source: arXiv 1710.10196, section 4.1; `rate`: arXiv 1812.04948, appendix C.
    """

    def __init__(self, layer, gain: float = 2**0.5, rate: float = 1.0, **options):
        super().__init__(**options)
        self.layer, self.gain, self.rate = layer, gain, rate
        layer.use_bias = False

    def build(self, input_shape):
        """Create the kernel and the bias."""
        self.layer.build(input_shape)
        kernel = self.layer.kernel.shape
        self.scale = self.rate * self.gain / math.sqrt(math.prod(kernel[:-1]))
        self.bias = self.add_weight(name="bias", shape=(kernel[-1],), initializer="zeros")
        self.built = True

    def call(self, x):
        """Apply the scaled layer; it is linear in the kernel, so that its output is scaled."""
        return self.scale * self.layer(x) + self.rate * self.bias

    def compute_output_shape(self, input_shape):
        """Return the wrapped layer's output shape."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Return the arguments."""
        layer = keras.saving.serialize_keras_object(self.layer)
        layer.pop("build_config", None)
        own = {"layer": layer, "gain": self.gain, "rate": self.rate}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        """Rebuild the wrapper and the layer inside."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


def equal(gain: float = 2**0.5, rate: float = 1.0):
    """Return the `wrap` argument of networks that gives every layer an equalised rate."""
    return lambda layer: EqualRate(layer, gain, rate, name=layer.name, dtype=layer.dtype_policy)


@_register
class UnitLatents(keras.layers.Layer):
    """Scale latents `(batch, size)` to a mean square of 1."""

    def call(self, z):
        """Return the scaled latents."""
        return z / ops.sqrt(ops.mean(ops.square(z), axis=-1, keepdims=True) + 1e-8)


@_register
class StyleOf(keras.layers.Layer):
    """Take one layer's style out of all: `(batch, layers, size)` -> `(batch, size)`.

    Args:
        index: Which.
        **options: Of a Keras layer.
    """

    def __init__(self, index: int, **options):
        super().__init__(**options)
        self.index = index

    def call(self, w):
        """Return the style."""
        return w[:, self.index]

    def get_config(self):
        """Return the arguments."""
        return {**super().get_config(), "index": self.index}


@_register
class Constant(keras.layers.Layer):
    """The learnt first map, the same for every sample: styles -> `(batch, *space, channels)`.

    It starts as N(0, 1). The paper's ones have no deviation that `AdaptiveNorm` could divide by:
    the first updates and the noise would fill the map with something of any size.

    Args:
        shape: `(*space, channels)`.
        seed: Same seed, same map.
        **options: Of a Keras layer.
    """

    def __init__(self, shape, seed: int = 0, **options):
        super().__init__(**options)
        self.map_shape, self.seed = tuple(shape), seed

    def build(self, input_shape):
        """Create the map."""
        start = keras.initializers.RandomNormal(0.0, 1.0, seed=self.seed)
        self.map = self.add_weight(name="map", shape=(1, *self.map_shape), initializer=start)
        self.built = True

    def call(self, w):
        """Return the map for each sample of w."""
        return ops.repeat(ops.convert_to_tensor(self.map.value), ops.shape(w)[0], axis=0)

    def compute_output_shape(self, input_shape):
        """Return `(batch, *space, channels)`."""
        return (input_shape[0], *self.map_shape)

    def get_config(self):
        """Return the arguments."""
        return {**super().get_config(), "shape": self.map_shape, "seed": self.seed}


@_register
class Noise(keras.layers.Layer):
    """Add a picture of noise to all channels, each with a strength of its own, 0 at first.

    Args:
        start: Where this layer's share begins in the noise of all layers, `(batch, total)`.
        **options: Of a Keras layer.
    """

    def __init__(self, start: int, **options):
        super().__init__(**options)
        self.start = start

    def build(self, input_shape):
        """Create the strengths."""
        channels = (input_shape[0][-1],)
        self.strength = self.add_weight(name="strength", shape=channels, initializer="zeros")
        self.built = True

    def call(self, inputs):
        """Return x + strength * noise for inputs [x, noise]."""
        x, noise = inputs
        space = x.shape[1:-1]
        share = noise[:, self.start : self.start + math.prod(space)]
        return x + self.strength * ops.reshape(share, (-1, *space, 1))

    def compute_output_shape(self, input_shape):
        """Return the shape of x."""
        return input_shape[0]

    def get_config(self):
        """Return the arguments."""
        return {**super().get_config(), "start": self.start}


@_register
class AdaptiveNorm(keras.layers.Layer):
    """AdaIN: normalise each map of each sample, then give it the style's deviation and mean.

    (1 + s) (x - mean) / sqrt(variance + 1e-8) + b for inputs [x, style], style = [s, b]: a style of
    zeros leaves the normalised map.

    Source: arXiv 1812.04948, eq. 1, with y_s = 1 + s.
    """

    def call(self, inputs):
        """Return the styled maps."""
        x, style = inputs
        axes = tuple(range(1, len(x.shape) - 1))
        channels = x.shape[-1]
        style = ops.reshape(style, (-1, *(1 for _ in axes), 2 * channels))
        x = x - ops.mean(x, axis=axes, keepdims=True)
        x = x / ops.sqrt(ops.mean(ops.square(x), axis=axes, keepdims=True) + 1e-8)
        return (1.0 + style[..., :channels]) * x + style[..., channels:]

    def compute_output_shape(self, input_shape):
        """Return the shape of x."""
        return input_shape[0]


@_register
class StyledConv(keras.layers.Layer):
    """Convolve maps that a style scales, so that each result has one deviation in expectation.

    sqrt(2) d_j sum_i,a (1 + s_i) k_ija x_ia + b_j for inputs [x, style], style = s `(batch,
    channels of x)`, a over the kernel's places and 1 / d_j^2 = sum_i,a (1 + s_i)^2 k_ija^2 + 1e-8.
    No statistic of the maps enters, so that no spike in them changes what is around it; the sqrt(2)
    is what a LeakyReLU takes. A style of zeros leaves the normalised convolution.

    Args:
        channels: Channels of the result.
        seed: Same seed, same kernel: 3 on each side, N(0, 1).
        **options: Of a Keras layer.

    Source: Karras et al. 2019, arXiv 1912.04958 (StyleGAN2), eq. 1 and 3.
    """

    def __init__(self, channels: int, seed: int = 0, **options):
        super().__init__(**options)
        self.channels, self.seed = channels, seed

    def build(self, input_shape):
        """Create the kernel and the bias."""
        *space, read = input_shape[0][1:]
        start = keras.initializers.RandomNormal(0.0, 1.0, seed=self.seed)
        shape = (*(3 for _ in space), read, self.channels)
        self.kernel = self.add_weight(name="kernel", shape=shape, initializer=start)
        self.bias = self.add_weight(name="bias", shape=(self.channels,), initializer="zeros")
        self.built = True

    def call(self, inputs):
        """Return the styled maps."""
        x, style = inputs
        one = (1,) * (len(x.shape) - 2)
        look = 1.0 + style
        power = ops.sum(ops.square(self.kernel), axis=tuple(range(len(one))))  # (read, channels)
        less = 2**0.5 * ops.rsqrt(ops.matmul(ops.square(look), power) + 1e-8)
        y = ops.conv(x * ops.reshape(look, (-1, *one, x.shape[-1])), self.kernel, padding="same")
        return y * ops.reshape(less, (-1, *one, self.channels)) + self.bias

    def compute_output_shape(self, input_shape):
        """Return `(batch, *space, channels)`."""
        return (*input_shape[0][:-1], self.channels)

    def get_config(self):
        """Return the arguments."""
        return {**super().get_config(), "channels": self.channels, "seed": self.seed}
