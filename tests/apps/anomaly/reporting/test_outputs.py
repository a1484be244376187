import csv
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.calibrate import Rule
from gantools.apps.anomaly.fitted import Scored
from gantools.apps.anomaly.items import Item
from gantools.apps.anomaly.reporting import outputs
from gantools.apps.anomaly.reporting.outcome import Outcome, Subject

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
    (written,) = (tmp_path / "maps").iterdir()
    assert written.name.startswith("a_b_c.png-")
    levels = pictures.read(written).pixels[..., 0]
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


def test_names_that_become_alike_stay_apart():
    names = ["a 0.png", "a_0.png", "a/b.png", "a_b.png", "a.b.png"]
    found = [outputs.file_name(name) for name in names]
    assert len(set(found)) == 5
    assert [one for one, name in zip(found, names, strict=True) if one == name] == [
        "a_0.png", "a_b.png", "a.b.png"
    ]  # fmt: skip
    assert outputs.file_name("a/b.png") == found[2]


def test_long_names_fit_into_a_file_system_and_stay_apart():
    names = [f"{'x' * 120}/{'y' * 130}/{i}.png" for i in range(300)]
    names += [str(i) + "\u00e4" * 200 for i in range(3)]
    found = [outputs.file_name(name) for name in names]
    assert len(set(found)) == len(names)
    assert max(len(one.encode()) for one in found) <= 170
    assert "_7.png-" in found[7]
    assert outputs.file_name("a" * 150) == "a" * 150
    assert outputs.file_name("a" * 151) != "a" * 151


def test_a_name_that_is_no_text_has_a_file_name():
    names = [os.fsdecode(b"Pr\xfcfung.png"), os.fsdecode(b"Pr\xe4fung.png")]
    found = {outputs.file_name(name) for name in names}
    assert len(found) == 2
    assert all(one.isascii() for one in found)


def test_volumes_of_one_name_in_several_folders_have_a_map_each(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    maps = outputs.Maps(tmp_path / "maps")
    for i in range(3):
        path = tmp_path / f"p{i}" / "flair.nii.gz"
        path.parent.mkdir()
        nibabel.save(nibabel.Nifti1Image(np.ones((6, 6, 2), np.float32), np.eye(4)), path)
        series = f"p{i}/flair.nii.gz"
        for index in range(2):
            item = Item(path, f"{series}#{index:04d}", index=index, series=series)
            maps(2 * i + index, item, np.full((6, 6), i, np.float32))
    maps.close()
    written = sorted((tmp_path / "maps").iterdir())
    assert [path.name[:9] for path in written] == ["p0_flair.", "p1_flair.", "p2_flair."]
    means = [float(np.mean(nibabel.load(path).dataobj)) for path in written]
    assert means == [0, 1, 2]


def test_maps_without_a_png_are_read_back_from_a_folder_that_goes(tmp_path, monkeypatch):
    monkeypatch.setattr(outputs, "MOST_KEPT", 0)
    monkeypatch.setattr(outputs.tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    maps = outputs.Maps()
    for i in range(2):
        maps(i, Item(Path("a.nii.gz"), f"a.nii.gz#{i}", index=i), np.full((2, 2), 80.5 + i))
    assert [maps.get(i)[0, 0] for i in range(2)] == [80.5, 81.5]
    assert maps.get(2) is None
    assert len(list((tmp_path / "temp").iterdir())) == 1
    del maps
    assert not list((tmp_path / "temp").iterdir())


def test_overlay_is_clear_below_the_level_and_one_scale_for_all():
    grey = np.zeros((1, 3, 1), np.float32)
    drawn = outputs.overlay(grey, np.array([[0.99, 4.0, 400.0]], np.float32), opacity=1.0)
    assert drawn[0, 0].tolist() == [128, 128, 128]
    assert drawn[0, 1].tolist() == drawn[0, 2].tolist() == [246, 215, 70]


def test_groups_are_ordered_and_judged_by_their_own_rule(tmp_path):
    groups = {"b": (3, 1.0, 0.5), "a": (20, 4.0, 0.05), "c": (1, float("nan"), float("nan"))}
    outputs.write_groups(tmp_path / "groups.csv", groups, dict.fromkeys(groups, Rule.of(19, 0.05)))
    rows = read(tmp_path / "groups.csv")
    assert [row["group"] for row in rows] == ["a", "b", "c"]
    assert [row["verdict"] for row in rows] == ["flagged", "normal", "not scored"]
    outputs.write_groups(tmp_path / "groups.csv", {}, {})
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


def test_each_group_is_judged_by_the_rule_of_its_own_half():
    judges = [
        SimpleNamespace(groups=SimpleNamespace(calibration=SimpleNamespace(scores=np.zeros(n))))
        for n in (9, 19)
    ]
    items = [Subject("1", "a"), Subject("2", "b"), Subject("3", None)]
    scored = Scored(
        ["1", "2", "3"], ["x", "y", "z"], {}, np.zeros(3), np.zeros(3),
        groups={"a": (1, 2.0, 0.05), "b": (1, 2.0, 0.05)},
        halves=(tuple(judges), np.array([0, 1, 1])),
    )  # fmt: skip
    rules = Outcome("t", "f", items, scored, judges[1], (), {}).group_rules(0.05, None)
    assert {name: rule.n for name, rule in rules.items()} == {"a": 9, "b": 19}
    rows = outputs.group_rows(scored.groups, rules)
    # nine normals give no p below 1 / 10, so nothing can be flagged at 5 %
    assert [row["verdict"] for row in rows] == ["normal", "flagged"]
    one = Outcome("t", "f", items, replace(scored, halves=None), judges[1], (), {})
    assert {rule.n for rule in one.group_rules(0.05, None).values()} == {19}
