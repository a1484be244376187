"""DCGAN: the first convolutional GAN that trains reliably.

Radford, Metz & Chintala 2015, "Unsupervised Representation Learning with Deep Convolutional
Generative Adversarial Networks", arXiv 1511.06434.

The game is the original one with the non-saturating generator; what is new is how the networks are
built: strided convolutions instead of pooling, batch normalisation in both (not at G's output nor
D's input), ReLU in G and LeakyReLU 0.2 in D, tanh at the end, weights from N(0, 0.02), and Adam
with learning rate 2e-4 and beta_1 0.5.

Differs from the paper:
- the paper does not give D's widths: they mirror G's at half their number, as in its code;
- small: the networks of `nets.dcgan.CPU_*` with batches of 64, which do their work at half the
  side, and an averaged generator for the samples; tiny: for tests.
"""

import keras

from gantools.core import Ema, duel, uniform
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import dcgan

TITLE = "Unsupervised Representation Learning with Deep Convolutional GANs"
SOURCE = "arXiv 1511.06434"
_PAPER = {
    "rate": 2e-4,
    "batch": 128,
    "half_life": None,
    "generator": dcgan.PAPER_GENERATOR,
    "discriminator": dcgan.PAPER_DISCRIMINATOR,
}
SIZES = {
    "tiny": {
        **_PAPER,
        "batch": 8,
        "generator": {"latent": 8, "widths": (8, 4)},
        "discriminator": {"widths": (4, 8)},
    },
    "small": {
        **_PAPER,
        "batch": 64,
        "half_life": 10_000,
        "generator": dcgan.CPU_GENERATOR,
        "discriminator": dcgan.CPU_DISCRIMINATOR,
    },
    "paper": _PAPER,
}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of DCGAN.

    Args:
        size: "tiny", "small" or "paper" (made for 64x64).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate`, `batch`, `half_life` of the averaged
            generator in images or None, `generator` and `discriminator` (dicts, see `nets.dcgan`).
    """
    s = choose(SIZES, size, overrides)
    description = duel(
        dcgan.generator(shape, seed=seed, **s["generator"]),
        dcgan.discriminator(shape, seed=seed, **s["discriminator"]),
        objective="nonsaturating",
        latent=uniform(s["generator"]["latent"]),
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in description.turns}
    return Recipe(description, adam, s["batch"])
