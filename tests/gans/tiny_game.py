"""The smallest game that the command line can train."""

import keras

from gantools.core import R1, Ema, duel
from gantools.gans.recipe import Recipe

TITLE = "A tiny game"
SOURCE = "a test"
SIZES = {"tiny": {"width": 4}, "small": {"width": 8}}


def game(size="small", shape=(8, 8, 1), *, seed=0):
    width, pixels = SIZES[size]["width"], shape[0] * shape[1] * shape[2]
    generator = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(width, activation="silu"),
            keras.layers.Dense(pixels, activation="tanh", dtype="float32"),
            keras.layers.Reshape(shape, dtype="float32"),
        ]
    )
    discriminator = keras.Sequential(
        [
            keras.Input(shape),
            keras.layers.Flatten(),
            keras.layers.Dense(width, activation="silu"),
            keras.layers.Dropout(0.1),
            keras.layers.Dense(1, dtype="float32"),
        ]
    )
    play = duel(generator, discriminator, penalties=(R1(0.1),), ema=Ema(half_life=100))
    return Recipe(play, {t.name: keras.optimizers.Adam(1e-3) for t in play.turns}, batch=16)
