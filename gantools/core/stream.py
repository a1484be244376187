"""Batches in an order that is a pure function of the seed and the step.

Nothing about the data has to be stored in a checkpoint: a stream started at step n delivers what an
uninterrupted one delivers there.
"""

import numpy as np

from gantools.errors import UserError


class Stream:
    """Endless shuffled minibatches of arrays that fit in memory.

    Epoch e is the permutation that Philox(seed, e) gives; a remainder smaller than a batch is left
    out, so that all batches have one shape. With `minibatches` n, a step holds n of them, for games
    in which every update of a cycle gets fresh samples.

    Args:
        arrays: Array `(samples, ...)`, named "x", or a dict of such arrays of equal length. uint8
            is scaled to [-1, 1] inside the training step.
        batch: Samples in a minibatch.
        minibatches: Minibatches per step.
        seed: Seed of the order and of `transform`.
        transform: Callable `(dict of one minibatch, numpy Generator) -> dict`, for augmentation on
            the host; its generator depends on (seed, minibatch number) only.

    Raises:
        UserError: arrays of unequal length, or fewer samples than a batch.
    """

    def __init__(self, arrays, batch, *, minibatches=1, seed=0, transform=None):
        self.arrays = arrays if isinstance(arrays, dict) else {"x": arrays}
        lengths = {name: len(array) for name, array in self.arrays.items()}
        self.length = min(lengths.values())
        if len(set(lengths.values())) != 1:
            raise UserError(f"Arrays of a stream must have equal lengths. Received: {lengths}")
        if self.length < batch:
            raise UserError(
                f"A batch of {batch} needs at least as many samples. Received: {self.length}. "
                "Use a smaller batch."
            )
        self.batch, self.minibatches, self.seed = batch, minibatches, seed
        self.transform = transform
        self._epoch = (None, None)  # the last permutation: (epoch, indices)

    def at(self, step):
        """Return the dict of step `step`: `(batch, ...)` arrays, or "minibatches" of them."""
        parts = [self._minibatch(step * self.minibatches + i) for i in range(self.minibatches)]
        if self.minibatches == 1:
            return parts[0]
        stacked = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
        return {"minibatches": stacked}  # (batch, n, ...)

    def batches(self, start=0):
        """Return a generator of steps from `start` on, as `keras.Model.fit` takes it."""
        step = start
        while True:
            yield (self.at(step),)
            step += 1

    def _minibatch(self, number):
        epoch, place = divmod(number, self.length // self.batch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, self._random(0, epoch).permutation(self.length))
        chosen = self._epoch[1][place * self.batch : (place + 1) * self.batch]
        sample = {name: array[chosen] for name, array in self.arrays.items()}
        return self.transform(sample, self._random(1, number)) if self.transform else sample

    def _random(self, purpose, number):
        key = np.array([self.seed, 2 * number + purpose], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key))
