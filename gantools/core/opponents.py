"""Generator and discriminator as they stand, run from outside the training step.

Networks run in inference mode and random numbers come from seeds of their own: nothing here changes
a model. Not every game has two players that can be fed with single samples; `blocked` says why not.
"""

import functools
import math
from collections.abc import Mapping

import keras
import numpy as np
from keras import ops

from gantools.core import gradients, parallel, witnesses
from gantools.core.batch import Draws, to_float
from gantools.core.ops import packed

CHUNKS = (500, 250, 100, 50, 20, 10, 5, 2, 1)  # samples that a network gets at once
PLACES = 409_600  # pixels of a chunk: 100 pictures of 64 x 64


def blocked(game, real) -> str | None:
    """Return why the players of a game cannot be compared on some reals, None where they can.

    Args:
        game: A `Game`.
        real: Dict of arrays with the samples "x" and what else the discriminator is told.
    """
    missing = [name for name in ("generator", "discriminator") if name not in game.players]
    if missing:
        return f"the game has no player {' and no '.join(map(repr, missing))}"
    if not game.comparable:
        return "its samples are not what its discriminator learns from"
    if "x" not in real:
        return f"its samples are {' and '.join(map(repr, real))}, not 'x'"
    inputs = getattr(game.players["discriminator"], "inputs", None)
    if inputs is None:
        return "its discriminator is neither a functional nor a Sequential model"
    unknown = [t.name for t in inputs if t.name not in real] if len(inputs) > 1 else []
    if unknown:
        return f"its discriminator is also told {' and '.join(map(repr, unknown))}"
    seen = next((t for t in inputs if t.name == "x"), inputs[0]).shape[1:]
    given = real["x"].shape[1:]
    fits = len(seen) == len(given) and all(
        a in (None, b) for a, b in zip(seen[:-1], given[:-1], strict=True)
    )
    if not fits or seen[-1] % given[-1]:
        return f"its discriminator sees {seen}, not single samples {given}"
    return None


def draws(model, n, seed, known) -> dict:
    """Return the draws that a game's samples need: name -> array `(n, ...)`.

    Args:
        model: An `AdversarialModel`.
        n: Number of samples.
        seed: Same seed, same draws.
        known: Name -> array `(n, ...)` as stored, taken in place of a draw of that name; what
            samplers make of the batch, as low resolution, they make of these.
    """
    samplers = model.game.samplers
    seeds = {name: parallel.SeedGenerator(seed + i) for i, name in enumerate(samplers)}
    few = Draws(samplers, 1, seeds)
    _sample(model, few)  # which draws are asked for
    found = {name: as_in_a_step(known[name]) for name in few if name in known}
    fresh = Draws(samplers, n, seeds, _Batch(known))
    return found | {name: numpy(fresh[name]) for name in few if name not in known}


def made_of_reals(model, known) -> bool:
    """Return whether a game's samples are made of the reals that it is given.

    Those of games that enlarge or restore are: beside their originals they tell nothing of others.

    Args:
        model: An `AdversarialModel`.
        known: As for `draws`, two samples at least.
    """
    few = {name: as_in_a_step(values[:2]) for name, values in known.items()}
    other = {k: -0.5 - v if np.issubdtype(v.dtype, np.floating) else v for k, v in few.items()}
    ours, theirs = (draws(model, 2, 0, reals) for reals in (few, other))
    return any(not np.array_equal(ours[name], theirs[name]) for name in ours)


def fakes(model, drawn, shape, look) -> dict:
    """Return what is seen of the generator's samples, not those of its averaged copy.

    They are looked at as they are made: all together are gigabytes at 256 x 256 pixels.

    Args:
        model: An `AdversarialModel`.
        drawn: Name -> array `(n, ...)`, see `draws`.
        shape: Expected shape of a sample; it decides only how many are made at once.
        look: Callable `(x, part) -> dict` of arrays, given the samples `(m, ...)` float32 of the
            slice `part`: as many as the discriminator scores at once.

    Returns:
        Name -> array: those of all parts, joined.
    """
    n, size = len(next(iter(drawn.values()))), _step(shape, _judge(model, shape[-1])[2])
    found = []
    for start in range(0, n, size):
        part = slice(start, start + size)
        few = {name: array[part] for name, array in drawn.items()}
        found.append(look(_in_chunks(lambda batch: _sample(model, batch), few, size), part))
    return {name: np.concatenate([seen[name] for seen in found]) for name in found[0]}


