"""How a training run shows its progress: a bar on a terminal, a line per tenth elsewhere."""

import sys
import time

import rich.console
import rich.progress

from gantools.core.callbacks import Counting
from gantools.gans.run import Budget

REFRESH_S = 0.2


class Progress(Counting):
    """Show losses, images per second and the time left on stderr.

    Args:
        budget: Limits of the run.
        spent: Seconds of training in earlier starts.
    """

    def __init__(self, budget: Budget, spent: float = 0.0):
        super().__init__()
        self.budget, self.spent = budget, spent
        self._bar, self._shown_tenth = None, 0

    def on_train_begin(self, logs=None):
        """Start the clock, and the bar on a terminal."""
        super().on_train_begin()
        self._start = self._drawn = time.monotonic()
        self._timed = None  # (time, cycle) after the first cycle, which compiles
        self._images_a_cycle = None
        self._shown_tenth = int(10 * self._share())
        self.model.after_fit.callback(self.stop)  # else an error leaves no cursor on the terminal
        if sys.stderr.isatty():
            text = "{task.description}"
            columns = [rich.progress.BarColumn(None), rich.progress.TextColumn(text)]
            console = rich.console.Console(stderr=True)
            self._bar = rich.progress.Progress(*columns, console=console, transient=True)
            self._task = self._bar.add_task("compiling", total=1.0)
            self._bar.start()

    def on_train_batch_end(self, batch, logs=None):
        """Count, and draw when something would be seen."""
        self.counted(batch)
        now = time.monotonic()
        if self._timed is None:
            self._timed = (now, self.cycle)
            self._images_a_cycle = int(self.model.images) // self.cycle
        share = self._share()
        if self._bar and now - self._drawn >= REFRESH_S:
            self._drawn = now
            self._bar.update(self._task, completed=share, description=self.line(logs or {}))
        elif not self._bar and int(10 * share) > self._shown_tenth:
            self._shown_tenth = int(10 * share)
            sys.stderr.write(self.line(logs or {}) + "\n")
            sys.stderr.flush()

    def on_train_end(self, logs=None):
        """Remove the bar."""
        self.stop()

    def stop(self):
        """Give the terminal back; a second call does nothing."""
        if self._bar and self._bar.live.is_started:
            self._bar.stop()

    def line(self, logs) -> str:
        """Return the line that is shown; losses last, where a narrow terminal cuts it off."""
        losses = "  ".join(f"{name} {float(value):.3g}" for name, value in logs.items())
        elapsed, cycles = time.monotonic() - self._timed[0], self.cycle - self._timed[1]
        rate = f"{cycles * self._images_a_cycle / elapsed:.0f} images/s  " if cycles else ""
        left = self._seconds_left()
        rest = "" if left is None else f"{clock(left)} left  "
        return f"{self.cycle} cycles  {rest}{rate}{losses}"

    def _elapsed(self) -> float:
        return self.spent + time.monotonic() - self._start

    def _share(self) -> float:
        """Return the used share of the nearer limit, 0 to 1."""
        shares = [0.0]
        if self.budget.steps:
            shares.append(self.cycle / self.budget.steps)
        if self.budget.minutes:
            shares.append(self._elapsed() / (60 * self.budget.minutes))
        return min(max(shares), 1.0)

    def _seconds_left(self) -> float | None:
        left = []
        if self.budget.minutes:
            left.append(60 * self.budget.minutes - self._elapsed())
        cycles = self.cycle - self._timed[1]
        if self.budget.steps and cycles:
            pace = (time.monotonic() - self._timed[0]) / cycles
            left.append(pace * (self.budget.steps - self.cycle))
        return max(min(left), 0.0) if left else None


def clock(seconds: float) -> str:
    """Return seconds as "1:02:03" or "2:03"."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
