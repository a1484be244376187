import sys
from contextlib import ExitStack
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from gantools.core import Stream
from gantools.gans import progress
from gantools.gans.folder import build
from gantools.gans.run import Budget


@pytest.fixture
def shown(monkeypatch):
    """Return a function that plays cycles of half a second each: the Progress, after them."""
    now = SimpleNamespace(value=0.0)
    monkeypatch.setattr(progress.time, "monotonic", lambda: now.value)

    def play(cycles, budget, spent=0.0):
        shows = progress.Progress(budget, spent)
        model = SimpleNamespace(cycle=0, images=0, after_fit=ExitStack())
        shows.set_model(model)
        shows.on_train_begin()
        for i in range(cycles):
            now.value += 0.5
            model.cycle, model.images = i + 1, 32 * (i + 1)
            shows.on_train_batch_end(i, {"generator/adv": 0.25})
        shows.on_train_end()
        return shows

    return play


def test_a_line_per_tenth(shown, capsys):
    shown(20, Budget(steps=20))
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in lines] == [str(n) for n in range(2, 21, 2)]
    assert lines[4] == "10 cycles  0:05 left  64 images/s  generator/adv 0.25"


def test_the_nearer_limit_counts_earlier_starts_included(shown, capsys):
    shows = shown(20, Budget(minutes=1, steps=1000), spent=20.0)
    assert shows._share() == pytest.approx(30 / 60)
    assert shows._seconds_left() == pytest.approx(30)
    assert len(capsys.readouterr().err.splitlines()) == 2  # at 40 % and 50 %


def test_no_limit_shows_no_time_left(shown):
    shows = shown(3, Budget())
    assert shows.line({}) == "3 cycles  64 images/s  "
    assert shows._share() == 0


def test_a_bar_on_a_terminal(shown, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shows = shown(10, Budget(steps=20))
    assert shows._bar.finished is False
    assert "images/s" in shows._bar.tasks[0].description
    assert shows._bar.tasks[0].completed == pytest.approx(0.5)


@pytest.mark.usefixtures("tiny_game")
def test_an_error_in_training_gives_the_terminal_back(capsys, monkeypatch):
    class Breaks(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise RuntimeError("broken")

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    shows = progress.Progress(Budget(steps=9))
    model = build("tiny", "tiny", {"shape": (8, 8, 1)}, 0).model(0)
    stream = Stream({"x": np.zeros((32, 8, 8, 1), np.uint8)}, 16)
    with pytest.raises(RuntimeError, match="broken"):
        model.fit(stream, steps_per_epoch=9, verbose=0, callbacks=[shows, Breaks()])
    assert not shows._bar.live.is_started
    err = capsys.readouterr().err
    assert 0 <= err.rfind("\x1b[?25l") < err.rfind("\x1b[?25h")  # the cursor: hidden, then shown


def test_no_speed_is_told_before_there_is_one(shown):
    assert (
        shown(1, Budget(steps=20)).line({"generator/adv": 0.25}) == "1 cycles  generator/adv 0.25"
    )


def test_clock():
    assert [progress.clock(s) for s in (0.4, 61, 3723)] == ["0:00", "1:01", "1:02:03"]
