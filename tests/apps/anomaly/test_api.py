import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import Detector
from gantools.apps.anomaly.reporting import outputs

from gantools.errors import UserError


def tiles(count, seed=0, side=32):
    """Return smooth textures, uint8 `(n, side, side)`."""
    random = np.random.default_rng(seed)
    rough = [cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), 2) for _ in range(count)]
    return np.stack([np.clip(110 + 25 * r / r.std(), 0, 255) for r in rough]).astype(np.uint8)


def damaged(count, seed=1):
    pictures, random = tiles(count, seed), np.random.default_rng(seed)
    for one in pictures:
        y, x = random.integers(2, 18, 2)
        one[y : y + 11, x : x + 11] = random.integers(0, 256, (11, 11))
    return pictures


def blobs(count, seed=0, shift=0.0):
    random = np.random.default_rng(seed)
    x = random.normal(size=(count, 4))
    x[:, 3] = x[:, 0] + random.normal(0, 0.1, count) + shift
    return x


@pytest.fixture(scope="module")
def on_pictures():
    return Detector("references").fit(tiles(100))


@pytest.fixture(scope="module")
def on_rows():
    return Detector(fpr=0.1).fit(blobs(200))


def test_pictures(on_pictures, tmp_path):
    new = np.concatenate([tiles(20, 5), damaged(10)])
    found = on_pictures.score(new, maps=True)
    assert found.scores[20:].min() > np.median(found.scores[:20])
    assert found.p[20:].max() < np.median(found.p[:20])
    assert found.maps.shape == (30, 32, 32)
    assert found.flagged.dtype == bool
    assert not found.errors
    on_pictures.save(tmp_path / "model")
    again = Detector.load(tmp_path / "model").score(new)
    assert again.p.tobytes() == found.p.tobytes()
    assert on_pictures.facts["fit"] > 40


def test_every_map_comes_back_and_one_of_nothing_is_nan(monkeypatch):
    x = tiles(60).astype(np.float32)
    detector = Detector("references").fit(x)
    new = tiles(4, 5).astype(np.float32)
    new[1] = np.nan
    whole = detector.score(new, maps=True).maps
    monkeypatch.setattr(outputs, "MOST_KEPT", 2 * 32 * 32)
    found = detector.score(new, maps=True)
    assert np.isnan(found.maps).all(axis=(1, 2)).tolist() == [False, True, False, False]
    np.testing.assert_array_equal(found.maps, whole)
    assert list(found.errors) == [1]


@pytest.mark.parametrize("form", ["colour", "float", "16 bit"])
def test_pictures_of_any_form(form):
    plain = tiles(60)
    x = {
        "colour": np.stack([plain] * 3, -1) // np.array([1, 2, 3], np.uint8),
        "float": plain.astype(np.float64) / 7 - 3,
        "16 bit": plain.astype(np.uint16) * 200,
    }[form]
    found = Detector("references").fit(x).score(np.zeros_like(x[:2]) + x.max())
    assert np.all(found.p < 0.2)


def test_what_was_fitted_on_gets_no_p_and_says_so(on_pictures):
    found = on_pictures.score(tiles(3))
    assert np.isnan(found.p).all()
    assert not found.flagged.any()
    assert "fitted on" in found.errors[0]


def test_rows_higher_is_more_anomalous_and_small_p_too(on_rows):
    found = on_rows.score(np.concatenate([blobs(50, 1), blobs(20, 2, shift=5)]))
    assert found.scores[50:].min() > found.scores[:50].max()
    assert found.flagged[50:].all()
    assert found.p[50:].max() < found.p[:50].min() + 1e-12
    assert found.flagged[:50].mean() < 0.3
    assert np.all(found.adjusted >= found.p)


def test_frames_of_mixed_columns():
    random = np.random.default_rng(0)
    frame = {"size": random.normal(size=80), "kind": np.array(["a", "b"] * 40, object)}
    new = {"size": np.zeros(2), "kind": np.array(["a", "never seen"], object)}
    found = Detector().fit(frame).score(new)
    assert found.p[1] < found.p[0]


@pytest.mark.parametrize("count", [40, 400], ids=["folds", "held out"])
def test_a_row_of_few_levels_may_equal_fitted_ones(count):
    random = np.random.default_rng(0)
    levels = random.integers(0, 2, (count, 3)).astype(float)
    levels[0] = [7, 7, 7]
    found = Detector().fit(levels).score(np.array([[0.0, 1, 0], [7, 7, 7], [1, 0, 1]]))
    assert np.isfinite(found.p).tolist() == [True, False, True]
    assert found.errors == {1: "This row was fitted on or calibrated with: no p can be given."}


