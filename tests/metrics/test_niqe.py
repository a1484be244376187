"""NIQE on pictures and distributions whose answer is known."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from gantools.data.pictures import read
from gantools.data.resample import resize
from gantools.metrics import niqe as measure
from gantools.metrics.niqe import asymmetric, features, fitted, niqe, normalised

EVAL = Path(__file__).parents[3] / "shared/data/sr/eval/B100"


def leaves(seed, side=288):
    """Return discs of random sizes and greys over each other: the spectrum of a photograph."""
    rng, y = np.random.default_rng(seed), np.full((side, side), 128, np.float32)
    for _ in range(1200):
        x, z, r = rng.integers(0, side), rng.integers(0, side), int(3 / rng.uniform(0.05, 1))
        cv2.circle(y, (int(x), int(z)), r, float(rng.uniform(0, 255)), -1, cv2.LINE_AA)
    return np.clip(y + rng.normal(0, 2, y.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("shape", "left", "right"), [(2, 1, 1), (1, 1, 1), (0.7, 2, 0.5)])
def test_the_distribution_that_was_drawn_is_found(shape, left, right):
    rng = np.random.default_rng(0)
    size = rng.gamma(1 / shape, 1, (3, 200_000)) ** (1 / shape)
    negative = rng.random(size.shape) < left / (left + right)
    found = asymmetric(np.where(negative, -left * size, right * size))
    mean = (right - left) * size.mean()
    for values, wanted in zip(found, (shape, left, right, mean), strict=True):
        assert values == pytest.approx(wanted, rel=0.05, abs=0.02)


def test_a_flat_block_is_no_error():
    assert all(np.isfinite(values).all() for values in asymmetric(np.zeros((2, 9))))
    assert np.isfinite(niqe(np.full((200, 200, 3), 77, np.uint8)))


def test_the_normalised_map_is_the_formula():
    y = leaves(0, 40).astype(np.float32)
    map_, deviation = normalised(y)
    line = np.exp(-((np.arange(7) - 3.0) ** 2) / (2 * (7 / 6) ** 2))
    window = np.outer(line, line) / line.sum() ** 2
    part = y[17:24, 12:19]
    mean = (part * window).sum()
    spread = np.sqrt((window * (part - mean) ** 2).sum())
    assert deviation[20, 15] == pytest.approx(spread, rel=1e-3)
    assert map_[20, 15] == pytest.approx((y[20, 15] - mean) / (spread + 1), rel=1e-3, abs=1e-3)


def test_features_are_of_whole_blocks():
    found, sharpness = features(leaves(1, 200))
    assert found.shape == (4, 36)
    assert sharpness.shape == (4,)
    assert np.isfinite(found).all()
    assert features(leaves(1, 95))[0].shape == (0, 36)
    assert np.isnan(niqe(leaves(1, 95)))
    assert niqe(leaves(1, 100)) > 0  # one block has no covariance of its own


def test_damage_is_farther_from_what_was_learnt():
    mean, covariance, blocks = fitted(leaves(seed) for seed in range(24))
    assert blocks > 100
    model = mean, covariance
    seen = leaves(99)
    blurred = cv2.GaussianBlur(seen, (0, 0), 1.5)
    jpeg = cv2.imdecode(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], 0)
    noisy = np.clip(seen + np.random.default_rng(0).normal(0, 25, seen.shape), 0, 255)
    good = niqe(seen, model)
    assert all(niqe(bad, model) > 1.3 * good for bad in (blurred, jpeg, noisy))


def test_the_distance_is_the_formula(monkeypatch):
    """Two models of one mean: the distance shrinks as the root of the covariance."""
    picture = leaves(3)
    found, _ = features(picture)
    mean, own = found.mean(axis=0) + 0.5, np.cov(found, rowvar=False)
    inverse = np.linalg.pinv((np.eye(36) + own) / 2)
    gap = np.full(36, 0.5)
    assert niqe(picture, (mean, np.eye(36))) == pytest.approx(np.sqrt(gap @ inverse @ gap))


def test_the_shipped_model_is_a_normal_distribution():
    stored = json.loads(measure.MODEL.read_text())
    assert stored["format"] == "gantools-niqe-1"
    assert stored["blocks"] > 1000
    assert (stored["block"], stored["sharp"]) == (measure.BLOCK, measure.SHARP)
    mean, covariance = measure._model()
    assert mean.shape == (36,)
    assert (covariance == covariance.T).all()
    assert np.linalg.eigvalsh(covariance).min() > 0


@pytest.mark.slow
@pytest.mark.skipif(not EVAL.is_dir(), reason="needs ../shared/data/sr")
def test_the_shipped_model_orders_photographs_and_their_damage():
    """On pictures that it was not fitted on."""
    figures = []
    for path in sorted(EVAL.iterdir())[:10]:
        seen = read(path).pixels
        blurred = cv2.GaussianBlur(seen, (0, 0), 1)
        jpeg = cv2.imdecode(cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1)
        small = resize(resize(seen, 1 / 4), size=seen.shape[:2])
        figures.append([niqe(one) for one in (seen, jpeg, blurred, small)])
    sharp, jpeg, blurred, small = np.mean(figures, axis=0)
    assert sharp < jpeg < blurred < small
    assert small > 2 * sharp
