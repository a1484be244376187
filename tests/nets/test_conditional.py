"""Networks that are told a class or asked for one."""

from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import gradients
from gantools.core.ema import averaged_copy
from gantools.errors import UserError
from gantools.nets import conditional, dcgan, mlp

SHAPE, CLASSES = (12, 8, 3), 5
LAYERS = {"widths": (4, 8), "norm_kind": "none", "dense": 6}


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def told(name, x, *classes):
    return {name: ops.convert_to_tensor(x), "y": ops.convert_to_tensor(np.array(classes, "int32"))}


def numbers(x):
    return ops.convert_to_numpy(x)


def critics():
    make = partial(dcgan.discriminator, seed=1, **LAYERS)
    return {
        "projection": conditional.projection(make(SHAPE), CLASSES, seed=1),
        "concatenation": conditional.concatenation(make, SHAPE, CLASSES),
        "branches": conditional.mlp_discriminator(
            SHAPE, CLASSES, branches=((6, 2), (4, 2)), joint=(5, 2), seed=1
        ),
    }


@pytest.mark.backends
def test_projection_adds_the_product_of_embedding_and_features():
    net = dcgan.discriminator(SHAPE, seed=0, **LAYERS)
    critic = conditional.projection(net, CLASSES, seed=0)
    x = random(3, *SHAPE)
    phi = keras.Model(net.input, conditional.features(net))(x)
    table = numbers(critic.get_layer("embedding").embeddings)
    assert table.shape == (CLASSES, 6)
    expected = numbers(net(x)) + np.sum(table[[4, 0, 4]] * numbers(phi), axis=1, keepdims=True)
    np.testing.assert_allclose(numbers(critic(told("x", x, 4, 0, 4))), expected, atol=1e-6)


@pytest.mark.backends
def test_concatenation_gives_each_class_a_channel_of_its_own():
    def make(shape):
        assert shape == (12, 8, 3 + CLASSES)
        x = keras.Input(shape)
        return keras.Model(x, keras.layers.GlobalAveragePooling2D()(x))

    means = numbers(
        conditional.concatenation(make, SHAPE, CLASSES)(told("x", random(2, *SHAPE), 3, 1))
    )
    np.testing.assert_allclose(means[:, 3:], np.eye(CLASSES)[[3, 1]], atol=1e-6)
    np.testing.assert_allclose(means[:, :3], random(2, *SHAPE).mean(axis=(1, 2)), atol=1e-6)


@pytest.mark.parametrize("embed", [0, 4])
def test_generator_gets_the_class_after_the_latents(embed):
    def make(latent):
        z = keras.Input((latent,))
        return keras.Model(z, keras.layers.Activation("linear")(z))

    net = conditional.told_generator(make, CLASSES, embed, latent=2, seed=0)
    made = numbers(net(told("z", random(3, 2), 1, 1, 2)))
    assert made.shape == (3, 2 + (embed or CLASSES))
    np.testing.assert_array_equal(made[:, :2], random(3, 2))
    if embed:
        np.testing.assert_array_equal(made[0, 2:], made[1, 2:])
        assert np.abs(made[0, 2:] - made[2, 2:]).min() > 0
    else:
        np.testing.assert_array_equal(made[:, 2:], np.eye(CLASSES)[[1, 1, 2]])


@pytest.mark.backends
@pytest.mark.parametrize("name", ["projection", "concatenation", "branches"])
def test_critics_are_told_and_can_be_penalised(name):
    critic, x = critics()[name], ops.convert_to_tensor(random(2, *SHAPE))
    y = ops.convert_to_tensor(np.array([2, 4], "int32"))
    first, other = (numbers(critic(told("x", x, *c), training=False)) for c in ((2, 4), (2, 3)))
    assert first.shape == (2, 1)
    assert first[0] == pytest.approx(other[0], abs=1e-6)
    assert first[1] != other[1]
    state = critic.variables

    def penalty():
        look = lambda x: critic({"x": x, "y": y}, training=False)
        _, g = gradients.input_gradient(look, x, state)
        return ops.sum(ops.square(g)), {}

    kernels = [v for v in critic.trainable_variables if len(v.shape) > 1]
    _, grads = gradients.value_and_grad(penalty, kernels, state)
    lost = [
        v.path
        for v, g in zip(kernels, grads, strict=True)
        if g is None or not np.abs(numbers(g)).max() > 0
    ]
    # The class only decides which maxout piece wins: the gradient by x does not know its kernel.
    assert len(lost) == (name == "branches"), lost
    assert all("y_branch" in path for path in lost)


