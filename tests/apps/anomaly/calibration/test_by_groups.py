"""p-values of items that come in groups: each group counts as one."""

import json

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.calibrate import Calibration
from gantools.apps.anomaly.calibration.crossfit import CrossCalibration
from gantools.apps.anomaly.calibration.rules import Rule, exceeds, needed
from scipy.stats import binom, norm

from gantools.errors import UserError

ICC = (0.5, 0.8)


def draw(rng, groups, icc, sizes=(30, 31), trend=0.0):
    """Return `(scores, names)` of N(0, 1) items, alike within groups; large groups may be odder."""
    sizes = rng.integers(*sizes, groups)
    owner = np.repeat(np.arange(groups), sizes)
    scores = np.sqrt(icc) * rng.normal(size=groups)[owner]
    scores += np.sqrt(1 - icc) * rng.normal(size=len(owner)) + trend * np.log(sizes)[owner]
    return scores, [f"g{i}" for i in owner]


def border(calibration, rule):
    """Return the score above which everything is flagged; infinite where nothing is."""
    if not rule.rank:
        return np.inf
    return calibration.scores[~rule.flags(calibration.p(calibration.scores))].max()


def rates(groups, icc, repeats=400, fpr=0.05, confidence=None, by_items=False, **how):
    """Return the realised rate of each of many calibrations, exactly, as a mean over groups."""
    rng, found = np.random.default_rng(groups), []
    for _ in range(repeats):
        scores, names = draw(rng, groups, icc, **how)
        calibration = Calibration.fit(scores, groups=None if by_items else names)
        top = border(calibration, calibration.rule(fpr, confidence))
        sizes = np.arange(*how.get("sizes", (30, 31)))
        found.append(np.mean(norm.sf(top - how.get("trend", 0.0) * np.log(sizes))))
    return np.array(found)


def holds(found, fpr):
    return found.mean() <= fpr + 3 * found.std() / np.sqrt(len(found))


@pytest.mark.parametrize("icc", ICC)
@pytest.mark.parametrize(("groups", "fpr"), [(3, 0.05), (3, 0.3), (5, 0.05), (5, 0.2), (20, 0.05)])
def test_no_more_normals_are_flagged_than_was_asked_for(groups, fpr, icc):
    assert holds(rates(groups, icc, fpr=fpr), fpr)


def test_counted_by_items_too_many_were():
    """What the groups are for: 12.4 % at 5 % with 3 groups, 6.4 % with 20; 400 calibrations."""
    assert rates(3, 0.8, by_items=True).mean() > 0.09
    assert not holds(rates(20, 0.8, by_items=True), 0.05)


@pytest.mark.parametrize("trend", [0.0, 0.5])
def test_groups_of_any_size(trend):
    found = rates(40, 0.5, sizes=(2, 61), trend=trend)
    assert holds(found, 0.05)
    assert found.mean() > 0.02  # and some are


@pytest.mark.parametrize(("groups", "icc"), [(20, 0.5), (100, 0.5), (100, 0.95)])
def test_told_bounds_hold(groups, icc):
    found, rule = rates(groups, icc, sizes=(20, 21)), Rule.of(groups, 0.05, items=20 * groups)
    mean, low, high = rule.realised()
    assert holds(found, mean)
    error = 3 * np.sqrt(0.05 * 0.95 / len(found))
    assert np.mean((found < low) | (found > high)) <= 0.05 + error
    sure = rates(groups, icc, sizes=(20, 21), confidence=0.95)
    assert np.mean(sure > 0.05) <= 0.05 + error
    assert groups < needed(0.05, 0.95) or sure.max() > 0


def test_one_item_a_group_is_one_normal_exactly():
    rng = np.random.default_rng(0)
    scores, new = rng.normal(size=60).round(1), rng.normal(size=40).round(1)
    hashes, alone = [f"i{i}" for i in range(40)], [f"g{i}" for i in range(60)]
    plain = Calibration.fit(scores)
    for groups in (alone, [""] * 60, ["", *alone[1:]]):
        grouped = Calibration.fit(scores, groups=groups)
        assert grouped.p(new, hashes).tobytes() == plain.p(new, hashes).tobytes()
        assert grouped.p(new).tobytes() == plain.p(new).tobytes()
        assert grouped.to_dict() == plain.to_dict()
        for confidence in (None, 0.9):
            assert grouped.rule(0.1, confidence) == plain.rule(0.1, confidence)


def test_equal_items_of_a_group_count_as_one_of_them():
    rng = np.random.default_rng(1)
    scores, new = rng.normal(size=20), rng.normal(size=50)
    many = Calibration.fit(np.repeat(scores, 7), groups=[f"g{i // 7}" for i in range(140)])
    np.testing.assert_allclose(many.p(new), Calibration.fit(scores).p(new), rtol=1e-12)
    assert (many.size, many.rule().n, many.rule().items) == (20, 20, 140)


