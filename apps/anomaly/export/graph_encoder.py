"""The encoder's parts and maps as nodes of an ONNX graph, see `encoder`."""

from functools import cached_property

import cv2

from ..detectors import efficientnet, encoder
from ..detectors.memory import Gaussian
from .graph_foreground import foreground
from .graph_pieces import (
    cells,
    constant,
    gaussian,
    mean,
    nearby,
    neighbours,
    separable,
    top_mean,
    unit,
)
from .graph_views import resized


class EncoderLooks:
    """The network, added once for all detectors that look with it.

    Args:
        g: `Graph`.
        x: Name of the pictures `(k, c, h, w)`.
        count: k.
        detector: `encoder.Encoder`: its size and channels.
    """

    def __init__(self, g, x, count, detector):
        side, (height, width, channels) = detector.side, detector.shape
        self.shown, self.shape = x, detector.shape
        x = separable(g, x, lambda p: encoder._resized(p[..., None], side)[..., 0], height, width)
        x = g.node("Clip", x, constant(g, -1), constant(g, 1))
        efficientnet.graph(efficientnet.load_weights(), side, channels, count, into=(g, x))
        self.g, self.count, self.side = g, count, side // 16
        self.seen = {"late": "late", "last": "last", "gap": self._gap(), "cells": self._cells()}

    @cached_property
    def inside(self):
        """Where the object of scans is, bool `(k, side / 16, side / 16)`, as `Encoder._inside`."""
        g, (height, width, _) = self.g, self.shape
        masks = [
            foreground(g, g.cut(self.shown, 0, i, i + 1), self.shape) for i in range(self.count)
        ]
        masks = masks[0] if self.count == 1 else g.node("Concat", *masks, axis=0)

        def reduced(mask):
            return cv2.resize(mask, (self.side,) * 2, interpolation=cv2.INTER_AREA)

        masks = g.reshape(separable(g, masks, reduced, height, width), 0, self.side, self.side)
        return g.node("Greater", masks, constant(g, 0.5))

    def _gap(self):
        means = [mean(self.g, name, 1, 2) for name in ("fine", "coarse")]
        return self.g.node("Concat", *means, axis=1)

    def _cells(self):
        side = self.side
        fine = self.g.reshape("fine", self.count, side, 2, side, 2, -1)
        both = [unit(self.g, x) for x in (mean(self.g, fine, 2, 4), "coarse")]
        return self.g.node("Concat", *both, axis=3)


class EncoderGraph:
    """One detector's distances.

    Args:
        looks: `EncoderLooks`.
        detector: `encoder.Encoder`.
    """

    def __init__(self, looks, detector):
        self.looks, self.detector, self.g = looks, detector, looks.g
        self.made = {}

    def part(self, name):
        """Return a raw part `(k,)` by its name, as `Encoder.parts` gives it.

        Raises:
            KeyError: there is none of that name.
        """
        g, side = self.g, self.looks.side
        if name in encoder.WHOLE:
            source, kind, _ = encoder.MEMORIES[name]
            piece = gaussian if kind is Gaussian else neighbours
            return piece(g, self.detector._memories[name], self.looks.seen[source])
        maps, how = {
            "enc_patch_mean": ("patches", "mean"),
            "enc_patch_top": ("patches", "top"),
            "enc_patch_max": ("patches", "max"),
            "enc_cell_top": ("cells", "top"),
            "enc_cell_mean": ("cells", "mean"),
            "enc_near_max": ("nearby", "max"),
            "enc_near_top": ("nearby", "top"),
        }[name]
        near = self._maps(maps)
        if how == "top":
            return top_mean(g, near, side * side, 1 / 16)
        kind = "ReduceMax" if how == "max" else "ReduceMean"
        return g.node(kind, near, axes=(1, 2), keepdims=0)

    def heat(self):
        """Return the heat-maps `(k, h, w)`, as `Encoder.maps` gives them."""
        side = self.looks.side
        facts = self.detector.facts
        near = self._maps("nearby" if facts["scan"] else "cells" if facts["aligned"] else "patches")
        near = resized(self.g, near, (side, side), self.detector.shape[:2])
        return self.g.node("Mul", near, constant(self.g, 1 / self.detector.level))

    def _maps(self, name):
        """Return the distances of all places, `(k, side / 16, side / 16)`."""
        if name not in self.made:
            make = {"cells": cells, "nearby": self._nearby, "patches": self._near}[name]
            memory, x = self.detector._memories[name], self.looks.seen["cells"]
            self.made[name] = make(self.g, memory, x)
        return self.made[name]

    def _near(self, g, memory, x):
        rows = g.reshape(x, -1, memory.vectors.shape[1])
        near = neighbours(g, memory, rows)
        near = g.reshape(near, self.looks.count, self.looks.side, self.looks.side)
        if not self.detector.facts["scan"]:
            return near
        least = g.node("ReduceMin", near, axes=(1, 2), keepdims=1)
        return g.node("Where", self.looks.inside, near, least)

    def _nearby(self, g, memory, x):
        near = nearby(g, memory, self.looks.seen["gap"], x)
        return g.node("Where", self.looks.inside, near, constant(g, 0))
