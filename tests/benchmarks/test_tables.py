import pytest
from click.testing import CliRunner

from benchmarks.quality import beside, tables


@pytest.fixture
def rows(monkeypatch):
    """Return the rows that would be appended to the results."""
    found = []
    monkeypatch.setattr(tables, "append", lambda name, **row: found.append(row))
    return found


def test_absent_sets_are_left_out_and_said(tmp_path, rows):
    options = [part for name in ("cardio", "nsl_kdd", "http", "kdd99") for part in ("--only", name)]
    done = CliRunner().invoke(tables.main, [str(tmp_path), *options], catch_exceptions=False)
    assert done.exit_code == 0
    told = done.output.splitlines()
    assert [line.split(".")[0] for line in told] == [
        f"{name}: left out" for name in ("cardio", "nsl_kdd", "http", "kdd99")
    ]
    assert "cardio.npz' is not there" in told[0]
    assert not rows
    done = CliRunner().invoke(beside.main, [str(tmp_path), "--only", "thyroid"])
    assert done.output.startswith("thyroid: left out. ")


def test_a_game_stands_beside_the_simple_rows(tmp_path, rows):
    options = ["--only", "wdbc", "--seeds", "1", "--detector", "ganomaly", "--steps", "20"]
    done = CliRunner().invoke(tables.main, [str(tmp_path), *options], catch_exceptions=False)
    assert done.exit_code == 0
    found = {row["detector"]: row for row in rows}
    assert list(found) == [*tables.TABLE_REFERENCES, "ganomaly, 20 steps", "combined"]
    assert 0.5 < found["ganomaly, 20 steps"]["auroc"] < 1
    assert found["ganomaly, 20 steps"]["train"] == found["knn5"]["train"]


def test_alad_is_measured_by_its_own_protocol_with_the_settings_of_its_paper():
    games = tables.games_of("kdd99", ("ganomaly",), None, 3)
    assert list(games) == [
        "alad, as published, 30000 steps", "alad, 10 times the rate, 30000 steps",
        "alad, 30000 steps",
        "ganomaly, 30000 steps",
    ]  # fmt: skip
    recipe = games["alad, as published, 30000 steps"]().named
    recipe.shape, recipe.seed = (121,), 3
    recipe = recipe._recipe()
    assert recipe.batch == 50
    assert {round(float(one.learning_rate), 9) for one in recipe.optimizers.values()} == {1e-5}
    assert recipe.game.players["encoder"].output_shape == (None, 32)
