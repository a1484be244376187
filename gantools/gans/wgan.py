"""WGAN: the critic estimates the earth mover's distance, kept Lipschitz by clipping its weights.

Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", arXiv 1701.07875.

    W(data, G) ~ max over Lipschitz D of  E D(x) - E D(G(z));   G minimises  -E D(G(z))

Algorithm 1, one cycle: five critic updates on fresh minibatches, each followed by clipping every
weight of the critic to [-0.01, 0.01]; then one generator update. RMSProp with learning rate 5e-5,
since momentum made training unstable. Scores have no scale and no zero: only E D(x) - E D(G(z))
means something, and it falls as samples improve.

Differs from the paper:
- its networks are DCGAN's, here with the paper's widths halved at 64 pixels (the size of its code);
- small: the small DCGAN networks and learning rate 2e-4, since a CPU makes few updates; an averaged
  generator for the samples; tiny: for tests.
"""

import keras

from gantools.core import Ema, duel, normal
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import dcgan

TITLE = "Wasserstein GAN"
SOURCE = "arXiv 1701.07875"
_PAPER = {
    "rate": 5e-5,
    "batch": 64,
    "repeats": 5,
    "clip": 0.01,
    "half_life": None,
    "generator": {"latent": 100},
    "critic": {},
}
SIZES = {
    "tiny": {
        **_PAPER,
        "batch": 8,
        "repeats": 2,
        "generator": {"latent": 8, "widths": (8, 4)},
        "critic": {"widths": (4, 8)},
    },
    "small": {
        **_PAPER,
        "rate": 2e-4,
        "half_life": 10_000,
        "generator": dcgan.CPU_GENERATOR,
        "critic": dcgan.CPU_DISCRIMINATOR,
    },
    "paper": _PAPER,
}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of WGAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate`, `batch`, `repeats` of the critic's turn,
            `clip`, `half_life` of the averaged generator in images or None, `generator` and
            `critic` (dicts, see `nets.dcgan`).
    """
    s = choose(SIZES, size, overrides)
    description = duel(
        dcgan.generator(shape, seed=seed, **s["generator"]),
        dcgan.discriminator(shape, seed=seed, **s["critic"]),
        objective="wasserstein",
        latent=normal(s["generator"]["latent"]),
        repeats=s["repeats"],
        clip=s["clip"],
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    rmsprop = {turn.name: keras.optimizers.RMSprop(s["rate"]) for turn in description.turns}
    return Recipe(description, rmsprop, s["batch"])
