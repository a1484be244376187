"""EGBAD: anomalies by a BiGAN, whose encoder needs no search.

Zenati et al. 2018, "Efficient GAN-Based Anomaly Detection", arXiv 1802.06222.

    D minimises  -log D(x, E(x)) - log(1 - D(G(z), z))
    G minimises  -log D(G(z), z);   E minimises  -log(1 - D(x, E(x)))
    A(x) = (1 - w) |x - G(E(x))|_1 + w |f(x, E(x)) - f(G(E(x)), E(x))|_1,  w = 0.1

f is D's last hidden layer; "cross_e" has -log D(G(E(x)), E(x)) in its place.

Differs from the paper:
- means in place of sums; GroupNorm in G; G and E are also pulled by 1 x |x - G(E(x))|_1, without
  which E often does not invert G in the minutes that a CPU has; `faithful=True`: sums, batch norm
  in G and E, no pull, and rates of 1e-5, by which it learns little in minutes;
- D has neither dropout nor batch norm, and slopes of 0.2; averaged players, as the authors' code;
- small: narrow networks; tiny: for tests; points `(d,)` get dense networks.
"""

import keras
from keras import ops

from gantools.core import Ema, Game, Turn, normal, objective
from gantools.core.gradients import no_gradient
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.scoring import apart, apart_in_sum, looked
from gantools.gans.settings import choose
from gantools.nets import pyramid

TITLE = "Efficient GAN-Based Anomaly Detection (EGBAD)"
SOURCE = "arXiv 1802.06222"
SIDES = objective("nonsaturating")
WEIGHT = 0.1
_PAPER = {"faithful": True, "rate": 1e-5, "batch": 100, "pull": 0.0, "latent": 200, "hidden": 1024}
_PAPER |= {"half_life": 69_000, "widths": (32, 64, 128)}  # decay 0.999 a step of 100
_SMALL = {**_PAPER, "faithful": False, "rate": 4e-4, "batch": 64, "half_life": 5_000, "pull": 1.0}
_SMALL |= {"latent": 32, "widths": (16, 32, 64), "hidden": 128}
_TINY = {**_SMALL, "batch": 4, "latent": 8, "widths": (4, 8), "hidden": 8}
SIZES = {"tiny": _TINY, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(28, 28, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of EGBAD.

    Args:
        size: "tiny", "small" or "paper" (28x28).
        shape: `(height, width, channels)` of pictures in [-1, 1], or `(d,)` of points.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `faithful`, `rate`, `batch`, `half_life` of the
            averages in images or None, `pull` (weight of the pixels), `latent`, `widths`
            and `hidden` units of D.
    """
    s = choose(SIZES, size, overrides)
    latent, widths, hidden = s["latent"], s["widths"], s["hidden"]
    norms = ("batch", "batch") if s["faithful"] else ("layer", "none")
    norms = dict(zip(("up_norm", "down_norm"), norms, strict=True))
    nets = pyramid.pair(shape, latent=latent, widths=widths, seed=seed, **norms)
    pair = {"x": tuple(shape), "z": (latent,)}
    options = {"widths": widths, "hidden": hidden, "codes": (hidden // 2,)}
    players = {**nets, "discriminator": pyramid.judge(pair, seed=seed, **options)}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms),
        Turn(
            "generator", ("generator", "encoder"), _generator_terms, weights={"pixels": s["pull"]}
        ),
    )
    averaged = {name: Ema(s["half_life"]) for name in players} if s["half_life"] else {}
    # D = 1/2 of both kinds of pairs: 2 ln 2, for G and E too, who play D's game swapped.
    balance = balanced(SIDES, swapped=True)
    description = Game(players, turns, {"z": normal(latent)}, averaged, equilibrium=balance)
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"])


def _discriminator_terms(model, batch, draw):
    x, z, judge = batch["x"], draw["z"], model.player("discriminator")
    with no_gradient():
        code = ops.stop_gradient(model.player("encoder")(x))
        made = ops.stop_gradient(model.player("generator")(z))
    r, f = judge({"x": x, "z": code})[0], judge({"x": made, "z": z})[0]
    return {"adv": SIDES.discriminator(r, f)}, {"real": ops.mean(r), "fake": ops.mean(f)}


def _generator_terms(model, batch, draw):
    x, z, judge = batch["x"], draw["z"], model.player("discriminator")
    code, made = model.player("encoder")(x), model.player("generator")(z)
    r, f = judge({"x": x, "z": code})[0], judge({"x": made, "z": z})[0]
    pixels = ops.mean(apart(x, model.player("generator")(code)))
    return {"adv": SIDES.discriminator(f, r), "pixels": pixels}


def score_parts(model, x, *, faithful=False):
    """Return name -> scores `(n,)` of samples `(n, *shape)`; "egbad" is the paper's."""
    return explained(model, x, faithful=faithful)[0]


def explained(model, x, *, faithful=False):
    """Return `(parts, G(E(x)))`; faithful: sums in place of means."""
    parts, made = looked(model, x, _look, tuple(model.game.players), (faithful,))
    return {"egbad": (1 - WEIGHT) * parts["residual"] + WEIGHT * parts["features"], **parts}, made


def _look(nets, x, faithful):
    far, code = apart_in_sum if faithful else apart, nets["encoder"](x)
    made = nets["generator"](code)
    (_, wanted), (score, found) = (nets["discriminator"]({"x": a, "z": code}) for a in (x, made))
    return {
        "residual": far(x, made),
        "features": far(wanted, found),
        "cross_e": ops.softplus(-score[:, 0]),
        "restored": made,
    }
