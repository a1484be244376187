"""Maps of fresh normals are clear (C9), also of normals in groups and of pictures in windows."""

from functools import partial

import cv2
import numpy as np
from gantools.apps.anomaly import Detector, fitted, views
from gantools.apps.anomaly.detectors.auto import Auto
from gantools.apps.anomaly.detectors.simple import Simple

MOST = 0.002  # of the pixels of fresh normals may be coloured; 0.001 is wanted


def smooth(random, count, side, sigma=2):
    """Return smooth noise, `(n, side, side)`, with a standard deviation of 1."""
    made = [cv2.GaussianBlur(random.normal(size=(side, side)), (0, 0), sigma) for _ in range(count)]
    return np.stack(made) / np.std(made)


def groups_of(random, count, each, noise, side=32):
    """Return `(pictures uint8, names of groups)`: in each group near copies of one picture."""
    base = np.repeat(smooth(random, count, side), each, axis=0)
    pictures = base + noise * random.normal(size=base.shape)
    return np.clip(120 + 30 * pictures, 0, 255).astype(np.uint8), np.repeat(np.arange(count), each)


def coloured(detector, fresh):
    """Return the share of the pixels of fresh normals that a map colours."""
    return float(np.mean(detector.score(fresh, maps=True).maps > 1))


def test_references_with_groups():
    found = []
    for seed in range(2):
        random = np.random.default_rng(seed)
        pictures, groups = groups_of(random, 30, 10, 0.25)
        detector = Detector("references").fit(pictures, groups=groups)
        found.append(coloured(detector, groups_of(random, 40, 1, 0.25)[0]))
    assert np.mean(found) <= MOST
    learnt, fresh = (
        x[..., None].astype(np.float32) / 127.5 - 1
        for x in (pictures, groups_of(random, 40, 1, 0.25)[0])
    )
    assert np.mean(Simple().fit(learnt).maps(fresh) > 1) > 0.5  # held out one by one


def test_references_with_few_normals():
    random = np.random.default_rng(5)
    pictures, _ = groups_of(random, 40, 1, 0.25)
    detector = Detector("references").fit(pictures)
    assert len(detector.model.members) == 5
    assert coloured(detector, groups_of(random, 60, 1, 0.25)[0]) <= MOST


def test_references_with_windows(monkeypatch):
    monkeypatch.setattr(views, "choose", lambda *_, **__: views.View(views.WINDOWS, 32, 16))
    random = np.random.default_rng(1)
    pictures = groups_of(random, 120, 1, 0.1, 64)[0]
    assert coloured(Detector("references").fit(pictures[:90]), pictures[90:]) <= MOST


def test_a_detector_that_learns_with_groups_and_windows(monkeypatch):
    monkeypatch.setattr(fitted, "detector_class", lambda kind: partial(Auto, "tiny", steps=12))
    monkeypatch.setattr(views, "choose", lambda *_, **__: views.View(views.WINDOWS, 16, 8))
    random = np.random.default_rng(2)
    pictures, groups = groups_of(random, 40, 3, 0.1)
    detector = Detector("restorer").fit(pictures, groups=groups)
    assert coloured(detector, groups_of(random, 30, 1, 0.1)[0]) <= MOST
