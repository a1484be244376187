from types import SimpleNamespace

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.judge import GroupJudge, Judge, Raw
from gantools.apps.anomaly.fitted import judged
from gantools.apps.anomaly.reporting import wording
from gantools.apps.anomaly.reporting.outcome import Outcome

from gantools.errors import UserError


def raw(count, seed, groups=None, shift=0.0, prefix=""):
    random = np.random.default_rng(seed)
    base = random.normal(shift, 1, count)
    parts = {name: base + random.normal(0, 0.3, count) for name in ("a", "b", "spare")}
    return Raw((parts,), [f"{prefix}{seed}-{i}" for i in range(count)], groups or [None] * count)


@pytest.fixture
def judge():
    return Judge.fit(("a", "b"), raw(60, 0), raw(99, 1), ["fitted"])


def test_false_alarms_are_as_promised_whatever_the_parts(judge):
    shares = []
    for seed in range(60):
        one = Judge.fit(("a", "b"), raw(60, 3 * seed), raw(99, 3 * seed + 1))
        shares.append(np.mean(one.rule(0.1).flags(one.judged(raw(500, 3 * seed + 2))[1])))
    assert abs(np.mean(shares) - 0.1) < 3 * np.std(shares) / np.sqrt(60)
    assert judge.judged(raw(50, 3, shift=6.0))[1].max() == pytest.approx(1 / 100)


def test_only_the_ranking_parts_count(judge):
    items = raw(10, 4)
    before = judge.judged(items)[0]
    items.members[0]["spare"][:] = 1e9
    np.testing.assert_array_equal(judge.judged(items)[0], before)
    assert set(judge.bars(items.members[0])) == {"a", "b"}


def test_contents_seen_before_do_not_calibrate_and_are_known(judge):
    second = raw(99, 1)
    second.hashes[0], second.hashes[1] = "fitted", "0-3"
    again = Judge.fit(("a", "b"), raw(60, 0), second, ["fitted"])
    assert len(again.normal_scores) == 97
    assert again.seen(["fitted", "0-3", "1-5", "new"]).tolist() == [True, True, True, False]
    second.hashes = ["fitted"] * 99
    with pytest.raises(UserError, match="nothing can be calibrated"):
        Judge.fit(("a", "b"), raw(60, 0), second, ["fitted"])


def test_stored_and_restored_it_says_the_same(judge):
    import json

    again = Judge.from_dict(json.loads(json.dumps(judge.to_dict())))
    items = raw(50, 5)
    for one, other in zip(again.judged(items), judge.judged(items), strict=True):
        assert one.tobytes() == other.tobytes()
    with pytest.raises(UserError, match="has no 'scales'"):
        Judge.from_dict({"ranking": ["a"], "crossed": False})


def test_by_folds_every_normal_counts_once_and_ties_keep_their_place():
    scaling = [raw(10, seed) for seed in (0, 1, 2)]
    held = [raw(10, seed) for seed in (1, 2, 0)]
    judge = Judge.crossed(("a", "b"), scaling, held)
    assert judge.is_crossed
    assert len(judge.normal_scores) == 30
    one = raw(40, 9)
    items = Raw(one.members * 3, one.hashes, one.groups)
    scores, p = judge.judged(items)
    assert p.min() >= 1 / 31
    assert 0.3 < np.mean(p) < 0.7
    assert judge.seen(["1-0", "9-0"]).tolist() == [True, False]
    again = Judge.from_dict(judge.to_dict())
    assert again.judged(items)[1].tobytes() == p.tobytes()
    assert "twice" in judge.sentence(judge.rule(0.1))


def test_groups_of_all_sizes_get_the_same_share_of_false_alarms():
    random = np.random.default_rng(0)

    def normals(groups, seed):
        sizes = np.random.default_rng(seed).integers(5, 100, groups)
        names = np.repeat([f"{seed}:{i}" for i in range(groups)], sizes).tolist()
        return random.normal(size=len(names)), names

    judge = GroupJudge.fit(normals(60, 1), normals(99, 2))
    scores, names = normals(1500, 3)
    found = judge.judge(scores, names)
    sizes = np.array([count for count, _, _ in found.values()])
    p = np.array([p for _, _, p in found.values()])
    for low, high in ((5, 36), (36, 68), (68, 100)):
        share = np.mean(p[(sizes >= low) & (sizes < high)] <= 0.1)
        assert 0.03 < share < 0.2  # 95 % of the Beta law of 99 groups, and its own scatter
    scores[names.index("3:7")] = 9
    assert judge.judge(scores, names)["3:7"][2] == pytest.approx(1 / 100)


def patients(count, seed, prefix):
    names = np.repeat([f"{prefix}{i}" for i in range(count)], 8).tolist()
    return raw(len(names), seed, names, prefix=prefix)


