"""One task after another in several processes, here or, through joblib, on a cluster.

with joblib.parallel_config(backend="dask"):  # or "ray", after ray.util.joblib.register_ray()
    for result in results(do, tasks): ...
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from gantools.errors import UserError

ROUND = 8  # tasks of each process between two reports, where results cannot be streamed
_OPENED = threading.local()  # what is opened serves one thread; a Dask worker may have several


def results(
    do: Callable,
    tasks: Iterable[tuple],
    processes: int | None = None,
    advice: str = "Give fewer --jobs.",
) -> Iterator:
    """Yield `do(*task)` of each task, in order, while others are at work.

    Args:
        do: A function of a module; what it returns travels between processes.
        tasks: Arguments.
        processes: At the same time; None leaves it to `joblib.parallel_config`.
        advice: What to do when one dies.

    Raises:
        UserError: a process died.
    """
    from joblib import delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    try:
        yield from _streamed(processes, (delayed(do)(*task) for task in tasks))
    except BrokenProcessPool as error:
        raise UserError(f"A process died, probably of too little memory. {advice}") from error


def _streamed(processes, calls):
    """Yield the results of joblib's calls as they come; of Ray's backend a round at a time."""
    from joblib import Parallel, effective_n_jobs

    try:
        pool = Parallel(n_jobs=processes, return_as="generator")
    except ValueError:  # the backend gives lists only
        pool, size = Parallel(n_jobs=processes), ROUND * effective_n_jobs(processes)
        while some := list(islice(calls, size)):
            yield from pool(some)
    else:
        yield from pool(calls)


def opened(key, make: Callable):
    """Return `make()`, made once a thread as long as `key` stays the same.

    Args:
        key: Of what was opened last; compared.
        make: Opens it.
    """
    if getattr(_OPENED, "key", None) != key:
        _OPENED.tool, _OPENED.key = make(), key
    return _OPENED.tool
