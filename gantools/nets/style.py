"""StyleGAN's networks: a mapping to styles, a synthesis that styles steer, and a plain critic.

Every kernel starts as N(0, 1) and is scaled at run time (equalised learning rate), so that Adam
moves all layers at the same relative speed. Written from the paper alone.

Source: Karras, Laine & Aila 2018, arXiv 1812.04948; equalised rates: arXiv 1710.10196, section 4.1.
"""

import math

import keras
from keras import ops

from gantools.core import MinibatchStd, parallel
from gantools.nets import dcgan
from gantools.nets.blocks import (
    Layers,
    activate,
    base_of,
    check_shape,
    crop,
    halvings,
    layer_seed,
    normal,
    pad,
    picture,
)
from gantools.nets.resampling import FilterDown, FilterUp

SMALLEST = 4  # side of the learnt constant
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


class RunningMean(keras.layers.Layer):
    """The mean style, `mean` `(size,)` float32: a running mean over the styles made in training.

    The first means are plain ones over all updates: from zero, a mean of 0.995 would have come half
    of its way after 138 of them, and samples are truncated towards it.

    Args:
        size: Size of a style.
        decay: Weight of the old mean at each update, at most.
    """

    def __init__(self, size: int, decay: float = 0.995):
        super().__init__(trainable=False, dtype="float32")
        self.size, self.decay = size, decay
        options = {"initializer": "zeros", "trainable": False, "aggregation": "mean"}
        self.mean = self.add_weight(name="mean", shape=(size,), **options)
        self.count = self.add_weight(name="count", shape=(), **options)
        self.built = True

    def update(self, w):
        """Move the mean towards that of new styles `(batch, size)`."""
        batch = ops.mean(ops.cast(ops.stop_gradient(w), "float32"), axis=0)
        (batch,) = parallel.averaged([batch])
        count = self.count.value
        decay = ops.minimum(count / (count + 1.0), self.decay)
        self.mean.assign(batch + decay * (self.mean.value - batch))
        self.count.assign(count + 1.0)


def mapping(latent: int, style: int, depth: int, *, rate: float = 0.01, seed: int = 0):
    """Return the mapping z `(batch, latent)` -> w `(batch, style)`.

    Args:
        latent: Size of z, which is scaled to a mean square of 1 first.
        style: Size of w and units of every layer.
        depth: Number of dense layers.
        rate: Learning rate relative to the other networks'.
        seed: Same seed, same weights.
    """
    make = Layers(seed, normal(1.0 / rate), equal(rate=rate))
    z = keras.Input((latent,), name="z")
    x = UnitLatents()(z)
    for i in range(depth):
        x = activate(make.dense(x, f"map{i}", style), "leaky_relu")
    return keras.Model(z, x, name="mapping")


def levels(shape: tuple[int, ...]) -> int:
    """Return how many resolutions a picture has, from about 4 pixels on; two styles each."""
    return halvings(shape[:-1], SMALLEST) + 1


def noise_size(shape: tuple[int, ...]) -> int:
    """Return the numbers of noise that `synthesis` takes for a picture: one a pixel and layer."""
    base = base_of(shape[:-1], 2 ** (levels(shape) - 1))
    return sum(2 * math.prod(side << level for side in base) for level in range(levels(shape)))


def cuts(count: int, mixing: float):
    """Return a sampler of how many layers take the first style: `(size,)` int32, 1 to count.

    With probability `mixing` 1 to count - 1, each equally likely, else all.
    """

    def sample(size, seed, batch):
        u = keras.random.uniform((size,), seed=seed)
        some = 1 + ops.cast(ops.floor(u / max(mixing, 1e-8) * (count - 1)), "int32")
        return ops.where(u < mixing, ops.minimum(some, count - 1), count)

    return sample


def mixed(make, draw, net: keras.Model):
    """Return the styles of a synthesis, of which the first `cut` layers take those of z.

    Args:
        make: Callable `(batch, latent)` -> styles `(batch, style)`.
        draw: Latents "z" and "z2" `(batch, latent)`; "cut", `(batch,)` int.
        net: A `synthesis`.

    Returns:
        Styles of all layers `(batch, layers, style)`, and those of z `(batch, style)`.
    """
    first, second = make(draw["z"]), make(draw["z2"])
    layers = ops.arange(net.input["w"].shape[1])[None, :, None]
    takes = layers < ops.reshape(draw["cut"], (-1, 1, 1))
    return ops.where(takes, first[:, None], second[:, None]), first


