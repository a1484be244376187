"""Golden values of every objective, computed in float64 outside Keras (tolerance: float32)."""

import numpy as np
import pytest
from keras import ops

from gantools.core import OBJECTIVES, cross_entropy, objective, smoothed
from gantools.errors import UserError

pytestmark = pytest.mark.backends

REAL = np.array([1.5, -0.5, 0.25, 2.0], "float32")
FAKE = np.array([-1.0, 0.75, 0.0, -2.5], "float32")
GOLDEN = {
    "minimax": (1.025131825393, -0.555542402121),
    "nonsaturating": (1.025131825393, 1.243042402121),
    "least_squares": (1.484375, 2.1640625),
    "least_squares_pearson": (1.296875, 0.9765625),
    "hinge": (1.25, 0.6875),
    "wasserstein": (-1.5, 0.6875),
    "relativistic": (0.541951495091, 2.041951495091),
    "relativistic_average": (0.580758687485, 3.580758687485),
    "relativistic_average_hinge": (0.5, 5.0),
    "relativistic_average_squares": (2.9609375, 14.9609375),
}


def close(value, expected):
    return np.testing.assert_allclose(float(value), expected, rtol=2e-6, atol=1e-6)


def test_every_objective_has_a_golden_value():
    assert set(GOLDEN) == set(OBJECTIVES)


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name):
    sides = objective(name)
    real, fake = ops.convert_to_tensor(REAL), ops.convert_to_tensor(FAKE)
    close(sides.discriminator(real, fake), GOLDEN[name][0])
    close(sides.generator(real if sides.paired else None, fake), GOLDEN[name][1])


def test_one_sided_smoothing():
    sides = smoothed(0.9)
    real, fake = ops.convert_to_tensor(REAL), ops.convert_to_tensor(FAKE)
    close(sides.discriminator(real, fake), 1.106381825393)


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_cross_entropy_of_flat_labels_and_of_a_column(shape):
    """-(log 3/4 + log 1/4) / 2; a column once gave the mean over all pairs of rows."""
    logits = ops.log(ops.convert_to_tensor([[0.75, 0.25], [0.75, 0.25]], "float32"))
    y = ops.convert_to_tensor(np.array([0, 1]).reshape(shape), "int32")
    close(cross_entropy(y, logits), -0.5 * (np.log(0.75) + np.log(0.25)))
    y = ops.convert_to_tensor(np.array([0, 0]).reshape(shape), "int32")
    close(cross_entropy(y, logits), -np.log(0.75))


BALANCE = {"least_squares": 0.5}  # the common score of real and fake samples; 0 elsewhere


@pytest.mark.parametrize("name", GOLDEN)
def test_equilibrium_values(name):
    sides = objective(name)
    score = ops.full((8,), BALANCE.get(name, 0.0))
    for side, value in sides.equilibrium.items():
        close(getattr(sides, side)(score, score), value)


def test_unknown_objective_names_the_known_ones():
    with pytest.raises(UserError, match="Unknown objective 'wgna'.*wasserstein"):
        objective("wgna")
