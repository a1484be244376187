"""What games train on: found, matched, counted, and some of it held back."""

import cv2
import numpy as np
import pytest

from gantools.errors import ALL_FAILED, UserError
from gantools.gans import material
from gantools.gans.material import Material, hold_back, load


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)


def grey(value, height=8, width=8):
    return np.full((height, width), value, np.uint8)


def test_pictures_and_labels_of_a_file(tmp_path):
    images = np.arange(4 * 64, dtype=np.uint8).reshape(4, 8, 8)
    np.savez(tmp_path / "set.npz", images=images, labels=[7, 3, 3, 7])
    plain = load("pictures", tmp_path / "set.npz")
    assert plain.options == {"shape": (8, 8, 1)}
    assert (plain.count, plain.class_names, list(plain.arrays)) == (4, (), ["x"])
    labelled = load("labelled", tmp_path / "set.npz")
    assert labelled.options == {"shape": (8, 8, 1), "classes": 2}
    assert labelled.class_names == ("3", "7")
    assert labelled.arrays["y"].dtype == np.int32
    np.testing.assert_array_equal(labelled.arrays["y"], [1, 0, 0, 1])
    np.testing.assert_array_equal(labelled.arrays["x"][..., 0], images)


def test_labels_are_looked_at_for_games_that_need_them(tmp_path):
    images, strange = np.zeros((4, 8, 8), np.uint8), np.eye(2)[[0, 1, 1, 0]]
    for name, labels in (("set", strange), ("a", strange[:3]), ("b", strange[:3])):
        np.savez(tmp_path / f"{name}.npz", x_train=images, y_train=labels)
    labelled = load("labelled", tmp_path / "set.npz")
    assert labelled.class_names == ("0", "1")
    np.testing.assert_array_equal(labelled.arrays["y"], [0, 1, 1, 0])
    assert load("pictures", tmp_path / "a.npz").count == 4
    assert load("domains", tmp_path / "a.npz", side_by_side=True).count == {"a": 4, "b": 4}
    with pytest.raises(UserError, match="one label for each of 4"):
        load("labelled", tmp_path / "a.npz")


@pytest.mark.parametrize("kind", material.KINDS)
def test_data_that_are_not_there(tmp_path, kind):
    with pytest.raises(UserError, match="There is no folder"):
        load(kind, tmp_path / "nowhere")


def test_labels_of_folders_and_their_absence(tmp_path):
    for name, value in (("cats", 10), ("dogs", 20)):
        save(tmp_path / "set" / name / "1.png", grey(value))
    found = load("labelled", tmp_path / "set")
    assert found.class_names == ("cats", "dogs")
    assert [x.max() for x in found.arrays["x"]] == [10, 20]
    save(tmp_path / "flat" / "1.png", grey(1))
    with pytest.raises(UserError, match="needs labels.*one folder of pictures a class"):
        load("labelled", tmp_path / "flat")


@pytest.mark.parametrize("names", [("a", "b"), ("A", "B"), ("trainA", "trainB")])
def test_pairs_are_matched_by_name(tmp_path, names):
    first, second = (tmp_path / name for name in names)
    for i in (1, 2, 3):
        save(first / f"{i}.png", grey(i))
        save(second / f"{i}.bmp", np.full((8, 8, 3), 10 * i, np.uint8))
    save(first / "alone.png", grey(9))
    (second / "3.bmp").write_bytes(b"BM is no picture")
    found = load("pairs", tmp_path)
    assert found.options == {"shape": (8, 8, 1), "target": (8, 8, 3)}
    assert [x.max() for x in found.arrays["a"]] == [1, 2]
    assert [x.max() for x in found.arrays["b"]] == [10, 20]
    assert found.paired
    assert found.count == 2
    reasons = dict(found.skipped)
    assert set(reasons) == {"b/3.bmp", "a/3.png", "a/alone.png"}
    assert "no partner" in reasons["a/alone.png"]


def test_pairs_of_several_files_of_one_stem(tmp_path):
    for i, name in enumerate(("1.jpg", "1.png", "2.bmp", "2.png", "3.bmp", "3.png")):
        save(tmp_path / "a" / name, grey(20 * i + 20))
    for i, name in enumerate(("1.bmp", "1.jpg", "2.tif", "3.bmp", "3.png")):
        save(tmp_path / "b" / name, grey(20 * i + 30))
    found = load("pairs", tmp_path)
    # 1 by its whole name, 2 by the first of its stem, 3 twice by its whole names
    assert [x.max() for x in found.arrays["a"]] == [20, 60, 100, 120]
    assert [x.max() for x in found.arrays["b"]] == [50, 70, 90, 110]
    reason = "another picture has its name"
    assert dict(found.skipped) == {"a/1.png": reason, "a/2.png": reason, "b/1.bmp": reason}


def test_pairs_that_share_no_name(tmp_path):
    save(tmp_path / "a" / "1.png", grey(1))
    save(tmp_path / "b" / "2.png", grey(1))
    with pytest.raises(UserError, match="Expected equal names") as error:
        load("pairs", tmp_path)
    assert error.value.code == ALL_FAILED


