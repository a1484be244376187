"""Which layout a folder has: the first whose sign is there."""

import os

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import layouts

from gantools.errors import UserError


def put(root, *names):
    draw = np.random.default_rng(len(names))
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(root / name), draw.integers(0, 255, (16, 16), np.uint8))


def test_mvtec(tmp_path):
    put(tmp_path, "train/good/1.png", "test/good/2.png", "test/hole/3.PNG", "test/cut/4.png")
    put(tmp_path, "ground_truth/hole/3_mask.png", "ground_truth/cut/4.png")
    found = layouts.find(tmp_path)
    assert found.layout == "mvtec"
    by = {item.name: item for item in found.items}
    assert len(by) == 4
    assert by["train/good/1.png"].label == 0 and by["train/good/1.png"].part == "train"
    assert by["test/hole/3.PNG"].label == 1 and by["test/hole/3.PNG"].mask.name == "3_mask.png"
    assert by["test/cut/4.png"].mask.name == "4.png"
    assert by["test/good/2.png"].mask is None
    assert found.description == (
        "mvtec layout: 1 for train (1 normal, 0 anomalous), "
        "3 for test (1 normal, 2 anomalous in 2 kinds), 2 masks, no groups known."
    )


def test_anomalies_in_the_training_folder_are_not_fitted_on(tmp_path):
    put(tmp_path, "train/NORMAL/1.jpg", "train/PNEUMONIA/2.jpg", "test/NORMAL/3.jpg")
    found = layouts.find(tmp_path)
    assert [item.name for item in found.normals()] == ["train/NORMAL/1.jpg"]


def test_normal_and_abnormal_folders_are_divided_by_group(tmp_path):
    put(tmp_path, *(f"OK/{i // 4}_{i}.png" for i in range(200)), "scratch/1.png", "dent/2.png")
    found = layouts.find(tmp_path, groups=r"(\d+)_\d+\.png")
    assert found.layout == "normal-abnormal"
    train, test = found.of("train"), found.of("test")
    assert {item.label for item in train} == {0}
    assert sum(item.label for item in test) == 2
    assert 10 < len(test) < 80


@pytest.mark.parametrize("folder", ["ground_truth", "Masks", "labels"])
def test_masks_beside_folders_of_kinds_are_no_anomalies(tmp_path, folder):
    put(tmp_path, "good/1.png", "good/2.png", "hole/3.png", "cut/4.png", "cut/5.png")
    put(tmp_path, *(f"{folder}/{name}" for name in ("hole/3_mask.png", "4.png", "2.png")))
    found = layouts.find(tmp_path)
    assert found.layout == "normal-abnormal"
    masks = {item.name: item.mask and item.mask.name for item in found.items}
    assert masks == {
        "good/1.png": None, "good/2.png": None, "hole/3.png": "3_mask.png", "cut/4.png": "4.png",
        "cut/5.png": None,
    }  # fmt: skip
    assert found.skipped == (
        (f"{folder}/2.png", "in a folder of masks, but of no anomalous picture"),
    )


def test_train_and_test_without_labels(tmp_path):
    put(tmp_path, "train/1.png", "test/2.png", "test/sub/3.png")
    found = layouts.find(tmp_path)
    assert found.layout == "train-test"
    assert [(i.part, i.label) for i in found.items] == [
        ("test", None), ("test", None), ("train", None)
    ]  # fmt: skip


def test_a_part_beside_normals_is_not_anomalous(tmp_path):
    put(tmp_path, *(f"normal/{i}.png" for i in range(40)), "test/1.png", "Test/2.png")
    put(tmp_path, "test/ok/3.png", "test/hole/4.png", "test/bad/5.png", "masks/bad/5.png")
    put(tmp_path, "val/6.png", "scratch/7.png")
    found = layouts.find(tmp_path)
    assert found.layout == "normal-abnormal" and not found.skipped
    told = {i.name: (i.part, i.label) for i in found.items if not i.name.startswith("normal/")}
    assert told == {
        "test/1.png": ("test", None), "Test/2.png": ("test", None), "test/ok/3.png": ("test", 0),
        "test/hole/4.png": ("test", None), "test/bad/5.png": ("test", 1),
        "val/6.png": ("val", None), "scratch/7.png": ("test", 1),
    }  # fmt: skip
    assert any("outside the folder of the test: 1." in note for note in found.notes)
    assert [item.mask.name for item in found.items if item.mask] == ["5.png"]
    assert {i.part for i in found.items if i.name.startswith("normal/")} == {"train"}


