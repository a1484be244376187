"""What every game of the registry must do; a new game is found by itself."""

import ast
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core.testing import check_game, check_net
from gantools.errors import UserError
from gantools.registry import GAMES, load_game

from .tiny_data import tiny_arrays

SHAPES = [(16, 24, 3), (28, 28, 1)]


def module_of(name):
    """Return the syntax tree and the lines of a game's file."""
    target = GAMES[name].partition(":")[0].replace(".", "/") + ".py"
    text = (Path(__file__).parents[2] / target).read_text()
    return ast.parse(text), text.splitlines()


def inputs(player, n=2):
    """Return random inputs of a player in the structure that it takes: a tensor, a list or a dict.

    Whole numbers are 0 or 1, which every label and code allows; unknown sides are 8.
    """
    random = np.random.default_rng(0)

    def draw(tensor):
        shape = (n, *(side or 8 for side in tensor.shape[1:]))
        whole = tensor.dtype.startswith("int")
        values = random.integers(0, 2, shape) if whole else random.uniform(-1, 1, shape)
        return values.astype(tensor.dtype)

    return keras.tree.map_structure(draw, player.input)


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("shape", SHAPES[:1])
def test_game_keeps_the_contract(name, shape):
    make = load_game(name)
    batch = make(size="tiny", shape=shape).batch
    check_game(
        lambda: make(size="tiny", shape=shape).model(seed=1),
        tiny_arrays(name, shape),
        batch=batch,
        sample_shape=shape,
    )


@pytest.mark.backends
@pytest.mark.parametrize("name", GAMES)
def test_grey_pictures_train_and_come_out_grey(name):
    shape = SHAPES[1]
    recipe = load_game(name)(size="tiny", shape=shape)
    model = recipe.model()
    batch = {key: x[: recipe.batch] for key, x in tiny_arrays(name, shape).items()}
    logs = model.train_on_batch(batch, return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())
    samples = model.sample(2)
    assert samples.shape == (2, *shape)
    assert samples.std() > 0


@pytest.mark.parametrize("name", GAMES)
def test_samples_in_mixed_precision_are_finite_pictures(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = load_game(name)(size="tiny", shape=SHAPES[0]).model()
    finally:
        keras.config.set_dtype_policy("float32")
    samples = model.sample(2)
    assert samples.shape[0] == 2
    assert samples.shape[-1] == 3
    assert np.isfinite(samples).all()


@pytest.mark.parametrize("name", GAMES)
def test_players_are_the_same_eager_and_compiled(name):
    for player in load_game(name)(size="tiny", shape=(16, 24, 3)).game.players.values():
        if len(player.outputs) == len(player.inputs) == 1:
            shape = [side or 8 for side in player.input_shape[1:]]
            check_net(player, shape, tolerance=1e-4)
            continue
        x = inputs(player)
        eager = keras.tree.flatten(player(x, training=False))
        compiled = keras.tree.flatten(player.predict_on_batch(x))
        for a, b in zip(eager, compiled, strict=True):
            np.testing.assert_allclose(ops.convert_to_numpy(a), b, atol=1e-4)


@pytest.mark.parametrize("name", GAMES)
def test_seed_decides_the_weights(name):
    make = load_game(name)
    first, again, other = (
        make(size="tiny", shape=(16, 16, 1), seed=seed).game.players for seed in (5, 5, 6)
    )
    for player, net in first.items():
        pairs = zip(net.get_weights(), again[player].get_weights(), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)
        pairs = zip(net.get_weights(), other[player].get_weights(), strict=True)
        assert not all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", GAMES)
def test_file_is_short_and_says_what_it_is(name):
    tree, lines = module_of(name)
    text = ast.get_docstring(tree)
    module = load_game(name).__globals__
    assert len(lines) < 120
    assert module["SOURCE"] in text
    assert module["SOURCE"].startswith("arXiv ")
    assert "Differs from the paper:" in text
    assert {"tiny", "small", "paper"} == set(module["SIZES"])
    assert len({frozenset(size) for size in module["SIZES"].values()}) == 1


@pytest.mark.parametrize("name", GAMES)
def test_settings_are_checked_by_name(name):
    make = load_game(name)
    with pytest.raises(UserError, match="tiny, small, paper. Received: size='large'"):
        make(size="large", shape=(16, 16, 1))
    with pytest.raises(UserError, match="Unknown settings bathc. This game has: .*batch"):
        make(size="tiny", shape=(16, 16, 1), bathc=3)
    assert make(size="tiny", shape=(16, 16, 1), batch=3).batch == 3
