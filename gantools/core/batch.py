"""What a step is given: minibatches as Keras hands them over, and the draws of a turn."""

from functools import partial

import keras
import numpy as np
from keras import ops

from gantools.core.checks import check_alone, check_labels
from gantools.errors import UserError

DRAWN = 64  # samples whose draws are made at once, however many are computed at once


class Draws(dict):
    """Random numbers by name, drawn when first asked for: samples need few of a game's draws.

    Args:
        samplers, seeds: Name -> sampler, and its seed generator.
        size: Of each draw.
        batch: What samplers are given that read the batch.
    """

    def __init__(self, samplers, size, seeds, batch=None):
        super().__init__()
        self.samplers, self.size, self.seeds, self.batch = samplers, size, seeds, batch or {}

    def __missing__(self, name):
        self[name] = self.samplers[name](self.size, self.seeds[name], self.batch)
        return self[name]


def given_draw(game, name, value, n):
    """Return what `AdversarialModel.sample` was given for a draw as an array `(n, ...)`."""
    value = np.asarray(value)
    value = value.astype("float32" if value.dtype.kind == "f" else "int32")
    value = np.full(n, value) if value.ndim == 0 else value
    if name not in game.samplers or len(value) != n:
        raise UserError(
            f"Expected {n} values for one of the draws {', '.join(game.samplers)}. "
            f"Received: {len(value)} for {name!r}."
        )
    if value.dtype.kind == "i" and is_label(value.shape):
        value = value.reshape(n)
    check_labels(game.samplers, {name: value})
    return value


def in_turn(sampler, n):
    """Return a sampler of the next of `n` draws, which are the same however many are asked for.

    Seeds move on with every call and not with every number: the draws are made `DRAWN` at a time.
    They are cut as arrays, since JAX compiles a cut of a tensor anew for every length.
    """
    drawn, left = [], n

    def take(size, seed, batch):
        nonlocal drawn, left
        ready = sum(map(len, drawn))
        while ready < size:
            count = min(DRAWN, left)
            drawn.append(ops.convert_to_numpy(sampler(count, seed, batch)))
            ready, left = ready + count, left - count
        whole = np.concatenate(drawn)
        drawn = [whole[size:]] if ready > size else []
        return ops.convert_to_tensor(whole[:size])

    return take


def unpack(data):
    """Return `(batch, size)` of what Keras hands over.

    Args:
        data: A tensor `(batch, ...)`, named "x"; a dict of tensors; or a tuple or list that holds
            one of them and nothing else but None. The dict may hold a dict "minibatches" of tensors
            `(batch, n, ...)`: n minibatches for the updates of one cycle. Types are changed by
            `to_float`.

    Raises:
        UserError: targets or sample weights beside it, which no term would see.
    """
    while isinstance(data, (tuple, list)):
        data, *others = data
        check_alone(others)
    batch = data if isinstance(data, dict) else {"x": data}
    batch = {
        name: keras.tree.map_structure(partial(to_float, single=1 + (name == "minibatches")), value)
        for name, value in batch.items()
    }
    return batch, ops.shape(keras.tree.flatten(batch)[0])[0]


def to_float(x, single=1):
    """Return a tensor: uint8 scaled to float32 in [-1, 1], float64 as float32, labels flat.

    Labels are integers, one a sample: `(batch,)`, or `(batch, 1)` as in `keras.datasets`. Those
    of uint8 become int32. Everything else is returned as it is.

    Args:
        x: Tensor or array.
        single: Number of axes of flat labels.
    """
    x = ops.convert_to_tensor(x)  # `train_on_batch` hands NumPy arrays through on PyTorch
    kind = keras.backend.standardize_dtype(x.dtype)
    if kind == "float64":
        return ops.cast(x, "float32")
    if "int" in kind and is_label(x.shape, single):
        x = ops.squeeze(x, single) if len(x.shape) > single else x
        return ops.cast(x, "int32") if kind == "uint8" else x
    return ops.cast(x, "float32") / 127.5 - 1.0 if kind == "uint8" else x


def is_label(shape, single=1):
    """Return whether integers of a shape are one a sample, with or without an axis of length 1."""
    return len(shape) <= single or (len(shape) == single + 1 and shape[single] == 1)


def nth_minibatch(batch, n):
    """Return the n-th minibatch of a cycle: tensors without that axis are used again."""
    several = batch.get("minibatches", {})
    fresh = {name: x[:, n % x.shape[1]] for name, x in several.items()}
    return {**{name: x for name, x in batch.items() if name != "minibatches"}, **fresh}
