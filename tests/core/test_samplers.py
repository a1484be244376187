"""Draws of classes, and what `sample` does with them."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import (
    R1,
    AdversarialModel,
    Game,
    Stream,
    Turn,
    duel,
    in_order,
    labels,
    normal,
    parallel,
)
from gantools.core.samplers import categories
from gantools.data.synthetic import RING_RADIUS, ring_centres
from gantools.errors import UserError
from gantools.nets import conditional, mlp

pytestmark = pytest.mark.backends


def test_categories_are_even():
    drawn = ops.convert_to_numpy(categories(5)(10_000, keras.random.SeedGenerator(3), {}))
    assert drawn.dtype == np.int32
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 10_000, 0.2, atol=0.02)


def test_labels_must_come_with_the_batch():
    draw, seed = labels(5), keras.random.SeedGenerator(0)
    assert tuple(draw(3, seed, {}).shape) == (3,)
    with pytest.raises(UserError, match="batch with 'y', integers from 0 to 4. Received: x."):
        draw(3, seed, {"x": np.zeros((3, 2))})


def test_neighbouring_seeds_have_draws_of_their_own(monkeypatch):
    """Keras on PyTorch seeds with seed + count: draw c of seed s was draw c + 1 of seed s - 1."""
    drawn = []
    for replica in (0, 1):
        monkeypatch.setattr(parallel, "_replica", lambda: replica)
        for seed in range(4):
            source = parallel.SeedGenerator(seed)
            drawn += [ops.convert_to_numpy(normal(4)(2, source, {})) for _ in range(8)]
            assert ops.convert_to_numpy(source.state.value).tolist() == [seed, 8]
    drawn = np.stack(drawn).reshape(len(drawn), -1)
    assert len(np.unique(drawn.round(5), axis=0)) == len(drawn)
    again = ops.convert_to_numpy(normal(4)(2, parallel.SeedGenerator(3), {}))
    np.testing.assert_array_equal(again.ravel(), drawn[-8])  # the same seed, the same draws


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="there they are hashed")
def test_seeds_are_those_of_keras():
    ours, theirs = parallel.SeedGenerator(5), keras.random.SeedGenerator(5)
    for _ in range(3):
        a, b = (ops.convert_to_numpy(normal(2)(3, source, {})) for source in (ours, theirs))
        np.testing.assert_array_equal(a, b)


def test_the_second_batch_of_samples_is_not_the_first_of_the_next_seed():
    model = echo()
    drawn = model.sample(128, seed=0, y=0)[:, 0]
    assert not np.isin(model.sample(64, seed=1, y=0)[:, 0], drawn).any()
    assert len(np.unique(drawn)) == 128


@pytest.mark.parametrize("n", [9, 100, 3, 1])
def test_classes_in_order(n):
    y = in_order(3)(n)
    assert y.dtype == np.int32
    assert list(y) == sorted(y)
    counts = np.bincount(y, minlength=3)
    assert counts.max() - counts.min() <= 1
    if n == 9:
        assert list(y) == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def echo(**options):
    """Return a model whose samples are its draws: [z, y]."""
    net = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    turn = Turn("net", ("net",), lambda model, batch, draw: {"adv": ops.mean(batch["x"])})
    make = lambda model, draw: ops.stack([draw["z"][:, 0], ops.cast(draw["y"], "float32")], axis=1)
    draws = {"z": normal(1), "y": labels(4)}
    return AdversarialModel(Game({"net": net}, (turn,), draws, sample=make, **options))


def test_sample_takes_what_is_given():
    model = echo()
    free = model.sample(10, seed=1, batch=4)
    asked = model.sample(10, seed=1, batch=4, y=np.arange(10) % 4)
    np.testing.assert_array_equal(asked[:, 1], np.arange(10) % 4)
    np.testing.assert_array_equal(asked[:, 0], free[:, 0])  # the latents are the same
    np.testing.assert_array_equal(model.sample(5, y=3)[:, 1], np.full(5, 3))
    z = np.linspace(0, 1, 6)[:, None]
    np.testing.assert_allclose(model.sample(6, batch=4, z=z)[:, 0], z[:, 0], rtol=1e-6)


def test_sample_arranges_classes_unless_they_are_given():
    model = echo(arranged={"y": in_order(4)})
    np.testing.assert_array_equal(model.sample(16, batch=7)[:, 1], np.repeat(np.arange(4), 4))
    np.testing.assert_array_equal(model.sample(3, y=[2, 0, 1])[:, 1], [2, 0, 1])


def test_sample_refuses_what_it_cannot_use():
    model = echo()
    with pytest.raises(UserError, match="draws z, y. Received: 4 for 'label'"):
        model.sample(4, label=1)
    with pytest.raises(UserError, match="Expected 4 values .* Received: 3 for 'y'"):
        model.sample(4, y=[1, 2, 3])


def told_ring():
    """Return a trained model of 8 Gaussians that is told which one."""
    y = np.random.default_rng(0).integers(0, 8, 20_000)
    x = ring_centres()[y] + np.random.default_rng(1).normal(0, 0.1, (20_000, 2))
    make = lambda latent: mlp.generator((2,), latent=latent, widths=(64,), seed=0)
    critic = conditional.projection(mlp.discriminator((2,), widths=(64, 64), seed=0), 8)
    game = duel(
        conditional.told_generator(make, 8, 0, latent=4),
        critic,
        objective="relativistic",
        penalties=(R1(0.1),),
        latent=normal(4),
        samplers={"y": labels(8)},
        condition="y",
    )
    model = AdversarialModel(game)
    model.compile({t.name: keras.optimizers.Adam(2e-3, 0.0, 0.99) for t in game.turns})
    data = {"x": x.astype("float32"), "y": y.astype("int32")}
    model.fit(Stream(data, 256), steps_per_epoch=300, epochs=1, verbose=0)
    return model


def test_a_told_duel_does_what_it_is_told():
    model = told_ring()
    for k in range(8):
        made = model.sample(200, y=k)
        nearest = np.linalg.norm(made[:, None] - ring_centres(), axis=2).argmin(axis=1)
        right = float(np.mean(nearest == k))
        print(f"[told duel] {k}: {right:.2f}, radius {np.linalg.norm(made, axis=1).mean():.2f}")
        assert right >= 0.95
        assert np.linalg.norm(made, axis=1).mean() == pytest.approx(RING_RADIUS, abs=0.3)
