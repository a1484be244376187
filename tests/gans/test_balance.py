"""What a game says its terms are worth at the balance is what they are worth there."""

import keras
import numpy as np
import pytest

from gantools.core import objective
from gantools.gans.balance import balanced
from gantools.registry import GAMES, load_game

from .tiny_data import tiny_arrays

SHAPE = (16, 16, 1)
BOTH = {"discriminator/adv", "generator/adv"}
D_ALONE = {"discriminator/adv"}  # the generator's value may drift
DOMAINS = {"critics/a", "critics/b", "generators/adv"}
PAIRS = {f"{turn}/{d}" for turn in ("discriminator", "generator") for d in ("d_xz", "d_xx", "d_zz")}
NAMES = {
    "alad": PAIRS,
    "cyclegan": DOMAINS,
    "discogan": DOMAINS,
    "sngan": D_ALONE,
    "wgan": D_ALONE,
    "wgan_gp": D_ALONE,
    # Detectors, whose discriminators serve as features of pictures that are damaged or coded.
    "ganomaly": set(),
    "restorer": set(),
    "skip_ganomaly": set(),
}
HALF = {"lsgan", "cyclegan"}  # score where the critic cannot tell; of the others 0
JUDGES = ("discriminator", "critic", "d_")


def undecided(net, score):
    """Return a critic that gives every sample the same score."""
    return lambda *args, **options: keras.tree.map_structure(
        lambda out: 0.0 * out + score, net(*args, **options)
    )


@pytest.mark.parametrize("name", GAMES)
def test_where_nobody_can_tell_terms_have_the_values_of_the_balance(name):
    recipe = load_game(name)("tiny", SHAPE)
    model = recipe.model(run_eagerly=True)
    for player, net in recipe.game.players.items():
        if player.startswith(JUDGES):
            model._players[player] = undecided(net, 0.5 if name in HALF else 0.0)
    batch = {key: x[:4] for key, x in tiny_arrays(name, SHAPE).items()}
    logs = model.evaluate(batch, batch_size=4, verbose=0, return_dict=True)
    balance = recipe.game.equilibrium
    assert set(balance) == NAMES.get(name, BOTH)
    assert {key: logs[key] for key in balance} == pytest.approx(dict(balance), rel=1e-5)


def test_values_by_hand():
    two = 2 * np.log(2)
    assert balanced(objective("nonsaturating")) == pytest.approx(
        {"discriminator/adv": two, "generator/adv": np.log(2)}
    )
    # BiGAN: E sp(-D(G(z), z)) + E sp(D(x, E(x))) at D = 0 is sp(0) twice
    swapped = balanced(objective("nonsaturating"), swapped=True)
    assert swapped == pytest.approx({"discriminator/adv": two, "generator/adv": two})
    both = balanced(objective("least_squares"), ("c/a", "c/b"), ("g/adv",), ways=2)
    assert both == pytest.approx({"c/a": 0.25, "c/b": 0.25, "g/adv": 2 * 0.5 * 0.5**2})
    assert balanced(objective("hinge")) == {"discriminator/adv": 2.0}
