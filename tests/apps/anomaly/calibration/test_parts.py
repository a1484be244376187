import json

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.parts import PartScales

from gantools.errors import UserError


def test_worked_example():
    scales = PartScales.fit({"a": np.arange(101.0), "b": np.arange(101.0) / 10})
    assert (scales.median, scales.q90, scales.q95) == ((50, 5), (90, 9), (95, 9.5))
    new = {"a": [50.0, 90.0, 1e9, 0.0], "b": [0.0, 9.0, 9.0, 0.0]}
    expected = [0, np.log(2), (np.log(31) + np.log(2)) / 2, 0]
    np.testing.assert_allclose(scales.combine(new), expected)
    np.testing.assert_allclose(scales.scaled(new)[0], [0, 1, 30, -1.25])
    np.testing.assert_allclose(scales.bars({"a": [95.0], "b": [9.5]})["b"], [1])


def test_no_part_owns_the_score():
    """One part explodes on one item, another item is odd in every part."""
    normals = {name: np.random.default_rng(i).normal(size=200) for i, name in enumerate("abcd")}
    scales = PartScales.fit(normals)
    one = scales.combine({n: [1e12 if n == "a" else 0.0] for n in "abcd"})
    every = scales.combine({n: [8.0] for n in "abcd"})
    assert every > one > 0


def test_a_part_that_is_still_among_normals():
    scales = PartScales.fit({"flag": np.zeros(50), "rare": np.r_[np.zeros(49), 2.0]})
    score = scales.combine({"flag": [0.0, 1.0, 0.0], "rare": [0.0, 0.0, 2.0]})
    np.testing.assert_allclose(score, [0, np.log(31) / 2, np.log(2) / 2])


def test_nan_spreads_and_unusable_parts_are_refused():
    scales = PartScales.fit({"a": np.arange(10.0)})
    assert np.isnan(scales.combine({"a": [np.nan, 1.0]})).tolist() == [True, False]
    for wrong in ({}, {"a": []}, {"a": [1.0, np.nan]}):
        with pytest.raises(UserError):
            PartScales.fit(wrong)
    with pytest.raises(UserError, match="Score parts must be"):
        scales.combine({"b": [1.0]})


def test_order_of_parts_and_round_trip():
    rng = np.random.default_rng(0)
    parts = {name: rng.normal(size=50) for name in ("z", "a")}
    scales = PartScales.fit(parts)
    again = PartScales.from_dict(json.loads(json.dumps(scales.to_dict())))
    assert again == scales
    swapped = dict(reversed(parts.items()))
    np.testing.assert_array_equal(scales.combine(parts), again.combine(swapped))
