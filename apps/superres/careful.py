"""An engine that does not give up: too little memory halves the tile, NaN is computed again.

Results do not change: a tile in parts has the same finished pixels, see `tiles`.
"""

from contextlib import suppress

import numpy as np

from gantools.errors import ALL_FAILED, UserError

from . import tiles
from .projection import CONTEXT

SMALLEST = 48  # pixels a side: a tile that does not fit then will not fit at all
BLOCK, FAR = 16, 40  # BLOCK x BLOCK pixels that became black or white, FAR levels from the truth


class Careful:
    """An engine with the same `run`, `prepare`, `scale`, and help where it fails.

    Args:
        engine: An `engine.Engine`.
        spare: Function that returns the engine to ask when a tile of 8 bits goes astray; it takes
            and gives float32 levels.
        reach: Pixels of context that finished pixels need.
    """

    def __init__(self, engine, spare, reach: int):
        self.engine, self.scale, self._spare, self.reach = engine, engine.scale, spare, reach
        self.largest, self.redone = None, 0

    def prepare(self, height: int, width: int) -> None:
        """Compile for tiles of one size; if that fails, `run` will see to it."""
        with suppress(MemoryError, RuntimeError, *_cv2_errors()):
            self.engine.prepare(height, width)

    def run(self, tile: np.ndarray) -> np.ndarray:
        """Return the enlarged tile, see `engine.Engine.run`.

        Raises:
            UserError: the memory is too small even for a small tile, or the network gives NaN.
        """
        height, width = (side - 2 * CONTEXT for side in tile.shape[:2])
        if self.largest is None or max(height, width) <= self.largest:
            try:
                return self._checked(tile, self.engine.run(tile))
            except (MemoryError, RuntimeError, *_cv2_errors()) as error:
                if not _is_about_memory(error):
                    raise
                self.largest = max(height, width) // 2
        if self.largest < max(SMALLEST, 4 * self.reach):
            raise UserError(
                "The memory is too small for this network, even in small tiles. Close other "
                "programs or take a smaller network.", ALL_FAILED,
            )  # fmt: skip
        return self._in_parts(tile, height, width)

    def _in_parts(self, tile, height, width):
        """Return the enlarged tile from smaller ones."""
        parts = tiles.grid(height, width, self.reach, self.largest)
        out = np.empty((height * self.scale, width * self.scale, 3), tile.dtype)
        for part in (part for band in parts.bands for part in band):
            rows = slice(part.y, part.y + parts.height + 2 * CONTEXT)
            columns = slice(part.x, part.x + parts.width + 2 * CONTEXT)
            made = self.run(tile[rows, columns])
            tiles.put(out, made, part, self.scale)
        return out

    def _checked(self, tile, made):
        """Return `made`, or what the spare engine makes of the tile."""
        if tile.dtype == np.float32:
            if not np.isfinite(made.sum(dtype=np.float64)):
                raise UserError(
                    "The network gives no numbers (NaN) for this picture: it is damaged or was "
                    "badly trained.", ALL_FAILED,
                )  # fmt: skip
            return made
        if not _astray(tile[CONTEXT:-CONTEXT, CONTEXT:-CONTEXT], made, self.scale):
            return made
        self.redone += 1
        levels = self._spare().run(tile.astype(np.float32))
        return np.rint(self._checked(tile.astype(np.float32), levels)).astype(np.uint8)


def _astray(low, made, scale):
    """Return whether some part of an 8-bit result is black or white, and the small picture not.

    That is what NaN becomes when it is cast to bytes. One sample a small pixel is enough.
    """
    import cv2

    shown = made[scale // 2 :: scale, scale // 2 :: scale]
    size = tuple(max(1, side // BLOCK) for side in low.shape[1::-1])
    true, made = (
        cv2.resize(np.ascontiguousarray(part), size, interpolation=cv2.INTER_AREA)
        for part in (low, shown)
    )
    extreme = (made == 0) | (made == 255)
    return bool((extreme & (cv2.absdiff(true, made) > FAR)).any())


def _cv2_errors():
    """Return OpenCV's error if it is loaded."""
    import sys

    return (sys.modules["cv2"].error,) if "cv2" in sys.modules else ()


def _is_about_memory(error):
    text = str(error).lower()
    return isinstance(error, MemoryError) or "alloc" in text or "memory" in text
