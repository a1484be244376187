"""A few drawn samples for every kind of data that a game may ask for: its module's DATA."""

import numpy as np

from gantools.data.synthetic import digit_labels, digits, shapes
from gantools.registry import data_kind

COUNT = 64


def tiny_arrays(name, shape=(16, 24, 3), n=COUNT):
    """Return what the game `name` trains on, `n` samples of it, by the names of its batch.

    Args:
        name: Registry name.
        shape: `(height, width, channels)` of a picture, 1 or 3 channels.
        n: Number of samples.

    Returns:
        Arrays of equal length: uint8 pictures "x", or "a" and "b"; int32 labels "y", 0 to 9.
    """
    return KINDS[data_kind(name)](n, shape)


def cut(square, shape):
    """Return the pictures' upper left corner, so that height and width may differ."""
    return square[:, : shape[0], : shape[1]]


def pictures(n, shape, seed=0):
    """Return drawn shapes, uint8 `(n, *shape)`."""
    return cut(shapes(n, max(shape[:2]), shape[2], seed), shape)


def labelled(n, shape):
    """Return drawn digits and which they are."""
    drawn = digits(n, max(shape[:2]), shape[2])
    return {"x": cut(drawn, shape), "y": digit_labels(n).astype(np.int32)}


def pairs(n, shape):
    """Return drawn shapes and their negatives: "b" is decided by "a"."""
    a = pictures(n, shape)
    return {"a": a, "b": 255 - a}


def domains(n, shape):
    """Return drawn shapes and drawn digits, which have nothing to do with each other."""
    return {"a": pictures(n, shape), "b": cut(digits(n, max(shape[:2]), shape[2]), shape)}


KINDS = {
    "pictures": lambda n, shape: {"x": pictures(n, shape)},
    "labelled": labelled,
    "pairs": pairs,
    "domains": domains,
}
