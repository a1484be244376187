import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly.calibration import drift
from gantools.apps.anomaly.calibration.calibrate import Calibration
from gantools.apps.anomaly.calibration.crossfit import CrossCalibration
from gantools.apps.anomaly.calibration.drift import Fingerprint, Martingale, batch
from gantools.apps.anomaly.calibration.split import folds
from gantools.apps.anomaly.detectors.references import Knn
from gantools.apps.anomaly.items import Item

from gantools.errors import UserError

DATA = Path(__file__).parents[5] / "shared/data/anomaly"
real = pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data")


def p_of(rng, shift, n=200, m=300):
    return Calibration.fit(rng.normal(size=n)).p(rng.normal(size=m) + shift)


def test_beta_binomial_equals_scipy():
    from scipy.stats import betabinom

    law = betabinom(40, 10, 11)
    for count in (5, 19, 33):
        expected = min(1, 2 * min(law.cdf(count), law.sf(count - 1)))
        assert drift.beta_binomial_p(count, 40, 10, 11) == pytest.approx(expected, rel=1e-9)


def test_quiet_on_the_same_source():
    """At most 1 % of yellow or red lights, also for a large batch on a small calibration set."""
    from scipy.stats import binomtest

    rng = np.random.default_rng(0)
    states, naive = [], []
    for _ in range(300):
        p = p_of(rng, 0, n=60, m=1000)
        states.append(batch(p, 60).state)
        naive.append(binomtest(int(np.sum(p <= 0.5)), len(p)).pvalue < 0.01)
    assert np.mean(np.array(states) != "same") <= 0.02
    assert np.mean(naive) > 0.2  # what the allowance for the calibration set is for


def test_a_shift_of_the_bulk_rings():
    rng = np.random.default_rng(1)
    lights = [batch(p_of(rng, 0.6, m=234), 300) for _ in range(20)]
    assert np.mean([light.state == "differs" for light in lights]) > 0.9
    assert "as a whole" in lights[0].sentence
    near = batch(p_of(rng, -0.8), 200)
    assert near.state == "differs" and "fitted on" in near.sentence


def test_a_few_anomalies_do_not_ring():
    rng = np.random.default_rng(2)
    p = np.r_[p_of(rng, 0), np.full(9, 1 / 201), np.nan]
    assert batch(p, 200).state == "same"
    assert "too few" in batch(p[:5], 200).sentence


def test_spread_without_shift_is_seen_by_kolmogorov_smirnov():
    rng = np.random.default_rng(3)
    wide = Calibration.fit(rng.normal(size=500)).p(3 * rng.normal(size=500))
    assert abs(np.mean(wide <= 0.5) - 0.5) < 0.08
    assert batch(wide, 500).state == "differs"


def run(rng, n, shift, length, start=0):
    watch = Martingale(rng.normal(size=n))
    for i in range(length):
        watch.update(rng.normal() + (shift if i >= start else 0), f"{rng.integers(1 << 60)}")
        if watch.alarm:
            return i
    return None


def test_martingale_rarely_cries_wolf():
    """Ville: at most 1 stream in 100 ever; 200 streams of 300 items on 30 normals."""
    rng = np.random.default_rng(4)
    assert sum(run(rng, 30, 0, 300) is not None for _ in range(200)) <= 6  # P(more) < 1 %


def test_martingale_rings_soon_after_a_shift():
    rng = np.random.default_rng(5)
    at = [run(rng, 200, 2.0, 200, start=50) for _ in range(20)]
    assert all(a is not None and a >= 50 for a in at)
    assert np.median(at) < 75


def test_martingale_takes_ties_and_passes_nan():
    watch = Martingale(np.zeros(50))
    assert watch.value == pytest.approx(1)
    values = [watch.update(0.0, f"i{i}") for i in range(200)]
    assert max(values) < drift.ALARM
    before = watch.value
    assert watch.update(np.nan, "x") == before and len(watch.bag) == 250


def test_inputs_against_the_fingerprint():
    rng = np.random.default_rng(6)
    numbers = {"mean": rng.normal(100, 5, 400), "height": np.full(400, 64.0)}
    print_ = Fingerprint.fit(numbers, {"scanner": ["A", "B"] * 200})
    print_ = Fingerprint.from_dict(json.loads(json.dumps(print_.to_dict())))
    same = {"mean": rng.normal(100, 5, 200), "height": np.full(200, 64.0)}
    lights = {light.name: light for light in print_.compare(same, {"scanner": ["A"] * 200})}
    assert {light.state for light in lights.values()} == {"same"}
    other = {"mean": rng.normal(110, 5, 200), "height": np.full(200, 65.0)}
    lights = {light.name: light for light in print_.compare(other, {"scanner": ["C"] * 200})}
    assert {light.state for light in lights.values()} == {"differs"}
    assert "200 of 200 items (100.0%) have a scanner" in lights["scanner"].sentence
    assert "was 100" in lights["mean"].sentence


def test_a_new_tag_is_named_and_its_share_decides():
    print_ = Fingerprint.fit({"mean": np.arange(500.0)}, {"mode": ["L", "RGB"] * 250})

    def light(*modes):
        numbers = {"mean": np.arange(float(len(modes)))}
        return print_.compare(numbers, {"mode": list(modes)})[-1]

    one = light(*["L"] * 999, "I;16")
    assert one.state == "watch" and one.effect == pytest.approx(0.001)
    assert "1 of 1000 items (0.1%) has a mode that was never fitted on: I;16." in one.sentence
    assert light(*["L"] * 96, *["P"] * 4).state == "watch"
    many = light(*["L"] * 90, *["P"] * 7, *["CMYK"] * 3)
    assert many.state == "differs" and "P, CMYK." in many.sentence
    assert light("L", "RGB").state == "same"
    assert light().state == "same"