def synthesis(
    shape: tuple[int, ...], *, style: int, widths: tuple[int, ...], rate: float = 1.0, seed: int = 0
) -> keras.Model:
    """Return the synthesis {"w": `(batch, 2 levels, style)`, "noise"} -> `(batch, *shape)` float32.

    Args:
        shape: Shape of one sample.
        style: Size of a style.
        widths: Channels from the smallest map on; the last counts for all larger maps as well.
        rate: Learning rate of the 3x3 kernels relative to the other layers'. N(0, 1) needs some
            1000 updates of Adam at 0.001 to become something else.
        seed: Same seed, same weights.
    """
    shape, count = check_shape(shape, SMALLEST), levels(shape)
    make = Layers(seed, normal(1.0 / rate), equal(rate=rate))
    linear = Layers(seed, normal(1.0), equal(1.0))
    base = base_of(shape[:-1], 2 ** (count - 1))
    w = keras.Input((2 * count, style), name="w")
    noise = keras.Input((noise_size(shape),), name="noise")
    start = Constant((*base, _width(widths, 0)), layer_seed(seed, "constant"), name="constant")
    x, used = start(w), 0
    for i in range(2 * count):
        level, width = i // 2, _width(widths, i // 2)
        if i:
            x = FilterUp(name=f"up{level}")(x) if i % 2 == 0 else x
            x = make.conv(x, f"conv{i}", width)
        x = Noise(used, name=f"noise{i}")([x, noise])
        used += math.prod(x.shape[1:-1])
        x = activate(x, "leaky_relu")
        look = linear.dense(StyleOf(i, name=f"style{i}")(w), f"affine{i}", 2 * width)
        x = AdaptiveNorm(name=f"styled{i}")([x, look])
    x = crop(linear.conv(x, "out", shape[-1], 1), shape[:-1])
    return keras.Model({"w": w, "noise": noise}, picture(x, "linear"), name="generator")


def critic(
    shape: tuple[int, ...], *, widths: tuple[int, ...], group: int = 4, plain=None, seed: int = 0
) -> keras.Model:
    """Return a critic `(batch, *shape)` -> scores `(batch, 1)` float32.

    Args:
        shape: Shape of one sample.
        widths: As for `synthesis`, from the smallest map on.
        group: Samples that the minibatch statistic compares; 1: none.
        plain: What `dcgan.discriminator` takes: a cheap critic without equalised rates in place of
            the paper's; None: the paper's.
        seed: Same seed, same weights.
    """
    if plain is not None:
        return dcgan.discriminator(shape, norm_kind="none", group=group, seed=seed, **plain)
    shape, count = check_shape(shape, SMALLEST), levels(shape)
    make, linear = (Layers(seed, normal(1.0), equal(gain)) for gain in (2**0.5, 1.0))
    inputs = keras.Input(shape, name="x")
    factor = 2 ** (count - 1)
    x = pad(inputs, tuple(side * factor for side in base_of(shape[:-1], factor)))
    x = activate(make.conv(x, "in", _width(widths, count - 1), 1), "leaky_relu")
    for level in range(count - 1, 0, -1):
        x = activate(make.conv(x, f"level{level}a", _width(widths, level)), "leaky_relu")
        x = activate(make.conv(x, f"level{level}b", _width(widths, level - 1)), "leaky_relu")
        x = FilterDown(name=f"down{level}")(x)
    x = MinibatchStd(group, name="deviation")(x) if group > 1 else x
    x = activate(make.conv(x, "level0", _width(widths, 0)), "leaky_relu")
    x = make.dense(keras.layers.Flatten()(x), "dense", _width(widths, 0))
    return keras.Model(inputs, linear.score(activate(x, "leaky_relu")), name="critic")


def _width(widths: tuple[int, ...], level: int) -> int:
    return widths[min(level, len(widths) - 1)]
