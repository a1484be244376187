"""One task after another in several processes, here or, through joblib, on a cluster.

with joblib.parallel_config(backend="dask"):  # or "ray", after ray.util.joblib.register_ray()
    for result in results(do, tasks): ...
"""

import threading
from collections.abc import Callable, Iterable, Iterator

from gantools.errors import UserError

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
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    pool = Parallel(n_jobs=processes, return_as="generator")
    try:
        yield from pool(delayed(do)(*task) for task in tasks)
    except BrokenProcessPool as error:
        raise UserError(f"A process died, probably of too little memory. {advice}") from error


def opened(key, make: Callable):
    """Return `make()`, made once a thread as long as `key` stays the same.

    Args:
        key: Of what was opened last; compared.
        make: Opens it.
    """
    if getattr(_OPENED, "key", None) != key:
        _OPENED.tool, _OPENED.key = make(), key
    return _OPENED.tool
