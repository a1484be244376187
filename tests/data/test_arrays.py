import gzip
import lzma
import struct

import numpy as np
import pytest

from gantools.data import arrays
from gantools.data.folders import load_images
from gantools.errors import UserError

PICTURES = np.arange(5 * 4 * 6, dtype=np.uint8).reshape(5, 4, 6)
LABELS = np.array([7, 3, 7, 3, 9], np.uint8)


def write_idx(path, array, code=0x08):
    data = struct.pack(">BBBB", 0, 0, code, array.ndim)
    data += struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(data)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_with_labels_beside(tmp_path, suffix):
    path = tmp_path / f"train-images-idx3-ubyte{suffix}"
    write_idx(path, PICTURES)
    write_idx(tmp_path / f"train-labels-idx1-ubyte{suffix}", LABELS)
    loaded = load_images(path)
    np.testing.assert_array_equal(loaded.images, PICTURES[..., None])
    assert loaded.class_names == ("3", "7", "9")
    assert loaded.labels.tolist() == [1, 0, 1, 0, 2]


def test_idx_big_endian_floats(tmp_path):
    path = tmp_path / "x.idx"
    write_idx(path, np.array([[1.5, -2.0]], ">f4"), code=0x0D)
    np.testing.assert_array_equal(arrays.read_idx(path), [[1.5, -2.0]])


@pytest.mark.parametrize("change", [lambda d: d[:-3], lambda d: d + b"x", lambda d: b"\1" + d[1:]])
def test_broken_idx_is_one_sentence(tmp_path, change):
    path = tmp_path / "a-images-idx3-ubyte"
    write_idx(path, PICTURES)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(UserError, match="Cannot read"):
        load_images(path)


def test_idx_that_declares_terabytes_is_refused_before_reading(tmp_path):
    path = tmp_path / "a-images-idx3-ubyte"
    path.write_bytes(struct.pack(">BBBB3I", 0, 0, 8, 3, 2**31, 2**12, 2**12))
    with pytest.raises(UserError, match="GiB"):
        load_images(path)


@pytest.mark.parametrize("names", [("images", "labels"), ("X", "Y"), ("x_train", "y_train")])
def test_npz_by_common_names(tmp_path, names):
    path = tmp_path / "set.npz"
    np.savez(path, **{names[0]: PICTURES, names[1]: LABELS[:, None], "other": np.zeros(3)})
    loaded = load_images(path)
    np.testing.assert_array_equal(loaded.images, PICTURES[..., None])
    assert loaded.labels.tolist() == [1, 0, 1, 0, 2]


def test_npz_without_pictures_names_what_it_holds(tmp_path):
    np.savez(tmp_path / "set.npz", weights=PICTURES)
    with pytest.raises(UserError, match=r"expected an array named images.*Received: weights"):
        load_images(tmp_path / "set.npz")


def test_npz_with_wrong_number_of_labels(tmp_path):
    np.savez(tmp_path / "set.npz", images=PICTURES, labels=LABELS[:3])
    with pytest.raises(UserError, match="one label for each of 5"):
        load_images(tmp_path / "set.npz")


@pytest.mark.parametrize(
    "labels",
    [
        np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]),
        np.array([1.0, 0.0, 1.0, 0.0, 3.0], np.float32),
        np.array([b"1", b"0", b"1", b"0", b"3"]),
        np.array(["1", "0", "1", "0", "3"]),
    ],
    ids=["one-hot", "floats", "bytes", "text"],
)
def test_labels_as_people_store_them(tmp_path, labels):
    np.savez(tmp_path / "set.npz", images=PICTURES, labels=labels)
    loaded = load_images(tmp_path / "set.npz")
    assert loaded.class_names == ("0", "1", "3")
    assert loaded.labels.tolist() == [1, 0, 1, 0, 2]


