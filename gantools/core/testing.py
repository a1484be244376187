"""Contract checks for games and networks, for this project's tests and for anyone's own games.

Each function returns nothing and raises `AssertionError` with one sentence where the contract is
broken. They run a few cycles on tiny data: use the smallest size of your game.
"""

import tempfile

import keras
import numpy as np
from keras import ops

from gantools.core.batch import nth_minibatch, unpack
from gantools.core.gradients import input_gradient, value_and_grad
from gantools.core.stream import Stream


def check_game(make, data, *, batch=4, sample_shape=None):
    """Check that a game trains the way the core promises.

    Losses are finite; every turn moves its own players and nobody else's, as often as it says; the
    same seed gives the same run; a saved run goes on bit for bit; samples have the data's shape and
    lie in [-1, 1] for pictures.

    Args:
        make: Callable without arguments -> compiled `AdversarialModel`, the same weights each time.
        data: Array `(samples, ...)` or dict of arrays, at least two minibatches of them a cycle.
        batch: Samples in a minibatch.
        sample_shape: Expected shape of one sample; None to skip the check of samples.
    """
    model = make()
    stream = Stream(data, batch, minibatches=model.game.minibatches)
    logs = check_turns(model, stream.at(0))
    assert logs == check_turns(make(), stream.at(0)), "The same seed gave two different runs."
    check_resume(make, stream, 4)
    if sample_shape is not None:
        check_samples(model, sample_shape)


def check_turns(model, batch):
    """Check that each turn moves its players' trainable weights and no others, once a repeat.

    Returns:
        What the turns logged, name -> float.
    """
    shown = {}
    batch, size = unpack(keras.tree.map_structure(ops.convert_to_tensor, batch))
    made = model._make(nth_minibatch(batch, 0), size, model._seeds)
    for turn in model.game.turns:
        before = {n: _trainable(p) for n, p in model.game.players.items()}
        count = int(model.optimizer.parts[turn.name].iterations)
        for i in range(turn.repeats):
            minibatch = nth_minibatch(batch, i)
            draw = model._draw(minibatch, size, model._seeds)
            logs = model._play(turn, minibatch, draw, made)
        shown |= {name: float(value) for name, value in logs.items()}
        for name, value in shown.items():
            assert np.isfinite(value), f"{name} is not finite: {value}."
        moved = {n for n, p in model.game.players.items() if _changed(before[n], _trainable(p))}
        assert moved == set(turn.players), f"Turn {turn.name} moved {moved}, not {turn.players}."
        updates = int(model.optimizer.parts[turn.name].iterations) - count
        assert updates == turn.repeats, f"Turn {turn.name}: {updates} updates, not {turn.repeats}."
    return shown


def check_resume(make, stream, cycles):
    """Check that a run goes on from a state of its middle, in a new model, as it went on itself.

    Only two models are traced: of a large game that is most of the time.
    """
    whole = make()
    _run(whole, stream, cycles // 2)
    with tempfile.TemporaryDirectory() as folder:
        whole.save(folder)
        _run(whole, stream, cycles - cycles // 2)
        second = make()
        second.restore(folder)
        _run(second, stream, cycles - cycles // 2)
    assert same_state(whole, second), "A resumed run differs from the uninterrupted one."


def check_samples(model, shape):
    """Check the samples' shape, dtype and range, and that the seed decides them."""
    samples = model.sample(3, seed=1)
    assert samples.shape == (3, *shape), f"Samples have shape {samples.shape[1:]}, not {shape}."
    assert samples.dtype == np.float32, f"Samples are {samples.dtype}, not float32."
    assert np.array_equal(samples, model.sample(3, seed=1)), "The same seed gave other samples."
    if len(shape) == 3:
        low, high = float(samples.min()), float(samples.max())
        assert low >= -1 and high <= 1, f"Pictures lie in [{low}, {high}], not in [-1, 1]."


def check_net(net, shape, *, critic=False, tolerance=1e-4, seed=0):
    """Check a network: `predict` equals eager execution and, for critics, double gradients.

    Biases are randomised first: with zero biases some faults stay hidden.

    Args:
        net: Built Keras model of one input.
        shape: Shape of one input.
        critic: Whether every kernel must be reached by an input-gradient penalty.
        tolerance: Largest allowed difference between eager and compiled results.
        seed: Seed of inputs and biases.
    """
    random = np.random.default_rng(seed)
    for v in net.trainable_variables:
        if len(v.shape) == 1:
            v.assign(random.normal(0, 0.2, v.shape))
    x = random.uniform(-1, 1, (2, *shape)).astype("float32")
    eager = ops.convert_to_numpy(net(x, training=False))
    compiled = net.predict_on_batch(x)
    difference = float(np.max(np.abs(eager - compiled)))
    assert difference <= tolerance, f"{net.name}: eager and predict differ by {difference}."
    if critic:
        lost = kernels_without_second_order(net, ops.convert_to_tensor(x))
        assert not lost, f"{net.name}: no second-order gradient for {lost}."


def kernels_without_second_order(net, x):
    """Return the paths of kernels that the gradient of |d score / d x|^2 does not reach."""
    kernels = [v for v in net.trainable_variables if len(v.shape) >= 2]
    state = net.variables

    def penalty():
        _, g = input_gradient(lambda x: net(x, training=True), x, state)
        return ops.sum(ops.square(ops.cast(g, "float32"))), {}

    _, grads = value_and_grad(penalty, kernels, state)
    flat = [None if g is None else float(ops.max(ops.abs(g))) for g in grads]
    return [v.path for v, g in zip(kernels, flat, strict=True) if not g]


def same_state(first, second):
    """Return whether two models of one game hold the same numbers, bit for bit."""
    a, b = first.state_groups(), second.state_groups()
    return all(
        np.array_equal(ops.convert_to_numpy(x.value), ops.convert_to_numpy(y.value))
        for name in a
        for x, y in zip(a[name], b[name], strict=True)
    )


def _run(model, stream, cycles):
    """Train for some cycles; return the logs of the last one."""
    model.fit(stream, steps_per_epoch=cycles, epochs=1, verbose=0)
    return {k: v[-1] for k, v in model.history.history.items()}


def _trainable(player):
    return [ops.convert_to_numpy(v.value).copy() for v in player.trainable_variables]


def _changed(before, after):
    return any(not np.array_equal(a, b) for a, b in zip(before, after, strict=True))
