import numpy as np
import pytest

from gantools.metrics import detection as d


def cases(n=12):
    """Random labels and scores with many ties."""
    for seed in range(n):
        rng = np.random.default_rng(seed)
        labels = np.r_[0, 1, rng.integers(0, 2, 60)]
        yield labels, np.round(rng.normal(size=62) + labels, 1 if seed % 2 else 3)


def brute_aupro(maps, masks, limit):
    """AUPRO by walking through all distinct thresholds, regions by flooding."""
    regions = []
    for number, mask in enumerate(masks):
        left = {tuple(p) for p in np.argwhere(mask)}
        while left:
            pending, region = [left.pop()], []
            while pending:
                y, x = pending.pop()
                region.append((number, y, x))
                near = {(y + a, x + b) for a in (-1, 0, 1) for b in (-1, 0, 1)} & left
                left -= near
                pending += near
            regions.append(region)
    background = np.concatenate([m[k == 0] for m, k in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for t in sorted({v for m in maps for v in m.ravel()}, reverse=True):
        pro = np.mean([np.mean([maps[i][y, x] >= t for i, y, x in r]) for r in regions])
        points.append((np.mean(background >= t), pro))
    area = 0.0
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 >= limit:
            break
        if x1 > limit:
            x1, y1 = limit, y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
        area += (x1 - x0) * (y0 + y1) / 2
    return area / limit


def test_auroc_is_the_share_of_ordered_pairs():
    for labels, scores in cases():
        pairs = scores[labels == 1][:, None] - scores[labels == 0][None]
        assert d.auroc(labels, scores) == pytest.approx(np.mean((pairs > 0) + 0.5 * (pairs == 0)))


def test_against_scikit_learn():
    from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

    for labels, scores in cases():
        assert d.auroc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
        expected = average_precision_score(labels, scores)
        assert d.average_precision(labels, scores) == pytest.approx(expected, abs=1e-12)
        flags = scores > 0.5
        assert d.precision_recall_f1(labels, flags)[2] == pytest.approx(f1_score(labels, flags))


def test_worked_example():
    labels, scores = [0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]
    assert d.auroc(labels, scores) == 0.75
    assert d.average_precision(labels, scores) == pytest.approx(5 / 6)
    assert d.tpr_at_fpr(labels, scores, 0.49) == 0.5
    assert d.tpr_at_fpr(labels, scores, 0.5) == 1.0
    assert d.fpr_at_tpr(labels, scores, 0.95) == 0.5


def test_constant_and_infinite_scores():
    labels = np.r_[np.zeros(30), np.ones(10)]
    assert d.auroc(labels, np.ones(40)) == 0.5
    assert d.average_precision(labels, np.ones(40)) == 0.25
    assert d.tpr_at_fpr(labels, np.ones(40), 0.05) == 0
    assert d.fpr_at_tpr(labels, np.ones(40)) == 1
    assert d.auroc(labels, np.where(labels, np.inf, 0)) == 1


@pytest.mark.parametrize(
    ("labels", "scores", "words"),
    [
        ([0, 1], [0, np.nan], "NaN"),
        ([1, 1], [0, 1], "both present"),
        ([0, 1], [1], "shape|Received"),
    ],
)
def test_unusable_input_is_refused(labels, scores, words):
    with pytest.raises(ValueError, match=words):
        d.auroc(labels, scores)


def test_hanley_mcneil():
    assert d.auroc_error(0.85, 100, 100) == pytest.approx(0.0274, abs=5e-4)
    assert d.auroc_error(0.5, 100, 100) == pytest.approx(np.sqrt(201 / (12 * 100 * 100)), rel=1e-3)


def test_aupro_against_brute_force():
    for seed in range(20):  # C7
        rng = np.random.default_rng(seed)
        maps = [np.round(rng.normal(size=(9 + i, 8)), 1 + seed % 3) for i in range(3)]
        masks = [rng.random(m.shape) > 0.8 for m in maps]
        masks[2][:] = 0
        for limit in (0.05, 0.3, 1.0):
            expected = brute_aupro(maps, masks, limit)
            assert d.aupro(maps, masks, limit) == pytest.approx(expected, abs=1e-9)


def test_aupro_of_known_maps():
    masks = np.zeros((2, 20, 20), np.uint8)
    masks[0, 0, 0] = 255  # a small region and a huge one
    masks[0, 5:15, 5:15] = 255
    assert d.aupro(masks.astype(float), masks) == pytest.approx(1, abs=1e-12)
    assert d.aupro(np.ones((2, 20, 20)), masks, 0.3) == pytest.approx(0.15)
    small = np.zeros((2, 20, 20))
    small[0, 0, 0] = 1
    small[0, 5:15, 5:15] = -1  # the huge one is missed
    assert d.aupro(small, masks) == pytest.approx(0.5)
    assert d.region_recall(small, masks, 1) == 0.5
    assert d.pixel_ap(masks.astype(float), masks) == 1


def test_diagonal_neighbours_are_one_region():
    mask = np.eye(6, dtype=np.uint8)
    heat = np.zeros((6, 6))
    heat[0, 0] = 1
    assert d.region_recall([heat], [mask], 1, overlap=0.5) == 0  # 1 of 6 pixels, not 1 of 6 regions


def test_aupro_refuses():
    empty = np.zeros((2, 4, 4))
    with pytest.raises(ValueError, match="region"):
        d.aupro(empty, empty)
    with pytest.raises(ValueError, match="Received"):
        d.aupro(empty, np.ones((2, 4, 5)))


def test_interval_covers_the_truth():
    """A 95 % interval of AUROC holds the true value in about 95 % of samples."""
    from math import erf

    true, inside = 0.5 * (1 + erf(1 / 2)), 0  # normals N(0, 1), anomalies N(1, 1)
    for seed in range(100):
        rng = np.random.default_rng(seed)
        labels = np.r_[np.zeros(60), np.ones(40)]
        low, high = d.bootstrap(d.auroc, labels, rng.normal(size=100) + labels, resamples=200)
        inside += low <= true <= high
    assert 88 <= inside <= 99


def test_groups_widen_the_interval():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(40), 25)
    labels = (groups < 20).astype(int)
    scores = labels + 2 * rng.normal(size=40)[groups]  # every item of a group says the same
    alone = np.diff(d.bootstrap(d.auroc, labels, scores, resamples=300))
    grouped = np.diff(d.bootstrap(d.auroc, labels, scores, groups=groups, resamples=300))
    assert grouped > 3 * alone
    error = d.auroc_error(d.auroc(labels, scores), 20, 20)
    assert grouped == pytest.approx(2 * 1.96 * error, rel=0.4)


def test_mixed_groups_and_repeatability():
    labels = np.r_[0, 1, np.zeros(8), np.ones(8)].astype(int)
    groups = ["both", "both", *"abcdabcdefghefgh"]
    scores = np.random.default_rng(0).normal(size=18) + labels
    once = d.bootstrap(d.auroc, labels, scores, groups=groups, resamples=50, seed=3)
    assert once == d.bootstrap(d.auroc, labels, scores, groups=groups, resamples=50, seed=3)
    assert once != d.bootstrap(d.auroc, labels, scores, groups=groups, resamples=50, seed=4)


def test_pairs_see_what_two_intervals_do_not():
    rng = np.random.default_rng(0)
    labels = np.r_[np.zeros(200), np.ones(200)]
    theirs = rng.normal(size=400) + labels
    ours = theirs + 0.2 * labels
    _, high = d.bootstrap(d.auroc, labels, theirs, resamples=300)
    low, _ = d.bootstrap(d.auroc, labels, ours, resamples=300)
    gain, least, most = d.paired_difference(d.auroc, labels, ours, theirs, resamples=300)
    assert low < high and 0 < least < gain < most
    same = d.paired_difference(d.auroc, labels, ours, ours, resamples=20)
    assert same == (0, 0, 0)


def test_seeds_are_drawn_too():
    rng = np.random.default_rng(0)
    labels = np.r_[np.zeros(300), np.ones(300)]
    seeds = np.stack([rng.normal(size=600) + shift * labels for shift in (0, 1, 3)])
    one = np.diff(d.bootstrap(d.auroc, labels, seeds[1], resamples=200))
    assert np.diff(d.bootstrap(d.auroc, labels, seeds, resamples=200)) > 3 * one


def test_summary_has_plain_numbers():
    import json

    labels = np.r_[np.zeros(40), np.ones(10)]
    row = d.summary(labels, labels + np.linspace(0, 2, 50), resamples=50)
    assert json.loads(json.dumps(row)) == row
    assert row["normals"] == 40 and row["anomalies"] == 10 and row["rate"] == 0.2
    assert row["auroc_low"] <= row["auroc"] <= row["auroc_high"]


@pytest.mark.parametrize("alone", [0, 1])
def test_one_group_of_a_kind_has_no_interval(alone):
    labels = np.repeat([alone, 1 - alone], [20, 60])
    groups = ["one"] * 20 + [f"{i}" for i in range(60)]
    ours, theirs = np.random.default_rng(0).normal(size=(2, 80)) + labels
    assert d.independent(labels, groups) == ((60, 1) if alone else (1, 60))
    assert d.bootstrap(d.auroc, labels, ours, groups=groups, resamples=50) == (0, 1)
    assert d.paired_difference(d.auroc, labels, ours, theirs, groups=groups, resamples=50)[1:] == (
        -1,
        1,
    )
    row = d.summary(labels, ours, groups=groups, resamples=50)
    assert (row["auroc_low"], row["auroc_high"]) == (0, 1)
    assert sorted((row["normal_groups"], row["anomaly_groups"])) == [1, 60]
    low, high = d.bootstrap(d.auroc, labels, ours, resamples=50)  # each item by itself
    assert 0 < low < high < 1


def test_an_interval_of_one_point_is_as_wide_as_so_few_groups_allow():
    labels = np.repeat([0, 1], [50, 10])
    assert d.bootstrap(d.auroc, labels, labels, resamples=50) == (pytest.approx(0.05**0.1), 1)
    assert d.bootstrap(d.auroc, labels, -labels, resamples=50) == (0, pytest.approx(1 - 0.05**0.1))
    sixths = np.repeat([0, 1], [6, 3]), np.arange(9)  # areas of draws are 1 - 1e-16
    assert d.bootstrap(d.auroc, *sixths, resamples=200) == (pytest.approx(0.05 ** (1 / 3)), 1)
    halves = np.arange(60) // 2  # 5 groups of anomalies
    low, _ = d.bootstrap(d.auroc, labels, labels, groups=halves, resamples=50)
    assert low == pytest.approx(0.05**0.2)
    strict = d.bootstrap(d.auroc, labels, labels, resamples=50, confidence=0.99)
    assert strict[0] == pytest.approx(0.01**0.1)