@pytest.mark.parametrize(
    "labels",
    [LABELS[:3], np.ones((5, 2)), np.array([None] * 5, object)],
    ids=["few", "several each", "objects"],
)
def test_labels_that_are_not_wanted_are_not_looked_at(tmp_path, labels):
    np.savez(tmp_path / "set.npz", images=PICTURES, labels=labels)
    np.save(tmp_path / "set.npy", PICTURES)
    np.save(tmp_path / "set_labels.npy", labels)
    for name in ("set.npz", "set.npy"):
        loaded = load_images(tmp_path / name, labels=False)
        assert (len(loaded), loaded.labels) == (5, None)
        with pytest.raises(UserError, match="one label for each of 5|pickled"):
            load_images(tmp_path / name)


def test_npy_xz_with_labels_in_parts_beside(tmp_path):
    with lzma.open(tmp_path / "set_images.npy.xz", "wb") as file:
        np.save(file, PICTURES)
    np.savez(tmp_path / "set_labels.npz", y_train=LABELS[:3], y_test=LABELS[3:])
    loaded = load_images(tmp_path / "set_images.npy.xz")
    np.testing.assert_array_equal(loaded.images, PICTURES[..., None])
    assert loaded.labels.tolist() == [1, 0, 1, 0, 2]


def test_fortran_order_is_kept_right(tmp_path):
    np.save(tmp_path / "set.npy", np.asfortranarray(PICTURES))
    np.testing.assert_array_equal(load_images(tmp_path / "set.npy").images[..., 0], PICTURES)


def test_pickles_are_refused(tmp_path):
    np.save(tmp_path / "set.npy", np.array([{"a": 1}], object), allow_pickle=True)
    with pytest.raises(UserError, match="pickled"):
        load_images(tmp_path / "set.npy")


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.npy.xz", "a-images-idx3-ubyte.gz"])
def test_rubbish_is_one_sentence(tmp_path, name):
    (tmp_path / name).write_bytes(b"this is no array file at all")
    with pytest.raises(UserError, match="Cannot read"):
        load_images(tmp_path / name)


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.array([0.0, 0.5, 1.0]), [0, 128, 255]),  # 127.5 rounds to even
        (np.array([-1.0, 0.0, 1.0], np.float32), [0, 128, 255]),
        (np.array([0.0, 100.4, 255.0]), [0, 100, 255]),
        (np.array([0, 257 * 7, 65535], np.uint16), [0, 7, 255]),
        (np.array([0, 7, 255], np.int64), [0, 7, 255]),
        (np.array([False, True, True]), [0, 255, 255]),
    ],
)
def test_values_come_to_bytes(stored, expected):
    images = arrays.to_uint8(stored.reshape(1, 1, 3))
    assert images.dtype == np.uint8
    assert images.reshape(-1).tolist() == expected


@pytest.mark.parametrize("stored", [[-3.0, 2.0, 1.0], [0.0, 300.0, 1.0], [0.0, np.nan, 1.0]])
def test_values_out_of_every_range_are_refused(stored):
    with pytest.raises(UserError, match="expected values in"):
        arrays.to_uint8(np.array(stored).reshape(1, 1, 3))


def test_a_part_at_a_time_gives_the_same_bytes(monkeypatch):
    levels = np.linspace(-1, 1, 7 * 4 * 6).reshape(7, 4, 6)
    whole = arrays.to_uint8(levels)
    np.testing.assert_array_equal(whole.ravel(), np.rint(np.linspace(0, 255, whole.size)))
    monkeypatch.setattr(arrays, "CHUNK", 60)  # two pictures
    np.testing.assert_array_equal(arrays.to_uint8(levels), whole)


def test_channels_first_is_turned():
    images = np.zeros((2, 3, 8, 9), np.uint8)
    images[:, 1] = 5
    turned = arrays.to_uint8(images)
    assert turned.shape == (2, 8, 9, 3)
    assert (turned[..., 1] == 5).all()


def test_other_shapes_are_refused():
    with pytest.raises(UserError, match=r"Received: \(4, 5\)"):
        arrays.to_uint8(np.zeros((4, 5), np.uint8))


def test_an_array_under_the_name_of_an_archive_is_one_sentence(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((3, 4, 4), np.uint8))
    (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(UserError, match="x.npz"):
        arrays.read_arrays(tmp_path / "x.npz")
