"""A check of games of many kinds: what it measures, what it leaves out, and that nothing moves."""

import dataclasses

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import AdversarialModel, Ema, Game, Turn, duel, labels, normal, opponents
from gantools.core.batch import unpack
from gantools.core.objectives import LOG2
from gantools.core.observe import Rows, gradient_norms, observe, probabilities, rate_ratio
from gantools.core.testing import same_state

from .games import critic, generator, points, wgan_gp

pytestmark = pytest.mark.backends
FULL = {"neighbours", "diversity", "near", "auc", "blindness", "rate_ratio"}


def compiled(game, rates=(1e-3, 1e-3)):
    model = AdversarialModel(game)
    turns = [turn.name for turn in game.turns]
    model.compile({t: keras.optimizers.Adam(r) for t, r in zip(turns, rates, strict=True)})
    return model


def exact(*outputs):
    """Return a discriminator of points whose score is the first coordinate."""
    x = keras.Input((2,), name="x")
    score = layers.Dense(1, use_bias=False, name="score")(x)
    net = keras.Model(x, [score, *(layers.Dense(n)(x) for n in outputs)] if outputs else score)
    net.get_layer("score").set_weights([np.array([[1.0], [0.0]])])
    return net


def shifted(by):
    """Return a generator that adds `by` to the first coordinate of its latent."""
    z = keras.Input((2,), name="z")
    net = keras.Model(z, layers.Dense(2, name="out")(z))
    net.get_layer("out").set_weights([np.eye(2), np.array([by, 0.0])])
    return net


def test_equal_distributions_and_separate_ones():
    reals = points(2000)
    row = observe(compiled(duel(shifted(0.0), exact())), reals, points(3000, seed=1))
    assert set(row) >= FULL | {"auc_gap", "p_real", "p_fake"}
    assert row["auc"] == pytest.approx(0.5, abs=0.04)
    assert row["neighbours"] == pytest.approx(0.5, abs=0.06)
    assert row["diversity"] == pytest.approx(1, abs=0.06)
    assert row["near"] == pytest.approx(0.1, rel=1e-3)  # a linear generator
    row = observe(compiled(duel(shifted(-20.0), exact(3, 1))), reals)
    assert row["auc"] == row["neighbours"] == 1
    assert "overfitting" not in row  # no training samples were given


def test_a_collapsed_generator():
    net = shifted(0.0)
    net.get_layer("out").set_weights([0.01 * np.eye(2), np.zeros(2)])
    assert observe(compiled(duel(net, exact())), points(500))["diversity"] < 0.02


def test_the_generator_itself_is_judged_not_its_average():
    model = compiled(duel(shifted(-20.0), exact(), ema=Ema(1000)))
    model.averaged["generator"].set_weights(shifted(0.0).get_weights())
    assert observe(model, points(300))["auc"] == 1


def test_learning_by_heart_is_seen():
    """A score of 5 on the training points and 0 elsewhere, from a table of them."""
    train, held = points(250), points(250, seed=1)
    x = keras.Input((2,), name="x")
    score = layers.Lambda(
        lambda x: 5.0 * ops.cast(ops.min(_squares(x, train), 1, keepdims=True) < 1e-9, "float32"),
        output_shape=(1,),
    )(x)
    score = layers.Dense(1, kernel_initializer="ones")(score)  # a player of a turn has a weight
    row = observe(compiled(duel(shifted(0.0), keras.Model(x, score))), held, train)
    assert row["overfitting"] == pytest.approx(1, abs=0.01)
    assert row["auc_gap"] == pytest.approx(0.5, abs=0.01)
    few = observe(compiled(duel(shifted(0.0), keras.Model(x, score))), held[:150], train)
    assert "overfitting" not in few


def _squares(x, table):
    return ops.sum(ops.square(x[:, None] - ops.convert_to_tensor(table)[None]), -1)


