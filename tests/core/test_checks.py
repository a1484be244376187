"""What is refused before the first step, in one sentence."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import AdversarialModel, Ema, Game, Stream, Turn, duel, labels, normal
from gantools.core.inversion import Search
from gantools.errors import UserError

from .games import critic, generator, points

pytestmark = pytest.mark.backends


class Bare(keras.Model):
    """A subclassed model: Keras knows neither its inputs nor its shapes."""

    def __init__(self, units):
        super().__init__()
        self.hidden, self.out = layers.Dense(8, "tanh"), layers.Dense(units)

    def call(self, x, training=False):
        return self.out(self.hidden(x))


class Added(layers.Layer):
    """A layer that has a loss of its own."""

    def call(self, x):
        self.add_loss(1e3 * ops.mean(ops.square(x)))
        return x


def bare(units, inputs):
    net = Bare(units)
    net(np.zeros((1, inputs), "float32"))
    return net


def compiled(game):
    model = AdversarialModel(game)
    model.compile({turn.name: keras.optimizers.SGD(0.1) for turn in game.turns})
    return model


def told(y):
    """Return a model that names the classes of its one number, and data with labels."""
    z, asked = keras.Input((2,), name="z"), keras.Input((), dtype="int32", name="y")
    make = layers.Dense(2)(layers.Concatenate()([z, layers.Embedding(3, 2, name="of_y")(asked)]))
    x, seen = keras.Input((2,), name="x"), keras.Input((), dtype="int32", name="y")
    score = layers.Dense(1)(layers.Concatenate()([x, layers.Embedding(3, 2, name="of_y")(seen)]))
    game = duel(
        keras.Model({"z": z, "y": asked}, make),
        keras.Model({"x": x, "y": seen}, score),
        condition="y",
        samplers={"y": labels(3)},
    )
    return compiled(game), {"x": points(len(y)), "y": y}


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (lambda: layers.Dense(4, kernel_regularizer="l2"), "a regularizer of .*/kernel"),
        (lambda: layers.Dense(4, activity_regularizer="l2"), "an activity regularizer in the"),
        (lambda: layers.ActivityRegularization(1.0), "an activity regularizer in the layer"),
        (
            lambda: layers.TimeDistributed(layers.Dense(4, bias_regularizer="l1")),
            "a regularizer of .*/bias",
        ),
        (Added, "add_loss in the layer added"),
    ],
)
def test_losses_that_no_turn_sees_are_refused(layer, message):
    shape = (3, 2) if isinstance(layer(), layers.TimeDistributed) else (2,)
    net = keras.Sequential([keras.Input(shape), layer(), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(UserError, match=f"discriminator has {message}.* Write it as a term"):
        compiled(duel(generator(), net))


def test_a_network_that_no_turn_moves_may_have_regularizers():
    game = duel(generator(norm=False), critic())
    still = keras.Sequential([keras.Input((2,)), layers.Dense(1, kernel_regularizer="l2")])
    compiled(replace(game, players={**game.players, "still": still}))


def test_players_must_be_built():
    game = duel(Bare(2), critic(), latent=normal(4))
    with pytest.raises(UserError, match="generator is not built.* keras.Input, or call it once"):
        compiled(game)


def test_subclassed_players_train_and_what_needs_shapes_says_so():
    make, judge = bare(2, 4), bare(1, 2)
    model = compiled(duel(make, judge, latent=normal(4)))
    model.fit(Stream(points(), 8), steps_per_epoch=2, verbose=0)
    assert model.sample(3).shape == (3, 2)
    needs = "needs a functional or Sequential model that begins with keras.Input. Received: Bare"
    for refused in (
        lambda: duel(make, judge),
        lambda: duel(make, judge, latent=normal(4), pack=2),
        lambda: AdversarialModel(duel(make, judge, latent=normal(4), ema=Ema(10))),
        lambda: Search(make),
        lambda: duel(keras.Sequential([layers.Dense(2)]), critic()),
    ):
        with pytest.raises(UserError, match=needs.replace("Bare", "")):
            refused()


@pytest.mark.parametrize("y", [[0, 1, 3], [0, -1, 2], [0.0, 1.0, 2.0], np.eye(3, dtype=int)])
def test_labels_that_are_no_classes_are_refused(y):
    y = np.tile(np.asarray(y), (8,) + (1,) * (np.ndim(y) - 1))
    model, data = told(y)
    expected = r"'y' to hold one integer a sample, from 0 to 2. Received: .* of shape \(24.*Number"
    with pytest.raises(UserError, match=expected):
        model.fit(Stream(data, 8), steps_per_epoch=1, verbose=0)
    with pytest.raises(UserError, match=expected):
        model.fit(data, batch_size=8, verbose=0)


def test_samples_of_a_class_that_is_not_there_are_refused():
    model, _ = told(np.zeros(8, int))
    with pytest.raises(UserError, match="from 0 to 2. Received: int32 of shape .*, 3 to 3"):
        model.sample(4, y=3)
    column = np.array([[0], [1], [2]])
    np.testing.assert_array_equal(model.sample(3, y=column), model.sample(3, y=column[:, 0]))


def test_labels_that_are_not_used_are_not_looked_at():
    y = np.array([0, 1, 2, 9] * 4)
    model, data = told(y)
    rows = np.flatnonzero(y < 3)
    stream = Stream(data, 4, only={"x": rows, "y": rows})
    model.fit(stream, steps_per_epoch=1, verbose=0)


@pytest.mark.parametrize("kind", ["uint8", "int32", "int64"])
def test_labels_of_keras_datasets_train_like_flat_ones(kind):
    """`(n, 1)` uint8, as `keras.datasets.cifar10` has them, once were scaled like pixels."""
    y, weights = (np.arange(96) % 3).astype(kind), []
    for labels_ in (y, y[:, None]):
        keras.utils.set_random_seed(0)
        model, data = told(labels_)
        nets = model.game.players.values()
        before = [net.get_layer("of_y").get_weights()[0] for net in nets]
        model.fit(Stream(data, 32), steps_per_epoch=3, verbose=0)
        after = [net.get_layer("of_y").get_weights()[0] for net in nets]
        assert all(np.abs(a - b).sum(axis=1).all() for a, b in zip(before, after, strict=True))
        weights.append(after)
    for flat, column in zip(*weights, strict=True):
        np.testing.assert_array_equal(flat, column)


@pytest.mark.parametrize("change", [{"weights": {"advv": 0.0}}, {"penalties": ("zz",)}])
def test_settings_of_terms_that_are_not_there_are_refused(change):
    game = duel(generator(norm=False), critic())
    first, second = game.turns
    model = compiled(replace(game, turns=(first, replace(second, **change))))
    with pytest.raises(
        UserError, match="terms that it does not have: (advv|zz). Its terms are adv"
    ):
        model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)


def played(made):
    """Return the logs of one cycle of a game of one critic whose turn has these terms."""
    turn = Turn("net", ("net",), lambda model, batch, draw: made(model.player("net")(batch["x"])))
    model = compiled(Game({"net": critic()}, (turn,)))
    return model.train_on_batch(points(8), return_dict=True)


@pytest.mark.parametrize("made", [lambda x: x, lambda x: ops.mean(x, axis=0)])
def test_terms_that_are_no_scalars_are_refused(made):
    with pytest.raises(UserError, match=r"'adv' of turn 'net' to be a scalar. Received: shape \("):
        played(lambda scores: {"adv": made(scores)})


def test_numbers_of_python_are_logged_and_add_nothing():
    logs = played(lambda scores: ({"adv": ops.mean(scores), "none": 0.0}, {"half": 0.5, "two": 2}))
    assert (logs["net/none"], logs["net/half"], logs["net/two"]) == (0.0, 0.5, 2.0)


def test_a_frozen_player_is_refused_in_a_turn_and_nowhere_else():
    game = duel(generator(norm=False), critic())
    game.players["discriminator"].trainable = False
    with pytest.raises(UserError, match="moves discriminator, .*Set discriminator.trainable = Tr"):
        compiled(game)
    model = compiled(replace(game, turns=game.turns[1:]))
    model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)


BESIDE = {"y": np.zeros(8), "sample_weight": np.ones(8)}


@pytest.mark.parametrize(
    ("way", "beside"),
    [
        ("fit", {"y": BESIDE["y"]}),
        ("fit", {"sample_weight": BESIDE["sample_weight"]}),
        ("fit", {"class_weight": {0: 1.0}}),
        ("fit", {"validation_data": (points(8), None, np.ones(8))}),
        ("evaluate", {"y": BESIDE["y"]}),
        ("evaluate", {"sample_weight": BESIDE["sample_weight"]}),
        ("train_on_batch", BESIDE),
    ],
)
def test_targets_and_weights_beside_the_dict_are_refused(way, beside):
    model = compiled(duel(generator(norm=False), critic()))
    options = {} if way == "train_on_batch" else {"batch_size": 8, "verbose": 0}
    with pytest.raises(UserError, match="takes one dict.*targets, sample weights or class weights"):
        getattr(model, way)(points(8), **options, **beside)


def test_nothing_beside_the_dict_is_nothing():
    model, pairs = compiled(duel(generator(norm=False), critic())), [(points(8), None), [points(8)]]
    for pair in pairs:
        model.train_on_batch(pair)


@pytest.mark.parametrize("kind", ["bfloat16", "float16"])
def test_averages_of_short_numbers_are_refused(kind):
    """0.999 of the old average and 0.001 of the weight are rounded to the old average."""
    net = keras.Sequential([keras.Input((4,)), layers.Dense(2, dtype=kind)])
    with pytest.raises(UserError, match=f"kernel in {kind}. .*mixed_bfloat16"):
        AdversarialModel(duel(net, critic(), ema=Ema(1000)))


def test_averages_of_mixed_precision_move():
    net = keras.Sequential([keras.Input((4,)), layers.Dense(2, dtype="mixed_bfloat16")])
    model = compiled(duel(net, critic(), ema=Ema(1000, None)))
    before = model.averaged["generator"].get_weights()[0].copy()
    model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)
    assert np.abs(model.averaged["generator"].get_weights()[0] - before).max() > 0


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="others write into it")
@pytest.mark.parametrize("layer", [layers.BatchNormalization(), layers.Dropout(0.5, seed=1)])
def test_a_network_that_is_no_player_is_found_where_a_term_writes_into_it(layer):
    strange = keras.Sequential([keras.Input((2,)), layer, layers.Dense(1)])
    game = duel(generator(norm=False), critic())
    first, second = game.turns

    def terms(model, batch, draw):
        seen = strange(model.player("generator")(draw["z"]), training=True)
        return {**second.terms(model, batch, draw), "strange": ops.mean(seen)}

    model = compiled(replace(game, turns=(first, replace(second, terms=terms))))
    with pytest.raises(UserError, match="network that is no player.*Game.players"):
        model.fit(Stream(points(), 8), steps_per_epoch=1, verbose=0)
