"""The theory of the original paper, checked on the game that plays it."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import R1, AdversarialModel, Game, Stream, Turn, duel, gradients, objective
from gantools.data.synthetic import gauss1d
from gantools.gans.gan import game
from gantools.nets import mlp


def sigmoid(x):
    return 1 / (1 + np.exp(-np.asarray(x, "float64")))


def normal_density(x, mean, sd):
    return np.exp(-0.5 * ((x - mean) / sd) ** 2) / (sd * np.sqrt(2 * np.pi))


def generator_gradients(play, names, z):
    """Return the generator's gradients of both objectives at the same weights and latents."""
    state = [v for player in play.players.values() for v in player.variables]
    moving = play.players["generator"].trainable_variables
    found = []
    for name in names:

        def loss(name=name):
            scores = play.players["discriminator"](play.players["generator"](z))
            return objective(name).generator(None, scores), {}

        _, grads = gradients.value_and_grad(loss, moving, state)
        found.append([ops.convert_to_numpy(g).astype("float64") for g in grads])
    return found


@pytest.mark.backends
def test_saturating_gradient_is_smaller_by_the_odds_of_the_score():
    """At D(G(z)) = 0.001 for all z: gradient ratio sigma(f) / (1 - sigma(f)) = 0.001001."""
    play = game("tiny", (2,)).game
    head = play.players["discriminator"].get_layer("score")
    # A score that depends on the sample, but only by 1e-6 around logit(0.001).
    head.kernel.assign(1e-6 * head.kernel.numpy())
    head.bias.assign([np.log(0.001 / 0.999)])
    z = ops.convert_to_tensor(np.random.default_rng(0).uniform(-1, 1, (32, 8)).astype("float32"))
    minimax, nonsaturating = generator_gradients(play, ("minimax", "nonsaturating"), z)
    norms = [np.sqrt(sum(np.sum(g**2) for g in grads)) for grads in (minimax, nonsaturating)]
    assert norms[0] < 0.01 * norms[1]
    assert norms[0] / norms[1] == pytest.approx(0.001 / 0.999, rel=1e-5)
    for a, b in zip(minimax, nonsaturating, strict=True):  # and the direction is the same
        np.testing.assert_allclose(a / norms[0], b / norms[1], atol=1e-5)


def test_algorithm_1_updates_the_discriminator_k_times_on_fresh_minibatches():
    recipe = game("tiny", (1,), k=3, objective="minimax")
    assert recipe.game.minibatches == 4
    model = recipe.model()
    stream = Stream(gauss1d(256), recipe.batch, minibatches=recipe.game.minibatches)
    model.fit(stream, steps_per_epoch=2, epochs=1, verbose=0)
    parts = model.optimizer.parts
    assert int(parts["discriminator"].iterations) == 6
    assert int(parts["generator"].iterations) == 2


def test_both_objectives_log_the_same_discriminator_and_their_own_generator():
    logs = {}
    for name in ("minimax", "nonsaturating"):
        model = game("tiny", (1,), objective=name).model()
        stream = Stream(gauss1d(64), 8, minibatches=2)
        history = model.fit(stream, steps_per_epoch=1, epochs=1, verbose=0).history
        logs[name] = {key: values[0] for key, values in history.items()}
    first, second = logs["minimax"], logs["nonsaturating"]
    assert first["discriminator/adv"] == second["discriminator/adv"]
    assert first["generator/adv"] < 0 < second["generator/adv"]


def test_paper_networks_are_the_published_ones():
    players = game("paper", (28, 28, 1)).game.players
    assert players["generator"].count_params() == 2_503_984
    assert players["discriminator"].get_layer("hidden1").units == 240 * 5
    kernel = players["discriminator"].get_layer("hidden0").kernel.numpy()
    assert np.abs(kernel).max() == pytest.approx(0.005, rel=0.01)


def only_the_discriminator_learns(net, other):
    """Return the game of a discriminator against a fixed distribution."""

    def terms(model, batch, draw):
        r = model.player("discriminator")(batch["x"])
        return {
            "adv": objective("minimax").discriminator(r, model.player("discriminator")(other(draw)))
        }

    sampler = {"z": lambda size, seed, batch: keras.random.normal((size, 1), seed=seed)}
    turn = Turn("discriminator", ("discriminator",), terms)
    return AdversarialModel(Game({"discriminator": net}, (turn,), sampler), seed=0)


def test_trained_alone_the_discriminator_becomes_the_ratio_of_densities():
    """D* = p / (p + q) and V(D*) = -log 4 + 2 JSD(p, q), p = N(0, 1), q = N(1, 1.5^2)."""
    net = mlp.discriminator((1,), widths=(64, 64), seed=0)
    model = only_the_discriminator_learns(net, lambda draw: 1.0 + 1.5 * draw["z"])
    steps = 2000
    rate = keras.optimizers.schedules.CosineDecay(3e-3, steps)
    model.compile({"discriminator": keras.optimizers.Adam(rate)})
    model.fit(Stream(gauss1d(200_000), 1024), steps_per_epoch=steps, epochs=1, verbose=0)

    x = np.linspace(-8, 10, 4001)
    p, q, dx = normal_density(x, 0, 1), normal_density(x, 1, 1.5), x[1] - x[0]
    scores = net.predict(x[:, None].astype("float32"), batch_size=4001, verbose=0)[:, 0]
    found, best = sigmoid(scores), p / (p + q)
    weight = (p + q) / 2
    gap = np.sum(weight * np.abs(found - best)) * dx
    assert gap <= 0.02

    middle = (p + q) / 2
    divergence = 0.5 * np.sum(p * np.log(p / middle) + q * np.log(q / middle)) * dx
    value = np.sum(p * np.log(found) + q * np.log(1 - found)) * dx
    bound = -np.log(4) + 2 * divergence
    print(f"[D = 1/2, A] gap to D* {gap:.4f}, V {value:.5f}, by quadrature {bound:.5f}")
    assert value == pytest.approx(bound, abs=0.01)


def test_at_the_end_of_the_game_nobody_can_tell():
    """G learns N(0, 1): D says 1/2 on both sides and the samples have the right distribution."""
    play = duel(
        mlp.generator((1,), latent=4, widths=(32, 32), seed=0),
        mlp.discriminator((1,), widths=(32, 32), seed=0),
        objective="nonsaturating",
        penalties=(R1(0.1),),
    )
    model = AdversarialModel(play, seed=0)
    steps = 4000
    adam = lambda: keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(1e-3, steps), beta_1=0.0, beta_2=0.99
    )
    model.compile({"discriminator": adam(), "generator": adam()})
    stream = Stream(gauss1d(100_000), 256, minibatches=2)
    model.fit(stream, steps_per_epoch=steps, epochs=1, verbose=0)

    fake, real = np.sort(model.sample(10_000, batch=10_000)[:, 0]), gauss1d(10_000, seed=1)
    net = play.players["discriminator"]
    for points in (fake[:, None], real):
        belief = sigmoid(net.predict(points, batch_size=10_000, verbose=0)).mean()
        print(f"[D = 1/2, B] mean belief {belief:.5f}")
        assert 0.45 <= belief <= 0.55
    grid = np.linspace(-6, 6, 100_001)
    cumulative = np.cumsum(normal_density(grid, 0, 1)) * (grid[1] - grid[0])
    expected = np.interp(fake, grid, cumulative)
    places = np.arange(1, 10_001) / 10_000
    distance = max(np.abs(places - expected).max(), np.abs(places - 1e-4 - expected).max())
    print(f"[D = 1/2, B] Kolmogorov-Smirnov distance {distance:.4f}")
    assert distance <= 0.05
