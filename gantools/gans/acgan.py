"""AC-GAN: the discriminator also names the class, and both players want it to be right.

Odena, Olah & Shlens 2016, "Conditional Image Synthesis with Auxiliary Classifier GANs",
arXiv 1610.09585.

    L_S = E log P(real | x) + E log P(fake | G(z, y))
    L_C = E log P(y | x) + E log P(y | G(z, y))
    D maximises  L_S + L_C        G maximises  L_C - L_S

D returns (score, logits of the classes). Known fault: G is paid for pictures that are easy to
classify, so with many classes or a large weight of L_C the pictures within a class become alike.
`cgan` with its projection has no such term; compare the diversity within classes. `sample` shows
the classes in order; `sample(16, y=7)` asks for one.

Differs from the paper:
- G's part of L_S is the non-saturating E log P(real | G(z, y)), as in its code;
- paper: the CIFAR-10 networks of appendix A; the class is appended to z as a unit vector;
- small: the networks of `nets.dcgan.CPU_*`, batches of 64 and an averaged generator for the
  samples; tiny: for tests.
"""

from functools import partial

import keras
from keras import ops

from gantools.core import Ema, Game, Turn, cross_entropy, in_order, labels, normal, objective
from gantools.core.gradients import no_gradient
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import conditional, dcgan

TITLE = "Conditional Image Synthesis with Auxiliary Classifier GANs"
SOURCE = "arXiv 1610.09585"
DATA = "labelled"
SIDES = objective("nonsaturating")
_PAPER = {
    "rate": 2e-4,
    "batch": 100,
    "half_life": None,
    "class_weight": 1.0,
    "generator": {"latent": 100, "widths": (384, 192, 96), "kernel": 5},
    "discriminator": {
        "widths": (16, 32, 64, 128, 256, 512),
        "kernel": 3,
        "strides": (2, 1, 2, 1, 2, 1),
        "dropout": 0.5,
    },
}
_SMALL = {"batch": 64, "half_life": 10_000, "generator": dcgan.CPU_GENERATOR}
_SMALL["discriminator"] = dcgan.CPU_DISCRIMINATOR
_TINY = {"batch": 4, "generator": {"latent": 8, "widths": (8, 4)}}
_TINY["discriminator"] = {"widths": (4, 8), "dropout": 0.5}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(32, 32, 3), *, classes=10, seed=0, **overrides) -> Recipe:
    """Return the recipe of AC-GAN.

    Args:
        size: "tiny", "small" or "paper" (made for 32x32).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        classes: Number of classes; the batch holds "y", integers from 0 to classes - 1.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate`, `batch`, `half_life` of the averaged generator
            in images or None, `class_weight` of L_C, `generator` and `discriminator` (dicts, see
            `nets.dcgan`).
    """
    s = choose(SIZES, size, overrides)
    make = partial(dcgan.generator, shape, seed=seed)
    net = dcgan.discriminator(shape, seed=seed, **s["discriminator"])
    named = dict.fromkeys(("class_real", "class_fake"), s["class_weight"])
    asked = {"class": s["class_weight"]}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms, weights=named),
        Turn("generator", ("generator",), _generator_terms, weights=asked),
    )
    description = Game(
        players={
            "generator": conditional.told_generator(make, classes, 0, **s["generator"]),
            "discriminator": conditional.heads(net, {"class": classes}, seed=seed),
        },
        turns=turns,
        samplers={"z": normal(s["generator"]["latent"]), "y": labels(classes)},
        ema={"generator": Ema(s["half_life"])} if s["half_life"] else {},
        sample=lambda model, draw: model(_asked(draw)),
        arranged={"y": in_order(classes)},
        equilibrium=balanced(SIDES),  # D = 1/2: 2 ln 2 for it, -log 1/2 for G; L_C is open
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"])


def _asked(draw):
    return {"z": draw["z"], "y": draw["y"]}


def _discriminator_terms(model, batch, draw):
    with no_gradient():
        fake = ops.stop_gradient(model.player("generator")(_asked(draw)))
    r, real_class = model.player("discriminator")(batch["x"])
    f, fake_class = model.player("discriminator")(fake)
    terms = {
        "adv": SIDES.discriminator(r, f),
        "class_real": cross_entropy(draw["y"], real_class),
        "class_fake": cross_entropy(draw["y"], fake_class),
    }
    return terms, {"real": ops.mean(r), "fake": ops.mean(f)}


def _generator_terms(model, batch, draw):
    score, logits = model.player("discriminator")(model.player("generator")(_asked(draw)))
    return {"adv": SIDES.generator(None, score), "class": cross_entropy(draw["y"], logits)}
