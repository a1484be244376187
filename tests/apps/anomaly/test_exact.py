"""One BLAS thread for as long as anybody needs it."""

from threading import Barrier, Thread

import numpy as np
from gantools.apps.anomaly.exact import one_thread
from threadpoolctl import threadpool_info, threadpool_limits


def threads():
    np.ones((2, 2)) @ np.ones((2, 2))
    return {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}


def test_the_limit_ends_with_the_last_that_holds_it():
    both, go_on, seen = Barrier(2, timeout=20), Barrier(2, timeout=20), []

    def work(first):
        with one_thread:
            both.wait()
            if not first:
                go_on.wait()  # the other has left
                seen.append(threads())

    with threadpool_limits(2, user_api="blas"):
        before = threads()
        workers = [Thread(target=work, args=(first,)) for first in (True, False)]
        for worker in workers:
            worker.start()
        workers[0].join()
        go_on.wait()
        workers[1].join()
        assert seen == [{1}]
        assert threads() == before