def test_conditions_reach_both_players_and_classes_are_counted():
    z, y = keras.Input((2,), name="z"), keras.Input((), dtype="int32", name="y")
    told = layers.Embedding(3, 2, name="told")(y)
    make = keras.Model({"z": z, "y": y}, layers.Add()([0.01 * z, told]))
    x, y = keras.Input((2,), name="x"), keras.Input((), dtype="int32", name="y")
    wrong = layers.Subtract()([x, layers.Embedding(3, 2, name="told")(y)])
    judge = keras.Model({"x": x, "y": y}, -ops.sum(ops.square(wrong), -1, keepdims=True))
    centres = np.array([[0, 0], [9, 0], [0, 9]], "float32")
    for net in (make, judge):
        net.get_layer("told").set_weights([centres])
    game = duel(make, judge, latent=normal(2), samplers={"y": labels(3)}, condition="y")
    classes = np.arange(600).astype("int32") % 3
    reals = {"x": centres[classes] + 0.01 * points(600), "y": classes}
    row = observe(compiled(game), reals)
    assert row["auc"] == pytest.approx(0.5, abs=0.05)
    assert row["classes"] == 1
    assert row["other"] < 0.01  # the latent hardly matters
    make.get_layer("told").set_weights([np.zeros((3, 2))])
    row = observe(compiled(game), reals)
    assert row["classes"] == pytest.approx(1 / 3)


def test_packs_and_maps_of_scores():
    inputs = keras.Input((6,), name="x")
    packs = keras.Model(inputs, layers.Dense(1)(inputs))
    row = observe(compiled(duel(shifted(0.0), packs, pack=3)), points(1000))
    assert set(row) >= FULL
    z, seen = keras.Input((2,)), keras.Input((None, None, 1))
    pictures = keras.Model(z, layers.Reshape((20, 20, 1))(layers.Dense(400)(z)))
    patches = keras.Model(seen, layers.Conv2D(1, 3, strides=2)(seen))
    reals = np.random.default_rng(0).integers(0, 256, (220, 20, 20, 1)).astype("uint8")
    row = observe(compiled(duel(pictures, patches)), reals, reals)
    assert set(row) >= FULL | {"rank"}
    assert row["rank"] < 0.1  # all pictures are sums of two


def large_pictures(side):
    """Return a compiled game of pictures whose pixels are all one number."""
    z, x = keras.Input((2,)), keras.Input((side, side, 3), name="x")
    flat = layers.Reshape((1, 1, 3))(layers.Dense(3)(z))
    make = keras.Model(z, layers.UpSampling2D(side)(flat))
    judge = layers.Dense(1)(layers.GlobalAveragePooling2D()(x))
    return compiled(duel(make, keras.Model(x, judge), latent=normal(2)))


def test_of_large_pictures_fewer_are_taken_and_never_all_as_floats(monkeypatch):
    model, taken, floats = large_pictures(256), [], []
    scores, change = opponents.scores, opponents.to_float

    def counted(model, samples):
        taken.append((samples["x"].dtype.name, len(samples["x"])))
        return scores(model, samples)

    def noted(x, *single):
        floats.append(len(x))
        return change(x, *single)

    monkeypatch.setattr(opponents, "scores", counted)
    monkeypatch.setattr(opponents, "to_float", noted)
    # one picture, read 600 times: 118 MB else
    picture = np.random.default_rng(0).integers(0, 256, (1, 256, 256, 3)).astype("uint8")
    reals = Rows(picture, np.zeros(600, int))
    assert reals.shape == (600, 256, 256, 3)
    row = observe(model, reals, reals)
    assert set(row) >= FULL | {"rank"}
    assert [n for kind, n in taken if kind == "uint8"] == [500, 500]
    assert sum(n for kind, n in taken if kind == "float32") == 500
    assert max(floats) <= 5
    taken.clear()
    small = np.repeat(picture[:, :64, :64], 1100, axis=0)
    observe(large_pictures(64), small)
    assert [n for kind, n in taken if kind == "uint8"] == [1000]


