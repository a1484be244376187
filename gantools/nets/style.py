"""StyleGAN's networks: a mapping to styles, a synthesis that styles steer, and a plain critic.

Every kernel starts as N(0, 1) and is scaled at run time (equalised learning rate), so that Adam
moves all layers at the same relative speed. Written from the papers alone.

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
from gantools.nets.style_layers import (
    AdaptiveNorm,
    Constant,
    Noise,
    StyledConv,
    StyleOf,
    UnitLatents,
    equal,
)

SMALLEST = 4  # side of the learnt constant


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
    shape: tuple[int, ...],
    *,
    style: int,
    widths: tuple[int, ...],
    styling: str = "adain",
    seed: int = 0,
) -> keras.Model:
    """Return the synthesis {"w": `(batch, 2 levels, style)`, "noise"} -> `(batch, *shape)` float32.

    Args:
        shape: Shape of one sample.
        style: Size of a style.
        widths: Channels from the smallest map on; the last counts for all larger maps as well.
        styling: "adain", of each layer's result, or "demodulation", of its kernel.
        seed: Same seed, same weights.
    """
    shape, count = check_shape(shape, SMALLEST), levels(shape)
    make, linear = (Layers(seed, normal(1.0), equal(gain)) for gain in (2**0.5, 1.0))
    base = base_of(shape[:-1], 2 ** (count - 1))
    w = keras.Input((2 * count, style), name="w")
    noise = keras.Input((noise_size(shape),), name="noise")
    start = Constant((*base, _width(widths, 0)), layer_seed(seed, "constant"), name="constant")
    x, used = start(w), 0
    for i in range(2 * count):
        level, width = i // 2, _width(widths, i // 2)
        x = FilterUp(name=f"up{level}")(x) if i and i % 2 == 0 else x
        own = StyleOf(i, name=f"style{i}")(w)
        if styling == "demodulation":
            conv = StyledConv(width, layer_seed(seed, f"conv{i}"), name=f"conv{i}")
            x = conv([x, linear.dense(own, f"affine{i}", x.shape[-1])])
        elif i:
            x = make.conv(x, f"conv{i}", width)
        x = Noise(used, name=f"noise{i}")([x, noise])
        used += math.prod(x.shape[1:-1])
        x = activate(x, "leaky_relu")
        if styling == "adain":
            look = linear.dense(own, f"affine{i}", 2 * width)
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
