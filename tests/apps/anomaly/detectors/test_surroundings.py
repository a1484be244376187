import numpy as np
import pytest
from gantools.apps.anomaly.detectors import surroundings
from gantools.apps.anomaly.detectors.memory import top_mean
from gantools.apps.anomaly.detectors.surroundings import Surroundings

from .heads import heads, lesions


@pytest.fixture(scope="module")
def fitted():
    return Surroundings.fit(heads(80, 0))


def test_a_lesion_of_another_texture_is_the_oddest_place(fitted):
    odd, rows = lesions(20, 1)
    high, low = fitted.score(odd), fitted.score(heads(20, 2))
    assert high.shape == (20, 32, 32) and high.dtype == np.float64
    area = np.mean(top_mean(high, 1 / 16)[:, None] > top_mean(low, 1 / 16)[None])
    assert area > 0.95
    oddest = [np.unravel_index(one.argmax(), one.shape) for one in high]
    assert np.all((np.array(oddest) >= rows.start // 4 - 1) & (np.array(oddest) <= rows.stop // 4))


def test_nothing_is_odd_outside_of_the_head(fitted):
    x = heads(6, 3)
    corner = np.random.default_rng(0).uniform(-1, -0.9, (6, 128, 20, 1))
    x[:, :, :20] = corner
    apart = fitted.score(x)
    assert np.all(apart[:, :, :4] == 0)
    assert np.all(apart[:, 14:18, 14:18] > 0)


def test_a_picture_that_fills_its_frame_is_judged_everywhere(fitted):
    full = np.random.default_rng(5).uniform(-0.5, 0.5, (2, 128, 128, 1)).astype(np.float32)
    black = np.full((1, 128, 128, 1), -1, np.float32)
    apart = fitted.score(np.concatenate([full, black]))
    assert np.isfinite(apart).all()
    assert apart[:2].min() > np.median(fitted.score(heads(5, 6)))


def test_scores_depend_on_the_picture_alone_and_nan_stays_where_it_is(fitted):
    x = np.concatenate([heads(5, 7), lesions(3, 8)[0]])
    whole = fitted.score(x)
    assert np.array_equal(fitted.score(x[::-1])[::-1], whole)
    assert np.array_equal(fitted.score(x[6:7])[0], whole[6])
    x[2] = np.nan
    again = fitted.score(x)
    assert np.isnan(again[2]).any() and np.array_equal(
        np.delete(again, 2, 0), np.delete(whole, 2, 0)
    )


def test_arrays_make_it_again(fitted):
    x, kept = heads(3, 9), fitted.arrays()
    again = Surroundings.from_arrays(kept)
    assert np.array_equal(again.score(x), fitted.score(x))
    assert kept["nearby/cells"].dtype == np.float16


def test_what_is_kept_is_bounded(monkeypatch):
    x = heads(12, 10)
    monkeypatch.setattr(surroundings, "MOST_BYTES", 5 * 32 * 32 * 32 * 2 + 1)
    assert len(Surroundings.fit(x).nearby.cells) == 5
    colour = np.repeat(x[:, :100, :90], 3, axis=3)
    found = Surroundings.fit(colour)
    assert found.score(colour[:2]).shape == (2, 25, 23)
