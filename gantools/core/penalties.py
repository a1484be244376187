"""Gradient penalties of a critic.

g = gradient of the score by the input, at the *un-augmented* sample, through any augmentation.
Norms run over all axes but the batch, so that points, audio, pictures and voxels are alike; the
result is the mean over the batch. A penalty is evaluated at one kind of point:

    real     x                      fake     G(z), not differentiated by G
    between  u x + (1 - u) G(z)     around   x + std(x) u / 2
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from gantools.core.samplers import uniform_like


@dataclass(frozen=True)
class Penalty:
    """One penalty: where it looks, how it values the gradient, its weight.

    Attributes:
        name: Name of the term in the logs.
        at: "real", "fake", "between" or "around".
        weight: Factor of `value`, a number or a schedule of images seen.
        value: Squared gradient norms `(batch,)` float32 -> penalties `(batch,)`.
    """

    name: str
    at: str
    weight: Any
    value: Callable


def R1(gamma):
    """gamma / 2 * E |g(x)|^2. Source: Mescheder et al. 2018, arXiv 1801.04406, eq. 9."""
    return Penalty("r1", "real", gamma, lambda squared: 0.5 * squared)


def R2(gamma):
    """gamma / 2 * E |g(G(z))|^2. Source: the same paper, eq. 10."""
    return Penalty("r2", "fake", gamma, lambda squared: 0.5 * squared)


def GradientPenalty(weight=10.0, *, sided="two"):
    """weight * E (|g| - 1)^2 between real and fake samples.

    Args:
        weight: The paper's lambda.
        sided: "two" as above; "one" for relu(|g| - 1)^2; "zero" for |g|^2.

    Source: Gulrajani et al. 2017, arXiv 1704.00028, eq. 3; "zero": Thanh-Tung et al. 2019,
    arXiv 1902.03984.
    """
    forms = {
        "two": lambda squared: ops.square(norm(squared) - 1.0),
        "one": lambda squared: ops.square(ops.relu(norm(squared) - 1.0)),
        "zero": lambda squared: squared,
    }
    if sided not in forms:
        raise ValueError(f"sided must be one of {sorted(forms)}. Received: sided={sided!r}")
    return Penalty("gp", "between", weight, forms[sided])


def Dragan(weight=10.0):
    """weight * E (|g(x + std(x) u / 2)| - 1)^2, u uniform in [0, 1), std over the whole batch.

    Source: Kodali et al. 2017, arXiv 1705.07215. Differs from the paper: its noise is normal; this
    is the form of the authors' code.
    """
    return Penalty("dragan", "around", weight, lambda squared: ops.square(norm(squared) - 1.0))


def norm(squared):
    """Return the norm; the 1e-12 keeps the derivative finite where the gradient is zero."""
    return ops.sqrt(squared + 1e-12)


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
        real: Tensor `(batch, ...)` float32.
        fake: Tensor of the same shape, not differentiated by the generator.
        draw: Random numbers of the turn: "between" and "around" where needed.
        penalties: `Penalty` values.

    Returns:
        `(real scores, fake scores, {name: penalty without its weight})`, float32.
    """
    places = {penalty.at for penalty in penalties}
    gradients, scores = {}, {}
    for place, x in (("real", real), ("fake", fake)):
        if place in places:
            scores[place], gradients[place] = model.input_gradient(critic, x)
        else:
            scores[place] = critic(x)
    for place in places - {"real", "fake"}:
        x = _between(real, fake, draw) if place == "between" else _around(real, draw)
        _, gradients[place] = model.input_gradient(critic, x)
    squared = {place: _squared_norm(gradient) for place, gradient in gradients.items()}
    terms = {p.name: ops.mean(p.value(squared[p.at])) for p in penalties}
    return ops.cast(scores["real"], "float32"), ops.cast(scores["fake"], "float32"), terms


def _squared_norm(gradient):
    gradient = ops.cast(gradient, "float32")
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(gradient.shape))))


def _between(real, fake, draw):
    u = ops.reshape(draw["between"], (-1,) + (1,) * (len(real.shape) - 1))
    return u * real + (1.0 - u) * fake


def _around(real, draw):
    return real + 0.5 * ops.std(real) * draw["around"]
