"""Showing one picture to a detector, and joining its maps, as nodes of an ONNX graph."""

import cv2
import numpy as np

from .. import loading
from ..views import TOP, WHOLE
from .graph_pieces import constant, extreme, picked, separable


def shown(g, x, view, size):
    """Return `View.tensors` of one picture as `(k, c, side, side)`, k, and where they lie.

    Args:
        g: `Graph`.
        x: Name of the picture `(1, c, h, w)`.
        view: `views.View`.
        size: `(h, w, c)`.
    """
    tensors, where = view.tensors(np.zeros(size, np.float32))
    if view.kind == WHOLE:
        return separable(g, x, squared(view.side), *size[:2]), 1, where
    x = separable(g, x, lambda p: view.reduced(p[..., None])[..., 0], *size[:2])
    for axis, length in enumerate(where.size):
        starts = np.unique(where.corners[:, axis])
        places = starts[:, None] + np.arange(view.side)
        padded = np.pad(np.arange(length), (0, max(0, view.side - length)), mode="reflect")
        x = picked(g, x, padded[places], 2 + 2 * axis)
    x = g.node("Transpose", x, perm=(2, 4, 0, 1, 3, 5))
    return g.reshape(x, len(tensors), size[2], view.side, view.side), len(tensors), where


def squared(side):
    """Return `loading.square` as an operation on `(h, w)` arrays."""
    return lambda p: loading.square(p[..., None], side)[0][..., 0]


def flat(g, x):
    """Return pictures `(k, c, h, w)` as rows `(k, h w c)`, the order in which they are stored."""
    return g.reshape(g.node("Transpose", x, perm=(0, 2, 3, 1)), 0, -1)


def of_picture(g, values, count):
    """Return `views.of_picture` `(1,)` of the scores `(count,)` of a picture's windows."""
    if count == 1:
        return values
    oddest, _ = extreme(g, values, max(1, round(TOP * count)), 0)
    return g.node("ReduceMean", oddest, axes=(0,), keepdims=1)


def joined(g, maps, view, where):
    """Return `View.join` `(1, h, w)` of maps `(k, side, side)`."""
    if view.kind == WHOLE:
        return separable(g, maps, lambda m: loading.unsquare(m, where.place), view.side, view.side)
    hann, weights = _weights(where, view.side)
    maps = g.node("Mul", maps, constant(g, hann))
    rows, columns = (_placed(where, view.side, axis) for axis in (0, 1))
    counts = [matrix.shape[1] // view.side for matrix in (rows, columns)]
    maps = g.reshape(maps, *counts, view.side, view.side)
    maps = g.node("Transpose", maps, perm=(0, 2, 1, 3))
    maps = g.reshape(maps, *(count * view.side for count in counts))
    maps = g.node("MatMul", constant(g, rows), maps)
    maps = g.node("MatMul", maps, constant(g, columns.T))
    maps = g.node("Mul", maps, constant(g, 1 / weights))
    return g.reshape(resized(g, maps, where.size, where.shape), 1, *where.shape)


def resized(g, x, before, after):
    """Enlarge maps `(..., h, w)` as `cv2.resize` does by default; sizes are `(h, w)`."""
    height, width = after
    return separable(g, x, lambda m: cv2.resize(m, (width, height)), *before)


def _weights(where, side):
    """Return the Hann window and, a pixel, the sum of those that cover it, as `loading.blend`."""
    hann = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    weight = np.maximum(hann[:, None] * hann[None], 1e-4)
    spread = np.zeros([max(length, side) for length in where.size])
    for y, x in where.corners:
        spread[y : y + side, x : x + side] += weight
    return weight, spread[: where.size[0], : where.size[1]]


def _placed(where, side, axis):
    """Return 0 or 1 `(length, windows * side)`: where the pixels of each window lie."""
    starts, length = np.unique(where.corners[:, axis]), where.size[axis]
    places = (starts[:, None] + np.arange(side)).ravel()
    return (np.arange(length)[:, None] == places).astype(np.float32)
