import numpy as np
import pytest
from gantools.apps.anomaly.detectors.texture import PATTERNS, STRIDE, Texture


def noise(n, seed, blur=0, side=40):
    """Return noise, float32 `(n, side, side, 1)`, the mean of neighbours where blurred."""
    x = np.random.default_rng(seed).normal(0, 0.3, (n, side, side + blur, 1))
    x = sum(x[:, :, i : i + side] for i in range(blur + 1)) / np.sqrt(blur + 1)
    return np.clip(x, -1, 1).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    return Texture.fit(noise(200, 0), seed=0)


def test_another_texture_of_equal_brightness_and_contrast_is_odd(fitted):
    good, other = noise(10, 1), noise(10, 2)
    other[:, 16:32, 8:24] = noise(10, 3, blur=3)[:, 16:32, 8:24]
    for before, after in zip(fitted.score(good), fitted.score(other), strict=True):
        assert after.shape == (10, 10, 10)
        inside = after[:, 5:7, 3:5]
        assert np.median(inside) > np.quantile(before, 0.9)
        far = after[:, :2, 7:]  # the rest stays normal
        assert np.median(far) < np.quantile(before, 0.8)


def test_only_places_know_where_a_thing_belongs():
    x = noise(200, 4)
    x[:, :20] = noise(200, 5, blur=3)[:, :20]
    found = Texture.fit(x)
    turned = x[:8, ::-1].copy()
    (anywhere, places), (same, here) = found.score(turned), found.score(x[:8])
    assert places.mean() > 1.3 * here.mean()
    assert anywhere.mean() < 1.2 * same.mean()


def test_score_depends_on_the_picture_alone(fitted):
    x = noise(7, 6)
    whole = fitted.score(x)
    np.testing.assert_allclose(fitted.score(x[3:4])[:, 0], whole[:, 3], rtol=1e-9)
    np.testing.assert_allclose(fitted.score(x[::-1])[:, ::-1], whole, rtol=1e-9)


def test_arrays_make_it_again(fitted):
    again = Texture.from_arrays(fitted.arrays())
    assert np.array_equal(again.score(noise(3, 7)), fitted.score(noise(3, 7)))


def test_odd_sides_and_colour():
    x = np.random.default_rng(0).uniform(-1, 1, (40, 27, 30, 3)).astype(np.float32)
    found = Texture.fit(x)
    assert found.describe(x[:2]).shape == (2, -(-27 // STRIDE), -(-30 // STRIDE), 2 * PATTERNS + 1)
    assert np.isfinite(found.score(x[:2])).all()


def test_constant_pictures_bear_it():
    found = Texture.fit(np.zeros((20, 24, 24, 1), np.float32))
    assert np.isfinite(found.score(np.zeros((2, 24, 24, 1), np.float32))).all()
