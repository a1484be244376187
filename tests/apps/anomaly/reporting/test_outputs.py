import csv
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.calibrate import Rule
from gantools.apps.anomaly.items import Item
from gantools.apps.anomaly.reporting import outputs

from gantools.data import pictures
from gantools.errors import UserError


def read(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_scores_have_their_columns_and_empty_cells_for_nothing(tmp_path):
    rows = [{"path": 'a,"b.png', "score": 1.23456789, "p": float("nan"), "more": 3}]
    outputs.write_scores(tmp_path / "scores.csv", rows)
    (row,) = read(tmp_path / "scores.csv")
    assert list(row) == [*outputs.COLUMNS, "more"]
    assert row["path"] == 'a,"b.png'
    assert (row["score"], row["p"], row["more"]) == ("1.23457", "", "3")


def test_maps_are_written_beside_and_then_put_in_place(tmp_path):
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "old.png").write_text("x")
    maps = outputs.Maps(tmp_path / "maps")
    heat = np.array([[0.5, 1.0, 70.0]], np.float32)
    maps(4, Item(Path("a/b c.png"), "a/b c.png"), heat)
    assert (tmp_path / "maps" / "old.png").exists()
    maps.close()
    assert [p.name for p in (tmp_path / "maps").iterdir()] == ["a_b_c.png.png"]
    levels = pictures.read(tmp_path / "maps" / "a_b_c.png.png").pixels[..., 0]
    assert levels.tolist() == [[500, 1000, 65535]]
    np.testing.assert_allclose(maps.get(4), heat, rtol=1e-3)
    assert maps.get(5) is None


def test_memory_of_maps_is_bounded_and_the_rest_is_read_back(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "MOST_KEPT", 2 * 64)
    maps = outputs.Maps(tmp_path / "maps")
    for i in range(3):
        maps(i, Item(Path(f"{i}.png"), f"{i}.png"), np.full((8, 8), i + 0.25, np.float32))
    assert list(maps.kept) == [0]
    assert maps.get(2)[0, 0] == 2.25
    maps.close()
    assert maps.get(1)[0, 0] == 1.25
    nowhere = outputs.Maps()
    nowhere(0, Item(Path("a"), "a"), np.ones((8, 8), np.float32))
    nowhere.close()
    assert nowhere.get(0).shape == (8, 8)


def test_overlay_is_clear_below_the_level_and_one_scale_for_all():
    grey = np.zeros((1, 3, 1), np.float32)
    drawn = outputs.overlay(grey, np.array([[0.99, 4.0, 400.0]], np.float32), opacity=1.0)
    assert drawn[0, 0].tolist() == [128, 128, 128]
    assert drawn[0, 1].tolist() == drawn[0, 2].tolist() == [246, 215, 70]


def test_groups_are_ordered_and_judged_by_their_own_rule(tmp_path):
    groups = {"b": (3, 1.0, 0.5), "a": (20, 4.0, 0.05), "c": (1, float("nan"), float("nan"))}
    outputs.write_groups(tmp_path / "groups.csv", groups, Rule.of(19, 0.05))
    rows = read(tmp_path / "groups.csv")
    assert [row["group"] for row in rows] == ["a", "b", "c"]
    assert [row["verdict"] for row in rows] == ["flagged", "normal", "not scored"]
    outputs.write_groups(tmp_path / "groups.csv", {}, None)
    assert not (tmp_path / "groups.csv").exists()


@pytest.mark.parametrize(
    "text", ["path,verdict\n", "name,verdict\na,normal\n", "path,verdict\na,maybe\n", "\n"]
)
def test_other_feedback_is_refused(tmp_path, text):
    (tmp_path / "feedback.csv").write_text(text)
    with pytest.raises(UserError, match="expected the columns path and verdict"):
        outputs.read_feedback(tmp_path / "feedback.csv")
    with pytest.raises(UserError, match="cannot be read"):
        outputs.read_feedback(tmp_path / "none.csv")


def test_feedback_is_read_as_the_report_writes_it(tmp_path):
    (tmp_path / "feedback.csv").write_text('path,verdict\n"a ""b"", c.png",normal\nd, Anomalous\n')
    found = outputs.read_feedback(tmp_path / "feedback.csv")
    assert found == {'a "b", c.png': "normal", "d": "anomalous"}
