"""SRGAN: enlarge pictures so that a discriminator takes them for real photographs.

Ledig et al. 2016, "Photo-Realistic Single Image Super-Resolution Using a Generative Adversarial
Network", arXiv 1609.04802.

    G minimises  content + 1e-3 E -log D(G(low));   D minimises  -E log D(x) - E log(1 - D(G(low)))

The data are sharp pictures; `low` is made of them by bicubic shrinking unless the batch holds it.
At first, for `pretrain` pictures, G learns the difference of pixels alone, which makes an SRResNet,
and D waits; afterwards, with `vgg`, the content is 0.006 times the squared difference of VGG-19
features. At the balance D = 1/2 everywhere: 2 ln 2 for D and, as -log 1/2, ln 2 for G's part.

Differs from the paper:
- without `vgg` (no such weights come with this package) the pixels' content goes on, beside
  `matching` times the difference of D's own features; both are mean absolute differences;
- `low` is in [-1, 1], like all pictures here;
- small: a fraction of the networks and of the schedule, D for any size; tiny: for tests.
"""

import keras
from keras import ops

from gantools.core import objective
from gantools.gans.enlarging import (
    discriminator_turn,
    enlarging_game,
    generator_turn,
    generator_weights,
)
from gantools.gans.likeness import matching
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose, switched
from gantools.nets import srgan

TITLE = "Photo-Realistic Single Image Super-Resolution Using a GAN"
SOURCE = "arXiv 1609.04802"
SIDES = objective("nonsaturating")
_PAPER = {
    "scale": 4,
    "rate": 1e-4,
    "pretrain": 1_000_000 * 16,
    "images": 200_000 * 16,
    "adversarial": 1e-3,
    "matching": 0.1,
    "vgg": None,
    "half_life": None,
    "batch": 16,
    "generator": srgan.PAPER_GENERATOR,
    "discriminator": srgan.PAPER_DISCRIMINATOR,
}
_TINY = {"pretrain": 0, "batch": 4, "generator": {"width": 4, "blocks": 1}}
_TINY["discriminator"] = {"width": 4, "stages": 2, "dense": 0}
_SMALL = {"pretrain": 50_000, "images": 100_000, "half_life": 5_000}
_SMALL["generator"] = {"width": 32, "blocks": 4}
_SMALL["discriminator"] = {"width": 16, "stages": 3, "dense": 0}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(96, 96, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of SRGAN.

    Args:
        size: "tiny", "small" or "paper" (crops of 96x96).
        shape: `(height, width, channels)` of the sharp pictures in [-1, 1], 1 or 3 channels.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `scale`, `rate` (a tenth of it in the last half),
            `pretrain` and then `images` pictures, `adversarial` and `matching` (weights), `vgg`
            (path of VGG-19's weights without top), `half_life` of the averaged generator in
            images or None, `batch`, `generator` and `discriminator` (dicts, see `nets.srgan`).
    """
    s = choose(SIZES, size, overrides)
    net, judge = {"scale": s["scale"], **s["generator"]}, {"features": True, **s["discriminator"]}
    players = {
        "generator": srgan.generator(shape[-1], seed=seed, **net),
        "discriminator": srgan.discriminator(shape, seed=seed, **judge),
    } | ({"vgg": srgan.vgg_features(shape[-1], s["vgg"])} if s["vgg"] else {})
    weights = generator_weights(s, vgg=0.006, pixels=0.0)
    turns = (
        discriminator_turn(SIDES, s["pretrain"]),
        generator_turn(s["pretrain"], _judged, weights),
    )
    sample = lambda model, draw: model(draw["low"])  # noqa: E731
    description = enlarging_game(players, turns, shape, s, SIDES, sample)
    rate = s["rate"], s["rate"] / 10, s["pretrain"] + s["images"] // 2
    adam = {turn.name: keras.optimizers.Adam(switched(*rate)) for turn in turns}
    return Recipe(description, adam, s["batch"])


def _judged(model, sharp, enlarged):
    score, maps = model.player("discriminator")(enlarged)
    terms = {"adv": SIDES.generator(None, score)}
    if "vgg" in model.game.players:
        wanted, found = (model.player("vgg")(x) for x in (sharp, enlarged))
        return {**terms, "vgg": ops.mean(ops.square(wanted - found))}
    _, wanted = model.player("discriminator")(sharp)
    return {**terms, "matching": matching(maps, wanted)}
