"""The adversarial stage: who moves when, what it cannot do, and that the parts fit together."""

import keras
import numpy as np
import pytest
from gantools.apps.superres.training import stages
from gantools.apps.superres.training import train as training
from gantools.apps.superres.training.patches import Patches, shuffle
from gantools.apps.superres.training.train import Settings

from gantools.core.testing import check_turns, same_state
from gantools.data.resample import resize
from gantools.gans.likeness import flatness
from gantools.nets import pixelwise, plans
from gantools.nets.superres import build, get_weights_by_name

PLAN = plans.fast(4, width=8, blocks=1)


@pytest.fixture
def small(monkeypatch):
    """Make discriminators small and patches 48 pixels wide."""
    monkeypatch.setattr(stages, "HIGH", 48)
    monkeypatch.setattr(training, "HIGH", 48)
    monkeypatch.setattr(training, "discriminator", tiny)


def tiny(scale, seed=0):
    return stages.discriminator(scale, seed, width=4)


@pytest.fixture
def stream(picture):
    return Patches([("a", picture(96, 96))], 4, 2, 12, 0, "photo").with_high()


def make(steps=20, net=None):
    net = net or build(PLAN, seed=1)
    return training._gan_model(Settings("x", batch=2), steps, net)


def numbers(player):
    return [keras.ops.convert_to_numpy(v).copy() for v in player.trainable_variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def test_each_turn_moves_its_player_and_the_generator_waits(small, stream):
    model = make(steps=20)  # of which two are the discriminator's alone
    net, critic = (model.game.players[name] for name in ("generator", "discriminator"))
    start, averaged = (
        numbers(net),
        [keras.ops.convert_to_numpy(v).copy() for v in model.averaged["discriminator"].weights],
    )
    before = numbers(critic)
    model.fit(stream, steps_per_epoch=2, epochs=1, verbose=0)
    assert same(start, numbers(net))
    assert not same(before, numbers(critic))
    later = [keras.ops.convert_to_numpy(v) for v in model.averaged["discriminator"].weights]
    assert not same(averaged, later)  # the averaged critic follows
    assert not same(
        [keras.ops.convert_to_numpy(v) for v in critic.weights], later
    )  # but is another one
    model.fit(stream, steps_per_epoch=3, epochs=1, verbose=0)
    assert not same(start, numbers(net))


def test_the_first_stage_minimises_what_it_is_told(stream):
    """The zero network's residual is 0, so that the losses are known functions of the target."""
    wanted = stream.at(0)["residual"]
    expected = {"l1": np.mean(np.abs(wanted)), "l2": 10 * np.mean(np.square(wanted))}
    for loss, value in expected.items():
        model = training._fidelity_model(Settings("x", batch=2, loss=loss), 20, build(PLAN))
        logs = model.fit(stream, steps_per_epoch=1, epochs=1, verbose=0).history
        assert logs[f"generator/{loss}"] == [pytest.approx(value, rel=1e-5)]


def test_terms_are_finite_and_their_own(small, stream):
    model = make(steps=1)
    model.fit(stream, steps_per_epoch=3, epochs=1, verbose=0)  # until both rates are above 0
    logs = check_turns(model, {k: np.asarray(v) for k, v in stream.at(9).items()})
    weights = model.game.turns[1].weights
    names = {
        f"generator/{n}" for n in ("l1", "adv", "matching", "artifacts", "consistency", "flat")
    }
    assert names | {"discriminator/adv"} <= set(logs)
    assert weights == {
        "adv": 0.02,
        "matching": 0.2,
        "artifacts": 50.0,
        "consistency": 4.0,
        "flat": 2.0,
    }
    assert logs["discriminator/adv"] == pytest.approx(2 * np.log(2), abs=0.3)


def test_consistency_and_flatness_weigh_the_error_they_name(small, stream):
    """The zero network leaves the whole residual as its error."""
    batch = {k: np.asarray(v) for k, v in stream.at(0).items()}
    logs = make().fit(stream, steps_per_epoch=1, epochs=1, verbose=0).history
    wrong = [shuffle(one, 4) for one in batch["residual"]]
    expected = np.mean([np.abs(resize(w, 1 / 4)).mean() for w in wrong])
    assert logs["generator/consistency"] == [pytest.approx(expected, rel=1e-3)]
    level, sharp = stages.FLAT, batch["high"].astype("float32") / 255
    where = keras.ops.convert_to_numpy(flatness(sharp, level))
    expected = np.mean(where * np.abs(wrong))
    assert logs["generator/flat"] == [pytest.approx(expected, rel=1e-3)]


def test_the_adversarial_and_matching_terms_cannot_change_the_mean_colour(small, stream):
    model = make()
    batch = {k: np.asarray(v) for k, v in stream.at(0).items()}
    batch["high"] = batch["high"].astype("float32") / 127.5 - 1
    shift = np.array([0.3, -0.2, 0.1], "float32")
    critic = model.game.players["discriminator"]
    one, other = critic(batch["high"]), critic(batch["high"] + shift)
    for a, b in zip(keras.tree.flatten(one), keras.tree.flatten(other), strict=True):
        np.testing.assert_allclose(*map(keras.ops.convert_to_numpy, (a, b)), atol=1e-5)


def test_samples_are_bicubic_before_training(small, stream):
    model, low = make(), stream.at(0)["low"].astype("float32") / 127.5 - 1
    expected = np.clip(np.stack([resize(picture, 4) for picture in low]), -1, 1)
    np.testing.assert_allclose(model.sample(2, low=low), expected, atol=1e-5)
    assert model.sample(3).shape == (3, 48, 48, 3)


def test_a_resumed_stage_goes_on_bit_for_bit_on_damaged_patches(small, stream, tmp_path):
    whole = make()
    whole.fit(stream, steps_per_epoch=3, epochs=1, verbose=0)
    whole.save(tmp_path)
    whole.fit(stream, steps_per_epoch=3, epochs=1, verbose=0)
    second = make()
    second.restore(tmp_path)
    second.fit(stream, steps_per_epoch=3, epochs=1, verbose=0)
    assert same_state(whole, second)


def test_any_critic_with_scores_and_features_fits(small, stream):
    critic = pixelwise.critic((48, 48, 3), width=4, levels=1, cell=1)
    game = stages.adversarial(build(PLAN), critic, 4, stages.Weights(1.0, 2.0, 3.0))
    assert game.turns[1].weights["matching"] == 2.0
    assert get_weights_by_name(game.players["generator"])
