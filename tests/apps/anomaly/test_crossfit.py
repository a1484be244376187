import json

import numpy as np
import pytest
from gantools.apps.anomaly.crossfit import CrossCalibration, cross_fit, fold_numbers

from gantools.errors import UserError


class Distance:
    """Distance from the mean of what it was fitted on."""

    def fit(self, x):
        self.centre = x.mean(axis=0)
        return self

    def score(self, x):
        return np.linalg.norm(x - self.centre, axis=1)


def test_folds_keep_units_together_and_are_even():
    units = [f"patient{i // 3}" for i in range(60)]
    number = fold_numbers(units, 5)
    assert {len(set(number[i : i + 3])) for i in range(0, 60, 3)} == {1}
    assert np.bincount(number).tolist() == [12] * 5
    assert (number == fold_numbers(units, 5)).all()
    assert (number != fold_numbers(units, 5, seed=1)).any()
    with pytest.raises(UserError, match="independent"):
        fold_numbers(["one"] * 5)


def test_few_normals_stay_valid():
    """40 normals: false alarms at most twice nominal (and near nominal), lowest p 1/41."""
    rng = np.random.default_rng(0)
    p = []
    for _ in range(60):
        x = rng.normal(size=(40, 3))
        detectors, calibration = cross_fit(Distance, x, range(40))
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


def test_too_few_are_refused():
    with pytest.raises(UserError, match="14 normals are too few"):
        cross_fit(Distance, np.zeros((14, 2)), range(14))
    with pytest.raises(UserError, match="2 folds"):
        CrossCalibration.fit([[1.0]])
