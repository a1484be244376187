"""What a network trained on photos makes of a picture: vectors of the whole, and of every place.

Layers of many depths together: early ones know edges and grain, late ones know things. Each is
brought to one grid and to length 1, so that none outweighs the others.

Source: joining layers at every place is Cohen and Hoshen 2020, arXiv 2005.02357, and PaDiM, Defard
et al. 2020, arXiv 2011.08785.
"""

import cv2
import numpy as np

from ..settings import MOST_LOOKED
from . import efficientnet
from .engine import Engine
from .memory import unit

BATCH = 16
SIDES = {48: 96, 192: 160, 224: 224}  # pictures up to so many pixels are shown at that size
STEP = 32  # pixels by which larger ones are rounded up
WIDE = ("first", "fine", "middle", "coarse", "deep")  # layers of the vectors "whole" and "wide"


class Looks:
    """The network, and how its layers become vectors.

    With s = side / 16 places a side, of n pictures:

        "gap"    (n, 152)        means of the layers "fine" and "coarse"
        "whole"  (n, 448)        means of the layers `WIDE`
        "late"   (n, 192)        mean of "deep"
        "last"   (n, 320)        mean of "deepest"
        "cells"  (n, s, s, 152)  "fine" and "coarse"
        "wide"   (n, s, s, 448)  the layers `WIDE`
        "deep"   (n, s / 2, s / 2, 512)  "deep" and "deepest"

    Args:
        side: Pixels at which pictures are shown, a multiple of 32.
        channels: 1 or 3.
        threads: Processor threads; None leaves it to the engine.

    Raises:
        UserError: the extra is not installed.
    """

    def __init__(self, side, channels, threads=None):
        self.side = side
        content, names = efficientnet.graph(efficientnet.load_weights(), side, channels, BATCH)
        self._engine = Engine(content, BATCH, names, threads=threads)

    def of(self, pictures, rows):
        """Yield `(rows, vectors by name)` of some pictures `(n, h, w, c)`, a few at a time."""
        for first in range(0, len(rows), BATCH):
            where = rows[first : first + BATCH]
            shown = np.stack([resized(pictures[row], self.side) for row in where])
            yield where, vectors(self._engine.run(shown))


def vectors(out):
    """Return the vectors of the network's layers, see `Looks`."""
    side = out["coarse"].shape[1]
    means = {name: layer.mean(axis=(1, 2)) for name, layer in out.items()}
    laid = {name: unit(on_grid(out[name], side)) for name in WIDE}
    return {
        "gap": np.concatenate([means["fine"], means["coarse"]], axis=1),
        "whole": np.concatenate([means[name] for name in WIDE], axis=1),
        "late": means["deep"],
        "last": means["deepest"],
        "cells": np.concatenate([laid["fine"], laid["coarse"]], axis=-1),
        "wide": np.concatenate([laid[name] for name in WIDE], axis=-1),
        "deep": np.concatenate([unit(out["deep"]), unit(out["deepest"])], axis=-1),
    }


def on_grid(layer, side):
    """Return a layer `(n, h, h, c)` on a grid of `side`: averaged, or doubled linearly."""
    n, own, _, depth = layer.shape
    if own < side:
        twice = doubling(own)
        across = np.matmul(twice, layer)  # a matrix product a picture: no batch changes a bit
        return np.matmul(twice, across.reshape(n, own, -1)).reshape(n, side, side, depth)
    block = own // side
    return layer.reshape(n, side, block, side, block, depth).mean(axis=(2, 4))


def doubling(count):
    """Return `(2 count, count)` float32: the linear interpolation of OpenCV along one axis."""
    return cv2.resize(np.eye(count, dtype=np.float32), (count, 2 * count))


def side_for(longest):
    """Return the pixels at which pictures of a longest side are shown to the network."""
    larger = min(-(-longest // STEP) * STEP, MOST_LOOKED)
    return next((s for most, s in SIDES.items() if most >= longest), larger)


def resized(picture, side):
    """Resize a picture `(h, w, c)` to the network's size."""
    larger = min(picture.shape[:2]) > side
    method = cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    found = cv2.resize(picture, (side, side), interpolation=method)
    return np.clip(found.reshape(side, side, -1), -1.0, 1.0)
