import json

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.crossfit import CrossCalibration

from gantools.errors import UserError


class Distance:
    """Distance from the mean of what it was fitted on."""

    def fit(self, x):
        self.centre = x.mean(axis=0)
        return self

    def score(self, x):
        return np.linalg.norm(x - self.centre, axis=1)


def cross_fit(x, folds=5):
    """Return `(detectors, calibration)`: one detector a fold of equal size, fitted without it."""
    number = np.arange(len(x)) % folds
    detectors = [Distance().fit(x[number != k]) for k in range(folds)]
    scores = [d.score(x[number == k]) for k, d in enumerate(detectors)]
    return detectors, CrossCalibration.fit(scores)


def test_few_normals_stay_valid():
    """40 normals: false alarms at most twice nominal (and near nominal), lowest p 1/41."""
    rng = np.random.default_rng(0)
    p = []
    for _ in range(60):
        x = rng.normal(size=(40, 3))
        detectors, calibration = cross_fit(x)
        new = rng.normal(size=(50, 3))
        p.append(calibration.p(np.stack([d.score(new) for d in detectors])))
    p = np.concatenate(p)
    for level in (0.05, 0.1, 0.2):
        assert 0.5 * level <= np.mean(p <= level) <= 1.3 * level
    far = np.stack([d.score(np.full((1, 3), 99.0)) for d in detectors])
    assert calibration.p(far)[0] == pytest.approx(1 / 41)
    assert "twice" in calibration.sentence() and "0.024" in calibration.sentence()


def test_worked_example_and_round_trip():
    calibration = CrossCalibration.fit([[1.0, 3.0], [2.0, 4.0]])
    scores = [[2.5, 0.0, np.nan], [2.5, 0.0, 1.0]]
    np.testing.assert_array_equal(calibration.p(scores), [3 / 5, 1, np.nan])
    again = CrossCalibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    np.testing.assert_array_equal(again.p(scores), calibration.p(scores))
    assert calibration.rule(0.2).rank == 1


def test_one_fold_is_refused():
    with pytest.raises(UserError, match="2 folds"):
        CrossCalibration.fit([[1.0]])
