"""What a user sees while pictures are enlarged: a bar on a terminal, plain lines elsewhere.

Everything goes to stderr; a picture that takes less than half a second shows no bar, so that the
common case does not pay for loading one.
"""

import sys
from time import monotonic

import click

PATIENCE = 0.5  # seconds before a bar appears
STEP = 10  # percent between two plain lines, once a picture takes longer than PLAIN_AFTER
PLAIN_AFTER = 5.0


class Progress:
    """Tell how far a list of pictures is.

    Args:
        total: Number of pictures.
        quiet: Whether to tell nothing but errors.
        verbose: Whether to name the engine and the time of each picture.
    """

    def __init__(self, total: int, *, quiet: bool = False, verbose: bool = False):
        self.total, self.quiet, self.verbose = total, quiet, verbose
        self._terminal = sys.stderr.isatty() and not quiet
        self._bar = self._task = None
        self._done, self._name, self._start, self._told = 0, "", monotonic(), 0
        self._first, self._noted, self._begun = monotonic(), set(), None

    def started(self, job) -> None:
        """Begin a picture."""
        self._name, self._start, self._told = job.source.name, monotonic(), 0
        self._begun = None

    def advance(self, share: float, speed: str = "") -> None:
        """Tell the finished share of the picture, 0 to 1, and of a clip the speed."""
        self._begun = self._begun or (monotonic(), share)  # work that goes on begins in the middle
        if self._terminal:
            self._show(self._done + share, speed)
        elif not self.quiet and monotonic() - self._start > PLAIN_AFTER:
            percent = int(100 * share) // STEP * STEP
            if self._told < percent < 100:
                self._told = percent
                left = f", {speed}, {self._left(share)}" if speed else ""
                click.echo(f"{self._name}: {percent} %{left}", err=True)

    def finished(self, outcome) -> None:
        """End a picture with its line."""
        self._done += 1
        if self._terminal:
            self._show(self._done)
        if outcome.error is not None:
            self._line(outcome.error)
        elif not self.quiet:
            self._line(describe(outcome, verbose=self.verbose))
            for note in outcome.result.notes if outcome.result else ():
                if note not in self._noted:  # once for a folder, not a thousand times
                    self._noted.add(note)
                    self._line(f"Note: {note}")

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if self._bar is not None:
            self._bar.stop()
        if isinstance(error, KeyboardInterrupt) and error.args:
            click.echo(str(error), err=True)

    def _line(self, text):
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            click.echo(text, err=True)

    def _left(self, share):
        """Return in words how long the rest of a clip will take."""
        start, before = self._begun
        seconds = (monotonic() - start) / max(share - before, 1e-9) * (1 - share)
        return f"{seconds / 60:.0f} min left" if seconds > 90 else f"{seconds:.0f} s left"

    def _show(self, pictures, speed=""):
        """Draw the bar at a number of finished pictures, with the fraction of the current one."""
        if self._bar is None:
            if monotonic() - self._first < PATIENCE or pictures >= self.total:
                return
            self._bar = _bar()
            self._task = self._bar.add_task("", total=self.total)
            self._bar.start()
        label = f"{int(pictures) + 1}/{self.total} " if self.total > 1 else ""
        self._bar.update(self._task, completed=pictures, description=f"{label}{self._name} {speed}")


def describe(outcome, *, verbose: bool = False) -> str:
    """Return the line of a picture that did not fail."""
    if outcome.result is None:
        return f"{outcome.job.target}: already there, left as it is (--overwrite makes it again)"
    made = outcome.result
    text = f"{made.source} -> {made.target}, {made.width}x{made.height}"
    text = f"{text}, {made.seconds:.2f} s, {made.engine}" if verbose else text
    if verbose and made.figures:
        share = 100 * made.figures["tiles_reused"]
        text += f", {made.figures['frames_per_s']:.1f} frames/s, {share:.0f} % of tiles unchanged"
    return text


def _bar():
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn()
    return Progress(*columns, console=Console(stderr=True), transient=True)
