"""The same sums everywhere: one thread of BLAS while pictures are scored.

Sums in another order, as other numbers of threads have them, differ in the last bits. The number is
one for the whole process, so scorings in several threads must hold it together: with a limit each,
the first that ends would give the others their threads back in the middle of a sum.
"""

from threading import Lock

from threadpoolctl import threadpool_limits


class OneThread:
    """A context of the whole process; the limit ends with the last that holds it."""

    def __init__(self):
        self._lock, self._holders, self._limit = Lock(), 0, None

    def __enter__(self):
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._limit = threadpool_limits(1, user_api="blas")

    def __exit__(self, *_):
        with self._lock:
            self._holders -= 1
            if not self._holders:
                self._limit.restore_original_limits()


one_thread = OneThread()
