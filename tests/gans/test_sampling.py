import keras
import numpy as np
import pytest

from gantools.core import AdversarialModel, Dragan, duel
from gantools.errors import UserError
from gantools.gans.sampling import interpolated, of_class, slerp
from gantools.registry import load_game


def test_slerp_turns_evenly_and_keeps_the_length():
    a, b = np.array([2.0, 0.0]), np.array([0.0, 2.0])
    t = np.array([[0.0], [1 / 3], [0.5], [1.0]])
    angle = np.pi / 2 * t[:, 0]
    expected = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    np.testing.assert_allclose(slerp(a[None], b[None], t), expected, atol=1e-12)


def test_slerp_of_different_lengths_and_of_equal_points():
    a, b = np.array([[1.0, 0.0]]), np.array([[0.0, 3.0]])
    np.testing.assert_allclose(np.linalg.norm(slerp(a, b, np.array([[0.5]]))), 2)
    np.testing.assert_allclose(slerp(a, a, np.array([[0.3]])), a)


def test_rows_of_an_interpolation_are_of_one_class():
    model = load_game("cgan")("tiny", (8, 8, 1), classes=2).model()
    way = interpolated(model, 8, seed=1, columns=4)
    assert way.shape == (8, 8, 8, 1)
    sevens = interpolated(model, 8, seed=1, columns=4, y=0)
    np.testing.assert_allclose(way[:4], sevens[:4], atol=1e-6)
    assert np.abs(way[4:] - sevens[4:]).max() > 1e-5
    steps = np.abs(np.diff(way[:4], axis=0)).mean(axis=(1, 2, 3))
    assert steps.min() > 0


def test_a_class_is_asked_for_by_its_number():
    make = lambda name, **options: load_game(name)("tiny", (8, 8, 1), **options).model()
    told = make("acgan", classes=4)
    assert of_class(told, 3) == {"y": 3}
    assert of_class(make("infogan"), 2) == {"category": 2}
    for number in (4, -1):
        with pytest.raises(UserError, match=f"--class from 0 to 3. Received: {number}"):
            of_class(told, number)
    with pytest.raises(UserError, match="no classes"):
        of_class(make("dcgan"), 0)


def test_a_class_is_asked_for_by_its_name_first():
    told = load_game("acgan")("tiny", (8, 8, 1), classes=3).model()
    names = ["1", "0", "eight"]
    asked = {"eight": 2, "0": 1, "1": 0, "2": 2, 2: 2, 0: 0}
    assert {word: of_class(told, word, names)["y"] for word in asked} == asked
    with pytest.raises(
        UserError, match="--class 1, 0, eight, or a number from 0 to 2. Received: x"
    ):
        of_class(told, "x", names)
    with pytest.raises(UserError, match="--class from 0 to 2. Received: x"):
        of_class(told, "x")


def test_only_the_latent_changes_along_a_row():
    recipe = load_game("infogan")("tiny", (8, 8, 1), seed=0)
    model, seen = recipe.model(0), {}
    real = model.sample
    model.sample = lambda n, seed, **given: seen.update(given) or real(n, seed, **given)
    interpolated(model, 10, columns=5)
    for name in set(model.game.samplers) - {"z"}:
        rows = seen[name].reshape(2, 5, -1)
        assert (rows == rows[:, :1]).all(), name
    assert len(np.unique(seen["z"], axis=0)) == 10


def test_draws_of_the_training_alone_are_not_made():
    """The noise of DRAGAN has the shape of the data, of which an interpolation has none."""
    make = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    judge = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model = AdversarialModel(duel(make, judge, penalties=[Dragan()]))
    assert interpolated(model, 10, columns=5).shape == (10, 2)
