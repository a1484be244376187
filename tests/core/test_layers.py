"""Spectral normalisation (golden values, gradient, state), and deviations in a minibatch."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import MinibatchStd, SpectralNormalization
from gantools.core.gradients import value_and_grad
from gantools.errors import UserError

pytestmark = pytest.mark.backends

KERNEL = (np.arange(12) / 5 + 0.3).reshape(4, 3).astype("float32")
START = np.array([0.2, 0.5, 0.3], "float32")
TRUE_SIGMA = 5.401924004092


def layer(iterations=1):
    made = SpectralNormalization(layers.Dense(3, use_bias=False), iterations)
    made.build((None, 4))
    made.layer.kernel.assign(KERNEL)
    made.u.assign(START / np.linalg.norm(START))
    return made


@pytest.mark.parametrize(
    ("iterations", "sigma"), [(1, 5.401919986395), (2, 5.401924004075), (3, 5.401924004092)]
)
def test_sigma(iterations, sigma):
    np.testing.assert_allclose(
        float(ops.convert_to_numpy(layer(iterations)._sigma(False))), sigma, rtol=1e-6
    )


def test_loss_gradient_and_vector():
    made, x = layer(), np.linspace(-1, 1, 8).reshape(2, 4).astype("float32")
    loss = lambda: (ops.sum(ops.square(made(x, training=True))), {})
    (value, _), (gradient,) = value_and_grad(loss, [made.layer.kernel], made.variables)
    np.testing.assert_allclose(float(ops.convert_to_numpy(value)), 2.285208760477, rtol=2e-6)
    expected = [0.0933633219, 0.1197929551, 0.1462225882]
    np.testing.assert_allclose(ops.convert_to_numpy(gradient)[0], expected, rtol=2e-5)
    np.testing.assert_allclose(made.u.numpy(), [0.5078, 0.5748, 0.6417], atol=1e-4)
    np.testing.assert_array_equal(ops.convert_to_numpy(made.layer.kernel.value), KERNEL)


def test_inference_leaves_the_vector_alone():
    made = layer()
    before = ops.convert_to_numpy(made.u.value).copy()
    made(np.ones((1, 4), "float32"), training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(made.u.value), before)


@pytest.mark.parametrize(
    ("inner", "shape"),
    [
        (lambda: layers.Conv1D(5, 3), (9, 2)),
        (lambda: layers.Conv2D(5, 3, padding="same"), (6, 4, 2)),
        (lambda: layers.Conv3D(2, 2), (3, 4, 3, 2)),
        (lambda: layers.Conv2DTranspose(5, 4, strides=2), (6, 4, 2)),
    ],
)
def test_largest_singular_value_becomes_one(inner, shape):
    keras.utils.set_random_seed(0)  # near singular values take any number of steps apart
    made = SpectralNormalization(inner())
    x = np.random.default_rng(0).normal(size=(2, *shape)).astype("float32")
    for _ in range(60):
        made(x, training=True)
    kernel = ops.convert_to_numpy(made.layer.kernel.value)
    out = made._channel_axis()
    matrix = np.moveaxis(kernel, out, -1).reshape(-1, kernel.shape[out])
    sigma = float(ops.convert_to_numpy(made._sigma(False)))
    np.testing.assert_allclose(sigma, np.linalg.svd(matrix, compute_uv=False)[0], rtol=1e-3)


def test_bias_and_activation_come_after_the_division():
    made = SpectralNormalization(layers.Dense(3, "relu"))
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    made(x)
    made.bias.assign([0.5, -0.5, 1.0])
    sigma = float(ops.convert_to_numpy(made._sigma(False)))
    kernel = ops.convert_to_numpy(made.layer.kernel.value)
    expected = np.maximum(x @ (kernel / sigma) + np.array([0.5, -0.5, 1.0]), 0)
    np.testing.assert_allclose(ops.convert_to_numpy(made(x)), expected, rtol=1e-5, atol=1e-6)


def test_a_network_with_it_can_be_copied():
    inputs = keras.Input((4,))
    outputs = SpectralNormalization(layers.Dense(3, "relu"))(inputs)
    net = keras.Model(inputs, outputs)
    copy = keras.models.clone_model(net)
    copy.set_weights(net.get_weights())
    x = np.ones((1, 4), "float32")
    np.testing.assert_array_equal(net.predict_on_batch(x), copy.predict_on_batch(x))
    assert {len(v.shape) for v in net.trainable_variables} == {1, 2}


def test_a_built_layer_is_refused():
    inner = layers.Dense(3)
    inner.build((None, 4))
    with pytest.raises(UserError, match="already built"):
        SpectralNormalization(inner)


def deviations(x, group, features):
    """Compute the appended channels sample by sample: members of a group are far apart."""
    batch, *space, channels = x.shape
    out = np.zeros((batch, *space, features))
    for i in range(batch):
        members = x[i % (batch // group) :: batch // group]
        deviation = np.sqrt(np.mean((members - members.mean(0)) ** 2, axis=0) + 1e-8)
        parts = deviation.reshape(-1, features, channels // features)
        out[i] = parts.mean(axis=(0, 2))
    return out


@pytest.mark.parametrize(
    ("batch", "group", "features", "shape", "used"),
    [(8, 4, 1, (5, 3, 6), 4), (8, 4, 3, (7, 6), 4), (6, 4, 1, (2, 3, 2, 2), 3), (2, 4, 2, (4,), 2)],
)
def test_minibatch_deviations(batch, group, features, shape, used):
    x = np.random.default_rng(0).normal(size=(batch, *shape)).astype("float32")
    made = MinibatchStd(group, features)
    y = ops.convert_to_numpy(made(x))
    assert y.shape == made.compute_output_shape(x.shape)
    np.testing.assert_array_equal(y[..., : shape[-1]], x)
    np.testing.assert_allclose(y[..., shape[-1] :], deviations(x, used, features), rtol=1e-4)


def test_equal_samples_have_no_deviation_and_a_finite_gradient():
    v = keras.Variable(np.ones((4, 3), "float32"))
    loss = lambda: (ops.sum(MinibatchStd()(v.value)[:, 3]), {})
    (value, _), (gradient,) = value_and_grad(loss, [v], [v])
    assert float(ops.convert_to_numpy(value)) == pytest.approx(4e-4)
    assert np.all(np.isfinite(ops.convert_to_numpy(gradient)))


def test_minibatch_deviations_are_checked_and_saved():
    with pytest.raises(UserError, match="group=0"):
        MinibatchStd(0)
    with pytest.raises(UserError, match="channels=5"):
        MinibatchStd(features=2)(np.ones((4, 5), "float32"))
    made = MinibatchStd(8, 2)
    copy = MinibatchStd.from_config(made.get_config())
    assert (copy.group, copy.features) == (8, 2)


def test_groups_divide_a_batch_that_is_known_late():
    if keras.backend.backend() != "tensorflow":
        pytest.skip("the others know the batch when a network is called")
    import tensorflow as tf

    layer = MinibatchStd(4)
    late = tf.function(layer, input_signature=[tf.TensorSpec((None, 4, 4, 8))])
    for batch in (2, 4, 6, 7):
        x = np.random.default_rng(batch).normal(size=(batch, 4, 4, 8)).astype("float32")
        np.testing.assert_allclose(late(x), layer(x), rtol=1e-6)