def test_rows_are_the_samples_that_they_name():
    model, x = compiled(duel(shifted(0.0), exact())), points(400)
    every_other = np.arange(0, 400, 2)
    rows = [Rows(x, every_other), x[every_other]]
    one, other = (observe(model, held, points(300, seed=1)) for held in rows)
    assert one == other


def test_games_of_other_players_are_left_alone():
    net = shifted(0.0)
    turn = Turn("only", ("mapper",), lambda model, batch, draw: {"size": 0.0})
    row = observe(compiled(Game({"mapper": net}, (turn,)), rates=(1e-3,)), points(300))
    assert row == {
        "gradient/only": 0.0,
        "unseen": "the game has no player 'generator' and no 'discriminator'",
    }
    assert "no reals" in observe(wgan_gp())["unseen"]
    assert "sees (2,)" in observe(wgan_gp(), np.zeros((300, 3), "float32"))["unseen"]
    assert "'a', not 'x'" in observe(wgan_gp(), {"a": points(300)})["unseen"]


def test_a_check_changes_nothing():
    model, other = wgan_gp(dropout=0.2), wgan_gp(dropout=0.2)
    observe(model, points(300), points(300))
    assert same_state(model, other)


def test_values_that_are_not_finite_are_named():
    model = wgan_gp()
    v = model.game.players["discriminator"].trainable_variables[0]
    v.assign(np.full(v.shape, np.nan, "float32"))
    assert observe(model, points(300)) == {"not_finite": "a weight of the discriminator"}


def test_gradient_norms_are_those_of_adam():
    model = compiled(duel(generator(norm=False), critic()))
    slots = model.optimizer.parts["generator"]._velocities
    for v in slots:
        v.assign(np.full(v.shape, 0.25, "float32"))
    count = sum(np.prod(v.shape) for v in slots)
    assert gradient_norms(model)["gradient/generator"] == pytest.approx(0.5 * np.sqrt(count))


def test_rate_ratio_counts_updates():
    game = duel(generator(norm=False), critic(), repeats=5)
    assert rate_ratio(compiled(game, rates=(1e-4, 2e-3))) == pytest.approx(20 / 5, rel=1e-5)


def test_probabilities_follow_the_objective():
    r, f = np.zeros(10), np.zeros(10)
    classic = {"discriminator/adv": 2 * LOG2, "generator/adv": -LOG2}
    assert probabilities(r, f, classic) == {"p_real": 0.5, "p_fake": 0.5}
    assert probabilities(r + 1, f - 1, classic)["p_real"] == pytest.approx(1 / (1 + np.exp(-1)))
    pairing = {"discriminator/adv": LOG2, "generator/adv": LOG2}
    assert probabilities(r - 7, f - 7, pairing) == {"p_real": 0.5}
    assert probabilities(r, f, {"discriminator/adv": 0.0}) == {}


def test_few_unseen_reals_are_replaced_and_few_reals_are_told():
    model = compiled(duel(shifted(0.0), critic()))
    row = observe(model, points(3), points(1000))
    assert set(row) >= {"auc", "diversity"}
    assert "overfitting" not in row
    for held, train in ((points(3), None), (points(3), points(20)), (None, points(2))):
        assert "reals, 50 are needed" in observe(model, held, train)["unseen"]


def test_samples_that_are_not_what_is_trained_are_not_compared():
    game = dataclasses.replace(duel(shifted(0.0), critic()), comparable=False)
    assert (
        "not what its discriminator learns from" in observe(compiled(game), points(300))["unseen"]
    )


def test_what_only_samples_get_is_left_out():
    def shown(model, draw):
        return model(draw["z"]) * (1.0 if model.as_trained else 0.01)

    plain = duel(shifted(0.0), critic())
    rows = [
        observe(compiled(game), points(300))["diversity"]
        for game in (plain, dataclasses.replace(plain, sample=shown))
    ]
    assert rows[0] == rows[1]


