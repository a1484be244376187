"""CycleGAN: learn from two heaps of pictures, without pairs, how one kind becomes the other.

Zhu et al. 2017, "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks",
arXiv 1703.10593.

    D_b minimises  1/2 (E (D_b(b) - 1)^2 + E D_b(G_b(a))^2), and D_a alike
    G_a, G_b minimise  E (D_b(G_b(a)) - 1)^2 + E (D_a(G_a(b)) - 1)^2
        + 10 (E |G_a(G_b(a)) - a|_1 + E |G_b(G_a(b)) - b|_1)                       (eq. 3)
        + 5 (E |G_b(b) - b|_1 + E |G_a(a) - a|_1)                                  (identity)

A translation must look like the other kind (D) and lead back to where it came from (the cycle); a
picture of the other kind should stay as it is, which keeps colours (identity). Both G move first,
in one update; then both D, which see fakes out of a pool of the last 50.

Differs from the paper:
- the real pictures that D sees are others than those whose translations are its new fakes;
- identity is not in equation 3: the paper adds it for paintings, its code by default, at half of
  `cycle`; `identity=0` leaves it out, as do kinds that differ in channels;
- the rate falls after half of `images`, in the paper of 200 epochs; the critic pads with zeros;
- small: narrow networks, patches of 22x22, batches of 8, a constant rate and averaged G; tiny: for
  tests.
"""

import keras

from gantools.core import Ema, Game, HistoryPool, Linear, Shared, Turn, objective, uniform
from gantools.data.jitter import Jitter
from gantools.gans.balance import balanced
from gantools.gans.domains import critic_terms, same_sides, translations
from gantools.gans.likeness import distance
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import patch, unet

TITLE = "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
SOURCE = "arXiv 1703.10593"
DATA = "domains"
SIDES = objective("least_squares")
_PAPER = {"rate": 2e-4, "images": 240_000, "cycle": 10.0, "identity": 0.5, "pool": 50, "batch": 1}
_PAPER |= {"enlarge": 286 / 256, "flip": True, "half_life": None}
_PAPER |= {"generator": unet.PAPER_RESNET, "discriminator": patch.PAPER}
_TINY = {"batch": 4, "pool": 6, "generator": {"width": 4, "halvings": 1, "blocks": 1}}
_TINY["discriminator"] = {"widths": (4, 8), "halvings": 1}
_SMALL = {"images": None, "enlarge": 1.0, "flip": False, "half_life": 5_000, "batch": 8}
_SMALL["generator"] = {"width": 24, "halvings": 2, "blocks": 3}
_SMALL["discriminator"] = {"widths": (32, 64, 128), "halvings": 1}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(256, 256, 3), *, target=None, seed=0, **overrides) -> Recipe:
    """Return the recipe of CycleGAN.

    Args:
        size: "tiny", "small" or "paper" (made for 256x256).
        shape: `(height, width, channels)` of the pictures "a" in [-1, 1].
        target: The same of the pictures "b", of equal height and width; None: as `shape`.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate`, `images` after which it is 0 (falling from the
            half on; None: constant), `cycle` (weight), `identity` (weight, as a share of
            `cycle`), `pool` (past fakes kept), `enlarge` and `flip` (see `pix2pix`), `half_life`
            of the averaged generators in images or None, `batch`, `generator` (a dict, see
            `nets.unet.resnet`) and `discriminator` (`nets.patch`).
    """
    s = choose(SIZES, size, overrides)
    target = same_sides(shape, target)
    a, b = shape[-1], target[-1]
    players = {
        "to_b": unet.resnet(a, b, seed=seed, **s["generator"]),
        "to_a": unet.resnet(b, a, seed=seed + 1, **s["generator"]),
        "critic_b": patch.critic(b, seed=seed + 2, **s["discriminator"]),
        "critic_a": patch.critic(a, seed=seed + 3, **s["discriminator"]),
    }
    weights = {"adv": 2.0, "cycle": s["cycle"]}  # the objective's factor is 1/2, the paper's G's 1
    weights |= {"identity": s["cycle"] * s["identity"]} if a == b and s["identity"] else {}
    turns = (
        Turn("generators", ("to_b", "to_a"), _generator_terms, weights=weights),
        Turn("critics", ("critic_b", "critic_a"), _critic_terms),
    )
    description = Game(
        players,
        turns,
        samplers={"a": uniform(*shape), "swap_a": uniform(2), "swap_b": uniform(2)},
        ema={name: Ema(s["half_life"]) for name in ("to_b", "to_a") if s["half_life"]},
        sample=lambda model, draw: model.best("to_b")(draw["a"]),
        memory={"a": HistoryPool(shape, s["pool"]), "b": HistoryPool(target, s["pool"])},
        shared=Shared(("to_b", "to_a"), translations),
        # D = 1/2: (1/2)^2 for each critic, half of that for each G; "adv" is the sum of both G.
        equilibrium=balanced(SIDES, ("critics/b", "critics/a"), ("generators/adv",), ways=2),
    )
    rate = Linear(s["rate"], 0.0, s["images"], s["images"] // 2) if s["images"] else s["rate"]
    adam = {turn.name: keras.optimizers.Adam(rate, beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"], Jitter(s["enlarge"], s["flip"], paired=False))


def _generator_terms(model, batch, draw):
    to_b, to_a, a, b = model.player("to_b"), model.player("to_a"), batch["a"], batch["b"]
    fake_b, fake_a = batch["fake_b"], batch["fake_a"]
    terms = {
        "adv": SIDES.generator(None, model.player("critic_b")(fake_b))
        + SIDES.generator(None, model.player("critic_a")(fake_a)),
        "cycle": distance(to_a(fake_b), a) + distance(to_b(fake_a), b),
    }
    if "identity" in model.game.turns[0].weights:
        terms["identity"] = distance(to_b(b), b) + distance(to_a(a), a)
    return terms


def _critic_terms(model, batch, draw):
    seen = {}
    for side in ("b", "a"):  # as they were before the update of G
        fake, swap = batch[f"fake_{side}"], draw[f"swap_{side}"]
        seen[side] = model.memory(side)(fake, swap, training=model.learning)
    score = lambda side, x: model.player(f"critic_{side}")(x)  # noqa: E731
    return critic_terms(score, batch, seen, SIDES)
