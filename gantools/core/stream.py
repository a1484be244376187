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

    Unpaired arrays, such as pictures of two kinds, may have different lengths: each is shuffled by
    its own permutations and starts its epochs when it is used up. Sample i of one array then has
    nothing to do with sample i of another.

    Args:
        arrays: Array `(samples, ...)`, named "x", or a dict of such arrays. uint8 is scaled to
            [-1, 1] inside the training step.
        batch: Samples in a minibatch.
        minibatches: Minibatches per step; None leaves it to `AdversarialModel.fit`, else 1.
        seed: Seed of the order and of `transform`.
        transform: Callable `(dict of one minibatch, numpy Generator) -> dict`, for augmentation on
            the host; its generator depends on (seed, minibatch number) only.
        paired: Whether sample i of every array belongs together.
        only: Indices of the samples to use, for each array; None uses all.

    Raises:
        UserError: paired arrays of unequal length, or fewer samples than a batch.
    """

    def __init__(
        self, arrays, batch, *, minibatches=None, seed=0, transform=None, paired=True, only=None
    ):
        self.arrays = arrays if isinstance(arrays, dict) else {"x": arrays}
        self.only = only or {name: np.arange(len(array)) for name, array in self.arrays.items()}
        self.lengths = {name: len(self.only[name]) for name in self.arrays}
        if paired and len(set(self.lengths.values())) != 1:
            raise UserError(f"Arrays of a stream must have equal lengths. Received: {self.lengths}")
        fewest = min(self.lengths.values())
        if fewest < batch:
            raise UserError(
                f"A batch of {batch} needs at least as many samples. Received: {fewest}. "
                "Use a smaller batch."
            )
        self.batch, self.minibatches, self.seed = batch, minibatches, seed
        self.transform, self.paired = transform, paired
        self._epochs = {}  # order number -> its last permutation: (epoch, indices)

    def at(self, step, minibatches=1):
        """Return the dict of step `step`: `(batch, ...)` arrays, or "minibatches" of them.

        Args:
            step: From 0 on.
            minibatches: How many, where the stream was given no number.
        """
        count = self.minibatches or minibatches
        parts = [self._minibatch(step * count + i) for i in range(count)]
        if count == 1:
            return parts[0]
        stacked = {name: np.stack([part[name] for part in parts], axis=1) for name in parts[0]}
        return {"minibatches": stacked}  # (batch, n, ...)

    def batches(self, start=0, minibatches=1):
        """Return a generator of steps from `start` on, as `keras.Model.fit` takes it; see `at`."""
        step = start
        while True:
            yield (self.at(step, minibatches),)
            step += 1

    def _minibatch(self, number):
        sample = {}
        for i, (name, array) in enumerate(self.arrays.items()):
            chosen = self._chosen(number, 0 if self.paired else i, self.lengths[name])
            sample[name] = array[self.only[name][chosen]]
        return self.transform(sample, self._random(1, number)) if self.transform else sample

    def _chosen(self, number, order, length):
        """Return the places in `only` of a minibatch of one order."""
        epoch, place = divmod(number, length // self.batch)
        if self._epochs.get(order, (None,))[0] != epoch:
            permutation = self._random(0, epoch, order).permutation(length)
            self._epochs[order] = (epoch, permutation)
        return self._epochs[order][1][place * self.batch : (place + 1) * self.batch]

    def _random(self, purpose, number, order=0):
        key = np.array([self.seed + (order << 48), 2 * number + purpose], dtype=np.uint64)
        return np.random.Generator(np.random.Philox(key=key))