def test_significant_but_tiny_changes_stay_silent():
    rng = np.random.default_rng(7)
    print_ = Fingerprint.fit({"mean": rng.normal(0, 1, 50_000)})
    (light,) = print_.compare({"mean": rng.normal(0.1, 1, 50_000)})
    assert light.p < 1e-3 and light.state == "same"


def test_fingerprints_rarely_ring_on_the_same_source():
    rng = np.random.default_rng(8)
    rings = 0
    for _ in range(100):
        print_ = Fingerprint.fit({k: rng.normal(size=100) for k in "abcde"})
        rings += any(
            x.state != "same" for x in print_.compare({k: rng.normal(size=30) for k in "abcde"})
        )
    assert rings <= 2
    with pytest.raises(UserError, match="fingerprint"):
        Fingerprint.fit({})


@pytest.mark.parametrize("known", [20, 200])
def test_a_number_that_is_rarely_known_rings_no_more_often(known):
    """Of 1000 rows. With 20 known it rang "differs" in 2 of 100 trials, not in 1 of 1000."""
    states = []
    for seed in range(1000):
        rng = np.random.default_rng(seed)
        old, new = np.full((2, 1000), np.nan)
        old[:known], new[:known] = rng.normal(size=(2, known))
        (light,) = Fingerprint.fit({"a": old}).compare({"a": new})
        states.append(light.state)
    assert states.count("differs") <= 5  # P(more of 1000 at 0.1 %) < 0.1 %
    assert states.count("watch") <= 20  # at 0.9 %: P(more) < 0.1 %


def test_a_number_that_is_rarely_known_still_rings():
    rng = np.random.default_rng(9)
    old, new = np.full((2, 1000), np.nan)
    old[:30], new[:30] = rng.normal(size=30), rng.normal(3, 1, size=30)
    print_ = Fingerprint.fit({"a": old, "b": rng.normal(size=1000), "few": old[:5].repeat(200)})
    assert print_.items["a"] == 30
    again = Fingerprint.from_dict(json.loads(json.dumps(print_.to_dict())))
    assert again.compare({"a": new})[0].state == "differs"
    with pytest.raises(UserError, match="Fit the model again"):
        Fingerprint.from_dict(print_.to_dict() | {"schema": 1})


def light_of(normals, units, new):
    """Return the light of new normals by 5-NN on 32x32 pixels, cross-calibrated."""
    some = [Item(Path(f"{i}"), f"{i}", group=str(unit)) for i, unit in enumerate(units)]
    detectors, scores = [], []
    for fold in folds(some):
        rest = np.setdiff1d(np.arange(len(normals)), fold)
        detectors.append(Knn().fit(normals[rest]))
        scores.append(detectors[-1].score(normals[list(fold)]))
    calibration = CrossCalibration.fit(scores)
    p = calibration.p(
        np.stack([d.score(new) for d in detectors]), [f"n{i}" for i in range(len(new))]
    )
    light = batch(p, len(normals))
    print(light)
    return light


@real
@pytest.mark.slow
def test_pneumonia_test_folder_differs_from_its_training_folder():
    with np.load(DATA / "pneumoniamnist.npz") as stored:
        normal = {
            k: stored[f"{k}_images"][stored[f"{k}_labels"][:, 0] == 0] for k in ("train", "test")
        }
    train, test = (normal[k].astype(np.float32) / 255 for k in ("train", "test"))
    light = light_of(train, range(len(train)), test)
    assert light.state == "differs" and light.effect > 0.6


@real
@pytest.mark.slow
def test_magnetic_tiles_stay_silent():
    folder = DATA / "magnetic_tile"
    with (folder / "meta.csv").open() as file:
        group = {row["file"]: row["group"] for row in csv.DictReader(file)}
    parts = []
    for part in ("train", "test"):
        paths = sorted((folder / part / "good").iterdir())
        x = [
            cv2.resize(cv2.imread(str(f), 0), (32, 32), interpolation=cv2.INTER_AREA) for f in paths
        ]
        parts.append(
            (np.stack(x).astype(np.float32) / 255, [group[f"{part}/good/{f.name}"] for f in paths])
        )
    (train, units), (test, _) = parts
    assert light_of(train, units, test).state == "same"


def test_a_number_that_went_missing_rings():
    rng = np.random.default_rng(9)
    rare = np.r_[np.ones(20), np.full(180, np.nan)]
    print_ = Fingerprint.fit({"a": rng.normal(size=200), "rare": rare})

    def light(known, rows, name="a", units=None):
        values = np.r_[rng.normal(size=known), np.full(rows - known, np.nan)]
        return print_.compare({name: values}, units=units)[0]

    gone = light(0, 50)
    assert gone.state == "differs" and gone.effect == pytest.approx(1, abs=0.01)
    assert gone.sentence == "a: known of 0 of 50 items, was of 200 of 200."
    assert light(5, 1000).state == "differs"
    assert light(9, 10).state == "same" and "too few to compare" in light(9, 10).sentence
    assert light(0, 5).state == "same"  # of so few nothing is said
    assert light(2, 30, "rare").state == "same"  # as rare as it was
    assert light(0, 400, units=(20, 4)).state == "same"  # four groups: as few as four items
    assert light(0, 400, units=(20, 12)).state == "differs"
