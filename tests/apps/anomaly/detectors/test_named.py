import numpy as np
import pytest
from gantools.apps.anomaly.detectors.named import Named
from gantools.apps.anomaly.settings import LITERATURE

from gantools.data.synthetic import shapes
from gantools.errors import UserError


def pictures(n, seed=0):
    return shapes(n, 16, 1, seed).astype(np.float32) / 127.5 - 1


SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in LITERATURE if n != "ganomaly"]


@pytest.mark.parametrize("name", ["ganomaly", *SLOW])
def test_fit_score_save_load(name, tmp_path):
    found = Named(name, "tiny", steps=6).fit(pictures(30), seed=3)
    x = pictures(4, seed=1)
    parts, maps = found.parts(x), found.maps(x)
    assert found.ranking[0] in parts
    assert maps.shape == (4, 16, 16) and np.isfinite(maps).all()
    assert found.restored(x).shape == x.shape
    found.rescale(2.0)
    np.testing.assert_allclose(found.maps(x), maps / 2, rtol=1e-5)
    maps = maps / 2
    found.save(tmp_path)
    again = Named.load(tmp_path)
    for part, values in again.parts(x).items():
        assert values.shape == (4,) and values.dtype == np.float64
        np.testing.assert_allclose(values, parts[part], rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(again.maps(x), maps, rtol=1e-4)


@pytest.mark.slow
def test_published_f_anogan_has_two_stages():
    settings = {"faithful": True, "batch": 4}
    found = Named("f_anogan", "tiny", steps=4, settings=settings).fit(pictures(30))
    assert [turn.name for turn in found.model.game.turns] == ["discriminator", "generator"]
    assert found.model.game.turns[0].repeats == 5
    assert np.isfinite(found.parts(pictures(2))["f_anogan"]).all()


def test_a_published_detector_keeps_the_papers_rate_and_its_score(tmp_path):
    settings = {"faithful": True, "batch": 4}
    found = Named("egbad", "tiny", steps=14, settings=settings).fit(pictures(24))
    rates = [float(one.learning_rate) for one in found.model.optimizer.parts.values()]
    np.testing.assert_allclose(rates, 1e-5)  # ours would have fallen
    x = pictures(3, seed=1)
    apart = np.abs(x - found.restored(x)).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(found.parts(x)["residual"], apart, rtol=1e-4)  # sums, not means
    found.save(tmp_path)
    again = Named.load(tmp_path)
    assert again.settings == settings
    np.testing.assert_allclose(again.parts(x)["egbad"], found.parts(x)["egbad"], rtol=1e-5)


@pytest.mark.parametrize("name", ["egbad", pytest.param("anogan", marks=pytest.mark.slow)])
def test_scoring_is_compiled_once(name, monkeypatch):
    from gantools.core import gradients

    made, compile_it = [], gradients.compiled
    monkeypatch.setattr(
        gradients, "compiled", lambda fn, state: made.append(fn) or compile_it(fn, state)
    )
    found = Named(name, "tiny", steps=2).fit(pictures(24))
    first, known = found.parts(pictures(3)), len(made)
    assert known in (1, 3)  # the search of AnoGAN has two more
    again = found.parts(pictures(3))
    found.maps(pictures(5))
    found.restored(pictures(1))
    assert len(made) == known
    for part, values in first.items():
        assert np.array_equal(again[part], values)


def test_a_picture_of_nan_has_no_score():
    found = Named("ganomaly", "tiny", steps=3).fit(pictures(24))
    x = np.concatenate([pictures(2), np.full((1, 16, 16, 1), np.nan, np.float32)])
    values = found.parts(x)["ganomaly"]
    assert np.isfinite(values[:2]).all() and np.isnan(values[2])


def test_errors(tmp_path):
    with pytest.raises(UserError, match="anogan, f_anogan, .* Received: 'deep'"):
        Named("deep")
    with pytest.raises(UserError, match="at least 20 normals"):
        Named("alad").fit(pictures(5))
    with pytest.raises(UserError, match="holds no detector 'named'"):
        Named.load(tmp_path)


def test_a_detector_of_other_networks_is_refused_in_a_sentence():
    """Networks follow the resolution, which those of before did not: their weights do not fit."""
    found = Named("ganomaly", "tiny", settings={"widths": (4, 8, 8)})
    found.shape, found.seed, found.level = (16, 16, 1), 0, np.float32(1)
    found.model = found._recipe().model(0)
    settings, arrays = found.__getstate__()
    again = Named.__new__(Named)
    again.__setstate__((settings, arrays))
    assert again.settings == {"widths": (4, 8, 8)}
    with pytest.raises(UserError, match="has other networks: .* differ in name or shape.*Fit it"):
        Named.__new__(Named).__setstate__(({**settings, "settings": {}}, arrays))
