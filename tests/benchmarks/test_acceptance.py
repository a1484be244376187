"""Limits of games: two deviations below the mean, never weaker than the baseline."""

import json

import pytest
from click.testing import CliRunner

from benchmarks import acceptance, rows
from benchmarks.acceptance import Goal
from gantools.errors import REQUIREMENT


def three(figure, values, **more):
    return [
        {"game": "one", "seed": i, "minutes": 2.0, figure: v, **more} for i, v in enumerate(values)
    ]


def limit_of(monkeypatch, goal, made):
    monkeypatch.setattr(acceptance, "GOALS", {"file": {"one": (goal,)}})
    return acceptance.limits("file", made)["one"]["figures"].get(goal.figure)


def test_limits_are_two_deviations_from_the_mean(monkeypatch):
    made = {"one": three("right", (0.7, 0.8, 0.9))}
    assert limit_of(monkeypatch, Goal("right", 0.1), made)["limit"] == pytest.approx(0.6)
    made = {"one": three("wrong", (3.0, 4.0, 5.0))}
    assert limit_of(monkeypatch, Goal("wrong", 100, higher=False), made)["limit"] == 6.0


def test_no_limit_is_weaker_than_its_baseline(monkeypatch):
    made = {"one": three("right", (0.7, 0.8, 0.9), chance=0.5, other=0.65)}
    assert limit_of(monkeypatch, Goal("right", "other"), made)["limit"] == 0.65
    goal = Goal("right", "chance", times=1.2, more=0.05)
    assert limit_of(monkeypatch, goal, made) == {"limit": 0.65, "baseline": 0.65, "higher": True}
    goal = Goal("right", "chance", higher=False)
    assert limit_of(monkeypatch, goal, made)["limit"] == 0.5
    made["plain"] = [{"right": 0.9, "minutes": 2.0}]
    assert limit_of(monkeypatch, Goal("right", "right", of="plain"), made)["limit"] == 0.9
    assert limit_of(monkeypatch, Goal("right", "right", of="nowhere"), made) is None


def test_two_seeds_set_no_limit(monkeypatch):
    monkeypatch.setattr(acceptance, "GOALS", {"file": {"one": (Goal("right", 0.1),)}})
    assert acceptance.limits("file", {"one": three("right", (0.7, 0.8))}) == {}


def test_rows_that_fall_short_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    monkeypatch.setattr(acceptance, "LIMITS", tmp_path / "limits.json")
    monkeypatch.setattr(acceptance, "GOALS", {"file": {"one": (Goal("right", 0.1),)}})
    results = tmp_path / "file.jsonl"

    def write(values, minutes=2.0):
        lines = [json.dumps(row | {"minutes": minutes}) for row in three("right", values)]
        results.write_text(results.read_text() + "\n".join([*lines, ""]))

    def run(*words):
        return CliRunner().invoke(acceptance.main, words)

    results.write_text("")
    write((0.7, 0.8, 0.9))
    assert run("--set").exit_code == 0
    write((0.7, 0.5, 0.9))
    found = run()
    assert found.exit_code == REQUIREMENT
    assert "one seed 1: right 0.5, expected at least 0.6" in found.output
    write((0.1, 0.1, 0.1), minutes=0.1)  # another setting: not compared
    found = run()
    assert found.exit_code == 0 and "one: 0 seeds, --minutes 2" in found.output


def test_the_limits_that_are_set_are_not_weaker_than_their_baselines():
    for games in acceptance.known().values():
        for rule in games.values():
            for one in rule["figures"].values():
                sign = 1 if one["higher"] else -1
                assert sign * one["limit"] >= sign * one["baseline"]
