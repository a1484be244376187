import numpy as np
import pytest
from gantools.apps.anomaly.calibration import stream
from gantools.apps.anomaly.evaluation import evaluate
from gantools.apps.anomaly.fitted import Scored
from gantools.apps.anomaly.items import Item
from gantools.apps.anomaly.reporting.outcome import Subject

ROWS = ("knn5", "mean")


def subjects(labels, kinds=None):
    return [
        Subject(f"{i}", None, (kinds[i] if kinds else "x") if label else "", label)
        for i, label in enumerate(labels)
    ]


def run(scores, **parts):
    n = len(scores)
    scores = np.asarray(scores, float)
    p = (1 + np.argsort(np.argsort(-scores))) / (n + 1)
    p = np.where(np.isnan(scores), np.nan, p)
    parts = {"knn5": scores, "mean": -scores, "own": scores, **parts}
    return Scored([f"{i}" for i in range(n)], [f"h{i}" for i in range(n)], parts, scores, p)


LABELS = [0] * 20 + [1] * 20
GOOD = np.r_[np.linspace(0, 1, 20), np.linspace(2, 3, 20)]
BAD = np.r_[np.linspace(0, 1, 20), np.linspace(0.1, 1.2, 20)]


def test_figures_of_detector_rows_and_parts():
    found = evaluate.evaluate(subjects(LABELS), [run(GOOD)], [0.1], ROWS)
    assert found.rows["detector"]["auroc"] == found.rows["knn5"]["auroc"] == 1
    assert found.rows["mean"]["auroc"] == 0
    assert list(found.parts) == ["own"]
    assert found.best == "knn5"
    assert found.realised == 0
    assert found.to_dict()["schema"] == 1


@pytest.mark.parametrize(
    ("ours", "knn", "words"),
    [(GOOD, BAD, "beats every simple row"),
     (BAD, GOOD, "A simple row beats the detector, use knn5"),
     (GOOD, GOOD, "does not beat the simple row knn5")],
)  # fmt: skip
def test_the_sentence_says_who_ranks_better(ours, knn, words):
    found = evaluate.evaluate(subjects(LABELS), [run(ours, knn5=knn)], [0.1], ROWS)
    assert words in found.sentence


def test_seeds_are_averaged_and_what_one_cannot_score_is_left_out():
    first, second = GOOD.copy(), BAD.copy()
    second[3] = np.nan
    runs = [run(first), run(second)]
    found = evaluate.evaluate(subjects(LABELS), runs, [0.0, 1.0], ROWS)
    assert found.rows["detector"]["normals"] == 19
    alone = evaluate.evaluate(subjects(LABELS), runs[1:], [1.0], ROWS).rows["detector"]["auroc"]
    assert found.rows["detector"]["auroc"] == pytest.approx((1 + alone) / 2)
    assert found.realised == 0.5
    assert found.wanted == 0.5


def test_without_both_labels_there_is_nothing_to_say():
    assert evaluate.evaluate(subjects([0] * 40), [run(GOOD)], [0.1], ROWS) is None
    unknown = [Subject(f"{i}") for i in range(40)]
    assert evaluate.evaluate(unknown, [run(GOOD)], [0.1], ROWS) is None


def test_kinds_are_told_apart():
    kinds = ["" for _ in range(20)] + ["crack", "spot"] * 10
    scores = np.r_[np.linspace(0, 1, 20), np.tile([2.0, -1.0], 10)]
    found = evaluate.evaluate(subjects(LABELS, kinds), [run(scores)], [0.1], ROWS)
    assert found.kinds == {"crack": (10, 1.0), "spot": (10, 0.0)}
    text = found.html()
    assert "crack" in text and "choosing on the test" in text


def test_of_seven_rows_as_good_as_ours_none_is_called_better():
    random, labels = np.random.default_rng(0), np.repeat([0, 1], 40)
    groups, found = [f"{i}" for i in range(80)], []
    for _ in range(200):
        shared = 0.74 * labels + random.normal(0, 0.8, 80)
        ours, *theirs = shared + random.normal(0, 0.6, (8, 1, 80))
        ends = evaluate.against_best(labels, ours, np.stack(theirs), groups=groups, resamples=150)
        assert ends[1] <= ends[0] <= ends[2]
        found.append(ends)
    assert np.mean([high < 0 for *_, high in found]) <= 0.05  # "a simple row beats the detector"
    assert np.mean([low > 0 for _, low, _ in found]) <= 0.05  # "beats every simple row"


