"""What the games with labels, codes and encoders compute, on their tiny networks."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import AdversarialModel, DiffAugment, Game, Stream, Turn, categories, normal
from gantools.errors import UserError
from gantools.gans import bigan
from gantools.registry import load_game

from .tiny_data import tiny_arrays

SHAPE = (16, 16, 1)


def numbers(x):
    return ops.convert_to_numpy(x)


def random(*shape, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype("float32")


def batch_of(name, n=4):
    return {key: x[:n] for key, x in tiny_arrays(name, SHAPE).items()}


def evaluated(model, batch):
    """Return the terms of both turns, in inference mode."""
    logs = model.evaluate(batch, batch_size=len(batch["x"]), verbose=0, return_dict=True)
    return {name: float(value) for name, value in logs.items()}


def softplus(x):
    return np.log1p(np.exp(np.asarray(x, "float64")))


def log_softmax(logits):
    logits = np.asarray(logits, "float64")
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_samples_show_the_classes_in_order_or_the_one_asked_for(name):
    model = load_game(name)("tiny", SHAPE, classes=3).model()
    given = model.sample(9, y=[0, 0, 0, 1, 1, 1, 2, 2, 2])
    np.testing.assert_array_equal(model.sample(9), given)
    np.testing.assert_allclose(model.sample(9, y=2)[6:], given[6:], atol=1e-6)
    assert np.abs(model.sample(9, y=2)[:3] - given[:3]).max() > 1e-4


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_a_batch_without_labels_is_refused(name):
    recipe = load_game(name)("tiny", SHAPE, classes=3)
    with pytest.raises(UserError, match="learns from labels.*integers from 0 to 2"):
        recipe.model().fit(Stream(batch_of("cgan")["x"], 4), steps_per_epoch=1, verbose=0)


@pytest.mark.backends
@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_a_column_of_labels_is_a_row_of_classes(name):
    """`(n, 1)` uint8, the labels of `keras.datasets`, once were scaled like pixels."""
    batch = batch_of(name)
    expected = evaluated(load_game(name)("tiny", SHAPE).model(), batch)
    for kind in ("uint8", "int64"):
        column = {**batch, "y": batch["y"].astype(kind)[:, None]}
        found = evaluated(load_game(name)("tiny", SHAPE).model(), column)
        assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["cgan", "acgan"])
def test_labels_of_other_classes_are_refused(name):
    recipe = load_game(name)("tiny", SHAPE, classes=3)
    batch = {**batch_of(name), "y": np.array([0, 1, 2, 3])}
    with pytest.raises(UserError, match="one integer a sample, from 0 to 2. .*, 0 to 3. Number"):
        recipe.model().fit(Stream(batch, 4), steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize("condition", ["concatenation", "projection"])
def test_conditions_of_convolutions_train(condition):
    model = load_game("cgan")("tiny", SHAPE, condition=condition, every=1).model()
    logs = model.train_on_batch(batch_of("cgan"), return_dict=True)
    assert np.isfinite([float(v) for v in logs.values()]).all()
    with pytest.raises(UserError, match="condition='film'"):
        load_game("cgan")("tiny", SHAPE, condition="film")


def test_the_small_generator_can_still_move_after_its_first_updates():
    """Their gradients agree; without norms its tanh was then without any, and digits were dots."""

    def black(**options):
        net = load_game("cgan")("small", (28, 28, 1), **options).game.players["generator"]
        dark = lambda model, batch, draw: {"dark": ops.mean(model.player("generator")(draw))}
        draws, turns = {"z": normal(64), "y": categories(10)}, (Turn("g", ("generator",), dark),)
        model = AdversarialModel(Game({"generator": net}, turns, draws))
        model.compile({"g": keras.optimizers.Adam(3e-4, 0.0, 0.99)})
        model.fit(np.zeros((4 * 60, 1), "float32"), batch_size=4, verbose=0)
        made = numbers(net({"z": random(64, 64), "y": np.arange(64) % 10}, training=False))
        return np.mean(made < -0.999)

    assert black() < 0.01
    assert black(generator={"norm_kind": "none"}) > 0.5


def test_the_papers_mlps_train():
    narrow = {
        "generator": {"latent": 4, "branches": (6, 8), "joint": 10},
        "discriminator": {"branches": ((6, 2), (4, 2)), "joint": (5, 2)},
    }
    recipe = load_game("cgan")("paper", SHAPE, **narrow)
    logs = recipe.model().train_on_batch(batch_of("cgan"), return_dict=True)
    assert float(logs["discriminator/adv"]) == pytest.approx(2 * np.log(2), abs=0.05)


def test_the_papers_conditional_gan_has_its_optimizer():
    recipe = load_game("cgan")("paper", (28, 28, 1))
    optimizer = recipe.optimizers["generator"]
    rate = optimizer._learning_rate
    assert float(rate(0)) == pytest.approx(0.1)
    assert float(rate(100_000)) == pytest.approx(0.1 / 1.00004**100_000, rel=1e-3)
    assert recipe.game.players["discriminator"].get_layer("joint").units == 240 * 4


@pytest.mark.parametrize("name", ["cgan", "r3gan"])
def test_augmentation_in_words_is_the_object(name):
    """What an alarm of overfitting advises can be said on a command line."""
    words = {"augment": "translation,cutout", "fill": -1}
    given = DiffAugment("translation,cutout", SHAPE, fill=-1)
    draw = {"augment": np.full((4, given.numbers), 0.9, "float32")}
    found = []
    for options in (words, {"augment": given}, {}):
        model = load_game(name)("tiny", SHAPE, **options).model()
        fixed = draw if options else {}
        z = {"z": np.ones((4, 8), "float32")}
        found.append(evaluated(model, {**batch_of(name), **z, **fixed}))
    assert found[0] == found[1]
    assert found[0]["discriminator/real"] != found[2]["discriminator/real"]


@pytest.mark.backends
def test_auxiliary_classifier_is_paid_for_the_class_by_both_players():
    model = load_game("acgan")("tiny", SHAPE).model()
    batch = batch_of("acgan")
    z = random(4, 8)
    found = evaluated(model, {**batch, "z": z})
    nets = model.game.players
    real = batch["x"] / np.float32(127.5) - 1
    y = ops.convert_to_tensor(batch["y"])
    fake = nets["generator"]({"z": ops.convert_to_tensor(z), "y": y}, training=False)
    (r, logits_r), (f, logits_f) = (nets["discriminator"](x, training=False) for x in (real, fake))
    named = lambda logits: -log_softmax(numbers(logits))[np.arange(4), batch["y"]].mean()
    r, f = numbers(r), numbers(f)
    expected = {
        "discriminator/adv": softplus(-r).mean() + softplus(f).mean(),
        "discriminator/class_real": named(logits_r),
        "discriminator/class_fake": named(logits_f),
        "generator/adv": softplus(-f).mean(),
        "generator/class": named(logits_f),
        "discriminator/real": r.mean(),
        "discriminator/fake": f.mean(),
    }
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5)


@pytest.mark.backends
def test_codes_are_read_back_with_their_log_likelihoods():
    recipe = load_game("infogan")("tiny", SHAPE)
    model = recipe.model()
    draws = {"z": random(4, 4), "continuous": random(4, 2, seed=1)}
    draws["category"] = np.array([0, 2, 1, 2], "int32")
    found = evaluated(model, {**batch_of("infogan"), **draws})
    latents = np.concatenate(
        [draws["z"], np.eye(3)[draws["category"]], draws["continuous"]], axis=1
    )
    nets = model.game.players
    fake = nets["generator"](latents.astype("float32"), training=False)
    _, logits, mean = nets["discriminator"](fake, training=False)
    category = -log_softmax(numbers(logits))[np.arange(4), draws["category"]].mean()
    continuous = 0.5 * np.sum((draws["continuous"] - numbers(mean)) ** 2, axis=1).mean()
    for turn in ("discriminator", "generator"):
        assert found[f"{turn}/category"] == pytest.approx(category, rel=1e-4)
        assert found[f"{turn}/continuous"] == pytest.approx(continuous, rel=1e-4)
    assert [dict(turn.weights) for turn in recipe.game.turns] == [
        {"category": 1.0, "continuous": 0.1}
    ] * 2


def test_categories_are_shown_in_order():
    model = load_game("infogan")("tiny", SHAPE).model()
    np.testing.assert_array_equal(model.sample(6), model.sample(6, category=[0, 0, 1, 1, 2, 2]))
    codes = np.tile(np.float32([[0.5, -0.5]]), (6, 1))
    assert np.abs(model.sample(6) - model.sample(6, continuous=codes)).max() > 1e-4


@pytest.mark.backends
@pytest.mark.parametrize("stochastic", [False, True])
def test_pairs_of_pictures_and_codes_are_told_apart(stochastic):
    model = load_game("bigan")("tiny", SHAPE, stochastic=stochastic, gamma=0.0).model()
    batch, z, noise = batch_of("bigan"), random(4, 8), random(4, 8, seed=1)
    found = evaluated(model, {**batch, "z": z, "noise": noise})
    nets, real = model.game.players, batch["x"] / np.float32(127.5) - 1
    code = nets["encoder"](real, training=False)
    if stochastic:
        code = code[0] + ops.exp(code[1]) * ops.convert_to_tensor(noise)
    real, z = ops.convert_to_tensor(real), ops.convert_to_tensor(z)
    judge = lambda x, z: numbers(nets["discriminator"]({"x": x, "z": z}, training=False))
    r, f = judge(real, code), judge(nets["generator"](z, training=False), z)
    assert found["discriminator/adv"] == pytest.approx(
        softplus(-r).mean() + softplus(f).mean(), rel=1e-4
    )
    assert found["generator/adv"] == pytest.approx(
        softplus(r).mean() + softplus(-f).mean(), rel=1e-4
    )


def test_reconstruction_goes_through_the_averaged_networks():
    recipe = load_game("bigan")("tiny", SHAPE, half_life=1000)
    model = recipe.model()
    x = random(3, *SHAPE)
    nets = model.averaged
    expected = nets["generator"](nets["encoder"](x))
    np.testing.assert_allclose(numbers(bigan.reconstructed(model, x)), numbers(expected), atol=1e-6)


@pytest.mark.backends
def test_encoder_penalty_is_by_picture_and_code_together():
    """On a discriminator that is linear in both, |gradient|^2 is the sum of all squared weights."""
    model = load_game("bigan")("tiny", SHAPE, gamma=0.3).model()
    x, z = keras.Input(SHAPE, name="x"), keras.Input((8,), name="z")
    flat = keras.layers.Concatenate()([keras.layers.Flatten()(x), z])
    net = keras.Model({"x": x, "z": z}, keras.layers.Dense(1)(flat))
    model._players["discriminator"] = net
    found = evaluated(model, batch_of("bigan"))
    squared = np.sum(numbers(net.layers[-1].kernel) ** 2)
    assert found["discriminator/r1"] == pytest.approx(0.5 * squared, rel=1e-4)


@pytest.mark.backends
def test_styles_mix_only_when_asked_and_truncation_gathers_them():
    model = load_game("stylegan")("tiny", (8, 8, 3)).model()
    z, z2 = random(3, 8), random(3, 8, seed=1)
    layers = model.game.players["generator"].input["w"].shape[1]
    assert layers == 4
    plain = model.sample(3, z=z)
    np.testing.assert_array_equal(plain, model.sample(3, z=z, z2=z2, cut=layers))
    np.testing.assert_allclose(model.sample(3, z=z, z2=z, cut=2), plain, atol=1e-6)
    mixed = model.sample(3, z=z, z2=z2, cut=2)
    assert np.abs(mixed - plain).max() > 1e-4
    same = load_game("stylegan")("tiny", (8, 8, 3), truncation=0.0).model().sample(3)
    np.testing.assert_allclose(same[0], same[1], atol=1e-6)  # noise starts silent


@pytest.mark.backends
def test_style_game_is_the_formula_with_mixed_styles():
    """On a discriminator that is linear, so that scores and |gradient|^2 are made by hand."""
    recipe = load_game("stylegan")("tiny", (8, 8, 1))
    model, nets = recipe.model(run_eagerly=True), recipe.game.players
    x = keras.Input((8, 8, 1))
    judge = keras.Model(x, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    kernel = 0.2 * random(64, 1, seed=5)
    judge.set_weights([kernel, np.array([0.3])])
    model._players["discriminator"] = judge
    z, z2, cut = random(4, 8), random(4, 8, seed=1), np.array([1, 2, 3, 4], "int32")
    noise = random(4, nets["generator"].input["noise"].shape[1], seed=2)
    for v in nets["generator"].trainable_variables:
        if "strength" in v.path:
            v.assign(np.full(v.shape, 0.5))
    real = random(4, 8, 8, 1, seed=3)
    draws = {"z": z, "z2": z2, "cut": cut, "noise": noise}
    found = evaluated(model, {"x": real, **draws})
    first, second = (numbers(nets["mapping"](latent)) for latent in (z, z2))
    w = np.stack([[first[i] if k < cut[i] else second[i] for k in range(4)] for i in range(4)])
    fake = numbers(nets["generator"]({"w": w, "noise": noise}, training=False))
    r, f = (a.reshape(4, -1).astype("float64") @ kernel[:, 0] + 0.3 for a in (real, fake))
    assert found == pytest.approx(
        {
            "discriminator/adv": softplus(-r).mean() + softplus(f).mean(),
            "discriminator/r1": 0.5 * np.sum(kernel.astype("float64") ** 2),
            "discriminator/real": r.mean(),
            "discriminator/fake": f.mean(),
            "generator/adv": softplus(-f).mean(),
        },
        rel=1e-4,
    )
    assert recipe.game.turns[0].weights == {"r1": 10.0}


def test_the_mean_style_follows_training_alone():
    model = load_game("stylegan")("tiny", SHAPE).model(run_eagerly=True)
    mean, z = model.memory("styles").mean, random(4, 8)
    w = numbers(model.game.players["mapping"](z)).mean(axis=0)
    evaluated(model, batch_of("stylegan"))
    assert not numbers(mean.value).any()
    model.train_on_batch({**batch_of("stylegan"), "z": z})
    np.testing.assert_allclose(numbers(mean.value), w, rtol=1e-4, atol=1e-6)


def test_a_style_critic_may_have_a_rate_of_its_own_and_rates_may_fall():
    adam = load_game("stylegan")("tiny", SHAPE, critic_rate=(1e-4, 1e-5, 1000)).optimizers
    assert float(adam["generator"].learning_rate) == pytest.approx(1e-3)
    falling = adam["discriminator"]._learning_rate
    at = [float(falling.at(np.float32(n))) for n in (0, 1000, 2000)]
    np.testing.assert_allclose(at, [1e-4, 1e-5, 1e-5], rtol=1e-5)
    assert len(load_game("stylegan")("small", SHAPE).model().sample(2)) == 2
