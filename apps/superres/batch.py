"""Many pictures: which files become which, and what happened to each."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from glob import glob
from itertools import takewhile
from os.path import realpath  # resolve() fails on a link to itself
from pathlib import Path

from gantools.data.files import make_folder, unwritable
from gantools.data.folders import picture_files
from gantools.data.pictures import SUFFIXES
from gantools.errors import ALL_FAILED, DONE, MISSING_EXTRA, SOME_FAILED, UserError

from .clips.take import KEPT as CLIPS
from .clips.take import check_installed, is_clip
from .engine import EngineError
from .enlarge import Output, Result, Upscaler, enlarge_file
from .options import MODEL

# Formats that results keep; others become PNG.
KEPT = {"png": "png", "jpeg": "jpg", "webp": "webp", "tiff": "tif", "avif": "avif"}
FORMATS = ("png", "jpg", "webp", "tif", "bmp", "avif")
FIELDS = ("stem", "model", "scale", "ext")


@dataclass(frozen=True)
class Names:
    """How results are called.

    Attributes:
        out: File, folder or pattern; None for beside the source.
        label: The size in a name, such as "x4".
        model: The network's name, for patterns.
        format: One of `FORMATS`; the source's own if None.
        recursive: Whether folders inside folders are taken, too.
        part: Behind the size in the name of a clip, see `clips.take.part_label`.
    """

    out: Path | None = None
    label: str = "x4"
    model: str = MODEL
    format: str | None = None
    recursive: bool = False
    part: str = ""


@dataclass(frozen=True)
class Job:
    """One picture to make: source and target path."""

    source: Path
    target: Path


@dataclass(frozen=True)
class Outcome:
    """What happened to a job: `result`, or `error` in one sentence, or neither if it was there.

    Attributes:
        job, result, error: As said.
        missing: Whether the error is that an extra is not installed.
    """

    job: Job
    result: Result | None = None
    error: str | None = None
    missing: bool = False


def plan_jobs(inputs: Iterable[Path], names: Names) -> list[Job]:
    """Return what to do, in order; nothing is read or written yet.

    Args:
        inputs: Picture files, folders whose picture files are taken, and patterns like `*.png`
            that a shell has left as they are.
        names: `names.out` is a file name for one picture; a folder for more, or where it is one or
            has no suffix; or a pattern like "large/{stem}_{model}_x{scale}.{ext}". None puts
            `a_x4.png` beside `a.png`, and a folder `b_x4` beside a folder `b`. The folders inside
            a folder become folders inside the result. What is the target of another input is left
            out: an earlier run has made it.

    Raises:
        UserError: an input is missing, a folder has no pictures, a target is its own source, two
            pictures would have one name, or a name and the format contradict each other.
    """
    jobs, inputs = [], [path for given in inputs for path in _matches(given)]
    out = names.out
    single = len(inputs) == 1 and not inputs[0].is_dir()
    if out is not None and single and out.suffix and not _is_pattern(out) and not out.is_dir():
        jobs = [Job(inputs[0], out)]
    else:
        for path in inputs:
            jobs += _jobs_of(path, names)
    made = {realpath(job.target): job for job in jobs}
    jobs = [job for job in jobs if made.get(realpath(job.source), job) is job]
    _check(jobs, names.format)
    return jobs


def _check(jobs, wanted):
    """Raise a `UserError` if a target is a source, comes twice, or is of another format."""
    sources = {realpath(job.source) for job in jobs}
    targets = [realpath(job.target) for job in jobs]  # one file may be spelt in several ways
    counts = Counter(targets)
    for job, target in zip(jobs, targets, strict=True):
        if target in sources:
            raise UserError(
                f"'{job.target}' would replace an input. Give another name or folder with -o."
            )
        if counts[target] > 1:
            raise UserError(
                f"{counts[target]} inputs would become '{job.target}'. Enlarge them one by "
                "one, each with its own -o."
            )
        kind = SUFFIXES.get(job.target.suffix.lower())
        if wanted and kind and kind != SUFFIXES[f".{wanted}"]:
            raise UserError(
                f"--format {wanted} contradicts the name '{job.target}'. Leave out one of them."
            )


def _matches(given: Path) -> list[Path]:
    """Return the files that a pattern names; other paths as they are."""
    text = str(given)
    if given.exists() or not any(mark in text for mark in "*?["):
        return [given]
    found = sorted(Path(name) for name in glob(text, recursive=True))  # noqa: PTH207 (any root)
    if not found:
        raise UserError(f"Nothing is called like '{text}'.", ALL_FAILED)
    return found


def _jobs_of(path: Path, names: Names) -> list[Job]:
    """Return the jobs of one input."""
    if not path.is_dir():
        return [Job(path, _target(path, names, names.out or path.parent))]
    whole = path.resolve()
    if names.out is None and not whole.name:
        raise UserError(f"'{path}' has no folder beside it for the results. Give one with -o.")
    folder = names.out or whole.with_name(f"{whole.name}_{names.label}")
    files = _below(path, _own_folder(folder)) if names.recursive else picture_files(path)
    if not files:
        raise UserError(
            f"The folder '{path}' has no pictures. Expected files like .png, .jpg or .webp.",
            ALL_FAILED,
        )
    return [
        Job(file, _target(file, names, folder, file.parent.relative_to(path))) for file in files
    ]


def _below(folder: Path, ours: str | None, above: frozenset[str] = frozenset()) -> list[Path]:
    """Return the pictures of a folder and of those inside it, but not of an earlier result.

    Args:
        folder: Where to look.
        ours: Folder of the results, not looked into.
        above: Folders on the way to this one: a link to one of them would lead round and round.
    """
    found, above = picture_files(folder), above | {realpath(folder)}
    for item in sorted(folder.iterdir()):
        if item.is_dir() and not item.name.startswith("."):
            skipped = realpath(item) in (ours, *above)
            found += [] if skipped else _below(item, ours, above)
    return found


def _own_folder(out: Path) -> str | None:
    """Return the folder that holds the results; None of a pattern that does not begin with one."""
    known = list(takewhile(lambda part: "{" not in part, out.parts))
    return realpath(Path(*known)) if known or not _is_pattern(out) else None


def _is_pattern(out: Path | None) -> bool:
    """Return whether what was given with -o is a pattern."""
    return out is not None and "{" in str(out)


def _target(file: Path, names: Names, folder: Path, inside: Path = Path()) -> Path:
    """Return the path of the enlarged file: the format is kept where it is common."""
    kept = CLIPS.get(file.suffix.lower()) or KEPT.get(SUFFIXES.get(file.suffix.lower()), "png")
    ext = names.format or kept
    if not _is_pattern(names.out):
        part = names.part if is_clip(file) else ""
        return folder / inside / f"{file.stem}_{names.label}{part}.{ext}"
    scale = names.label.removeprefix("x")
    try:
        name = str(names.out).format(stem=file.stem, model=names.model, scale=scale, ext=ext)
    except (KeyError, IndexError, ValueError, AttributeError, TypeError) as error:
        known = ", ".join(f"{{{field}}}" for field in FIELDS)
        raise UserError(
            f"The pattern '{names.out}' may hold {known}. Received: {error}."
        ) from error
    return Path(name).parent / inside / Path(name).name


def run_jobs(
    jobs: list[Job],
    upscaler: Upscaler,
    output: Output | None = None,
    *,
    overwrite: bool = False,
    started: Callable[[Job], None] = lambda job: None,
    advance: Callable[..., None] = lambda *_: None,
    finished: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Do the jobs one after the other; a picture that fails does not stop the others.

    Args:
        jobs: From `plan_jobs`.
        upscaler: The networks and their engine.
        output: How results are written.
        overwrite: Whether targets that exist are made again instead of left.
        started, advance, finished: Called before, during and after each picture; `advance` with
            the finished share, 0 to 1, and of clips with the speed in words.

    Raises:
        UserError: no picture can be written where it should go, or no engine runs the network.
    """
    for folder in {job.target.parent for job in jobs}:
        make_folder(folder)
    outcomes = []
    for job in jobs:
        started(job)
        outcome = outcome_of(job, upscaler, output, overwrite, advance)
        outcomes.append(outcome)
        finished(outcome)
    return outcomes


