"""Means over all batches of an evaluation: by itself Keras keeps what the last step returned.

Its metrics would have to be known by name before the first step, and terms are known only in it.
"""

import itertools

from keras import ops

SAMPLES = "samples"  # how many a batch has, beside its terms: their names have a slash


class Means:
    """What the test steps of one evaluation returned, averaged over their samples."""

    def __init__(self):
        self.reset()

    def reset(self):
        """Forget all steps."""
        self._samples, self._sums = 0.0, {}

    def add(self, logs):
        """Take what a test step returned; return the means so far, name -> float64.

        A batch counts as many times as it has samples: of terms that are means over samples, the
        result is the mean over all.
        """
        values = {name: ops.convert_to_numpy(x).astype("float64") for name, x in logs.items()}
        count = values.pop(SAMPLES)
        self._samples += count
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + count * value
        return {name: total / self._samples for name, total in self._sums.items()}

    def over(self, function, steps):
        """Return Keras' test function with the means so far in place of what it returns.

        Args:
            function: Takes batches and returns the logs of the last; on JAX takes the state too,
                before them, and returns it behind the logs.
            steps: Batches that it takes at once, the `steps_per_execution`.
        """

        def once(*args):
            found = function(*args)
            if isinstance(found, tuple):
                return self.add(found[0]), found[1]
            return self.add(found)

        def several(*args):
            *state, batches = args
            found = None
            for batch in itertools.islice(batches, steps):
                found = once(*state, iter([batch]))
                state = [found[1]] if state else []
            if found is None:
                raise StopIteration
            return found

        return once if steps == 1 else several
