import numpy as np
import pytest
from gantools.apps.anomaly.named import NAMES, Named

from gantools.data.synthetic import shapes
from gantools.errors import UserError


def pictures(n, seed=0):
    return shapes(n, 16, 1, seed).astype(np.float32) / 127.5 - 1


SLOW = [pytest.param(n, marks=pytest.mark.slow) for n in NAMES if n != "ganomaly"]


@pytest.mark.parametrize("name", ["ganomaly", *SLOW])
def test_fit_score_save_load(name, tmp_path):
    found = Named(name, "tiny", steps=6).fit(pictures(30), seed=3)
    x = pictures(4, seed=1)
    parts, maps = found.parts(x), found.maps(x)
    assert found.ranking[0] in parts
    assert maps.shape == (4, 16, 16) and np.isfinite(maps).all()
    assert found.restored(x).shape == x.shape
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
