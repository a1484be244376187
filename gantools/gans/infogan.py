"""InfoGAN: codes that the pictures must reveal, and that therefore come to mean something.

Chen et al. 2016, "InfoGAN: Interpretable Representation Learning by Information Maximizing
Generative Adversarial Nets", arXiv 1606.03657.

    min over G, Q, max over D of  V(D, G) - lambda L_I(G, Q),   L_I = E log Q(c | G(z, c)) + H(c)

G gets noise z, one category and some continuous codes; Q reads the codes back from the picture, and
shares all of D's layers but the last. log Q is -cross entropy for the category and, for the
continuous codes, that of a normal distribution of mean Q and deviation 1, up to a constant:
-sum (c - Q)^2 / 2. No labels are used. `sample` shows the categories in order, one a row when
n = categories**2; `sample(16, category=3)` asks for one.

Differs from the paper:
- Q moves in D's turn, with the layers that they share, as in the paper's code;
- LeakyReLU's slope is 0.2 instead of 0.1, and D's dense layer has no batch normalisation;
- lambda is 1 for the category and 0.1 for continuous codes, which the paper only calls smaller;
- small: the networks of `nets.dcgan.CPU_*` and an averaged generator; tiny: for tests.
"""

import keras
from keras import ops

from gantools.core import Ema, Game, Turn, categories, cross_entropy, in_order, objective, uniform
from gantools.core.gradients import no_gradient
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import conditional, dcgan

TITLE = "InfoGAN: Interpretable Representation Learning by Information Maximizing GANs"
SOURCE = "arXiv 1606.03657"
SIDES = objective("nonsaturating")
_PAPER = {"rates": (2e-4, 1e-3), "batch": 128, "half_life": None}
_PAPER |= {"noise": 62, "categories": 10, "continuous": 2, "hidden": 128}
_PAPER |= {"weights": {"category": 1.0, "continuous": 0.1}}
_PAPER |= {"generator": {"dense": 1024, "widths": (128, 64)}}
_PAPER |= {"discriminator": {"widths": (64, 128), "dense": 1024}}
_SMALL = {"batch": 64, "half_life": 10_000, "discriminator": dcgan.CPU_DISCRIMINATOR}
_SMALL["generator"] = {"widths": (96, 48), "refine": 1, "largest": 8}
_TINY = {"batch": 4, "noise": 4, "categories": 3, "hidden": 8, "generator": {"widths": (8, 4)}}
_TINY["discriminator"] = {"widths": (4, 8)}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(28, 28, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of InfoGAN.

    Args:
        size: "tiny", "small" or "paper" (made for 28x28x1).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rates` of D and G, `batch`, `half_life` of the
            averaged generator in images or None, sizes `noise`, `categories` and `continuous`,
            `weights` (lambda of "category" and "continuous"), `hidden` units of Q, `generator` and
            `discriminator` (dicts, see `nets.dcgan`).
    """
    s = choose(SIZES, size, overrides)
    latent = s["noise"] + s["categories"] + s["continuous"]
    net = dcgan.discriminator(shape, seed=seed, **s["discriminator"])
    read = {"category": s["categories"], "continuous": s["continuous"]}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms, weights=s["weights"]),
        Turn("generator", ("generator",), _generator_terms, weights=s["weights"]),
    )
    description = Game(
        players={
            "generator": dcgan.generator(shape, latent=latent, seed=seed, **s["generator"]),
            "discriminator": conditional.heads(net, read, hidden=s["hidden"], seed=seed),
        },
        turns=turns,
        samplers={
            "z": uniform(s["noise"]),
            "category": categories(s["categories"]),
            "continuous": uniform(s["continuous"]),
        },
        ema={"generator": Ema(s["half_life"])} if s["half_life"] else {},
        sample=lambda model, draw: model(_latents(model, draw)),
        arranged={"category": in_order(s["categories"])},
        equilibrium=balanced(SIDES),  # D = 1/2: 2 ln 2 for it, -log 1/2 for G; Q's are open
    )
    rates = zip(turns, s["rates"], strict=True)
    adam = {turn.name: keras.optimizers.Adam(rate, beta_1=0.5) for turn, rate in rates}
    return Recipe(description, adam, s["batch"])


def _revealed(draw, logits, mean):
    """Return the terms -E log Q(c | x), without their constants."""
    squares = ops.sum(ops.square(draw["continuous"] - mean), axis=-1)
    category = cross_entropy(draw["category"], logits)
    return {"category": category, "continuous": 0.5 * ops.mean(squares)}


def _latents(model, draw):
    """Return G's input `(batch, noise + categories + continuous)`."""
    count = model.game.players["discriminator"].outputs[1].shape[-1]
    parts = [draw["z"], ops.one_hot(draw["category"], count), draw["continuous"]]
    return ops.concatenate(parts, axis=-1)


def _discriminator_terms(model, batch, draw):
    with no_gradient():
        fake = ops.stop_gradient(model.player("generator")(_latents(model, draw)))
    r, *_ = model.player("discriminator")(batch["x"])
    f, *codes = model.player("discriminator")(fake)
    terms = {"adv": SIDES.discriminator(r, f), **_revealed(draw, *codes)}
    return terms, {"real": ops.mean(r), "fake": ops.mean(f)}


def _generator_terms(model, batch, draw):
    fake = model.player("generator")(_latents(model, draw))
    f, *codes = model.player("discriminator")(fake)
    return {"adv": SIDES.generator(None, f), **_revealed(draw, *codes)}