def test_groups_get_a_p():
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(80), 5)
    found = Detector().fit(random.normal(size=(400, 3)), groups=groups)
    new = np.r_[random.normal(size=(5, 3)), random.normal(8, 1, (5, 3))]
    scored = found.score(new, groups=["well"] * 5 + ["ill"] * 5)
    assert scored.groups["ill"][2] < scored.groups["well"][2]


def test_groups_are_names_or_nothing(on_rows):
    pd = pytest.importorskip("pandas")
    x, names = blobs(400), np.repeat(np.arange(80), 5)
    detector = Detector().fit(x, groups=names)
    unknown = [None, float("nan"), pd.NA, pd.NaT, np.nan]
    found = detector.score(blobs(10, 1), groups=[*unknown, *"aaaaa"])
    assert {name: items for name, (items, _, _) in found.groups.items()} == {"a": 5}
    for wrong in (["a"] * 9, ["a"] * 11):
        with pytest.raises(UserError, match=f"each of 10 items.*Received: {len(wrong)} names"):
            detector.score(blobs(10, 1), groups=wrong)
    for wrong in (names[:-1], [*names, 1]):
        with pytest.raises(UserError, match="each of 400 items"):
            Detector().fit(x, groups=wrong)
        with pytest.raises(UserError, match="each of 400 items"):
            Detector("references").fit(np.zeros((400, 8, 8)), groups=wrong)


def test_frames_that_are_no_tables_get_a_sentence(on_rows):
    pd = pytest.importorskip("pandas")
    with pytest.raises(UserError, match="'a' has 100, 'b' has 90"):
        Detector().fit({"a": np.zeros(100), "b": np.zeros(90)})
    with pytest.raises(UserError, match="Column 'a' is there 2 times"):
        Detector().fit(pd.DataFrame(np.zeros((100, 2)), columns=["a", "a"]))
    with pytest.raises(UserError, match="Column 'a' has cells of several values"):
        Detector().fit(pd.DataFrame({"a": [[1, 2]] * 100}))
    for nothing in (blobs(0), {}, pd.DataFrame({"x0": [], "x1": []})):
        with pytest.raises(UserError, match="at least one item to score"):
            on_rows.score(nothing)


def test_frames_with_missing_cells_of_pandas():
    pd = pytest.importorskip("pandas")
    random = np.random.default_rng(0)
    frame = pd.DataFrame({
        "size": random.normal(size=100), "word": pd.array(["x", None] * 50, "string"),
        "truth": pd.array([True, None] * 50, "boolean"), "one": pd.array([True] * 100, "boolean"),
    })  # fmt: skip
    new = frame.iloc[:4].assign(size=[0.1, 0.2, 0.3, 9])
    found = Detector().fit(frame).score(new)
    assert np.isfinite(found.p).all()
    assert found.p[3] < found.p[:3].min()


def test_a_row_counts_alone_as_among_others():
    random = np.random.default_rng(0)
    codes = ["01", "02", "1.0", "X1"]
    table = {"a": random.normal(size=300), "code": np.array(codes * 75, object)}
    new = {"a": np.zeros(4), "code": np.array(codes, object)}
    detector = Detector().fit(table)
    whole = detector.score(new)
    for i in range(4):
        alone = detector.score({name: values[i : i + 1] for name, values in new.items()})
        assert alone.p[0] == whole.p[i]
        assert alone.scores[0] == pytest.approx(whole.scores[i], abs=1e-6)


def test_each_copy_of_a_fitted_row_is_known_and_columns_have_no_order(on_rows):
    x = blobs(200)
    assert np.isnan(on_rows.score(np.concatenate([x[:3], x[:3]])).p).all()
    frame = {"b": x[:, 1], "a": x[:, 0]}
    detector = Detector().fit(frame)
    again = {"new": np.arange(200.0), "a": x[:, 0], "b": x[:, 1]}
    assert np.isnan(detector.score(again).p).all()


