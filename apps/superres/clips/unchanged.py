"""Planes of a clip enlarged one after the other: what has not changed is not computed again.

A tile whose pixels, context included, are those of the frame before keeps its result. That is
exact, because a finished pixel depends on its tile and nothing else (see `tiles`).

Flicker is damped where a frame is nearly the one before. With x the small frame, U the bicubic
enlargement, S the network's answer and y the result, the detail that the network added, r = S - U x
without damping, is blended with that of the frame before, which stays where it was:

    y_t = U x_t + (1 - m) (S_t - U x_t) + m (y_{t-1} - U x_{t-1})
        = S_t + m (y_{t-1} + U (x_t - x_{t-1}) - S_t)
    m   = M max(0, 1 - d / T),   d = max(mean |x_t - x_{t-1}|, max |x_t - x_{t-1}| / 4)

with mean and maximum over 5x5 small pixels, M = 4/5, and T = 5 levels of 255. In a still scene
y_{t-1} = S_t, so nothing changes; what moves with a contrast of 20 levels has m = 0. Of the flicker
that `fast` x2 adds to noise of one level beyond what bicubic enlargement has, less than half is
left, which a test holds.
"""

import numpy as np

from gantools.data.resample import Resizer

from .. import tiles
from ..projection import CONTEXT
from ..upscaler import Upscaler

SMALL = 96  # pixels a side of the tiles that are compared: 64 without the context of `fast`
BLEND, STILL, AROUND = 0.8, 5.0, 5  # M, T and the window of the formula above
OVERHEAD = 1.15  # of small tiles, beside their area


class Canvas:
    """Enlarge the luma of a clip, frame by frame.

    Args:
        upscaler: The networks and their engine.
        old, new: `(height, width)` of a frame before and after.
        top: Highest code of a sample: 255 for uint8, else for uint16.
        damped: Whether to damp flicker.
        reuse: Whether unchanged tiles keep their result; without it everything is computed.

    Attributes:
        seen, reused: Tiles so far, and how many of them were not computed.
    """

    def __init__(
        self, upscaler: Upscaler, old: tuple[int, int], new: tuple[int, int], top: int = 255, *,
        damped: bool = True, reuse: bool = True,
    ):  # fmt: skip
        networks = upscaler.passes(*old, new)
        self._passes, self._size, self._top = [], tuple(new), top
        for i, network in enumerate(networks):
            last = i == len(networks) - 1
            self._passes.append(_Pass(upscaler, network, old, top, damped and last, reuse))
            old = tuple(side * network.scale for side in old)
        self._made, self._finished = old, None

    def enlarge(self, luma: np.ndarray) -> np.ndarray:
        """Return the next frame's luma, enlarged; valid until the next one, not to be changed."""
        changed = False
        for step in self._passes:
            luma, changed = step.run(luma)
        if self._made == self._size:
            return luma
        if changed or self._finished is None:
            rows = Resizer(self._made, self._size, 1).rows(luma[:, :, None])[:, :, 0]
            self._finished = np.rint(np.clip(rows, 0, self._top)).astype(luma.dtype)
        return self._finished

    @property
    def seen(self) -> int:
        """Return the tiles so far."""
        return sum(step.seen for step in self._passes)

    @property
    def reused(self) -> int:
        """Return the tiles so far that were not computed."""
        return sum(step.reused for step in self._passes)

    def memory(self) -> dict[str, np.ndarray]:
        """Return what the next frame depends on, as arrays; empty before the first frame."""
        return {
            f"{name}{i}": array
            for i, step in enumerate(self._passes)
            for name, array in (("low", step.low), ("made", step.made))
            if array is not None
        }

    def remember(self, memory: dict[str, np.ndarray]) -> None:
        """Go on after what `memory` returned."""
        for i, step in enumerate(self._passes):
            step.low, step.made = memory[f"low{i}"], memory[f"made{i}"]


