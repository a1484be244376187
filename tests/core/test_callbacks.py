"""Logs without gaps or repeats, previews that a resume does not change, deadlines."""

import keras
import numpy as np
import pytest

from gantools.core import AdversarialModel, Stream, duel
from gantools.core.callbacks import Checkpoints, Deadline, JsonLog, Previews, picture_grid, read_log

from .games import critic, generator, numbered, points, wgan_gp

pytestmark = pytest.mark.backends


def fit(model, cycles, *callbacks):
    stream = Stream(points(), 8, minibatches=4)
    model.fit(stream, steps_per_epoch=cycles, verbose=0, callbacks=list(callbacks))


def test_log_lines_and_a_resume_in_between(tmp_path):
    model = wgan_gp()
    fit(model, 4, JsonLog(tmp_path / "log.jsonl", 2), Checkpoints(tmp_path / "state"))
    fit(model, 2, JsonLog(tmp_path / "log.jsonl", 2))  # as if killed after the state of cycle 4
    again = wgan_gp()
    again.restore(tmp_path / "state")
    fit(again, 4, JsonLog(tmp_path / "log.jsonl", 2))
    lines = read_log(tmp_path / "log.jsonl")
    assert [line["cycle"] for line in lines] == [2, 4, 6, 8]
    assert lines[0]["images"] == 16
    assert np.isfinite(lines[0]["discriminator/gp"])


def test_a_cut_last_line_is_left_out(tmp_path):
    (tmp_path / "log.jsonl").write_text('{"cycle": 1}\n{"cyc')
    assert read_log(tmp_path / "log.jsonl") == [{"cycle": 1}]


def test_deadline_stops_and_counts_earlier_time():
    model = wgan_gp()
    deadline = Deadline(minutes=10, spent=601)
    fit(model, 5, deadline)
    assert int(model.cycle) == 1
    assert deadline.spent > 601


def test_grid():
    samples = np.linspace(-1.2, 1.2, 5 * 2 * 3 * 1).reshape(5, 2, 3, 1)
    grid = picture_grid(samples, columns=2)
    assert grid.shape == (6, 6, 1)
    assert grid.dtype == np.uint8
    assert (grid[0, 0, 0], grid[4, 3, 0]) == (0, 0)  # clipped; empty place
    expected = np.round(np.clip(samples[1], -1, 1) * 127.5 + 127.5)
    np.testing.assert_array_equal(grid[:2, 3:], expected)


def test_previews_are_written_and_repeatable(tmp_path, monkeypatch):
    model = wgan_gp()
    monkeypatch.setattr(model, "sample", lambda n, seed: np.zeros((n, 4, 4, 1), "float32"))
    fit(model, 3, Previews(tmp_path / "a", every=2, n=4))
    assert sorted(p.name for p in (tmp_path / "a").iterdir()) == ["00000002.png", "00000003.png"]


def test_several_cycles_in_one_execution_are_all_counted(tmp_path):
    loop = 1 if keras.backend.backend() == "torch" else 4
    model = AdversarialModel(duel(numbered(generator(norm=False), 1), numbered(critic(), 2)))
    rates = {turn.name: keras.optimizers.Adam(1e-3) for turn in model.game.turns}
    model.compile(rates, steps_per_execution=loop)
    log = JsonLog(tmp_path / "log.jsonl", every=4)
    grey = lambda model: np.zeros((4, 4, 4, 1), "float32")
    previews = Previews(tmp_path / "samples", every=8, draw=grey)
    stream = Stream(points(), 8)
    model.fit(stream, steps_per_epoch=8, epochs=2, verbose=0, callbacks=[log, previews])
    lines = read_log(tmp_path / "log.jsonl")
    assert [line["cycle"] for line in lines] == [4, 8, 12, 16]
    assert [line["images"] for line in lines] == [32, 64, 96, 128]
    assert sorted(p.name for p in (tmp_path / "samples").iterdir()) == [
        "00000008.png", "00000016.png"
    ]  # fmt: skip
