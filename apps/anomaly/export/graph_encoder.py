"""The encoder's parts and maps as nodes of an ONNX graph, see `encoder`."""

from functools import cached_property, partial

from ..detectors import efficientnet, encoder, looks
from ..detectors.memory import Cells, Gaussian
from .graph_foreground import at_places
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

STRIDES = {"first": 4, "fine": 8, "middle": 16, "coarse": 16, "deep": 32}  # of layers, in pixels


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
        x = separable(g, x, lambda p: looks.resized(p[..., None], side)[..., 0], height, width)
        x = g.node("Clip", x, constant(g, -1), constant(g, 1))
        efficientnet.graph(efficientnet.load_weights(), side, channels, count, into=(g, x))
        self.g, self.count, self.side = g, count, side // 16
        self.seen = self._vectors()

    @cached_property
    def inside(self):
        """Where the object of scans is, bool `(k, side / 16, side / 16)`."""
        return at_places(self.g, self.shown, self.count, self.shape, (self.side,) * 2)

    def _vectors(self):
        """Return the names of `looks.vectors`."""
        g, joined = self.g, partial(self.g.node, "Concat")
        means = {name: mean(g, name, 1, 2) for name in efficientnet.TAPS.values()}
        laid = {name: unit(g, self._on_grid(name)) for name in looks.WIDE}
        return {
            "gap": joined(means["fine"], means["coarse"], axis=1),
            "whole": joined(*(means[name] for name in looks.WIDE), axis=1),
            "late": means["deep"],
            "last": means["deepest"],
            "cells": joined(laid["fine"], laid["coarse"], axis=3),
            "wide": joined(*(laid[name] for name in looks.WIDE), axis=3),
            "deep": joined(unit(g, "deep"), unit(g, "deepest"), axis=3),
        }

    def _on_grid(self, name):
        g, side, stride = self.g, self.side, STRIDES[name]
        if stride == 16:
            return name
        if stride > 16:
            twice = constant(g, looks.doubling(side // 2))
            across = g.reshape(g.node("MatMul", twice, name), self.count, side // 2, -1)
            return g.reshape(g.node("MatMul", twice, across), self.count, side, side, -1)
        block = 16 // stride
        return mean(g, g.reshape(name, self.count, side, block, side, block, -1), 2, 4)


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
        g = self.g
        if name in encoder.WHOLE:
            source, kind, _ = encoder.MEMORIES[name]
            piece = gaussian if kind is Gaussian else neighbours
            return piece(g, self.detector._memories[name], self.looks.seen[source])
        places, share = encoder.PARTS[name]
        near = self._apart(places)
        if share == 1:
            return mean(g, near, 1, 2)
        return top_mean(g, near, self._side(places) ** 2, share)

    def heat(self):
        """Return the heat-maps `(k, h, w)`, as `Encoder.maps` gives them."""
        g, size, layers = self.g, self.detector.shape[:2], []
        for name, offset, span in self.detector.layers:
            large = resized(g, self._apart(name), (self._side(name),) * 2, size)
            apart = g.node("Sub", large, constant(g, offset))
            layers.append(g.node("Mul", apart, constant(g, 1 / span)))
        heat = g.node("Mean", *layers) if len(layers) > 1 else layers[0]
        heat = g.node("Max", heat, constant(g, 0))
        return g.node("Mul", heat, constant(g, 1 / self.detector.level))

    def _side(self, places):
        """Return how many places a side the distances of that name have."""
        deep = places in encoder.MEMORIES and encoder.MEMORIES[places][0] == "deep"
        return self.looks.side // 2 if deep else self.looks.side

    def _apart(self, name):
        """Return the distances of all places `(k, places, places)`, as `Encoder._apart`."""
        if name not in self.made:
            self.made[name] = self._measured(name)
        return self.made[name]

    def _measured(self, name):
        g, memory = self.g, self.detector._memories[name]
        if name == "nearby":
            near = nearby(g, memory, self.looks.seen["gap"], self._wide)
            return g.node("Where", self.looks.inside, near, constant(g, 0))
        source, kind, _ = encoder.MEMORIES[name]
        x = self._wide if source == "wide" else self.looks.seen[source]
        if kind is Cells:
            return cells(g, memory, x)
        piece = gaussian if kind is Gaussian else neighbours
        depth = len(memory.mean) if kind is Gaussian else memory.vectors.shape[1]
        near = g.reshape(piece(g, memory, g.reshape(x, -1, depth)), -1, *(self._side(name),) * 2)
        if not (self.detector.facts["scan"] and name in encoder.WITHIN_OBJECT):
            return near
        least = g.node("ReduceMin", near, axes=(1, 2), keepdims=1)
        return g.node("Where", self.looks.inside, near, least)

    @cached_property
    def _wide(self):
        return self.g.node(
            "MatMul", self.looks.seen["wide"], constant(self.g, self.detector._basis)
        )
