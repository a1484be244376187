"""The U-Net critic: it judges every cell, and of a picture only what its reduction loses."""

import numpy as np
import pytest
from keras import ops

from gantools.data.resample import resize
from gantools.gans.settings import spectral
from gantools.nets.pixelwise import GAIN, Detail, critic, low_pass

pytestmark = pytest.mark.backends


def pictures(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_detail_and_the_enlarged_reduction_add_up_to_the_picture(scale):
    x = pictures(2, 24, 12, 3)
    detail = ops.convert_to_numpy(Detail(scale)(x))
    low = np.stack([resize(resize(p, 1 / scale), scale) for p in x])
    np.testing.assert_allclose(detail / GAIN + low, x, atol=1e-5)
    assert low_pass(24, scale).shape == (24, 24)


def test_detail_knows_no_mean_and_cannot_move_it():
    x = pictures(1, 24, 24, 3)
    layer = Detail(4)
    assert np.abs(ops.convert_to_numpy(layer(x)).mean((1, 2))).max() < 1e-5
    one, other = (ops.convert_to_numpy(layer(y)) for y in (x, x + 0.5))
    np.testing.assert_allclose(other, one, atol=1e-5)
    # the layer is linear: its gradient by x is its transpose, whose columns must sum to 0 as well
    line = np.eye(24) - low_pass(24, 4)
    np.testing.assert_allclose(line.sum(1), 0, atol=1e-6)


@pytest.mark.parametrize(("cell", "side"), [(1, 24), (2, 12)])
def test_every_cell_has_a_score_and_every_level_features(cell, side):
    net = critic((24, 24, 3), width=4, levels=2, cell=cell, detail=4, wrap=spectral)
    scores, maps = net(pictures(2, 24, 24, 3))
    assert tuple(scores.shape) == (2, side, side, 1)
    sides = [tuple(m.shape[1:]) for m in maps]
    assert sides == [(side // 2, side // 2, 8), (side // 4, side // 4, 16),
                     (side // 2, side // 2, 8), (side, side, 4)]  # fmt: skip


def test_a_flat_picture_is_as_good_as_any_other():
    blind = critic((24, 24, 3), width=4, levels=2, detail=4, wrap=spectral)
    seeing = critic((24, 24, 3), width=4, levels=2, wrap=spectral)
    grey, red = np.zeros((1, 24, 24, 3), "float32"), np.zeros((1, 24, 24, 3), "float32")
    red[..., 0] = 1
    apart = [ops.max(ops.abs(net(grey)[0] - net(red)[0])) for net in (blind, seeing)]
    assert float(ops.convert_to_numpy(apart[0])) < 1e-5
    assert float(ops.convert_to_numpy(apart[1])) > 1e-3


def test_scores_are_local():
    net = critic((48, 48, 3), width=4, levels=1)
    x = pictures(1, 48, 48, 3)
    other = x.copy()
    other[:, :4, :4] = 1
    changed = np.abs(ops.convert_to_numpy(net(x)[0] - net(other)[0]))[0, :, :, 0]
    assert changed[:4, :4].max() > 0
    assert changed[16:, 16:].max() == 0