def test_items_of_groups_are_judged_by_groups():
    judge = Judge.fit(("a", "b"), patients(10, 0, "a"), patients(25, 1, "b"), [], ["fit1", None])
    assert judge.is_grouped
    assert (judge.calibration.size, len(judge.normal_scores)) == (25, 200)
    assert judge.judged(raw(50, 3, shift=6.0))[1].max() == pytest.approx(1 / 26)
    again = Judge.from_dict(judge.to_dict())
    items = raw(50, 5)
    for one, other in zip(again.judged(items), judge.judged(items), strict=True):
        assert one.tobytes() == other.tobytes()
    assert again.known_groups == judge.known_groups
    assert not any(f"'{name}'" in str(judge.to_dict()) for name in ("fit1", "a3", "b7"))


def test_a_group_that_was_seen_gets_no_p_and_a_warning():
    judge = Judge.fit(("a", "b"), patients(10, 0, "a"), patients(25, 1, "b"), [], ["fit1", None])
    names = ["fit1", "a3", "b7", "new", None]
    assert judge.seen_groups(names).tolist() == [True, True, True, False, False]
    new = raw(80, 9, [name for name in ("fit1", "b7", "new", "new2") for _ in range(20)])
    items = [SimpleNamespace(name=str(i), group=g, label=None) for i, g in enumerate(new.groups)]
    scored = judged(judge, new, items)
    p = {name: p for name, (_, _, p) in scored.groups.items()}
    assert np.isnan([p["fit1"], p["b7"]]).all() and np.isfinite([p["new"], p["new2"]]).all()
    assert np.isfinite(scored.p).all()
    facts = {"fit": 1, "calibration": [80, 200]}
    outcome = Outcome("x", "", items, scored, judge, (), facts)
    lines = wording.sentences(outcome, judge.rule(0.1), None)
    (warning,) = [line for line in lines if line.startswith("warning:")]
    assert "These 2 groups were fitted on or calibrated with" in warning
    assert "b7, fit1" in warning and "p of their 40 new items" in warning
    assert any("of 2 groups look unlike the 25 held-out groups" in line for line in lines)
    assert "expect at most about 8 flags" in lines[0]
    outcome.items = items[40:]
    outcome.scored = judged(judge, new.take(range(40, 80)), items[40:])
    assert not [x for x in wording.sentences(outcome, judge.rule(0.1), None) if "warning" in x]
    text = wording.sentences(outcome, judge.rule(0.01), None)
    assert "with 200 held-out normals of 25 groups nothing can be flagged" in text[0]
    assert any("held-out groups are needed and there are 25" in line for line in text)


def test_a_model_of_before_groups_counted_is_refused(judge):
    stored = judge.to_dict()
    old = {k: v for k, v in stored["calibration"].items() if k != "groups"} | {"schema": 1}
    with pytest.raises(UserError, match="expected schema 2 .* Fit the model again"):
        Judge.from_dict(stored | {"calibration": old})
    with pytest.raises(UserError, match="Fit the model again"):
        Judge.from_dict(stored | {"crossed": True, "calibration": {"schema": 1, "folds": [[1.0]]}})


def test_groups_by_folds_are_judged_too():
    parts = [patients(5, seed, f"p{seed}-") for seed in range(5)]
    judge = Judge.crossed(("a", "b"), [*parts[1:], parts[0]], parts)
    assert judge.is_crossed and judge.is_grouped and judge.calibration.size == 25
    assert len(judge.groups.calibration.scores) == 25
    names = ["new"] * 8
    assert judge.groups.judge([9.0] * 8, names)["new"][2] == pytest.approx(1 / 26)
    assert np.isnan(judge.groups.judge([9.0] * 8, ["p3-1"] * 8)["p3-1"][2])
    assert judge.seen_groups(["p3-1", "new"]).tolist() == [True, False]
    again = Judge.from_dict(judge.to_dict())
    assert again.groups.judge([1.0] * 8, names) == judge.groups.judge([1.0] * 8, names)


def test_groups_are_not_judged_where_that_says_nothing():
    scores, names = np.zeros(40), [f"g{i // 4}" for i in range(40)]
    known = (np.arange(40.0), [f"h{i // 4}" for i in range(40)])
    assert GroupJudge.fit(known, (np.arange(40.0), names)) is not None
    assert GroupJudge.fit(known, (scores, [None] * 40)) is None
    assert GroupJudge.fit(known, (scores, [str(i) for i in range(40)])) is None
    assert GroupJudge.fit(known, (scores[:12], names[:12])) is None
    with pytest.raises(UserError, match="both fit and calibration"):
        GroupJudge.fit(known, (np.arange(40.0), names), ["g3"])
    judge = GroupJudge.fit(known, (np.arange(40.0), names))
    assert judge.judge([1.0, 2.0], [None, None]) == {}
    assert list(judge.judge([1.0, 2.0], [None, "x"])) == ["x"]
