"""Conditional GAN: generator and discriminator are told the class.

Mirza & Osindero 2014, "Conditional Generative Adversarial Nets", arXiv 1411.1784.

    min over G, max over D of  E log D(x, y) + E log(1 - D(G(z, y), y))

`condition` says how D is told:
    "branches"       the paper's MLPs: a layer for x and one for the class, then joined;
    "concatenation"  the same for convolutions: the class is a part of the input, tiled;
    "projection"     D(x, y) = score(x) + <embedding(y), phi(x)>: the form of the log-likelihood
                     ratio when p(y | x) is log-linear. Miyato & Koyama 2018, arXiv 1802.05637.
G gets the class beside z. Fakes have the labels of the batch's real pictures, so that real and fake
samples of a pair are of one class. `sample` shows the classes in order; `sample(16, y=7)` asks for
one.

Differs from the paper:
- small, tiny: the networks of `nets.dcgan.CPU_*` with R3GAN's loss, two penalties and no
  normalisation in D in place of MLPs: one setting for all amounts of data;
- paper: the MLPs of section 4.1 with momentum 0.5 throughout (there: up to 0.7); G ascends E log D,
  and ends in tanh, a sigmoid rescaled; z is in [-1, 1]; the first weights are not given and taken
  from the original GAN's.
"""

from dataclasses import replace

import keras

from gantools.core import R1, R2, Ema, duel, in_order, labels, normal, uniform
from gantools.gans.recipe import Recipe
from gantools.gans.settings import augmentation, check_word, choose
from gantools.nets import conditional, dcgan

TITLE = "Conditional Generative Adversarial Nets"
SOURCE = "arXiv 1411.1784"
DATA = "labelled"
_SMALL = {
    "condition": "projection",
    "objective": "relativistic",
    "gamma": 1.0,
    "every": 4,
    "augment": None,
    "fill": 0.0,
    "optimizer": "adam",
    "rate": 3e-4,
    "batch": 64,
    "half_life": 20_000,
    "embed": 32,
    # Without norms half of G's pixels stood at exactly -1 after 500 cycles, never to move again.
    "generator": dcgan.CPU_GENERATOR,
    "discriminator": {**dcgan.CPU_DISCRIMINATOR, "norm_kind": "none"},
}
_TINY = {"batch": 4, "embed": 3, "generator": {"latent": 8, "widths": (8, 4)}}
_TINY["discriminator"] = {"widths": (4, 8), "norm_kind": "none"}
_PAPER = {
    "condition": "branches",
    "objective": "nonsaturating",
    "gamma": 0.0,
    "every": 1,
    "augment": None,
    "fill": 0.0,
    "optimizer": "sgd",
    "rate": 0.1,
    "batch": 100,
    "half_life": None,
    "embed": 0,
    "generator": conditional.PAPER_MLP_GENERATOR,
    "discriminator": conditional.PAPER_MLP_DISCRIMINATOR,
}
SIZES = {"tiny": {**_SMALL, **_TINY}, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(28, 28, 1), *, classes=10, seed=0, **overrides) -> Recipe:
    """Return the recipe of the conditional GAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        classes: Number of classes; the batch holds "y", integers from 0 to classes - 1.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `condition` (see above), `objective`, `gamma` of R1
            and R2 (0, as branches need, for none), `every` how many updates they act, `augment`
            and `fill` (see `settings.augmentation`), `optimizer` ("adam" or "sgd"), `rate`,
            `batch`, `half_life` of the averaged generator in images or None, `embed` (learnt
            numbers a class for G, 0: a unit vector), `generator` and `discriminator` (dicts, see
            `nets.dcgan`, or `nets.conditional.mlp_*`).

    Raises:
        UserError: an unknown `condition`, `objective`, `augment` or `optimizer`.
    """
    s = choose(SIZES, size, overrides)
    check_word(s, "optimizer", ("adam", "sgd"))
    nets = {name: s[name] for name in ("embed", "generator", "discriminator")}
    latent = (uniform if s["condition"] == "branches" else normal)(s["generator"]["latent"])
    description = duel(
        *conditional.networks(s["condition"], tuple(shape), classes, seed=seed, **nets),
        objective=s["objective"],
        penalties=tuple(kind(s["gamma"], every=s["every"]) for kind in (R1, R2) if s["gamma"]),
        latent=latent,
        augment=augmentation(s, shape),
        ema=Ema(s["half_life"]) if s["half_life"] else None,
        samplers={"y": labels(classes)},
        condition="y",
    )
    description = replace(description, arranged={"y": in_order(classes)})
    turns = (turn.name for turn in description.turns)
    return Recipe(description, {turn: _optimizer(s) for turn in turns}, s["batch"])


def _optimizer(s):
    if s["optimizer"] == "sgd":
        rate = keras.optimizers.schedules.ExponentialDecay(s["rate"], 1, 1 / 1.00004)
        return keras.optimizers.SGD(rate, momentum=0.5)
    return keras.optimizers.Adam(s["rate"], beta_1=0.0, beta_2=0.99)
