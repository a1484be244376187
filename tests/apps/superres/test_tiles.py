import numpy as np
import pytest
from gantools.apps.superres.engine import choose, open_engine
from gantools.apps.superres.tiles import bicubic, enlarged, grid

from gantools.data.resample import resize
from gantools.nets import plans


def whole(pixels, engine, radius, scale, largest):
    cut = grid(*pixels.shape[:2], radius, largest)
    return np.concatenate([band.copy() for band in enlarged(pixels, engine, cut, scale)])


@pytest.mark.parametrize("radius", [2, 11, 35])
@pytest.mark.parametrize("height", [1, 30, 63, 64, 65, 100, 129, 511, 1000])
def test_every_pixel_is_finished_once_with_enough_context(height, radius):
    width, largest = 150, 64
    cut = grid(height, width, radius, largest)
    assert cut.height <= max(largest, 4 * radius)
    seen = np.zeros((height, width), int)
    for band in cut.bands:
        assert len({(tile.top, tile.bottom, tile.y) for tile in band}) == 1
        for tile in band:
            seen[tile.top : tile.bottom, tile.left : tile.right] += 1
            assert tile.top < tile.bottom
            assert 0 <= tile.y <= height - cut.height
            assert 0 <= tile.x <= width - cut.width
            # Context on every side where the picture goes on, the tile's end where it does not.
            assert tile.top == 0 or tile.top - tile.y >= radius
            assert tile.left == 0 or tile.left - tile.x >= radius
            assert tile.bottom == height or tile.y + cut.height - tile.bottom >= radius
            assert tile.right == width or tile.x + cut.width - tile.right >= radius
            assert tile.top > 0 or tile.y == 0
            assert tile.bottom < height or tile.y + cut.height == height
    assert (seen == 1).all()


def test_a_small_picture_is_one_tile_of_its_own_size():
    cut = grid(37, 512, 11)
    assert (cut.height, cut.width) == (37, 512)
    assert len(cut.bands) == len(cut.bands[0]) == 1


def test_little_is_computed_twice():
    """One row of pixels more than a tile costs the context, not a second whole tile."""
    cut = grid(513, 512, 11)
    computed = sum(len(band) for band in cut.bands) * cut.height * cut.width
    assert computed < 1.2 * 513 * 512


def test_folders_of_many_sizes_share_few_shapes():
    shapes = {grid(height, 512, 11).height for height in range(600, 1600, 7)}
    assert len(shapes) <= 10


@pytest.mark.parametrize("scale", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tiled_equals_untiled_bit_for_bit(scale, dtype, make_network, picture):
    if "openvino" not in choose():
        pytest.skip("openvino is not installed")
    network = make_network(plans.fast(scale, width=16, blocks=2))
    pixels = picture(101, 133, dtype=dtype)
    engine, radius = open_engine(network, "openvino", deep=dtype != np.uint8), network.plan.radius
    expected = whole(pixels, engine, radius, scale, 1000)
    for largest in (32, 48, 64, 96):
        np.testing.assert_array_equal(whole(pixels, engine, radius, scale, largest), expected)


@pytest.mark.parametrize("name", ["onnxruntime", "opencv", "keras"])
def test_tiled_equals_untiled_elsewhere(name, make_network, picture):
    if name not in choose():
        pytest.skip(f"{name} is not installed")
    network = make_network(plans.fast(2, width=8, blocks=1))
    pixels, engine = picture(101, 133), open_engine(network, name)
    expected = whole(pixels, engine, network.plan.radius, 2, 1000).astype(int)
    difference = np.abs(whole(pixels, engine, network.plan.radius, 2, 48) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() <= 1e-5


def test_too_little_context_would_be_noticed(make_network, picture):
    """The tests above can fail: one pixel of context less, and the picture is another one."""
    network = make_network(plans.fast(2, width=8, blocks=1))
    pixels, engine = picture(101, 133), open_engine(network, "opencv", deep=True)
    pixels = pixels.astype(np.uint16) * 257
    expected = whole(pixels, engine, network.plan.radius, 2, 1000)
    assert (whole(pixels, engine, network.plan.radius - 1, 2, 48) != expected).any()


def test_deep_levels_are_not_quantised_to_8_bits(make_network, picture):
    network = make_network(gain=0)
    deep = picture(20, 24, dtype=np.uint16)
    made = whole(deep, open_engine(network, deep=True), network.plan.radius, 4, 512)
    exact = resize(deep.astype(np.float64), 4)
    assert np.abs(made - np.clip(exact, 0, 65535)).max() <= 1.1


@pytest.mark.parametrize("shape", [(19, 21), (9, 11, 3), (5, 5, 1)])
def test_bicubic_of_a_tile_is_the_middle_of_the_whole(shape):
    pixels = np.random.default_rng(0).random(shape)
    np.testing.assert_allclose(bicubic(pixels, 3), resize(pixels, 3)[12:-12, 12:-12], atol=1e-5)
