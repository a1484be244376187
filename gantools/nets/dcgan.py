"""DCGAN networks: plain strided convolutions, from the paper's 64 pixels to a size for CPUs.

Pictures, signals `(length, channels)` and voxels `(depth, height, width, channels)` work alike.
`PAPER_*` are the widths of the paper's figure 1; the defaults are half as wide with kernels of 4,
as most reproductions have them (G 3.58 M, D 2.77 M parameters at 64x64x3). `CPU_*` do the work at
half the side and end with one cheap transposed convolution: 45 to 60 ms a step for both networks at
28x28 and batch 64 on two cores, against 124 ms with work at full resolution. Above 32 pixels they
get more stages: with theirs alone the dense layer of G has 25 M weights at 256x256.
"""

import math

import keras

from gantools.core import MinibatchStd
from gantools.errors import UserError
from gantools.nets.blocks import (
    Layers,
    activate,
    base_of,
    check_shape,
    crop,
    dimensions,
    further_halvings,
    layer_seed,
    norm,
    normal,
    picture,
    scaled,
    unchanged,
)
from gantools.nets.resampling import NearestUp, PixelShuffle

PAPER_GENERATOR = {"latent": 100, "widths": (1024, 512, 256, 128), "kernel": 5}
PAPER_DISCRIMINATOR = {"widths": (64, 128, 256, 512), "kernel": 5}
CPU_GENERATOR = {"latent": 64, "widths": (96, 48), "refine": 1, "largest": 8}
CPU_DISCRIMINATOR = {"widths": (32, 64, 128), "kernel": (5, 3, 3), "dense": 128, "largest": 8}


def generator(
    shape: tuple[int, ...],
    *,
    latent: int = 100,
    widths: tuple[int, ...] = (512, 256, 128, 64),
    kernel: int = 4,
    dense: int = 0,
    refine: int = 0,
    up: str = "transpose",
    norm_kind: str = "batch",
    largest: int | None = None,
    init=None,
    seed: int = 0,
) -> keras.Model:
    """Return a generator `(batch, latent)` -> `(batch, *shape)` float32 in [-1, 1].

    A dense layer makes the smallest map, every width but the first doubles it, a last doubling
    makes the picture. Sides that 2**len(widths) does not divide are cropped from larger ones.

    Args:
        shape: Shape of one sample.
        latent: Size of the noise vector.
        widths: Channels from the smallest map on; their number is the number of doublings.
        kernel: Side of the kernels.
        dense: Units of a hidden dense layer before the smallest map; 0: none.
        refine: Extra 3x3 convolutions before the last doubling.
        up: "transpose", "subpixel" (kernel gradients are 10 times faster on JAX on CPUs) or
            "nearest".
        norm_kind: "batch", "layer" or "none", on everything but the output. With "none" some 50
            updates of Adam drive tanh to where it has no gradient: digits became dots, drawn by
            the one of four sub-pixels that could still move.
        largest: Longest allowed side of the smallest map: the first width is repeated, a doubling
            each, until the shorter side is no longer; None: as `widths` have it.
        init: Family of kernel distributions; None: N(0, 0.02) as in the paper, He's without norm.
        seed: Same seed, same weights.

    Source: Radford et al. 2015, arXiv 1511.06434, figure 1 and section 3.
    """
    shape = check_shape(shape, 2 ** len(widths))
    more = further_halvings(shape[:-1], 2 ** len(widths), largest)
    widths = (widths[0],) * more + tuple(widths)
    make = Layers(seed, init or _initial(norm_kind))
    base = base_of(shape[:-1], 2 ** len(widths))
    bias = norm_kind == "none"
    z = x = keras.Input((latent,), name="z")
    if dense:
        x = make.dense(x, "hidden", dense, use_bias=bias)
        x = activate(norm(x, norm_kind, "hidden_norm"), "relu")
    x = make.dense(x, "dense", math.prod(base) * widths[0], use_bias=bias)
    x = keras.layers.Reshape((*base, widths[0]))(x)
    x = activate(norm(x, norm_kind, "norm0"), "relu")
    for i, width in enumerate(widths[1:], 1):
        x = double(make, x, f"up{i}", width, kernel, up, use_bias=bias)
        x = activate(norm(x, norm_kind, f"norm{i}"), "relu")
    for i in range(refine):
        x = make.conv(x, f"refine{i}", widths[-1], 3, use_bias=bias)
        x = activate(norm(x, norm_kind, f"refine_norm{i}"), "relu")
    x = double(make, x, "out", shape[-1], kernel, up, init=normal(0.02))
    x = crop(x, shape[:-1])
    return keras.Model(z, picture(x, "tanh"), name="generator")


