"""Shapes, names and refusals of the building blocks."""

import keras
import numpy as np
import pytest

from gantools.errors import UserError
from gantools.nets import blocks, dcgan, mlp, r3gan, resnet, srgan


def test_layer_seeds_differ_by_name_and_seed_and_never_change():
    seeds = {blocks.layer_seed(seed, name) for seed in range(20) for name in ("a", "b", "head")}
    assert len(seeds) == 60
    assert blocks.layer_seed(0, "head") == 1889417051


@pytest.mark.parametrize(
    ("space", "halvings"), [((32, 32), 3), ((28, 28), 3), ((64, 96), 4), ((256,), 6), ((4, 4), 0)]
)
def test_halvings_come_near_four(space, halvings):
    assert blocks.halvings(space) == halvings


def test_padding_and_cropping_undo_each_other():
    x = keras.ops.ones((1, 5, 8, 2))
    padded = blocks.pad(x, (8, 8))
    assert tuple(padded.shape) == (1, 8, 8, 2)
    assert float(keras.ops.sum(padded)) == 80
    assert bool(keras.ops.all(blocks.crop(padded, (5, 8)) == x))
    assert blocks.pad(x, (5, 8)) is x


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: dcgan.generator((3, 64, 3)), "sides of at least 16"),
        (lambda: resnet.critic((32, 4, 3)), "sides of at least 8"),
        (lambda: resnet.critic((32,)), "height, width, channels"),
        (lambda: resnet.critic((32, 32, 3), head="max"), "mean or sum"),
        (lambda: dcgan.generator((32, 32, 3), up="bilinear"), "transpose, subpixel or nearest"),
        (lambda: dcgan.generator((32, 32, 3), norm_kind="weight"), "instance or none"),
        (lambda: dcgan.discriminator((32, 32, 3), kernel=(3, 3)), "as long as"),
        (lambda: mlp.discriminator((2,), pieces=0), "at least 1"),
        (lambda: srgan.generator(3, scale=3), "2, 4 or 8"),
    ],
)
def test_refusals_name_the_remedy(make, word):
    with pytest.raises(UserError, match=word):
        make()


@pytest.mark.backends
@pytest.mark.parametrize("groups", [2, 4, 32])
def test_fast_groups_are_groups(groups):
    x = keras.random.normal((2, 5, 6, 32), seed=1)
    fast = blocks.GroupedConv2D(64, 3, padding="same", groups=groups)
    plain = keras.layers.Conv2D(64, 3, padding="same", groups=groups)
    fast.build(x.shape)
    plain.build(x.shape)
    assert fast.kernel.shape == plain.kernel.shape == (3, 3, 32 // groups, 64)
    plain.kernel.assign(fast.kernel)
    difference = keras.ops.max(keras.ops.abs(plain(x) - fast(x)))
    assert float(keras.ops.convert_to_numpy(difference)) < 1e-4


def test_equal_subpixels_start_as_nearest_neighbours():
    net = r3gan.generator((16, 16, 3), latent=4, widths=(16, 8), blocks=1, patch=2, seed=0)
    picture = keras.ops.convert_to_numpy(net(keras.random.normal((2, 4), seed=1)))
    cells = picture.reshape(2, 8, 2, 8, 2, 3)
    assert picture.std() > 0.1
    assert abs(cells - cells[:, :, :1, :, :1]).max() == 0
    filters = net.get_layer("picture_channels").kernel.numpy()
    assert abs(filters[..., 0] - filters[..., 4]).max() > 0


@pytest.mark.backends
@pytest.mark.parametrize("space", [(6,), (5, 7), (3, 4, 5)])
def test_instance_normalisation_is_that_of_keras_by_fewer_operations(space):
    x = np.random.default_rng(0).normal(3, 2, (2, *space, 4)).astype("float32")
    expected = keras.layers.GroupNormalization(groups=-1, epsilon=1e-5)
    found = blocks.InstanceNormalization()
    for layer in (expected, found):
        layer.build(x.shape)
        layer.gamma.assign([1, 2, 3, 4])
        layer.beta.assign([0, 1, 0, -1])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(found(x)), keras.ops.convert_to_numpy(expected(x)), atol=1e-5
    )
