import numpy as np
import pytest
from gantools.apps.anomaly.detectors.simple import RANKING, Simple

from gantools.errors import UserError


def smooth(count, seed=0, channels=1):
    import cv2

    random = np.random.default_rng(seed)
    rough = random.normal(0, 1, (count, 64, 48, channels)).astype(np.float32)
    made = np.stack([cv2.GaussianBlur(one, (0, 0), 6).reshape(64, 48, channels) for one in rough])
    return np.clip(made * 4, -1, 1).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_are_clear_on_normals_and_mark_what_is_strange(channels):
    found = Simple().fit(smooth(150, channels=channels))
    assert np.mean(found.maps(smooth(30, 1, channels)) > 1) < 0.02
    odd = smooth(1, 2, channels)
    odd[0, 20:32, 10:22] = np.tile([[1, -1], [-1, 1]], (6, 6))[..., None]
    odd[0, 20:32, 10:16] = 1
    heat = found.maps(odd)[0]
    assert heat.shape == (64, 48)
    y, x = np.unravel_index(heat.argmax(), heat.shape)
    assert 16 <= y <= 36 and 6 <= x <= 26
    assert found.parts(odd) == {}
    assert found.restored(odd) is None
    assert found.ranking == RANKING


def test_saved_it_draws_the_same(tmp_path):
    found = Simple().fit(smooth(40))
    found.save(tmp_path / "d")
    again = Simple.load(tmp_path / "d")
    np.testing.assert_array_equal(again.maps(smooth(3, 1)), found.maps(smooth(3, 1)))
    (tmp_path / "d" / "simple.json").write_text('{"schema": 99}')
    with pytest.raises(UserError, match="another version"):
        Simple.load(tmp_path / "d")
    with pytest.raises(UserError, match="holds no detector"):
        Simple.load(tmp_path / "e")


def test_groups_are_held_out_whole_and_the_level_can_be_set():
    x = np.repeat(smooth(20), 5, axis=0)
    alone, whole = Simple().fit(x), Simple().fit(x, groups=np.repeat(np.arange(20), 5))
    assert whole.level > 2 * alone.level  # held out one by one, each has copies in the fit
    before = whole.maps(x[:2])
    whole.rescale(0.5)
    np.testing.assert_allclose(whole.maps(x[:2]), 2 * before, rtol=1e-6)
