import numpy as np
import pytest
from gantools.apps.superres.family import Family
from gantools.apps.superres.upscaler import Upscaler, enlarged_metadata

from gantools.data import tags
from gantools.data.pictures import Metadata, Picture
from gantools.data.resample import resize
from gantools.errors import UserError
from gantools.nets import plans


def run(upscaler, pixels, size=None):
    return np.concatenate([band.copy() for band in upscaler.bands(pixels, size)])


@pytest.fixture
def two(make_network):
    """Return a family of x2 and x4 whose networks do nothing: bicubic, or near it."""
    made = {s: make_network(plans.fast(s, width=8, blocks=1), gain=0) for s in (2, 4)}
    return Family("two", {s: lambda s=s: made[s] for s in made})


@pytest.mark.parametrize(
    "size", [(90, 120), (61, 80), (200, 170), (400, 500), (350, 640), (960, 1280)]
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_any_size_is_near_the_exact_enlargement(size, dtype, two, picture):
    pixels = picture(60, 80, dtype=dtype)
    made = run(Upscaler(two, projection=False), pixels, size)
    assert made.shape == (*size, 3)
    expected = np.clip(resize(pixels.astype(np.float64), size=size), 0, np.iinfo(dtype).max)
    assert np.abs(made - expected).mean() < 0.012 * np.iinfo(dtype).max


@pytest.mark.parametrize("size", [None, (150, 200), (240, 320), (301, 467)])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_tiles_never_show(size, channels, make_network, picture):
    """Same numbers whatever the tiles: also across two networks and a last reduction."""
    made = {s: make_network(plans.fast(s, width=8, blocks=1), gain=0.1) for s in (2, 4)}
    family = Family("two", {s: lambda s=s: made[s] for s in made})
    pixels = picture(60, 80, channels)
    expected = run(Upscaler(family), pixels, size)
    for largest in (32, 44, 64):
        np.testing.assert_array_equal(
            run(Upscaler(family, largest=largest), pixels, size), expected
        )


def test_threads_do_not_show(make_network, picture):
    network, pixels = make_network(gain=0.1), picture(60, 80)
    expected = run(Upscaler(network, threads=1), pixels, (150, 200))
    np.testing.assert_array_equal(run(Upscaler(network, threads=2), pixels, (150, 200)), expected)


@pytest.mark.parametrize("size", [None, (120, 150), (100, 300)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_wrapped_textures_have_no_edge(size, channels, make_network, picture):
    """Nine copies of the texture, enlarged as one picture, have the wrapped result inside."""
    network, pixels = make_network(gain=0.1), np.maximum(picture(40, 50, channels), 1)
    made = run(Upscaler(network, wrap=True), pixels, size)
    height, width = made.shape[:2]
    nine = run(Upscaler(network), np.tile(pixels, (3, 3, 1)), (3 * height, 3 * width))
    inside = nine[height : 2 * height, width : 2 * width]
    assert np.abs(made.astype(int) - inside).max() <= 1
    assert (made != inside).mean() < 0.001
    plain = run(Upscaler(network), pixels, size)
    assert np.abs(plain.astype(int) - inside).max() > 3


def test_floating_point_keeps_its_range(two, picture):
    pixels = picture(40, 50).astype(np.float32) / 255
    made = run(Upscaler(two, projection=False), pixels)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, np.clip(resize(pixels, 4), 0, 1), atol=1e-4)
    wide = pixels * 3 - 1
    made = run(Upscaler(two, projection=False), wide)
    np.testing.assert_allclose(made, np.clip(resize(wide, 4), wide.min(), wide.max()), atol=1e-3)
    assert len(np.unique(made)) > 10_000  # not quantised


def test_floating_point_that_is_no_number(two):
    for value in (np.nan, np.inf):
        pixels = np.zeros((9, 9, 3), np.float32)
        pixels[4, 4] = value
        with pytest.raises(UserError, match="no numbers"):
            run(Upscaler(two), pixels)


def test_a_very_wide_picture_gets_flat_bands(make_network):
    upscaler = Upscaler(make_network())
    cut = upscaler.grid(2000, 60_000)
    rows = max(row[0].bottom - row[0].top for row in cut.bands)
    assert 16 * rows * 60_000 * 3 < 200e6
    made = list(Upscaler(make_network(gain=0)).bands(np.zeros((3, 16_000, 3), np.uint8)))
    assert sum(len(band) for band in made) == 12


def test_metadata_tell_the_new_size():
    exif = tags.block({256: tags.long(50), 257: tags.long(40), 282: tags.rational(72)})
    old = Picture(np.zeros((40, 50, 3), np.uint8), Metadata(exif=exif, density=(72, 36)))
    new = enlarged_metadata(old, (40, 50), (100, 200))
    found = tags.read(new.exif)
    assert (tags.number(found, 256), tags.number(found, 257)) == (200, 100)
    assert tags.number(found, 282) == 288
    assert new.density == (288, 90)
