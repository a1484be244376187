"""Small encoders, decoders and discriminators of pictures or points, for the anomaly detectors.

One family serves all of them: pictures `(h, w, c)` pass strided convolutions, points `(d,)` dense
layers. No layer knows a batch unless `norm_kind` is "batch": scores need inference to be training.

All follow the resolution: the last of the widths, for as many more halvings as it takes until the
shorter side of the smallest map has at most `largest` pixels. Three halvings make maps of 4 pixels
of 28 and 32, 6 of 48 and 8 of 64; of 96 and 128 pixels there are four. Without, the hidden layer of
the paper's EGBAD would have 33 M weights at 128 pixels.
"""

import math

import keras

from gantools.nets.blocks import (
    Layers,
    activate,
    base_of,
    check_shape,
    crop,
    further_halvings,
    layer_seed,
    norm,
    picture,
    scaled,
    unchanged,
)
from gantools.nets.dcgan import double

HE = scaled(math.sqrt(2))
LARGEST = 8  # pixels of the shorter side of the smallest map


def encoder(
    shape: tuple[int, ...],
    *,
    latent: int = 32,
    widths: tuple[int, ...] = (16, 32, 64),
    norm_kind: str = "none",
    output: str = "linear",
    largest: int | None = LARGEST,
    wrap=unchanged,
    name: str = "encoder",
    seed: int = 0,
) -> keras.Model:
    """Return an encoder `(batch, *shape)` -> codes `(batch, latent)` float32.

    Args:
        shape: `(height, width, channels)` of pictures or `(d,)` of points.
        latent: Size of a code.
        widths: Channels of the halvings, or units of the dense layers.
        norm_kind: "none", "layer" or "batch", never on the first layer nor on points.
        output: "linear", or "tanh" for latents in [-1, 1].
        largest: Longest allowed shorter side of the smallest map; None: as `widths` have it.
        wrap: Applied to every layer with a kernel, for example spectral normalisation.
        name: Of the model; encoders of different names have different weights.
        seed: Same seed, same weights.
    """
    make = Layers(layer_seed(seed, name), HE, wrap)
    inputs = keras.Input(tuple(shape), name="x")
    x = _flat(_halved(make, inputs, _lengthened(widths, shape, largest), norm_kind))
    code = make.dense(x, "code", latent, init=scaled(1.0), dtype="float32")
    return keras.Model(inputs, picture(code, output, name="z"), name=name)


def decoder(
    shape: tuple[int, ...],
    *,
    latent: int = 32,
    widths: tuple[int, ...] = (64, 32, 16),
    norm_kind: str = "none",
    up: str = "subpixel",
    largest: int | None = LARGEST,
    name: str = "generator",
    seed: int = 0,
) -> keras.Model:
    """Return a generator `(batch, latent)` -> pictures in [-1, 1], or points of any range.

    Args:
        shape, latent, largest, name, seed: As for `encoder`; it is the first width that is
            repeated.
        widths: Channels of the first size and of every doubling but the last, or units of the
            dense layers.
        norm_kind: As for `encoder`; on pictures not on the output.
        up: "subpixel", "transpose" or "nearest", see `nets.dcgan.double`.
    """
    shape, make = tuple(shape), Layers(layer_seed(seed, name), HE)
    z = x = keras.Input((latent,), name="z")
    if len(shape) == 1:
        for i, width in enumerate(widths):
            x = activate(make.dense(x, f"dense{i}", width), "leaky_relu")
        out = make.dense(x, "out", shape[0], init=scaled(1.0), dtype="float32")
        return keras.Model(z, out, name=name)
    shape = check_shape(shape, 2 ** len(widths))
    widths = _lengthened(widths[::-1], shape, largest)[::-1]
    base, bias = base_of(shape[:-1], 2 ** len(widths)), norm_kind != "batch"
    x = make.dense(x, "dense", math.prod(base) * widths[0], use_bias=bias)
    x = keras.layers.Reshape((*base, widths[0]))(x)
    x = activate(norm(x, norm_kind, "norm"), "relu")
    for i, width in enumerate(widths[1:]):
        x = double(make, x, f"up{i}", width, 4, up, use_bias=bias)
        x = activate(norm(x, norm_kind, f"norm{i}"), "relu")
    x = double(make, x, "out", shape[-1], 4, up, init=scaled(0.5))
    return keras.Model(z, picture(crop(x, shape[:-1]), "tanh"), name=name)


def pair(
    shape,
    *,
    latent=32,
    widths=(16, 32, 64),
    up_norm="layer",
    down_norm="none",
    largest=LARGEST,
    wrap=unchanged,
    seed=0,
) -> dict[str, keras.Model]:
    """Return {"generator": z to sample, "encoder": sample to z}, one the other's mirror.

    Args:
        shape, latent, widths, largest, seed: As for `encoder`.
        up_norm, down_norm: Norms of the two on pictures; points have none.
        wrap: Applied to the encoder's layers with a kernel.
    """
    up_norm, down_norm = (up_norm, down_norm) if len(shape) > 1 else ("none", "none")
    nets = {"latent": latent, "largest": largest, "seed": seed}
    return {
        "generator": decoder(shape, widths=tuple(widths)[::-1], norm_kind=up_norm, **nets),
        "encoder": encoder(shape, widths=widths, norm_kind=down_norm, wrap=wrap, **nets),
    }


