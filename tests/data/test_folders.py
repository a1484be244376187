import struct
import zlib

import cv2
import numpy as np
import pytest

from gantools.data import arrays, pictures
from gantools.data.folders import as_bytes, list_pictures, load_images
from gantools.data.pictures import Metadata, Picture
from gantools.errors import ALL_FAILED, SOME_FAILED, UserError

TURNED = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # EXIF: orientation 6


def picture(height=8, width=8, channels=3, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    order = {1: [0], 3: [2, 1, 0], 4: [2, 1, 0, 3]}[pixels.shape[-1]]
    assert cv2.imwrite(str(path), pixels[..., order])
    return pixels


def test_flat_folder_in_order_of_names(tmp_path):
    second, first = save(tmp_path / "b.png", picture(seed=1)), save(tmp_path / "a.PNG", picture())
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / ".hidden.png").write_bytes(b"no picture")
    loaded = load_images(tmp_path)
    np.testing.assert_array_equal(loaded.images, np.stack([first, second]))
    assert loaded.names == ("a.PNG", "b.png")
    assert loaded.labels is None
    assert loaded.skipped == ()


def test_folder_per_class(tmp_path):
    save(tmp_path / "dog" / "1.png", picture())
    save(tmp_path / "cat" / "deep" / "1.png", picture())
    save(tmp_path / "dog" / "2.png", picture())
    (tmp_path / "empty").mkdir()
    loaded = load_images(tmp_path)
    assert loaded.class_names == ("cat", "dog")
    assert loaded.labels.tolist() == [0, 1, 1]
    assert loaded.names == ("cat/deep/1.png", "dog/1.png", "dog/2.png")


def test_hidden_folders_in_a_class_are_passed_over(tmp_path):
    for place in ("1.png", "deep/2.png", ".thumbnails/1.png", "deep/.trash/old/3.png", ".4.png"):
        save(tmp_path / "cat" / place, picture())
    save(tmp_path / "ghost" / ".thumbnails" / "1.png", picture())
    loaded = load_images(tmp_path)
    assert loaded.names == ("cat/1.png", "cat/deep/2.png")
    assert loaded.class_names == ("cat",)


def test_loose_pictures_beside_classes_are_refused(tmp_path):
    save(tmp_path / "1.png", picture())
    save(tmp_path / "dog" / "2.png", picture())
    with pytest.raises(UserError, match="also folders of pictures"):
        list_pictures(tmp_path)


def test_empty_folder_and_missing_path(tmp_path):
    with pytest.raises(UserError, match="holds no pictures") as caught:
        load_images(tmp_path)
    assert caught.value.code == ALL_FAILED
    with pytest.raises(UserError, match="There is no folder"):
        load_images(tmp_path / "nowhere")


def test_unreadable_among_good_ones(tmp_path):
    save(tmp_path / "a.png", picture())
    (tmp_path / "b.png").write_bytes(b"not a picture")
    loaded = load_images(tmp_path)
    assert loaded.names == ("a.png",)
    assert [name for name, _ in loaded.skipped] == ["b.png"]
    with pytest.raises(UserError, match=r"b\.png") as caught:
        load_images(tmp_path, strict=True)
    assert caught.value.code == SOME_FAILED


def test_labels_stay_with_their_pictures_when_one_is_skipped(tmp_path):
    save(tmp_path / "cat" / "1.png", picture())
    (tmp_path / "cat" / "0.png").write_bytes(b"not a picture")
    save(tmp_path / "dog" / "1.png", picture())
    loaded = load_images(tmp_path)
    assert loaded.labels.tolist() == [0, 1]
    assert loaded.names == ("cat/1.png", "dog/1.png")


def test_a_class_of_which_nothing_can_be_read_is_none(tmp_path):
    for name in ("cat", "dog"):
        save(tmp_path / name / "1.png", picture())
    (tmp_path / "cow").mkdir()
    (tmp_path / "cow" / "1.png").write_bytes(b"not a picture")
    loaded = load_images(tmp_path)
    assert loaded.class_names == ("cat", "dog")
    assert loaded.labels.tolist() == [0, 1]
    assert [name for name, _ in loaded.skipped] == ["cow/1.png", "cow/"]
    assert "it is no class" in loaded.skipped[1][1]


def test_all_unreadable(tmp_path):
    (tmp_path / "a.png").write_bytes(b"not a picture")
    with pytest.raises(UserError, match="None of 1 pictures") as caught:
        load_images(tmp_path)
    assert caught.value.code == ALL_FAILED


def test_huge_header_is_refused_before_decoding(tmp_path):
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    data = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + data)
    save(tmp_path / "good.png", picture())
    loaded = load_images(tmp_path)
    assert len(loaded) == 1
    assert "50000x50000" in loaded.skipped[0][1]


def test_mixed_sizes_need_a_size(tmp_path):
    for i in range(2):
        save(tmp_path / f"{i}.png", picture(8, 10))
    save(tmp_path / "9.png", picture(16, 12))
    with pytest.raises(UserError, match=r"10x8 \(2\), 12x16 \(1\).*--resolution N"):
        load_images(tmp_path)
    assert load_images(tmp_path, size=8).images.shape == (3, 8, 8, 3)


