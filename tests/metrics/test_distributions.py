import numpy as np
import pytest

from gantools.metrics.distributions import frechet_distance


def whitened(n, d, seed=0):
    """Return `(n, d)` vectors whose mean is 0 and whose covariance is I, up to rounding."""
    x = np.random.default_rng(seed).normal(size=(n, d))
    x -= x.mean(axis=0)
    return x @ np.linalg.inv(np.linalg.cholesky(np.cov(x, rowvar=False).reshape(d, d))).T


def psd_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values)) @ vectors.T


@pytest.mark.parametrize(("d", "scale"), [(1, 0.5), (4, 2.0), (16, 1.0)])
def test_scaled_and_moved_normal_distributions(d, scale):
    """N(0, I) and N(m, s^2 I): |m|^2 + d (1 - s)^2."""
    mean = np.linspace(-1, 2, d)
    a, b = whitened(200, d, 0), whitened(300, d, 1) * scale + mean
    expected = np.sum(mean**2) + d * (1 - scale) ** 2
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_covariances_that_do_not_commute():
    random = np.random.default_rng(2)
    roots = [random.normal(size=(3, 3)) for _ in range(2)]
    c, e = (r @ r.T for r in roots)
    a, b = (whitened(500, 3, i) @ r.T for i, r in enumerate(roots))
    inner = psd_root(c)
    expected = np.trace(c + e - 2 * psd_root(inner @ e @ inner))
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-8)
    assert expected > np.sum((np.sqrt(np.diag(c)) - np.sqrt(np.diag(e))) ** 2)


def test_equal_sets_have_none_even_with_fewer_vectors_than_features():
    a = np.random.default_rng(0).normal(size=(5, 20)).astype("float32")
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-5)
    assert frechet_distance(a, a + 3) == pytest.approx(20 * 9.0, rel=1e-5)


def test_the_estimate_is_too_high_with_few_vectors():
    draw = lambda n, seed: np.random.default_rng(seed).normal(size=(n, 8))
    few, many = (frechet_distance(draw(n, 0), draw(n, 1)) for n in (50, 5000))
    assert few > 5 * many > 0


@pytest.mark.parametrize("shapes", [((5, 2), (5, 3)), ((5,), (5,)), ((1, 2), (5, 2))])
def test_shapes_are_checked(shapes):
    with pytest.raises(ValueError, match="Received"):
        frechet_distance(*(np.zeros(s) for s in shapes))