def judge(
    inputs: dict[str, tuple[int, ...]],
    *,
    widths: tuple[int, ...] = (16, 32, 64),
    codes: tuple[int, ...] = (64,),
    hidden: int = 0,
    norm_kind: str = "none",
    largest: int | None = LARGEST,
    wrap=unchanged,
    name: str = "discriminator",
    seed: int = 0,
) -> keras.Model:
    """Return a discriminator of one thing or of several together.

    Args:
        inputs: Name -> shape. Pictures, of one size, are joined by their channels, points and codes
            by their entries.
        widths: Channels of the halvings; without pictures, units of the dense layers.
        codes: Units of the dense layers that points pass before they meet pictures.
        hidden: Units of the layer under the score; 0: none.
        norm_kind: "none", "layer" or "batch", never on the first layer nor on points.
        wrap: Applied to every layer with a kernel.
        largest, name, seed: As for `encoder`.

    Returns:
        Model, a tensor (of one input) or dict -> [logits `(batch, 1)`, features `(batch, f)`]:
        what the score is read from.
    """
    make = Layers(layer_seed(seed, name), HE, wrap)
    given = {key: keras.Input(tuple(shape), name=key) for key, shape in inputs.items()}
    pictures = [x for x in given.values() if len(x.shape) > 2]
    points = [x for x in given.values() if len(x.shape) == 2]
    streams = []
    if pictures:
        longer = _lengthened(widths, pictures[0].shape[1:], largest)
        streams.append(_flat(_halved(make, _joined(pictures), longer, norm_kind)))
    if points:
        x = _joined(points)
        for i, units in enumerate(codes if pictures else widths):
            x = activate(make.dense(x, f"code{i}", units), "leaky_relu")
        streams.append(x)
    x = _joined(streams)
    if hidden:
        x = activate(make.dense(x, "hidden", hidden), "leaky_relu")
    whole = given if len(given) > 1 else next(iter(given.values()))
    return keras.Model(whole, [make.score(x, init=scaled(1.0)), x], name=name)


def unet(
    shape: tuple[int, int, int],
    *,
    widths: tuple[int, ...] = (16, 32, 64),
    norm_kind: str = "none",
    up: str = "subpixel",
    largest: int | None = LARGEST,
    shallowest: int = 0,
    seed: int = 0,
) -> keras.Model:
    """Return a generator of pictures from pictures with shortcuts, values in [-1, 1].

    Args:
        shape: `(height, width, channels)`.
        widths: Channels of the halvings.
        norm_kind, up, seed: As for `decoder`.
        largest: As for `encoder`.
        shallowest: Halvings before the first shortcut: 0 has them all, which lets anomalies pass.
    """
    shape = check_shape(shape, 2 ** len(widths))
    widths = _lengthened(widths, shape, largest)
    make, bias = Layers(layer_seed(seed, "unet"), HE), norm_kind != "batch"
    inputs = keras.Input(shape, name="x")
    padded = tuple(2 ** len(widths) * side for side in base_of(shape[:-1], 2 ** len(widths)))
    spare = [want - have for want, have in zip(padded, shape, strict=False)]
    x = keras.layers.ZeroPadding2D([(n // 2, n - n // 2) for n in spare])(inputs)
    levels = []
    for i, width in enumerate(widths):
        kind = norm_kind if i else "none"
        x = make.conv(x, f"down{i}", width, 4, strides=2, use_bias=kind != "batch")
        x = activate(norm(x, kind, f"down_norm{i}"), "leaky_relu")
        levels.append(x)
    for i in range(len(widths) - 2, -1, -1):
        x = double(make, x, f"up{i}", widths[i], 4, up, use_bias=bias)
        x = activate(norm(x, norm_kind, f"up_norm{i}"), "relu")
        x = keras.layers.Concatenate()([x, levels[i]]) if i >= shallowest else x
    x = double(make, x, "out", shape[-1], 4, up, init=scaled(0.5))
    return keras.Model(inputs, picture(crop(x, shape[:-1]), "tanh"), name="generator")


def _lengthened(widths, shape, largest) -> tuple[int, ...]:
    """Repeat the last width until pictures of a shape end in small maps; points stay."""
    widths = tuple(widths)
    more = further_halvings(shape[:-1], 2 ** len(widths), largest) if len(shape) > 1 else 0
    return widths + widths[-1:] * more


def _halved(make, x, widths, norm_kind):
    """Halve pictures with every width; points pass dense layers instead."""
    for i, width in enumerate(widths):
        if len(x.shape) == 2:
            x = activate(make.dense(x, f"dense{i}", width), "leaky_relu")
            continue
        kind = norm_kind if i else "none"
        x = make.conv(x, f"down{i}", width, 4, strides=2, use_bias=kind != "batch")
        x = activate(norm(x, kind, f"norm{i}"), "leaky_relu")
    return x


def _flat(x):
    return x if len(x.shape) == 2 else keras.layers.Flatten()(x)


def _joined(tensors):
    return tensors[0] if len(tensors) == 1 else keras.layers.Concatenate()(tensors)
