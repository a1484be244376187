"""Drift lights and streams of items that come in groups, by one p a group."""

from types import SimpleNamespace

import numpy as np
import pytest
from gantools.apps.anomaly import fitted
from gantools.apps.anomaly.calibration import drift, stream, units
from gantools.apps.anomaly.calibration.drift import Fingerprint
from gantools.apps.anomaly.calibration.judge import Judge, Raw
from gantools.apps.anomaly.calibration.split import folds
from gantools.apps.anomaly.reporting import telling

EACH = 20  # slices of a patient


def raw(rng, count, prefix, shift=0.0, groups=True):
    """Return patients of 20 slices whose scores correlate by 0.5."""
    owner = np.repeat(np.arange(count), EACH)
    scores = shift + (rng.normal(size=count)[owner] + rng.normal(size=len(owner))) / np.sqrt(2)
    names = [f"{prefix}{i}" if groups else None for i in owner]
    return Raw(({"a": scores},), [f"{prefix}-{i}" for i in range(len(owner))], names)


def judge_of(rng, count=20):
    return Judge.fit(("a",), raw(rng, 10, "a"), raw(rng, count, "b"))


def items_of(found, labels=None):
    return [
        SimpleNamespace(name=text, group=name, label=None if labels is None else labels[i])
        for i, (text, name) in enumerate(zip(found.hashes, found.groups, strict=True))
    ]


def told(judge, new):
    """Return the lights of a batch and of its stream."""
    items = items_of(new)
    scored = fitted.judged(judge, new, items)
    model = SimpleNamespace(judge=judge)
    (light,), values = telling.stream_of(None, items, scored, model, list(range(len(items))))
    return telling.batch_light(items, scored, judge), light, values


def test_normal_patients_do_not_ring():
    """By slices: one patient rang in 20, 15 patients in 23, their stream in 36 of 100 cases."""
    rings = {"one": 0, "batch": 0, "stream": 0}
    for seed in range(200):
        rng = np.random.default_rng(seed)
        judge = judge_of(rng)
        one, _, _ = told(judge, raw(rng, 1, "n"))
        assert "too few groups" in one.sentence
        batch, light, values = told(judge, raw(rng, 15, "n"))
        rings["one"] += one.state == "differs"
        rings["batch"] += batch.state == "differs"
        rings["stream"] += light.state == "differs"
    assert max(rings.values()) <= 2  # 1 %
    assert len(values) == 15 * EACH
    assert all(len(set(values[i : i + EACH - 1])) == 1 for i in range(0, len(values), EACH))
    assert len(set(values)) > 10  # it moves when a patient is whole


def test_patients_of_another_scanner_do():
    rings = {"batch": 0, "stream": 0}
    for seed in range(20):
        rng = np.random.default_rng(seed)
        batch, light, _ = told(judge_of(rng, 40), raw(rng, 25, "n", shift=2.0))
        rings["batch"] += batch.state == "differs"
        rings["stream"] += light.state == "differs"
    assert rings["batch"] >= 18 and rings["stream"] >= 18
    assert "of the groups lie in the odder half" in batch.sentence
    assert "by its group" in light.sentence


def test_folds_of_few_patients_do_not_ring_either():
    """The score of an item is its distance from the mean of what a detector was fitted on."""
    rng, rings = np.random.default_rng(0), {"batch": 0, "stream": 0}
    for _ in range(30):
        normal, new = raw(rng, 15, "n"), raw(rng, 15, "t")
        parts = [list(fold) for fold in folds(items_of(normal))]
        values, centres, scaling, held = normal.members[0]["a"], [], [], []
        for k, fold in enumerate(parts):
            following = parts[(k + 1) % len(parts)]
            rest = np.setdiff1d(np.arange(len(values)), [*fold, *following])
            centres.append(values[rest].mean())
            for rows, wanted in ((scaling, following), (held, fold)):
                rows.append(normal.take(wanted))
                rows[-1].members[0]["a"] = np.abs(values[wanted] - centres[-1])
        judge = Judge.crossed(("a",), scaling, held)
        assert judge.is_crossed and judge.is_grouped and judge.groups is not None
        new.members = tuple({"a": np.abs(new.members[0]["a"] - c)} for c in centres)
        batch, light, _ = told(judge, new)
        rings["batch"] += batch.state == "differs"
        rings["stream"] += light.state == "differs"
    assert max(rings.values()) <= 1
    assert judge.calibration.size == 15


