"""What writers of pictures in strips share: rows come in any number, strips leave in order.

Whole strips are compressed by threads; only a few wait at a time, so that memory stays small. Where
strips begin does not depend on how many rows come at once: nor does the file.
"""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

import numpy as np

STRIP_BYTES = 1 << 19  # enough that the lost dictionary costs under 1 % of the size


class StripWriter:
    """Base of a writer; a format says how rows are stored, compressed, written and ended.

    Args:
        shape: `(height, width, channels)`.
        dtype: Of the levels.
        threads: Strips compressed at the same time.
    """

    def __init__(self, shape, dtype, threads):
        self.shape, self.dtype = shape, np.dtype(dtype)
        _, width, channels = shape
        self.strip = max(1, STRIP_BYTES // (width * channels * self.dtype.itemsize))
        self._pool, self._waiting, self._threads = ThreadPoolExecutor(threads), deque(), threads
        self._rest, self._done = [], 0

    def rows(self, array):
        """Append rows: `(rows, width, channels)`, or `(rows, width)` if there is one channel.

        Compression goes on in other threads; the array may be reused when this returns.
        """
        array = np.asarray(array, self.dtype).reshape(-1, *self.shape[1:])
        if self._done + len(array) > self.shape[0]:
            raise ValueError(f"The picture has {self.shape[0]} rows. Received more.")
        self._done += len(array)
        stored = self._stored(array)
        while len(stored):
            missing = self.strip - sum(map(len, self._rest))
            self._rest.append(stored[:missing])
            stored = stored[missing:]
            if sum(map(len, self._rest)) == self.strip:
                self._submit()

    def close(self):
        """Write what is left and the end of the file.

        Raises:
            ValueError: fewer rows than the height were given.
        """
        if self._done != self.shape[0]:
            self.abandon()
            raise ValueError(f"The picture has {self.shape[0]} rows. Received: {self._done}.")
        try:
            self._submit()
            while self._waiting:
                self._write(self._waiting.popleft().result())
            self._end()
        finally:
            self.abandon()

    def abandon(self):
        """Stop without finishing the file."""
        self._pool.shutdown(cancel_futures=True)
        self._waiting.clear()

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.abandon() if kind else self.close()

    def _submit(self):
        """Give the collected rows to a thread; write the strip that has waited longest."""
        if not self._rest:
            return
        strip = np.concatenate(self._rest) if len(self._rest) > 1 else self._rest[0]
        self._rest = []
        self._waiting.append(self._pool.submit(*self._job(strip)))
        if len(self._waiting) > 2 * self._threads:
            self._write(self._waiting.popleft().result())

    # What a format adds.

    def _stored(self, array):
        """Return rows as the format stores them, an array of its own."""
        raise NotImplementedError

    def _job(self, strip):
        """Return `(function, *arguments)` that compresses a strip in a thread."""
        raise NotImplementedError

    def _write(self, result):
        """Write what a job returned; called in order."""
        raise NotImplementedError

    def _end(self):
        """Write what comes after the last strip."""
        raise NotImplementedError
