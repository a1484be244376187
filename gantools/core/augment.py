"""Augmentation of everything that the discriminator sees: for training with few samples.

Real and fake samples pass through the same random changes, through which gradients flow to the
generator and penalties to the un-augmented sample. All operations are differentiable twice on every
backend, and all their random numbers come from one draw, `(batch, numbers)` uniform in [0, 1):

    game = duel(generator, critic, augment=DiffAugment("translation,cutout", (28, 28, 1), fill=-1))

DiffAugment has a fixed strength, the right choice for runs of minutes: ADA needs some hundred
thousand pictures until its probability has found its place.
"""

import math

import keras
from keras import ops

from gantools.core import parallel
from gantools.core.ops import affine, shift
from gantools.core.samplers import uniform
from gantools.errors import UserError


class Augment:
    """What `duel(augment=...)` takes: a callable `(x, draw) -> x`, and what it needs.

    Attributes:
        samplers: Name -> sampler of the random numbers that `draw` has to hold.
        memory: Name -> Keras layer with the state of the run.

    Raises:
        UserError: something that cannot be called.
    """

    samplers = {}
    memory = {}

    def __init__(self, function=None):
        if function is not None and not callable(function):
            raise UserError(
                "augment must be DiffAugment, ADA or a callable (x, draw) -> x. "
                f"Received: {function!r}."
            )
        self._function = function

    def __call__(self, x, draw):
        """Return `x` changed; same shape."""
        return self._function(x, draw) if self._function else x

    def check(self, objective, repeats):
        """Refuse an objective that it cannot work with; learn the critic updates of a cycle."""

    def observe(self, real, size):
        """Look at the scores of `size` real samples after an update of the critic's turn."""


class DiffAugment(Augment):
    """Random changes of fixed strength, different for every sample of a batch.

    color        brightness x + U(-0.5, 0.5), then saturation U(0, 2) about the mean over channels,
                 then contrast U(0.5, 1.5) about the mean of the picture
    translation  whole pixels up to an eighth of each side
    cutout       one box of half of each side, its centre anywhere in the picture
    affine       turned by up to 10 degrees, enlarged by 0.9 to 1.1 (pictures only)

    Args:
        policy: Names as above, applied in this order: "color,translation,cutout" for a few hundred
            colour pictures; leave "color" out where brightness has a meaning, as for digits.
        shape: Shape of one sample, `(*space, channels)`: any number of channels; one or three space
            axes too, without "affine".
        fill: Value of what is cut out or comes in from outside: 0 is mid-grey, -1 is black. Take
            the background's, else the critic first learns to know the frame.
        p: Probability of each change for each sample.

    Raises:
        UserError: unknown policy, or one that does not fit the shape.

    Source: Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training", arXiv
    2006.10738; "affine" is an addition.
    """

    def __init__(self, policy, shape, *, fill=0.0, p=1.0):
        super().__init__()
        names = [name.strip() for name in policy.split(",") if name.strip()]
        axes = len(shape) - 1
        unknown = sorted(set(names) - set(CHANGES))
        if unknown or not names or axes < 1:
            raise UserError(
                f"An augmentation is a list of {', '.join(CHANGES)} and a shape (*space, channels)."
                f" Received: policy={policy!r}, shape={tuple(shape)}."
            )
        if "affine" in names and axes != 2:
            raise UserError(
                f"affine turns pictures (height, width, channels). Received: shape={tuple(shape)}."
            )
        self.changes = [CHANGES[name] for name in names]
        self.counts = [axes if count is None else count for _, count in self.changes]
        self.fill, self.p = float(fill), p
        self.numbers = sum(self.counts) + len(names)  # the last ones decide what is applied
        self.samplers = {"augment": uniform(self.numbers, low=0.0, high=1.0)}

    def __call__(self, x, draw):
        """Return `x` `(batch, *space, channels)` augmented by `draw["augment"]`."""
        return self.apply(x, draw["augment"], self.p)

    def apply(self, x, numbers, p):
        """Augment with probability `p`.

        Args:
            x: `(batch, *space, channels)` float32.
            numbers: `(batch, self.numbers)` uniform in [0, 1): those of each change in the order of
                the policy, then one a change that is compared with `p`.
            p: Number or scalar tensor in [0, 1].
        """
        x, numbers = ops.convert_to_tensor(x), ops.convert_to_tensor(numbers)
        used, first = 0, sum(self.counts)
        for i, ((change, _), count) in enumerate(zip(self.changes, self.counts, strict=True)):
            changed = change(x, numbers[:, used : used + count], self.fill)
            used += count
            if isinstance(p, float | int) and p >= 1:
                x = changed
                continue
            chosen = ops.cast(numbers[:, first + i] < p, x.dtype)
            x = x + _per_sample(chosen, x) * (changed - x)
        return x


