"""Energies of patterns, and what is near them in scans, as nodes of an ONNX graph.

See `texture` and `surroundings`.
"""

import numpy as np

from ..detectors import surroundings, texture
from .graph_foreground import at_places
from .graph_pieces import constant, mean, nearby, picked, separable, square


def places(shape):
    """Return how many places there are in pictures of shape `(h, w, c)`: rows and columns."""
    return tuple(-(-side // texture.STRIDE) for side in shape[:2])


def described(g, known, x, count, shape):
    """Return `Texture.describe`, `(k, h / 4, w / 4, 2 patterns + 1)`.

    Args:
        g: `Graph`.
        known: `texture.Texture`.
        x: Name of the pictures `(k, c, h, w)`.
        count: k.
        shape: `(h, w, c)`.
    """
    height, width = shape[:2]
    grey = g.reshape(mean(g, x, 1), count, 1, height, width)
    sizes = texture.sizes(np.zeros((height, width, 1), np.float32))
    found = []
    for i, step in enumerate((1, 2)):
        one = separable(g, grey, lambda p, i=i: texture.sizes(p[..., None])[i], height, width)
        space = sizes[i].shape
        padded = one
        for axis, side in enumerate(space, 2):
            edge = np.pad(np.arange(side), texture.SIDE // 2, mode="symmetric")
            padded = picked(g, padded, edge, axis)
        response = g.node("Conv", padded, constant(g, known.filters[i][:, None]))
        around = _around(shape, texture.SIGMA / step, texture.STRIDE // step)
        found.append(separable(g, square(g, response), around, *space))
    energies = g.node("Concat", *found, axis=1)
    floor = constant(g, known.floor.reshape(-1, 1, 1))
    energies = g.node("Log", g.node("Add", energies, floor))
    whole = separable(g, grey, lambda p: texture.sizes(p[..., None])[0], height, width)
    around = _around(shape, texture.SIGMA, texture.STRIDE)
    level = separable(g, whole, around, *sizes[0].shape)
    vectors = g.node("Concat", energies, level, axis=1)
    return g.node("Transpose", vectors, perm=(0, 2, 3, 1))


def near(g, known, x, count, shape):
    """Return the distances of `Surroundings.score`, `(k, h / 4, w / 4)`.

    Args:
        g, x, count, shape: As for `described`.
        known: `surroundings.Surroundings`.
    """
    small = separable(g, mean(g, x, 1), surroundings.small, *shape[:2])
    wholes = g.node("Sub", g.reshape(small, count, -1), constant(g, known.middle))
    vectors = described(g, known.texture, x, count, shape)
    energies = g.cut(vectors, 3, 0, 2 * texture.PATTERNS)
    apart = nearby(g, known.nearby, wholes, energies)
    inside = at_places(g, x, count, shape, places(shape))
    return g.node("Where", inside, apart, constant(g, 0))


def _around(shape, sigma, stride):
    height, width = places(shape)
    return lambda p: texture.around(p, sigma, stride)[:height, :width]
