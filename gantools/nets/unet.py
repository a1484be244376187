"""Networks that turn a picture into another of the same size: pix2pix's U-Net, CycleGAN's ResNet.

Both are made of convolutions only and take pictures of any size: where a side is odd, halving
rounds up, and what is doubled again is cut to the size that it came from. Instance normalisation is
what batch normalisation is for one picture at a time, as both papers train; it works the same on
one picture as in a batch.
"""

import keras
from keras import ops

from gantools.nets.blocks import Layers, activate, layer_seed, norm, normal, picture
from gantools.nets.dcgan import double

PAPER_UNET = {"widths": (64, 128, 256, 512, 512, 512, 512, 512)}
PAPER_RESNET = {"width": 64, "halvings": 2, "blocks": 9}


@keras.saving.register_keras_serializable(package="gantools")
class CutLike(keras.layers.Layer):
    """Cut `(batch, height + p, width + q, c)` to the height and width of a second tensor."""

    def call(self, x, like):
        """Return the upper left part of x."""
        height, width = ops.shape(like)[1], ops.shape(like)[2]
        return x[:, :height, :width]

    def compute_output_shape(self, x_shape, like_shape):
        """Return `(batch, *height and width of the second tensor, channels)`."""
        return (*like_shape[:3], x_shape[3])


@keras.saving.register_keras_serializable(package="gantools")
class Mirror(keras.layers.Layer):
    """Pad height and width by mirroring at the border pixels: no dark frame, as zeros make.

    Args:
        margin: Pixels on each side; fewer than the picture has.
        **options: Of a Keras layer.
    """

    def __init__(self, margin: int, **options):
        super().__init__(**options)
        self.margin = margin

    def call(self, x):
        """Return `(batch, height + 2 margin, width + 2 margin, c)`."""
        sides = (self.margin, self.margin)
        return ops.pad(x, ((0, 0), sides, sides, (0, 0)), mode="reflect")

    def compute_output_shape(self, input_shape):
        """Return the padded shape; unknown sides stay unknown."""
        batch, *space, channels = input_shape
        return (batch, *(side and side + 2 * self.margin for side in space), channels)

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "margin": self.margin}


def unet(
    channels: int = 3,
    target: int = 3,
    *,
    widths: tuple[int, ...] = (64, 128, 256, 512, 512, 512, 512, 512),
    dropout: float = 0.5,
    up: str = "transpose",
    norm_kind: str = "instance",
    seed: int = 0,
) -> keras.Model:
    """Return a U-Net `(batch, height, width, channels)` -> `(batch, height, width, target)`.

    Each width halves the picture with a 4x4 convolution; on the way back each map is joined by the
    one that it came from. Dropout in the first three maps of the way back is the only noise.

    Args:
        channels: Channels of the picture that goes in.
        target: Channels of the picture that comes out, float32 in [-1, 1].
        widths: Channels of the maps, from fine to coarse.
        dropout: Share that is dropped in training.
        up: How maps are doubled, see `nets.dcgan.double`.
        norm_kind: "instance" or "batch"; neither on the first nor on the coarsest map.
        seed: Same seed, same weights and same dropout.

    Source: Isola et al. 2016, arXiv 1611.07004, section 6.1.1, "U-Net decoder" (its numbers of
        channels are those after joining).
    """
    make = Layers(seed, normal(0.02))
    inputs = x = keras.Input((None, None, channels), name="picture_in")
    maps = []
    for i, width in enumerate(widths):
        bare = i in (0, len(widths) - 1)
        x = make.conv(x, f"down{i}", width, 4, strides=2, use_bias=bare)
        x = x if bare else norm(x, norm_kind, f"down_norm{i}")
        maps.append(x)
        x = activate(x, "leaky_relu")
    x = activate(maps[-1], "relu")
    for i, width in enumerate(widths[-2::-1]):
        x = double(make, x, f"up{i}", width, 4, up, use_bias=False)
        x = norm(CutLike(name=f"cut{i}")(x, maps[-2 - i]), norm_kind, f"up_norm{i}")
        if i < 3 and dropout:
            x = keras.layers.Dropout(dropout, seed=layer_seed(seed, f"drop{i}"), name=f"drop{i}")(x)
        x = activate(keras.layers.Concatenate(name=f"join{i}")([x, maps[-2 - i]]), "relu")
    x = CutLike(name="cut")(double(make, x, "out", target, 4, up), inputs)
    return keras.Model(inputs, picture(x, "tanh"), name="generator")


def resnet(
    channels: int = 3,
    target: int = 3,
    *,
    width: int = 64,
    halvings: int = 2,
    blocks: int = 9,
    up: str = "transpose",
    norm_kind: str = "instance",
    seed: int = 0,
) -> keras.Model:
    """Return CycleGAN's translator `(batch, height, width, channels)` -> `(..., target)`.

    Args:
        channels: Channels of the picture that goes in; its sides are at least 4.
        target: Channels of the picture that comes out, float32 in [-1, 1].
        width: Channels at full size; they double with every halving.
        halvings: How often the picture is halved.
        blocks: Residual blocks at the smallest size: 6 for 128x128, 9 for larger pictures.
        up: How maps are doubled, see `nets.dcgan.double`.
        norm_kind: "instance" or "batch".
        seed: Same seed, same weights.

    Source: Zhu et al. 2017, arXiv 1703.10593, section 7.2; the blocks of Johnson et al. 2016,
        arXiv 1603.08155.
    """
    make = Layers(seed, normal(0.02))
    inputs = keras.Input((None, None, channels), name="picture_in")
    x = _step(make, inputs, "head", width, 7, norm_kind)
    sizes = []
    for i in range(halvings):
        sizes.append(x)
        x = make.conv(x, f"down{i}", width * 2 ** (i + 1), strides=2, use_bias=False)
        x = activate(norm(x, norm_kind, f"down{i}_norm"), "relu")
    for i in range(blocks):
        y = _step(make, x, f"block{i}_conv1", x.shape[-1], 3, norm_kind)
        y = _step(make, y, f"block{i}_conv2", x.shape[-1], 3, norm_kind, active=False)
        x = keras.layers.Add(name=f"block{i}")([y, x])
    for i, like in enumerate(reversed(sizes)):
        x = double(make, x, f"up{i}", like.shape[-1], 3, up, use_bias=False)
        x = CutLike(name=f"cut{i}")(x, like)
        x = activate(norm(x, norm_kind, f"up{i}_norm"), "relu")
    x = make.conv(Mirror(3, name="tail_mirror")(x), "tail", target, 7, padding="valid")
    return keras.Model(inputs, picture(x, "tanh"), name="generator")


def _step(make, x, name, width, kernel, norm_kind, active=True):
    """Mirror, convolve, normalise and activate at the same size."""
    x = Mirror(kernel // 2, name=f"{name}_mirror")(x)
    x = make.conv(x, name, width, kernel, padding="valid", use_bias=False)
    x = norm(x, norm_kind, f"{name}_norm")
    return activate(x, "relu") if active else x
