"""The reference rows as nodes of an ONNX graph: items in, raw scores out."""

import cv2
import numpy as np

from ..detectors import references, simple
from .graph_pieces import constant, indices, mean, nearest, separable, square, total
from .graph_views import flat, resized


def score(g, row, x):
    """Return `row.score` `(n,)` of items `(n, d)`.

    Args:
        g: `Graph`.
        row: A fitted reference.
        x: Name of the items.

    Raises:
        KeyError: a kind of row that has no graph.
    """
    return _KINDS[type(row)](g, row, x)


def residual(g, plane, x):
    """Return `references.Pca.residual` `(n, d)`."""
    centred = g.node("Sub", x, constant(g, plane.mean))
    along = g.node("MatMul", centred, constant(g, plane.axes.T))
    return g.node("Sub", centred, g.node("MatMul", along, constant(g, plane.axes)))


class SimpleGraph:
    """The detector of the reference rows: no parts of its own, maps by a plane.

    Args:
        g: `Graph`.
        x: Name of the pictures `(k, c, h, w)`.
        count: k.
        detector: `simple.Simple`.
    """

    def __init__(self, g, x, count, detector):
        self.g, self.x, self.count, self.detector = g, x, count, detector

    def part(self, name):
        """Raise KeyError: every part is a reference row."""
        raise KeyError(name)

    def heat(self):
        """Return the heat-maps `(k, h, w)`, as `Simple.maps` gives them."""
        g, side, (height, width, channels) = self.g, simple.SIDE, self.detector.shape
        small = separable(g, self.x, simple.reduced, height, width)
        apart = g.node("Abs", residual(g, self.detector.plane, flat(g, small)))
        apart = mean(g, g.reshape(apart, self.count, side, side, channels), 3)
        apart = separable(g, apart, lambda p: cv2.GaussianBlur(p, (0, 0), 1), side, side)
        apart = resized(g, apart, (side, side), (height, width))
        return g.node("Mul", apart, constant(g, 1 / self.detector.level))


def _knn(g, row, x):
    k = min(row.neighbours, len(row.normals))
    few = min(2 * k + 5, len(row.normals))
    centred = g.node("Sub", x, constant(g, row.mean))
    return mean(g, g.node("Sqrt", nearest(g, row.normals, centred, k, few)), 1)


def _pca(g, row, x):
    return mean(g, square(g, residual(g, row, x)), 1)


def _mahalanobis(g, row, x):
    white = g.node("MatMul", g.node("Sub", x, constant(g, row.mean)), constant(g, row.whiten))
    return total(g, square(g, white), 1)


def _forest(g, row, x):
    """Walk all trees at once, as many steps as the deepest has; a leaf is its own child."""
    s = row.state
    left, right, column = (indices(g, s[key]) for key in ("left", "right", "column"))
    cut, columns = constant(g, _below(s["cut"])), g.node("Transpose", x, perm=(1, 0))
    count = g.cut(g.node("Shape", x), 0, 0, 1)
    every = g.node("Concat", g.numbers(len(s["left"])), count, axis=0)
    node = g.node("Expand", g.numbers(0), every)  # (trees, n)

    def here(values):
        return g.node("GatherElements", values, node, axis=1)

    for _ in range(_depth(s)):
        value = g.node("GatherElements", columns, here(column), axis=0)
        low = g.node("LessOrEqual", value, here(cut))
        node = g.node("Where", low, here(left), here(right))
    paths = total(g, here(constant(g, s["depth"])), 0)
    typical = len(s["left"]) * float(s["typical"][0])
    return g.node("Pow", constant(g, 2), g.node("Mul", paths, constant(g, -1 / typical)))


def _depth(s):
    """Return the steps from the root after which every walk stands on a leaf."""
    trees, at = np.arange(len(s["left"]))[:, None], np.zeros((len(s["left"]), 1), int)
    for steps in range(s["left"].shape[1]):
        below = np.concatenate([s["left"][trees, at], s["right"][trees, at]], axis=1)
        if (below == np.concatenate([at, at], axis=1)).all():
            return steps
        at = _few(below)
    raise AssertionError("a tree without leaves")


def _few(nodes):
    """Keep every node of a tree once, rows filled up with the last one."""
    kept = [np.unique(row) for row in nodes]
    most = max(len(row) for row in kept)
    return np.stack([np.pad(row, (0, most - len(row)), mode="edge") for row in kept])


def _below(cuts):
    """Return the largest float32 at most each cut: `x <= cut` is then the same for float32 x."""
    rounded = cuts.astype(np.float32)
    return np.where(rounded > cuts, np.nextafter(rounded, np.float32(-np.inf)), rounded)


_KINDS = {
    references.Knn: _knn,
    references.Pca: _pca,
    references.Mahalanobis: _mahalanobis,
    references.Forest: _forest,
}
