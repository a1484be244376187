"""Penalties of a critic: of its gradient, and of its scores.

g = gradient of the score by the input, at the *un-augmented* sample, through any augmentation.
Norms run over all axes but the batch, so that points, audio, pictures and voxels are alike; the
result is the mean over the batch. A penalty is evaluated at one kind of point:

    real     x                      fake     G(z), not differentiated by G
    between  u x + (1 - u) G(z)     around   x + std(x) u / 2

Any gradient penalty can be lazy: with `every=k` it acts in each k-th update of the critic with k
times its weight, and the other updates do not compute it. Source: Karras et al. 2020 (StyleGAN2),
arXiv 1912.04958, section 3.1 (k = 16). There the penalty has an update of its own, with the rate
and moments of Adam changed to suit; here it is a term of the same update, and nothing is changed.
Saved is what the penalty costs, except that XLA runs convolutions of a branch 5 times slower on
CPUs: with JAX there `every=4` gains nothing, `every=16` does (benchmark: R1 + R2 at 28 pixels).
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from gantools.core import parallel
from gantools.core.samplers import uniform_like
from gantools.errors import UserError


@dataclass(frozen=True)
class Penalty:
    """One penalty: where it looks, how it values the gradient, its weight.

    Attributes:
        name: Name of the term in the logs.
        at: "real", "fake", "between" or "around".
        weight: Factor of `value`, a number or a schedule of images seen.
        value: Squared gradient norms `(batch,)` float32 -> penalties `(batch,)`.
        every: Updates of the critic from one that has the penalty to the next.
    """

    name: str
    at: str
    weight: Any
    value: Callable
    every: int = 1

    def __post_init__(self):
        if self.every < 1:
            raise UserError(f"every must be >= 1. Received: every={self.every}")


def R1(gamma, *, every=1):
    """gamma / 2 * E |g(x)|^2. Source: Mescheder et al. 2018, arXiv 1801.04406, eq. 9."""
    return Penalty("r1", "real", gamma, lambda squared: 0.5 * squared, every)


def R2(gamma, *, every=1):
    """gamma / 2 * E |g(G(z))|^2. Source: the same paper, eq. 10."""
    return Penalty("r2", "fake", gamma, lambda squared: 0.5 * squared, every)


def GradientPenalty(weight=10.0, *, sided="two", every=1):
    """weight * E (|g| - 1)^2 between real and fake samples.

    Args:
        weight: The paper's lambda.
        sided: "two" as above; "one" for relu(|g| - 1)^2; "zero" for |g|^2.
        every: Updates from one that has the penalty to the next.

    Raises:
        UserError: another `sided`.

    Source: Gulrajani et al. 2017, arXiv 1704.00028, eq. 3; "zero": Thanh-Tung et al. 2019,
    arXiv 1902.03984.
    """
    forms = {
        "two": lambda squared: ops.square(norm(squared) - 1.0),
        "one": lambda squared: ops.square(ops.relu(norm(squared) - 1.0)),
        "zero": lambda squared: squared,
    }
    if sided not in forms:
        raise UserError(f"sided must be one of {', '.join(forms)}. Received: sided={sided!r}.")
    return Penalty("gp", "between", weight, forms[sided], every)


def Dragan(weight=10.0, *, every=1):
    """weight * E (|g(x + std(x) u / 2)| - 1)^2, u uniform in [0, 1), std over the whole batch.

    Source: Kodali et al. 2017, arXiv 1705.07215. Differs from the paper: its noise is normal; this
    is the form of the authors' code.
    """
    value = lambda squared: ops.square(norm(squared) - 1.0)  # noqa: E731
    return Penalty("dragan", "around", weight, value, every)


@dataclass(frozen=True)
class LeCam:
    """weight * (E (D(x) - a_f)^2 + E (D(G(z)) - a_r)^2), for few samples.

    a_r and a_f are running means of the scores of real and of fake samples. What pulls either side
    towards the other's mean keeps a critic from being sure of samples that it knows by heart.

    Attributes:
        weight: The paper's lambda, a number or a schedule.
        decay: Factor of the old running mean; the first means are plain ones over all updates.
        start: Updates of the critic before the penalty acts; the means are taken from the first.
        one_sided: E relu(D(x) - a_f)^2 + E relu(a_r - D(G(z)))^2, as in the authors' code.

    Source: Tseng et al. 2021, "Regularizing Generative Adversarial Networks under Limited Data",
    arXiv 2104.03310, eq. 4, which takes bounded scores: hinge or non-saturating. Decay and start
    are those of the authors' code.
    """

    weight: Any = 0.3
    decay: float = 0.99
    start: int = 1000
    one_sided: bool = False
    name = "lecam"

    def __post_init__(self):
        if self.start < 1:
            raise UserError(
                f"LeCam needs means of at least one update. Received: start={self.start}"
            )

    def value(self, real, fake, mean_real, mean_fake):
        """Return the penalty without its weight, a float32 scalar.

        Args:
            real, fake: Scores, float32.
            mean_real, mean_fake: Running means a_r and a_f, scalars.
        """
        up, down = real - mean_fake, mean_real - fake
        if self.one_sided:
            up, down = ops.relu(up), ops.relu(down)
        return ops.mean(ops.square(up)) + ops.mean(ops.square(down))

    def term(self, means, real, fake, learning):
        """Return the penalty of one update and, where `learning`, take its scores into the means.

        Args:
            means: A `ScoreMeans` of the game's memory.
            real, fake: Scores, float32.
            learning: Whether a training step runs.
        """
        acts = ops.cast(means.count.value >= self.start, "float32")
        value = acts * self.value(real, fake, means.real.value, means.fake.value)
        if learning:
            means.update(real, fake, self.decay)
        return value


class ScoreMeans(keras.layers.Layer):
    """Running means of a critic's scores of real and of fake samples, and how many updates."""

    def __init__(self):
        super().__init__(trainable=False, dtype="float32")
        scalar = {"shape": (), "initializer": "zeros", "trainable": False, "aggregation": "mean"}
        self.real = self.add_weight(name="real", **scalar)
        self.fake = self.add_weight(name="fake", **scalar)
        self.count = self.add_weight(name="count", **scalar)
        self.built = True

    def update(self, real, fake, decay):
        """Move the means towards those of one update's scores."""
        now = [ops.stop_gradient(ops.mean(scores)) for scores in (real, fake)]
        count = self.count.value
        decay = ops.minimum(count / (count + 1.0), decay)
        for v, value in zip((self.real, self.fake), parallel.averaged(now), strict=True):
            v.assign(value + decay * (v.value - value))
        self.count.assign(count + 1.0)