def double(make: Layers, x, name: str, filters: int, kernel: int, up: str, **options):
    """Double every side: `(batch, *space, c)` -> `(batch, *2 space, filters)`.

    Args:
        make: The network's layers.
        x: Tensor `(batch, *space, c)`.
        name: Name of the convolution.
        filters: Output channels.
        kernel: Side of the kernel; the sub-pixel form convolves at half the size, always by 3.
        up: "transpose", "subpixel" or "nearest".
        **options: Of the Keras layer.

    Raises:
        UserError: another `up`.
    """
    if up == "transpose":
        return make.conv_transpose(x, name, filters, kernel, **options)
    if up == "subpixel":
        x = make.conv(x, name, filters * 2 ** dimensions(x), 3, **options)
        return PixelShuffle(2, name=f"{name}_shuffle")(x)
    if up == "nearest":
        return make.conv(NearestUp(name=f"{name}_nearest")(x), name, filters, kernel, **options)
    raise UserError(f"up must be transpose, subpixel or nearest. Received: up={up!r}.")


def discriminator(
    shape: tuple[int, ...],
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    kernel: int | tuple[int, ...] = 4,
    strides: int | tuple[int, ...] = 2,
    dense: int = 0,
    dropout: float = 0.0,
    norm_kind: str = "batch",
    largest: int | None = None,
    group: int = 1,
    init=None,
    wrap=unchanged,
    seed: int = 0,
) -> keras.Model:
    """Return a discriminator `(batch, *shape)` -> logits `(batch, 1)` float32.

    Args:
        shape: Shape of one sample; any side works, halves are rounded up.
        widths: Channels of the convolutions.
        kernel: Side of the kernels, or one side for each.
        strides: How much the convolutions shrink, or one number for each.
        dense: Units of one hidden dense layer; 0: none.
        dropout: Share of features that is dropped after every convolution in training.
        norm_kind: "batch" as in the paper (call the network on real and on fake separately),
            "layer" or "none" (as gradient penalties need); never on the first layer.
        largest: Longest allowed side of the last map: the last convolution is repeated, with stride
            2, until the shorter side is no longer; None: as `widths` have it.
        group: Samples that a minibatch statistic compares behind the convolutions; 1: none.
        init: Family of kernel distributions; None: N(0, 0.02) as in the paper, He's without norm.
        wrap: Applied to every layer with a kernel, for example spectral normalisation.
        seed: Same seed, same weights.

    Raises:
        UserError: `kernel` or `strides` has another length than `widths`.
    """
    shape = check_shape(shape, 4)
    kernels, steps = _each("kernel", kernel, widths), _each("strides", strides, widths)
    more = further_halvings(shape[:-1], math.prod(steps), largest)
    widths, kernels = (tuple(each) + (each[-1],) * more for each in (widths, kernels))
    steps = tuple(steps) + (2,) * more
    make = Layers(seed, init or _initial(norm_kind), wrap)
    inputs = x = keras.Input(shape, name="x")
    for i, (width, side, step) in enumerate(zip(widths, kernels, steps, strict=True)):
        kind = "none" if i == 0 else norm_kind
        x = make.conv(x, f"down{i}", width, side, strides=step, use_bias=kind == "none")
        x = activate(norm(x, kind, f"norm{i}"), "leaky_relu")
        if dropout:
            name = f"drop{i}"
            x = keras.layers.Dropout(dropout, seed=layer_seed(seed, name), name=name)(x)
    x = MinibatchStd(group, name="deviation")(x) if group > 1 else x
    x = keras.layers.Flatten()(x)
    if dense:
        x = activate(make.dense(x, "dense", dense), "leaky_relu")
    return keras.Model(inputs, make.score(x), name="discriminator")


def _each(name: str, value, widths: tuple[int, ...]) -> tuple[int, ...]:
    """Return one value for each width; a single number counts for all."""
    values = (value,) * len(widths) if isinstance(value, int) else value
    if len(values) != len(widths):
        raise UserError(f"{name} must be as long as widths={widths}. Received: {value}.")
    return values


def _initial(norm_kind: str):
    """Return the initial distribution; without normalisation N(0, 0.02) would start blind."""
    return scaled(math.sqrt(2)) if norm_kind == "none" else normal(0.02)