class ADA(Augment):
    """DiffAugment's changes with a probability that follows the critic's overfitting.

    The overfitting is r = E sign(D(x) - t) on real samples, with t the score at which the objective
    cannot tell real from fake. After every `every` cycles

        p <- clip(p + sign(r - target) * every * batch / images, 0, 1)

    Args:
        policy, shape, fill: As for `DiffAugment`.
        target: r that is aimed at.
        images: Real samples in which p can go from 0 to 1; 100 000 for fine-tuning.
        every: Cycles between two changes of p.

    Raises:
        UserError: (from `duel`) an objective without such a score: relativistic, wasserstein.

    Source: Karras et al. 2020, "Training Generative Adversarial Networks with Limited Data", arXiv
    2006.06676, section 3.1, with the settings of its official code. Its changes are more, and of
    other strength.
    """

    def __init__(self, policy, shape, *, fill=0.0, target=0.6, images=500_000, every=4):
        super().__init__()
        self.changes = DiffAugment(policy, shape, fill=fill)
        self.samplers = self.changes.samplers
        self.memory = {"ada": Overfitting(target, images, every)}
        self.state = self.memory["ada"]
        self.threshold, self.repeats = None, 1

    def __call__(self, x, draw):
        """Return `x` `(batch, *space, channels)` augmented with the present probability."""
        return self.changes.apply(x, draw["augment"], self.state.p.value)

    def check(self, objective, repeats):
        """Take the objective's threshold; refuse one that has none."""
        if objective.threshold is None:
            raise UserError(
                "ADA compares scores of real samples with the score at which the objective cannot "
                f"tell, but scores of {objective.name!r} mean nothing by themselves. Use "
                "DiffAugment, or minimax, nonsaturating, least_squares or hinge."
            )
        self.threshold, self.repeats = objective.threshold, repeats

    def observe(self, real, size):
        """Take the scores of one update into account; move p when due."""
        (sign,) = parallel.averaged([ops.mean(ops.sign(real - self.threshold))])
        self.state.update(sign, size * parallel.replicas(), self.repeats)


class Overfitting(keras.layers.Layer):
    """State of ADA: the probability, and the signs since it last changed.

    Attributes:
        p: Probability, float32 scalar in [0, 1], at first 0.
    """

    def __init__(self, target, images, every):
        super().__init__(trainable=False, dtype="float32")
        self.target, self.images, self.every = target, images, every
        scalar = {"shape": (), "initializer": "zeros", "trainable": False, "aggregation": "mean"}
        self.p = self.add_weight(name="p", **scalar)
        self.total = self.add_weight(name="total", **scalar)
        self.count = self.add_weight(name="count", **scalar)
        self.built = True

    def update(self, sign, size, repeats=1):
        """Add the mean sign of an update of `size` samples, `repeats` updates a cycle."""
        updates = self.every * repeats
        total, count = self.total.value + ops.stop_gradient(sign), self.count.value + 1.0
        due = ops.cast(count >= updates, "float32")
        step = self.every * ops.cast(size, "float32") / self.images
        p = self.p.value + due * step * ops.sign(total / updates - self.target)
        self.p.assign(ops.clip(p, 0.0, 1.0))
        self.total.assign((1.0 - due) * total)
        self.count.assign((1.0 - due) * count)


def _color(x, u, fill):
    brightness, saturation, contrast = (_per_sample(u[:, i], x) for i in range(3))
    x = x + (brightness - 0.5)
    grey = ops.mean(x, axis=-1, keepdims=True)
    x = (x - grey) * (2.0 * saturation) + grey
    mean = ops.mean(x, axis=tuple(range(1, len(x.shape))), keepdims=True)
    return (x - mean) * (contrast + 0.5) + mean


def _translation(x, u, fill):
    largest = [int(side / 8 + 0.5) for side in x.shape[1:-1]]
    steps = [_integer(u[:, i], 2 * most + 1) - most for i, most in enumerate(largest)]
    return shift(x, ops.stack(steps, axis=1), fill)


def _cutout(x, u, fill):
    inside = 1.0
    for i, side in enumerate(x.shape[1:-1]):
        length = int(side / 2 + 0.5)
        start = _integer(u[:, i], side + 1 - length % 2) - length // 2  # may lie outside
        place = ops.arange(side)[None] - start[:, None]  # (batch, side)
        covered = ops.cast(ops.logical_and(place >= 0, place < length), x.dtype)
        inside = inside * ops.reshape(covered, (-1, *_axis(i, side, len(x.shape) - 1)))
    return x + inside * (fill - x)


def _affine(x, u, fill):
    angle = math.radians(10.0) * (2.0 * u[:, 0] - 1.0)
    return affine(x, angle, 0.9 + 0.2 * u[:, 1], fill)


# name: (change, random numbers a sample; None: one a space axis)
CHANGES = {
    "color": (_color, 3),
    "translation": (_translation, None),
    "cutout": (_cutout, None),
    "affine": (_affine, 2),
}


def _integer(u, count):
    """Return integers 0 ... count - 1, int32, from numbers in [0, 1)."""
    return ops.cast(ops.minimum(ops.floor(u * count), count - 1.0), "int32")


def _per_sample(values, x):
    """Reshape `(batch,)` so that it multiplies `x`."""
    return ops.reshape(values, (-1, *[1] * (len(x.shape) - 1)))


def _axis(i, side, rank):
    return [side if axis == i else 1 for axis in range(rank)]
