"""Schedules count images; golden values of the formulas."""

import pytest
from keras import ops

from gantools.core import Cosine, Linear, Trapezoid
from gantools.core.schedules import value_at

pytestmark = pytest.mark.backends


@pytest.mark.parametrize(
    ("schedule", "images", "expected"),
    [
        (Cosine(2e-4, 5e-5, 2e7), 5e6, 1.780330e-4),
        (Cosine(2e-4, 5e-5, 2e7), 1e7, 1.25e-4),
        (Cosine(2e-4, 5e-5, 2e7), 9e7, 5e-5),
        (Linear(1.0, 0.0, 100, begin=50), 25, 1.0),
        (Linear(1.0, 0.0, 100, begin=50), 75, 0.5),
        (Trapezoid(2.0, 1000, warmup=100), 50, 1.0),
        (Trapezoid(2.0, 1000, warmup=100), 500, 2.0),
        (Trapezoid(2.0, 1000, warmup=100), 900, 1.0),
        (Trapezoid(2.0, 1000, warmup=100), 1000, 0.0),
        (3.5, 10, 3.5),
    ],
)
def test_values(schedule, images, expected):
    value = value_at(schedule, ops.convert_to_tensor(images, "float32"))
    assert float(ops.convert_to_numpy(value)) == pytest.approx(expected, rel=1e-5)


def test_an_unbound_schedule_says_where_it_belongs():
    with pytest.raises(ValueError, match="AdversarialModel"):
        Cosine(1.0, 0.0, 10)(0)


def test_config_round_trip():
    again = Trapezoid.from_config(Trapezoid(2.0, 1000, warmup=100).get_config())
    assert float(ops.convert_to_numpy(value_at(again, 50))) == pytest.approx(1.0)
