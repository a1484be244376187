"""What every game of the registry must do; a new game is found by itself."""

import ast
from pathlib import Path

import numpy as np
import pytest

from gantools.core.testing import check_game, check_net
from gantools.data.synthetic import shapes
from gantools.errors import UserError
from gantools.registry import GAMES, load_game

SHAPES = [(16, 24, 3), (28, 28, 1)]


def module_of(name):
    """Return the syntax tree and the lines of a game's file."""
    target = GAMES[name].partition(":")[0].replace(".", "/") + ".py"
    text = (Path(__file__).parents[2] / target).read_text()
    return ast.parse(text), text.splitlines()


def pictures(shape):
    """Return 64 drawn pictures of a shape, uint8."""
    square = shapes(64, size=max(shape[:2]), channels=shape[2])
    return square[:, : shape[0], : shape[1]]


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("shape", SHAPES[:1])
def test_game_keeps_the_contract(name, shape):
    make = load_game(name)
    batch = make(size="tiny", shape=shape).batch
    check_game(
        lambda: make(size="tiny", shape=shape).model(seed=1),
        pictures(shape),
        batch=batch,
        sample_shape=shape,
    )


@pytest.mark.backends
@pytest.mark.parametrize("name", GAMES)
def test_grey_pictures_train_and_come_out_grey(name):
    shape = SHAPES[1]
    recipe = load_game(name)(size="tiny", shape=shape)
    model = recipe.model()
    logs = model.train_on_batch(pictures(shape)[: recipe.batch], return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())
    samples = model.sample(2)
    assert samples.shape == (2, *shape)
    assert samples.std() > 0


@pytest.mark.parametrize("name", GAMES)
def test_players_are_the_same_eager_and_compiled(name):
    for player in load_game(name)(size="tiny", shape=(16, 24, 3)).game.players.values():
        if len(player.outputs) == 1:
            shape = [side or 8 for side in player.input_shape[1:]]
            check_net(player, shape, tolerance=1e-4)


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
