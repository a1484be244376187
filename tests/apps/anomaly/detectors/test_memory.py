import numpy as np
import pytest
from gantools.apps.anomaly.detectors.memory import (
    Cells,
    Gaussian,
    Nearby,
    Neighbours,
    top_mean,
    unit,
)
from sklearn.covariance import LedoitWolf
from sklearn.neighbors import NearestNeighbors


def rows(n, d=6, seed=0):
    random = np.random.default_rng(seed)
    return random.normal(size=(n, d)) @ random.normal(size=(d, d)) + 3


def test_gaussian_is_the_shrunken_mahalanobis_distance():
    x, y = rows(80), rows(20, seed=1)
    scale = x.std(axis=0)
    reference = LedoitWolf(assume_centered=True).fit((x - x.mean(axis=0)) / scale)
    expected = np.sqrt(reference.mahalanobis((y - x.mean(axis=0)) / scale))
    np.testing.assert_allclose(Gaussian.fit(x).score(y), expected, rtol=1e-9)


def test_gaussian_bears_constant_columns_and_few_rows():
    x = np.concatenate([rows(5), np.ones((5, 4))], axis=1)
    assert np.isfinite(Gaussian.fit(x).score(x)).all()


def test_neighbours_are_those_of_scikit_learn():
    x, y = rows(300), rows(40, seed=1)
    expected, _ = NearestNeighbors(n_neighbors=3).fit(x).kneighbors(y)
    np.testing.assert_allclose(Neighbours.fit(x).score(y), expected.mean(axis=1), rtol=1e-5)
    expected, _ = NearestNeighbors(n_neighbors=3, metric="cosine").fit(x).kneighbors(y)
    found = Neighbours.fit(x, cosine=True).score(y)
    np.testing.assert_allclose(found, expected.mean(axis=1), rtol=1e-4, atol=1e-7)


def test_neighbours_do_not_know_the_batch():
    memory, y = Neighbours.fit(rows(500), k=2), rows(70, seed=2)
    alone = np.concatenate([memory.score(row[None]) for row in y])
    np.testing.assert_allclose(memory.score(y), alone, rtol=1e-7)
    assert memory.score(y[:0]).shape == (0,)


def test_a_copy_has_distance_0_and_the_memory_is_bounded():
    x = rows(900).astype(np.float32)
    memory = Neighbours.fit(x, k=1, most=200, seed=3)
    assert memory.vectors.shape == (200, 6)
    assert np.sum(memory.score(x) == 0) == 200


@pytest.mark.parametrize("kind", [Gaussian, Neighbours])
def test_arrays_make_the_memory_again(kind):
    memory = kind.fit(rows(50))
    again = kind(**memory.arrays())
    assert np.array_equal(memory.score(rows(9, seed=1)), again.score(rows(9, seed=1)))


def test_cells_are_a_gaussian_a_place():
    random = np.random.default_rng(0)
    x = random.normal(size=(200, 3, 2, 5)) + np.arange(6).reshape(1, 3, 2, 1)
    cells = Cells.fit(x, components=5)
    score = cells.score(x)
    assert score.shape == (200, 3, 2)
    np.testing.assert_allclose(np.mean(score**2), 5, rtol=0.1)  # chi-square of 5 dimensions
    odd = x[:1].copy()
    odd[0, 2, 1] = x[0, 0, 0]  # normal elsewhere
    assert cells.score(odd)[0, 2, 1] > 3 * score[:, 2, 1].mean()
    again = Cells(**cells.arrays())
    assert np.array_equal(again.score(x), score)


def test_top_mean():
    values = np.arange(20).reshape(2, 10)
    np.testing.assert_array_equal(top_mean(values, 0.2), [8.5, 18.5])
    np.testing.assert_array_equal(top_mean(values, 0.01), [9, 19])
    np.testing.assert_array_equal(top_mean(values, 1.0), [4.5, 14.5])


def test_unit_keeps_zeros():
    found = unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(found, [[0.6, 0.8], [0, 0]])


def test_nearby_compares_with_the_same_place_of_the_most_alike():
    random = np.random.default_rng(0)
    wholes = np.repeat(np.eye(2), 30, axis=0) + random.normal(0, 0.01, (60, 2))
    cells = np.zeros((60, 5, 5, 3)) + np.repeat([0.0, 4.0], 30)[:, None, None, None]
    cells[:30, 1, 1] = 9.0  # only there, and only in the first kind
    memory = Nearby.fit(wholes, cells)
    query = np.zeros((3, 5, 5, 3))
    query[1, 2, 2] = 9.0  # one step from where the first kind has it
    query[2, 4, 4] = 9.0
    found = memory.score(np.eye(2)[[0, 0, 0]], query)
    assert found.shape == (3, 5, 5) and found.dtype == np.float64
    assert np.all(found[0] == 0) and found[1, 2, 2] == 0  # seen around
    np.testing.assert_allclose(found[2, 4, 4], 9 * np.sqrt(3))
    again = Nearby(**memory.arrays())
    assert np.array_equal(again.score(np.eye(2)[:1], query[2:]), found[2:])
    assert len(Nearby.fit(wholes, cells, most=10).cells) == 10


def test_nearby_knows_no_company_and_keeps_half_numbers():
    random = np.random.default_rng(1)
    wholes, cells = random.normal(size=(90, 7)), random.normal(size=(90, 6, 4, 5))
    memory = Nearby.fit(wholes[:60], cells[:60])
    half = Nearby.fit(wholes[:60], cells[:60].astype(np.float16))
    whole = memory.score(wholes[60:], cells[60:])
    alone = [memory.score(wholes[i : i + 1], cells[i : i + 1])[0] for i in range(60, 90)]
    assert np.array_equal(whole, alone)
    assert memory.cells.dtype == np.float32 and half.arrays()["cells"].dtype == np.float16
    np.testing.assert_allclose(half.score(wholes[60:], cells[60:]), whole, rtol=0.01)
