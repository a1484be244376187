"""The networks that turn pictures into pictures, and the critics of patches."""

import numpy as np
import pytest
from keras import ops

from gantools.core.testing import check_net, kernels_without_second_order
from gantools.nets import discogan, patch, unet

TRANSLATORS = {
    "unet": lambda a, b, seed=0: unet.unet(a, b, widths=(4, 6, 8), seed=seed),
    "unet_subpixel": lambda a, b, seed=0: unet.unet(a, b, widths=(4, 6), up="subpixel", seed=seed),
    "resnet": lambda a, b, seed=0: unet.resnet(a, b, width=4, halvings=2, blocks=1, seed=seed),
    "discogan": lambda a, b, seed=0: discogan.translator(
        (8, 8, a), (8, 8, b), widths=(4, 6), seed=seed
    ),
}


def pictures(*shape, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def output(network, x):
    return ops.convert_to_numpy(network(x, training=False))


@pytest.mark.parametrize("name", TRANSLATORS)
@pytest.mark.parametrize("size", [(16, 24), (28, 28), (13, 9)])
def test_any_size_and_channels(name, size):
    result = output(TRANSLATORS[name](1, 3), pictures(2, *size, 1))
    assert result.shape == (2, *size, 3)
    assert result.dtype == np.float32
    assert np.abs(result).max() <= 1
    assert result.std() > 0


@pytest.mark.backends
@pytest.mark.parametrize("name", TRANSLATORS)
def test_the_same_eager_and_compiled(name):
    check_net(TRANSLATORS[name](3, 3), (12, 10, 3), tolerance=1e-4)


@pytest.mark.backends
def test_patch_critic_is_the_same_compiled_and_twice_differentiable():
    critic = patch.critic(3, widths=(4, 6, 8), halvings=2)
    check_net(critic, (12, 10, 3), tolerance=1e-4)
    assert not kernels_without_second_order(critic, ops.convert_to_tensor(pictures(2, 12, 10, 3)))


@pytest.mark.parametrize("name", ["unet", "resnet"])
def test_a_picture_has_one_translation_alone_or_in_a_batch(name):
    network, x = TRANSLATORS[name](1, 1), pictures(3, 16, 16, 1)
    np.testing.assert_allclose(output(network, x)[1:2], output(network, x[1:2]), atol=1e-5)


def test_dropout_is_noise_in_training_only():
    network, x = TRANSLATORS["unet"](1, 1), pictures(1, 16, 16, 1)
    first, second = (ops.convert_to_numpy(network(x, training=True)) for _ in range(2))
    assert np.abs(first - second).max() > 1e-6
    again = ops.convert_to_numpy(TRANSLATORS["unet"](1, 1)(x, training=True))
    np.testing.assert_array_equal(again, first)  # seeded
    bare = unet.unet(1, 1, widths=(4, 6, 8), dropout=0.0)
    np.testing.assert_allclose(
        ops.convert_to_numpy(bare(x, training=True)), output(bare, x), atol=1e-6
    )


def test_skips_carry_fine_structure():
    """A changed pixel changes its surroundings most: 7 times the mean; without skips 1.2 to 1.6."""

    def focus(network):
        x = pictures(1, 16, 16, 1)
        other = x.copy()
        other[0, 5, 9] += 0.5
        change = np.abs(output(network, other) - output(network, x))[0, :, :, 0]
        return change[3:8, 7:12].mean() / change.mean()

    options = {"widths": (8, 8, 8, 8), "norm_kind": "none"}
    assert focus(unet.unet(1, 1, dropout=0.0, **options)) > 4
    assert focus(discogan.translator((16, 16, 1), (16, 16, 1), **options)) < 2


@pytest.mark.parametrize(
    ("widths", "halvings", "side"),
    [((64, 128, 256, 512), 3, 70), ((32, 64, 128), 1, 22), ((64, 128), 1, 16), ((8, 8, 8), 2, 34)],
)
def test_patch_side(widths, halvings, side):
    assert patch.patch_side(widths, halvings) == side


def test_a_score_sees_its_patch_and_no_more():
    widths, halvings = (3, 3, 3), 2
    critic = patch.critic(1, widths=widths, halvings=halvings, norm_kind="none")
    x = pictures(1, 96, 96, 1)
    scores = output(critic, x)
    assert scores.shape == (1, 24, 24, 1)
    seen = []
    for column in range(96):
        other = x.copy()
        other[0, :, column] = -other[0, :, column] + 0.3
        if output(critic, other)[0, 12, 12, 0] != scores[0, 12, 12, 0]:
            seen.append(column)
    assert max(seen) - min(seen) + 1 == patch.patch_side(widths, halvings)


def test_discogan_critic_tells_its_features():
    critic = discogan.critic((16, 16, 1), widths=(4, 6, 8))
    score, maps = critic(pictures(2, 16, 16, 1))
    assert tuple(score.shape) == (2, 1)
    assert [tuple(m.shape) for m in maps] == [(2, 4, 4, 6), (2, 2, 2, 8)]
    score, maps = discogan.critic((2,), widths=(5, 6, 7))(pictures(3, 2))
    assert [tuple(m.shape) for m in maps] == [(3, 6), (3, 7)]
    assert discogan.translator((2,), (3,), widths=(8,))(pictures(4, 2)).shape == (4, 3)


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        # As the published code counts: 54.414, 11.378 and 2.769 million.
        (lambda: unet.unet(3, 3, **unet.PAPER_UNET), 54_414_531),
        # Plus 2 x 5 248 scales and offsets, minus as many biases that normalisation removes.
        (lambda: unet.resnet(3, 3, **unet.PAPER_RESNET), 11_378_179 + 5_248),
        (lambda: patch.critic(6, **patch.PAPER), 2_768_705),
    ],
)
def test_parameters_of_the_published_sizes(model, parameters):
    assert model().count_params() == parameters