def test_sizes_and_memory_are_checked_before_anything_is_decoded(tmp_path, monkeypatch):
    for i in range(3):
        save(tmp_path / "one" / f"{i}.png", picture())
        save(tmp_path / "several" / f"{i}.png", picture(8, 8 + i))
        save(tmp_path / "grey" / f"{i}.png", picture(channels=1))
    monkeypatch.setattr(arrays.os, "sysconf", {"SC_PHYS_PAGES": 100, "SC_PAGE_SIZE": 10}.get)
    assert load_images(tmp_path / "grey").images.nbytes == 192  # of 1000 bytes
    monkeypatch.setattr(pictures, "read", lambda file: pytest.fail(f"{file} was decoded"))
    with pytest.raises(UserError, match="3 sizes: .*--resolution N"):
        load_images(tmp_path / "several")
    with pytest.raises(UserError, match="GiB, more than half"):
        load_images(tmp_path / "one")  # 576


def test_pictures_of_one_size_as_they_are_seen_are_a_set(tmp_path):
    save(tmp_path / "0.png", picture(10, 8))
    for suffix in ("png", "jpg", "webp"):
        place = tmp_path / f"1.{suffix}"
        pictures.write(place, Picture(picture(8, 10), Metadata(exif=TURNED)))
    assert load_images(tmp_path).images.shape == (4, 10, 8, 3)


def test_size_crops_the_central_square_then_averages(tmp_path):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, 2:6] = np.arange(0, 160, 10, dtype=np.uint8).reshape(4, 4, 1)
    save(tmp_path / "a.png", pixels)
    expected = pixels[:, 2:6].reshape(2, 2, 2, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(load_images(tmp_path, size=2).images[0], expected, atol=0.5)


def test_grey_set_stays_grey_and_mixed_becomes_colour(tmp_path):
    grey = save(tmp_path / "a.png", picture(channels=1))
    assert load_images(tmp_path).images.shape == (1, 8, 8, 1)
    save(tmp_path / "b.png", picture())
    images = load_images(tmp_path).images
    assert images.shape == (2, 8, 8, 3)
    np.testing.assert_array_equal(images[0], np.repeat(grey, 3, axis=-1))


def test_channels_on_request(tmp_path):
    save(tmp_path / "a.png", np.full((4, 4, 3), (255, 0, 0), np.uint8))
    assert load_images(tmp_path, channels=1).images[0, 0, 0, 0] == 76  # 0.299 * 255


def test_alpha_is_blended_onto_white(tmp_path):
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[..., 3] = [[0, 255], [51, 255]]
    save(tmp_path / "a.png", pixels)
    assert load_images(tmp_path).images[0, :, :, 0].tolist() == [[255, 0], [204, 0]]


def test_sixteen_bit_pictures_are_scaled(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 257 * 9, 65535]], np.uint16))
    assert load_images(tmp_path).images.reshape(-1).tolist() == [0, 9, 255]


def test_array_files_take_size_and_channels(tmp_path):
    np.save(tmp_path / "x.npy", np.full((3, 8, 8), 9, np.uint8))
    loaded = load_images(tmp_path / "x.npy", size=4, channels=3)
    assert loaded.images.shape == (3, 4, 4, 3)
    assert (loaded.images == 9).all()


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.mat").write_bytes(b"")
    with pytest.raises(UserError, match=r"\.npz"):
        load_images(tmp_path / "a.mat")


def test_halves_of_pictures_side_by_side(tmp_path):
    pixels = save(tmp_path / "a.png", picture(8, 20))
    np.savez(tmp_path / "set.npz", images=pixels[None])
    for source in (tmp_path, tmp_path / "set.npz"):
        left, right = (load_images(source, part=part).images[0] for part in ("left", "right"))
        np.testing.assert_array_equal(np.concatenate([left, right], axis=1), pixels)
        assert left.shape == (8, 10, 3)
    assert load_images(tmp_path, size=6, part="right").images.shape == (1, 6, 6, 3)
    save(tmp_path / "a.png", picture(8, 21))
    with pytest.raises(UserError, match="even width. Received: 21"):
        load_images(tmp_path, part="left")


def test_bytes_of_a_picture_are_upright_without_alpha():
    deep = np.full((4, 6, 4), 65535, np.uint16)
    deep[..., :3], deep[..., 3] = 257 * 100, 0
    image = as_bytes(Picture(deep), channels=1)
    assert (image.shape, image.dtype) == ((4, 6, 1), np.uint8)
    assert (image == 255).all()  # transparent: the white behind it


def test_floating_point_beyond_its_range_is_told_and_not_cut(tmp_path):
    for i, top in enumerate((1.0, 255.0, 1.03)):
        levels = np.linspace(0, top, 64 * 3, dtype=np.float32).reshape(8, 8, 3)
        cv2.imwrite(str(tmp_path / f"{i}.tif"), levels)
    found = load_images(tmp_path)
    assert len(found.images) == 2
    ((name, reason),) = found.skipped
    assert name == "1.tif"
    assert "in [0, 1]. Received: 0 to 255" in str(reason)
