import numpy as np
import pytest
from gantools.apps.superres.upscaler import Upscaler
from gantools.apps.superres.views import COUNTS, Views


class Corner:
    """An engine that repeats pixels and marks the corner of what it sees."""

    scale = 2

    def __init__(self):
        self.shapes = set()

    def prepare(self, height, width):
        self.shapes.add((height, width))

    def run(self, tile):
        low = tile[4:-4, 4:-4]
        out = low.repeat(2, axis=0).repeat(2, axis=1)
        out[0, 0] = 80
        return out


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_each_view_is_turned_back(count, dtype):
    low = np.random.default_rng(0).integers(0, 60, (5, 9, 3)).astype(dtype)
    tile = np.pad(low, ((4, 4), (4, 4), (0, 0)), mode="symmetric")
    views = Views(Corner(), count)
    views.prepare(5, 9)
    assert views.engine.shapes == ({(5, 9)} if count < 8 else {(5, 9), (9, 5)})
    made = views.run(tile).astype(float)
    plain = low.repeat(2, axis=0).repeat(2, axis=1).astype(float)
    changed = np.argwhere((made != plain).any(axis=2))
    corners = {(0, 0), (9, 17), (0, 17), (9, 0)}
    assert {tuple(at) for at in changed} <= corners
    assert len(changed) == min(count, 4)


def test_a_network_without_preference_of_direction_is_left_as_it_is(make_network, picture):
    """Of bicubic alone all views are equal: their mean is the same up to rounding."""
    network, pixels = make_network(gain=0), picture(30, 41)
    one, eight = (
        np.concatenate([b.copy() for b in Upscaler(network, views=count).bands(pixels)])
        for count in (1, 8)
    )
    assert np.abs(one.astype(int) - eight).max() <= 1


def test_tiles_do_not_show_in_views_either(make_network, picture):
    network, pixels = make_network(), picture(90, 101)
    whole, tiled = (
        np.concatenate([b.copy() for b in Upscaler(network, views=8, largest=n).bands(pixels)])
        for n in (512, 48)
    )
    np.testing.assert_array_equal(whole, tiled)


@pytest.mark.parametrize(("level", "mean"), [(0, 0), (1, 2)])
def test_means_do_not_drift(level, mean):
    """Of eight whole numbers every eighth mean is a half: those go to the even neighbour."""

    class Counting(Corner):
        count = 0

        def run(self, tile):
            self.count += 1
            return np.full((4, 4, 3), level + self.count % 2, np.uint8)

    assert (Views(Counting(), 2).run(np.zeros((10, 10, 3), np.uint8)) == mean).all()
