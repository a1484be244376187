"""The terms of super-resolution games, against numbers made by hand and in NumPy."""

import numpy as np
import pytest
from keras import ops

from gantools.gans.likeness import artifacts, distance, flatness, local_variance, matching

pytestmark = pytest.mark.backends


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).uniform(0, 1, shape).astype("float32")


def number(x):
    return float(ops.convert_to_numpy(x))


def test_distance_and_matching_by_hand():
    a, b = (ops.convert_to_tensor(x, "float32") for x in ([1.0, 3.0], [2.0, 5.0]))
    assert number(distance(a, b)) == 1.5
    assert number(matching([a, 2 * a], [b, 2 * a])) == 0.75


def test_local_variance_is_that_of_the_49_pixels_around():
    x = pictures(1, 9, 8, 1)
    found = ops.convert_to_numpy(local_variance(x))
    assert found.shape == x.shape
    wide = np.pad(x[0, :, :, 0], 3, mode="reflect")
    for y, column in ((0, 0), (4, 4), (8, 7), (2, 6)):
        window = wide[y : y + 7, column : column + 7]
        assert found[0, y, column, 0] == pytest.approx(window.var(ddof=1), rel=1e-4)


def test_flatness_is_1_on_flat_areas_a_half_at_its_level_and_0_on_texture():
    flat = np.full((1, 8, 8, 3), 0.3, "float32")
    np.testing.assert_allclose(ops.convert_to_numpy(flatness(flat, 0.1)), 1, rtol=1e-3)
    x = pictures(1, 9, 8, 3)
    spread = ops.convert_to_numpy(local_variance(x))[0, 4, 4].mean()
    found = ops.convert_to_numpy(flatness(x, float(spread**0.5)))
    assert found.shape == (1, 9, 8, 1)
    assert found[0, 4, 4, 0] == pytest.approx(0.5, rel=1e-3)
    assert ops.convert_to_numpy(flatness(x, 0.001)).max() < 1e-3


def test_artifacts_are_weighed_as_the_formula_says():
    found, wanted, steady = (pictures(2, 8, 8, 3, seed=i) for i in range(3))
    wrong = np.abs(wanted - found).sum(-1, keepdims=True)
    less = np.abs(wanted - steady).sum(-1, keepdims=True)
    spread = ops.convert_to_numpy(local_variance(wrong))
    whole = wrong.reshape(2, -1).var(1).reshape(2, 1, 1, 1) ** 0.2
    weights = np.where(wrong < less, 0, whole * spread)
    expected = np.mean(weights * np.abs(wanted - found))
    assert number(artifacts(found, wanted, steady)) == pytest.approx(expected, rel=1e-4)
    assert 0 < (weights == 0).mean() < 1


def test_where_the_averaged_generator_is_worse_nothing_is_an_artifact():
    wanted = pictures(1, 8, 8, 3)
    better, worse = wanted + 0.1 * pictures(1, 8, 8, 3, seed=1), wanted + 2
    assert number(artifacts(better, wanted, worse)) == 0
    assert number(artifacts(worse + better, wanted, better)) > 0