def test_worked_example():
    """Group a of 4, group b of 2, one item of no group: p = (1 + shares) / 4."""
    scores, groups = [1.0, 2.0, 3.0, 4.0, 2.0, 9.0, 5.0], ["a", "a", "a", "a", "b", "b", ""]
    calibration = Calibration.fit(scores, groups=groups)
    expected = [(1 + 0 + 0 + 0) / 4, (1 + 0 + 0.5 + 1) / 4, (1 + 0.25 + 0.5 + 1) / 4, 1.0, np.nan]
    np.testing.assert_allclose(calibration.p([9.5, 4.5, 4.0, 0.0, np.nan]), expected)
    tied = calibration.p([2.0] * 200, [f"i{i}" for i in range(200)])
    assert tied.min() >= (1 + 0.5 + 0.5 + 1) / 4  # ties: 1/4 of a and 1/2 of b are drawn for
    assert tied.max() <= (1 + 0.75 + 1 + 1) / 4 and np.std(tied) > 0.03
    assert "7 held-out normals of 3 groups" in calibration.sentence()
    assert "0.25" in calibration.sentence()
    again = Calibration.from_dict(json.loads(json.dumps(calibration.to_dict())))
    new = np.random.default_rng(0).uniform(0, 10, 50)
    assert again.p(new).tobytes() == calibration.p(new).tobytes()
    with pytest.raises(UserError, match="A group a score is needed: 1 for 2"):
        Calibration.fit([1.0, 2.0], groups=["a"])


def test_ties_are_valid():
    rng, p = np.random.default_rng(2), []
    for trial in range(1500):
        scores, names = draw(rng, 12, 0.5, sizes=(1, 6))
        new, _ = draw(rng, 1, 0.5, sizes=(1, 2))
        calibration = Calibration.fit(np.round(scores), groups=names)
        p.append(calibration.p(np.round(new), [f"i{trial}"])[0])
    for level in (0.1, 0.25, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level / len(p))


def test_folds_count_by_groups():
    folds = CrossCalibration.fit([[1.0, 3.0], [2.0, 4.0, 6.0]], [["a", "a"], ["b", "b", ""]])
    scores = [[2.5, 0.0, 9.0, np.nan], [2.5, 0.0, 9.0, 1.0]]
    expected = [(1 + 0.5 + 0.5 + 1) / 4, 1, 1 / 4, np.nan]
    np.testing.assert_allclose(folds.p(scores), expected)
    again = CrossCalibration.from_dict(json.loads(json.dumps(folds.to_dict())))
    np.testing.assert_array_equal(again.p(scores), folds.p(scores))
    rule = folds.rule(0.3)
    assert (rule.n, rule.items, rule.rank) == (3, 5, pytest.approx(1.2))
    assert "5 normals of 3 groups in 2 folds" in folds.sentence()
    alone = CrossCalibration.fit([[1.0, 3.0], [2.0, 4.0]], [["a", "b"], ["c", ""]])
    assert alone.to_dict() == CrossCalibration.fit([[1.0, 3.0], [2.0, 4.0]]).to_dict()


def test_the_bound_is_one_and_is_exact_for_the_oddest():
    assert exceeds(0, 59, 0.05) == pytest.approx(0.95**59)
    for total in (1, 3, 4.5):
        bound = [exceeds(total, 100, rate) for rate in (0.06, 0.1, 0.2)]
        exact = binom.cdf(np.floor(total), 100, [0.06, 0.1, 0.2])
        assert np.all(np.array(bound) >= exact) and np.all(np.diff(bound) < 0)
    assert exceeds(6, 100, 0.05) == exceeds(5, 5, 0.9) == 1
    rng = np.random.default_rng(3)
    shares = rng.beta(0.2, 1.8, size=(20_000, 50)).sum(axis=1)  # of mean 0.1
    for total in (1, 2, 3):
        assert np.mean(shares <= total) <= exceeds(total, 50, 0.1)


def test_ranks_of_groups():
    assert Rule.of(18, 0.05, items=900).rank == 0
    assert Rule.of(19, 0.05, items=900).level == pytest.approx(0.05)
    assert Rule.of(29, 0.05, items=900).level == pytest.approx(0.05)  # not only 1 / 30
    assert Rule.of(58, 0.05, 0.95, 900).rank == 0
    assert Rule.of(59, 0.05, 0.95, 900).rank >= 1
    assert 1 < Rule.of(200, 0.05, 0.95, 900).rank <= Rule.of(200, 0.05, 0.95).rank
    assert Rule.of(18, 0.05, items=900).realised() == (0, 0, 0)
    assert Rule.of(1, 0.9, items=9).realised()[2] <= 1


def test_rules_of_groups_in_words():
    text = Rule.of(10, 0.05, items=200).sentence()
    assert "200 held-out normals of 10 groups nothing can be flagged" in text
    assert "19 groups are needed" in text
    text = Rule.of(50, 0.05, items=200).sentence()
    assert "at most 5.0% are flagged on average" in text
    assert "in 95% of calibrations, with these 200 held-out normals of 50 groups" in text
    assert (Rule.of(50).unit, Rule.of(50).held) == ("normals", "50 held-out normals")
