"""Logs without gaps or repeats, previews that a resume does not change, deadlines."""

import signal

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


class Then(keras.callbacks.Callback):
    """Do something after a cycle of a `fit`, counted from 0."""

    def __init__(self, batch, do):
        super().__init__()
        self.batch, self.do = batch, do

    def on_train_batch_end(self, batch, logs=None):
        if batch == self.batch:
            self.do(self.model)


def test_what_is_left_at_the_end_is_a_line_that_a_resumed_run_takes_back(tmp_path):
    whole, parted = tmp_path / "whole.jsonl", tmp_path / "parted.jsonl"
    fit(wgan_gp(), 9, JsonLog(whole, 4))
    assert [line["cycle"] for line in read_log(whole)] == [4, 8, 9]
    assert [line.get("part") for line in read_log(whole)] == [None, None, 1]
    model = wgan_gp()
    fit(model, 3, JsonLog(parted, 4), Checkpoints(tmp_path / "state"))
    assert [(line["cycle"], line["part"]) for line in read_log(parted)] == [(3, 3)]
    again = wgan_gp()
    again.restore(tmp_path / "state")
    fit(again, 3, JsonLog(parted, 4))
    fit(again, 3, JsonLog(parted, 4))  # and in several calls of one process
    for ours, expected in zip(read_log(parted), read_log(whole), strict=True):
        assert ours.keys() == expected.keys()
        for name in ours.keys() - {"cycles_per_s"}:
            assert ours[name] == pytest.approx(expected[name], rel=1e-9), name


def test_a_part_with_a_loss_that_is_not_finite_stays_so(tmp_path):
    log = JsonLog(tmp_path / "log.jsonl", 4)
    log.cycle = 3
    log._take_back({"cycle": 3, "images": 1, "cycles_per_s": 1, "part": 3, "a": None, "b": 2.0})
    assert np.isnan(log._sums["a"])
    assert log._sums["b"] == 6.0


def test_a_run_that_was_taken_back_writes_no_line_of_the_cycles_that_are_gone(tmp_path):
    model = wgan_gp()
    model.save(tmp_path / "state")
    back = Then(2, lambda model: model.restore(tmp_path / "state"))
    fit(model, 3, JsonLog(tmp_path / "log.jsonl", 100), back)
    assert not (tmp_path / "log.jsonl").exists()


def test_checkpoints_serve_again_after_an_interruption(tmp_path):
    model, states = wgan_gp(), Checkpoints(tmp_path)
    # What a signal does; a real one could reach the runner of the tests instead.
    fit(model, 9, Then(1, lambda model: states._on_signal(signal.SIGINT, None)), states)
    assert (int(model.cycle), states.interrupted) == (2, "SIGINT")
    fit(model, 3, states)
    assert (int(model.cycle), states.interrupted) == (5, None)


@pytest.mark.parametrize("count", [1, 2])
def test_signals_are_given_back_however_fit_ends(tmp_path, count):
    def stop(model):
        raise ZeroDivisionError

    model, before = wgan_gp(), signal.getsignal(signal.SIGINT)
    states = [Checkpoints(tmp_path / str(i)) for i in range(count)]
    with pytest.raises(ZeroDivisionError):
        fit(model, 9, Then(1, stop), *states)
    assert signal.getsignal(signal.SIGINT) is before
    fit(model, 1, *states)
    assert signal.getsignal(signal.SIGINT) is before
    states[0].set_model(model)
    for _ in range(2):  # its own handler is never what it gives back
        states[0].on_train_begin()
    states[0].release()
    states[0].release()
    assert signal.getsignal(signal.SIGINT) is before


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
