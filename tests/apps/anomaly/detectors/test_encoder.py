import json

import numpy as np
import pytest
from gantools.apps.anomaly.detectors import efficientnet
from gantools.apps.anomaly.detectors.encoder import Encoder

from gantools.data.synthetic import SHAPES, shape_labels, shapes
from gantools.errors import UserError

pytestmark = pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")


def discs(n, channels=1, seed=0):
    """Return drawn discs and, apart, other shapes, float32 in [-1, 1]."""
    x = shapes(8 * n, 40, channels, seed).astype(np.float32) / 127.5 - 1
    round_ones = shape_labels(8 * n, seed) == SHAPES.index("disc")
    return x[round_ones][:n], x[~round_ones][:n]


@pytest.fixture(scope="module")
def fitted():
    return Encoder().fit(discs(50)[0], seed=1)


def test_other_shapes_score_higher(fitted):
    good, odd = (fitted.parts(x) for x in discs(20, seed=5))
    assert set(fitted.ranking) <= set(good)
    for name in fitted.ranking:
        assert good[name].shape == (20,) and good[name].dtype == np.float64
        area = np.mean(odd[name][:, None] > good[name][None])
        assert area > 0.8, (name, area)


def test_scores_depend_on_the_picture_alone(fitted):
    x = np.concatenate(discs(12, seed=6))
    x = np.concatenate([x, x[:1]])
    whole = fitted.parts(x)
    order = np.random.default_rng(0).permutation(len(x))
    mixed, alone = fitted.parts(x[order]), fitted.parts(x[20:21])
    for name, values in whole.items():
        np.testing.assert_allclose(mixed[name], values[order], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(alone[name][0], values[20], rtol=1e-5, err_msg=name)
        np.testing.assert_allclose(values[24], values[0], rtol=1e-5, err_msg=name)


def test_map_shows_where(fitted):
    x = discs(10, seed=7)[0]
    x[:, 28:36, 4:12] = 1.0
    maps = fitted.maps(x)
    assert maps.shape == (10, 40, 40) and maps.dtype == np.float32
    assert maps[:, 28:36, 4:12].mean() > 1.3 * maps[:, 4:12, 28:36].mean()
    assert fitted.restored(x) is None


def test_pictures_that_are_not_aligned_are_ranked_by_layers_of_all_depths(tmp_path):
    loose = {"alike": 0.0, "aligned": False, "scan": False}
    found = Encoder(traits=loose).fit(discs(50)[0], seed=1)
    assert set(found.ranking) == {
        "enc_whole_maha", "enc_wide_top", "enc_deep_top", "enc_deep_maha",
    }  # fmt: skip
    good, odd = (found.parts(x) for x in discs(20, seed=5))
    for name in found.ranking:
        assert np.mean(odd[name][:, None] > good[name][None]) > 0.8, name
    x = discs(10, seed=7)[0]
    x[:, 28:36, 4:12] = 1.0
    maps = found.maps(x)
    assert maps[:, 28:36, 4:12].mean() > 2 * maps[:, 4:12, 28:36].mean() and maps.min() >= 0
    assert [name for name, *_ in found.layers] == ["wide", "deep"]
    seen = np.concatenate([s["wide"] for _, s in found._looks(x, np.arange(10))])
    own = found._memories["wide"].score(seen.reshape(-1, seen.shape[-1])).reshape(10, -1)
    np.testing.assert_allclose(  # the oddest quarter of the places
        found.parts(x)["enc_wide_top"], np.sort(own)[:, -own.shape[1] // 4 :].mean(axis=1)
    )
    found.save(tmp_path)
    again = Encoder.load(tmp_path)
    assert np.array_equal(again.maps(x), maps) and again.layers == found.layers


def test_traits_are_taken_as_they_are_given(fitted):
    x = discs(12, seed=3)[0]
    found = Encoder.traits_of(x)
    assert set(found) == {"alike", "aligned", "scan"} and not found["scan"]
    given = found | {"aligned": not found["aligned"]}
    one, other = (Encoder(traits=traits).fit(x) for traits in (None, given))
    assert one.facts == {"side": 96, **found} and other.facts == {"side": 96, **given}
    assert one.ranking != other.ranking
    before = one.maps(x[:2])
    one.rescale(2.0)
    np.testing.assert_allclose(one.maps(x[:2]), before / 2, rtol=1e-6)


def test_groups_are_held_out_whole(monkeypatch):
    x, seen = np.repeat(discs(12, seed=3)[0], 3, axis=0), []
    monkeypatch.setattr(
        Encoder, "_described", lambda self, p, rows, progress, f=Encoder._described: (
            seen.append(p[rows]), f(self, p, rows, progress))[1],
    )  # fmt: skip
    Encoder().fit(x, groups=np.repeat(np.arange(12), 3))
    kept = {picture.tobytes() for picture in seen[0]}
    assert len(seen[0]) == 3 * len(kept) < 36


def test_a_saved_detector_scores_alike(fitted, tmp_path):
    fitted.save(tmp_path)
    again, x = Encoder.load(tmp_path), discs(5, seed=8)[1]
    for name, values in fitted.parts(x).items():
        assert np.array_equal(again.parts(x)[name], values), name
    assert np.array_equal(again.maps(x), fitted.maps(x))
    assert again.ranking == fitted.ranking
    settings = json.loads((tmp_path / "encoder.json").read_text())
    (tmp_path / "encoder.json").write_text(json.dumps({**settings, "weights": "others"}))
    with pytest.raises(UserError, match="another version"):
        Encoder.load(tmp_path)


def test_colour_pictures_and_nan():
    x = discs(12, channels=3)[0]
    shares = []
    found = Encoder(side=64).fit(x, progress=shares.append)
    assert shares[-1] == 1.0
    x = np.concatenate([x[:2], np.full_like(x[:1], np.nan)])
    for values in found.parts(x).values():
        assert np.isfinite(values[:2]).all() and np.isnan(values[2])


def test_parts_and_maps_are_those_of_each_alone(fitted):
    x = discs(6, seed=9)[1]
    parts, maps = fitted.parts_and_maps(x)
    assert np.array_equal(maps, fitted.maps(x)) and fitted.parts_and_maps(x, maps=False)[1] is None
    for name, values in fitted.parts(x).items():
        assert np.array_equal(parts[name], values), name


def test_errors(fitted):
    with pytest.raises(UserError, match="at least 10 normals. Received: 4"):
        Encoder().fit(discs(4)[0])
    with pytest.raises(UserError, match="1 or 3 channels. Received"):
        Encoder().fit(np.zeros((20, 32, 32, 2), np.float32))
    with pytest.raises(UserError, match="as fitted. Received"):
        fitted.parts(np.zeros((2, 32, 32, 1), np.float32))


def heads(n, seed):
    """Return bright ellipses of many sizes on black, `(n, 80, 80, 1)` in [-1, 1]."""
    random, made = np.random.default_rng(seed), []
    y, x = np.mgrid[-1:1:80j, -1:1:80j]
    for _ in range(n):
        wide, high = random.uniform(0.45, 0.8, 2)
        made.append(np.where((x / wide) ** 2 + (y / high) ** 2 < 1, random.uniform(-0.1, 0.1), -1))
    made = np.stack(made)[..., None]
    return np.where(made > -1, made + random.normal(0, 0.03, made.shape), -1).astype(np.float32)


def test_scans_are_ranked_by_the_oddest_place_within_the_object():
    found, good = Encoder().fit(heads(60, 0)), heads(20, 1)
    assert found.facts["scan"] and found.ranking == ("enc_near_few", "enc_wide_few")
    odd = good.copy()
    odd[:, 34:44, 40:50] = 0.9
    low, high = found.parts(good), found.parts(odd)
    assert np.mean(high["enc_near_few"][:, None] > low["enc_near_few"][None]) > 0.9
    maps = found.maps(odd)
    assert np.all(maps[:, 34:44, 40:50].mean(axis=(1, 2)) > maps[:, :8].mean(axis=(1, 2)))
    assert np.all(found.maps(good)[:, 0, 0] == 0)  # nothing is judged outside


def test_small_pictures_and_full_ones_are_no_scans(fitted):
    assert not fitted.facts["scan"]
    full = np.random.default_rng(0).uniform(-0.5, 0.5, (20, 80, 80, 1)).astype(np.float32)
    assert not Encoder().fit(full).facts["scan"]
