"""How a cycle runs, what `fit` and `evaluate` do, and what is refused."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import (
    AdversarialModel,
    Cosine,
    Ema,
    Game,
    Stream,
    Turn,
    duel,
    in_order,
    labels,
    normal,
    parallel,
    uniform,
)
from gantools.core.testing import check_game, check_turns, same_state
from gantools.errors import UserError

from .games import critic, generator, numbered, points, wgan_gp

pytestmark = pytest.mark.backends


def adams(*names):
    return {name: keras.optimizers.Adam(1e-3) for name in names}


def plain(**options):
    model = AdversarialModel(duel(numbered(generator(), 1), numbered(critic(), 2), **options))
    model.compile(adams("discriminator", "generator"))
    return model


def test_the_contract_holds():
    check_game(wgan_gp, points(), batch=8, sample_shape=(2,))


def test_fit_logs_every_term_and_counts_images():
    model = wgan_gp()
    history = model.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=3, verbose=0).history
    named = {"discriminator/" + n for n in ("adv", "gp", "real", "fake")} | {"generator/adv"}
    assert set(history) == named
    assert (int(model.cycle), int(model.images)) == (3, 24)
    assert int(model.optimizer.parts["discriminator"].iterations) == 9


def test_each_update_of_a_cycle_sees_its_own_minibatch():
    seen = []

    def terms(model, batch, draw):
        seen.append(ops.convert_to_numpy(batch["x"]).copy())
        return {"adv": ops.mean(model.player("net")(batch["x"]) ** 2)}

    net = numbered(critic(), 1)
    model = AdversarialModel(Game({"net": net}, (Turn("net", ("net",), terms, repeats=3),)))
    model.compile(adams("net"), run_eagerly=True)
    stream = Stream(points(), 4, minibatches=3)
    if keras.backend.backend() == "jax":
        pytest.skip("values are abstract inside JAX's value_and_grad")
    model.train_step(keras.tree.map_structure(ops.convert_to_tensor, (stream.at(0),)))
    for i in range(3):
        np.testing.assert_array_equal(seen[i], stream.at(0)["minibatches"]["x"][:, i])


def test_a_stream_without_a_number_has_a_minibatch_for_every_update_of_a_turn_that_repeats():
    """Algorithm 1: k updates on fresh minibatches. Where nothing repeats, both turns share one."""
    runs = []
    for stream in (Stream(points(), 8), Stream(points(), 8, minibatches=4)):
        model = wgan_gp()
        model.fit(stream, steps_per_epoch=3, verbose=0)
        runs.append(model)
    assert same_state(*runs)
    one = wgan_gp()
    one.fit(Stream(points(), 8, minibatches=1), steps_per_epoch=3, verbose=0)
    assert not same_state(one, runs[0])
    pair = [plain(), plain()]
    for model, number in zip(pair, (None, 1), strict=True):
        model.fit(Stream(points(), 8, minibatches=number), steps_per_epoch=3, verbose=0)
    assert same_state(*pair)


def test_evaluate_changes_nothing_and_leaves_the_model_usable():
    model, twin = wgan_gp(), wgan_gp()
    stream = Stream(points(), 8, minibatches=4)
    for m in (model, twin):
        m.fit(stream, steps_per_epoch=2, verbose=0)
    scores = model.evaluate(points(), batch_size=64, verbose=0, return_dict=True)
    assert np.isfinite(scores["discriminator/gp"])
    for m in (model, twin):
        m.fit(stream, steps_per_epoch=2, verbose=0)
    np.testing.assert_array_equal(model.sample(4), twin.sample(4))


def test_a_turn_can_pause():
    model = plain()
    slow = Game(
        model.game.players,
        (
            model.game.turns[0],
            Turn("generator", ("generator",), model.game.turns[1].terms, every=2),
        ),
        {"z": normal(4)},
    )
    model = AdversarialModel(slow)
    model.compile(adams("discriminator", "generator"))
    states = [model.player("generator").func.get_weights()[0].copy()]
    for _ in range(3):
        model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)
        states.append(model.player("generator").func.get_weights()[0].copy())
    moved = [not np.array_equal(a, b) for a, b in zip(states, states[1:], strict=False)]
    assert moved == [True, False, True]
    assert int(model.optimizer.parts["generator"].iterations) == 2


def test_clipping_bounds_the_critic_alone():
    model = plain(objective="wasserstein", clip=0.01)
    model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)
    largest = {
        n: max(np.abs(w).max() for w in p.get_weights()) for n, p in model.game.players.items()
    }
    assert largest["discriminator"] <= np.float32(0.01)
    assert largest["generator"] > 0.5


def test_layers_that_two_players_of_a_turn_share_move_once():
    shared = layers.Dense(1, use_bias=False, kernel_initializer="ones")
    inputs = [keras.Input((1,)) for _ in range(2)]
    nets = {name: keras.Model(x, shared(x)) for name, x in zip("ab", inputs, strict=True)}

    def terms(model, batch, draw):
        return {name: ops.mean(model.player(name)(batch["x"])) for name in nets}

    for options in ({}, {"every": 2}):
        shared.set_weights([np.ones((1, 1))])
        model = AdversarialModel(Game(nets, (Turn("both", ("a", "b"), terms, **options),)))
        model.compile({"both": keras.optimizers.SGD(0.1)})
        model.train_on_batch(np.ones((4, 1), "float32"))
        assert shared.get_weights()[0].item() == pytest.approx(1.0 - 0.1 * 2.0)  # a slope of 2


def test_learning_rates_count_images_and_reach_each_player():
    model = plain(repeats=1)
    rate = keras.optimizers.SGD(Cosine(1.0, 0.0, images=16))
    model.compile({"discriminator": rate, "generator": keras.optimizers.SGD(0.5)})
    model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)
    assert float(ops.convert_to_numpy(rate.learning_rate)) == pytest.approx(0.5, abs=1e-6)
    assert float(ops.convert_to_numpy(model.optimizer.parts["generator"].learning_rate)) == 0.5


def test_a_schedule_may_serve_several_models():
    rate, seen = Cosine(1.0, 0.0, images=16), []
    models = [plain(), plain()]
    for model in models:
        model.compile({t.name: keras.optimizers.SGD(rate) for t in model.game.turns})
    models[0].fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)
    for model in models:
        parts = model.optimizer.parts.values()
        seen.append([float(ops.convert_to_numpy(part.learning_rate)) for part in parts])
    np.testing.assert_allclose(seen, [[0.5, 0.5], [1.0, 1.0]], atol=1e-6)
    with pytest.raises(ValueError, match="AdversarialModel"):
        rate(0)  # the schedule itself is bound to none


def test_the_average_follows_the_player():
    model = wgan_gp()
    start = [w.copy() for w in model.averaged["generator"].get_weights()]
    model.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=1, verbose=0)
    decay = 0.5 ** (8 / (0.05 * 8))
    now = model.player("generator").func
    for old, average, new, v in zip(
        start,
        model.averaged["generator"].get_weights(),
        now.get_weights(),
        now.weights,
        strict=True,
    ):
        expected = new + decay * (old - new) if v.trainable else new
        np.testing.assert_allclose(average, expected, rtol=1e-5, atol=1e-6)


def test_uint8_is_scaled_inside_the_step():
    x = np.array([[0, 255], [51, 102]], "uint8")
    seen = []

    def terms(model, batch, draw):
        seen.append(batch["x"].dtype)
        return {"adv": ops.mean(model.player("net")(batch["x"])) + ops.sum(batch["x"])}

    model = AdversarialModel(Game({"net": numbered(critic(), 1)}, (Turn("net", ("net",), terms),)))
    model.compile(adams("net"))
    value = model.evaluate(x, batch_size=2, verbose=0, return_dict=True)["net/adv"]
    net = model.player("net").func
    scaled = x / 127.5 - 1
    assert value == pytest.approx(
        float(net.predict_on_batch(scaled).mean() + scaled.sum()), abs=1e-5
    )


def test_ordinary_callbacks_run(tmp_path):
    model = wgan_gp()
    callbacks = [
        keras.callbacks.ModelCheckpoint(tmp_path / "x.weights.h5", save_weights_only=True),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
    ]
    model.fit(
        Stream(points(), 8, minibatches=4),
        steps_per_epoch=2,
        epochs=2,
        verbose=0,
        callbacks=callbacks,
    )
    assert (tmp_path / "x.weights.h5").exists()
    assert len((tmp_path / "log.csv").read_text().splitlines()) == 3


def echo(**options):
    """Return a model whose samples are its draws: latents, classes and pictures in one row."""

    def show(model, draw):
        row = [draw["z"], ops.cast(draw["y"], "float32")[:, None]]
        return ops.concatenate([*row, ops.reshape(draw["low"], (-1, 12))], axis=1)

    turn = Turn("net", ("net",), lambda model, batch, draw: {"adv": ops.mean(batch["x"])})
    draws = {"z": normal(3), "y": labels(4), "low": uniform(2, 2, 3)}
    return AdversarialModel(Game({"net": critic()}, (turn,), draws, sample=show, **options))


@pytest.mark.parametrize("n", [10, 64, 150])
def test_samples_do_not_depend_on_how_many_are_made_at_once(n):
    for model in (echo(), echo(arranged={"y": in_order(4)})):
        at_64 = model.sample(n, seed=3)
        for batch in (3, 64, 70, 1000):
            np.testing.assert_array_equal(model.sample(n, seed=3, batch=batch), at_64)
        assert len(np.unique(at_64[:, 0])) == n
        given = model.sample(n, seed=3, batch=7, y=2)  # and the others are what they were
        assert (given[:, 3] == 2).all()
        np.testing.assert_array_equal(np.delete(given, 3, axis=1), np.delete(at_64, 3, axis=1))
    made = plain()
    np.testing.assert_allclose(made.sample(n, batch=3), made.sample(n), atol=1e-6)


def test_samples_of_a_game_that_asks_for_players_change_nothing():
    """They once ran in training mode: batch statistics and the seeds of dropout moved."""
    net = numbered(generator(dropout=0.5), 1)
    turn = Turn("net", ("net",), lambda model, batch, draw: {"adv": ops.mean(batch["x"])})
    modes = []

    def make(model, draw):
        modes.append(model.learning)
        return model.player("net")(draw["z"])

    model = AdversarialModel(Game({"net": net}, (turn,), {"z": normal(4)}, sample=make))
    state = [ops.convert_to_numpy(v.value).copy() for v in net.variables]
    first = model.sample(10, seed=3)
    np.testing.assert_array_equal(model.sample(10, seed=3), first)
    np.testing.assert_allclose(model.sample(10, seed=3, batch=4), first, atol=1e-6)
    for v, before in zip(net.variables, state, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(v.value), before)
    assert not any(modes)
    assert model.learning


def test_more_samples_begin_with_the_same_ones():
    longer = echo().sample(150, seed=3, batch=50)
    for n in (64, 128):
        np.testing.assert_array_equal(echo().sample(n, seed=3, batch=50), longer[:n])


def test_the_first_samples_are_what_the_sampler_draws_first():
    drawn = uniform(2, 2, 3)(64, parallel.SeedGenerator(3 + 2), {})  # the third sampler's seed
    found = echo().sample(100, seed=3, batch=40)[:64, 4:]
    np.testing.assert_array_equal(found, ops.convert_to_numpy(drawn).reshape(64, 12))


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no such loop on PyTorch")
def test_steps_per_execution_gives_the_same_run():
    one, three = wgan_gp(), wgan_gp(steps_per_execution=3)
    for m in (one, three):
        m.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=6, verbose=0)
    np.testing.assert_allclose(one.sample(4), three.sample(4), atol=1e-6)


@pytest.mark.skipif(keras.backend.backend() != "torch", reason="works elsewhere")
def test_steps_per_execution_is_refused_on_torch():
    with pytest.raises(UserError, match="steps_per_execution must be 1"):
        wgan_gp(steps_per_execution=2)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="only TensorFlow's replicas")
def test_steps_per_execution_is_refused_on_several_devices(monkeypatch):
    monkeypatch.setattr(parallel, "replicas", lambda: 2)
    wgan_gp()
    with pytest.raises(UserError, match="must be 1 on several devices by TensorFlow"):
        wgan_gp(steps_per_execution=2)


def test_mixed_bfloat16_keeps_losses_in_float32():
    policy = keras.dtype_policies.DTypePolicy("mixed_bfloat16")
    inputs = keras.Input((2,))
    x = layers.Dense(16, "relu", dtype=policy)(inputs)
    mixed = keras.Model(inputs, layers.Dense(1, dtype="float32")(x))
    model = AdversarialModel(duel(numbered(generator(), 1), mixed))
    model.compile(adams("discriminator", "generator"))
    history = model.fit(Stream(points(), 8), steps_per_epoch=2, verbose=0).history
    assert np.isfinite(history["discriminator/adv"][-1])
    assert model.player("discriminator").func.weights[0].dtype == "float32"


def unused(model, batch, draw):
    return {"adv": ops.mean(model.player("discriminator")(batch["x"]))}


@pytest.mark.skipif(keras.backend.backend() == "jax", reason="JAX gives zeros instead of None")
def test_a_player_that_no_term_uses_is_named():
    game = Game(
        {"generator": numbered(generator(), 1), "discriminator": numbered(critic(), 2)},
        (Turn("generator", ("generator",), unused),),
    )
    model = AdversarialModel(game)
    model.compile(adams("generator"))
    with pytest.raises(UserError, match="terms do not depend on them"):
        model.fit(points(), batch_size=8, verbose=0)


@pytest.mark.parametrize(
    ("optimizers", "message"),
    [
        ({"generator": "one"}, "one optimizer for each turn"),
        ({"generator": "same", "discriminator": "same"}, "share one optimizer"),
        ({"generator": "one", "discriminator": "ema"}, "use_ema"),
        ({"generator": "one", "discriminator": "keras schedule"}, "counts updates"),
        ({"generator": "one", "discriminator": "scaled"}, "Adam scales losses"),
        ({"generator": "one", "discriminator": "scaling"}, "LossScaleOptimizer scales losses"),
    ],
)
def test_optimizers_are_checked(optimizers, message):
    decay = keras.optimizers.schedules.ExponentialDecay(1e-3, 10, 0.5)
    same = keras.optimizers.Adam(1e-3)
    made = {
        "one": keras.optimizers.Adam(1e-3),
        "same": same,
        "ema": keras.optimizers.Adam(1e-3, use_ema=True),
        "keras schedule": keras.optimizers.Adam(decay),
        "scaled": keras.optimizers.Adam(1e-3, loss_scale_factor=1024.0),
        "scaling": keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3)),
    }
    model = AdversarialModel(duel(generator(), critic(), repeats=5))
    with pytest.raises(UserError, match=message):
        model.compile({turn: made[kind] for turn, kind in optimizers.items()})


def test_keras_rate_callbacks_get_a_clear_error():
    model = plain()
    with pytest.raises(UserError, match="schedule of gantools.core"):
        model.fit(
            Stream(points(), 8),
            steps_per_epoch=1,
            verbose=0,
            callbacks=[keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)],
        )


def test_float16_is_refused():
    half = keras.Sequential([keras.Input((2,)), layers.Dense(1, dtype="mixed_float16")])
    model = AdversarialModel(duel(generator(), half))
    with pytest.raises(UserError, match="float16"):
        model.compile(adams("discriminator", "generator"))


def test_unknown_players_are_named():
    with pytest.raises(UserError, match=r"\['critic'\]"):
        Game({"net": critic()}, (Turn("net", ("critic",), unused),))
    with pytest.raises(UserError, match="repeats must be >= 1"):
        Turn("net", ("net",), unused, repeats=0)


def test_half_lives():
    for half_life, batch, expected in ((500e3, 64, 0.9999112811), (10e3, 256, 0.9824119399)):
        assert float(Ema(half_life, None).decay(batch, 1e6)) == pytest.approx(expected, abs=1e-6)
    assert float(Ema(0, None).decay(64, 1e6)) == 0.0
    assert float(Ema(1e9, 0.05).decay(32, 200e3)) == pytest.approx(0.9977843871, abs=1e-6)


def test_check_turns_finds_a_turn_that_moves_nothing():
    model = plain()
    model.optimizer.parts["generator"].learning_rate = 0.0
    with pytest.raises(AssertionError, match="Turn generator moved"):
        check_turns(model, {"x": points(8)})


def test_a_game_is_no_keras_file(tmp_path):
    with pytest.raises(UserError, match="is saved into a folder"):
        wgan_gp().save(tmp_path / "run.keras")
