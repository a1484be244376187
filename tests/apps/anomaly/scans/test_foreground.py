import numpy as np
from gantools.apps.anomaly.scans.foreground import at_places, foreground, is_scan


def test_foreground_of_a_disc_and_of_a_texture():
    y, x = np.mgrid[:64, :64]
    disc = ((y - 30) ** 2 + (x - 34) ** 2 < 400) & ~((y - 30) ** 2 + (x - 34) ** 2 < 25)
    noise = np.random.default_rng(0).normal(0, 0.02, (64, 64))
    picture = (np.where(disc, 0.5, -0.98) + noise).clip(-1, 1).astype(np.float32)[..., None]
    found = foreground(picture)
    filled = (y - 30) ** 2 + (x - 34) ** 2 < 400
    assert (found == filled).mean() > 0.95  # a ring of one pixel is blurred in
    assert found[30, 34]  # the hole belongs to it
    texture = np.random.default_rng(1).uniform(-0.5, 0.5, (64, 64, 1)).astype(np.float32)
    assert foreground(texture).all()


def discs(count, side):
    """Return discs right of the middle on black, float32 `(n, side, side, 1)`."""
    y, x = np.mgrid[:side, :side] / side
    disc = (y - 0.5) ** 2 + (x - 0.6) ** 2 < 0.09
    return np.repeat(np.where(disc, 0.5, -1.0)[None, ..., None], count, axis=0).astype(np.float32)


def test_scans_are_large_and_nine_of_ten_lie_on_black():
    assert is_scan(discs(20, 64)) and not is_scan(discs(20, 63))
    some = discs(20, 64)
    some[:2] = 0.3
    assert is_scan(some)
    some[2] = 0.3
    assert not is_scan(some)


def test_places_lie_within_the_object_by_more_than_half():
    pictures = discs(3, 64)
    pictures[1], pictures[2] = 0.2, np.nan
    found = at_places(pictures, (8, 16))
    assert found.shape == (3, 8, 16) and found.dtype == bool
    assert found[1:].all()  # no background, no object: everything
    middle = np.argwhere(found[0]).mean(axis=0)
    np.testing.assert_allclose(middle, [3.5, 9.1], atol=0.5)
    assert found[0, 4, 5] and not found[0, 4, 4]  # its left end is at 4.8 of 16
