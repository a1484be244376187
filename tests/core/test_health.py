"""The callback: when it looks, what it writes, what it does about an alarm, also after a resume."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import AdversarialModel, Stream, duel, normal, observe
from gantools.core.callbacks import Checkpoints, read_log
from gantools.core.health import Health, gradient_changes
from gantools.core.testing import same_state
from gantools.core.verdicts import judge
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
    assert [line.partition(": mean")[0] for line in said] == ["Cycle 3: alarm  collapse"]
    assert health.before == []
    raised, said[:] = health.alarms, []
    health = Health(**log, say=said.append)
    fit(again, 1, health)
    assert health.alarms == []  # and not again after a resume
    assert health.before == raised
    assert [line.partition(": mean")[0] for line in said] == ["From before: alarm  collapse"]


def test_alarms_follow_from_the_rows_as_an_uninterrupted_run_raises_them(tmp_path, seen):
    """Those of a start that was killed are in no record: only its rows are."""
    broken = {"not_finite": "a weight of the generator"}
    seen(lambda cycle: BAD if cycle % 6 in (1, 2, 3, 4) else broken if cycle == 12 else GOOD)
    log, said = {"every": 1, "budget": None, "path": tmp_path / "health.jsonl"}, []
    whole = Health(**log)
    fit(light(), 12, whole)
    expected = [(3, "collapse"), (9, "collapse"), (12, "divergence")]
    assert [(alarm["cycle"], alarm["finding"]) for alarm in whole.alarms] == expected
    model = light()
    for cycle, earlier, standing in ((2, 0, []), (4, 1, ["collapse"]), (6, 1, []), (12, 3, [])):
        model.cycle.assign(cycle)
        health, said[:] = Health(**{**log, "path": None}, say=said.append), []
        health.rows = whole.rows
        health.set_model(model)
        health.on_train_begin()
        assert health.before == whole.alarms[:earlier]
        assert [line.split()[3].strip(":") for line in said] == standing


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


class Clock(keras.callbacks.Callback):
    """Stands in for the module `time` of health.py: a second a cycle, `cost` seconds a check."""

    def __init__(self, cost=0.5, cycle=1.0):
        super().__init__()
        self.now, self.cost, self.cycle = 0.0, cost, cycle

    def monotonic(self):
        return self.now

    def on_train_batch_begin(self, batch, logs=None):
        self.now += self.cycle

    def observe(self, model, *args, **kwargs):
        self.now += self.cost
        return dict(GOOD)


@pytest.fixture
def clocked(monkeypatch):
    """Play some cycles under a clock; return the callback."""

    def play(model, cycles, clock, health):
        monkeypatch.setattr("gantools.core.health.time", clock)
        monkeypatch.setattr(observe, "observe", clock.observe)
        fit(model, cycles, clock, health)
        return health

    return play


def test_checks_are_spaced_out_to_the_budget(clocked):
    clock = Clock(cost=0.5)  # 2 % of 25 seconds: the next multiple of 4 cycles is 28
    health = clocked(light(), 90, clock, Health(every=4, budget=0.02))
    assert [row["cycle"] for row in health.rows] == [4, 56, 84]
    assert {row["interval"] for row in health.rows} == {health.interval} == {28}
    assert health.spent == pytest.approx(1.5)
    shares = [0.5 * n / (row["cycle"] + 0.5 * n) for n, row in enumerate(health.rows, 1)]
    assert max(shares[1:]) <= 0.02


def test_cheap_checks_come_as_often_as_they_may(clocked):
    health = clocked(light(), 13, Clock(cost=0.01), Health(every=4, budget=0.02))
    assert [row["cycle"] for row in health.rows] == [4, 8, 12]


@pytest.mark.parametrize("first", [4, 20, 70])
def test_a_run_that_goes_on_has_the_checks_of_an_uninterrupted_one(clocked, tmp_path, first):
    """The clock of the second start is another: a check seems to cost three times as much."""
    path, model = tmp_path / "health.jsonl", light()
    clocked(model, first, Clock(), Health(every=4, path=path))
    model.save(tmp_path / "states")
    clocked(model, 90 - first, Clock(), Health(every=4, path=path))  # its rows are dropped again
    assert [row["cycle"] for row in read_log(path)] == [4, 56, 84]
    again = light()
    again.restore(tmp_path / "states")
    clocked(again, 90 - first, Clock(cost=1.5), Health(every=4, path=path))
    assert [row["cycle"] for row in read_log(path)] == [4, 56, 84]
    assert {row["interval"] for row in read_log(path)} == {28}


def test_short_starts_have_their_checks_too(seen):
    """Counted from each start, a check in every fourth cycle of starts of three never came."""
    seen(lambda cycle: GOOD)
    model, health = light(), Health(every=4, budget=None)
    for _ in range(3):
        fit(model, 3, health)
    assert [row["cycle"] for row in health.rows] == [4, 8]


def test_a_start_that_has_timed_no_cycle_settles_nothing(clocked):
    health = clocked(light(), 3, Clock(cost=0.5), Health(every=1, budget=0.25))
    assert [row["cycle"] for row in health.rows] == [1, 2]  # the next: after two intervals
    assert [row["interval"] for row in health.rows] == [None, 2]


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


def test_a_player_that_waits_is_not_judged_until_it_has_moved():
    """srgan's discriminator waits while the generator learns alone: not blind, and no balance."""
    begun = lambda logs: logs["generator/calls"] > 3
    game = duel(numbered(generator(norm=False), 1), numbered(critic(), 2), when=begun)
    second, first = game.turns
    calls = lambda model: ops.cast(model.cycle.value + 1, "float32")
    terms = lambda model, *args: (first.terms(model, *args), {"calls": calls(model)})
    game = replace(game, turns=(replace(first, terms=terms), second))
    model = AdversarialModel(game, seed=7)
    model.compile({t.name: keras.optimizers.Adam(1e-3) for t in game.turns})
    health = Health(points(300), points(), every=1, budget=None)
    fit(model, 5, health)
    of_discriminator = {"auc", "blindness", "p_real", "overfitting", "gradient/discriminator"}
    of_discriminator |= {"distance/discriminator/adv", "distance/generator/adv"}
    for row in health.rows[:3]:
        assert row["waiting"] == "discriminator"
        assert not of_discriminator & set(row)
        assert {"neighbours", "diversity", "gradient/generator"} <= set(row)
    assert not {v.witness for v in judge(health.rows[:3])} & of_discriminator
    for row in health.rows[3:]:
        assert "waiting" not in row
        assert {"auc", "blindness", "gradient/discriminator"} <= set(row)
    assert not {"distance/generator/adv"} & set(health.rows[3])  # the cycle in which it began
    assert {"distance/discriminator/adv", "distance/generator/adv"} <= set(health.rows[4])


def test_nothing_is_compared_with_a_generator_that_waits():
    game = duel(numbered(generator(norm=False), 1), numbered(critic(), 2))
    first, second = game.turns
    never = replace(second, when=lambda logs: logs["generator/adv"] < -1.0)
    model = AdversarialModel(replace(game, turns=(first, never)))
    model.compile({t.name: keras.optimizers.Adam(1e-3) for t in game.turns})
    said = []
    health = Health(points(300), every=1, budget=None, say=said.append)
    fit(model, 2, health)
    assert "diversity" not in health.rows[-1]
    assert said[0].endswith("its generator waits, and has not moved yet.")
