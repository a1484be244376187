"""R3GAN: a modern baseline of a relativistic loss, two penalties and plain residual networks.

Huang et al. 2024, "The GAN is dead; long live the GAN! A Modern Baseline GAN", arXiv 2501.05441.

    D minimises  E softplus(D(G(z)) - D(x)) + gamma / 2 (E |grad D(x)|^2 + E |grad D(G(z))|^2)
    G minimises  E softplus(D(x) - D(G(z)))

Real and fake samples are paired; both penalties act at every update. No normalisation, no trick:
the pairing covers all modes, the penalties make training converge. Learning rate, gamma and the
half-life of the averaged generator follow a cosine over the run.

Differs from the paper:
- beta_2 of Adam stays 0.99 (there: 0.9 to 0.99), and pictures are augmented only if `augment` says
  how (there: with a probability that rises along a cosine);
- paper: gamma, half-life and batch by the longest side, from the nearest of its data sets without
  labels;
- samples are clipped to [-1, 1]: the generator's output is linear;
- small: the networks of `nets.dcgan.CPU_*` in place of residual ones, batch norm in G, a constant
  gamma, and a rate that has fallen after 400 000 pictures. Narrow residual networks found 288 of
  the 1000 modes of `benchmarks.quality.stacked` in half an hour of one core and made chequerboards;
  these find 977 to 981 in three minutes. tiny: for tests.
"""

from dataclasses import replace

import keras

from gantools.core import R1, R2, Cosine, Ema, duel
from gantools.gans.recipe import Recipe
from gantools.gans.settings import augmentation, choose, shown
from gantools.nets import dcgan, r3gan

TITLE = "The GAN is dead; long live the GAN! A Modern Baseline GAN"
SOURCE = "arXiv 2501.05441"
# Of CIFAR-10, FFHQ-64 and FFHQ-256, by their resolution.
GAMMAS = {32: (0.05, 0.005), 64: (2.0, 0.2), 256: (150.0, 15.0)}
HALF_LIVES = {32: 5_000_000, 64: 500_000, 256: 500_000}
BATCHES = {32: 512, 64: 256, 256: 256}
_PAPER = {
    "rate": (2e-4, 5e-5),
    "gamma": None,
    "half_life": None,
    "images": 20_000_000,
    "augment": None,
    "fill": 0.0,
    "batch": None,
    "latent": 64,
    "networks": r3gan.PAPER,
}
SIZES = {
    "tiny": {
        **_PAPER,
        "batch": 4,
        "latent": 8,
        "networks": {"widths": (16, 8), "blocks": 1},
    },
    "small": {
        **_PAPER,
        "gamma": (1.0, 1.0),
        "half_life": 10_000,
        "images": 400_000,
        "batch": 64,
        "networks": {
            "generator": dcgan.CPU_GENERATOR,
            "critic": {**dcgan.CPU_DISCRIMINATOR, "norm_kind": "none"},
        },
    },
    "paper": _PAPER,
}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of R3GAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate` and `gamma` (start and end), `half_life` of the
            averaged generator at the end, in pictures, `images` after which schedules have ended,
            `augment` and `fill` (see `settings.augmentation`), `batch`, `latent`, and `networks`: a
            dict for both of `nets.r3gan`, or {"generator", "critic"} with one for each of
            `nets.dcgan`. None for gamma, half-life or batch takes the paper's for the nearest
            resolution.
    """
    s = choose(SIZES, size, overrides)
    nearest = min(GAMMAS, key=lambda side: abs(side - max(shape[:-1])))
    gamma = Cosine(*(s["gamma"] or GAMMAS[nearest]), s["images"])
    half_life = Cosine(0.0, s["half_life"] or HALF_LIVES[nearest], s["images"])
    description = duel(
        *_networks(shape, s, seed),
        objective="relativistic",
        penalties=(R1(gamma), R2(gamma)),
        augment=augmentation(s, shape),
        ema=Ema(half_life, ramp=None),  # the cosine from 0 is the ramp
    )
    description = replace(description, sample=_clipped)
    turns = (turn.name for turn in description.turns)
    adam = {turn: _adam(s) for turn in turns}
    return Recipe(description, adam, s["batch"] or BATCHES[nearest])


def _networks(shape, s, seed):
    options = s["networks"]
    if "generator" not in options:
        made = r3gan.generator(shape, latent=s["latent"], seed=seed, **options)
        return made, r3gan.critic(shape, seed=seed, **options)
    own = {**options["generator"], "latent": s["latent"]}
    made = dcgan.generator(shape, seed=seed, **own)
    return made, dcgan.discriminator(shape, seed=seed, **options["critic"])


def _adam(s):
    rate = Cosine(*s["rate"], s["images"])
    return keras.optimizers.Adam(rate, beta_1=0.0, beta_2=0.99, epsilon=1e-8)


def _clipped(model, draw):
    return shown(model, model(draw["z"]))