def test_anomalies_are_scored_also_where_only_a_part_for_validation_was_divided(tmp_path):
    put(tmp_path, *(f"normal/{i}.png" for i in range(100)), "val/normal/1.png", "val/bad/2.png")
    put(tmp_path, "bad/3.png")
    found = layouts.find(tmp_path)
    assert {i.name for i in found.items if i.label == 1} == {"bad/3.png", "val/bad/2.png"}
    assert {i.part for i in found.items if i.label == 1} == {"test"}
    assert [i.name for i in found.of("val")] == ["val/normal/1.png"]
    assert 5 < sum(i.label == 0 for i in found.of("test")) < 40


def test_later_pictures_in_a_folder_test_are_scored(tmp_path):
    put(tmp_path, "1.png", "2.png", "test/3.png", "notes/4.png")
    found = layouts.find(tmp_path)
    assert found.layout == "train-test"
    assert [(i.name, i.part) for i in found.items] == [
        ("1.png", "train"), ("2.png", "train"), ("test/3.png", "test")
    ]  # fmt: skip
    assert [name for name, _ in found.skipped] == ["notes/4.png"]


def test_flat_with_trash_links_and_empty_files(tmp_path):
    put(tmp_path, "1.png", "in/2.png", ".hidden.png", "__MACOSX/3.png")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "0.png").touch()
    (tmp_path / "notes.txt").touch()
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "in/loop").symlink_to(tmp_path)
    found = layouts.find(tmp_path)
    assert found.layout == "flat"
    assert [item.name for item in found.items] == ["0.png", "1.png", "gone.png", "in/2.png"]
    assert [item.trouble[:17] for item in found.items if item.trouble] == [
        "The file is empty", "It is a link to a"
    ]  # fmt: skip
    assert len(found.skipped) == 5
    assert "mostly normal" in found.notes[0]


def test_arrays(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (12, 8, 8), np.uint8)
    np.savez(
        tmp_path / "a.npz",
        train_images=x[:6],
        train_labels=[[0]] * 5 + [[1]],
        val_images=x[6:8],
        val_labels=[[0], [1]],
        test_images=x[8:],
        test_labels=[0, 0, 1, 1],
    )
    found = layouts.find(tmp_path / "a.npz")
    assert found.layout == "arrays"
    assert [len(found.of(part)) for part in ("train", "val", "test")] == [6, 2, 4]
    assert len(found.normals()) == 5
    np.savez(tmp_path / "b.npz", X=np.zeros((30, 5)), y=np.zeros(30))
    assert layouts.find(tmp_path / "b.npz").layout == "table"