def scores(model, samples) -> np.ndarray:
    """Return the discriminator's scores, one a sample or pack: `(n,)` float32.

    Scores of patches are averaged; of several outputs the first is the score.

    Args:
        model: An `AdversarialModel`.
        samples: Dict of arrays as stored, see `blocked`.
    """
    net, names, pack = _judge(model, samples["x"].shape[-1])

    def score(batch):
        batch = {name: to_float(values) for name, values in batch.items()}
        batch["x"] = packed(batch["x"], pack)
        if len(names) == 1:
            out = net(batch["x"], training=False)
        else:
            by_name = isinstance(net.input, dict)
            out = net(batch if by_name else [batch[name] for name in names], training=False)
        out = next(iter(out.values())) if isinstance(out, dict) else out
        out = out[0] if isinstance(out, (list, tuple)) else out
        return ops.mean(ops.reshape(ops.cast(out, "float32"), (ops.shape(out)[0], -1)), axis=1)

    n = len(samples["x"]) // pack * pack
    if not n:
        return np.zeros(0, np.float32)
    size = _step(samples["x"].shape[1:], pack)
    return _in_chunks(score, {name: samples[name][:n] for name in names}, size)


def features(x) -> np.ndarray:
    """Return `witnesses.features` of samples as stored, made floats a chunk at a time.

    Args:
        x: `(n, ...)`, n at least 1.
    """
    size = _step(x.shape[1:])
    parts = (as_in_a_step(x[start : start + size]) for start in range(0, len(x), size))
    return np.concatenate([witnesses.features(part) for part in parts])


def as_in_a_step(values) -> np.ndarray:
    """Return numbers as terms get them: see `batch.to_float`."""
    return ops.convert_to_numpy(to_float(values)) if values.dtype.kind in "iuf" else values


def numpy(tensor) -> np.ndarray:
    """Return a tensor as an array: integers as they are, all others as float32."""
    if "int" in keras.backend.standardize_dtype(tensor.dtype):
        return ops.convert_to_numpy(tensor)
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


class _Batch(Mapping):
    """What samplers read: arrays as stored, made tensors when asked for, as in a step."""

    def __init__(self, arrays):
        self._arrays = arrays

    def __getitem__(self, name):
        return to_float(self._arrays[name])

    def __contains__(self, name):
        return name in self._arrays

    def __iter__(self):
        return iter(self._arrays)

    def __len__(self):
        return len(self._arrays)


class _AsTheyStand:
    """What `Game.sample` sees as the model: the players in place of their averaged copies."""

    as_trained = True

    def __init__(self, model):
        self._model = model

    def __getattr__(self, name):
        return getattr(self._model, name)

    def __call__(self, inputs, training=False):
        return self.player("generator")(inputs, training=training)

    def player(self, name):
        return functools.partial(self._model.game.players[name], training=False)

    def best(self, name):
        return self._model.game.players[name]


def _sample(model, draw):
    make = model.game.sample or (lambda model, draw: model(draw["z"]))
    with gradients.no_gradient():
        return make(_AsTheyStand(model), draw)


def _judge(model, channels):
    """Return the discriminator, its inputs' names ("x" for a single one), and samples a pack."""
    net = model.game.players["discriminator"]
    names = [t.name for t in net.inputs] if len(net.inputs) > 1 else ["x"]
    first = next((t for t in net.inputs if t.name == "x"), net.inputs[0])
    return net, names, first.shape[-1] // channels


def _step(shape, pack=1) -> int:
    """Return how many samples of a shape a network gets at once, whole packs."""
    most = next((n for n in CHUNKS if n * math.prod(shape[:-1]) <= PLACES), 1)
    return most // pack * pack or pack


def _in_chunks(compute, arrays, size) -> np.ndarray:
    n = len(next(iter(arrays.values())))
    parts = []
    with gradients.no_gradient():
        for start in range(0, n, size):
            batch = {
                name: ops.convert_to_tensor(array[start : start + size])
                for name, array in arrays.items()
            }
            parts.append(numpy(compute(batch)))
    return np.concatenate(parts)
