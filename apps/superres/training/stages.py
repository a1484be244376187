"""The two games of super-resolution training: reconstruction first, then an adversarial one.

Both play on the residual network of a plan. "low" and "high" arrive as uint8 and are scaled to
[-1, 1] by the step; "residual" is high minus bicubic base, in units of full scale, unshuffled.
"""

from dataclasses import dataclass

import keras
import numpy as np
from keras import ops

from gantools.core import Ema, Game, Turn, objective
from gantools.core.gradients import no_gradient
from gantools.data.resample import resize
from gantools.gans.likeness import artifacts, flatness, matching
from gantools.gans.lowres import low_pictures, shrinking, shrunk
from gantools.gans.settings import shown, spectral
from gantools.nets import pixelwise

HALF_LIFE = 5545  # images: a decay of 0.999 a step of 8
FLAT = 2 / 255  # of full scale: a photograph that varies so little is half flat
HIGH = 96  # side of the second stage's patches; the discriminator halves it to 6


@dataclass(frozen=True)
class Weights:
    """Weights of the second stage's terms, beside 1 for the mean absolute error.

    With the first three the gradients by a pixel were, in the mean, as 0.5 of the absolute error to
    0.18, 0.18 and 0.06 (`fast` x4, 870 cycles). An adversarial share as large as the absolute
    error's made dots at the distance of the small pixels, while the discriminator was young.
    Without the terms of consistency and flatness the small picture was met to 41 dB only, and what
    damage left on flat areas was drawn as cracks.
    """

    adversarial: float = 0.02
    matching: float = 0.2
    artifacts: float = 50.0
    consistency: float = 4.0
    flat: float = 2.0


def residual_of(model, batch):
    """Return the network's residual for the low-resolution patches of a batch."""
    return model.player("generator")((batch["low"] + 1.0) / 2.0)  # plans want [0, 1]


def absolute_error(model, batch):
    """Return the mean absolute error of the enlarged picture, in units of full scale."""
    return ops.mean(ops.abs(residual_of(model, batch) - batch["residual"]))


def squared_error(model, batch):
    """Return the mean squared error, likewise, times 10: about as large as the absolute one."""
    return 10.0 * ops.mean(ops.square(residual_of(model, batch) - batch["residual"]))


LOSSES = {"l1": absolute_error, "l2": squared_error}


def reconstruction(net, loss="l1"):
    """Return the one-player game of the first stage, with averaged weights.

    Args:
        net: The network of a plan.
        loss: One of `LOSSES`; "l2" is SRResNet's. Its gain in PSNR depends on the pictures: 4000
            cycles at the end of `fast` x4 gave the validation pictures 0.03 dB, Set5 -0.07.
    """
    turn = Turn("generator", ("generator",), lambda m, b, d: {loss: LOSSES[loss](m, b)})
    return Game({"generator": net}, (turn,), ema={"generator": Ema(HALF_LIFE)})


def discriminator(scale, seed=0, width=32):
    """Return the U-Net with spectral norm that judges the detail of patches of `HIGH` pixels."""
    shape = (HIGH, HIGH, 3)
    return pixelwise.critic(shape, width=width, detail=scale, wrap=spectral, seed=seed)


