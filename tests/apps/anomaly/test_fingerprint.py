"""What the data are, in numbers."""

import json
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.anomaly.audit.measure import measure_arrays
from gantools.apps.anomaly.fingerprint import explained, fingerprint
from gantools.apps.anomaly.items import Collection


def test_share_explained_by_the_mean_picture():
    draw = np.random.default_rng(0)
    noise = draw.normal(size=(200, 16, 16))
    assert explained(noise) < 0.02
    fixed = draw.normal(size=(16, 16))
    assert explained(fixed + noise) == pytest.approx(0.5, abs=0.06)
    assert explained(np.repeat(fixed[None], 5, axis=0)) == pytest.approx(1)
    assert explained(noise[:1]) == 0


def test_fingerprint_is_json_and_names_nobody():
    x = np.random.default_rng(0).integers(0, 255, (50, 20, 30), np.uint8)
    sheet = measure_arrays(x, ["train"] * 40 + ["test"] * 10, [0] * 45 + [1] * 5,
                           groups=["CANARY"] * 50, names=["CANARY"] * 50)  # fmt: skip
    made = fingerprint(Collection(Path("CANARY"), "flat"), sheet)
    text = json.dumps(made)
    assert "CANARY" not in text
    assert made["sizes"] == [[20, 30, 50]]
    assert made["labels"] == {"normal": 45, "anomalous": 5}
    assert made["modes"] == {"grey, 8 bit": 50}
    assert made["numbers"]["mean level"]["q50"] == pytest.approx(0.5, abs=0.03)
    assert sum(made["levels"]) == pytest.approx(1, abs=1e-4)
    assert made["is_aligned"] is False and made["is_dark"] is False


def test_objects_on_black_are_known():
    y, x = np.mgrid[:70, :60]
    disc = (y - 35) ** 2 + (x - 30) ** 2 < 500
    pictures = np.random.default_rng(0).integers(90, 200, (20, 70, 60), np.uint8) * disc
    whole = Collection(Path("d"), "flat")
    assert fingerprint(whole, measure_arrays(pictures))["is_dark"] is True
    pictures[:3] = 120  # 85 % are left
    assert fingerprint(whole, measure_arrays(pictures))["is_dark"] is False
    assert fingerprint(whole, measure_arrays(pictures[:0]))["is_dark"] is False


@pytest.mark.parametrize("top", [200, 700, 1000, 4095, 65535])
def test_objects_on_black_are_known_by_the_levels_that_a_deep_set_uses(top):
    y, x = np.mgrid[:70, :60]
    disc = (y - 35) ** 2 + (x - 30) ** 2 < 500
    drawn = np.random.default_rng(0).uniform(0.45, 1, (20, 70, 60)) * disc
    deep = (drawn * top).astype(np.uint16)
    whole = Collection(Path("d"), "flat")
    for pictures in (deep, deep.astype(np.float32)):
        assert fingerprint(whole, measure_arrays(pictures))["is_dark"] is True
        pictures[:3] = 0.5 * top
        assert fingerprint(whole, measure_arrays(pictures))["is_dark"] is False
