"""DiffAugment against NumPy, its second-order gradients, and ADA's probability."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import ADA, AdversarialModel, DiffAugment, Stream, duel, objective, smoothed
from gantools.core.augment import CHANGES, Overfitting
from gantools.core.gradients import input_gradient, value_and_grad
from gantools.errors import UserError

pytestmark = pytest.mark.backends

ALL = "color,translation,cutout,affine"


def array(tensor):
    return ops.convert_to_numpy(tensor)


def pictures(n=3, shape=(8, 12, 3)):
    return np.random.default_rng(0).uniform(-1, 1, (n, *shape)).astype("float32")


def numbers(augment, *first):
    """Return a draw of one sample: `first`, and 0 for what decides."""
    rest = augment.numbers - len(first)
    return {"augment": np.array([[*first, *[0.0] * rest]], "float32")}


def test_color_is_brightness_then_saturation_then_contrast():
    x = pictures(1)
    augment = DiffAugment("color", (8, 12, 3))
    y = x + 0.3
    grey = y.mean(-1, keepdims=True)
    y = (y - grey) * 0.5 + grey
    expected = (y - y.mean()) * 1.4 + y.mean()
    changed = augment(x, numbers(augment, 0.8, 0.25, 0.9))
    np.testing.assert_allclose(array(changed), expected, atol=1e-5)
    middle = augment(x, numbers(augment, 0.5, 0.5, 0.5))
    np.testing.assert_allclose(array(middle), x, atol=1e-6)


@pytest.mark.parametrize("fill", [0.0, -1.0])
def test_translation_is_up_to_an_eighth_of_each_side(fill):
    x = pictures(1)  # 8 x 12: up to 1 pixel down and 2 to the right (1.5 is rounded)
    augment = DiffAugment("translation", (8, 12, 3), fill=fill)
    most = array(augment(x, numbers(augment, 0.999, 0.999)))
    expected = np.full_like(x, fill)
    expected[:, 1:, 2:] = x[:, :-1, :-2]
    np.testing.assert_allclose(most, expected, atol=1e-6)
    least = array(augment(x, numbers(augment, 0.0, 0.0)))
    np.testing.assert_allclose(least[:, :-1, :-2], x[:, 1:, 2:], atol=1e-6)
    np.testing.assert_allclose(array(augment(x, numbers(augment, 0.5, 0.5))), x, atol=1e-6)


@pytest.mark.parametrize(
    ("place", "rows", "columns"),
    [((0.5, 0.5), (2, 6), (3, 9)), ((0.0, 0.0), (0, 2), (0, 3)), ((0.999, 0.2), (6, 8), (0, 5))],
)
def test_cutout_is_a_box_of_half_the_sides(place, rows, columns):
    x, augment = pictures(1), DiffAugment("cutout", (8, 12, 3), fill=-1.0)
    expected = x.copy()
    expected[:, slice(*rows), slice(*columns)] = -1.0
    np.testing.assert_allclose(array(augment(x, numbers(augment, *place))), expected, atol=1e-6)


def test_affine_is_within_ten_degrees_and_a_tenth():
    x, augment = pictures(1, (9, 9, 1)), DiffAugment("affine", (9, 9, 1))
    np.testing.assert_allclose(array(augment(x, numbers(augment, 0.5, 0.5))), x, atol=1e-5)
    ramp = np.tile(np.arange(9, dtype="float32") - 4, (9, 1)).reshape(1, 9, 9, 1)
    y = array(augment(ramp, numbers(augment, 1.0, 0.0)))[0, :, :, 0]  # 10 degrees, 0.9 times
    slopes = np.cos(np.radians(10)) / 0.9, np.sin(np.radians(10)) / 0.9
    np.testing.assert_allclose(y[4, 5] - y[4, 4], slopes[0], atol=1e-4)
    np.testing.assert_allclose(abs(y[5, 4] - y[4, 4]), slopes[1], atol=1e-4)


@pytest.mark.parametrize(
    ("policy", "shape"),
    [(ALL, (6, 6, 1)), (ALL, (5, 8, 7)), ("color,translation,cutout", (16, 2))]
    + [("translation,cutout", (4, 5, 6, 1))],
)
def test_any_channels_and_axes_and_every_sample_its_own(policy, shape):
    augment = DiffAugment(policy, shape)
    x = np.repeat(pictures(1, shape), 5, axis=0)
    draw = np.random.default_rng(1).uniform(size=(5, augment.numbers)).astype("float32")
    y = array(augment(x, {"augment": draw}))
    assert y.shape == x.shape
    assert len(np.unique(y.reshape(5, -1), axis=0)) == 5
    again = array(augment(x[2:3], {"augment": draw[2:3]}))
    np.testing.assert_allclose(again[0], y[2], atol=1e-6)


def test_the_probability_decides_for_each_sample_and_change():
    augment = DiffAugment("color,cutout", (8, 8, 1), p=0.3)
    x, draw = pictures(2, (8, 8, 1)), np.full((2, augment.numbers), 0.9, "float32")
    np.testing.assert_array_equal(array(augment(x, {"augment": draw})), x)
    draw[1, -1] = 0.2  # cutout of the second sample
    y = array(augment(x, {"augment": draw}))
    np.testing.assert_array_equal(y[0], x[0])
    only = DiffAugment("cutout", (8, 8, 1))
    cut = only(x[1:], {"augment": draw[1:, 3:][:, [0, 1, 3]]})
    np.testing.assert_allclose(y[1], array(cut)[0], atol=1e-6)


@pytest.mark.parametrize("policy", CHANGES)
def test_a_penalty_through_it_trains_the_critic(policy):
    """The weight gradient of R1 at the un-augmented picture equals finite differences."""
    shape = (6, 6, 2)
    augment = DiffAugment(policy, shape, fill=-1.0)
    draw = np.random.default_rng(2).uniform(size=(3, augment.numbers)).astype("float32")
    x = ops.convert_to_tensor(pictures(3, shape))
    net = keras.Sequential(
        [keras.Input(shape), layers.Conv2D(3, 3, activation="tanh"), layers.Flatten()]
        + [layers.Dense(1)]
    )
    random = np.random.default_rng(0)
    net.set_weights([random.normal(0, 0.5, v.shape) for v in net.weights])
    kernel = net.weights[0]

    def loss():
        critic = lambda x: net(augment(x, {"augment": ops.convert_to_tensor(draw)}))
        _, gradient = input_gradient(critic, x, net.variables)
        return ops.sum(ops.square(gradient)), {}

    _, (gradient,) = value_and_grad(loss, [kernel], net.variables)
    start, direction = array(kernel).copy(), random.normal(size=kernel.shape)
    values = []
    for sign in (1, -1):
        kernel.assign(start + sign * 1e-2 * direction)
        values.append(float(array(loss()[0])))
    slope = (values[0] - values[1]) / 2e-2
    np.testing.assert_allclose(np.sum(array(gradient) * direction), slope, rtol=2e-2)


@pytest.mark.parametrize(
    ("policy", "shape"),
    [("colour", (8, 8, 1)), ("", (8, 8, 1)), ("cutout", (8,)), ("affine", (8, 1))],
)
def test_policies_are_checked(policy, shape):
    with pytest.raises(UserError, match="Received"):
        DiffAugment(policy, shape)


def test_the_probability_moves_by_the_papers_steps():
    state = Overfitting(0.6, 500_000, 4)
    history = []
    for sign in [1.0] * 8 + [0.59] * 4 + [1.0, 1.0, 1.0, -1.0] + [0.0] * 4:
        state.update(ops.convert_to_tensor(sign, "float32"), 64)
        history.append(float(array(state.p)))
    np.testing.assert_allclose(
        history[3::4], [0.000512, 0.001024, 0.000512, 0.0, 0.0], atol=1e-9, rtol=1e-5
    )
    np.testing.assert_array_equal(history[:3], 0)
    state.p.assign(0.9999)
    for _ in range(4):
        state.update(ops.convert_to_tensor(1.0), 64)
    assert float(array(state.p)) == 1.0


def test_several_updates_a_cycle_count_as_one():
    state = Overfitting(0.6, 500_000, 4)
    for i in range(12):
        assert float(array(state.p)) == 0.0, i
        state.update(ops.convert_to_tensor(1.0), 64, repeats=3)
    assert float(array(state.p)) == pytest.approx(0.000512)


def nets(shape=(8, 8, 1)):
    generator = keras.Sequential(
        [keras.Input((4,)), layers.Dense(int(np.prod(shape))), layers.Reshape(shape)]
    )
    critic = keras.Sequential([keras.Input(shape), layers.Flatten(), layers.Dense(1)])
    return generator, critic


@pytest.mark.parametrize(
    "name", ["wasserstein", "relativistic", "relativistic_average", "relativistic_average_hinge"]
)
def test_objectives_without_a_threshold_are_refused(name):
    with pytest.raises(UserError, match="mean nothing by themselves"):
        duel(*nets(), objective=name, augment=ADA("cutout", (8, 8, 1)))


def test_thresholds():
    assert objective("hinge").threshold == objective("minimax").threshold == 0.0
    assert objective("least_squares").threshold == 0.5
    half, step = smoothed(0.9), 1e-3  # at the threshold a critic of equal distributions rests
    loss = lambda s: float(array(half.discriminator(*[ops.convert_to_tensor([s])] * 2)))
    slope = (loss(half.threshold + step) - loss(half.threshold - step)) / (2 * step)
    assert slope == pytest.approx(0.0, abs=1e-3)


def test_ada_follows_the_critic_in_fit_and_not_in_evaluate():
    augment = ADA("translation,cutout", (8, 8, 1), images=640)
    model = AdversarialModel(duel(*nets(), objective="hinge", augment=augment))
    model.compile({t: keras.optimizers.SGD(0.0) for t in ("discriminator", "generator")})
    critic = model.player("discriminator").func
    critic.set_weights([np.zeros((64, 1)), np.ones(1)])  # sure of everything: sign 1
    x = pictures(16, (8, 8, 1))
    model.fit(Stream(x, 16), steps_per_epoch=3, verbose=0)
    assert float(array(augment.state.p)) == 0.0
    model.evaluate(x, batch_size=16, verbose=0)
    model.fit(Stream(x, 16), steps_per_epoch=1, verbose=0)
    assert float(array(augment.state.p)) == pytest.approx(4 * 16 / 640)
    model.fit(Stream(x, 16), steps_per_epoch=4, verbose=0)
    assert float(array(augment.state.p)) == pytest.approx(8 * 16 / 640)
