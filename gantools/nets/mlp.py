"""Multilayer perceptrons for points, rows and small pictures, the nets of the first GAN among them.

Any sample shape works: the discriminator flattens, the generator reshapes its last layer.
"""

import math

import keras

from gantools.errors import UserError
from gantools.nets.blocks import Layers, activate, layer_seed, picture, scaled, unchanged, uniform

# Goodfellow et al. 2014, arXiv 1406.2661, with the settings of their published MNIST run.
PAPER_GENERATOR = {"latent": 100, "widths": (1200, 1200), "activation": "relu", "reach": 0.05}
PAPER_DISCRIMINATOR = {
    "widths": (240, 240),
    "pieces": 5,
    "dropout": (0.2, 0.5),
    "reach": 0.005,
}


@keras.saving.register_keras_serializable(package="gantools")
class MaxPieces(keras.layers.Layer):
    """The maximum of maxout: `(batch, units * pieces)` -> `(batch, units)`.

    Args:
        pieces: How many neighbouring features compete.
        **options: Of a Keras layer.

    Source: Goodfellow et al. 2013, arXiv 1302.4389, eq. 2; the affine map is a dense layer before.
    """

    def __init__(self, pieces: int, **options):
        super().__init__(**options)
        self.pieces = pieces

    def call(self, x):
        """Return the largest of every `pieces` features."""
        grouped = keras.ops.reshape(x, (-1, x.shape[-1] // self.pieces, self.pieces))
        return keras.ops.max(grouped, axis=-1)

    def compute_output_shape(self, input_shape):
        """Return `(batch, units)`."""
        return (input_shape[0], input_shape[1] // self.pieces)

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "pieces": self.pieces}


def generator(
    shape: tuple[int, ...],
    *,
    latent: int = 64,
    widths: tuple[int, ...] = (128, 128, 128),
    activation: str = "leaky_relu",
    output: str = "linear",
    reach: float | None = None,
    seed: int = 0,
) -> keras.Model:
    """Return a generator `(batch, latent)` -> `(batch, *shape)` float32.

    Args:
        shape: Shape of one sample: `(2,)` for points, `(height, width, channels)` for pictures.
        latent: Size of the noise vector.
        widths: Hidden units, layer by layer.
        activation: "leaky_relu" (slope 0.2), "relu" or any other name that Keras knows.
        output: "linear", "tanh" (pictures in [-1, 1]) or "sigmoid".
        reach: Initial weights are uniform in [-reach, reach]; None: He's distribution.
        seed: Same seed, same weights.
    """
    shape = tuple(int(side) for side in shape)
    make = Layers(seed, _initial(reach))
    z = x = keras.Input((latent,), name="z")
    for i, width in enumerate(widths):
        x = activate(make.dense(x, f"hidden{i}", width), activation)
    x = make.dense(x, "out", math.prod(shape), init=_initial(reach, gain=1.0))
    x = x if len(shape) == 1 else keras.layers.Reshape(shape)(x)
    return keras.Model(z, picture(x, output), name="generator")


def discriminator(
    shape: tuple[int, ...],
    *,
    widths: tuple[int, ...] = (128, 128, 128),
    activation: str = "leaky_relu",
    pieces: int = 1,
    dropout: tuple[float, float] = (0.0, 0.0),
    reach: float | None = None,
    wrap=unchanged,
    seed: int = 0,
) -> keras.Model:
    """Return a discriminator `(batch, *shape)` -> logits `(batch, 1)` float32.

    Args:
        shape: Shape of one sample.
        widths: Hidden units, layer by layer.
        activation: As for `generator`; not used with maxout.
        pieces: Linear pieces of each maxout unit; 1: no maxout.
        dropout: Shares of the inputs and of the hidden units that are dropped in training.
        reach: Initial weights are uniform in [-reach, reach]; None: He's distribution.
        wrap: Applied to every dense layer, for example spectral normalisation.
        seed: Same seed, same weights and same dropout.

    Raises:
        UserError: `pieces` is not positive.
    """
    if pieces < 1:
        raise UserError(f"pieces must be at least 1. Received: pieces={pieces}.")
    make = Layers(seed, _initial(reach), wrap)
    inputs = x = keras.Input(tuple(shape), name="x")
    x = x if len(shape) == 1 else keras.layers.Flatten()(x)
    x = _drop(x, dropout[0], seed, "drop_input")
    for i, width in enumerate(widths):
        x = make.dense(x, f"hidden{i}", width * pieces)
        x = MaxPieces(pieces)(x) if pieces > 1 else activate(x, activation)
        x = _drop(x, dropout[1], seed, f"drop{i}")
    return keras.Model(inputs, make.score(x, init=_initial(reach, 1.0)), name="discriminator")


def _initial(reach: float | None, gain: float = math.sqrt(2)):
    """Return the initial distribution: uniform in [-reach, reach], or He's for `reach` None."""
    return scaled(gain) if reach is None else uniform(reach)


def _drop(x, rate: float, seed: int, name: str):
    """Apply dropout when `rate` is above zero."""
    if not rate:
        return x
    return keras.layers.Dropout(rate, seed=layer_seed(seed, name), name=name)(x)
