"""Encoders, and discriminators of pairs."""

import numpy as np
import pytest
from keras import ops

from gantools.nets import dcgan, encoder

SHAPE, LATENT = (12, 8, 3), 5
LAYERS = {"widths": (4, 8), "norm_kind": "none", "dense": 6}


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def numbers(x):
    return ops.convert_to_numpy(x)


@pytest.mark.backends
def test_encoders_give_codes_or_their_distribution():
    x = random(3, *SHAPE)
    assert tuple(encoder.encoder(SHAPE, LATENT, **LAYERS)(x).shape) == (3, LATENT)
    net = encoder.encoder(SHAPE, LATENT, stochastic=True, **LAYERS)
    net.get_layer("log_sd").bias.assign([-50.0, -1.0, 0.0, 1.0, 50.0])
    net.get_layer("log_sd").kernel.assign(np.zeros((6, LATENT)))
    mean, log_sd = net(x)
    assert tuple(mean.shape) == (3, LATENT)
    np.testing.assert_allclose(numbers(log_sd), [[-6.0, -1.0, 0.0, 1.0, 2.0]] * 3)


def test_an_encoder_starts_unlike_the_discriminator_of_its_seed():
    net = encoder.encoder(SHAPE, LATENT, seed=3, **LAYERS)
    other = dcgan.discriminator(SHAPE, seed=3, **LAYERS)
    kernels = [n.get_layer("down0").kernel.numpy() for n in (net, other)]
    assert np.abs(kernels[0] - kernels[1]).mean() > 0.01


@pytest.mark.backends
def test_pairs_are_judged_by_both_members():
    net = encoder.joint_discriminator(SHAPE, LATENT, codes=(7,), joint=(9,), **LAYERS)
    x, z = random(2, *SHAPE), random(2, LATENT, seed=1)
    score = lambda x, z: numbers(net({"x": x, "z": z}, training=False))
    assert score(x, z).shape == (2, 1)
    assert not np.allclose(score(x, z), score(x, z[::-1]))
    assert not np.allclose(score(x, z), score(x[::-1], z))


@pytest.mark.backends
def test_flat_pairs_come_apart_as_they_went_in():
    seen = {}

    def judge(pair):
        seen.update(pair)
        return ops.sum(pair["z"], axis=1)

    x, z = random(2, *SHAPE), random(2, LATENT, seed=1)
    flat = encoder.flat_pairs(ops.convert_to_tensor(x), ops.convert_to_tensor(z))
    assert tuple(flat.shape) == (2, 12 * 8 * 3 + LATENT)
    scores = encoder.of_flat_pairs(judge, SHAPE)(flat)
    np.testing.assert_array_equal(numbers(seen["x"]), x)
    np.testing.assert_array_equal(numbers(seen["z"]), z)
    np.testing.assert_allclose(numbers(scores), z.sum(axis=1), rtol=1e-6)


def test_clip_keeps_its_arguments():
    layer = encoder.Clip.from_config(encoder.Clip(-1.0, 2.0).get_config())
    np.testing.assert_array_equal(numbers(layer(np.array([-3.0, 0.0, 3.0]))), [-1.0, 0.0, 2.0])
