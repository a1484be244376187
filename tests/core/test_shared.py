"""Fakes that the turns of a cycle share."""

import keras
import numpy as np
import pytest

from gantools.core import R1, AdversarialModel, Ema, Game, Shared, Turn, duel
from gantools.core.testing import check_game
from gantools.errors import UserError

from .games import critic, generator, numbered, points

pytestmark = pytest.mark.backends


def model_of(**options):
    players = numbered(generator(), 1), numbered(critic(), 2)
    model = AdversarialModel(duel(*players, penalties=[R1(0.5)], ema=Ema(100), **options), seed=3)
    model.compile({turn.name: keras.optimizers.Adam(1e-2) for turn in model.game.turns})
    return model


def test_with_the_same_noise_in_both_turns_it_is_the_plain_game():
    """Gradients pass through fakes that were made before the discriminator moved."""
    plain, reusing = model_of(), model_of(reuse=True)
    noise = np.random.default_rng(1).normal(size=(8, 4)).astype("float32")
    for i in range(3):
        batch = {"x": points()[8 * i : 8 * i + 8], "z": noise}
        wanted = plain.train_on_batch(batch, return_dict=True)
        found = reusing.train_on_batch(batch, return_dict=True)
        assert found == pytest.approx(wanted, rel=1e-4)
    for name, player in plain.game.players.items():
        pairs = zip(
            player.trainable_variables, reusing.game.players[name].trainable_variables, strict=True
        )
        for a, b in pairs:
            a, b = (keras.ops.convert_to_numpy(v.value) for v in (a, b))
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_the_contract_holds():
    check_game(lambda: model_of(reuse=True), points())


def test_the_generator_is_called_once_a_cycle():
    counts = []
    for reuse in (False, True):
        model, calls = model_of(reuse=reuse), []
        call = model.player
        model.player = lambda name, call=call, calls=calls: calls.append(name) or call(name)
        model.run_eagerly = True
        model.train_on_batch(points()[:8])
        counts.append(calls.count("generator"))
    assert counts == [2, 1]


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(UserError, match="repeats=2"):
        model_of(reuse=True, repeats=2)
    with pytest.raises(UserError, match="condition='y'"):
        model_of(reuse=True, condition="y")
    players = {"a": generator(), "b": generator()}
    terms = lambda model, batch, draw: {}  # noqa: E731
    make = Shared(("a", "b"), lambda model, batch, draw: {})
    with pytest.raises(UserError, match=r"moves all their players once.*turn='one'"):
        Game(players, (Turn("one", ("a",), terms), Turn("two", ("b",), terms)), shared=make)
    with pytest.raises(UserError, match=r"'one' with players=\['a', 'b'\] and repeats=2"):
        Game(players, (Turn("one", ("a", "b"), terms, repeats=2),), shared=make)
    pair = (Turn("one", ("a", "b"), terms), Turn("two", ("a", "b"), terms))
    with pytest.raises(UserError, match=r"turn='one'.* repeats=1, also moved in 'two'"):
        Game(players, pair, shared=make)
    with pytest.raises(UserError, match=r"does not have: \['c'\]"):
        Game(players, (Turn("one", ("a",), terms),), shared=Shared(("c",), make.make))
