"""LSGAN: least squares instead of log losses, so that distant fakes are still pulled.

Mao et al. 2017, "Least Squares Generative Adversarial Networks", arXiv 1611.04076.

    D minimises  E (D(x) - b)^2 / 2 + E (D(G(z)) - a)^2 / 2
    G minimises  E (D(G(z)) - c)^2 / 2

"least_squares" is a = 0, b = c = 1 (eq. 9, used in the paper's runs): at the fixed point D = 1/2
everywhere. "least_squares_pearson" is a = -1, b = 1, c = 0 (eq. 8): G then minimises the Pearson
chi-square divergence, and D = 0 at the fixed point.

Differs from the paper:
- the networks are DCGAN's; the LSUN generator of the paper has three more layers of stride 1;
- small: learning rate 2e-4, which the paper uses for characters, on the small DCGAN networks, and
  an averaged generator for the samples; tiny: for tests.
"""

import keras

from gantools.core import Ema, duel, uniform
from gantools.gans.recipe import Recipe
from gantools.gans.settings import check_word, choose
from gantools.nets import dcgan

TITLE = "Least Squares Generative Adversarial Networks"
SOURCE = "arXiv 1611.04076"
_PAPER = {
    "objective": "least_squares",
    "rate": 1e-3,
    "batch": 64,
    "half_life": None,
    "generator": {"latent": 1024, "widths": (256, 256, 128, 64), "kernel": 5},
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
        "rate": 2e-4,
        "half_life": 10_000,
        "generator": dcgan.CPU_GENERATOR,
        "discriminator": dcgan.CPU_DISCRIMINATOR,
    },
    "paper": _PAPER,
}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of LSGAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `objective` ("least_squares" or
            "least_squares_pearson"), `rate`, `batch`, `half_life` of the averaged generator in
            images or None, `generator` and `discriminator` (dicts, see `nets.dcgan`).

    Raises:
        UserError: another `objective`.
    """
    s = choose(SIZES, size, overrides)
    check_word(s, "objective", ("least_squares", "least_squares_pearson"))
    description = duel(
        dcgan.generator(shape, seed=seed, **s["generator"]),
        dcgan.discriminator(shape, seed=seed, **s["discriminator"]),
        objective=s["objective"],
        latent=uniform(s["generator"]["latent"]),
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in description.turns}
    return Recipe(description, adam, s["batch"])