def test_patients_with_a_labelled_anomaly_are_left_out_whole():
    rng = np.random.default_rng(0)
    judge, new = judge_of(rng, 40), raw(rng, 45, "n")
    new.members[0]["a"][: 30 * EACH : EACH] = 50  # one slice of each of 30 patients
    odd = [0] * len(new)
    odd[: 30 * EACH : EACH] = [1] * 30
    scored = fitted.judged(judge, new, items_of(new))
    assert telling.batch_light(items_of(new), scored, judge).state == "differs"
    assert telling.batch_light(items_of(new, odd), scored, judge).state == "same"


def test_what_cannot_be_compared_is_told():
    rng = np.random.default_rng(1)
    for judge, new, why in (
        (judge_of(rng, 3), raw(rng, 15, "n"), "too few groups to compare new ones with"),
        (judge_of(rng), raw(rng, 15, "n", groups=False), "Give --groups"),
    ):
        batch, light, values = told(judge, new)
        assert batch.state == light.state == "same" and values == []
        assert why in batch.sentence and why in light.sentence


def test_one_item_of_a_group_where_normals_are_single():
    rng, rings = np.random.default_rng(2), 0
    for _ in range(100):
        normal = [raw(rng, 200, f"{part}{EACH}", groups=False).take(range(0, 4000, EACH))
                  for part in "ab"]  # fmt: skip
        judge = Judge.fit(("a",), *normal)
        assert not judge.is_grouped
        batch, light, values = told(judge, raw(rng, 15, "n"))
        rings += "differs" in (batch.state, light.state)
    assert rings <= 2
    assert "The stream of 15 groups" in light.sentence
    assert len(values) == 15 * EACH


def test_items_of_no_group_are_as_they_were():
    rng = np.random.default_rng(3)
    normal = [raw(rng, 10, part, groups=False) for part in "ab"]
    judge, new = Judge.fit(("a",), *normal), raw(rng, 5, "n", groups=False)
    batch, light, values = told(judge, new)
    scored = fitted.judged(judge, new, items_of(new))
    assert batch == drift.batch(scored.p, 200)
    expected, steps = stream.watch(judge.normal_scores, scored.scores, new.hashes, range(100))
    assert light == expected and values == steps


def test_numbers_of_few_patients_do_not_ring():
    """By slices: the level of one normal patient differed in 28 of 100 cases."""
    rings = {1: 0, 15: 0}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        old = Fingerprint.fit({"mean": raw(rng, 60, "f").members[0]["a"]})
        for count in rings:
            new = raw(rng, count, "n")
            worth = 60, units.worth(new.groups)
            (light,) = old.compare({"mean": new.members[0]["a"]}, units=worth)
            rings[count] += light.state == "differs"
    assert rings[1] == 0 and rings[15] <= 1
    other = raw(rng, 30, "n", shift=3.0)
    (light,) = old.compare({"mean": other.members[0]["a"]}, units=(60, units.worth(other.groups)))
    assert light.state == "differs"


def test_what_groups_are_worth():
    assert units.worth(["a", "a", "b", "b", "c", "c"]) == pytest.approx(3)
    assert units.worth([None] * 7) == pytest.approx(7)
    assert units.worth(["a"] * 100 + ["b", "c"]) == pytest.approx(1.04, abs=0.01)
    assert units.worth([]) == 0
    assert units.together(["b", None, "b", None]) == [[0, 2], [1], [3]]
