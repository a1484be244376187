"""A row tells the command that made it."""

import json
import sys
from types import SimpleNamespace

from benchmarks import rows


def test_a_row_tells_the_command_without_paths(tmp_path, monkeypatch):
    spec = SimpleNamespace(name="benchmarks.quality.translation")
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    words = ["/somewhere/translation.py", "--data", str(tmp_path), "--games", "toy,toy without"]
    monkeypatch.setattr(sys, "argv", words)
    monkeypatch.setattr(rows, "RESULTS", tmp_path / "results")
    rows.append("a", seed=1)
    rows.append("a", command="another", seed=2)
    first, second = map(json.loads, (tmp_path / "results/a.jsonl").read_text().splitlines())
    typed = "python -m benchmarks.quality.translation --data FOLDER --games 'toy,toy without'"
    assert first["command"] == typed and first["seed"] == 1 and "cores" in first["machine"]
    assert second["command"] == "another"


def test_the_newest_row_of_each_combination_comes_at_its_own_time(tmp_path, monkeypatch):
    monkeypatch.setattr(rows, "RESULTS", tmp_path)
    for seed, figure in ((0, 1), (1, 2), (0, 3)):
        rows.append("a", command="one", seed=seed, figure=figure)
    found = rows.newest("a", "seed")
    assert [(row["seed"], row["figure"]) for row in found] == [(1, 2), (0, 3)]
    assert rows.newest("b", "seed") == []
