"""Small games on points, built by NumPy numbers, for the tests of the core."""

import keras
import numpy as np
from keras import layers

from gantools.core import R1, AdversarialModel, DiffAugment, Ema, GradientPenalty, LeCam, duel


def generator(*, norm=True, dropout=0.0):
    inputs = keras.Input((4,))
    x = layers.Dense(16, use_bias=not norm)(inputs)  # before batch norm a bias has no gradient
    x = layers.BatchNormalization()(x) if norm else x
    x = layers.LeakyReLU(0.2)(x)
    x = layers.Dropout(dropout, seed=3)(x) if dropout else x
    return keras.Model(inputs, layers.Dense(2)(x))


def critic(*, dropout=0.0):
    inputs = keras.Input((2,))
    x = layers.LeakyReLU(0.2)(layers.Dense(16)(inputs))
    x = layers.Dropout(dropout, seed=5)(x) if dropout else x
    x = layers.LeakyReLU(0.2)(layers.Dense(16)(x))
    return keras.Model(inputs, layers.Dense(1)(x))


def numbered(net, seed):
    """Give a network weights that NumPy draws: the same on every backend."""
    random = np.random.default_rng(seed)
    weights = [random.normal(0, 0.3, v.shape) for v in net.trainable_variables]
    for v, w in zip(net.trainable_variables, weights, strict=True):
        v.assign(w.astype("float32"))
    return net


def wgan_gp(*, dropout=0.0, norm=True, rate=None, **options):
    """Return a compiled WGAN-GP with 3 critic turns, batch norm in G and an average."""
    game = duel(
        numbered(generator(norm=norm, dropout=dropout), 1),
        numbered(critic(dropout=dropout), 2),
        objective="wasserstein",
        penalties=[GradientPenalty(10.0)],
        repeats=3,
        ema=Ema(1000),
    )
    model = AdversarialModel(game, seed=7)
    adam = lambda: rate(1e-2) if rate else keras.optimizers.Adam(1e-3, 0.0, 0.9)
    model.compile({"discriminator": adam(), "generator": adam()}, **options)
    return model


def waiting(*, norm=False, rate=keras.optimizers.SGD):
    """Return a compiled game whose critic moves only while it gives reals no low scores."""
    game = duel(
        numbered(generator(norm=norm), 1),
        numbered(critic(), 2),
        when=lambda logs: logs["discriminator/real"] >= -0.295,
    )
    model = AdversarialModel(game, seed=7)
    model.compile({turn.name: rate(1e-2) for turn in game.turns})
    return model


def points(n=256, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 2)).astype("float32")


def small_data(augment=None, seed=7):
    """Return a compiled game of 8x8 pictures with all that helps where samples are few."""
    make = layers.Reshape((8, 8, 1))(layers.Dense(64, "tanh")(inputs := keras.Input((4,))))
    seen = keras.Input((8, 8, 1))
    x = layers.LeakyReLU(0.2)(layers.Conv2D(4, 3, strides=2)(seen))
    score = layers.Dense(1)(layers.Dense(8, "tanh")(layers.Flatten()(x)))
    game = duel(
        numbered(keras.Model(inputs, make), 1),
        numbered(keras.Model(seen, score), 2),
        objective="hinge",
        penalties=[R1(1.0, every=2), LeCam(0.3, start=1)],
        augment=augment or DiffAugment("color,translation,cutout,affine", (8, 8, 1)),
    )
    model = AdversarialModel(game, seed=seed)
    model.compile({turn.name: keras.optimizers.Adam(1e-3, 0.0, 0.9) for turn in game.turns})
    return model
