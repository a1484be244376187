import keras
import numpy as np
import pytest
from keras import ops

from gantools.core.inversion import absolute, content_seed, invert
from gantools.errors import UserError

pytestmark = pytest.mark.backends


def linear(seed=0):
    """Return a generator x = W z of 3 latents and 6 numbers, and W."""
    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(6, use_bias=False)])
    w = np.random.default_rng(seed).normal(size=(3, 6)).astype("float32")
    net.set_weights([w])
    return net, w


def squared(made, wanted):
    return ops.mean(ops.square(made - wanted), axis=-1)


@pytest.fixture(scope="module")
def known():
    net, w = linear()
    z = np.random.default_rng(1).normal(size=(7, 3)).astype("float32")
    return net, z, z @ w


def test_latents_of_a_linear_generator_are_found(known):
    net, z, x = known
    found = invert(net, x, squared, steps=300, restarts=2, rate=(0.1, 0.001))
    np.testing.assert_allclose(found.z, z, atol=0.02)
    assert found.distance.max() < 1e-4
    made = ops.convert_to_numpy(net(found.z))
    np.testing.assert_allclose(found.distance, np.mean((made - x) ** 2, axis=1), atol=1e-6)


def test_result_depends_on_the_sample_alone(known):
    net, _, x = known
    options = {"steps": 40, "restarts": 3}
    whole = invert(net, x, absolute, **options)
    order = np.random.default_rng(2).permutation(len(x))
    mixed = invert(net, x[order], absolute, **options, rows=6)
    np.testing.assert_allclose(mixed.z, whole.z[order], atol=1e-5)
    np.testing.assert_allclose(mixed.distance, whole.distance[order], rtol=1e-5, atol=1e-6)
    alone = invert(net, x[4:5], absolute, **options)
    np.testing.assert_allclose(alone.z[0], whole.z[4], atol=1e-5)
    twice = invert(net, np.repeat(x[:1], 5, axis=0), absolute, **options)
    np.testing.assert_allclose(twice.z, np.repeat(whole.z[:1], 5, axis=0), atol=1e-5)


def test_no_weight_moves_and_batch_norm_is_in_inference_mode(known):
    _, _, x = known
    layers = [keras.Input((3,)), keras.layers.Dense(6), keras.layers.BatchNormalization()]
    net = keras.Sequential([*layers, keras.layers.Dropout(0.5)])
    features = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4)])
    before = [w.copy() for w in (*net.get_weights(), *features.get_weights())]
    invert(
        net,
        x,
        lambda made, wanted: absolute(features(made, training=False), wanted),
        describe=lambda x: features(x, training=False),
        networks=(features,),
        steps=5,
    )
    after = (*net.get_weights(), *features.get_weights())
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


def test_weights_that_changed_count():
    net, w = linear()
    x = np.ones((2, 3), "float32") @ w
    start = np.ones((2, 3), "float32")
    assert invert(net, x, start=start, restarts=1, steps=0).distance.max() < 1e-6
    net.set_weights([0 * w])
    found = invert(net, x, start=start, restarts=1, steps=0).distance
    np.testing.assert_allclose(found, np.mean(np.abs(x), axis=1), rtol=1e-5)


def test_restarts_find_the_deeper_valley():
    layer = keras.layers.Lambda(lambda z: z, output_shape=(1,))
    net = keras.Sequential([keras.Input((1,)), layer])

    def valleys(made, wanted):  # minima near -0.8 (0.04) and 0.8 (0), a hill between
        z = made[:, 0]
        return ops.square(z**2 - 0.64) + 0.02 * (0.8 - z) + 0.0 * wanted[:, 0]

    x = np.arange(12, dtype="float32")[:, None]
    options = {"prior": "uniform", "steps": 80}
    assert (invert(net, x, valleys, restarts=1, **options).z < 0).any()
    assert (invert(net, x, valleys, restarts=12, **options).z > 0.7).all()


def test_uniform_prior_stays_in_its_support_and_encoder_starts_are_used(known):
    net, z, x = known
    found = invert(net, 5 * x, prior="uniform", steps=60)
    assert np.abs(found.z).max() <= 1.0
    np.testing.assert_allclose(invert(net, x, start=z, restarts=3, steps=0).z, z)


def test_content_decides_the_seed():
    a = np.zeros(3, "float32")
    assert content_seed(a) == content_seed(-a)
    assert content_seed(a) != content_seed(a, seed=1)
    assert content_seed(a) != content_seed(a + 1e-6)


def test_errors(known):
    net, _, x = known
    with pytest.raises(UserError, match="normal, uniform. Received: prior='cauchy'"):
        invert(net, x, prior="cauchy")
    with pytest.raises(UserError, match="restarts=0"):
        invert(net, x, restarts=0)