def adversarial(net, critic, scale, weights=None):
    """Return the game of the second stage, which needs no network of other people's pictures.

    The generator minimises

        E|y - x| + a E sp(-D(h y)) + m M(h y, h x) + l L(y, x) + c E|s(y - x)| + f E F(x) |y - x|

    where h keeps the detail, which the reduction by `scale` loses; sp(-D) is -log of the
    probability that D finds y real; M is the distance of D's features, taken from an averaged copy
    of D, which stands still long enough to be a target; L weighs errors where y is worse than what
    the averaged generator makes; s shrinks, so that what is invented leaves the small picture as it
    is, also where x came damaged; and F is 1 where x is flat and 0 where it is not, so that nothing
    is invented there. D minimises E sp(-D(h x)) + E sp(D(h y)).

    Args:
        net: The network of a plan, trained by the first stage.
        critic: Result of `discriminator`, or another network with scores and features.
        scale: Enlargement.
        weights: `Weights`: a, m, l, c and f; None for the default ones.

    Source: Ledig et al. 2017, arXiv 1609.04802; the terms are those of `gans.likeness`.
    """
    weights, sides = weights or Weights(), objective("nonsaturating")
    shares = {
        "adv": weights.adversarial,
        "matching": weights.matching,
        "artifacts": weights.artifacts,
        "consistency": weights.consistency,
        "flat": weights.flat,
    }
    small = shrinking(HIGH, scale)

    def enlarged(batch, residual):
        return batch["high"] - 2.0 * shuffle(batch["residual"] - residual, scale)  # [-1, 1]

    def discriminator_terms(model, batch, draw):
        with no_gradient():
            fake = ops.stop_gradient(enlarged(batch, residual_of(model, batch)))
        both = model.player("discriminator")(ops.concatenate([batch["high"], fake]))[0]
        real, made = ops.split(both, 2)
        shown = {"real": ops.mean(real), "fake": ops.mean(made)}
        return {"adv": sides.discriminator(real, made)}, shown

    def generator_terms(model, batch, draw):
        residual = residual_of(model, batch)
        fake, averaged = enlarged(batch, residual), model.averaged
        with no_gradient():
            steady = averaged["generator"]((batch["low"] + 1.0) / 2.0, training=False)
            wanted = averaged["discriminator"](batch["high"], training=False)[1]
        steady = ops.stop_gradient(shuffle(steady - batch["residual"], scale))
        wrong = shuffle(residual - batch["residual"], scale)
        return {
            "l1": ops.mean(ops.abs(wrong)),
            "adv": sides.generator(None, model.player("discriminator")(fake)[0]),
            "matching": matching(averaged["discriminator"](fake, training=False)[1], wanted),
            "artifacts": artifacts(wrong, ops.zeros_like(wrong), steady),
            "consistency": ops.mean(ops.abs(shrunk(wrong, small, small))),
            "flat": ops.mean(flatness(batch["high"], 2 * FLAT) * ops.abs(wrong)),
        }

    return Game(
        players={"generator": net, "discriminator": critic},
        turns=(
            Turn("discriminator", ("discriminator",), discriminator_terms),
            Turn("generator", ("generator",), generator_terms, weights=shares),
        ),
        samplers={"low": low_pictures((HIGH, HIGH, 3), scale)},
        ema={"generator": Ema(HALF_LIFE), "discriminator": Ema(HALF_LIFE)},
        sample=lambda model, draw: shown(model, enlarge(model, draw["low"], scale)),
        equilibrium={f"{turn}/adv": value for turn, value in sides.equilibrium.items()},
    )


def enlarge(model, low, scale):
    """Return small pictures `(batch, h, w, 3)` in [-1, 1] as `(batch, h s, w s, 3)`, not cut."""
    rows, columns = (_enlarging(side, scale) for side in low.shape[1:3])
    base = ops.einsum("hH,bHWc->bhWc", rows, ops.cast(low, "float32"))
    base = ops.einsum("wW,bhWc->bhwc", columns, base)
    return base + 2.0 * shuffle(model((low + 1.0) / 2.0), scale)


def _enlarging(side, scale):
    """Return the matrix `(side * scale, side)` float32 that enlarges one axis exactly."""
    return resize(np.eye(side), size=(side * scale, side)).astype(np.float32)


def shuffle(blocks, scale):
    """Return `(batch, h, w, 3 s^2)` as `(batch, h s, w s, 3)`: pixel shuffle, c s^2 + dy s + dx."""
    _, height, width, _ = keras.ops.shape(blocks)
    parts = ops.reshape(blocks, (-1, height, width, 3, scale, scale))  # b, y, x, c, dy, dx
    parts = ops.transpose(parts, (0, 1, 4, 2, 5, 3))
    return ops.reshape(parts, (-1, height * scale, width * scale, 3))
