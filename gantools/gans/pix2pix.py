"""pix2pix: learn from pairs how one picture becomes another: drawings, maps, masks, labels.

Isola et al. 2016, "Image-to-Image Translation with Conditional Adversarial Networks",
arXiv 1611.07004.

    D minimises  1/2 (E -log D(a, b) + E -log(1 - D(a, G(a))))
    G minimises  E -log D(a, G(a)) + 100 E |b - G(a)|_1

D sees both pictures together and judges patches of 70x70 pixels: it asks whether this b belongs to
this a, the L1 distance that large shapes are right. Dropout inside G is its noise.

Differs from the paper:
- instance normalisation, which is its batch normalisation at the paper's batch size of 1;
- below 256 pixels the U-Net has fewer maps, down to one of a single pixel: instance normalisation
  makes nothing but zeros of a map of one pixel, and dropout, the noise, would act on these;
- translations are made without dropout, so that a picture has one translation;
- the critic pads with zeros, so that its map is a little larger; its updates see other pairs;
- small: narrow networks, patches of 22x22, batches of 16, an averaged G; tiny: for tests.
"""

import math

import keras
from keras import ops

from gantools.core import Ema, Game, Turn, objective, uniform
from gantools.core.gradients import no_gradient
from gantools.data.jitter import Jitter
from gantools.gans.balance import balanced
from gantools.gans.domains import same_sides
from gantools.gans.likeness import distance
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import patch, unet

TITLE = "Image-to-Image Translation with Conditional Adversarial Networks"
SOURCE = "arXiv 1611.07004"
DATA = "pairs"
SIDES = objective("nonsaturating")
_PAPER = {
    "rate": 2e-4,
    "l1": 100.0,
    "enlarge": 286 / 256,
    "flip": True,
    "half_life": None,
    "batch": 1,
    "generator": unet.PAPER_UNET,
    "discriminator": patch.PAPER,
}
_TINY = {"batch": 4, "generator": {"widths": (4, 8, 8)}}
_TINY["discriminator"] = {"widths": (4, 8), "halvings": 1}
_SMALL = {"enlarge": 1.0, "flip": False, "half_life": 5_000, "batch": 16}
_SMALL["generator"] = {"widths": (32, 64, 128, 128)}
_SMALL["discriminator"] = {"widths": (32, 64, 128), "halvings": 1}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(256, 256, 3), *, target=None, seed=0, **overrides) -> Recipe:
    """Return the recipe of pix2pix.

    Args:
        size: "tiny", "small" or "paper" (made for 256x256).
        shape: `(height, width, channels)` of the pictures "a" in [-1, 1].
        target: The same of the pictures "b", of equal height and width; None: as `shape`.
        seed: Seed of the initial weights and of the dropout.
        **overrides: Of the size's settings: `rate`, `l1` (weight of the distance), `enlarge` and
            `flip` (random crops of pictures enlarged by that factor, mirrored or not),
            `half_life` of the averaged generator in images or None, `batch`, `generator` (a dict,
            see `nets.unet.unet`; of its widths as many are used as the shorter side can be
            halved) and `discriminator` (`nets.patch`).
    """
    s = choose(SIZES, size, overrides)
    target = same_sides(shape, target)
    halvings = max(1, math.ceil(math.log2(min(shape[:2]))))  # until a single pixel is left
    net = {**s["generator"], "widths": s["generator"]["widths"][:halvings]}
    players = {
        "generator": unet.unet(shape[-1], target[-1], seed=seed, **net),
        "discriminator": patch.critic(shape[-1] + target[-1], seed=seed, **s["discriminator"]),
    }
    weights = {"l1": s["l1"]}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms, weights={"adv": 0.5}),
        Turn("generator", ("generator",), _generator_terms, weights=weights),
    )
    description = Game(
        players,
        turns,
        samplers={"a": uniform(*shape)},
        ema={"generator": Ema(s["half_life"])} if s["half_life"] else {},
        sample=lambda model, draw: model(draw["a"]),
        equilibrium=balanced(SIDES),  # D = 1/2: 2 ln 2, before the factor 1/2; -log 1/2 for G
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"], Jitter(s["enlarge"], s["flip"], paired=True))


def _discriminator_terms(model, batch, draw):
    with no_gradient():
        fake = ops.stop_gradient(model.player("generator")(batch["a"]))
    r, f = _scores(model, batch["a"], batch["b"]), _scores(model, batch["a"], fake)
    return {"adv": SIDES.discriminator(r, f)}, {"real": ops.mean(r), "fake": ops.mean(f)}


def _generator_terms(model, batch, draw):
    fake = model.player("generator")(batch["a"])
    adv = SIDES.generator(None, _scores(model, batch["a"], fake))
    return {"adv": adv, "l1": distance(batch["b"], fake)}


def _scores(model, a, b):
    return model.player("discriminator")(ops.concatenate([a, b], axis=-1))
