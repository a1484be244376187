"""What every network must do, on the current backend: one table of networks, one test a promise."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import gradients
from gantools.gans.settings import spectral
from gantools.nets import dcgan, mlp, plans, r3gan, resnet, rrdb, srgan, superres

GREY, SMALL, WIDE = (28, 28, 1), (20, 12, 3), (16, 24, 3)


GENERATORS = {
    "mlp": lambda shape, seed: mlp.generator(shape, latent=8, widths=(16,), seed=seed),
    "dcgan": lambda shape, seed: dcgan.generator(shape, latent=8, widths=(12, 6), seed=seed),
    "dcgan_cpu": lambda shape, seed: dcgan.generator(
        shape, latent=8, widths=(8, 4), refine=1, norm_kind="none", seed=seed
    ),
    "dcgan_subpixel": lambda shape, seed: dcgan.generator(
        shape, latent=8, widths=(8, 4), up="subpixel", norm_kind="layer", seed=seed
    ),
    "dcgan_nearest": lambda shape, seed: dcgan.generator(
        shape, latent=8, widths=(8, 4), up="nearest", kernel=3, seed=seed
    ),
    "resnet": lambda shape, seed: resnet.generator(shape, latent=8, width=6, seed=seed),
    "r3gan": lambda shape, seed: r3gan.generator(
        shape, latent=8, widths=(16, 8), blocks=1, seed=seed
    ),
    "r3gan_cells": lambda shape, seed: r3gan.generator(
        shape, latent=8, widths=(16, 8), blocks=1, patch=2, seed=seed
    ),
}
CRITICS = {
    "mlp": lambda shape, seed: mlp.discriminator(shape, widths=(16,), seed=seed),
    "maxout": lambda shape, seed: mlp.discriminator(
        shape, widths=(8,), pieces=3, dropout=(0.2, 0.5), seed=seed
    ),
    "dcgan": lambda shape, seed: dcgan.discriminator(
        shape, widths=(4, 8), norm_kind="layer", seed=seed
    ),
    "dcgan_cpu": lambda shape, seed: dcgan.discriminator(
        shape, widths=(4, 8), kernel=(5, 3), dense=8, norm_kind="none", seed=seed
    ),
    "resnet": lambda shape, seed: resnet.critic(shape, width=6, flat=1, seed=seed),
    "resnet_spectral": lambda shape, seed: resnet.critic(
        shape, width=6, flat=1, head="sum", wrap=spectral, seed=seed
    ),
    "r3gan": lambda shape, seed: r3gan.critic(shape, widths=(16, 8), blocks=1, seed=seed),
    "r3gan_cells": lambda shape, seed: r3gan.critic(
        shape, widths=(16, 8), blocks=1, patch=2, seed=seed
    ),
    "srgan": lambda shape, seed: srgan.discriminator(
        shape, width=4, stages=2, dense=8, norm_kind="none", seed=seed
    ),
    "srgan_mean": lambda shape, seed: srgan.discriminator(
        shape, width=4, stages=2, dense=0, norm_kind="layer", seed=seed
    ),
}
ENLARGERS = {
    "srresnet": lambda seed: srgan.generator(3, scale=2, width=8, blocks=2, seed=seed),
    "rrdb": lambda seed: rrdb.generator(3, scale=2, width=8, growth=4, blocks=1, seed=seed),
    "fast": lambda seed: superres.build(plans.fast(2, width=8, blocks=2), seed=seed),
}


def randomize(model, seed=0):
    """Give all weights random values, biases and zero-started kernels too."""
    random = np.random.default_rng(seed)
    for v in model.trainable_variables:
        fan = max(1, np.prod(v.shape[:-1]))
        v.assign(random.normal(0, 1 / np.sqrt(fan), v.shape))
    return model


def pictures(*shape, seed=1):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def same_everywhere(model, x):
    """Assert that eager, `predict` and, on TensorFlow, `tf.function` give the same numbers."""
    eager = ops.convert_to_numpy(model(x, training=False))
    scale = np.abs(eager).max()
    assert scale > 1e-3
    results = [model.predict(x, verbose=0)]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        results.append(tf.function(lambda x: model(x, training=False))(x).numpy())
    for result in results:
        np.testing.assert_allclose(result, eager, rtol=0, atol=1e-5 * max(scale, 1))


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("shape", [GREY, SMALL])
def test_generator_makes_pictures_of_any_shape(name, shape):
    model = GENERATORS[name](shape, 0)
    assert model.output_shape == (None, *shape)
    result = model(pictures(3, 8), training=False)
    assert tuple(result.shape) == (3, *shape)
    assert keras.backend.standardize_dtype(result.dtype) == "float32"
    assert np.isfinite(ops.convert_to_numpy(result)).all()


@pytest.mark.parametrize("name", CRITICS)
@pytest.mark.parametrize("shape", [GREY, SMALL])
def test_critic_scores_pictures_of_any_shape(name, shape):
    model = CRITICS[name](shape, 0)
    scores = model(pictures(3, *shape), training=False)
    assert tuple(scores.shape) == (3, 1)
    assert np.isfinite(ops.convert_to_numpy(scores)).all()


@pytest.mark.backends
@pytest.mark.parametrize("name", GENERATORS)
def test_generator_is_the_same_eager_and_compiled(name):
    same_everywhere(randomize(GENERATORS[name](WIDE, 0)), pictures(2, 8))


@pytest.mark.backends
@pytest.mark.parametrize("name", CRITICS)
def test_critic_is_the_same_eager_and_compiled(name):
    same_everywhere(randomize(CRITICS[name](WIDE, 0)), pictures(2, *WIDE))


@pytest.mark.backends
@pytest.mark.parametrize("name", ENLARGERS)
def test_enlarger_is_the_same_eager_and_compiled(name):
    same_everywhere(randomize(ENLARGERS[name](0)), pictures(1, 7, 10, 3))


@pytest.mark.backends
@pytest.mark.parametrize("name", CRITICS)
def test_penalty_reaches_every_kernel(name):
    model = randomize(CRITICS[name](WIDE, 0))
    x = ops.convert_to_tensor(pictures(2, *WIDE))
    state = list(model.variables)

    def penalty():
        _, g = gradients.input_gradient(lambda x: model(x, training=False), x, state)
        return ops.sum(ops.square(g)), {}

    wrt = model.trainable_variables
    _, found = gradients.value_and_grad(penalty, wrt, state)
    lost = [
        v.path
        for v, g in zip(wrt, found, strict=True)
        if len(v.shape) > 1 and (g is None or not np.abs(ops.convert_to_numpy(g)).max() > 0)
    ]
    assert not lost


@pytest.mark.backends
def test_penalty_gradient_is_that_of_finite_differences():
    model = randomize(CRITICS["r3gan"](WIDE, 0))
    x = ops.convert_to_tensor(pictures(2, *WIDE))
    state = list(model.variables)
    kernel = model.get_layer("stage1_block0_mid").kernel

    def penalty():
        _, g = gradients.input_gradient(lambda x: model(x, training=False), x, state)
        return ops.mean(ops.square(g)), {}

    (_, _), (gradient,) = gradients.value_and_grad(penalty, [kernel], state)
    gradient = ops.convert_to_numpy(gradient)
    start, step = kernel.numpy().copy(), 1e-3
    values = []
    for sign in (1, -1):
        kernel.assign(start + sign * step * gradient / np.linalg.norm(gradient))
        values.append(float(gradients.value_and_grad(penalty, [kernel], state)[0][0]))
    slope = (values[0] - values[1]) / (2 * step)
    assert slope == pytest.approx(np.linalg.norm(gradient), rel=0.02)


@pytest.mark.parametrize("kind", ["generator", "critic", "enlarger"])
def test_same_seed_gives_the_same_weights_and_another_seed_others(kind):
    table = {"generator": GENERATORS, "critic": CRITICS, "enlarger": ENLARGERS}[kind]
    for name, make in table.items():
        sample = () if kind == "enlarger" else (WIDE,)
        first, again, other = (make(*sample, seed).get_weights() for seed in (3, 3, 4))
        for a, b in zip(first, again, strict=True):
            np.testing.assert_array_equal(a, b)
        assert any(not np.array_equal(a, b) for a, b in zip(first, other, strict=True)), name


@pytest.mark.parametrize("name", [*CRITICS, *(f"G {name}" for name in GENERATORS)])
def test_layers_of_one_network_have_different_weights(name):
    table = GENERATORS if name.startswith("G ") else CRITICS
    model = table[name.removeprefix("G ")](WIDE, 0)
    seen = {}
    for v in model.trainable_variables:
        array = v.numpy().ravel()
        if array.size > 8 and array.std() > 0:
            start = tuple(np.round(array[:4] / array.std(), 4))
            assert start not in seen, f"{v.path} starts like {seen[start]}"
            seen[start] = v.path


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("family", [dcgan, resnet, r3gan])
def test_signals_pictures_and_voxels(ndim, family):
    shape = (16, 8, 12)[:ndim] + (2,)
    sizes = {"widths": (8, 4)} if family is not resnet else {"width": 4}
    critic = family.discriminator if family is dcgan else family.critic
    fake = family.generator(shape, latent=4, seed=0, **sizes)(pictures(2, 4))
    assert tuple(fake.shape) == (2, *shape)
    assert tuple(critic(shape, seed=0, **sizes)(fake).shape) == (2, 1)


@pytest.mark.parametrize("table", [GENERATORS, CRITICS])
def test_heads_stay_float32_in_mixed_precision(table):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        for make in table.values():
            assert make(WIDE, 0).output.dtype == "float32"
    finally:
        keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (lambda: mlp.generator((28, 28, 1), **mlp.PAPER_GENERATOR), 2_503_984),
        (lambda: mlp.discriminator((28, 28, 1), **mlp.PAPER_DISCRIMINATOR), 1_231_441),
        # As the reproductions count, plus the biases of the output layers.
        (lambda: dcgan.generator((64, 64, 3)), 3_576_704 + 3),
        (lambda: dcgan.discriminator((64, 64, 3)), 2_765_568 + 65),
        (lambda: resnet.generator((32, 32, 3), **resnet.WGAN_GP_GENERATOR), 1_204_483),
        (lambda: resnet.critic((32, 32, 3), **resnet.WGAN_GP_CRITIC), 1_053_825),
        (lambda: resnet.generator((32, 32, 3), **resnet.SNGAN_GENERATOR), 4_276_739),
        (lambda: srgan.generator(3, **srgan.PAPER_GENERATOR), 1_550_659),
        # a block has 719,424: 23 of them make 16,697,987
        (lambda: rrdb.generator(3, **rrdb.PAPER | {"blocks": 1}), 16_697_987 - 22 * 719_424),
        (lambda: superres.build(plans.fast(4)), 209_184),
        (lambda: superres.build(plans.fast(2)), 193_596),
    ],
)
def test_parameters_of_the_published_sizes(model, parameters):
    assert sum(np.prod(v.shape) for v in model().trainable_variables) == parameters


@pytest.mark.parametrize(("group", "heeds"), [(1, False), (2, True)])
def test_a_discriminator_compares_samples_only_where_it_is_told_to(group, heeds):
    net = dcgan.discriminator((8, 8, 1), widths=(4,), norm_kind="none", group=group)
    a, b = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    alike, apart = (keras.ops.convert_to_numpy(net(np.stack(pair)))[0] for pair in ([a, a], [a, b]))
    assert (abs(alike - apart) > 1e-4).item() == heeds
