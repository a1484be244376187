"""The callback: when it looks, what it writes, what it does about an alarm, also after a resume."""

import json

import keras
import numpy as np
import pytest

from gantools.core import AdversarialModel, Stream, duel, normal, observe
from gantools.core.callbacks import Checkpoints, read_log
from gantools.core.health import Health, gradient_changes
from gantools.core.testing import same_state
from gantools.errors import UserError

from .games import critic, generator, numbered, points, wgan_gp

pytestmark = pytest.mark.backends
GOOD, BAD = {"diversity": 0.97}, {"diversity": 0.4}


def light(**options):
    """Return a game that compiles fast."""
    game = duel(numbered(generator(norm=False), 1), numbered(critic(), 2))
    model = AdversarialModel(game, seed=7)
    model.compile({t.name: keras.optimizers.Adam(1e-3) for t in game.turns}, **options)
    return model


def fit(model, cycles, *callbacks):
    stream = Stream(points(), 8, minibatches=model.game.minibatches)
    model.fit(stream, steps_per_epoch=cycles, verbose=0, callbacks=list(callbacks))


@pytest.fixture
def seen(monkeypatch):
    """Replace the checks by rows from a function of the cycle."""

    def replace(row_of):
        monkeypatch.setattr(
            observe, "observe", lambda model, *args, **kwargs: dict(row_of(int(model.cycle)))
        )

    return replace


def test_a_run_with_checks_equals_one_without(tmp_path):
    plain, watched = wgan_gp(dropout=0.2), wgan_gp(dropout=0.2)
    fit(plain, 6)
    health = Health(points(300), points(), every=2, budget=None, path=tmp_path / "health.jsonl")
    fit(watched, 6, health)
    assert same_state(plain, watched)
    rows = read_log(tmp_path / "health.jsonl")
    assert rows == health.rows
    assert [row["cycle"] for row in rows] == [2, 4, 6]
    assert rows[0]["images"] == 16
    assert 0 <= rows[0]["auc"] <= 1
    assert rows[0]["blindness"] == pytest.approx(rows[0]["neighbours"] - rows[0]["auc"])
    assert rows[0]["gradient/discriminator"] > 0
    assert np.isfinite(rows[0]["distance/discriminator/adv"])
    assert health.spent > 0
    assert {verdict.witness for verdict in health.verdicts()} >= {"blindness", "diversity"}


def test_epochs_and_loops_count_cycles():
    loop = 1 if keras.backend.backend() == "torch" else 4
    health = Health(points(300), every=4, budget=None)
    stream = Stream(points(), 8)
    model = light(steps_per_execution=loop)
    model.fit(stream, steps_per_epoch=8, epochs=2, verbose=0, callbacks=[health])
    assert [row["cycle"] for row in health.rows] == [4, 8, 12, 16]


def test_the_count_goes_on_after_a_resume(tmp_path, seen):
    seen(lambda cycle: BAD)
    log = {"every": 1, "budget": None, "path": tmp_path / "health.jsonl"}
    model = light()
    fit(model, 2, Health(**log), Checkpoints(tmp_path / "states"))
    health = Health(**log)
    fit(model, 1, health)  # as if killed after the state of cycle 2
    assert [(alarm["cycle"], alarm["finding"]) for alarm in health.alarms] == [(3, "collapse")]
    again = light()
    again.restore(tmp_path / "states")
    said = []
    health = Health(**log, say=said.append)
    fit(again, 3, health)
    assert [row["cycle"] for row in read_log(tmp_path / "health.jsonl")] == [1, 2, 3, 4, 5]
    assert [alarm["cycle"] for alarm in health.alarms] == [3]  # said once
    assert said[-1].startswith("Cycle 3: alarm  collapse: ")
    health = Health(**log)
    fit(again, 1, health)
    assert health.alarms == []  # and not again after a resume


def test_stop(seen):
    seen(lambda cycle: BAD)
    model, said = light(), []
    fit(model, 9, Health(every=1, budget=None, on_alarm="stop", say=said.append))
    assert int(model.cycle) == 3
    assert said[-1] == "Stopped in cycle 3 because of collapse."


def test_rollback_brings_back_the_last_healthy_state(tmp_path, seen):
    seen(lambda cycle: GOOD if cycle <= 2 else BAD)
    model, expected, said = light(), light(), []
    fit(expected, 2)
    health = Health(
        every=1, budget=None, on_alarm="rollback", states=tmp_path / "good", say=said.append
    )
    fit(model, 9, health, Checkpoints(tmp_path / "states"))
    assert health.restored == int(model.cycle) == 2
    assert same_state(model, expected)
    assert "the model is that of cycle 2 again, its settings are unchanged" in said[-1]
    again = light()
    again.restore(tmp_path / "states")  # what the run goes on from
    assert same_state(again, expected)


