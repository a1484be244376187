"""What `gantools train` tells of a run that an alarm ended."""

import json

import pytest

from gantools import record
from gantools.cli import main
from gantools.core.health import Health
from gantools.core.verdicts import Verdict
from gantools.errors import DONE, SOME_FAILED
from gantools.gans import run

ALARM = Verdict("alarm", "collapse", "diversity 0.1, alarm below 0.5", "Do something.", "x", 0.1)


class Alarmed(Health):
    """Find the model healthy after cycle 2 and collapsed after cycle 4."""

    def on_train_batch_end(self, batch, logs=None):
        super().on_train_batch_end(batch, logs)
        if self.cycle == 2 and self.on_alarm == "rollback":
            self._keep(True)
        if self.cycle == 4:
            self.alarms.append({"cycle": 4, **vars(ALARM)})
            if self.on_alarm != "warn":
                self._end(ALARM)


@pytest.fixture
def train(tiny_game, tmp_path, pictures, capsys, monkeypatch):
    def alarmed(out, unseen, seen, on_alarm, say):
        states = out / "healthy" if on_alarm == "rollback" else None
        return Alarmed(on_alarm=on_alarm, states=states, say=say)

    monkeypatch.setattr(run, "_health", alarmed)

    def call(on_alarm, steps=6):
        words = ["train", "tiny", "--data", pictures, "--out", tmp_path / "run", "--steps", steps]
        code = main([*map(str, words), "--json", "--on-alarm", on_alarm])
        out, err = capsys.readouterr()
        return code, json.loads(out), err.splitlines()[-1]

    return call


@pytest.mark.parametrize(
    ("on_alarm", "cycles", "restored", "end"),
    [
        ("stop", 4, None, ", stopped by an alarm: collapse"),
        ("rollback", 2, 2, ", the state from before an alarm: collapse"),
    ],
)
def test_a_run_that_an_alarm_ends_is_no_success(train, tmp_path, on_alarm, cycles, restored, end):
    code, told, line = train(on_alarm)
    assert code == SOME_FAILED
    assert (told["cycles"], told["stopped"], told["restored"]) == (cycles, "collapse", restored)
    assert told["alarms"] == [{"cycle": 4, **vars(ALARM)}]
    assert line.startswith(f"{cycles} cycles, ")
    assert line.endswith(end)
    results = record.read(tmp_path / "run" / "run.json").results
    for key in ("cycles", "stopped", "restored", "alarms"):
        assert results[key] == told[key]


def test_a_run_that_was_only_warned_has_its_alarms_and_succeeds(train, tmp_path):
    code, told, line = train("warn")
    assert code == DONE
    assert (told["cycles"], told["stopped"], len(told["alarms"])) == (6, None, 1)
    assert "alarm" not in line
    _, told, _ = train("warn", 8)  # goes on in peace
    assert told["alarms"] == []
    results = record.read(tmp_path / "run" / "run.json").results
    assert [alarm["cycle"] for alarm in results["alarms"]] == [4]


def test_alarms_of_cycles_that_are_played_again_do_not_count_twice(train, tmp_path):
    train("rollback")
    code, told, _ = train("rollback")
    assert (code, told["resumed"], len(told["alarms"])) == (SOME_FAILED, 2, 1)
    assert len(record.read(tmp_path / "run" / "run.json").results["alarms"]) == 1