def test_mistakes_get_a_sentence(on_pictures, on_rows, tmp_path):
    with pytest.raises(UserError, match="not fitted"):
        Detector().score(blobs(3))
    with pytest.raises(UserError, match="14 normal rows are too few"):
        Detector().fit(blobs(14))
    with pytest.raises(UserError, match="2 normal pictures"):
        Detector().fit(tiles(2))
    with pytest.raises(UserError, match="fitted on a table"):
        on_rows.score(tiles(2))
    with pytest.raises(UserError, match="fitted on pictures"):
        on_pictures.score(blobs(2))
    with pytest.raises(UserError, match="Received: \\(3,\\)"):
        Detector().fit(np.zeros(3))
    with pytest.raises(UserError, match="holds no fitted model"):
        Detector.load(tmp_path)


def test_pyod_sign_and_threshold(on_rows):
    normal, odd = blobs(200), blobs(20, 2, shift=5)
    found = on_rows.as_pyod().fit(normal)
    assert found.decision_function(odd).min() > found.decision_function(blobs(50, 1)).max()
    assert found.predict(odd).tolist() == [1] * 20
    assert found.predict(blobs(200, 1)).mean() < 0.25
    assert found.labels_.mean() < 0.2
    np.testing.assert_array_equal(found.labels_, found.decision_scores_ >= found.threshold_)
    proba = found.predict_proba(odd)
    assert np.all(proba[:, 1] > 0.8)
    np.testing.assert_allclose(proba.sum(axis=1), 1)
    assert found.contamination == 0.1
    assert found.set_params(fpr=0.2).contamination == 0.2
    with pytest.raises(UserError, match="not fitted"):
        on_rows.as_pyod().predict(odd)


def test_sklearn_sign(on_rows):
    found = on_rows.as_sklearn().fit(blobs(200))
    odd, normal = blobs(20, 2, shift=5), blobs(200, 1)
    assert found.score_samples(odd).max() < found.score_samples(normal).min()
    assert found.predict(odd).tolist() == [-1] * 20
    assert np.mean(found.predict(normal) == -1) < 0.25
    np.testing.assert_array_equal(found.predict(normal) == -1, found.decision_function(normal) < 0)
    np.testing.assert_array_equal(
        found.decision_function(odd), found.score_samples(odd) - found.offset_
    )
    same = on_rows.score(odd).scores
    np.testing.assert_allclose(found.score_samples(odd), -same, rtol=1e-6)


@pytest.mark.parametrize(("count", "fpr"), [(800, 0.01), (800, 0.1), (40, 0.1), (40, 0.001)])
def test_ties_with_held_out_normals_are_no_outliers(count, fpr):
    """Rows of few levels have equal scores: whoever flags all of a tie flags too many."""

    def levels(n, seed):
        return np.random.default_rng(seed).integers(0, 3, (n, 2)).astype(float)

    plain, new = Detector(fpr=fpr).fit(levels(count, 0)), levels(4000, 1)
    found = plain.score(new)
    pyod = plain.as_pyod().fit(levels(count, 0))
    sklearn = plain.as_sklearn().fit(levels(count, 0))
    border = np.sort(plain.model.judge.normal_scores)[-max(1, int(fpr * (count / 4 + 1)))]
    assert count < 60 or (found.scores == border).mean() > 0.02  # a tie that would be flagged
    assert pyod.predict(new).mean() <= fpr
    assert np.mean(sklearn.predict(new) == -1) <= fpr
    odd = levels(20, 2) + 50
    if fpr * count >= 4:
        assert pyod.predict(odd).all() and (sklearn.predict(odd) == -1).all()


def test_in_a_pipeline_and_a_grid_search(on_rows):
    from sklearn.model_selection import GridSearchCV, StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    x = np.concatenate([blobs(120), blobs(12, 2, shift=5)])
    y = np.r_[np.ones(120), -np.ones(12)]
    pipe = make_pipeline(StandardScaler(), on_rows.as_sklearn())
    assert pipe.fit(x[:120]).predict(x[120:]).tolist() == [-1] * 12
    grid = {"anomalydetector__without": [(), ("forest",)]}
    folds = StratifiedKFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(pipe, grid, scoring="roc_auc", cv=folds, error_score="raise").fit(x, y)
    assert search.best_score_ > 0.8


def test_the_example_of_the_readme_runs(capsys):
    readme = Path(__file__).resolve().parents[3] / "apps" / "anomaly" / "README.md"
    (block,) = re.findall(r"```python\n(.*?)```", readme.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(block, "README.md", "exec"), {})
    assert capsys.readouterr().out.strip().endswith("[False  True]")


@pytest.mark.slow
def test_check_estimator(on_rows):
    from sklearn.utils.estimator_checks import check_estimator

    check_estimator(on_rows.as_sklearn(), on_skip=None)
