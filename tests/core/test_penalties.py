"""Golden values of every penalty on a critic with a closed form, and finite differences."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import R1, R2, AdversarialModel, Dragan, GradientPenalty, duel
from gantools.core.gradients import value_and_grad
from gantools.core.penalties import scores_and_penalties
from gantools.errors import UserError

pytestmark = pytest.mark.backends

W, B = [1.0, -2.0, 0.5], [0.1, 0.2, -0.3]
REAL = np.array([[1, 0, -1], [0.5, 2, 0.25]], "float32")
FAKE = np.array([[-1, 1, 0.5], [0, -0.5, 1]], "float32")
DRAW = {
    "between": np.array([0.25, 0.75], "float32"),
    "around": np.array([[0.2, -0.4, 0.6], [1, 0, -0.5]], "float32"),
}
GOLDEN = {
    "r1": (R1(1.0), 4.18015625),
    "r2": (R2(1.0), 1.385625),
    "two": (GradientPenalty(1.0), 1.344704523121),
    "one": (GradientPenalty(1.0, sided="one"), 1.344704523121),
    "zero": (GradientPenalty(1.0, sided="zero"), 4.32056640625),
    "dragan": (Dragan(1.0), 4.480730334525),
}


class Model:
    """The part of an AdversarialModel that penalties use."""

    def __init__(self, state):
        self.state = state

    def input_gradient(self, critic, x):
        from gantools.core.gradients import input_gradient

        return input_gradient(critic, x, self.state)


def number(scalar):
    return float(ops.convert_to_numpy(scalar))


def quadratic():
    """D(x) = sum_j (w_j x_j^2 / 2 + b_j x_j), whose gradient is w x + b."""
    w, b = (keras.Variable(np.array(v, "float32")) for v in (W, B))
    return w, b, lambda x: ops.sum(0.5 * w * ops.square(x) + b * x, axis=1)


def evaluate(penalty, model, critic, real=REAL, fake=FAKE):
    tensors = [ops.convert_to_tensor(a) for a in (real, fake)]
    draw = {k: ops.convert_to_tensor(v) for k, v in DRAW.items()}
    return scores_and_penalties(model, critic, *tensors, draw, [penalty])


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_values(name):
    penalty, expected = GOLDEN[name]
    w, b, critic = quadratic()
    real, fake, terms = evaluate(penalty, Model([w, b]), critic)
    np.testing.assert_allclose(number(terms[penalty.name]), expected, rtol=2e-6)
    np.testing.assert_allclose(
        ops.convert_to_numpy(real),
        (np.array(W) * REAL**2 / 2 + np.array(B) * REAL).sum(1),
        rtol=1e-5,
    )
    assert fake.shape == (2,)


def test_second_order_gradient_of_r1():
    w, b, critic = quadratic()
    model = Model([w, b])
    loss = lambda: (evaluate(R1(1.0), model, critic)[2]["r1"], {})
    _, grads = value_and_grad(loss, [w, b], [w, b])
    np.testing.assert_allclose(ops.convert_to_numpy(grads[0]), [0.7, -3.8, 0.378125], rtol=1e-5)
    np.testing.assert_allclose(ops.convert_to_numpy(grads[1]), [0.85, -1.8, -0.4875], rtol=1e-5)


@pytest.mark.parametrize("name", GOLDEN)
def test_weight_gradient_equals_finite_differences(name):
    net = keras.Sequential(
        [keras.Input((3,)), layers.Dense(5, "tanh"), layers.Dense(1)],
    )
    random = np.random.default_rng(0)
    net.set_weights([random.normal(0, 0.7, v.shape) for v in net.weights])
    kernel, model, penalty = net.weights[0], Model(net.variables), GOLDEN[name][0]
    loss = lambda: (evaluate(penalty, model, net)[2][penalty.name], {})
    _, (gradient,) = value_and_grad(loss, [kernel], net.variables)
    start, step = ops.convert_to_numpy(kernel).copy(), 1e-2
    direction = random.normal(size=start.shape)
    values = []
    for sign in (1, -1):
        kernel.assign(start + sign * step * direction)
        values.append(number(loss()[0]))
    slope = (values[0] - values[1]) / (2 * step)
    analytic = float(np.sum(ops.convert_to_numpy(gradient) * direction))
    np.testing.assert_allclose(analytic, slope, rtol=2e-2, atol=1e-3)


@pytest.mark.parametrize("space", [(), (6,), (4, 6), (3, 4, 2)])
def test_norm_runs_over_all_axes_but_the_batch(space):
    """Points, audio, pictures and voxels: a critic sum(x) has the gradient 1 everywhere."""
    shape = (2, *space, 3)
    critic = lambda x: ops.sum(ops.reshape(x, (2, -1)), axis=1)
    x = np.ones(shape, "float32")
    _, _, terms = evaluate(R1(2.0), Model([]), critic, real=x, fake=x)
    np.testing.assert_allclose(number(terms["r1"]), 0.5 * np.prod(shape[1:]), rtol=1e-6)


def test_zero_gradient_has_a_finite_derivative():
    net = keras.Sequential([keras.Input((3,)), layers.Dense(1, kernel_initializer="zeros")])
    model = Model(net.variables)
    loss = lambda: (evaluate(GradientPenalty(1.0), model, net)[2]["gp"], {})
    _, (gradient,) = value_and_grad(loss, [net.weights[0]], net.variables)
    assert np.all(np.isfinite(ops.convert_to_numpy(gradient)))


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others differentiate it")
def test_silent_loss_of_second_order_is_an_error():
    critic = keras.Sequential(
        [
            keras.Input((4, 4, 1)),
            layers.Conv2D(2, 3, padding="same", activation="tanh"),
            layers.UpSampling2D(2, interpolation="bilinear"),
            layers.Conv2D(2, 3, activation="tanh"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    generator = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    model = AdversarialModel(duel(generator, critic, penalties=[R1(1.0)]))
    model.compile({t: keras.optimizers.SGD(0.1) for t in ("discriminator", "generator")})
    with pytest.raises(ValueError, match="no second-order gradient"):
        model.fit(np.zeros((4, 4, 4, 1), "float32"), batch_size=4, verbose=0)


def with_classes():
    """Return a critic of points with a score and a head of two classes."""
    x = layers.Dense(8, "tanh")(inputs := keras.Input((2,)))
    return keras.Model(inputs, [layers.Dense(1)(x), layers.Dense(2, name="classes")(x)])


@pytest.mark.parametrize("every", [1, 2])
def test_other_outputs_of_a_penalised_critic_may_train(every):
    """The penalty does not reach their kernels, and nothing is wrong with that."""
    maker = keras.Sequential([keras.Input((2,)), layers.Dense(2)])
    game = duel(maker, with_classes(), penalties=[R1(1.0, every=every)])
    first, second = game.turns

    def terms(model, batch, draw):
        found, shown = first.terms(model, batch, draw)
        logits = model.player("discriminator")(batch["x"])[1]
        return {**found, "class": ops.mean(ops.square(logits))}, shown

    model = AdversarialModel(replace(game, turns=(replace(first, terms=terms), second)))
    model.compile({turn.name: keras.optimizers.SGD(0.1) for turn in game.turns})
    head = game.players["discriminator"].get_layer("classes")
    before = head.get_weights()[0].copy()
    logs = model.train_on_batch(REAL[:, :2], return_dict=True)
    assert logs["discriminator/r1"] > 0
    assert np.abs(head.get_weights()[0] - before).max() > 0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others differentiate it")
@pytest.mark.parametrize("every", [1, 2])
def test_a_penalty_that_has_lost_all_weights_is_an_error(every):
    """Here the gradient depends on no weight at all, and so on no penalised critic's."""
    inputs = keras.Input((4, 4, 1))
    x = layers.UpSampling2D(2, interpolation="bilinear")(inputs)
    x = layers.Conv2D(1, 3, padding="same", activation="tanh")(x)
    critic = keras.Model(inputs, [layers.GlobalAveragePooling2D()(x), layers.Flatten()(inputs)])
    maker = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    model = AdversarialModel(duel(maker, critic, penalties=[R1(1.0, every=every)]))
    model.compile({t: keras.optimizers.SGD(0.1) for t in ("discriminator", "generator")})
    with pytest.raises(ValueError, match="no second-order gradient for conv2d.*/kernel"):
        model.fit(np.zeros((4, 4, 4, 1), "float32"), batch_size=4, verbose=0)


def test_sided_is_checked():
    with pytest.raises(UserError, match="sided must be one of two, one, zero. Received: sided='bo"):
        GradientPenalty(1.0, sided="both")
