"""DiscoGAN's networks: an encoder and decoder without short cuts, and a critic with features.

For points `(2,)` both are multilayer perceptrons, as in the paper's toy experiment.
"""

import keras

from gantools.nets import mlp
from gantools.nets.blocks import Layers, activate, norm, normal, picture, scaled
from gantools.nets.dcgan import double
from gantools.nets.unet import CutLike

PAPER = {"widths": (64, 128, 256, 512)}
POINTS = (128, 128, 128)


def translator(
    shape: tuple[int, ...],
    target: tuple[int, ...],
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    up: str = "transpose",
    norm_kind: str = "batch",
    seed: int = 0,
) -> keras.Model:
    """Return a translator: samples of `shape` -> samples of `target`, pictures in [-1, 1].

    Pictures of any size are taken: each width halves them with a 4x4 convolution, and as many
    transposed ones double them again, cut to the size that came in.

    Args:
        shape: `(height, width, channels)` of what comes in; of pictures the channels alone count.
        target: The same of what comes out.
        widths: Channels of the maps, from fine to coarse; for points, hidden units.
        up: How maps are doubled, see `nets.dcgan.double`.
        norm_kind: "batch", "instance" or "none"; not on the first map nor on the output.
        seed: Same seed, same weights.

    Source: Kim et al. 2017, arXiv 1703.05192, section 4.1 and its published code.
    """
    if len(shape) == 1:
        return mlp.generator(target, latent=shape[0], widths=tuple(widths), seed=seed)
    make = Layers(seed, normal(0.02))
    inputs = x = keras.Input((None, None, shape[-1]), name="picture_in")
    maps = []
    for i, width in enumerate(widths):
        maps.append(x)
        x = make.conv(x, f"down{i}", width, 4, strides=2, use_bias=False)
        x = activate(norm(x, norm_kind if i else "none", f"down{i}_norm"), "leaky_relu")
    for i, width in enumerate(widths[-2::-1]):
        x = double(make, x, f"up{i}", width, 4, up, use_bias=False)
        x = CutLike(name=f"cut{i}")(x, maps[-1 - i])
        x = activate(norm(x, norm_kind, f"up{i}_norm"), "relu")
    x = CutLike(name="cut")(double(make, x, "out", target[-1], 4, up, use_bias=False), inputs)
    return keras.Model(inputs, picture(x, "tanh"), name="generator")


def critic(
    shape: tuple[int, ...],
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512),
    norm_kind: str = "batch",
    seed: int = 0,
) -> keras.Model:
    """Return a critic: samples `(batch, *shape)` -> `(scores (batch, 1), [features, ...])`.

    The features are the activations of every layer but the first, from fine to coarse.

    Args:
        shape: Shape of one sample.
        widths: Channels of the 4x4 convolutions with stride 2; for points, hidden units.
        norm_kind: "batch", "instance" or "none"; not on the first layer, never for points.
        seed: Same seed, same weights.

    Source: as `translator`.
    """
    flat = len(shape) == 1
    make = Layers(seed, scaled(2**0.5) if flat else normal(0.02))
    inputs = x = keras.Input(tuple(shape), name="x")
    maps = []
    for i, width in enumerate(widths):
        if flat:
            x = make.dense(x, f"hidden{i}", width)
        else:
            x = make.conv(x, f"conv{i}", width, 4, strides=2, use_bias=False)
            x = norm(x, norm_kind if i else "none", f"norm{i}")
        x = activate(x, "leaky_relu", f"feature{i}")
        maps.append(x)
    score = make.score(x if flat else keras.layers.Flatten()(x), use_bias=flat)
    return keras.Model(inputs, (score, maps[1:]), name="discriminator")
