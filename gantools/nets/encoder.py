"""Networks that know the latents of pictures: encoders, and discriminators of pairs (x, z)."""

import math

import keras
from keras import ops

from gantools.nets import dcgan
from gantools.nets.blocks import Layers, activate, layer_seed, scaled
from gantools.nets.conditional import features

LOG_SD = (-6.0, 2.0)  # range of an encoder's log deviations, where exp neither dies nor explodes


@keras.saving.register_keras_serializable(package="gantools")
class Clip(keras.layers.Layer):
    """Limit values to a range.

    Args:
        low, high: The range.
        **options: Of a Keras layer.
    """

    def __init__(self, low: float, high: float, **options):
        super().__init__(**options)
        self.low, self.high = low, high

    def call(self, x):
        """Return the limited values."""
        return ops.clip(x, self.low, self.high)

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "low": self.low, "high": self.high}


def encoder(
    shape: tuple[int, ...], latent: int, *, stochastic: bool = False, seed: int = 0, **options
) -> keras.Model:
    """Return an encoder `(batch, *shape)` -> codes `(batch, latent)` float32, unbounded.

    Args:
        shape: Shape of one sample.
        latent: Size of a code.
        stochastic: Return [means, log deviations] of normally distributed codes instead.
        seed: Same seed, same weights.
        **options: Of `nets.dcgan.discriminator`, whose convolutions it has.

    Source: Donahue et al. 2016, arXiv 1605.09782; stochastic: Dumoulin et al. 2016,
    arXiv 1606.00704, eq. 4.
    """
    own = layer_seed(seed, "encoder")  # other weights than the discriminator's
    net = dcgan.discriminator(shape, seed=own, **options)
    make = Layers(own, scaled(1.0))
    code = make.dense(features(net), "code", latent, dtype="float32")
    if not stochastic:
        return keras.Model(net.input, code, name="encoder")
    spread = make.dense(features(net), "log_sd", latent, dtype="float32")
    return keras.Model(net.input, [code, Clip(*LOG_SD)(spread)], name="encoder")


def joint_discriminator(
    shape: tuple[int, ...],
    latent: int,
    *,
    codes: tuple[int, ...] = (128,),
    joint: tuple[int, ...] = (256,),
    dropout: float = 0.0,
    seed: int = 0,
    **options,
) -> keras.Model:
    """Return a discriminator {"x": `(batch, *shape)`, "z": `(batch, latent)`} -> logits.

    Args:
        shape: Shape of one sample.
        latent: Size of a code.
        codes: Units of dense layers that z passes alone.
        joint: Units of dense layers for the features of both.
        dropout: Share of features dropped before every dense layer in training.
        seed: Same seed, same weights and same dropout.
        **options: Of `nets.dcgan.discriminator`, whose features of x it takes.

    Source: Dumoulin et al. 2016, arXiv 1606.00704, figure 1.
    """
    net = dcgan.discriminator(shape, seed=seed, **options)
    make = Layers(seed, scaled(2**0.5))
    z = code = keras.Input((latent,), name="z")
    for i, units in enumerate(codes):
        code = _layer(make, code, f"code{i}", units, dropout if i else 0.0)
    x = keras.layers.Concatenate(name="x_and_z")([features(net), code])
    for i, units in enumerate(joint):
        x = _layer(make, x, f"joint{i}", units, dropout)
    return keras.Model({"x": net.input, "z": z}, make.score(x, "pair_score"), name="discriminator")


def flat_pairs(x, z):
    """Return pairs as one tensor, for penalties by both: `(batch, pixels + latent)`."""
    return ops.concatenate([ops.reshape(x, (-1, math.prod(x.shape[1:]))), z], axis=1)


def of_flat_pairs(judge, shape: tuple[int, ...]):
    """Return what scores `flat_pairs` of samples of that shape by a joint discriminator `judge`."""
    size = math.prod(shape)

    def score(pairs):
        return judge({"x": ops.reshape(pairs[:, :size], (-1, *shape)), "z": pairs[:, size:]})

    return score


def _layer(make: Layers, x, name: str, units: int, dropout: float):
    if dropout:
        seed = layer_seed(make.seed, f"{name}_drop")
        x = keras.layers.Dropout(dropout, seed=seed, name=f"{name}_drop")(x)
    return activate(make.dense(x, name, units), "leaky_relu")