def redrawing(judge):
    """Return a game whose samples are its reals, halved and doubled again."""

    def halved(size, seed, batch):
        return batch["x"] / 2.0 if "x" in batch else ops.zeros((size, 2))

    return dataclasses.replace(
        duel(shifted(0.0), judge), samplers={"z": normal(2), "half": halved},
        sample=lambda model, draw: 2.0 * draw["half"],
    )  # fmt: skip


def test_samples_that_are_made_of_reals_are_compared_with_others():
    """Beside its original every fake would have a twin: the neighbour test would see no fakes."""
    row = observe(compiled(redrawing(exact())), points(1000))
    assert row["diversity"] == pytest.approx(1.0, abs=0.1)
    assert row["diversity"] != 1.0
    assert row["neighbours"] == pytest.approx(0.5, abs=0.06)  # with twins about 0.4
    assert row["auc"] == pytest.approx(0.5, abs=0.06)
    assert row["auc"] != 0.5


def test_what_is_made_of_a_part_of_the_batch_is_compared_with_others_too():
    """In place of a draw, as the low resolution of sharp pictures; classes are no such part."""
    told = dataclasses.replace(
        duel(shifted(0.0), exact()), samplers={"z": normal(2), "y": labels(3)},
        sample=lambda model, draw: model(draw["z"]) + 0.0 * ops.cast(draw["y"][:, None], "float32"),
    )  # fmt: skip
    x = points(1000)
    game = compiled(redrawing(exact()))
    assert opponents.made_of_reals(game, {"x": x, "half": 0.5 * x})
    assert opponents.made_of_reals(game, {"x": x})
    assert not opponents.made_of_reals(compiled(told), {"x": x, "y": np.arange(1000) % 3})
    assert not opponents.made_of_reals(compiled(duel(shifted(0.0), exact())), {"x": x})


def test_overfitting_needs_enough_of_the_half_that_is_compared():
    model, train = compiled(redrawing(exact())), points(400, seed=2)
    assert "auc_gap" in observe(model, points(400), train)
    assert "auc_gap" not in observe(model, points(399), train)


def test_small_labels_stay_labels():
    batch, size = unpack({
        "x": np.full((3, 2, 2, 1), 255, np.uint8), "y": np.array([0, 7, 9], np.uint8),
        "minibatches": {"y": np.array([[1, 2], [3, 4], [5, 6]], np.uint8)},
    })  # fmt: skip
    assert int(size) == 3
    assert ops.convert_to_numpy(batch["x"]).max() == 1.0
    assert ops.convert_to_numpy(batch["y"]).tolist() == [0, 7, 9]
    assert ops.convert_to_numpy(batch["minibatches"]["y"]).tolist() == [[1, 2], [3, 4], [5, 6]]


@pytest.mark.parametrize("kind", ["uint8", "int32", "int64"])
def test_columns_of_labels_are_flat_ones(kind):
    y = np.array([[1, 2], [3, 4], [5, 250]], kind)
    given = {"x": points(3), "y": y[:, :1], "minibatches": {"y": y[:, :, None]}}
    batch = unpack(given)[0]
    assert ops.convert_to_numpy(batch["y"]).tolist() == [1, 3, 5]
    assert ops.convert_to_numpy(batch["minibatches"]["y"]).tolist() == y.tolist()
    assert "int" in keras.backend.standardize_dtype(batch["y"].dtype)
    column = unpack(points(3)[:, :1])[0]["x"]
    assert tuple(column.shape) == (3, 1)  # numbers are no labels


def test_columns_of_labels_are_counted_as_classes():
    y = np.arange(600).astype("uint8") % 3
    reals = {"x": np.eye(3, 2, dtype="float32")[y] * 9 + 0.01 * points(600), "y": y[:, None]}
    row = observe(compiled(duel(shifted(0.0), exact())), reals)
    assert row["classes"] <= 1
    assert len(row["class_shares"]) == 3


def test_float64_becomes_float32():
    batch = unpack({"x": points(3).astype("float64")})[0]
    assert keras.backend.standardize_dtype(batch["x"].dtype) == "float32"