def outcome_of(
    job: Job,
    upscaler: Upscaler,
    output: Output | None = None,
    overwrite: bool = False,
    advance: Callable[..., None] = lambda *_: None,
) -> Outcome:
    """Do one job and return what happened to it. Args: as for `run_jobs`.

    Raises:
        EngineError: no engine runs the network.
    """
    try:
        if is_there(job) and not overwrite:
            return Outcome(job)
        return Outcome(job, _maker(job)(job.source, job.target, upscaler, output, advance=advance))
    except EngineError:
        raise
    except Exception as error:  # one picture must not stop a thousand others
        missing = getattr(error, "code", None) == MISSING_EXTRA
        return Outcome(job, error=told(job, error), missing=missing)


def is_there(job: Job) -> bool:
    """Return whether a job's target is there already.

    Raises:
        UserError: nothing can be there: its name is too long, or its folder is closed.
    """
    try:
        return job.target.exists()
    except OSError as error:
        raise unwritable(job.target, error) from error


def told(job: Job, error: Exception) -> str:
    """Return in a sentence why a job failed."""
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, MemoryError):
        return f"Cannot enlarge '{job.source}': not enough memory."
    what = " ".join(f"{type(error).__name__}: {error}".split())
    return f"Cannot enlarge '{job.source}': an unexpected error, please report it ({what})."


def _maker(job):
    """Return what makes a job: clips need an extra, which is loaded for them only."""
    if not is_clip(job.source):
        return enlarge_file
    check_installed()
    from .clips.run import enlarge_clip

    return enlarge_clip


def exit_code(outcomes: list[Outcome]) -> int:
    """Return the exit code for what happened: all done, some failed, all failed and why."""
    if outcomes and all(outcome.missing for outcome in outcomes):
        return MISSING_EXTRA
    return code_for(sum(outcome.error is not None for outcome in outcomes), len(outcomes))


def code_for(failed: int, total: int) -> int:
    """Return the exit code of `total` pictures of which some failed."""
    if failed == total:
        return ALL_FAILED
    return SOME_FAILED if failed else DONE
