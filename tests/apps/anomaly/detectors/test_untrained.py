import cv2
import numpy as np
import pytest
from gantools.apps.anomaly.detectors import references, simple
from gantools.apps.anomaly.detectors.untrained import KERNEL, SLOPE, WIDTHS, Untrained

from gantools.metrics.detection import auroc


def textures(n, sigma, seed, channels=1):
    """Return `(n, 32, 32, channels)` in [-1, 1], all of one mean and one contrast."""
    random, made = np.random.default_rng(seed), []
    for _ in range(n):
        rough = cv2.GaussianBlur(random.normal(0, 1, (32, 32, channels)), (0, 0), sigma)
        rough = rough.reshape(32, 32, channels)
        made.append((rough - rough.mean()) / rough.std() / 4)
    return np.clip(np.stack(made), -1, 1).astype(np.float32)


def halved(x, kernel):
    """Return what one convolution gives, place by place, of one picture `(h, w, c)`."""
    side = -(-len(x) // 2)
    spare = max(2 * (side - 1) + KERNEL - len(x), 0)
    x = np.pad(x, ((spare // 2, spare - spare // 2),) * 2 + ((0, 0),))
    out = np.zeros((side, side, kernel.shape[1]))
    for i in range(side):
        for j in range(side):
            square = x[2 * i : 2 * i + KERNEL, 2 * j : 2 * j + KERNEL]
            out[i, j] = square.transpose(2, 0, 1).ravel() @ kernel
    return np.where(out > 0, out, SLOPE * out)


@pytest.mark.parametrize("channels", [1, 3])
def test_features_are_means_of_convolutions(channels):
    x = textures(30, 2, 0, channels)
    row = Untrained().fit(x)
    one, means = (x[0] - row.level) / row.spread, []
    for kernel in row.kernels:
        one = halved(one, kernel)
        means.append(one.mean(axis=(0, 1)))
    assert row.features(x).shape == (30, sum(WIDTHS))
    np.testing.assert_allclose(row.features(x[:1])[0], np.concatenate(means), rtol=2e-4, atol=1e-5)


def test_roughness_is_found_where_brightness_and_contrast_say_nothing():
    row = Untrained().fit(textures(200, 2.0, 0))
    x, labels = np.concatenate([textures(60, 2.0, 1), textures(60, 1.4, 2)]), np.arange(120) // 60
    assert auroc(labels, row.score(x)) > 0.95
    for which in ("mean", "sd"):
        blind = references.OneNumber(which).fit(textures(200, 2.0, 0))
        assert auroc(labels, blind.score(x)) < 0.8


def test_a_score_depends_neither_on_the_batch_nor_on_the_scale(tmp_path):
    x = textures(300, 2, 0)
    row = Untrained(seed=2).fit(x)
    alone = np.concatenate([row.features(one[None]) for one in x[:20]])
    assert np.array_equal(alone, row.features(x)[:20])
    shares = Untrained(seed=2).fit((x[..., 0] + 1) / 2)  # as thumbnails are measured
    np.testing.assert_allclose(shares.score((x[:9, ..., 0] + 1) / 2), row.score(x[:9]), rtol=1e-3)
    assert not np.allclose(Untrained(seed=3).fit(x).score(x[:9]), row.score(x[:9]), rtol=1e-2)
    references.save(tmp_path / "row.npz", row)
    assert np.array_equal(references.load(tmp_path / "row.npz").score(x), row.score(x))


def test_it_is_a_row_and_ranks_nothing():
    assert references.REFERENCES["untrained"] is Untrained
    assert "untrained" not in simple.RANKING and "untrained" not in references.TABLE_REFERENCES