def test_domains_are_two_sets_of_any_length(tmp_path):
    for i in range(3):
        save(tmp_path / "a" / f"{i}.png", grey(i))
    for i in range(5):
        save(tmp_path / "b" / f"x{i}.png", grey(100 + i, 8, 16))
    found = load("domains", tmp_path, resolution=6)
    assert found.options == {"shape": (6, 6, 1), "target": (6, 6, 1)}
    assert found.count == {"a": 3, "b": 5}
    assert not found.paired
    with pytest.raises(UserError, match="hold two folders of pictures, a and b.*--side-by-side"):
        load("domains", tmp_path / "a")


def test_side_by_side(tmp_path):
    for i in range(3):
        save(tmp_path / f"{i}.png", np.concatenate([grey(i), grey(100 + i)], axis=1))
    found = load("pairs", tmp_path, side_by_side=True)
    assert [x.max() for x in found.arrays["a"]] == [0, 1, 2]
    assert [x.min() for x in found.arrays["b"]] == [100, 101, 102]
    assert found.options["shape"] == (8, 8, 1)
    assert found.side_by_side
    with pytest.raises(UserError, match="--side-by-side is for games that train on pairs"):
        load("pictures", tmp_path, side_by_side=True)


def test_an_unknown_kind(tmp_path):
    with pytest.raises(UserError, match="pictures, labelled, pairs, domains. Received: DATA='pix'"):
        load("pix", tmp_path)


def test_hash_tells_content_names_and_types():
    x = np.arange(32, dtype=np.uint8).reshape(2, 4, 4, 1)
    first = Material("pictures", {"x": x}, source="here").sha256
    assert Material("pictures", {"x": x.copy()}, source="there").sha256 == first
    others = [{"a": x}, {"x": x.astype(np.int8)}, {"x": x.reshape(2, 2, 8, 1)}, {"x": x[::-1]}]
    assert len({first, *(Material("pictures", arrays).sha256 for arrays in others)}) == 5


def amount(n, kind="pictures", batch=16):
    kept, held = hold_back(Material(kind, {"x": np.zeros((n, 1))}), 0, batch)
    assert sorted([*kept["x"], *held["x"]]) == list(range(n))
    return len(held["x"])


def test_how_much_is_held_back():
    assert amount(100_000) == 2000  # 2 %
    assert amount(10_000) == 500
    assert amount(3_000) == 300  # never more than 10 %
    assert amount(100) == 10
    assert amount(17) == 1
    assert amount(16) == 0  # a batch remains
    assert amount(9, batch=1) == 0
    assert material.HELD_LEAST == 500


def test_what_is_held_back_follows_the_seed_and_the_pairs():
    a, b = np.arange(200), np.arange(300)
    pairs = Material("pairs", {"a": a, "b": a})
    kept, held = hold_back(pairs, 1, 4)
    np.testing.assert_array_equal(held["a"], held["b"])
    np.testing.assert_array_equal(held["a"], hold_back(pairs, 1, 4)[1]["a"])
    assert not np.array_equal(held["a"], hold_back(pairs, 2, 4)[1]["a"])
    kept, held = hold_back(Material("domains", {"a": a, "b": b}), 1, 4)
    assert (len(held["a"]), len(held["b"])) == (20, 30)
    assert (len(kept["a"]), len(kept["b"])) == (180, 270)


def test_classes_give_their_shares_and_keep_one():
    """A class that is held back whole would never be learned, and still be asked for."""

    def counts(labels, seed, batch=4):
        labels = np.array(labels, np.int32)
        arrays = {"x": np.arange(len(labels)), "y": labels}
        parts = hold_back(Material("labelled", arrays), seed, batch)
        assert sorted([*parts[0]["x"], *parts[1]["x"]]) == list(range(len(labels)))
        for part in parts:
            np.testing.assert_array_equal(part["x"], part["y"])
        return [np.bincount(labels[part["x"]], minlength=labels.max() + 1) for part in parts]

    chosen = set()
    for seed in range(20):
        kept, held = counts(np.repeat(np.arange(10), 2), seed)  # two of 20, of two classes
        assert kept.min() == 1
        assert sorted(held) == [0] * 8 + [1] * 2
        chosen |= set(np.flatnonzero(held))
        kept, held = counts([0] * 900 + [1] * 90 + [2] * 10, seed)
        assert list(held) == [90, 9, 1]
        kept, held = counts([0] * 30 + [1], seed)
        assert list(kept) == [27, 1]
    assert len(chosen) == 10
    assert counts(range(40), 0)[1].sum() == 0  # of single ones none


def test_without_labels_the_same_samples_are_held_back_as_ever():
    held = hold_back(Material("pictures", {"x": np.zeros((40, 1))}), 3, 4)[1]["x"]
    np.testing.assert_array_equal(held, np.sort(np.random.default_rng([3, 0]).permutation(40)[:4]))


def test_fewer_than_a_batch():
    short = Material("domains", {"a": np.zeros((9, 1)), "b": np.zeros((5, 1))}, source="set")
    material.require_batch(short, 5)
    with pytest.raises(UserError, match="set holds 5 domains, fewer than one batch of 6"):
        material.require_batch(short, 6)
