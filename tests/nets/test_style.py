"""StyleGAN's layers and networks."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core.testing import kernels_without_second_order
from gantools.nets import style, style_layers
from gantools.nets.blocks import Layers, normal

SHAPES = [(32, 32, 3), (28, 28, 1), (16, 24, 3)]
WIDTHS = (8, 6, 4)


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def numbers(x):
    return ops.convert_to_numpy(x)


def synthesis(shape=(16, 16, 3), seed=0, styling="adain"):
    return style.synthesis(shape, style=5, widths=WIDTHS, styling=styling, seed=seed)


def picture(net, w, noise):
    return numbers(net({"w": w, "noise": noise}, training=False))


@pytest.mark.backends
@pytest.mark.parametrize("rate", [1.0, 0.01])
def test_equal_rates_scale_the_kernel_at_run_time(rate):
    x = keras.Input((64,))
    make = Layers(0, normal(1.0 / rate), style_layers.equal(gain=1.0, rate=rate))
    net = keras.Model(x, make.dense(x, "layer", 256))
    layer = net.get_layer("layer")
    layer.bias.assign(np.full(256, 3.0))
    kernel = numbers(layer.layer.kernel)
    assert kernel.std() == pytest.approx(1.0 / rate, rel=0.05)
    data = random(50, 64)
    expected = rate * (data @ kernel / 8.0 + 3.0)
    np.testing.assert_allclose(numbers(net(data)), expected, rtol=1e-4, atol=1e-4)
    assert (numbers(net(data)) - 3.0 * rate).std() == pytest.approx(1.0, rel=0.1)


@pytest.mark.backends
def test_a_small_rate_moves_the_function_less_under_adam():
    moves = []
    for rate in (1.0, 0.01):
        net = style.mapping(16, 16, 1, rate=rate, seed=0)
        z, before = random(8, 16), numbers(net(random(8, 16)))
        signs = [np.sign(random(*v.shape)) for v in net.trainable_variables]  # as Adam's first step
        for v, sign in zip(net.trainable_variables, signs, strict=True):
            v.assign(numbers(v) - 0.1 * sign)
        moves.append(np.abs(numbers(net(z)) - before).mean())
    assert moves[1] / moves[0] == pytest.approx(0.01, rel=0.3)


@pytest.mark.backends
def test_adaptive_norm_sets_mean_and_deviation_of_each_map():
    x, look = 3.0 + 5.0 * random(2, 8, 8, 3), random(2, 6)
    y = numbers(
        style_layers.AdaptiveNorm()([ops.convert_to_tensor(x), ops.convert_to_tensor(look)])
    )
    np.testing.assert_allclose(y.mean(axis=(1, 2)), look[:, 3:], atol=1e-5)
    np.testing.assert_allclose(y.std(axis=(1, 2)), np.abs(1 + look[:, :3]), rtol=1e-4)


@pytest.mark.backends
def test_a_styled_convolution_has_the_deviation_of_its_input():
    """As the formula says, number by number; and a spike leaves what is out of its reach alone."""
    x, look = random(3, 12, 10, 6), random(3, 6, seed=1)
    layer = style_layers.StyledConv(5, seed=2)
    y = numbers(layer([ops.convert_to_tensor(x), ops.convert_to_tensor(look)]))
    kernel = numbers(layer.kernel)
    for n in range(3):
        scaled = kernel * (1 + look[n])[None, None, :, None]
        scaled /= np.sqrt(np.sum(scaled**2, axis=(0, 1, 2)))
        around = x[n, 3:6, 4:7]
        expected = 2**0.5 * np.einsum("hwi,hwio->o", around, scaled)
        np.testing.assert_allclose(y[n, 4, 5], expected, rtol=1e-4, atol=1e-5)
    wide = random(8, 32, 32, 6)
    looks = random(8, 6, seed=1)
    inner = numbers(layer([ops.convert_to_tensor(wide), ops.convert_to_tensor(looks)]))
    assert inner[:, 1:-1, 1:-1].std() == pytest.approx(2**0.5, rel=0.02)
    spiked = x.copy()
    spiked[:, 0, 0] = 1e4
    z = numbers(layer([ops.convert_to_tensor(spiked), ops.convert_to_tensor(look)]))
    np.testing.assert_allclose(z[:, 2:, 2:], y[:, 2:, 2:], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("styling", ["adain", "demodulation"])
@pytest.mark.parametrize("shape", SHAPES)
def test_networks_of_any_shape(shape, styling):
    count = style.levels(shape)
    net = style.synthesis(shape, style=5, widths=WIDTHS, styling=styling)
    assert net.input["w"].shape == (None, 2 * count, 5)
    made = picture(net, random(2, 2 * count, 5), random(2, style.noise_size(shape)))
    assert made.shape == (2, *shape)
    scores = style.critic(shape, widths=WIDTHS, group=2)(made)
    assert tuple(scores.shape) == (2, 1)


@pytest.mark.parametrize("styling", ["adain", "demodulation"])
def test_each_layer_has_noise_of_its_own(styling):
    """4x4 at first, then 8x8 and 16x16, two layers each; strengths of 0 leave all of it out."""
    net, w = synthesis(styling=styling), random(1, 6, 5)
    assert style.noise_size((16, 16, 3)) == 2 * (16 + 64 + 256)
    quiet = np.zeros((1, 672), "float32")
    np.testing.assert_array_equal(picture(net, w, quiet), picture(net, w, random(1, 672)))
    starts = [0, 16, 32, 96, 160, 416, 672]
    for i in range(6):
        layer = net.get_layer(f"noise{i}")
        layer.strength.assign(np.ones(layer.strength.shape))
        own = quiet.copy()
        own[:, starts[i] : starts[i + 1]] = random(1, starts[i + 1] - starts[i])
        others = random(1, 672, seed=1)
        others[:, starts[i] : starts[i + 1]] = 0
        base = picture(net, w, quiet)
        assert np.abs(picture(net, w, own) - base).max() > 1e-3, i
        np.testing.assert_array_equal(picture(net, w, others), base)
        layer.strength.assign(np.zeros(layer.strength.shape))


@pytest.mark.parametrize("styling", ["adain", "demodulation"])
def test_every_style_steers_the_picture(styling):
    net, w, noise = synthesis(styling=styling), random(1, 6, 5), np.zeros((1, 672), "float32")
    for i in range(6):
        other = w.copy()
        other[:, i] = random(1, 5, seed=9)
        assert np.abs(picture(net, w, noise) - picture(net, other, noise)).max() > 1e-3, i


def test_latents_are_scaled_before_they_are_mapped():
    net, z = style.mapping(16, 16, 2), random(4, 16)
    np.testing.assert_allclose(numbers(net(z)), numbers(net(100 * z)), rtol=1e-4, atol=1e-5)


@pytest.mark.backends
def test_cuts_leave_a_tenth_unmixed_and_are_even_otherwise():
    draw = style.cuts(8, 0.9)
    cut = numbers(draw(20_000, keras.random.SeedGenerator(1), {}))
    share = np.bincount(cut, minlength=9) / len(cut)
    assert share[0] == 0
    assert share[8] == pytest.approx(0.1, abs=0.01)
    np.testing.assert_allclose(share[1:8], 0.9 / 7, atol=0.01)
    never = numbers(style.cuts(8, 0.0)(50, keras.random.SeedGenerator(1), {}))
    assert set(never) == {8}


@pytest.mark.backends
def test_the_first_layers_take_the_first_style():
    net = synthesis()
    draw = {"z": ops.ones((3, 5)), "z2": -ops.ones((3, 5)), "cut": ops.convert_to_tensor([1, 4, 6])}
    w, first = style.mixed(lambda z: 2.0 * z, draw, net)
    expected = [[2] * cut + [-2] * (6 - cut) for cut in (1, 4, 6)]
    np.testing.assert_array_equal(numbers(w)[..., 0], expected)
    np.testing.assert_array_equal(numbers(first), np.full((3, 5), 2.0))


@pytest.mark.backends
def test_running_mean():
    mean, found = style.RunningMean(3, decay=0.7), []
    for value in (1.0, 2.0, 6.0, 1.0, 5.0):
        mean.update(ops.full((4, 3), value))
        found.append(numbers(mean.mean))
    expected = [1.0, 1.5, 3.0, 0.7 * 3.0 + 0.3 * 1.0]  # plain ones while n / (n + 1) < 0.7
    expected.append(0.7 * expected[-1] + 0.3 * 5.0)
    np.testing.assert_allclose(found, np.repeat(expected, 3).reshape(5, 3), rtol=1e-6)


@pytest.mark.backends
def test_penalty_reaches_every_kernel_of_the_critic():
    net = style.critic((8, 8, 1), widths=WIDTHS, group=2)
    assert not kernels_without_second_order(net, ops.convert_to_tensor(random(4, 8, 8, 1)))


@pytest.mark.parametrize("styling", ["adain", "demodulation"])
def test_layers_come_back_from_their_config(styling):
    net = synthesis(seed=4, styling=styling)
    copy = keras.Model.from_config(net.get_config())
    copy.set_weights(net.get_weights())
    w, noise = random(2, 6, 5), random(2, 672)
    np.testing.assert_array_equal(picture(net, w, noise), picture(copy, w, noise))


def test_parameters_of_the_papers_sizes():
    """8 x (512 x 512 + 512); 4x4 constant, convolutions, affine maps and noise strengths."""
    assert style.mapping(512, 512, 8).count_params() == 8 * 512 * 513
    net = style.synthesis((32, 32, 3), style=512, widths=(512,) * 4)
    convolutions = 7 * (9 * 512 * 512 + 512)
    affine = 8 * (512 * 1024 + 1024)
    expected = 4 * 4 * 512 + convolutions + affine + 8 * 512 + 512 * 3 + 3
    assert net.count_params() == expected


@pytest.mark.parametrize("styling", ["adain", "demodulation"])
def test_outputs_stay_float32_in_mixed_precision(styling):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        net, judge = synthesis(styling=styling), style.critic((16, 16, 3), widths=WIDTHS, group=2)
    finally:
        keras.config.set_dtype_policy("float32")
    made = picture(net, random(2, 6, 5), random(2, 672))
    exact = picture(synthesis(styling=styling), random(2, 6, 5), random(2, 672))
    assert made.dtype == np.float32
    assert np.abs(made - exact).mean() < 0.1 * exact.std()
    assert keras.backend.standardize_dtype(judge(made).dtype) == "float32"


def test_the_constant_varies_and_has_a_seed():
    first, same, other = (synthesis(seed=seed).get_layer("constant").map for seed in (0, 0, 1))
    assert numbers(first).std() > 0.5
    np.testing.assert_array_equal(numbers(first), numbers(same))
    assert np.abs(numbers(first) - numbers(other)).max() > 0.1
