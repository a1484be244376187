"""Inversion: which latents make a generator draw these pictures?

Adam on the latents alone: networks run in inference mode and no weight moves. Each sample starts
from latents that its own content decides and is computed in a batch of one fixed shape, so that
its result depends on nothing but itself: not on the order, its neighbours or their number.
"""

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from keras import ops

from gantools.core import gradients
from gantools.core.checks import functional
from gantools.errors import UserError

BETAS, EPSILON = (0.9, 0.999), 1e-8  # of Adam
PRIORS = {
    "normal": lambda random, shape: random.normal(size=shape),
    "uniform": lambda random, shape: random.uniform(-1.0, 1.0, shape),
}


@dataclass(frozen=True)
class Inverted:
    """What `invert` found.

    Attributes:
        z: The best latents, float32 `(n, *latent)`.
        distance: Their distances, float32 `(n,)`.
    """

    z: np.ndarray
    distance: np.ndarray


def absolute(made, wanted):
    """Return the mean absolute difference of each sample: `(batch,)` float32."""
    apart = ops.abs(ops.cast(made, "float32") - ops.cast(wanted, "float32"))
    return ops.mean(apart, axis=tuple(range(1, len(apart.shape))))


class Search:
    """A search that is compiled once, for many calls.

    The best latents of all restarts and steps are kept, sample by sample. Adam, its rate falling
    along half a cosine. Under the uniform prior latents are clipped to [-1, 1].

    Args:
        generator: Keras model, latents `(batch, *latent)` -> samples, or tuples of outputs.
        distance: Callable `(made, wanted) -> (batch,)` of `keras.ops`: `made` is what the generator
            draws, `wanted` the samples, or what `describe` says of them. It must treat every sample
            alone and call networks with `training=False`.
        prior: "normal" or "uniform" in [-1, 1): what the generator was trained with.
        describe: Callable, samples `(batch, ...)` -> tensors, computed once: features of a network.
        networks: Other Keras models that `distance` and `describe` use.

    Raises:
        UserError: another prior, or a subclassed generator.
    """

    def __init__(self, generator, distance=absolute, *, prior="normal", describe=None, networks=()):
        if prior not in PRIORS:
            raise UserError(f"prior must be one of {', '.join(PRIORS)}. Received: prior={prior!r}.")
        shape = functional(generator, "A search of latents").input_shape
        self.latent, self.prior = tuple(shape[1:]), prior
        state = [v for net in (generator, *networks) for v in net.variables]
        self.step = gradients.compiled(_step(generator, distance, state, prior), state)
        self.look = gradients.compiled(describe, state) if describe else lambda x: x

    def __call__(
        self, x, *, steps=150, restarts=4, rate=(0.05, 0.005), start=None, rows=64, seed=0
    ):
        """Search latents whose samples come near to given ones.

        Args:
            x: Samples `(n, ...)` float32.
            steps: Updates of each latent; 0 values the starts.
            restarts: Latents tried for each sample.
            rate: First and last learning rate.
            start: Latents `(n, *latent)` that take the place of the first restart, for example an
                encoder's; None draws all.
            rows: Latents optimised at once; results do not depend on it beyond rounding.
            seed: Of the starts, together with each sample's content.

        Returns:
            `Inverted`.

        Raises:
            UserError: numbers that make no search.
        """
        _check(steps, restarts)
        x = np.ascontiguousarray(x, np.float32)
        starts = _starts(x, self.latent, restarts, self.prior, seed, start)
        size = max(1, rows // restarts)
        z, found = np.zeros((len(x), *self.latent), np.float32), np.zeros(len(x), np.float32)
        for first in range(0, len(x), size):
            part = slice(first, first + size)
            known = np.repeat(_full(x[part], size), restarts, axis=0)
            wanted = self.look(ops.convert_to_tensor(known))
            best = _search(self.step, _full(starts[part], size), wanted, steps, rate)
            z[part], found[part] = (a[: len(x[part])] for a in best)
        return Inverted(z, found)


def invert(
    generator, x, distance=absolute, *, prior="normal", describe=None, networks=(), **numbers
):
    """Search once: arguments of `Search` and, after them, of its call; returns `Inverted`.

    Raises:
        UserError: another prior, or numbers that make no search.
    """
    search = Search(generator, distance, prior=prior, describe=describe, networks=networks)
    return search(x, **numbers)


def content_seed(sample, seed=0):
    """Return a seed that a sample's numbers decide: same numbers and same `seed`, same result."""
    numbers = np.ascontiguousarray(sample, "<f4") + np.float32(0)  # -0 is 0
    digest = hashlib.blake2b(numbers.tobytes(), digest_size=8, key=b"%d" % seed)
    return int.from_bytes(digest.digest(), "little")


def _check(steps, restarts):
    if steps < 0 or restarts < 1:
        raise UserError(
            "Inversion needs steps of at least 0 and restarts of at least 1. "
            f"Received: steps={steps}, restarts={restarts}."
        )


def _starts(x, latent, restarts, prior, seed, start):
    """Return the first latents `(n, restarts, *latent)` float32."""
    draws = (np.random.default_rng(content_seed(sample, seed)) for sample in x)
    found = [PRIORS[prior](random, (restarts, *latent)) for random in draws]
    found = np.reshape(np.asarray(found, np.float32), (len(x), restarts, *latent))
    if start is not None:
        found[:, 0] = start
    return found


def _step(generator, distance, state, prior):
    """Return one update of all latents of a batch, as a function of tensors."""

    def step(z, m, v, wanted, rate, decay1, decay2):
        def score(z):
            return distance(generator(z, training=False), wanted)

        value, slope = gradients.input_gradient(score, z, state)
        value, slope = ops.stop_gradient(value), ops.stop_gradient(slope)
        m = BETAS[0] * m + (1 - BETAS[0]) * slope
        v = BETAS[1] * v + (1 - BETAS[1]) * ops.square(slope)
        moved = z - rate * (m / decay1) / (ops.sqrt(v / decay2) + EPSILON)
        moved = ops.clip(moved, -1.0, 1.0) if prior == "uniform" else moved
        return value, moved, m, v

    return step


def _search(step, starts, wanted, steps, rate):
    """Return the best latents `(samples, *latent)` of a batch and their distances."""
    samples, restarts, *latent = starts.shape
    z = ops.convert_to_tensor(starts.reshape(samples * restarts, *latent))
    m, v = ops.zeros_like(z), ops.zeros_like(z)
    wide = (-1,) + (1,) * len(latent)
    best, value = z, ops.full((len(z),), math.inf)
    for i in range(steps + 1):
        now = rate[1] + 0.5 * (rate[0] - rate[1]) * (1 + math.cos(math.pi * i / max(steps, 1)))
        decays = (1 - beta ** (i + 1) for beta in BETAS)
        numbers = (ops.convert_to_tensor(number, "float32") for number in (now, *decays))
        found, moved, m, v = step(z, m, v, wanted, *numbers)
        better = found < value
        best = ops.where(ops.reshape(better, wide), z, best)
        value, z = ops.where(better, found, value), moved
    value = ops.convert_to_numpy(value).reshape(samples, restarts)
    best = ops.convert_to_numpy(best).reshape(samples, restarts, *latent)
    winner = np.argmin(value, axis=1)
    rows = np.arange(samples)
    return best[rows, winner], value[rows, winner]


def _full(part, size):
    """Repeat the last sample until there are `size`: a compiled step knows one shape."""
    spare = size - len(part)
    return np.concatenate([part, np.repeat(part[-1:], spare, axis=0)]) if spare else part
