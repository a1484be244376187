import numpy as np
import pytest
from keras import ops

from gantools.core.similarity import C1, C2, ssim

pytestmark = pytest.mark.backends


def slow(a, b):
    """Return the mean similarity over all 7x7 windows, written as the formula reads."""
    found = []
    for y in range(a.shape[0] - 6):
        for x in range(a.shape[1] - 6):
            p, q = a[y : y + 7, x : x + 7].ravel(), b[y : y + 7, x : x + 7].ravel()
            both = np.mean((p - p.mean()) * (q - q.mean()))
            top = (2 * p.mean() * q.mean() + C1) * (2 * both + C2)
            found.append(top / ((p.mean() ** 2 + q.mean() ** 2 + C1) * (p.var() + q.var() + C2)))
    return np.mean(found)


def test_equals_the_formula():
    random = np.random.default_rng(0)
    a = random.uniform(-1, 1, (3, 12, 10, 2)).astype("float32")
    b = np.clip(a + random.normal(0, 0.3, a.shape), -1, 1).astype("float32")
    found = ops.convert_to_numpy(ssim(a, b))
    expected = [
        np.mean([slow(x[..., c], y[..., c]) for c in (0, 1)]) for x, y in zip(a, b, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_equal_pictures_have_1_and_opposite_ones_less():
    a = np.random.default_rng(1).uniform(0, 1, (2, 9, 9, 1)).astype("float32")
    np.testing.assert_allclose(ops.convert_to_numpy(ssim(a, a)), 1.0, atol=1e-5)
    assert (ops.convert_to_numpy(ssim(a, 1 - a)) < -0.5).all()  # like means, opposite patterns
