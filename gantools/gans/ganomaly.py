"""GANomaly: a picture is odd if its code changes when it is drawn and encoded again.

Akcay et al. 2018, "GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training",
arXiv 1805.06725. With x' = G(E1(x)):

    E1, G, E2 minimise  50 |x - x'|_1 + 1 |f(x) - f(x')|^2 + 1 |E1(x) - E2(x')|^2
    D minimises  1/2 (-log D(x) - log(1 - D(x')));   A(x) = |E1(x) - E2(x')|^2

with means over elements; f is D's last activation: feature matching, D never pushes G itself.

Differs from the paper:
- the residual is exported as a part beside the score: the distance of codes shrinks for dark
  pictures (the digit 1 scores below chance in the authors' code);
- scores in inference mode, nothing scaled by the test set; the published code uses the statistics
  of each test batch and picks the best epoch on the test set;
- GroupNorm; `faithful=True`: batch norm and the paper's rate; D is not started anew when its loss
  vanishes; small: narrow networks; tiny: for tests; points `(d,)` get dense networks.
"""

import keras
from keras import ops

from gantools.core import Game, Turn, normal, objective
from gantools.core.gradients import no_gradient
from gantools.gans.recipe import Recipe
from gantools.gans.scoring import apart, looked
from gantools.gans.settings import choose
from gantools.nets import pyramid

TITLE = "GANomaly: Semi-Supervised Anomaly Detection via Adversarial Training"
SOURCE = "arXiv 1805.06725"
SIDES = objective("nonsaturating")
_PAPER = {"faithful": True, "rate": 2e-4, "batch": 64, "latent": 100, "widths": (64, 128, 256)}
_SMALL = {**_PAPER, "faithful": False, "rate": 5e-4, "latent": 32, "widths": (16, 32, 64)}
_TINY = {**_SMALL, "batch": 4, "latent": 8, "widths": (4, 8)}
SIZES = {"tiny": _TINY, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of GANomaly. Its samples are G of normal codes, which nothing trains.

    Args:
        size: "tiny", "small" or "paper" (32x32).
        shape: `(height, width, channels)` of pictures in [-1, 1], or `(d,)` of points.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `faithful`, `rate`, `batch`, `latent`, `widths`.
    """
    s = choose(SIZES, size, overrides)
    norm = "none" if len(shape) == 1 else "batch" if s["faithful"] else "layer"
    nets = {"seed": seed, "norm_kind": norm}
    code = {"latent": s["latent"], **nets}
    players = {
        "encoder": pyramid.encoder(shape, widths=s["widths"], **code),
        "generator": pyramid.decoder(shape, widths=s["widths"][::-1], **code),
        "second": pyramid.encoder(shape, widths=s["widths"], name="second", **code),
        "discriminator": pyramid.judge({"x": shape}, widths=s["widths"], **nets),
    }
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms, weights={"adv": 0.5}),
        Turn(
            "generator",
            ("encoder", "generator", "second"),
            _generator_terms,
            weights={"pixels": 50.0},
        ),
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    description = Game(
        players, turns, samplers={"z": normal(s["latent"])},
        comparable=False,  # G learns from codes of pictures, not from normal ones
    )  # fmt: skip
    return Recipe(description, adam, s["batch"])


def score_parts(model, x):
    """Return name -> scores `(n,)` of samples `(n, *shape)`; "ganomaly" is the paper's."""
    return explained(model, x)[0]


def explained(model, x):
    """Return `(parts, G(E1(x)))`."""
    return looked(model, x, _look, ("encoder", "generator", "second"))


def _discriminator_terms(model, batch, draw):
    x = batch["x"]
    with no_gradient():
        fake = ops.stop_gradient(model.player("generator")(model.player("encoder")(x)))
    r, f = (model.player("discriminator")(a)[0] for a in (x, fake))
    return {"adv": SIDES.discriminator(r, f)}, {"real": ops.mean(r), "fake": ops.mean(f)}


def _generator_terms(model, batch, draw):
    x, judge = batch["x"], model.player("discriminator")
    code = model.player("encoder")(x)
    fake = model.player("generator")(code)
    wanted = ops.stop_gradient(judge(x)[1])
    return {
        "pixels": ops.mean(apart(x, fake)),
        "features": ops.mean(apart(judge(fake)[1], wanted, 2)),
        "codes": ops.mean(apart(code, model.player("second")(fake), 2)),
    }


def _look(nets, x):
    code = nets["encoder"](x)
    made = nets["generator"](code)
    apart_codes = apart(code, nets["second"](made), 2)
    return {"ganomaly": apart_codes, "residual": apart(x, made), "restored": made}
