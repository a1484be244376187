"""Scores of trained games: inference mode, fixed batches, nothing moves.

A sample's score depends on that sample alone: batches have one size, the last one filled up, and
no network here uses batch statistics in inference.
"""

from weakref import WeakKeyDictionary

import numpy as np
from keras import ops

from gantools.core import gradients

BATCH = 64
_KEPT = WeakKeyDictionary()  # model -> key -> what was compiled for it


def scores(model, x, terms, names, batch=BATCH, options=()):
    """Return name -> `(n,)` float64 (or `(n, ...)`) of samples.

    Args:
        model: `AdversarialModel`.
        x: Samples `(n, ...)` float32, or a tuple of such arrays of one length.
        terms: Function `(networks, x, ..., *options) -> dict` of tensors whose first axis is the
            batch, made of `keras.ops`; `networks[name]` is the averaged copy of a player, or the
            player. It is compiled once a model: give the same function again, not a new one.
        names: Of the players that `terms` uses.
        batch: Samples at once.
        options: More arguments of `terms`, hashable.
    """
    step = kept(model, names, (terms, options), lambda: _compiled(model, terms, names, options))
    arrays = [np.ascontiguousarray(a, np.float32) for a in (x if isinstance(x, tuple) else (x,))]
    found = []
    for first in range(0, len(arrays[0]), batch):
        parts = [a[first : first + batch] for a in arrays]
        count = len(parts[0])
        parts = [np.concatenate([p, np.repeat(p[-1:], batch - count, axis=0)]) for p in parts]
        with gradients.no_gradient():
            result = step(*(ops.convert_to_tensor(p) for p in parts))
        found.append({k: ops.convert_to_numpy(v)[:count] for k, v in result.items()})
    wide = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
    return {name: a.astype(np.float64) if a.ndim == 1 else a for name, a in wide.items()}


def looked(model, x, look, names, options=()):
    """Return `(scores, reconstructions)`: what `scores` gives, its "restored" apart."""
    parts = scores(model, x, look, names, options=options)
    return {name: a for name, a in parts.items() if name != "restored"}, parts["restored"]


def kept(model, names, key, make):
    """Return `make()`, called once for a model and a key while its players stay the same ones.

    Args:
        model: `AdversarialModel`; what was made goes with it.
        names: Of the players in what is made: their weights may change, not the players.
        key: Hashable.
        make: Callable without arguments; what it returns must not hold the model itself.
    """
    known = _KEPT.setdefault(model, {})
    key = (key, *(id(model.best(name)) for name in names))
    if key not in known:
        known[key] = make()
    return known[key]


def _compiled(model, terms, names, options):
    networks, state = frozen(model, names)
    return gradients.compiled(lambda *parts: terms(networks, *parts, *options), state)


def frozen(model, names):
    """Return name -> player in inference mode, and the variables of all of them."""
    players = {name: model.best(name) for name in names}

    def inference(player):
        return lambda *inputs: player(*inputs, training=False)

    state = [v for player in players.values() for v in player.variables]
    return {name: inference(player) for name, player in players.items()}, state


def apart(a, b, power=1):
    """Return the mean of |a - b|**power over each sample, `(batch,)` float32."""
    difference = ops.abs(ops.cast(a, "float32") - ops.cast(b, "float32"))
    difference = ops.square(difference) if power == 2 else difference
    return ops.mean(difference, axis=tuple(range(1, len(difference.shape))))


def apart_in_sum(a, b):
    """Return the sum of |a - b| over each sample, as the first codes have it."""
    difference = ops.abs(ops.cast(a, "float32") - ops.cast(b, "float32"))
    return ops.sum(difference, axis=tuple(range(1, len(difference.shape))))
