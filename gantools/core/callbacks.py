"""Keras callbacks of a run: states to resume from, pictures to look at, a log to plot."""

import contextlib
import json
import math
import signal
import threading
import time
from pathlib import Path

import keras
import numpy as np

from gantools.core import parallel
from gantools.data.files import atomic
from gantools.data.png import encode


class Counting(keras.callbacks.Callback):
    """A callback that knows the cycle, also when a run goes on or several are one execution.

    Attributes:
        cycle: The cycle that has just been finished.
    """

    def on_train_begin(self, logs=None):
        """Count on from where the run stands."""
        self.cycle = self._epoch_start = int(self.model.cycle)

    def on_epoch_begin(self, epoch, logs=None):
        """Keep what the epoch begins with: Keras numbers the batches of every epoch from 0."""
        self._epoch_start = self.cycle

    def counted(self, batch, every=1):
        """Take up the cycles to `batch`; return whether a multiple of `every` is among them."""
        before, self.cycle = self.cycle, self._epoch_start + batch + 1
        return self.cycle // every > before // every


class Checkpoints(keras.callbacks.Callback):
    """Save the state every few minutes, at the end, and when the process is asked to stop.

    On SIGINT (Ctrl-C) or SIGTERM the cycle is finished, the state saved and training stopped;
    `interrupted` then holds the signal's name, until another `fit` begins. Of several processes all
    stop and save as soon as one of them has to, for whatever reason: this callback belongs behind
    those that stop a run.

    Args:
        root: Folder of the states.
        minutes: Time between two states.
        keep: Newest states that stay.
        notes: Callable without arguments -> JSON-ready dict stored with each state.
    """

    def __init__(self, root, minutes=5.0, keep=2, notes=dict):
        super().__init__()
        self.root, self.seconds, self.keep, self.notes = Path(root), minutes * 60, keep, notes
        self.interrupted = None
        self._handlers = {}

    def on_train_begin(self, logs=None):
        """Install the signal handlers (only the main thread may), until `fit` ends, however."""
        self._saved, self.interrupted = time.monotonic(), None
        self.model.after_fit.callback(self.release)
        if threading.current_thread() is threading.main_thread() and not self._handlers:
            for number in (signal.SIGINT, signal.SIGTERM):
                self._handlers[number] = signal.signal(number, self._on_signal)

    def on_train_batch_end(self, batch, logs=None):
        """Save when it is time or when asked to stop."""
        due = time.monotonic() - self._saved >= self.seconds
        asked, stop, due = parallel.any_of(self.interrupted, self.model.stop_training, due)
        if asked:
            self.interrupted = self.interrupted or "a signal to another process"
        if asked or stop:
            self.model.stop_training = True
        elif due:
            self.save()

    def on_train_end(self, logs=None):
        """Save the last state."""
        self.save()

    def release(self):
        """Give the signals back to those who had them; a second call does nothing."""
        while self._handlers:
            signal.signal(*self._handlers.popitem())

    def save(self):
        """Write the state now."""
        self.model.save(self.root, keep=self.keep, notes=self.notes())
        self._saved = time.monotonic()

    def _on_signal(self, number, frame):
        self.interrupted = signal.Signals(number).name


class Deadline(keras.callbacks.Callback):
    """Stop after some minutes of training; `spent` holds the seconds, earlier starts included.

    Args:
        minutes: Budget; None never stops.
        spent: Seconds that earlier starts of the run have used.
    """

    def __init__(self, minutes=None, spent=0.0):
        super().__init__()
        self.seconds = math.inf if minutes is None else minutes * 60
        self.spent = spent

    def on_train_begin(self, logs=None):
        """Start the clock."""
        self._start = time.monotonic() - self.spent

    def on_train_batch_end(self, batch, logs=None):
        """Stop the run when the time is used up."""
        self.spent = time.monotonic() - self._start
        if self.spent >= self.seconds:
            self.model.stop_training = True


