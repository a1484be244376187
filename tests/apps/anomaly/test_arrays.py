"""Files of arrays: their pictures and labels."""

import numpy as np
import pytest
from gantools.apps.anomaly import arrays, loading
from gantools.apps.anomaly.tables import rows

from gantools.errors import ALL_FAILED, UserError


def test_arrays_are_read_by_index(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (5, 6, 7), np.uint8)
    np.savez(tmp_path / "a.npz", images=x)
    items = arrays.array_items(tmp_path / "a.npz")
    np.testing.assert_array_equal(loading.Reader(items).pixels(items[3])[..., 0], x[3])
    np.save(tmp_path / "b.npy", x)
    items = arrays.array_items(tmp_path / "b.npy")
    np.testing.assert_array_equal(loading.Reader(items).pixels(items[4])[..., 0], x[4])
    np.savez(tmp_path / "c.npz", strange=x)
    with pytest.raises(UserError, match="strange"):
        arrays.array_items(tmp_path / "c.npz")


@pytest.mark.parametrize("shape", [(9, 3, 32, 40), (9, 32, 40, 5), (9, 4, 32, 40, 3)])
def test_channels_of_arrays_are_the_last_axis(tmp_path, shape):
    np.savez(tmp_path / "a.npz", images=np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match=r"'images' in .* has the shape \(9, .*on the last axis"):
        arrays.array_items(tmp_path / "a.npz")


LABELS = {
    "one a disease": np.zeros((40, 14), int),
    "one-hot": np.eye(2, dtype=int)[np.arange(40) % 2],
    "too few": np.zeros(30, int),
    "masks": np.zeros((40, 8, 8), bool),
    "a single one": np.array(1),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_that_are_not_one_each_are_refused(tmp_path, kind):
    labels, path = LABELS[kind], tmp_path / "a.npz"
    for name, data in (("images", np.zeros((40, 8, 8), np.uint8)), ("X", np.zeros((40, 5)))):
        np.savez(path, **{name: data}, y=labels)
        with pytest.raises(UserError, match="Expected one label each") as failed:
            rows.read(path, lambda name: False) if name == "X" else arrays.array_items(path)
        assert f"{labels.shape}" in str(failed.value) and f"{data.shape}" in str(failed.value)


def test_labels_of_a_column_of_one_are_read(tmp_path):
    path, labels = tmp_path / "a.npz", np.arange(40)[:, None] % 2
    np.savez(path, images=np.zeros((40, 8, 8), np.uint8), labels=labels)
    assert [item.label for item in arrays.array_items(path)] == labels[:, 0].tolist()
    np.savez(path, X=np.zeros((40, 5)), y=labels)
    assert rows.read(path, lambda name: False)["label"].tolist() == labels[:, 0].tolist()


def test_broken_arrays_get_one_sentence(tmp_path):
    whole = tmp_path / "whole.npz"
    np.savez(whole, images=np.zeros((20, 8, 8), np.uint8))
    objects = np.array([{"a": 1}] * 3, object)
    np.save(tmp_path / "objects.npy", objects, allow_pickle=True)
    np.savez(tmp_path / "objects.npz", images=objects)
    (tmp_path / "cut.npz").write_bytes(whole.read_bytes()[:900])
    (tmp_path / "junk.npy").write_bytes(b"junk")
    (tmp_path / "junk.npz").write_bytes(b"junk")
    np.save(tmp_path / "alone.npy", np.zeros((3, 8, 8)))
    (tmp_path / "alone.npy").rename(tmp_path / "no_zip.npz")
    for path in sorted(tmp_path.iterdir()):
        if path != whole:
            with pytest.raises(UserError, match=f"Cannot read '.*{path.name}'") as failed:
                arrays.array_items(path)
            assert failed.value.code == ALL_FAILED, path.name