def test_the_difference_is_that_of_the_bootstrap_of_the_metrics():
    from gantools.metrics import detection

    random, labels = np.random.default_rng(1), np.repeat([0, 1], [50, 30])
    ours, theirs = np.round(labels + random.normal(0, 1.5, (2, 3, 80)), 1)  # ties, three seeds
    draws = {"groups": [f"{i // 3}" for i in range(80)], "resamples": 300}
    wanted = detection.paired_difference(detection.auroc, labels, ours, theirs, **draws)
    change, low, high = evaluate.against_best(labels, ours, theirs[None], **draws)
    assert (change, low) == pytest.approx(wanted[:2])
    assert abs(high - wanted[2]) < 0.02  # mirrored at the difference, not the quantile itself
    hopeless = -theirs - 5 * labels  # no rival: it must not widen anything
    both = evaluate.against_best(labels, ours, np.stack([theirs, hopeless]), **draws)
    assert both == pytest.approx((change, low, high))


def test_pixels_against_masks():
    mask = np.zeros((16, 16), bool)
    mask[4:8, 4:8] = True
    none = np.zeros((16, 16), bool)
    pairs = [(mask.astype(float), mask, "a"), (np.zeros((16, 16)), none, "b")]
    perfect = evaluate.pixel_figures(pairs)
    assert perfect["aupro_30"] == pytest.approx(1)
    assert perfect["pixel_ap"] == pytest.approx(1)
    assert evaluate.pixel_figures(pairs[1:]) == {}


def test_masks_of_another_size_are_counted_and_named():
    mask = np.ones((16, 16), bool)
    small = [(np.zeros((8, 8)), mask, f"bad/{i}.png") for i in range(5)]
    assert evaluate.pixel_figures(small) == {"unfit": [name for *_, name in small]}
    whole = [(mask * np.eye(16), np.eye(16, dtype=bool), "c")]
    figures = evaluate.pixel_figures([*whole, *small])
    assert figures["aupro_30"] == pytest.approx(1)
    found = evaluate.evaluate(subjects(LABELS), [run(GOOD)], [0.1], ROWS, figures)
    assert found.sentence.endswith(
        "Masks of another size than their picture count in no figure of pixels: 5, bad/0.png, "
        "bad/1.png, bad/2.png and 2 more. Save them in the size of the pictures."
    )
    assert set(found.pixels) == {"aupro_30", "aupro_5", "pixel_ap"}
    assert found.to_dict()["masks_unfit"] == [name for *_, name in small]
    plain = evaluate.evaluate(subjects(LABELS), [run(GOOD)], [0.1], ROWS, {"pixel_ap": 1.0})
    assert "Masks" not in plain.sentence and plain.to_dict()["masks_unfit"] == []


def test_streams_ring_when_they_leave_the_normals():
    random = np.random.default_rng(0)
    normal, hashes = random.normal(size=200), [str(i) for i in range(150)]
    calm, values = stream.watch(normal, random.normal(size=150), hashes, range(150))
    assert calm.state == "same"
    assert len(values) == 150
    odd = np.r_[random.normal(size=75), random.normal(2, 1, size=75)]
    light, values = stream.watch(normal, odd, hashes, range(150))
    assert light.state == "differs"
    alarm = next(i for i, v in enumerate(values) if v >= 100)
    assert 75 < alarm < 130
    assert f"item {alarm + 1}:" in light.sentence
    back, _ = stream.watch(normal, odd, hashes, range(149, -1, -1))
    assert back.sentence != light.sentence


