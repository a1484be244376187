"""Many pictures at a time: on the processors of this machine or, through joblib, of a cluster.

    with joblib.parallel_config(backend="dask"):  # or "ray", after ray.util.joblib.register_ray()
        run_many(plan_jobs([Path("photos")], Names(Path("large"))), Choice("fast"))

Each process opens its own engines. A picture's result does not depend on who makes it or with how
many threads, so the files have the bytes that one process gives them.
"""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from glob import escape
from pathlib import Path

from gantools.data.files import make_folder
from gantools.data.shards import portion
from gantools.data.workers import opened, results
from gantools.errors import ALL_FAILED, UserError

from .batch import Job, Outcome, outcome_of
from .choice import Choice
from .enlarge import Output

ADVICE = "Give fewer --jobs or a --memory budget; finished pictures are kept."


def run_many(
    jobs: list[Job],
    choice: Choice,
    output: Output | None = None,
    processes: int | None = None,
    *,
    overwrite: bool = False,
    finished: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Do jobs in several processes; a picture that fails does not stop the others.

    Args:
        jobs: From `batch.plan_jobs`.
        choice: How pictures are enlarged. Its threads are those of one process; if None, the
            processes of this machine share its processors.
        output: How results are written.
        processes: At the same time; None leaves it to `joblib.parallel_config`.
        overwrite: Whether targets that exist are made again instead of left.
        finished: Called after each picture, in order.

    Returns:
        The outcomes, in order of the jobs.

    Raises:
        UserError: a folder cannot be made, a process died, or no engine runs the network.
    """
    for folder in {job.target.parent for job in jobs}:
        make_folder(folder)
    if processes and choice.threads is None:
        choice = replace(choice, threads=max(1, (os.cpu_count() or 1) // processes))
    tasks, outcomes = [(job, choice, output, overwrite) for job in jobs], []
    try:
        for outcome in results(_done, tasks, processes, ADVICE):
            outcomes.append(outcome)
            finished(outcome)
    finally:
        _swept(jobs[len(outcomes) :])
    return outcomes


def share(jobs: list[Job], part: tuple[int, int] | None) -> list[Job]:
    """Return the jobs of one share: by their sources' names below the folder common to all.

    Args:
        jobs: All jobs, the same on each machine.
        part: `(i, n)`, or None for all.

    Raises:
        UserError: there are fewer jobs than shares, so that this one is empty.
    """
    if part is None:
        return jobs
    folders = {job.source.absolute().parent for job in jobs}
    root = os.path.commonpath(folders)
    keys = [Path(os.path.relpath(job.source.absolute(), root)).as_posix() for job in jobs]
    mine = [jobs[i] for i in portion(keys, part)]
    if not mine:
        raise UserError(
            f"Share {part[0]}/{part[1]} is empty: there are only {len(jobs)} pictures.", ALL_FAILED
        )
    return mine


def _done(job, choice, output, overwrite):
    """Return the outcome of one job, in whatever process this is."""
    return outcome_of(job, opened(choice, choice.open), output, overwrite)


def _swept(jobs):
    """Remove what processes that were stopped have left of files half written."""
    for job in jobs:
        for part in job.target.parent.glob(f"{escape(job.target.name)}.*.part"):
            with suppress(OSError):
                part.unlink()
