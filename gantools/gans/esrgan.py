"""ESRGAN: SRGAN with dense blocks, without normalisation, and a discriminator that compares.

Wang et al. 2018, "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks",
arXiv 1809.00219.

    D minimises  -E log s(D(x) - E D(y)) - E log(1 - s(D(y) - E D(x)));   y = G(low), s = sigmoid
    G minimises  features + 5e-3 (the same with x and y exchanged) + 1e-2 E|y - x|

The data are sharp pictures; `low` is made of them by bicubic shrinking unless the batch holds it.
At first, for `pretrain` pictures, G learns E|y - x| alone and D waits; afterwards, with `vgg`, the
features are the difference of VGG-19's, before their activation. At the balance all scores are the
same, s = 1/2, and both sides of the comparison are worth 2 ln 2.

Differs from the paper:
- without `vgg` (no such weights come with this package) `matching` times the difference of D's own
  features takes its place, beside the whole E|y - x|;
- features are compared by their mean absolute difference throughout;
- `low` is in [-1, 1], like all pictures here; the learning rate is halved once, after `pretrain`;
- the discriminator is SRGAN's; small: a fraction of the networks and of the schedule, D for any
  size; tiny: for tests.
"""

import keras

from gantools.core import objective
from gantools.gans.enlarging import (
    discriminator_turn,
    enlarging_game,
    generator_turn,
    generator_weights,
)
from gantools.gans.likeness import distance, matching
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose, shown, switched
from gantools.nets import rrdb, srgan

TITLE = "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks"
SOURCE = "arXiv 1809.00219"
SIDES = objective("relativistic_average")
_PAPER = {
    "scale": 4,
    "rate": 2e-4,
    "pretrain": 1_000_000 * 16,
    "adversarial": 5e-3,
    "pixels": 1e-2,
    "matching": 0.1,
    "vgg": None,
    "half_life": None,
    "batch": 16,
    "generator": rrdb.PAPER,
    "discriminator": srgan.PAPER_DISCRIMINATOR,
}
_TINY = {"pretrain": 0, "batch": 4, "generator": {"width": 4, "growth": 2, "blocks": 1}}
_TINY["discriminator"] = {"width": 4, "stages": 2, "dense": 0}
_SMALL = {"pretrain": 50_000, "half_life": 5_000}
_SMALL["generator"] = {"width": 32, "growth": 16, "blocks": 2}
_SMALL["discriminator"] = {"width": 16, "stages": 3, "dense": 0}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(128, 128, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of ESRGAN.

    Args:
        size: "tiny", "small" or "paper" (crops of 128x128).
        shape: `(height, width, channels)` of the sharp pictures in [-1, 1], 1 or 3 channels.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `scale`, `rate` (half of it after `pretrain` pictures),
            `adversarial`, `pixels` (with `vgg` only) and `matching` (weights), `vgg` (path of
            VGG-19's weights without top), `half_life` of the averaged generator in images or None,
            `batch`, `generator` (dict, see `nets.rrdb`) and `discriminator` (see `nets.srgan`).
    """
    s = choose(SIZES, size, overrides)
    net, judge = {"scale": s["scale"], **s["generator"]}, {"features": True, **s["discriminator"]}
    players = {
        "generator": rrdb.generator(shape[-1], seed=seed, **net),
        "discriminator": srgan.discriminator(shape, seed=seed, **judge),
    } | ({"vgg": srgan.vgg_features(shape[-1], s["vgg"], active=False)} if s["vgg"] else {})
    weights = generator_weights(s, vgg=1.0, pixels=s["pixels"])
    turns = (
        discriminator_turn(SIDES, s["pretrain"]),
        generator_turn(s["pretrain"], _judged, weights),
    )
    sample = lambda model, draw: shown(model, model(draw["low"]))  # noqa: E731
    description = enlarging_game(players, turns, shape, s, SIDES, sample)
    rate = s["rate"], s["rate"] / 2, s["pretrain"]
    adam = {turn.name: keras.optimizers.Adam(switched(*rate)) for turn in turns}
    return Recipe(description, adam, s["batch"])


def _judged(model, sharp, enlarged):
    score, maps = model.player("discriminator")(enlarged)
    real, wanted = model.player("discriminator")(sharp)
    terms = {"adv": SIDES.generator(real, score)}
    if "vgg" not in model.game.players:
        return {**terms, "matching": matching(maps, wanted)}
    return {**terms, "vgg": distance(*(model.player("vgg")(x) for x in (sharp, enlarged)))}
