"""SRGAN and ESRGAN: what they minimise, and how the discriminator waits for the generator."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import Stream
from gantools.core.testing import check_resume
from gantools.errors import UserError
from gantools.gans.enlarging import generator_weights
from gantools.registry import load_game

SHAPE, BATCH = (16, 16, 3), 4


def pictures(n=BATCH, side=16, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (n, side, side, 3)).astype("float32")


def numbers(x):
    return ops.convert_to_numpy(x).astype("float64")


def sp(x):
    return np.logaddexp(0, x)


def weights_of(player):
    return [numbers(v.value) for v in player.trainable_variables]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_sides_that_the_scale_does_not_divide(name):
    with pytest.raises(UserError, match=r"multiples of scale=4. .*18x16. Give such a --resolution"):
        load_game(name)("tiny", (18, 16, 3))


def test_weights_are_those_of_the_terms_that_there_are():
    settings = {"adversarial": 1e-3, "matching": 0.1, "pretrain": 10, "vgg": None}
    weights = generator_weights(settings, vgg=0.006, pixels=0.5)
    assert {name: (w.start, w.end) for name, w in weights.items()} == {
        "adv": (0.0, 1e-3), "matching": (0.0, 0.1), "pixels": (1.0, 1.0),
    }  # fmt: skip
    weights = generator_weights({**settings, "vgg": "path"}, vgg=0.006, pixels=0.5)
    assert {name: (w.start, w.end) for name, w in weights.items()} == {
        "adv": (0.0, 1e-3), "vgg": (0.0, 0.006), "pixels": (1.0, 0.5),
    }  # fmt: skip


def srgan(r, f):
    return np.mean(sp(-r)) + np.mean(sp(f)), np.mean(sp(-f))


def esrgan(r, f):
    of_real, of_fake = r - f.mean(), f - r.mean()
    critic = np.mean(sp(-of_real)) + np.mean(sp(of_fake))
    return critic, np.mean(sp(-of_fake)) + np.mean(sp(of_real))


@pytest.mark.backends
@pytest.mark.parametrize(("name", "formula"), [("srgan", srgan), ("esrgan", esrgan)])
def test_terms_are_the_formula(name, formula):
    model = load_game(name)("tiny", SHAPE).model(run_eagerly=True)
    nets, x, low = model.game.players, pictures(), 0.2 * pictures(side=4, seed=1)
    for v in nets["discriminator"].trainable_variables:
        v.assign(20.0 * v.value if len(v.shape) > 1 else v.value)  # else all scores are nearly 0
    found = model.evaluate({"x": x, "low": low}, batch_size=BATCH, verbose=0, return_dict=True)
    fake = nets["generator"](low, training=False)
    (r, wanted), (f, made) = (nets["discriminator"](a, training=False) for a in (x, fake))
    critic, adv = formula(numbers(r), numbers(f))
    assert abs(numbers(r).mean() - numbers(f).mean()) > 0.1
    gap = lambda a, b: np.mean(np.abs(numbers(a) - numbers(b)))
    expected = {
        "discriminator/adv": critic,
        "discriminator/real": numbers(r).mean(),
        "discriminator/fake": numbers(f).mean(),
        "generator/adv": adv,
        "generator/pixels": gap(fake, x),
        "generator/matching": np.mean([gap(a, b) for a, b in zip(made, wanted, strict=True)]),
    }
    assert found == pytest.approx(expected, rel=1e-4)


@pytest.mark.backends
@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_features_of_vgg_take_the_place_of_the_discriminators(name, monkeypatch):
    x = keras.Input((None, None, 3))
    vgg = keras.Model(x, keras.layers.Conv2D(2, 3, kernel_initializer="ones")(x))
    vgg.trainable = False
    monkeypatch.setattr("gantools.nets.srgan.vgg_features", lambda *_, **__: vgg)
    model = load_game(name)("tiny", SHAPE, vgg="path", pretrain=4).model(run_eagerly=True)
    x, low = pictures(), pictures(side=4, seed=1)
    found = model.evaluate({"x": x, "low": low}, batch_size=BATCH, verbose=0, return_dict=True)
    fake = model.game.players["generator"](low, training=False)
    apart = numbers(vgg(x)) - numbers(vgg(fake))
    expected = np.mean(apart**2) if name == "srgan" else np.mean(np.abs(apart))
    assert found["generator/vgg"] == pytest.approx(expected, rel=1e-4)
    assert "generator/matching" not in found
    logs = model.train_on_batch({"x": x, "low": low}, return_dict=True)
    assert float(logs["generator/vgg"]) == 0.0  # the pixels alone
    logs = model.train_on_batch({"x": x, "low": low}, return_dict=True)
    assert float(logs["generator/vgg"]) > 0.0


@pytest.mark.backends
@pytest.mark.parametrize(("name", "eagerly"), [("srgan", False), ("esrgan", True)])
def test_discriminator_waits_until_the_generator_has_learnt_alone(name, eagerly):
    model = load_game(name)("tiny", SHAPE, pretrain=2 * BATCH).model(run_eagerly=eagerly)
    judge, optimizer = model.game.players["discriminator"], model.optimizer.parts["discriminator"]
    start = [numbers(v.value) for v in judge.variables]
    before = weights_of(judge)
    for cycle in range(1, 5):
        made = weights_of(model.game.players["generator"])
        logs = model.train_on_batch({"x": pictures(seed=cycle)}, return_dict=True)
        waits = cycle <= 2
        assert not same(made, weights_of(model.game.players["generator"]))
        assert same(before, weights_of(judge)) == waits
        assert int(ops.convert_to_numpy(optimizer.iterations.value)) == max(0, cycle - 2)
        assert float(logs["discriminator/played"]) == 1 - waits
        assert (float(logs["generator/adv"]) == 0) == waits
        if waits:  # the batch statistics as well
            assert same(start, [numbers(v.value) for v in judge.variables])
        if cycle == 3:  # as Adam's first update: the waiting is no update
            moved = zip(before, weights_of(judge), strict=True)
            rate = float(ops.convert_to_numpy(optimizer.learning_rate))
            assert max(np.abs(a - b).max() for a, b in moved) == pytest.approx(rate, rel=0.02)
        before = weights_of(judge)
    statistics = [numbers(v.value) for v in judge.non_trainable_variables]
    assert not any(np.array_equal(a, np.zeros_like(a)) for a in statistics)


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX traces what it does not run")
@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_waiting_costs_no_pass_through_the_discriminator(name, monkeypatch):
    model = load_game(name)("tiny", SHAPE, pretrain=BATCH).model(run_eagerly=True)
    player, called = model.player, []
    monkeypatch.setattr(model, "player", lambda name: called.append(name) or player(name))
    model.train_on_batch({"x": pictures()})
    assert called == ["generator"]
    model.train_on_batch({"x": pictures()})
    assert called.count("discriminator") == 4


def test_without_a_beginning_nothing_waits():
    model = load_game("srgan")("tiny", SHAPE, pretrain=0).model(run_eagerly=True)
    assert model.game.turns[0].when is None
    logs = model.train_on_batch({"x": pictures()}, return_dict=True)
    assert not {"discriminator/played", "discriminator/begun"} & set(logs)


@pytest.mark.backends
def test_a_run_goes_on_exactly_where_the_discriminator_begins():
    make = lambda: load_game("srgan")("tiny", SHAPE, pretrain=2 * BATCH).model(seed=1)
    check_resume(make, Stream(pictures(32), BATCH), 4)
