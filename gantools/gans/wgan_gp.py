"""WGAN-GP: a penalty on the critic's gradient in place of weight clipping.

Gulrajani et al. 2017, "Improved Training of Wasserstein GANs", arXiv 1704.00028.

    D minimises  E D(G(z)) - E D(x) + 10 E (|grad D(x')| - 1)^2,   x' = u x + (1 - u) G(z)
    G minimises  -E D(G(z))

u is uniform in [0, 1], one for each sample; the gradient is by x'. Five critic updates a cycle,
Adam with betas 0 and 0.9. The critic has no batch normalisation: the penalty is one of single
samples.

Differs from the paper:
- paper: the CIFAR-10 residual networks of appendix F; its labels and their loss are left out;
- small: the networks of `nets.dcgan.CPU_*` (batch norm in G alone), for residual ones of a quarter
  of the width made 309 cycles in four minutes of a core; a constant learning rate and an averaged
  generator for the samples; tiny: for tests.
"""

from gantools.core import Ema, GradientPenalty, duel
from gantools.gans.recipe import Recipe
from gantools.gans.settings import adam, choose, networks
from gantools.nets import dcgan, resnet

TITLE = "Improved Training of Wasserstein GANs"
SOURCE = "arXiv 1704.00028"
_PAPER = {
    "rate": (2e-4, 0.0, 100_000 * 64),
    "batch": 64,
    "repeats": 5,
    "penalty": 10.0,
    "half_life": None,
    "generator": resnet.WGAN_GP_GENERATOR,
    "critic": resnet.WGAN_GP_CRITIC,
}
SIZES = {
    "tiny": {
        **_PAPER,
        "batch": 4,
        "repeats": 2,
        "generator": {"latent": 8, "width": 4},
        "critic": {"width": 4, "flat": 1},
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
    """Return the recipe of WGAN-GP.

    Args:
        size: "tiny", "small" or "paper" (made for 32x32).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate` (a number, or start, end and the images between
            them), `batch`, `repeats` of the critic's turn, `penalty`, `half_life` of the averaged
            generator in images or None, `generator` and `critic` (dicts, see `nets.resnet`; small:
            `nets.dcgan`).
    """
    s = choose(SIZES, size, overrides)
    description = duel(
        *networks(s, shape, seed),
        objective="wasserstein",
        penalties=(GradientPenalty(s["penalty"]),),
        repeats=s["repeats"],
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    turns = (turn.name for turn in description.turns)
    return Recipe(description, {turn: adam(s["rate"], 0.9) for turn in turns}, s["batch"])
