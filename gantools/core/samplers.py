"""Where a game's random numbers come from: callables `(size, seed, batch) -> tensor`.

`size` is the number of samples, `seed` a `keras.random.SeedGenerator` that belongs to the model,
`batch` the dict of tensors of the step (empty in `AdversarialModel.sample`). Nothing else in the
core is random, so that a game fed with its draws in the batch is a deterministic function.
"""

import keras
from keras import ops


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
