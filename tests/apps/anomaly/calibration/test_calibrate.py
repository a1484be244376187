import json

import numpy as np
import pytest
from gantools.apps.anomaly.calibration import calibrate
from gantools.apps.anomaly.calibration.calibrate import (
    Calibration,
    Rule,
    Rules,
    adjusted,
    check_disjoint,
    needed,
)

from gantools.errors import UserError


def names(n, start=0):
    return [f"item{i}" for i in range(start, start + n)]


@pytest.mark.parametrize("n", [19, 50, 200])
@pytest.mark.parametrize("fpr", [0.05, 0.1])
def test_realised_rate_is_the_beta_law(n, fpr):
    """C1: 2 000 calibration sets; the rate beyond a set's threshold is known exactly."""
    from scipy.stats import beta, kstest

    rng = np.random.default_rng(n)
    rule = Rule.of(n, fpr)
    rates = []
    for _ in range(2000):
        scores = rng.random(n)
        flagged = rule.flags(Calibration.fit(scores).p(scores))
        just_above = rule.flags(Calibration.fit(scores).p(scores + 1e-12))
        assert flagged.sum() == rule.rank - 1 and just_above.sum() == rule.rank
        rates.append(1 - scores[just_above].min())  # everything above this score is flagged
    error = np.std(rates) / np.sqrt(len(rates))
    assert np.mean(rates) <= fpr + 3 * error
    assert kstest(rates, beta(rule.rank, n + 1 - rule.rank).cdf).pvalue > 0.001


def test_table_of_the_beta_law():
    """Mean and one-sided 95 % upper end in percent, and the rank for 5 % with 95 % confidence."""
    table = {
        100: ((1.0, 3.0), (5.0, 8.9), (9.9, 15.2), 2),
        200: ((1.0, 2.4), (5.0, 7.7), (10, 13.6), 5),
        500: ((1.0, 1.8), (5.0, 6.7), (10, 12.3), 17),
        1000: ((1.0, 1.6), (5.0, 6.2), (10, 11.6), 39),
    }
    for n, (*rows, rank) in table.items():
        for fpr, (mean, upper) in zip((0.01, 0.05, 0.1), rows, strict=True):
            got = Rule.of(n, fpr).realised(confidence=0.9)  # the upper 5 % end
            assert 100 * got[0] == pytest.approx(mean, abs=0.06)
            assert 100 * got[2] == pytest.approx(upper, abs=0.06)
        assert Rule.of(n, 0.05, 0.95).rank == rank
    assert Rule.of(50, 0.01).rank == 0 and Rule.of(50, 0.05, 0.95).rank == 0
    assert 100 * Rule.of(50, 0.05).realised(0.9)[2] == pytest.approx(9.1, abs=0.06)


def test_the_rank_survives_binary_fractions():
    assert Rule.of(99, 0.29).rank == 29  # 0.29 * 100 is 28.999999999999996
    assert [needed(0.01), needed(0.05)] == [99, 19]
    assert Rule.of(needed(0.05, 0.95), 0.05, 0.95).rank == 1
    assert Rule.of(needed(0.05, 0.95) - 1, 0.05, 0.95).rank == 0


def test_confidence_holds_over_calibration_sets():
    rng = np.random.default_rng(0)
    rule = Rule.of(200, 0.05, 0.95)
    rates = rng.beta(rule.rank, 201 - rule.rank, 5000)
    assert np.mean(rates > 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 5000)
    assert np.mean(rng.beta(rule.rank + 1, 200 - rule.rank, 5000) > 0.05) > 0.05


def test_worked_example():
    calibration = Calibration.fit([3.0, 1.0, 2.0, 2.0])
    np.testing.assert_array_equal(calibration.p([0, 1, 2, 2.5, 3, 9]), [1, 1, 0.8, 0.4, 0.4, 0.2])
    assert "4 held-out normals" in calibration.sentence() and "0.2" in calibration.sentence()


def test_ties_are_valid_and_p_uniform():
    """Integer scores: by item hash p is uniform on its grid; without, never too small."""
    rng = np.random.default_rng(1)
    n, smooth, plain = 19, [], []
    for trial in range(3000):
        calibration = Calibration.fit(rng.integers(0, 4, n))
        score = [float(rng.integers(0, 4))]
        smooth.append(calibration.p(score, [f"i{trial}"])[0])
        plain.append(calibration.p(score)[0])
    counts = np.bincount(np.round(np.array(smooth) * 20).astype(int) - 1, minlength=20)
    expected = 3000 / 20
    assert np.sum((counts - expected) ** 2 / expected) < 43.8  # chi-square, 19 df, p = .001
    for level in (0.05, 0.1, 0.25, 0.5):
        assert np.mean(np.array(plain) <= level) <= level + 3 * np.sqrt(level / 3000)
    assert min(smooth) == pytest.approx(1 / 20)


def test_monotone_transform_order_and_batch_change_nothing():
    rng = np.random.default_rng(2)
    scores, new, hashes = rng.normal(size=80).round(1), rng.normal(size=30).round(1), names(30)
    p = Calibration.fit(scores).p(new, hashes)
    np.testing.assert_array_equal(p, Calibration.fit(np.exp(scores)).p(np.exp(new), hashes))
    order = rng.permutation(30)
    shuffled = Calibration.fit(scores[::-1]).p(new[order], [hashes[i] for i in order])
    np.testing.assert_array_equal(p[order], shuffled)
    single = [Calibration.fit(scores).p(new[i : i + 1], hashes[i : i + 1])[0] for i in range(30)]
    np.testing.assert_array_equal(p, single)


