"""The restorer's parts and maps as nodes of an ONNX graph, see `restoration`."""

import cv2
import numpy as np

from ..detectors import restoration, texture
from ..detectors.auto import mask_level
from ..detectors.memory import Gaussian
from ..detectors.serving import Network
from . import graph_texture
from .graph_pieces import (
    cells,
    constant,
    gaussian,
    mean,
    neighbours,
    picked,
    separable,
    square,
    top_mean,
)
from .graph_views import resized


class RestorerGraph:
    """The networks, added once; the numbers of their outputs on demand.

    Args:
        g: `Graph`.
        x: Name of the pictures `(k, c, h, w)`.
        count: k.
        detector: `auto.Auto`.
    """

    def __init__(self, g, x, count, detector):
        self.g, self.full, self.count, self.detector = g, x, count, detector
        self.shape, self.levels = detector.drawn, detector.levels
        self.x = separable(g, x, self._reduced, *detector.shape[:2])
        self.net = Network(detector.weights, count, g)
        self.sizes = self.net.whole(self.x, self.shape, mask_level(self.shape))
        self.made = {}

    def part(self, name):
        """Return a raw part `(k,)` by its name, as `restoration.parts` gives it.

        Raises:
            KeyError: there is none of that name.
        """
        g = self.g
        memories = self.detector._memories
        if name in memories and name != "patch_knn":
            return self._distance(memories[name], restoration.SOURCES[name[0]])
        return {
            "res_norm_top": lambda: self._top(self._once(self._relative), self.shape[:2], 0.02),
            "residual": lambda: mean(g, self._apart(), 1, 2, 3),
            "ssim": self._ssim,
            "feat": lambda: g.reshape("apart", -1),
            "damaged": lambda: g.reshape("damaged", -1),
            "seg_top": lambda: self._top(g.node("Sigmoid", "mask"), self._coarse(), 0.05),
            "rot_nll": self._turned,
            "patch_knn": lambda: self._top(self._once(self._patches), self._coarse(), 1 / 16),
            "tex_top": lambda: self._top(self._once(self._anywhere), self._fine(), 1 / 16),
            "tex_mean": lambda: mean(g, self._once(self._anywhere), 1, 2),
            "place_top": lambda: self._top(self._once(self._places), self._fine(), 1 / 16),
            "place_mean": lambda: mean(g, self._once(self._places), 1, 2),
            "near_top": lambda: self._top(self._once(self._near), self._finest(), 1 / 16),
            "near_max": lambda: g.node(
                "ReduceMax", self._once(self._near), axes=(1, 2), keepdims=0
            ),
        }[name]()

    def heat(self):
        """Return the heat-maps `(k, h, w)`, as `restoration.heat` gives them."""
        g, space, level = self.g, self.shape[:2], constant(self.g, 1 / float(self.levels["map"]))
        if self.detector.facts["scan"]:
            near = resized(g, self._once(self._near), self._finest(), self.detector.shape[:2])
            return g.node("Mul", near, level)
        mask = g.reshape(g.node("Sigmoid", "mask"), self.count, *self._coarse())
        layers = [
            self._once(self._relative),
            resized(g, mask, self._coarse(), space),
            resized(g, self._once(self._patches), self._coarse(), space),
            resized(g, self._once(self._anywhere), self._fine(), space),
            resized(g, self._once(self._places), self._fine(), space),
        ]
        four = [
            square(g, square(g, g.node("Mul", layer, constant(g, 1 / float(level)))))
            for layer, level in zip(layers, self.levels["maps"], strict=True)
        ]
        root = g.node("Sqrt", g.node("Sqrt", g.node("Mean", *four)))
        return g.node("Mul", root, level)

    def _reduced(self, picture):
        size = self.shape[1::-1]
        return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)

    def _once(self, make):
        name = make.__name__
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def _coarse(self):
        return self.sizes["mask"][1:3]

    def _fine(self):
        return graph_texture.places(self.shape)

    def _finest(self):
        return graph_texture.places(self.detector.shape)

    def _top(self, maps, size, share):
        return top_mean(self.g, maps, int(np.prod(size)), share)

    def _distance(self, memory, source):
        piece = gaussian if isinstance(memory, Gaussian) else neighbours
        return piece(self.g, memory, source)

    def _apart(self):
        """Return |x - R(x)|, `(k, c, h, w)`."""
        made = self.g.node("Transpose", "restored", perm=(0, 3, 1, 2))
        return self.g.node("Abs", self.g.node("Sub", self.x, made))

    def _relative(self):
        blurred = mean(self.g, self._apart(), 1)
        blurred = separable(self.g, blurred, restoration.blurred, *self.shape[:2])
        level = self.levels["residual"]
        scale = 1 / (level + 0.25 * level.mean() + 1e-6)
        return self.g.node("Mul", blurred, constant(self.g, scale))

    def _ssim(self):
        g, a = self.g, self.x
        b = g.node("Transpose", "restored", perm=(0, 3, 1, 2))
        pairs = (a, b, square(g, a), square(g, b), g.node("Mul", a, b))
        window = (restoration.WINDOW,) * 2
        mean_a, mean_b, aa, bb, ab = (
            g.node("AveragePool", one, kernel_shape=window) for one in pairs
        )
        c1, c2 = (constant(g, value) for value in (restoration.C1, restoration.C2))
        two, both = constant(g, 2), g.node("Mul", mean_a, mean_b)
        covariance = g.node("Mul", two, g.node("Sub", ab, both))
        likeness = g.node(
            "Mul", g.node("Add", g.node("Mul", two, both), c1), g.node("Add", covariance, c2)
        )
        squares = [square(g, one) for one in (mean_a, mean_b)]
        variances = [
            g.node("Sub", whole, part) for whole, part in zip((aa, bb), squares, strict=True)
        ]
        size = g.node(
            "Mul", g.node("Add", g.node("Add", *squares), c1),
            g.node("Add", g.node("Add", *variances), c2),
        )  # fmt: skip
        return g.node("Sub", constant(g, 1), mean(g, g.node("Div", likeness, size), 1, 2, 3))

    def _turned(self):
        """Return minus the mean log-probability of the true turn, over four turns."""
        g, (height, width) = self.g, self.shape[:2]
        found = []
        for k, quarter in enumerate(range(4) if height == width else (0, 0, 2, 2)):
            logits = self.net.rotation(self.net.given(self._quarter(quarter)), self.shape)
            logits = g.node("LogSoftmax", logits, axis=1)
            found.append(picked(g, logits, [k], 1))
        return g.node("Neg", mean(g, g.node("Concat", *found, axis=1), 1))

    def _quarter(self, k):
        """Return the pictures turned by k quarters, as `numpy.rot90`."""
        x, (height, width) = self.x, self.shape[:2]
        if k == 1:
            return self.g.node("Transpose", self._flipped(x, 3, width), perm=(0, 1, 3, 2))
        if k == 2:
            return self._flipped(self._flipped(x, 2, height), 3, width)
        return self._flipped(self.g.node("Transpose", x, perm=(0, 1, 3, 2)), 3, width) if k else x

    def _flipped(self, x, axis, length):
        return picked(self.g, x, np.arange(length)[::-1], axis)

    def _patches(self):
        height, width, depth = self.sizes["patches"][1:]
        rows = self.g.reshape("patches", -1, depth)
        near = neighbours(self.g, self.detector._memories["patch_knn"], rows)
        return self.g.reshape(near, self.count, height, width)

    def _anywhere(self):
        g, vectors = self.g, self._once(self._vectors)
        rows = g.reshape(vectors, -1, 2 * texture.PATTERNS + 1)
        near = gaussian(g, self.detector._texture.anywhere, rows)
        return g.reshape(near, self.count, *self._fine())

    def _near(self):
        """Return the distances of `Surroundings.score`.

        Raises:
            KeyError: the normals were no scans.
        """
        known, shape = self.detector._surroundings, self.detector.shape
        if known is None:
            raise KeyError("near")
        return graph_texture.near(self.g, known, self.full, self.count, shape)

    def _vectors(self):
        known = self.detector._texture
        return graph_texture.described(self.g, known, self.x, self.count, self.shape)

    def _places(self):
        return cells(self.g, self.detector._texture.places, self._once(self._vectors))