class JsonLog(Counting):
    """Append a JSON line with the means of all logged values every `every` cycles.

    Non-finite values are written as null. Lines of cycles after the state that a run resumes from
    are dropped first, so that the log reads as if nothing had happened. What is left at the end is
    a last line; its "part" is the number of values in its means, and a run that goes on takes them
    back and counts on.

    Args:
        path: The file.
        every: Cycles a line.
    """

    FACTS = ("cycle", "images", "cycles_per_s", "part")  # of a line, beside its means

    def __init__(self, path, every=100):
        super().__init__()
        self.path, self.every = Path(path), every

    def on_train_begin(self, logs=None):
        """Drop lines that the run will write again."""
        super().on_train_begin()
        self._clear()
        if self.path.exists():
            lines = [line for line in read_log(self.path) if line["cycle"] <= self.cycle]
            if lines and "part" in lines[-1]:
                self._take_back(lines.pop())
            with atomic(self.path) as part:
                Path(part).write_text("".join(json.dumps(line) + "\n" for line in lines))

    def on_train_batch_end(self, batch, logs=None):
        """Collect; write when due."""
        due, self._count = self.counted(batch, self.every), self._count + 1
        for name, value in (logs or {}).items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
        if due:
            self._write()

    def on_train_end(self, logs=None):
        """Write what is left, unless the run was taken back to an earlier cycle."""
        if self._count and self.cycle == int(self.model.cycle):
            self._write(part=self._count)

    def _take_back(self, line):
        """Count on from a line of a part, where the run stands in its cycle."""
        if line["cycle"] == self.cycle:
            self._count = line["part"]
            means = {name: value for name, value in line.items() if name not in self.FACTS}
            self._sums = {
                name: math.nan if mean is None else mean * self._count
                for name, mean in means.items()
            }

    def _clear(self):
        self._sums, self._count = {}, 0
        self._first, self._start = self.cycle, time.monotonic()

    def _write(self, **facts):
        means = {name: total / self._count for name, total in self._sums.items()}
        rate = (self.cycle - self._first) / (time.monotonic() - self._start)
        line = {
            "cycle": self.cycle,
            "images": int(self.model.images),
            "cycles_per_s": rate,
            **facts,
            **means,
        }
        safe = {k: (v if math.isfinite(v) else None) for k, v in line.items()}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(safe) + "\n")
        self._clear()


def read_log(path):
    """Return the lines of a JSON-lines log as dicts; a last line cut off by a kill is left out."""
    lines = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            lines.append(json.loads(line))
    return lines


class Previews(Counting):
    """Write a grid of samples of fixed latents as PNG: `ROOT/00012345.png` after that many cycles.

    Args:
        root: Folder.
        every: Cycles between two grids.
        n: Samples in a grid.
        seed: Seed of the latents.
        draw: Callable `model -> (pictures, height, width, channels)` to show something else.
        columns: Pictures in a row; None for a square grid.
    """

    def __init__(self, root, every=500, n=64, seed=0, draw=None, columns=None):
        super().__init__()
        self.root, self.every, self.columns = Path(root), every, columns
        self.draw = draw or (lambda model: model.sample(n, seed=seed))

    def on_train_batch_end(self, batch, logs=None):
        """Draw when due."""
        if self.counted(batch, self.every):
            self._draw()

    def on_train_end(self, logs=None):
        """Draw the last grid; where the run was taken back, that of the cycle it went back to."""
        self.cycle = int(self.model.cycle)
        self._draw()

    def _draw(self):
        self.root.mkdir(parents=True, exist_ok=True)
        pixels = picture_grid(self.draw(self.model), self.columns)
        with atomic(self.root / f"{self.cycle:08d}.png") as part:
            Path(part).write_bytes(encode(pixels))


def picture_grid(samples, columns=None):
    """Return samples side by side as one picture.

    Args:
        samples: `(n, height, width, channels)` float in [-1, 1]; 1, 3 or 4 channels.
        columns: Pictures in a row; None for a square grid.

    Returns:
        `(rows * height, columns * width, channels)` uint8; empty places are black.
    """
    n, height, width, channels = samples.shape
    columns = columns or math.ceil(math.sqrt(n))
    rows = math.ceil(n / columns)
    grid = np.zeros((rows * columns, height, width, channels), np.uint8)
    grid[:n] = np.round(np.clip(samples, -1.0, 1.0) * 127.5 + 127.5)
    grid = grid.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    return grid.reshape(rows * height, columns * width, channels)
