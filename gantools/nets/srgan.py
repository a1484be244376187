"""SRGAN's networks: the SRResNet generator and the discriminator, whose layers can be read out.

Pictures are float32; the generator takes low-resolution pictures of any size and returns [-1, 1].
"""

import math
from pathlib import Path

import keras

from gantools.errors import UserError
from gantools.nets.blocks import (
    Layers,
    activate,
    check_shape,
    dimensions,
    norm,
    normal,
    picture,
    unchanged,
)
from gantools.nets.resampling import PixelShuffle

PAPER_GENERATOR = {"width": 64, "blocks": 16}
PAPER_DISCRIMINATOR = {"width": 64, "stages": 4, "dense": 1024}


def generator(
    channels: int = 3,
    *,
    scale: int = 4,
    width: int = 64,
    blocks: int = 16,
    norm_kind: str = "batch",
    seed: int = 0,
) -> keras.Model:
    """Return SRResNet: `(batch, height, width, channels)` -> `scale` times as large, in [-1, 1].

    Args:
        channels: 1 or 3.
        scale: Enlargement, a power of 2.
        width: Channels of the trunk.
        blocks: Residual blocks.
        norm_kind: "batch" as in the paper, or "none".
        seed: Same seed, same weights.

    Raises:
        UserError: `scale` is not a power of 2.

    Source: Ledig et al. 2016, arXiv 1609.04802, figure 4.
    """
    doublings = round(math.log2(scale)) if scale > 0 else 0
    if scale < 2 or 2**doublings != scale:
        raise UserError(f"scale must be 2, 4 or 8. Received: scale={scale}.")
    make = Layers(seed, normal(0.02))
    inputs = keras.Input((None, None, channels), name="low")
    head = x = _prelu(make.conv(inputs, "head", width, 9), "head_act")
    for i in range(blocks):
        y = norm(make.conv(x, f"block{i}_conv1", width), norm_kind, f"block{i}_norm1")
        y = make.conv(_prelu(y, f"block{i}_act"), f"block{i}_conv2", width)
        x = keras.layers.Add(name=f"block{i}")([norm(y, norm_kind, f"block{i}_norm2"), x])
    x = norm(make.conv(x, "body", width), norm_kind, "body_norm")
    x = keras.layers.Add(name="long")([x, head])
    for i in range(doublings):
        x = make.conv(x, f"up{i}", 4 * width)
        x = _prelu(PixelShuffle(2, name=f"up{i}_shuffle")(x), f"up{i}_act")
    return keras.Model(inputs, picture(make.conv(x, "tail", channels, 9), "tanh"), name="generator")


def discriminator(
    shape: tuple[int, int, int],
    *,
    width: int = 64,
    stages: int = 4,
    dense: int = 1024,
    norm_kind: str = "batch",
    features: bool = False,
    wrap=unchanged,
    seed: int = 0,
) -> keras.Model:
    """Return the discriminator `(batch, *shape)` -> logits `(batch, 1)` float32.

    Args:
        shape: (height, width, channels) of the high-resolution pictures. Without `dense` the
            sides may be None.
        width: Channels of the first stage; each next one has twice as many.
        stages: Pairs of a 3x3 convolution and one with stride 2 (the first stage's first
            convolution reads the picture).
        dense: Units of the hidden dense layer over all positions; 0: mean over positions instead,
            for pictures of any size.
        norm_kind: "batch" as in the paper, "layer" or "none"; never on the first layer.
        features: Also return the activation after each convolution, to be matched by a generator.
        wrap: Applied to every layer with a kernel.
        seed: Same seed, same weights.

    Returns:
        A model with one output, or with two: `(score, [feature, ...])`, the features
        `(batch, height / 2**k, width / 2**k, channels)` from fine to coarse.

    Source: as `generator`.
    """
    shape = check_shape(shape, 2**stages) if dense else tuple(shape)
    make = Layers(seed, normal(0.02), wrap)
    inputs = x = keras.Input(shape, name="x")
    maps = []
    for i in range(2 * stages):
        kind = "none" if i == 0 else norm_kind
        x = make.conv(x, f"conv{i}", width * 2 ** (i // 2), strides=1 + i % 2)
        x = activate(norm(x, kind, f"norm{i}"), "leaky_relu", f"feature{i}")
        maps.append(x)
    if dense:
        x = activate(make.dense(keras.layers.Flatten()(x), "dense", dense), "leaky_relu")
    else:
        x = getattr(keras.layers, f"GlobalAveragePooling{dimensions(x)}D")()(x)
    score = make.score(x)
    return keras.Model(inputs, (score, maps) if features else score, name="discriminator")


def _prelu(x, name: str):
    """Apply a PReLU with one slope a channel, starting at 0.25 (arXiv 1502.01852)."""
    start = keras.initializers.Constant(0.25)
    return keras.layers.PReLU(start, shared_axes=(1, 2), name=name)(x)


def vgg_features(channels: int, weights, *, active: bool = True) -> keras.Model:
    """Return VGG-19 up to the last convolution before its fifth pooling, frozen.

    Args:
        channels: 1 or 3; grey is repeated.
        weights: Path of the weights that Keras publishes for VGG-19 without top, on this disk;
            None for random ones. Nothing is downloaded.
        active: Whether that convolution's activation is applied; ESRGAN (arXiv 1809.00219) does
            without.

    Returns:
        A model `(batch, height, width, channels)` float32 in [-1, 1], sides of at least 32 ->
        `(batch, height / 16, width / 16, 512)`.

    Raises:
        UserError: the file is missing.

    Source: Ledig et al. 2016, arXiv 1609.04802, section 2.2.1 (phi_5,4).
    """
    if weights is not None and not Path(weights).is_file():
        raise UserError(f"There is no file {weights}. Give the weights of VGG-19 without top.")
    vgg = keras.applications.VGG19(include_top=False, weights=weights and str(weights))
    if not active:
        vgg.get_layer("block5_conv4").activation = keras.activations.linear
    inputs = x = keras.Input((None, None, channels), name="x")
    x = keras.layers.Concatenate()([x] * 3) if channels == 1 else x
    x = keras.layers.Rescaling(127.5, offset=127.5)(x)
    # The weights expect blue first, centred by the means of their training pictures.
    x = keras.layers.Normalization(mean=(123.68, 116.779, 103.939), variance=1.0)(x)
    x = keras.ops.flip(x, axis=-1)
    for layer in vgg.layers[1 : 1 + [la.name for la in vgg.layers[1:]].index("block5_pool")]:
        x = layer(x)
    model = keras.Model(inputs, x, name="vgg")
    model.trainable = False
    return model