def test_the_order_of_a_stream(tmp_path):
    import os

    items = []
    for i, name in enumerate(("b10.png", "b9.png", "a.png")):
        (tmp_path / name).write_text("x")
        os.utime(tmp_path / name, (1000 - i, 1000 - i))
        items.append(Item(tmp_path / name, name))
    assert stream.order_of(items, "name") == [2, 1, 0]
    assert stream.order_of(items, "time") == [2, 1, 0]
    assert stream.order_of(items[:2], "time") == [1, 0]
    assert stream.order_of(items, None) is None


def test_streams_of_codes_and_frames_are_ordered_by_file_and_index(tmp_path):
    import os

    items = []
    for path, index, name in (("s/10.dcm", None, "00aa"), ("s/9.dcm", 10, "ffbb#10"),
                              ("s/9.dcm", 9, "ffbb#9"), ("r/1.dcm", None, "9900")):  # fmt: skip
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
        os.utime(tmp_path / path, (1000, 1000))
        items.append(Item(tmp_path / path, name, index=index))
    assert stream.order_of(items, "name") == [3, 2, 1, 0]
    assert stream.order_of(items, "time") == [3, 2, 1, 0]
    parts = [Item(tmp_path, f"x{m}#{i}", index=i, member=m) for m in "ba" for i in (1, 0)]
    assert stream.order_of(parts, "name") == [3, 2, 1, 0]


def test_digits_that_are_no_decimals_are_letters_of_a_name():
    assert stream.natural("5\u00b23.png")[0] == (0, 5, "")
    assert sorted(["5\u00b210", "5\u00b29"], key=stream.natural) == ["5\u00b29", "5\u00b210"]


def grouped(anomalies):
    """Return items of 60 normals, each by itself, and of 20 anomalies in so many groups."""
    bad = [Subject(f"b{i}", f"patient {i % anomalies}", "x", 1) for i in range(20)]
    return subjects([0] * 60) + bad


def test_one_patient_decides_nothing():
    random, labels = np.random.default_rng(0), np.repeat([0, 1], [60, 20])
    for _ in range(5):  # the row is far better on this patient
        ours, theirs = random.normal(size=(2, 80)) + np.outer([0, 3], labels)
        found = evaluate.evaluate(grouped(1), [run(ours, knn5=theirs)], [0.1], ROWS)
        row = found.rows["detector"]
        assert (row["auroc_low"], row["auroc_high"], *found.difference[1:]) == (0, 1, -1, 1)
        assert found.sentence.startswith(
            "Too few to compare: the anomalies are of 1 group, where an item of none counts as one;"
        )
        assert "beat" not in found.sentence


@pytest.mark.parametrize(("groups", "words"), [(4, "are of 4 groups"), (5, "A simple row beats")])
def test_a_verdict_needs_five_groups(groups, words):
    random, labels = np.random.default_rng(0), np.repeat([0, 1], [60, 20])
    ours, theirs = random.normal(size=(2, 80)) + np.outer([0, 3], labels)
    found = evaluate.evaluate(grouped(groups), [run(ours, knn5=theirs)], [0.1], ROWS)
    assert words in found.sentence
    assert found.difference[2] < 0  # the interval itself is there


def test_one_anomaly_among_normals_makes_no_row_better():
    random, labels = np.random.default_rng(0), np.repeat([0, 1], [60, 1])
    groups = [f"{i}" for i in range(61)]
    for kinds in (labels, 1 - labels):  # one normal among anomalies
        ours, *theirs = random.normal(size=(4, 1, 61))
        ends = evaluate.against_best(kinds, ours, np.stack(theirs), groups=groups, resamples=20)
        assert ends[1:] == (-1, 1) and -1 < ends[0] < 1


def test_the_table_says_that_there_are_too_few():
    from gantools.apps.anomaly.evaluation import measuring

    scores = np.r_[np.linspace(0, 1, 60), np.linspace(2, 3, 20)]
    for groups in (3, 5):
        found = evaluate.evaluate(grouped(groups), [run(scores)], [0.1], ROWS).to_dict()
        found |= {"data": "x", "fit": 9, "calibration": (1, 9), "seeds": [0], "detector": "encoder",
                  "realised": {}, "without": {}, "fit_seconds": 1, "score_ms": 1,
                  "peak_mb": 1}  # fmt: skip
        assert any("Too few" in line for line in measuring.table(found)) == (groups < 5)
