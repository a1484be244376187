import numpy as np
import pytest
from gantools.apps.anomaly.detectors import references
from gantools.apps.anomaly.detectors.references import (
    REFERENCES,
    TABLE_REFERENCES,
    Forest,
    Knn,
    Mahalanobis,
    OneNumber,
    Pca,
    load,
    principal,
    save,
)

from gantools.errors import UserError
from gantools.metrics.detection import auroc


def ring(n, seed):
    """Normals on a ring in the first 2 of 4 dimensions, as small pictures `(n, 2, 2, 1)`."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, n)
    x = np.stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle], 1)
    return (x + 0.05 * rng.normal(size=(n, 4))).astype(np.float32).reshape(n, 2, 2, 1)


def off_ring(n, seed):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 2, 2, 1)).astype(np.float32)


@pytest.fixture(scope="module")
def fitted():
    return {name: make().fit(ring(200, 0)) for name, make in REFERENCES.items()}


@pytest.mark.parametrize("name", REFERENCES)
def test_score_depends_on_the_item_alone(fitted, name):
    """C2: not on batch size, order, or neighbours in the batch."""
    x = np.concatenate([ring(150, 1), off_ring(150, 2)])
    whole = fitted[name].score(x)
    assert whole.shape == (300,) and whole.dtype == np.float64 and np.isfinite(whole).all()
    single = np.concatenate([fitted[name].score(x[i : i + 1]) for i in range(300)])
    np.testing.assert_allclose(single, whole, rtol=1e-5, atol=1e-7)
    order = np.random.default_rng(0).permutation(300)
    np.testing.assert_allclose(fitted[name].score(x[order]), whole[order], rtol=1e-5, atol=1e-7)
    twice = fitted[name].score(np.repeat(x[:3], 100, axis=0))
    np.testing.assert_allclose(twice, np.repeat(whole[:3], 100), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", TABLE_REFERENCES)
def test_equal_rows_tie_to_the_last_bit_in_whatever_company(name):
    """Products in float32 gave up to a sixth of the rows another last bit at another place."""
    random = np.random.default_rng(0)
    row = TABLE_REFERENCES[name]().fit(random.normal(size=(300, 37)))
    x = random.normal(size=(500, 37)).astype(np.float32)
    whole = row.score(x)
    for count in (1, 3, 40, 257, 500):
        some = random.permutation(500)[:count]
        assert row.score(x[some]).tobytes() == whole[some].tobytes(), count


@pytest.mark.parametrize("name", REFERENCES)
def test_saved_and_loaded_scores_the_same(fitted, name, tmp_path):
    save(tmp_path / "d.npz", fitted[name])
    x = off_ring(50, 3)
    np.testing.assert_allclose(load(tmp_path / "d.npz").score(x), fitted[name].score(x), rtol=1e-6)
    assert [f.name for f in tmp_path.iterdir()] == ["d.npz"]


@pytest.mark.parametrize(
    ("name", "least"), [("knn5", 0.97), ("pca80", 0.8), ("mahalanobis", 0.85), ("forest", 0.85)]
)
def test_finds_what_is_off_the_ring(fitted, name, least):
    labels = np.r_[np.zeros(200), np.ones(200)]
    area = auroc(labels, fitted[name].score(np.concatenate([ring(200, 4), off_ring(200, 5)])))
    print(name, round(area, 3))
    assert area >= least  # the sign too: higher is more anomalous


def test_knn_equals_brute_force_and_scikit_learn():
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    normals, new = rng.normal(size=(300, 20)) + 1000, rng.normal(size=(600, 20)) + 1000
    normals, new = normals.astype(np.float32), new.astype(np.float32)
    distance, index = NearestNeighbors(n_neighbors=5).fit(normals).kneighbors(new)
    ours = Knn().fit(normals)
    # far from the origin: the fast product alone would be wrong in the third digit
    np.testing.assert_allclose(ours.score(new), distance.mean(axis=1), rtol=1e-4)
    assert np.mean(ours.nearest(new)[0] == index) > 0.999
    assert ours.score(normals)[0] > 0 and ours.nearest(normals)[1][:, 0].max() == 0


def test_knn_limit_and_few_normals():
    x = np.arange(40, dtype=np.float32)[:, None]
    assert len(Knn(limit=10).fit(x).normals) == 10
    assert Knn().fit(x[:3]).score(x[:1]) == pytest.approx([1.0])  # distances 0, 1, 2


def test_pca_equals_scikit_learn():
    from sklearn.decomposition import PCA

    rng = np.random.default_rng(0)
    for shape in ((200, 30), (30, 200)):  # by either product
        x = (rng.normal(size=shape) * np.linspace(3, 0.1, shape[1])).astype(np.float32)
        theirs = PCA(0.8, svd_solver="full").fit(x)
        residual = x - theirs.inverse_transform(theirs.transform(x))
        ours = Pca(0.8).fit(x)
        assert len(ours.axes) == theirs.n_components_
        np.testing.assert_allclose(ours.score(x), np.mean(residual**2, axis=1), rtol=1e-3)
        _, axes, variances = principal(x)
        np.testing.assert_allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-3)
        np.testing.assert_allclose(variances[:5], PCA(5).fit(x).explained_variance_, rtol=1e-3)


def test_wide_data_is_thinned(monkeypatch):
    monkeypatch.setattr(references, "WIDE", 40)
    x = np.random.default_rng(0).normal(size=(100, 60)).astype(np.float32)
    _, axes, _ = principal(x)
    assert axes.shape[0] <= 40


def test_mahalanobis_equals_scikit_learn():
    from sklearn.covariance import LedoitWolf

    rng = np.random.default_rng(0)
    x = (rng.normal(size=(150, 8)) @ rng.normal(size=(8, 8))).astype(np.float32)
    new = rng.normal(size=(40, 8)).astype(np.float32)
    expected = LedoitWolf().fit(x).mahalanobis(new)
    for components in (50, None):
        got = Mahalanobis(components).fit(x).score(new)
        np.testing.assert_allclose(got, expected, rtol=2e-3)


def test_forest_equals_scikit_learn():
    from sklearn.ensemble import IsolationForest

    x, new = ring(500, 0).reshape(500, 4), off_ring(300, 1).reshape(300, 4)
    theirs = -IsolationForest(n_estimators=100, random_state=3).fit(x).score_samples(new)
    np.testing.assert_allclose(Forest(100, seed=3).fit(x).score(new), theirs, rtol=1e-6)


def test_one_number():
    x = np.array([[0, 2], [0, 4], [0, 6]], np.float32)
    assert OneNumber("mean").fit(x).score(x).tolist() == [1, 0, 1]
    assert OneNumber("sd").fit(x).score(x).tolist() == [1, 0, 1]


@pytest.mark.parametrize("name", REFERENCES)
def test_constant_normals_do_not_break_it(name):
    detector = REFERENCES[name]().fit(np.ones((30, 2, 3), np.float32))
    strange = 3.0 * np.arange(6).reshape(2, 3)
    scores = detector.score(np.stack([np.ones((2, 3)), strange]).astype(np.float32))
    assert np.isfinite(scores).all() and scores[1] >= scores[0]


def test_unusable_input_is_refused(tmp_path):
    with pytest.raises(UserError, match="1 of 2"):
        Knn().fit(np.array([[1.0], [np.nan]]))
    (tmp_path / "x.npz").write_bytes(b"not a zip")
    for name in ("x.npz", "missing.npz"):
        with pytest.raises(UserError, match="no detector"):
            load(tmp_path / name)
