"""Many pictures: which files become which, and what happened to each."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from gantools.data.files import make_folder
from gantools.data.folders import picture_files
from gantools.data.pictures import SUFFIXES
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, UserError

from .enlarge import Result, Upscaler, enlarge_file

KEPT = {"png": ".png", "jpeg": ".jpg", "webp": ".webp"}  # other formats become PNG


@dataclass(frozen=True)
class Job:
    """One picture to make: source and target path."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What happened to a job: `result`, or `error` in one sentence, or neither if it was there."""

    job: Job
    result: Result | None = None
    error: str | None = None


def plan_jobs(inputs: Iterable[Path], out: Path | None, scale: int) -> list[Job]:
    """Return what to do, in order; nothing is read or written yet.

    Args:
        inputs: Picture files, and folders whose picture files are taken (not those of folders
            inside).
        out: A file name for one picture; a folder for more, or where it is one or has no suffix.
            None puts `a_x4.png` beside `a.png`, and a folder `b_x4` beside a folder `b`.
        scale: Enlargement, for the names.

    Raises:
        UserError: an input is missing, a folder has no pictures, a target is a source, or two
            pictures would have one name.
    """
    jobs, inputs = [], list(inputs)
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if out is not None and single and out.suffix and not out.is_dir():
        jobs = [Job(inputs[0], out)]
    else:
        for path in inputs:
            jobs += _jobs_of(path, out, scale)
    sources = {job.source.resolve() for job in jobs}
    counts = Counter(job.target for job in jobs)
    for job in jobs:
        if job.target.resolve() in sources:
            raise UserError(
                f"'{job.target}' would replace an input. Give another name or folder with -o."
            )
        if counts[job.target] > 1:
            raise UserError(
                f"{counts[job.target]} inputs would become '{job.target}'. Enlarge them one by "
                "one, each with its own -o."
            )
    return jobs


def _jobs_of(path: Path, out: Path | None, scale: int) -> list[Job]:
    """Return the jobs of one input."""
    if path.is_dir():
        files = picture_files(path)
        if not files:
            raise UserError(
                f"The folder '{path}' has no pictures. Expected files like .png, .jpg or .webp.",
                ALL_FAILED,
            )
        whole = path.resolve()
        folder = out or whole.with_name(f"{whole.name}_x{scale}")
        return [Job(file, folder / _name(file, scale)) for file in files]
    return [Job(path, (out or path.parent) / _name(path, scale))]


def _name(file: Path, scale: int) -> str:
    """Return the name of the enlarged file: the format is kept where it is common."""
    return f"{file.stem}_x{scale}{KEPT.get(SUFFIXES.get(file.suffix.lower()), '.png')}"


def run_jobs(
    jobs: list[Job],
    upscaler: Upscaler,
    *,
    overwrite: bool = False,
    started: Callable[[Job], None] = lambda job: None,
    advance: Callable[[float], None] = lambda share: None,
    finished: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Do the jobs one after the other; a picture that fails does not stop the others.

    Args:
        jobs: From `plan_jobs`.
        upscaler: The network and its engine.
        overwrite: Whether targets that exist are made again instead of left.
        started, advance, finished: Called before, during and after each picture.

    Raises:
        UserError: no picture can be written where it should go, or no engine starts.
    """
    for folder in {job.target.parent for job in jobs}:
        make_folder(folder)
    outcomes = []
    for job in jobs:
        started(job)
        outcome = _outcome(job, upscaler, overwrite, advance)
        outcomes.append(outcome)
        finished(outcome)
    return outcomes


def _outcome(job, upscaler, overwrite, advance):
    if job.target.exists() and not overwrite:
        return Outcome(job)
    try:
        return Outcome(job, enlarge_file(job.source, job.target, upscaler, advance=advance))
    except UserError as error:
        return Outcome(job, error=str(error))
    except MemoryError:
        return Outcome(job, error=f"Cannot enlarge '{job.source}': not enough memory.")


def exit_code(outcomes: list[Outcome]) -> int:
    """Return the exit code for what happened: all done, some failed, all failed."""
    failed = sum(outcome.error is not None for outcome in outcomes)
    if failed == len(outcomes):
        return ALL_FAILED
    return SOME_FAILED if failed else DONE
