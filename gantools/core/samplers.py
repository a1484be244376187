"""Where a game's random numbers come from: callables `(size, seed, batch) -> tensor`.

`size` is the number of samples, `seed` a `keras.random.SeedGenerator` that belongs to the model,
`batch` the dict of tensors of the step (empty in `AdversarialModel.sample`). Nothing else in the
core is random, so that a game fed with its draws in the batch is a deterministic function.
"""

import keras
import numpy as np
from keras import ops

from gantools.errors import UserError


def normal(*shape):
    """Return a sampler of standard normal tensors `(size, *shape)` float32."""
    return lambda size, seed, batch: keras.random.normal((size, *shape), seed=seed)


def uniform(*shape, low=-1.0, high=1.0):
    """Return a sampler of uniform tensors `(size, *shape)` float32 in [low, high)."""
    return lambda size, seed, batch: keras.random.uniform((size, *shape), low, high, seed=seed)


def uniform_like(key, low=0.0, high=1.0):
    """Return a sampler of uniform noise of the shape of `batch[key]`, float32 in [low, high)."""

    def sample(size, seed, batch):
        return keras.random.uniform(ops.shape(batch[key]), low, high, seed=seed)

    return sample


def categories(classes):
    """Return a sampler of classes `(size,)` int32, each of 0 to classes - 1 equally likely."""

    def sample(size, seed, batch):
        return keras.random.randint((size,), 0, classes, "int32", seed)

    sample.classes = classes  # see `checks.check_labels`
    return sample


def labels(classes, key="y"):
    """Return a sampler of classes like `categories`, for samples of a model that learns labels.

    Under the name `key` the batch's labels take the place of the draw in training, so that real and
    fake samples have the same ones; a batch without labels is refused.
    """
    draw = categories(classes)

    def sample(size, seed, batch):
        if batch:
            raise UserError(
                f"This game learns from labels. Expected a batch with {key!r}, integers from 0 to "
                f"{classes - 1}. Received: {', '.join(sorted(batch))}."
            )
        return draw(size, seed, batch)

    sample.classes = classes
    return sample


def in_order(classes):
    """Return `n -> (n,)` int32: all classes in order, as a grid should show them.

    With n = classes**2 each row of a square grid is one class.
    """
    return lambda n: (np.arange(n) * classes // n).astype(np.int32)