@pytest.mark.parametrize("name", ["projection", "concatenation", "branches"])
def test_networks_by_the_name_of_the_condition(name):
    sizes = {
        "generator": {"latent": 4, "widths": (8, 4)},
        "discriminator": {"widths": (4, 8)},
    }
    if name == "branches":
        sizes = {
            "generator": {"latent": 4, "branches": (6, 8), "joint": 10},
            "discriminator": {"branches": ((6, 2), (4, 2)), "joint": (5, 2)},
        }
    generator, critic = conditional.networks(name, SHAPE, CLASSES, embed=3, **sizes)
    fake = generator(told("z", random(2, 4), 0, 4))
    assert tuple(fake.shape) == (2, *SHAPE)
    assert tuple(critic(told("x", fake, 0, 4)).shape) == (2, 1)
    copy = averaged_copy(generator)
    inputs = told("z", random(2, 4), 0, 4)
    np.testing.assert_array_equal(
        numbers(copy(inputs, training=False)), numbers(generator(inputs, training=False))
    )


def test_conditions_that_do_not_fit_are_refused():
    make = partial(conditional.networks, shape=SHAPE, classes=5, embed=0, discriminator={})
    with pytest.raises(UserError, match="branches, concatenation, projection. Received.*'film'"):
        make("film", generator={})
    with pytest.raises(UserError, match="branches.* takes MLPs"):
        make("branches", generator={"latent": 4, "widths": (8,)})
    with pytest.raises(UserError, match="condition='projection', generator={'latent': 4}"):
        make("projection", generator={"latent": 4})


@pytest.mark.backends
def test_heads_share_the_features_and_leave_the_score():
    net = dcgan.discriminator(SHAPE, seed=2, **LAYERS)
    whole = conditional.heads(net, {"class": CLASSES, "code": 2}, hidden=7, seed=2)
    x = random(3, *SHAPE)
    score, logits, code = whole(x, training=False)
    np.testing.assert_array_equal(numbers(score), numbers(net(x, training=False)))
    assert (tuple(logits.shape), tuple(code.shape)) == ((3, CLASSES), (3, 2))

    def loss():
        return ops.sum(ops.square(whole(x)[1])), {}

    first = net.get_layer("down0").kernel
    _, (grad,) = gradients.value_and_grad(loss, [first], whole.variables)
    assert np.abs(numbers(grad)).max() > 0


def test_a_critic_without_a_score_is_refused():
    x = keras.Input((3,))
    with pytest.raises(UserError, match="layer 'score'"):
        conditional.projection(keras.Model(x, keras.layers.Dense(1)(x), name="odd"), 3)


def test_one_hot_keeps_its_arguments():
    layer = conditional.OneHot.from_config(conditional.OneHot(4).get_config())
    np.testing.assert_array_equal(numbers(layer(np.array([3, 0]))), np.eye(4)[[3, 0]])


def test_parameters_of_the_papers_mlps():
    """z 100 -> 200 and y 10 -> 1000, joint 1200 -> 784; maxout 240x5 and 50x5, joint 240x4."""
    generator = conditional.mlp_generator((28, 28, 1), 10, **conditional.PAPER_MLP_GENERATOR)
    expected = 101 * 200 + 11 * 1000 + 1201 * 1200 + 1201 * 784
    assert generator.count_params() == expected
    critic = conditional.mlp_discriminator((28, 28, 1), 10, **conditional.PAPER_MLP_DISCRIMINATOR)
    assert critic.count_params() == 785 * 1200 + 11 * 250 + 291 * 960 + 241


def test_projection_takes_any_of_our_critics():
    critic = conditional.projection(mlp.discriminator((2,), widths=(8,)), 3)
    assert tuple(critic(told("x", random(4, 2), 0, 1, 2, 0)).shape) == (4, 1)


def test_outputs_stay_float32_in_mixed_precision():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        nets = list(critics().values())
        net = dcgan.discriminator(SHAPE, **LAYERS)
        make = partial(dcgan.generator, SHAPE, widths=(8, 4))
        nets += [conditional.heads(net, {"class": 3}, hidden=4)]
        nets += [conditional.told_generator(make, CLASSES, 2, latent=4)]
        nets += [conditional.mlp_generator(SHAPE, CLASSES, latent=4, branches=(6, 8), joint=10)]
    finally:
        keras.config.set_dtype_policy("float32")
    assert {tensor.dtype for net in nets for tensor in net.outputs} == {"float32"}
    for critic in nets[:2]:
        assert np.isfinite(numbers(critic(told("x", random(2, *SHAPE), 0, 1)))).all()