@pytest.mark.parametrize("kind", [bool, float, np.int64, str])
def test_labels_of_arrays_of_any_type(tmp_path, kind):
    x = np.random.default_rng(0).integers(0, 255, (4, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=x, labels=np.array([0, 1, 0, 1]).astype(kind))
    assert [item.label for item in layouts.find(tmp_path / "a.npz").items] == [0, 1, 0, 1]


def test_an_array_label_that_is_no_number_is_unknown(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (3, 8, 8), np.uint8)
    np.savez(tmp_path / "a.npz", images=x, labels=[0, np.nan, 1])
    found = layouts.find(tmp_path / "a.npz").items
    assert [item.label for item in found] == [0, None, 1]
    np.savez(tmp_path / "b.npz", images=x, labels=[0, 1, 2])
    found = layouts.find(tmp_path / "b.npz").items
    assert [(item.label, item.kind) for item in found] == [(None, "0"), (None, "1"), (None, "2")]


def test_an_empty_picture_makes_no_layout(tmp_path):
    (tmp_path / "0.png").touch()
    with pytest.raises(UserError, match="nothing that can be scored"):
        layouts.find(tmp_path)
    np.savez(tmp_path / "a.npz", images=np.zeros((9, 8, 8), np.uint8))
    assert layouts.find(tmp_path).layout == "arrays"
    (tmp_path / "a.npz").unlink()
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    assert layouts.find(tmp_path).layout == "table"


def test_table(tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1,x\n2,y\n")
    found = layouts.find(tmp_path)
    assert (found.layout, found.table) == ("table", tmp_path / "t.csv")


def test_groups_by_regular_expression(tmp_path):
    put(tmp_path, "p1_a.png", "p1_b.png", "p2_a.png")
    assert [i.group for i in layouts.find(tmp_path, groups=r"(p\d)_").items] == ["p1", "p1", "p2"]
    with pytest.raises(UserError, match="fits none"):
        layouts.find(tmp_path, groups="patient")
    with pytest.raises(UserError, match="regular expression"):
        layouts.find(tmp_path, groups="(")


def test_groups_by_column(tmp_path):
    put(tmp_path, "1.png", "2.png")
    (tmp_path / "m.csv").write_text("file,batch,patient\n1.png,A,x\n2.png,B,x\n")
    assert [i.group for i in layouts.find(tmp_path).items] == ["x", "x"]
    assert [i.group for i in layouts.find(tmp_path, groups="batch").items] == ["A", "B"]
    assert [i.group for i in layouts.find(tmp_path, groups=r"\d").items] == ["1", "2"]


def test_forced_and_wrong_layouts(tmp_path):
    put(tmp_path, "train/good/1.png", "test/good/2.png")
    assert layouts.find(tmp_path, "flat").layout == "flat"
    with pytest.raises(UserError, match="does not have the layout"):
        layouts.find(tmp_path, "dicom")
    with pytest.raises(UserError, match="Expected one of"):
        layouts.find(tmp_path, "imagenet")
    with pytest.raises(UserError, match="no folder"):
        layouts.find(tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    with pytest.raises(UserError, match="no files"):
        layouts.find(tmp_path / "other")
    (tmp_path / "other/a.txt").write_text("x")
    with pytest.raises(UserError, match="nothing that can be scored"):
        layouts.find(tmp_path / "other")


def test_own_results_and_models_below_the_data_are_no_data(tmp_path):
    put(tmp_path, *(f"{i}.png" for i in range(9)), "out/maps/0.png", "m/deep/tiles.model/x.png")
    put(tmp_path, "fit.training/y.png")
    (tmp_path / "out/plan.json").write_text('{"schema": 1, "command": "gantools anomaly"}')
    (tmp_path / "out/scores.csv").write_text("path,score\n" + "".join(f"{i}.png,1\n" for i in "12"))
    plan = '{"schema": 2, "facts": {}, "detector": "references"}'
    (tmp_path / "m/deep/tiles.model/plan.json").write_text(plan)
    note = '{"normals": "x", "settings": {}, "salt": "s"}'
    (tmp_path / "fit.training/job.json").write_text(note)
    found = layouts.find(tmp_path)
    assert found.layout == "flat"
    assert [item.name for item in found.items] == [f"{i}.png" for i in range(9)]
    assert "The folder 'out' holds results of an earlier job: left out." in found.notes
    assert "The folder 'tiles.model' holds a fitted model: left out." in found.notes
    assert ("m/deep/tiles.model", "a fitted model") in found.skipped
    assert len(layouts.find(tmp_path / "out" / "maps").items) == 1  # asked for by name


REST = {
    "manifest": (("1.png", "2.png", "3.png", "b/4.png"), "file\n1.png\n2.png\n",
                 ["3.png", "b/4.png"]),
    "normal-abnormal": (("ok/1.png", "bad/2.png", "3.png"), "", ["3.png"]),
    "mvtec": (("train/good/1.png", "test/x/2.png", "other/3.png", "train/4.png",
               "ground_truth/x/2_mask.png", "ground_truth/x/9_mask.png"), "",
              ["ground_truth/x/9_mask.png", "other/3.png", "train/4.png"]),
    "train-test": (("train/1.png", "test/2.png", "more/3.png", "4.png"), "",
                   ["4.png", "more/3.png"]),
}  # fmt: skip


@pytest.mark.parametrize("layout", REST)
def test_pictures_that_a_layout_has_no_place_for_are_counted_aloud(tmp_path, layout):
    names, listed, rest = REST[layout]
    put(tmp_path, *names)
    if listed:
        (tmp_path / "list.csv").write_text(listed)
    found = layouts.find(tmp_path)
    assert found.layout == layout
    assert sorted(name for name, _ in found.skipped) == rest
    assert any(f"{len(rest)} pictures or masks ({rest[0]}" in note for note in found.notes)
    assert f"{len(rest)} skipped" in found.description


def test_pictures_beside_volumes_and_arrays_beside_pictures_are_counted(tmp_path):
    put(tmp_path, "1.png", "2.png")
    np.savez(tmp_path / "x.npz", images=np.zeros((9, 8, 8), np.uint8))
    assert layouts.find(tmp_path).skipped == (("x.npz", "of no item of this layout"),)
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(
        nibabel.Nifti1Image(np.eye(6)[..., None] * np.ones(4), np.eye(4)), tmp_path / "v.nii"
    )
    found = layouts.find(tmp_path)
    assert found.layout == "nifti"
    assert {name for name, _ in found.skipped} == {"1.png", "2.png", "x.npz"}


def test_names_that_are_no_text_are_readable_and_apart(tmp_path):
    put(tmp_path, "1.png", "2.png")
    for i, name in enumerate((b"Pr\xfcfung.png", b"Pr\xe4fung.png")):
        try:
            (tmp_path / f"{i + 1}.png").rename(tmp_path / os.fsdecode(name))
        except OSError:
            pytest.skip("this file system has names of UTF-8 only")
    names = [item.name for item in layouts.find(tmp_path).items]
    assert names == [r"Pr\xe4fung.png", r"Pr\xfcfung.png"]
    assert all(item.path.is_file() for item in layouts.find(tmp_path).items)