def test_adjusted_equals_scipy():
    from scipy.stats import false_discovery_control

    rng = np.random.default_rng(3)
    for _ in range(20):
        p = rng.integers(1, 40, 60) / 40
        np.testing.assert_allclose(adjusted(p), false_discovery_control(p), atol=1e-15)
    with_nan = np.r_[p, np.nan]
    np.testing.assert_allclose(adjusted(with_nan)[:-1], false_discovery_control(p), atol=1e-15)
    assert np.isnan(adjusted(with_nan)[-1]) and adjusted([]).shape == (0,)


def test_false_discoveries_stay_below_q():
    """180 normals, 20 anomalies at +3 sd, q = .1: FDR at most .09; power needs normals."""
    rng = np.random.default_rng(4)
    power, false = {}, {}
    for n in (50, 1000):
        found, wrong = [], []
        for _ in range(300):
            scores = np.r_[rng.normal(size=180), rng.normal(size=20) + 3]
            flags = adjusted(Calibration.fit(rng.normal(size=n)).p(scores)) <= 0.1
            found.append(flags[180:].mean())
            wrong.append(flags[:180].sum() / max(1, flags.sum()))
        power[n], false[n] = np.mean(found), np.mean(wrong)
    assert power[50] < 0.05 and power[1000] == pytest.approx(0.709, abs=0.05)
    assert false[50] <= 0.02 and false[1000] == pytest.approx(0.089, abs=0.02)
    assert "99 held-out" in calibrate.discoveries_sentence(50, 200, 0.1, 20)
    assert "ranking" not in calibrate.discoveries_sentence(99, 200, 0.1, 20)


def test_training_scores_would_not_do():
    """5-NN in 20 dimensions: the 95 % quantile of training scores flags most normals."""
    from gantools.apps.anomaly.detectors.references import Knn

    rng = np.random.default_rng(5)
    fit, held, new = (rng.normal(size=(300, 20)).astype(np.float32) for _ in range(3))
    detector = Knn().fit(fit)
    scores = detector.score(new)
    calibration = Calibration.fit(detector.score(held))
    honest = np.mean(calibration.rule(0.05).flags(calibration.p(scores)))
    assert np.mean(scores > np.quantile(detector.score(fit), 0.95)) > 0.4
    assert honest < 0.1


def test_leaks_are_refused():
    with pytest.raises(UserError, match="both fit and calibration"):  # C6
        Calibration.fit([1.0, 2.0], names(2), fit_hashes=names(2, 1))
    with pytest.raises(UserError, match="2 items are in both calibration and test"):
        check_disjoint(fit=names(3), calibration=names(3, 3), test=names(4, 4))
    check_disjoint(fit=names(3), calibration=names(3, 3), test=names(3, 6))
    calibration = Calibration.fit([1.0, 2.0], names(2), fit_hashes=[b"\x01\x02"])
    assert calibration.seen(["item0", "0102", b"\x01\x02", "new"]).tolist() == [1, 1, 1, 0]


def test_nan_is_never_normal():
    calibration = Calibration.fit(np.arange(19.0))
    p = calibration.p([np.nan, 100, 0, np.inf, -np.inf], names(5))
    assert np.isnan(p[0]) and not np.isnan(p[1:]).any()
    rule = calibration.rule(0.05)
    expected = ["not scored", "flagged", "normal", "flagged", "normal"]
    assert rule.verdicts(p) == expected
    with pytest.raises(UserError, match="1 of 2 calibration normals"):
        Calibration.fit([1.0, np.nan])
    with pytest.raises(UserError, match="Received"):
        Calibration.fit([])


def test_stored_and_read_gives_equal_bytes():
    rng = np.random.default_rng(6)
    calibration = Calibration.fit(rng.normal(size=60), names(60), names(5, 100))
    stored = json.loads(json.dumps(calibration.to_dict()))
    again = Calibration.from_dict(stored)
    new = np.r_[rng.normal(size=50), calibration.scores[:10], np.nan]
    assert calibration.p(new, names(61)).tobytes() == again.p(new, names(61)).tobytes()
    assert again.seen(["item100"])[0]
    with pytest.raises(UserError, match="schema"):
        Calibration.from_dict({**stored, "extra": 1})


def test_rules_in_words():
    assert "nothing can be flagged" in Rule.of(50, 0.01).sentence()
    assert "99 are needed" in Rule.of(50, 0.01).sentence()
    assert "flagged on average" in Rule.of(200, 0.05, 0.95).sentence()
    assert "95% confidence" in Rule.of(200, 0.05, 0.95).sentence()
    with pytest.raises(UserError, match="--fpr"):
        Rule.of(100, 5)
    with pytest.raises(UserError, match="--confidence"):
        Rule.of(100, 0.05, 1.0)


def test_each_half_is_flagged_by_its_own_rule():
    one, other = Rule.of(37, 0.05), Rule.of(43, 0.05)
    assert (one.rank, other.rank) == (1, 2)
    side = np.array([0, 0, 1, 1, 1])
    both = Rules((one, other), side)
    p = np.array([1 / 38, 2 / 38, 1 / 44, 2 / 44, np.nan])
    assert both.flags(p).tolist() == [True, False, True, True, False]
    assert both.verdicts(p) == ["flagged", "normal", "flagged", "flagged", "not scored"]
    assert both.level == pytest.approx((2 * 1 / 38 + 3 * 2 / 44) / 5)
    assert both.grids == {37: pytest.approx(0.4), 43: pytest.approx(0.6)}
    assert (both.n, both.rank, both.fpr, both.confidence) == (37, 2, 0.05, None)
    assert "37 held-out" in both.sentence() and "43 held-out" in both.sentence()
    assert Rules((one, one), side).sentence() == one.sentence()
