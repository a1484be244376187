"""SNGAN: every layer of the critic is divided by its largest singular value.

Miyato et al. 2018, "Spectral Normalization for Generative Adversarial Networks", arXiv 1802.05957.

    W -> W / sigma(W),  sigma by power iteration (algorithm 1)
    D minimises  E max(0, 1 - D(x)) + E max(0, 1 + D(G(z)));   G minimises  -E D(G(z))

The critic is then 1-Lipschitz without any penalty, at almost no cost. Five critic updates a cycle,
Adam with learning rate 2e-4, betas 0 and 0.9, falling linearly to 0.

Differs from the paper:
- the fakes of a generator update are 64, not twice as many as the critic's;
- a step of power iteration is made whenever the critic is called in training, not once an update:
  twice in each of its updates and once in G's, 5 times in a cycle of 2 and 1, 11 times in one of 5
  and 1;
- small: the networks of `nets.dcgan.CPU_*` (batch norm in G alone), for residual ones of a quarter
  of the width made 442 cycles in four minutes of a core; a constant learning rate and an averaged
  generator for the samples; tiny: for tests.
"""

from gantools.core import Ema, duel
from gantools.gans.recipe import Recipe
from gantools.gans.settings import adam, choose, networks, spectral
from gantools.nets import dcgan, resnet

TITLE = "Spectral Normalization for Generative Adversarial Networks"
SOURCE = "arXiv 1802.05957"
_PAPER = {
    "rate": (2e-4, 0.0, 100_000 * 64),
    "batch": 64,
    "repeats": 5,
    "half_life": None,
    "generator": resnet.SNGAN_GENERATOR,
    "critic": resnet.SNGAN_CRITIC,
}
SIZES = {
    "tiny": {
        **_PAPER,
        "batch": 4,
        "repeats": 2,
        "generator": {"latent": 8, "width": 4},
        "critic": {"width": 4, "flat": 1, "head": "sum"},
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
    """Return the recipe of SNGAN.

    Args:
        size: "tiny", "small" or "paper" (made for 32x32).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate` (a number, or start, end and the images between
            them), `batch`, `repeats` of the critic's turn, `half_life` of the averaged generator in
            images or None, `generator` and `critic` (dicts, see `nets.resnet`; small:
            `nets.dcgan`).
    """
    s = choose(SIZES, size, overrides)
    description = duel(
        *networks(s, shape, seed, spectral),
        objective="hinge",
        repeats=s["repeats"],
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    turns = (turn.name for turn in description.turns)
    return Recipe(description, {turn: adam(s["rate"], 0.9) for turn in turns}, s["batch"])
