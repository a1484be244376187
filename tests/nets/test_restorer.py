import numpy as np
import pytest
from keras import ops

from gantools.core.testing import check_net
from gantools.nets import pyramid, restorer

pytestmark = pytest.mark.backends


@pytest.mark.parametrize("shape", [(28, 28, 1), (64, 48, 3)])
def test_restorer_and_its_discriminator(shape):
    make = restorer.generator(shape, widths=(4, 8, 8), latent=6)
    check_net(make, shape)
    judge = restorer.discriminator(shape, widths=(4, 8, 8), hidden=10)
    x = np.random.default_rng(0).uniform(-1, 1, (2, *shape)).astype("float32")
    found = [tuple(a.shape) for a in judge(x)]
    stride = restorer.mask_stride(shape)
    cells = [-(-side // stride) for side in shape[:2]]
    assert found[:5] == [(2, 1), (2, 4), (2, 1), (2, *cells, 1), (2, 10)]
    assert len(found) == len(restorer.HEADS) + 3
    assert make.get_layer("latent").output.shape == (None, 6)
    assert make(x).shape == (2, *shape)


def test_widths_follow_the_size():
    assert restorer.widths_of((28, 28, 1)) == restorer.WIDTHS[1:4]
    assert restorer.widths_of((64, 64, 1)) == restorer.WIDTHS[:4]
    assert len(restorer.widths_of((128, 160, 3))) == 5


def test_quarter_turns_are_those_of_numpy():
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 1)).astype("float32")
    for k in range(4):
        found = ops.convert_to_numpy(restorer.quarter_turns(ops.convert_to_tensor(x), k))
        assert np.array_equal(found, np.rot90(x, k, axes=(1, 2)))


@pytest.mark.parametrize("norm_kind", ["none", "layer", "batch"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (4,)])
def test_pyramids_mirror_each_other(shape, norm_kind):
    nets = pyramid.pair(shape, latent=6, widths=(4, 8), up_norm=norm_kind, down_norm=norm_kind)
    assert nets["encoder"].output_shape == (None, 6)
    assert nets["generator"].output_shape == (None, *shape)
    check_net(nets["encoder"], shape)
    check_net(nets["generator"], (6,))


def test_judges_of_one_thing_and_of_pairs():
    one = pyramid.judge({"x": (16, 16, 1)}, widths=(4, 8))
    assert [a.shape for a in one(np.zeros((3, 16, 16, 1), "float32"))] == [(3, 1), (3, 128)]
    pair = pyramid.judge({"x": (16, 16, 1), "z": (5,)}, widths=(4,), codes=(7,), hidden=9)
    x, z = np.zeros((3, 16, 16, 1), "float32"), np.ones((3, 5), "float32")
    assert [a.shape for a in pair({"x": x, "z": z})] == [(3, 1), (3, 9)]
    other = ops.convert_to_numpy(pair({"x": x, "z": -z})[0])
    assert not np.allclose(other, ops.convert_to_numpy(pair({"x": x, "z": z})[0]))


def test_unet_of_odd_sides_and_without_the_first_shortcut():
    for shallowest in (0, 1):
        net = pyramid.unet((20, 28, 1), widths=(4, 8), shallowest=shallowest)
        check_net(net, (20, 28, 1))
        assert net.output_shape == (None, 20, 28, 1)
