"""Standard input and output as pictures: `gantools superres - < small.png > large.png`.

Both go through files in a temporary folder, so that the bytes are those that a file would have.
"""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gantools.data.pictures import header
from gantools.errors import UserError

from .batch import KEPT, Job, Names, Outcome, plan_jobs

PIPE = "-"
FROM, TO = "standard input", "standard output"  # as they are called in what is told


@dataclass
class Piped:
    """What comes or goes through a pipe.

    Attributes:
        jobs: The one job, if there is a pipe.
        silent: Whether nothing is to be told of files that nobody named.
        out: File whose bytes go to standard output.
    """

    jobs: list[Job] = field(default_factory=list)
    silent: bool = False
    out: Path | None = None

    def said(self, text: str | Path) -> str:
        """Return a text in which the pipes are called by their names and not by a file's."""
        text = str(text)
        for job in self.jobs:
            for path, name in ((job.source, FROM), (job.target, TO)):
                text = text.replace(str(path), name) if path.stem == name else text
        return text

    def outcome(self, found: Outcome) -> Outcome:
        """Return an outcome as it is told."""
        source, target = (Path(self.said(path)) for path in (found.job.source, found.job.target))
        result = found.result and replace(found.result, source=source, target=target)
        error = found.error and self.said(found.error)
        return replace(found, job=Job(source, target), result=result, error=error)

    def deliver(self) -> None:
        """Write the finished picture to standard output if it belongs there."""
        if self.out and self.out.exists():
            with self.out.open("rb") as file:
                shutil.copyfileobj(file, sys.stdout.buffer)
            sys.stdout.buffer.flush()


@contextmanager
def piped(inputs: tuple[str, ...], out: str | None, names: Names) -> Iterator[Piped]:
    """Yield what comes or goes through a pipe; nothing if no word is "-".

    Args:
        inputs: Words of the command line.
        out: What came with -o: "-" or None for standard output, if the input is "-".
        names: For the name of a file.

    Raises:
        UserError: more than one picture for a pipe, or no picture comes through it.
    """
    from_pipe, to_pipe = PIPE in inputs, out == PIPE or (PIPE in inputs and out is None)
    if not from_pipe and not to_pipe:
        yield Piped()
        return
    if len(inputs) > 1 or (not from_pipe and Path(inputs[0]).is_dir()):
        raise UserError("Standard input and output hold one picture. Give exactly one with '-'.")
    with tempfile.TemporaryDirectory(prefix="gantools-") as folder:
        source = Path(folder, FROM) if from_pipe else Path(inputs[0])
        if from_pipe:
            with source.open("wb") as file:
                shutil.copyfileobj(sys.stdin.buffer, file)
        if not to_pipe:
            (named,) = plan_jobs([Path(folder, f"stdin.{_ext(source, names)}")], names)
            yield Piped([Job(source, named.target)])
            return
        target = Path(folder, f"{TO}.{_ext(source, names)}")
        yield Piped([Job(source, target)], silent=True, out=target)


def _ext(source, names):
    """Return the ending for the format: as asked for, or as the picture came."""
    if names.format is None:
        with suppress(UserError):  # told when it is its turn
            return KEPT.get(header(source).format, "png")
    return names.format or "png"