class _Pass:
    """One network on one frame after the other."""

    def __init__(self, upscaler, network, size, top, damped, reuse):
        self.runner, self.scale = upscaler.runner(network, top > 255), network.scale
        self.large = upscaler.grid(*size, network)
        self.small = upscaler.grid(*size, network, largest=SMALL)
        self.top, self.damped, self.reuse = top, damped, reuse
        self.low = self.made = None
        self.seen = self.reused = 0
        self._fresh = np.empty([side * self.scale for side in size], _kind(top))

    def run(self, low):
        """Return the enlarged plane and whether it differs from the one before."""
        finished = [tile for band in self.small.bands for tile in band]
        changed = [tile for tile in finished if self._has_changed(tile, low)]
        self.seen += len(finished)
        self.reused += len(finished) - len(changed)
        if changed:
            self._compute(changed, low)
            fresh = self._fresh
            if self.damped and self.low is not None:
                fresh = damped(fresh, self.made, low, self.low, self.top)
            self.made = np.empty_like(fresh) if self.made is None else self.made
            for tile in changed:
                rows = slice(tile.top * self.scale, tile.bottom * self.scale)
                columns = slice(tile.left * self.scale, tile.right * self.scale)
                self.made[rows, columns] = fresh[rows, columns]
        self.low = low
        return self.made, bool(changed)

    def _has_changed(self, tile, low):
        """Return whether anything that a tile's result depends on has changed."""
        if self.low is None or not self.reuse:
            return True
        # The network's context is in the tile; beyond it lie the pixels of the bicubic base.
        rows = slice(max(tile.y - CONTEXT, 0), tile.y + self.small.height + CONTEXT)
        columns = slice(max(tile.x - CONTEXT, 0), tile.x + self.small.width + CONTEXT)
        return not np.array_equal(low[rows, columns], self.low[rows, columns])

    def _compute(self, changed, low):
        """Put the network's answer into `_fresh`, at least where the changed tiles are."""
        large = [tile for band in self.large.bands for tile in band]
        large = [tile for tile in large if any(_overlap(tile, other) for other in changed)]
        areas = [grid.height * grid.width for grid in (self.small, self.large)]
        small = OVERHEAD * len(changed) * areas[0] < len(large) * areas[1]
        padded = np.pad(low, CONTEXT, mode="symmetric")
        grid = self.small if small else self.large
        for tile in changed if small else large:
            rows = slice(tile.y, tile.y + grid.height + 2 * CONTEXT)
            columns = slice(tile.x, tile.x + grid.width + 2 * CONTEXT)
            tiles.put(self._fresh, self._answer(padded[rows, columns]), tile, self.scale)

    def _answer(self, tile):
        """Return what the network makes of a tile, `(h * scale, w * scale)`."""
        import cv2

        if self.top > 255:
            tile = tile.astype(np.float32) * np.float32(255 / self.top)
        made = self.runner.run(np.repeat(tile[:, :, None], 3, axis=2))
        grey = cv2.cvtColor(made, cv2.COLOR_RGB2GRAY)
        if self.top == 255:
            return grey
        return np.rint(grey * np.float32(self.top / 255)).astype(np.uint16)


def damped(
    fresh: np.ndarray, made: np.ndarray, low: np.ndarray, before: np.ndarray, top: int = 255
) -> np.ndarray:
    """Return the network's answer with less flicker: y_t of the formula of this module.

    Args:
        fresh: `(h * s, w * s)`, the network's answer S_t.
        made: The result before, y_{t-1}.
        low, before: `(h, w)`, the small frame x_t and the one before.
        top: Highest code.
    """
    import cv2

    change = low.astype(np.float32) - before.astype(np.float32)
    share = sameness(change * np.float32(255 / top))
    if not share.any():
        return fresh
    size = fresh.shape[::-1]
    share = cv2.resize(share, size, interpolation=cv2.INTER_LINEAR)
    old = cv2.resize(change, size, interpolation=cv2.INTER_CUBIC)
    old += made
    new = fresh.astype(np.float32)
    old -= new
    old *= share
    old += new
    return np.rint(np.clip(old, 0, top, out=old), out=old).astype(fresh.dtype)


def sameness(change: np.ndarray) -> np.ndarray:
    """Return m of the formula of this module, `(h, w)` float32 from 0 to M.

    Args:
        change: `(h, w)` float32, difference of two frames in levels of 255.
    """
    import cv2

    change = np.abs(change)
    mean = cv2.blur(change, (AROUND, AROUND))
    most = cv2.dilate(change, np.ones((AROUND, AROUND), np.uint8))
    d = np.maximum(mean, most / 4)
    return (BLEND * np.clip(1 - d / STILL, 0, 1)).astype(np.float32)


def _kind(top):
    return np.uint8 if top == 255 else np.uint16


def _overlap(a, b):
    """Return whether two tiles finish a pixel both."""
    return a.top < b.bottom and b.top < a.bottom and a.left < b.right and b.left < a.right
