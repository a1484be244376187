"""Adversarial objectives. Each gives two scalars to be minimised.

r = D(x) and f = D(G(z)) are raw scores (logits) of any shape; sp is softplus; E is the mean over
the batch and, for patch critics, over positions. So -log sigmoid(r) = sp(-r) and
-log(1 - sigmoid(f)) = sp(f).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keras import ops

from gantools.errors import UserError


@dataclass(frozen=True)
class Objective:
    """The two sides of a game.

    Attributes:
        name: Key in `OBJECTIVES`.
        discriminator: `(real scores, fake scores) -> scalar`.
        generator: `(real scores, fake scores) -> scalar`; the real ones are None unless `paired`.
        equilibrium: Values of "discriminator" and "generator" when both distributions are equal;
            absent where scores may drift without meaning.
        paired: Whether the generator's side compares with real scores.
        threshold: The critic's score where it cannot tell; None where scores may drift.
    """

    name: str
    discriminator: Callable
    generator: Callable
    equilibrium: Mapping[str, float] = field(default_factory=dict)
    paired: bool = False
    threshold: float | None = None


def _log_loss(r, f):
    return ops.mean(ops.softplus(-r)) + ops.mean(ops.softplus(f))


def smoothed(smoothing):
    """Return the non-saturating objective with one-sided label smoothing.

    D: E[s sp(-r) + (1 - s) sp(r)] + E sp(f), with s = `smoothing` in (0.5, 1].

    Source: Salimans et al. 2016, arXiv 1606.03498, section 3.4.
    """

    def discriminator(r, f):
        real = smoothing * ops.softplus(-r) + (1.0 - smoothing) * ops.softplus(r)
        return ops.mean(real) + ops.mean(ops.softplus(f))

    return Objective(
        "nonsaturating",
        discriminator,
        lambda r, f: ops.mean(ops.softplus(-f)),
        threshold=math.log(smoothing / (2.0 - smoothing)),  # where both sides' derivatives cancel
    )


def _squares(a, b, c):
    """D: E(r - b)^2 / 2 + E(f - a)^2 / 2; G: E(f - c)^2 / 2."""
    return (
        lambda r, f: 0.5 * ops.mean(ops.square(r - b)) + 0.5 * ops.mean(ops.square(f - a)),
        lambda r, f: 0.5 * ops.mean(ops.square(f - c)),
    )


def _hinge(r, f):
    return ops.mean(ops.relu(1.0 - r)) + ops.mean(ops.relu(1.0 + f))


def _average(loss):
    """Relativistic average: each score against the mean of the other side, sum of both sides."""
    return lambda r, f: loss(r - ops.mean(f), f - ops.mean(r))


def _both(name, loss, balanced):
    """Build a relativistic objective: the generator plays the same game with the roles swapped."""
    value = {"discriminator": balanced, "generator": balanced}
    return Objective(name, loss, lambda r, f: loss(f, r), value, paired=True)


LOG2 = 0.6931471805599453
OBJECTIVES = {
    objective.name: objective
    for objective in (
        # Goodfellow et al. 2014, arXiv 1406.2661: V = -D's loss, so V = -2 ln 2 at D = 1/2. The
        # generator *descends* E log(1 - D(G(z))) = -E sp(f); it saturates where D is sure.
        Objective(
            "minimax",
            _log_loss,
            lambda r, f: -ops.mean(ops.softplus(f)),
            {"discriminator": 2 * LOG2, "generator": -LOG2},
            threshold=0.0,
        ),
        # The same paper, section 3: ascend E log D(G(z)) instead, strong gradients early.
        Objective(
            "nonsaturating",
            _log_loss,
            lambda r, f: ops.mean(ops.softplus(-f)),
            {"discriminator": 2 * LOG2, "generator": LOG2},
            threshold=0.0,
        ),
        # Mao et al. 2017, arXiv 1611.04076, eq. 9 (a=0, b=c=1) and eq. 8 (a=-1, b=1, c=0).
        Objective(
            "least_squares",
            *_squares(0.0, 1.0, 1.0),
            {"discriminator": 0.25, "generator": 0.125},
            threshold=0.5,
        ),
        Objective(
            "least_squares_pearson",
            *_squares(-1.0, 1.0, 0.0),
            {"discriminator": 1.0, "generator": 0.0},
            threshold=0.0,
        ),
        # Lim & Ye 2017, arXiv 1705.02894; Miyato et al. 2018, arXiv 1802.05957.
        Objective(
            "hinge", _hinge, lambda r, f: -ops.mean(f), {"discriminator": 2.0}, threshold=0.0
        ),
        # Arjovsky et al. 2017, arXiv 1701.07875: needs a Lipschitz critic (penalty or clipping).
        Objective(
            "wasserstein",
            lambda r, f: ops.mean(f) - ops.mean(r),
            lambda r, f: -ops.mean(f),
            {"discriminator": 0.0},
        ),
        # Jolicoeur-Martineau 2018, arXiv 1807.00734 (RpGAN, RaGAN, RaHinge, RaLS), sum forms.
        _both("relativistic", lambda r, f: ops.mean(ops.softplus(f - r)), LOG2),
        _both("relativistic_average", _average(_log_loss), 2 * LOG2),
        _both("relativistic_average_hinge", _average(_hinge), 2.0),
        _both(
            "relativistic_average_squares",
            _average(lambda r, f: ops.mean(ops.square(r - 1)) + ops.mean(ops.square(f + 1))),
            2.0,
        ),
    )
}


def objective(name):
    """Return an `Objective` by name; an `Objective` passes through."""
    if isinstance(name, Objective):
        return name
    if name not in OBJECTIVES:
        raise UserError(f"Unknown objective {name!r}. Known: {', '.join(OBJECTIVES)}.")
    return OBJECTIVES[name]


def cross_entropy(y, logits):
    """Return -E log q(y), a float32 scalar.

    Args:
        y: Classes `(batch,)` or `(batch, 1)` int.
        logits: `(batch, classes)`; q is their softmax.
    """
    q = ops.log_softmax(ops.cast(logits, "float32"))
    y = ops.reshape(y, (-1,))  # (batch, 1) would broadcast to (batch, batch, classes)
    return -ops.mean(ops.sum(ops.one_hot(y, logits.shape[-1]) * q, axis=-1))
