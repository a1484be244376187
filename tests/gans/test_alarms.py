"""What `gantools train` tells of a run that an alarm ended."""

import json
from dataclasses import replace

import pytest

from gantools import record
from gantools.cli import main
from gantools.core import observe
from gantools.errors import DONE, SOME_FAILED
from gantools.gans import run


@pytest.fixture
def train(tiny_game, tmp_path, pictures, capsys, monkeypatch):
    """Train under checks of each cycle: healthy up to cycle 2, bad from then on, alarm in 5."""
    watch = run._health

    def often(*args):
        health = watch(*args)
        health.every, health.budget = 1, None
        return health

    diversity = lambda model, *args: {"diversity": 0.97 if int(model.cycle) <= 2 else 0.1}
    monkeypatch.setattr(run, "_health", often)
    monkeypatch.setattr(observe, "observe", diversity)

    def call(on_alarm, steps=6):
        words = ["train", "tiny", "--data", pictures, "--out", tmp_path / "run", "--steps", steps]
        code = main([*map(str, words), "--json", "--on-alarm", on_alarm])
        out, err = capsys.readouterr()
        return code, json.loads(out), err.splitlines()

    return call


@pytest.mark.parametrize(
    ("on_alarm", "cycles", "restored", "end"),
    [
        ("stop", 5, None, ", stopped by an alarm: collapse"),
        ("rollback", 2, 2, ", the state from before an alarm: collapse"),
    ],
)
def test_a_run_that_an_alarm_ends_is_no_success(train, tmp_path, on_alarm, cycles, restored, end):
    code, told, lines = train(on_alarm)
    assert code == SOME_FAILED
    assert (told["cycles"], told["stopped"], told["restored"]) == (cycles, "collapse", restored)
    (alarm,) = told["alarms"]
    assert (alarm["cycle"], alarm["finding"], alarm["value"]) == (5, "collapse", 0.1)
    assert lines[-1].startswith(f"{cycles} cycles, ")
    assert lines[-1].endswith(end)
    results = record.read(tmp_path / "run" / "run.json").results
    for key in ("cycles", "stopped", "restored", "alarms"):
        assert results[key] == told[key]


def test_a_run_that_was_only_warned_has_its_alarms_and_succeeds(train, tmp_path):
    code, told, lines = train("warn")
    assert code == DONE
    assert (told["cycles"], told["stopped"], len(told["alarms"])) == (6, None, 1)
    assert "alarm" not in lines[-1]
    _, told, _ = train("warn", 8)  # no other begins
    assert told["alarms"] == []
    results = record.read(tmp_path / "run" / "run.json").results
    assert [alarm["cycle"] for alarm in results["alarms"]] == [5]


def test_alarms_of_a_start_that_was_killed_reach_the_record(train, tmp_path):
    _, told, _ = train("warn")
    path = tmp_path / "run" / "run.json"
    kept = record.read(path)
    begun = {key: kept.results[key] for key in ("data", "side_by_side")}
    record.write(path, replace(kept, results=begun))  # as the start left it until its end
    _, again, lines = train("warn", 8)
    assert again["alarms"] == []
    assert record.read(path).results["alarms"] == told["alarms"]
    assert [line for line in lines if line.startswith("From before: alarm  collapse: ")]


def test_alarms_of_cycles_that_are_played_again_do_not_count_twice(train, tmp_path):
    train("rollback")
    code, told, _ = train("rollback")
    assert (code, told["resumed"], len(told["alarms"])) == (SOME_FAILED, 2, 1)
    assert len(record.read(tmp_path / "run" / "run.json").results["alarms"]) == 1
