"""One alarm for each finding, three checks in a row, and silence for healthy numbers."""

import json
import re
from pathlib import Path

import pytest

from gantools.core.bands import BANDS, TIMES
from gantools.core.verdicts import judge

ROOT = Path(__file__).resolve().parents[2]
HEALTHY = {
    "auc": 0.7, "neighbours": 0.83, "blindness": 0.13, "diversity": 0.97, "rank": 0.95,
    "overfitting": 0.02, "overfitting_error": 0.03, "auc_gap": 0.01, "auc_gap_error": 0.008,
    "near": 0.1, "other": 0.8, "classes": 1.0, "gradient_change/generator": 1.2, "rate_ratio": 1.0,
}  # fmt: skip
FAULTS = [
    ("blind discriminator", {"blindness": 0.37}),
    ("outrun discriminator", {"blindness": 0.75, "rate_ratio": 500.0}),
    ("runaway generator", {"diversity": 0.4, "rate_ratio": 50.0}),
    ("runaway generator", {"diversity": 0.6, "rate_ratio": 50.0, "rank": None}),
    ("collapse", {"diversity": 0.4}),
    ("collapse", {"diversity": 0.6, "rank": None}),  # of points; of pictures it means little
    ("collapse", {"rank": 0.3}),
    ("overfitting discriminator", {"overfitting": 0.118}),
    ("overfitting discriminator", {"auc_gap": 0.029}),
    ("missing classes", {"classes": 0.4}),
    ("latent without effect", {"near": 0.001}),
    ("latent without effect", {"other": 0.01}),
    ("unsteady gradient", {"gradient_change/generator": 80.0}),
    ("unsteady gradient", {"gradient_change/generator": 0.005}),
]


def rows(*changes):
    return [{"cycle": 1000 * i, **HEALTHY, **change} for i, change in enumerate(changes, 1)]


def states(found):
    return {verdict.finding: verdict.state for verdict in reversed(found)}


def test_healthy_numbers_are_ok():
    found = judge(rows(*[{}] * 5))
    assert {verdict.state for verdict in found} == {"ok"}
    assert {verdict.witness for verdict in found} >= {"blindness", "diversity", "overfitting"}


@pytest.mark.parametrize(("finding", "change"), FAULTS)
def test_every_fault_has_its_alarm_after_three_checks(finding, change):
    for count, state in ((1, "watch"), (2, "watch"), (3, "alarm"), (5, "alarm")):
        found = judge(rows({}, *[change] * count))
        outside = [verdict for verdict in found if verdict.state != "ok"]
        assert {(v.finding, v.state) for v in outside} == {(finding, state)}
    assert found[0].state == "alarm"
    (value,) = [v for k, v in change.items() if v is not None and k != "rate_ratio"]
    assert f"{value:.3g}" in found[0].line()
    assert "healthy" in found[0].line()
    assert found[0].change
    assert "\n" not in found[0].line()


def test_one_good_check_in_between_starts_the_count_again():
    bad = {"overfitting": 0.2}
    assert states(judge(rows(bad, bad, {}, bad, bad)))["overfitting discriminator"] == "watch"


def test_a_bad_beginning_on_the_mend_is_no_alarm_but_a_slow_one_is():
    mending = rows({"blindness": 0.38}, {"blindness": 0.31}, {"blindness": 0.255})
    assert states(judge(mending))["blind discriminator"] == "watch"
    slow = rows({"blindness": 0.40}, {"blindness": 0.39}, {"blindness": 0.38})
    assert states(judge(slow))["blind discriminator"] == "alarm"


def test_an_alarm_stands_until_the_witness_is_back():
    blind = [{"blindness": value} for value in (0.4, 0.4, 0.4, 0.3, 0.26)]
    assert states(judge(rows(*blind)))["blind discriminator"] == "alarm"
    assert states(judge(rows(*blind, {"blindness": 0.2})))["blind discriminator"] == "ok"


def test_low_contrast_of_pictures_is_no_collapse():
    assert states(judge(rows(*[{"diversity": 0.6}] * 4)))["collapse"] == "ok"


def test_noise_is_no_overfitting():
    noisy = {"overfitting": 0.15, "overfitting_error": 0.1}
    assert states(judge(rows(*[noisy] * 4)))["overfitting discriminator"] == "ok"


def test_what_was_not_measured_is_not_judged():
    assert judge([{"cycle": 1}]) == []
    found = judge([{"cycle": 1, "rank": None, "blindness": 0.1}])
    assert [verdict.witness for verdict in found] == ["blindness"]


def test_not_finite_is_an_alarm_at_once():
    (verdict,) = judge([*rows({}), {"cycle": 1234, "not_finite": "generator/adv"}])
    assert (verdict.state, verdict.finding) == ("alarm", "divergence")
    assert "generator/adv is not finite in cycle 1234" in verdict.line()


def test_balance_is_a_note():
    row = {"cycle": 1, "distance/discriminator/adv": -0.4, "p_real": 0.6, "p_fake": 0.4}
    found = judge([row])
    assert [verdict.state for verdict in found] == ["note", "note"]
    assert "discriminator/adv is -0.400 from the value" in found[0].line()
    assert "reals 0.60, of fakes 0.40; 0.50 for equal" in found[1].line()


def test_the_table_is_consistent():
    for band in BANDS:
        low, high = band.healthy
        assert low < high
        assert (band.low is None) or band.low < low
        # single checks of healthy runs may cross a limit that also heeds their error
        assert (band.high is None) or band.high > high or band.error
        assert band.times == TIMES


def test_the_documentation_has_this_table_and_the_measured_faults():
    page = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    for band in BANDS:
        asked = {*band.healthy, *(limit for limit in (band.low, band.high) if limit is not None)}
        found = [line for line in page.splitlines() if line.startswith(f"| {band.finding} |")]
        numbers = [{float(n) for n in re.findall(r"-?\d+\.?\d*", line)} for line in found]
        assert any(asked <= group for group in numbers), (band.finding, band.witness)
    lines = (ROOT / "benchmarks" / "results" / "health.jsonl").read_text().splitlines()
    newest = {row["case"]: row for row in map(json.loads, lines) if row["seed"] == 0}
    for case, row in newest.items():
        raised = ", ".join(f"{name} ({cycle})" for name, cycle in row["first"].items())
        assert f"| {case} | {raised or 'none'} |" in page
        assert row["passed"]


def test_recorded_runs_on_pictures_are_judged_as_expected():
    from benchmarks.quality import health_pictures as runs

    rows = list(runs.recorded())
    assert len(rows) >= len(runs.CASES)
    page = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    for row in rows:
        first = runs.first_alarms(row["series"])
        assert runs.as_expected(first, row["expected"]), (row["case"], first)
        raised = ", ".join(f"{name} ({cycle})" for name, cycle in first.items()) or "none"
        assert f"| {raised} |" in page


def test_the_table_of_few_samples_is_the_measured_one():
    page = (ROOT / "docs" / "health.md").read_text(encoding="utf-8")
    lines = (ROOT / "benchmarks" / "results" / "small_data.jsonl").read_text().splitlines()
    newest = {(row["arm"], row["seed"]): row for row in map(json.loads, lines)}
    for (_, seed), row in newest.items():
        quarters = ", ".join(f"{distance:.2f}" for distance in row["frechet"])
        told = ", ".join(row["alarms"]) or "none"
        assert f"| {seed} | {quarters} | {told} |" in page
