"""Resampling against plain NumPy, and twice differentiable."""

import numpy as np
import pytest
from keras import ops

from gantools.core import gradients
from gantools.nets.resampling import (
    AverageDown,
    FilterDown,
    FilterUp,
    NearestUp,
    PixelShuffle,
    PixelUnshuffle,
    SumSpace,
)

pytestmark = pytest.mark.backends

LAYERS = [AverageDown, FilterDown, FilterUp, NearestUp, PixelUnshuffle, PixelShuffle, SumSpace]


def tensor(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


def run(layer, x):
    return ops.convert_to_numpy(layer(ops.convert_to_tensor(x)))


def filtered(x, axis, up):
    """Zero insertion and [1, 2, 1] / 2 upwards; [1, 2, 1] / 4 and every second value downwards."""
    x = np.moveaxis(x, axis, -1)
    if up:
        spread = np.zeros((*x.shape[:-1], 2 * x.shape[-1]))
        spread[..., 1::2] = x
        padded = np.pad(spread, [(0, 0)] * (x.ndim - 1) + [(1, 1)])
        y = (padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:]) / 2
    else:
        padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(1, 1)])
        y = (padded[..., :-2] + 2 * padded[..., 1:-1] + padded[..., 2:])[..., ::2] / 4
    return np.moveaxis(y, -1, axis)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize(("layer", "up"), [(FilterUp(), True), (FilterDown(), False)])
def test_filters_are_the_1_2_1_filter_on_every_axis(ndim, layer, up):
    x = expected = tensor(2, *(4, 6, 8)[:ndim], 3)
    for axis in range(1, ndim + 1):
        expected = filtered(expected, axis, up)
    np.testing.assert_allclose(run(layer, x), expected, atol=1e-6)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_nearest_repeats_and_average_takes_means(ndim):
    x = expected = tensor(2, *(4, 6, 8)[:ndim], 3)
    for axis in range(1, ndim + 1):
        expected = np.repeat(expected, 2, axis)
    np.testing.assert_array_equal(run(NearestUp(), x), expected)
    np.testing.assert_allclose(run(AverageDown(), expected), x, atol=1e-6)
    assert run(AverageDown(), x).mean() == pytest.approx(x.mean(), abs=1e-6)


def test_pixel_shuffle_has_the_channel_order_of_the_plans():
    block, channels = 3, 2
    x = tensor(2, 4, 5, channels * block**2)
    y = run(PixelShuffle(block), x)
    assert y.shape == (2, 12, 15, channels)
    for c, dy, dx in [(0, 0, 0), (1, 2, 0), (1, 0, 1), (0, 1, 2)]:
        source = x[..., c * block**2 + dy * block + dx]
        np.testing.assert_array_equal(y[:, dy::block, dx::block, c], source)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_unshuffle_inverts_shuffle(ndim):
    x = tensor(2, *(4, 6, 2)[:ndim], 16)
    np.testing.assert_array_equal(run(PixelUnshuffle(2), run(PixelShuffle(2), x)), x)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("kind", LAYERS)
def test_declared_shape_is_the_real_one(ndim, kind):
    x, layer = tensor(2, *(4, 6, 8)[:ndim], 8), kind()
    assert layer.compute_output_shape(x.shape) == run(layer, x).shape


@pytest.mark.parametrize("kind", LAYERS)
def test_second_order_gradient(kind):
    """For y = sum layer(w x)^2 the input gradient is linear in w^2: its square has 4 w^3 ..."""
    layer, x = kind(), ops.convert_to_tensor(tensor(2, 4, 6, 4))
    import keras

    w = keras.Variable(1.5)

    def penalty():
        _, g = gradients.input_gradient(lambda x: ops.square(layer(w * x)), x, [w])
        return ops.sum(ops.square(g)), {}

    (value, _), (slope,) = gradients.value_and_grad(penalty, [w], [w])
    assert float(slope) == pytest.approx(4 * float(value) / 1.5, rel=1e-4)
