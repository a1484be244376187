"""From files to tensors."""

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import loading
from gantools.apps.anomaly.items import Item

from gantools.errors import UserError


def save(folder, name, pixels):
    cv2.imwrite(str(folder / name), pixels)
    return Item(folder / name, name)


def test_eight_bits_use_the_whole_range(tmp_path):
    item = save(tmp_path, "a.png", np.array([[0, 255], [51, 102]], np.uint8))
    reader = loading.Reader()
    levels = loading.learn_levels(reader, [item])
    assert levels == loading.Levels(1, 0.0, 1.0)
    out = loading.to_levels(reader.pixels(item), levels)
    np.testing.assert_allclose(out[..., 0], [[-1, 1], [-0.6, -0.2]], atol=1e-6)


def test_sixteen_bits_use_constants_of_the_training_set_and_keep_their_levels(tmp_path):
    ramp = np.arange(4096, dtype=np.uint16).reshape(64, 64)  # 12 bits in 16
    items = [save(tmp_path, "a.png", ramp), save(tmp_path, "b.png", ramp // 2)]
    reader = loading.Reader()
    levels = loading.learn_levels(reader, items)
    assert 0 < levels.high < 4096 / 65535
    out = loading.to_levels(reader.pixels(items[0]), levels)
    assert len(np.unique(out)) > 3000
    half = loading.to_levels(reader.pixels(items[1]), levels)
    assert half.max() < 0.1  # not stretched by its own range


def test_colour_is_decided_by_content_of_most(tmp_path):
    draw = np.random.default_rng(0)
    grey = draw.integers(0, 255, (8, 8, 1), np.uint8).repeat(3, axis=2)
    colour = draw.integers(0, 255, (8, 8, 3), np.uint8)
    items = [save(tmp_path, "a.png", grey), save(tmp_path, "b.png", grey[..., 0]),
             save(tmp_path, "c.png", colour)]  # fmt: skip
    reader = loading.Reader()
    assert loading.learn_levels(reader, items).channels == 1
    assert loading.learn_levels(reader, items[2:]).channels == 3
    out = loading.load(reader, items, loading.Levels(1), 16)
    assert out.shape == (3, 16, 16, 1) and out.dtype == np.float32
    assert loading.load(reader, items, loading.Levels(3), 16).shape == (3, 16, 16, 3)


def test_alpha_lies_on_white():
    pixels = np.array([[[0, 0], [0, 255]]], np.uint8)
    out = loading.to_levels(pixels, loading.Levels())
    np.testing.assert_allclose(out[0, :, 0], [1, -1])


def test_not_a_number_is_refused():
    with pytest.raises(UserError, match="not numbers"):
        loading.to_levels(np.full((4, 4, 1), np.nan, np.float32), loading.Levels())


@pytest.mark.parametrize("shape", [(20, 40, 1), (40, 20, 3), (300, 100, 1), (32, 32, 1)])
def test_square_keeps_the_aspect_and_comes_back(shape):
    y = np.linspace(-1, 1, shape[0], dtype=np.float32)[:, None, None]
    picture = np.broadcast_to(y, shape).copy()
    out, place = loading.square(picture, 32)
    assert out.shape == (32, 32, shape[2])
    assert place.rows / place.columns == pytest.approx(shape[0] / shape[1], rel=0.1)
    back = loading.unsquare(out[..., 0], place)
    assert back.shape == shape[:2]
    assert np.abs(back - picture[..., 0]).mean() < 0.03


@pytest.mark.parametrize("shape", [(70, 50), (16, 16), (10, 40), (33, 64)])
def test_windows_cover_everything_and_blend_to_what_they_were(shape):
    picture = np.random.default_rng(0).normal(size=(*shape, 1)).astype(np.float32)
    corners = loading.window_corners(*shape, 16, 8)
    windows = loading.cut(picture, corners, 16)
    assert windows.shape[1:] == (16, 16, 1)
    out = loading.blend(windows[..., 0], corners, *shape)
    np.testing.assert_allclose(out, picture[..., 0], atol=1e-5)


def test_foreground_of_a_disc_and_of_a_texture():
    y, x = np.mgrid[:64, :64]
    disc = ((y - 30) ** 2 + (x - 34) ** 2 < 400) & ~((y - 30) ** 2 + (x - 34) ** 2 < 25)
    noise = np.random.default_rng(0).normal(0, 0.02, (64, 64))
    picture = (np.where(disc, 0.5, -0.98) + noise).clip(-1, 1).astype(np.float32)[..., None]
    found = loading.foreground(picture)
    filled = (y - 30) ** 2 + (x - 34) ** 2 < 400
    assert (found == filled).mean() > 0.95  # a ring of one pixel is blurred in
    assert found[30, 34]  # the hole belongs to it
    texture = np.random.default_rng(1).uniform(-0.5, 0.5, (64, 64, 1)).astype(np.float32)
    assert loading.foreground(texture).all()


def test_masks(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 3] = 255
    item = save(tmp_path, "a_mask.png", mask)
    found = loading.read_mask(Item(item.path, "a", mask=item.path))
    assert found.sum() == 2 and found.dtype == bool
    with pytest.raises(UserError, match="no mask"):
        loading.read_mask(item)


def test_arrays_are_read_by_index(tmp_path):
    x = np.random.default_rng(0).integers(0, 255, (5, 6, 7), np.uint8)
    np.savez(tmp_path / "a.npz", images=x)
    items = loading.array_items(tmp_path / "a.npz")
    np.testing.assert_array_equal(loading.Reader(items).pixels(items[3])[..., 0], x[3])
    np.save(tmp_path / "b.npy", x)
    items = loading.array_items(tmp_path / "b.npy")
    np.testing.assert_array_equal(loading.Reader(items).pixels(items[4])[..., 0], x[4])
    np.savez(tmp_path / "c.npz", strange=x)
    with pytest.raises(UserError, match="strange"):
        loading.array_items(tmp_path / "c.npz")