def norm(squared):
    """Return the norm; the 1e-12 keeps the derivative finite where the gradient is zero."""
    return ops.sqrt(squared + 1e-12)


def check_names(penalties):
    """Refuse two penalties of one name: only the last would be trained."""
    names = [p.name for p in penalties]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UserError(
            f"Expected penalties with different names. Received: {', '.join(names)}. Rename one: "
            f"dataclasses.replace(penalty, name='{twice[0]}2')."
        )


def samplers(penalties, key="x"):
    """Return the samplers that penalties need: "between" `(size,)`, "around" like the data."""
    places = {penalty.at for penalty in penalties}
    found = {}
    if "between" in places:
        found["between"] = lambda size, seed, batch: keras.random.uniform((size,), seed=seed)
    if "around" in places:
        found["around"] = uniform_like(key)
    return found


def scores_and_penalties(model, critic, real, fake, draw, penalties):
    """Score real and fake samples, each once, and evaluate the penalties on the way.

    Args:
        model: The `AdversarialModel` (for its variables).
        critic: Callable `(batch, ...) -> scores`.
        real: Tensor `(batch, ...)`, taken as float32.
        fake: Tensor of the same shape, likewise, not differentiated by the generator.
        draw: Random numbers of the turn: "between" and "around" where needed.
        penalties: `Penalty` values.

    Returns:
        `(real scores, fake scores, {name: penalty without its weight})`, float32.

    Raises:
        UserError: two penalties of one name.
    """
    check_names(penalties)
    real, fake = ops.cast(real, "float32"), ops.cast(fake, "float32")
    always = [p for p in penalties if p.every == 1]
    scores, terms = _evaluated(model, critic, real, fake, draw, always, {"real", "fake"})
    for every in sorted({p.every for p in penalties} - {1}):
        lazy = [p for p in penalties if p.every == every]
        compute = functools.partial(_evaluated, model, critic, real, fake, draw, lazy)
        terms |= model.lazily(every, lambda compute=compute: compute()[1], [p.name for p in lazy])
    return ops.cast(scores["real"], "float32"), ops.cast(scores["fake"], "float32"), terms


def _evaluated(model, critic, real, fake, draw, penalties, scored=frozenset()):
    """Return the scores by place, those of `scored` at least, and the penalties by name."""
    penalised = {p.at for p in penalties}
    scores, squared = {}, {}
    for place in [place for place in POINTS if place in penalised | scored]:
        x = POINTS[place](real, fake, draw)
        if place in penalised:
            scores[place], gradient = model.input_gradient(critic, x)
            squared[place] = _squared_norm(gradient)
        else:
            scores[place] = critic(x)
    return scores, {p.name: ops.mean(p.value(squared[p.at])) for p in penalties}


def _squared_norm(gradient):
    gradient = ops.cast(gradient, "float32")
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def _between(real, fake, draw):
    u = ops.reshape(draw["between"], (-1,) + (1,) * (len(real.shape) - 1))
    return u * real + (1.0 - u) * fake


def _around(real, fake, draw):
    return real + 0.5 * ops.std(real) * draw["around"]


POINTS = {
    "real": lambda real, fake, draw: real,
    "fake": lambda real, fake, draw: fake,
    "between": _between,
    "around": _around,
}
