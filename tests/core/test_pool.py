"""The pool of past fakes does what the loop of the paper does, and belongs to the run's state."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import AdversarialModel, Game, HistoryPool, Stream, Turn, uniform
from gantools.errors import UserError

SIZE = 7


def loop(pool, x, draw):
    """Return what one sample after the other gives; `pool` is a list and changes."""
    shown = []
    for sample, (coin, which) in zip(x, draw, strict=True):
        if len(pool) < SIZE:
            pool.append(sample)
            shown.append(sample)
        elif coin < 0:
            place = int((which + 1) / 2 * SIZE)
            shown.append(pool[place])
            pool[place] = sample
        else:
            shown.append(sample)
    return np.stack(shown)


@pytest.mark.backends
@pytest.mark.parametrize("batch", [1, 3, 20])
def test_pool_is_the_loop(batch):
    random = np.random.default_rng(batch)
    layer, expected = HistoryPool((2, 2, 1), SIZE), []
    for step in range(12):
        x = random.normal(size=(batch, 2, 2, 1)).astype("float32")
        draw = random.uniform(-1, 1, (batch, 2)).astype("float32")
        mixed = ops.convert_to_numpy(layer(ops.convert_to_tensor(x), ops.convert_to_tensor(draw)))
        np.testing.assert_array_equal(mixed, loop(expected, x, draw), err_msg=f"step {step}")
        stored = ops.convert_to_numpy(layer.samples)
        np.testing.assert_array_equal(stored[: len(expected)], np.stack(expected))
        assert int(layer.filled) == len(expected)
        assert not stored[len(expected) :].any()


def test_half_of_what_is_shown_is_old():
    random = np.random.default_rng(0)
    layer = HistoryPool((1,), 50)
    old = []
    for step in range(100):
        x = np.full((10, 1), step, "float32")
        draw = random.uniform(-1, 1, (10, 2)).astype("float32")
        old.append(np.mean(ops.convert_to_numpy(layer(x, draw)) != x))
    assert max(old[:5]) == 0  # while it is filled
    assert np.mean(old[10:]) == pytest.approx(0.5, abs=0.05)


def test_pool_can_be_looked_at_without_writing():
    layer = HistoryPool((1,), 2)
    x = np.ones((3, 1), "float32")
    shown = layer(x, np.full((3, 2), -1, "float32"), training=False)
    np.testing.assert_array_equal(ops.convert_to_numpy(shown), x)
    assert int(layer.filled) == 0
    assert HistoryPool.from_config(layer.get_config()).size == 2
    with pytest.raises(UserError, match="at least one sample. Received: size=0"):
        HistoryPool((1,), 0)


def pooled(seed=0):
    """Return a model of one player that learns to tell 1 from what the pool shows."""
    player = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    for v in player.variables:
        v.assign(ops.zeros(v.shape))

    def terms(model, batch, draw):
        swap = draw["swap"]
        shown = model.memory("past")(batch["x"], swap, training=model.learning)
        score = model.player("critic")(shown)
        return {"adv": ops.mean(ops.square(score - 1))}, {"shown": ops.mean(shown)}

    turn = Turn("critic", ("critic",), terms)
    memory = {"past": HistoryPool((1,), 5)}
    game = Game({"critic": player}, (turn,), samplers={"swap": uniform(2)}, memory=memory)
    model = AdversarialModel(game, seed=seed)
    model.compile({"critic": keras.optimizers.SGD(0.1)})
    return model


@pytest.mark.backends
def test_pool_is_trained_with_saved_and_restored(tmp_path):
    data = np.arange(64, dtype="float32")[:, None]
    stream = Stream(data, 4)
    whole = pooled()
    whole.fit(stream, steps_per_epoch=6, verbose=0)
    held = ops.convert_to_numpy(whole.memory("past").samples)
    assert set(held.ravel()) <= set(data.ravel())
    assert int(whole.memory("past").filled) == 5
    first = pooled()
    first.fit(stream, steps_per_epoch=3, verbose=0)
    first.save(tmp_path)
    second = pooled()
    second.restore(tmp_path)
    second.fit(stream, steps_per_epoch=3, verbose=0)
    np.testing.assert_array_equal(ops.convert_to_numpy(second.memory("past").samples), held)


@pytest.mark.backends
def test_evaluation_leaves_the_pool_alone():
    model = pooled()
    model.fit(Stream(np.arange(64, dtype="float32")[:, None], 4), steps_per_epoch=3, verbose=0)
    before = ops.convert_to_numpy(model.memory("past").samples).copy()
    model.evaluate(np.full((8, 1), 1000, "float32"), verbose=0, batch_size=4)
    np.testing.assert_array_equal(ops.convert_to_numpy(model.memory("past").samples), before)
