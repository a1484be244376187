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
    for channels in (1, 3):
        for item in items:
            out = loading.to_levels(reader.pixels(item), loading.Levels(channels))
            assert out.shape == (8, 8, channels) and out.dtype == np.float32


class Drawn:
    """Opens items that are pictures themselves."""

    def pixels(self, item):
        return item.facts[0]


def scans(background, count=10, series="s"):
    """Return items of bright discs, float32 levels of 0 to 1."""
    y, x = np.mgrid[:40, :40]
    disc, random = (y - 20) ** 2 + (x - 18) ** 2 < 150, np.random.default_rng(0)
    noise = random.normal(0, 0.02, (count, 40, 40))
    drawn = np.where(disc, 0.7, background) + noise
    drawn = [one.clip(0, 1).astype(np.float32)[..., None] for one in drawn]
    return [Item(None, str(i), series=series, facts=(one,)) for i, one in enumerate(drawn)], disc


def test_scans_on_black_are_masked_and_nothing_else_is():
    items, disc = scans(0.05)
    levels = loading.learn_levels(Drawn(), items)
    assert levels == loading.Levels(1, 0.0, 1.0, masked=True)
    pixels = items[0].facts[0].copy()
    pixels[2:5, 2:30] = 0.4  # a table, or text
    out = loading.to_levels(pixels, levels)
    plain = loading.to_levels(pixels, loading.Levels())
    assert (out[2:5] == -1).all() and (plain[2:5, 2:30] > -0.3).all()
    np.testing.assert_array_equal(out[disc], plain[disc])
    assert out.dtype == np.float32
    few = [*items[:8], *scans(0.5, 2)[0]]  # one in five without: nobody is masked
    for other in (few, scans(0.5)[0], scans(0.05, series="")[0]):
        assert not loading.learn_levels(Drawn(), other).masked
        grey = other[0].facts[0]
        again = loading.to_levels(grey, loading.learn_levels(Drawn(), other[:1] * 3 + other))
        assert not (again == -1).all(axis=2)[:5].all()
    assert loading.learn_levels(Drawn(), scans(0.05, series="")[0], scans=True).masked
    assert not loading.learn_levels(Drawn(), scans(0.5, series="")[0], scans=True).masked


@pytest.mark.parametrize("top", [200, 700, 1000, 4095, 65535])
def test_deep_scans_are_masked_whatever_levels_they_use(tmp_path, top):
    items, disc = scans(0.05, series="")
    for number, item in enumerate(items):
        drawn = (item.facts[0] * top).astype(np.uint16)
        items[number] = save(tmp_path, f"{number}.png", drawn)
    reader = loading.Reader()
    levels = loading.learn_levels(reader, items, scans=True)
    assert levels.masked and levels.high < 1.01 * top / 65535
    out = loading.to_levels(reader.pixels(items[0]), levels)
    assert (out[~cv2.dilate(disc.astype(np.uint8), None, iterations=3).astype(bool)] == -1).all()
    assert (out[disc] > -1).mean() > 0.95
    assert not loading.learn_levels(reader, items).masked


def test_alpha_lies_on_white():
    pixels = np.array([[[0, 0], [0, 255]]], np.uint8)
    out = loading.to_levels(pixels, loading.Levels())
    np.testing.assert_allclose(out[0, :, 0], [1, -1])


def test_not_a_number_is_refused():
    with pytest.raises(UserError, match="not numbers"):
        loading.to_levels(np.full((4, 4, 1), np.nan, np.float32), loading.Levels())


def test_channels_are_one_to_four():
    with pytest.raises(UserError, match="1 to 4 channels"):
        loading.to_levels(np.zeros((8, 8, 5), np.uint8), loading.Levels())


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


def test_masks(tmp_path):
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4, 3] = 255
    item = save(tmp_path, "a_mask.png", mask)
    found = loading.read_mask(Item(item.path, "a", mask=item.path))
    assert found.sum() == 2 and found.dtype == bool
    with pytest.raises(UserError, match="no mask"):
        loading.read_mask(item)


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_alpha_is_no_part_of_a_mask(tmp_path, mode):
    image = pytest.importorskip("PIL.Image")
    truth = np.zeros((8, 8), bool)
    truth[2:4, 3] = True
    drawn = image.fromarray(truth.astype(np.uint8) * 255).convert(mode)  # opaque everywhere
    drawn.save(tmp_path / "mask.png")
    found = loading.read_mask(Item(None, "a", mask=tmp_path / "mask.png"))
    np.testing.assert_array_equal(found, truth)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_a_mask_is_turned_as_its_picture_is(tmp_path, suffix):
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((6, 9), np.uint8)
    pixels[1:3, 2] = 255
    exif = image.Exif()
    exif[0x0112] = 6  # to be turned by a quarter
    for name in ("a", "mask"):
        image.fromarray(pixels).save(tmp_path / f"{name}.{suffix}", exif=exif)
    item = Item(tmp_path / f"a.{suffix}", "a", mask=tmp_path / f"mask.{suffix}")
    shown = loading.Reader().pixels(item)[..., 0] > 0
    assert shown.shape == (9, 6)
    np.testing.assert_array_equal(loading.read_mask(item), shown)


def test_a_reader_keeps_what_is_said_of_files(tmp_path):
    image = pytest.importorskip("PIL.Image")
    pages = [image.new("L", (16, 16), level) for level in (10, 20, 30)]
    pages[0].save(tmp_path / "a.tif", save_all=True, append_images=pages[1:])
    pages[1].save(tmp_path / "b.tif")
    reader = loading.Reader()
    for name in ("a.tif", "b.tif"):
        reader.pixels(Item(tmp_path / name, name))
    assert reader.notes == {"a.tif": ("Only the first of 3 pages is read.",)}