def test_rollback_without_a_healthy_state(tmp_path, seen):
    seen(lambda cycle: BAD)
    model, said = light(), []
    health = Health(
        every=1, budget=None, on_alarm="rollback", states=tmp_path / "good", say=said.append
    )
    fit(model, 9, health)
    assert (health.restored, int(model.cycle)) == (None, 3)
    assert "there was no healthy state" in said[-1]


@pytest.mark.parametrize("action", ["warn", "stop", "rollback"])
def test_divergence(tmp_path, action):
    game = duel(generator(norm=False), critic(), objective="wasserstein")
    model = AdversarialModel(game)
    rates = {"discriminator": keras.optimizers.SGD(1e30), "generator": keras.optimizers.SGD(1e-3)}
    model.compile(rates)
    health = Health(on_alarm=action, states=tmp_path / "good", every=100)
    fit(model, 6, health)
    (alarm,) = health.alarms
    assert alarm["finding"] == "divergence"
    assert "adv is not finite in cycle" in alarm["text"]
    assert int(model.cycle) == 6 if action == "warn" else alarm["cycle"]


def test_divergence_goes_back_to_a_finite_state(tmp_path, seen):
    seen(lambda cycle: BAD if cycle < 3 else {"not_finite": "a weight of the generator"})
    model = light()
    health = Health(every=1, budget=None, on_alarm="rollback", states=tmp_path / "good")
    fit(model, 6, health)
    assert health.restored == int(model.cycle) == 2


def test_checks_are_spaced_out_to_the_budget(monkeypatch):
    monkeypatch.setattr("gantools.core.health.time.monotonic", lambda: 10.0)
    health = Health(every=10, budget=0.02)
    health._first, health.cycle, health._start, health.spent = 0, 100, 0.0, 0.1
    health._plan(0.1)  # 0.2 s of 10 s: the next check may come at once
    assert health._due == 110
    health.spent = 0.5
    health._plan(0.5)  # 1 s needs 50 s: 40 s more, at 0.095 s a cycle
    assert health._due == 100 + 422


def test_every_fit_counts_the_time_of_its_own_checks(seen):
    """The seconds of earlier calls once were set against the time of the last: no check came."""
    seen(lambda cycle: GOOD)
    model, health = light(), Health(every=2, budget=0.9)
    for _ in range(2):
        fit(model, 2, health)
        health.spent = 1e6  # as after checks of days
    fit(model, 5, health)
    assert [row["cycle"] for row in health.rows][:3] == [2, 4, 6]
    assert health.spent < 1e6
    assert health._due < 1000


def test_rows_in_memory_are_those_before_the_cycle_that_a_fit_begins_with(tmp_path, seen):
    seen(lambda cycle: GOOD if cycle <= 2 else BAD)
    model = light()
    health = Health(every=1, budget=None, on_alarm="rollback", states=tmp_path / "good")
    fit(model, 9, health)
    assert (health.restored, len(health.rows)) == (2, 5)
    fit(model, 1, health)
    assert health.restored is None
    assert [row["cycle"] for row in health.rows] == [1, 2, 3]


def test_subclassed_players_do_not_end_a_run():
    class Bare(keras.Model):
        def __init__(self, units):
            super().__init__()
            self.out = keras.layers.Dense(units)

        def call(self, x, training=False):
            return self.out(x)

    make, judge, said = Bare(2), Bare(1), []
    make(np.zeros((1, 4), "float32"))
    judge(np.zeros((1, 2), "float32"))
    model = AdversarialModel(duel(make, judge, latent=normal(4)))
    model.compile({t.name: keras.optimizers.Adam(1e-3) for t in model.game.turns})
    fit(model, 3, Health(points(300), points(), every=1, budget=None, say=said.append))
    reason = "its discriminator is neither a functional nor a Sequential model"
    assert said == [f"Health sees only losses, weights and gradients: {reason}."]


def test_gradients_are_compared_with_their_median():
    before = [{"gradient/generator": value} for value in (1.0, 2.0, 30.0)]
    assert gradient_changes({"gradient/generator": 8.0}, before) == {
        "gradient_change/generator": 4.0
    }
    assert gradient_changes({"gradient/generator": 8.0}, before[:2]) == {}


def test_what_cannot_be_seen_is_said_once():
    said = []
    fit(light(), 3, Health(every=1, budget=None, say=said.append))
    assert said == ["Health sees only losses, weights and gradients: there are no reals."]


def test_bad_arguments():
    with pytest.raises(UserError, match="on_alarm must be one of warn, stop, rollback"):
        Health(on_alarm="panic")
    with pytest.raises(UserError, match="needs a folder"):
        Health(on_alarm="rollback")


@pytest.mark.slow
@pytest.mark.parametrize("case", ["200 points", "both at rate 2e-2", "rp + R1 + R2"])
def test_real_faults(case):
    """The whole table is `python -m benchmarks.quality.health`."""
    from benchmarks.quality import health

    watch, _ = health.play(case, cycles=10_000)
    assert health.passed(case, watch.alarms), json.dumps(watch.alarms)
