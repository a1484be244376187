"""Shifts, turns and packs against NumPy, and their gradients."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core.gradients import value_and_grad
from gantools.core.ops import affine, packed, shift, unpacked

pytestmark = pytest.mark.backends


def array(tensor):
    return ops.convert_to_numpy(tensor)


def turned(x, angle, zoom, **options):
    """Turn all pictures of `x` alike."""
    same = lambda value: ops.full((len(x),), value, "float32")
    return array(affine(ops.convert_to_tensor(x), same(angle), same(zoom), **options))


def moved(sample, steps, fill):
    """Move one sample by indices, place by place."""
    out = np.full_like(sample, fill)
    for place in np.ndindex(sample.shape[:-1]):
        source = tuple(np.subtract(place, steps))
        if all(0 <= i < side for i, side in zip(source, sample.shape, strict=False)):
            out[place] = sample[source]
    return out


@pytest.mark.parametrize("shape", [(9, 2), (5, 7, 3), (4, 3, 5, 1)])
@pytest.mark.parametrize("fill", [0.0, -1.0])
def test_shift(shape, fill):
    random = np.random.default_rng(0)
    x = random.normal(size=(6, *shape)).astype("float32")
    steps = random.integers(-4, 5, (6, len(shape) - 1)).astype("int32")
    expected = np.stack([moved(s, k, fill) for s, k in zip(x, steps, strict=True)])
    np.testing.assert_allclose(array(shift(x, ops.convert_to_tensor(steps), fill)), expected)


@pytest.mark.parametrize("side", [6, 7])
def test_affine_turns_counter_clockwise(side):
    x = np.random.default_rng(0).normal(size=(2, side, side, 2)).astype("float32")
    np.testing.assert_allclose(turned(x, np.pi / 2, 1.0), np.rot90(x, axes=(1, 2)), atol=1e-5)
    np.testing.assert_allclose(turned(x, 0.0, 1.0, fill=-1.0), x, atol=1e-6)


def test_affine_enlarges_about_the_centre():
    ramp = np.tile(np.arange(9, dtype="float32"), (9, 1)).reshape(1, 9, 9, 1)
    np.testing.assert_allclose(turned(ramp, 0.0, 2.0)[0, 4, :, 0], np.linspace(2, 6, 9))
    half = turned(ramp, 0.0, 0.5, fill=-5.0)[0, :, :, 0]
    np.testing.assert_allclose(half[4], [-5, -5, 0, 2, 4, 6, 8, -5, -5])
    assert np.all(half[:2] == -5)


def test_affine_interpolates_against_the_fill():
    y = turned(np.ones((1, 4, 4, 1), "float32"), 0.4, 1.0, fill=-1.0)
    assert -1 <= y.min() < 0.1 < 0.99 < y.max() <= 1 + 1e-6
    np.testing.assert_allclose(y[0, ::-1, ::-1], y[0], atol=1e-5)  # symmetric


@pytest.mark.parametrize("shape", [(3,), (5, 2), (4, 3, 2)])
def test_packs(shape):
    x = np.arange(6 * np.prod(shape), dtype="float32").reshape(6, *shape)
    pack = array(packed(x, 3))
    assert pack.shape == (2, *shape[:-1], 3 * shape[-1])
    np.testing.assert_array_equal(pack[1], np.concatenate(list(x[3:]), axis=-1))
    np.testing.assert_array_equal(array(unpacked(pack, 3)), x)
    assert packed(x, 1) is x


def test_the_gradient_of_a_shift_is_the_shift_back():
    v = keras.Variable(np.random.default_rng(0).normal(size=(2, 5, 4, 2)).astype("float32"))
    weight = np.random.default_rng(1).normal(size=(2, 5, 4, 2)).astype("float32")
    steps = np.array([[1, -2], [0, 3]], "int32")
    tensors = [ops.convert_to_tensor(a) for a in (steps, weight)]
    loss = lambda: (ops.sum(shift(v.value, tensors[0], 0.5) * tensors[1]), {})
    _, (gradient,) = value_and_grad(loss, [v], [v])
    expected = np.stack([moved(w, -k, 0.0) for w, k in zip(weight, steps, strict=True)])
    np.testing.assert_allclose(array(gradient), expected, atol=1e-6)
