import cv2
import numpy as np
import pytest

from gantools.metrics.patches import pyramid, sliced_wasserstein


def texture(seed=0, shape=(160, 200)):
    return cv2.GaussianBlur(np.random.default_rng(seed).normal(128, 60, shape), (0, 0), 0.8)


def test_the_pyramid_gives_the_picture_back():
    y = texture().astype(np.float32)
    fine, middle, rest = pyramid(y)
    once = middle + cv2.pyrUp(rest, dstsize=middle.shape[::-1])
    again = fine + cv2.pyrUp(once, dstsize=fine.shape[::-1])
    np.testing.assert_allclose(again, y, atol=1e-3)


def test_equal_is_zero_and_worse_is_farther():
    true = texture()
    assert sliced_wasserstein(true, true) == 0
    distances = [sliced_wasserstein(cv2.GaussianBlur(true, (0, 0), s), true) for s in (0.5, 1, 2)]
    assert 0 < distances[0] < distances[1] < distances[2]
    assert sliced_wasserstein(true, true + 1) != sliced_wasserstein(true, true)


def test_texture_counts_and_not_its_place():
    """Another sample of the same texture is nearer than a blurred picture, unlike in PSNR."""
    true, other, blurred = texture(), texture(1), cv2.GaussianBlur(texture(), (0, 0), 1)
    assert np.mean((other - true) ** 2) > 2 * np.mean((blurred - true) ** 2)
    assert sliced_wasserstein(other, true) < 0.5 * sliced_wasserstein(blurred, true)


def test_contrast_is_not_normalised_away():
    """Twice the deviation in each direction: E|z| = 0.8 of a deviation, times the patch's size."""
    rng = np.random.default_rng(0)
    true = rng.normal(0, 20, (300, 300))
    assert sliced_wasserstein(128 + 2 * true, 128 + true) == pytest.approx(800, rel=0.1)


def test_the_seed_decides_and_mistakes_are_told():
    a, b = texture(), texture(1)
    assert sliced_wasserstein(a, b, seed=3) == sliced_wasserstein(a, b, seed=3)
    assert sliced_wasserstein(a, b, seed=3) != sliced_wasserstein(a, b, seed=4)
    assert np.isnan(sliced_wasserstein(a[:9, :9], b[:9, :9]))
    with pytest.raises(ValueError, match="one size"):
        sliced_wasserstein(a, b[1:])
