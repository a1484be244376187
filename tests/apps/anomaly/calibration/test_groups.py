import json

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.calibrate import Calibration
from gantools.apps.anomaly.calibration.groups import GroupStatistic

from gantools.errors import UserError


def draw(rng, groups, spread=0.0):
    """Normal groups of 5 to 200 items (even in the logarithm); items of one share an offset."""
    sizes = np.exp(rng.uniform(np.log(5), np.log(200), groups)).astype(int)
    names = np.repeat(np.arange(groups), sizes)
    return rng.normal(size=len(names)) + spread * rng.normal(size=groups)[names], names, sizes


def rates_by_tercile(score_of, spread, seed, repeats=12):
    """Return the share flagged at 5 % among small, middle and large groups."""
    rng = np.random.default_rng(seed)
    flagged = []
    for _ in range(repeats):
        model = score_of(*draw(rng, 150, spread)[:2])
        scores, names, _ = draw(rng, 150, spread)
        calibration = Calibration.fit(model(scores, names))
        scores, names, sizes = draw(rng, 600, spread)
        flags = calibration.rule(0.05).flags(calibration.p(model(scores, names)))
        flagged.append([flags[k].mean() for k in np.array_split(np.argsort(sizes), 3)])
    return np.mean(flagged, axis=0)


def ours(scores, names):
    model = GroupStatistic.fit(scores, names)
    return lambda s, g: model.score(s, g)[1]


def plain_max(scores, names):
    def largest(s, g):
        out = np.full(g.max() + 1, -np.inf)
        np.maximum.at(out, g, s)
        return out

    return largest


def test_false_alarms_do_not_depend_on_the_size():
    """Realised rate over 150 calibration groups: 95 % Beta interval .02 to .09, mean of 12 sets."""
    rates = rates_by_tercile(ours, spread=0.0, seed=0)
    print("independent items:", rates.round(3))
    assert np.all(np.abs(rates - 0.05) < 0.02)
    wrong = rates_by_tercile(plain_max, spread=0.0, seed=0)
    print("plain max:", wrong.round(3))
    assert wrong[0] < 0.025 and wrong[2] > 0.075  # what the statistic is for


def test_items_of_a_group_may_resemble_each_other():
    rates = rates_by_tercile(ours, spread=1.0, seed=1)
    print("offset a group:", rates.round(3))
    assert np.all(np.abs(rates - 0.05) < 0.03)


def test_one_odd_item_is_found_in_a_small_and_a_large_group():
    rng = np.random.default_rng(2)
    model = GroupStatistic.fit(*draw(rng, 200)[:2])
    names = np.repeat([0, 1, 2, 3], [5, 5, 200, 200])
    scores = rng.normal(size=len(names))
    scores[0], scores[10] = 7, 7
    _, score = model.score(scores, names)
    assert score[0] > score[1] + 3 and score[2] > score[3] + 3
    assert score[0] > score[2]  # the same item is odder among 5 than among 200


def test_odder_than_all_normals_still_differs():
    model = GroupStatistic.fit(np.arange(100.0), np.arange(100))
    rates = model.rates([50, 98, 99, 120, 200])
    assert np.all(np.diff(rates) < 0)
    assert np.isnan(model.rates([np.nan])[0])


def test_missing_items_and_groups():
    model = GroupStatistic.fit(np.arange(100.0), np.arange(100))
    names, score = model.score([1.0, np.nan, np.nan], ["a", "a", "b"])
    assert names.tolist() == ["a", "b"] and np.isnan(score).tolist() == [False, True]
    assert score[0] == model.score([1.0], ["a"])[1][0]
    with pytest.raises(UserError, match="20 scored"):
        GroupStatistic.fit(np.arange(19.0), np.arange(19))


def test_independent_items_keep_the_exponent_and_round_trip():
    rng = np.random.default_rng(3)
    scores, names, _ = draw(rng, 150)
    model = GroupStatistic.fit(scores, names)
    assert model.exponent == 1
    assert GroupStatistic.fit(*draw(rng, 150, spread=2.0)[:2]).exponent < 0.8
    again = GroupStatistic.from_dict(json.loads(json.dumps(model.to_dict())))
    np.testing.assert_array_equal(again.score(scores, names)[1], model.score(scores, names)[1])
