"""Skip-GANomaly: a U-Net redraws pictures; odd ones come out differently.

Akcay et al. 2019, "Skip-GANomaly: Skip Connected and Adversarially Trained Encoder-Decoder Anomaly
Detection", arXiv 1901.08954. With x' = G(x):

    G minimises  1 (-log D(x')) + 40 |x - x'|_1 + 1 |f(x) - f(x')|^2
    D minimises  -log D(x) - log(1 - D(x'));   A(x) = 0.9 |x - x'|_1 + 0.1 |f(x) - f(x')|^2

with means over elements; f is D's last activation.

Differs from the paper:
- shortcuts copy anomalies: the first three are left out, and G sees damaged pictures (noise in
  regions, or "damaged" of the batch) and must give the good ones; layer norm in G;
  `faithful=True` has all shortcuts, batch norm, the paper's rate, noise of 0.1 on the input (the
  code draws none) and, as the code, |f(x) - f(x')|^2 in D's loss too, and |x - x'|^2 in A;
- scores in inference mode, nothing scaled by the test set; small: narrow; tiny: for tests.
"""

import keras
from keras import ops

from gantools.core import Game, Turn, normal, objective
from gantools.core.gradients import no_gradient
from gantools.gans.recipe import Recipe
from gantools.gans.scoring import apart, looked
from gantools.gans.settings import choose
from gantools.gans.tasks import noise_damage
from gantools.nets import pyramid

TITLE = "Skip-GANomaly: Skip Connected and Adversarially Trained Anomaly Detection"
SOURCE = "arXiv 1901.08954"
SIDES = objective("nonsaturating")
WEIGHT = 0.9
NOISE = 0.1  # standard deviation, of pictures in [-1, 1]
_PAPER = {"faithful": True, "rate": 2e-4, "batch": 64, "widths": (64, 128, 256, 512)}
_SMALL = {**_PAPER, "faithful": False, "rate": 5e-4, "widths": (16, 32, 64)}
_TINY = {**_SMALL, "batch": 4, "widths": (4, 8)}
SIZES = {"tiny": _TINY, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of Skip-GANomaly. Its samples are redrawn noise: it draws nothing freely.

    Args:
        size: "tiny", "small" or "paper" (32x32).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `faithful`, `rate`, `batch`, `widths`.
    """
    s = choose(SIZES, size, overrides)
    true, nets = s["faithful"], {"widths": s["widths"], "seed": seed}
    up, down = ("batch", "batch") if true else ("layer", "none")
    bow = {"largest": 1, "shallowest": 0 if true else 3}  # down to one pixel, as the code
    players = {
        "generator": pyramid.unet(shape, norm_kind=up, **bow, **nets),
        "discriminator": pyramid.judge({"x": shape}, norm_kind=down, **nets),
    }
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms(true)),
        Turn("generator", ("generator",), _generator_terms(true), weights={"pixels": 40.0}),
    )
    description = Game(
        players, turns,
        samplers={"noise": normal(*shape), "damaged": noise_damage(tuple(shape))},
        sample=lambda model, draw: model(ops.clip(draw["noise"], -1.0, 1.0)),
        comparable=False,  # it learns to redraw pictures, not noise
    )  # fmt: skip
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"])


def score_parts(model, x, *, faithful=False):
    """Return name -> scores `(n,)` of pictures `(n, h, w, c)`; "skip_ganomaly" is the paper's."""
    return explained(model, x, faithful=faithful)[0]


def explained(model, x, *, faithful=False):
    """Return `(parts, G(x))`; faithful: squared residuals."""
    parts, made = looked(model, x, _look, tuple(model.game.players), (1 + faithful,))
    whole = WEIGHT * parts["residual"] + (1 - WEIGHT) * parts["features"]
    return {"skip_ganomaly": whole, **parts}, made


def _input(faithful, batch, draw):
    return batch["x"] + NOISE * draw["noise"] if faithful else draw["damaged"][..., :-1]


def _discriminator_terms(faithful):
    def terms(model, batch, draw):
        x = batch["x"]
        with no_gradient():
            fake = ops.stop_gradient(model.player("generator")(_input(faithful, batch, draw)))
        (r, wanted), (f, found) = (model.player("discriminator")(a) for a in (x, fake))
        odd = {"features": ops.mean(apart(wanted, found, 2))} if faithful else {}
        return {"adv": SIDES.discriminator(r, f), **odd}

    return terms


def _generator_terms(faithful):
    def terms(model, batch, draw):
        x, judge = batch["x"], model.player("discriminator")
        fake = model.player("generator")(_input(faithful, batch, draw))
        (score, found), wanted = judge(fake), ops.stop_gradient(judge(x)[1])
        features = ops.mean(apart(found, wanted, 2))
        pixels = ops.mean(apart(x, fake))
        return {"adv": SIDES.generator(None, score), "pixels": pixels, "features": features}

    return terms


def _look(nets, x, power):
    made = nets["generator"](x)
    wanted, found = (nets["discriminator"](a)[1] for a in (x, made))
    return {
        "residual": apart(x, made, power),
        "features": apart(wanted, found, 2),
        "restored": made,
    }
