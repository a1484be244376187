"""An engine that does not give up: too little memory halves the tile, NaN is computed again.

Results do not change: a tile in parts has the same finished pixels, see `tiles`. And an engine that
must first show that it is right: bfloat16 is used only if it makes of a patch what float32 makes.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import numpy as np

from gantools.errors import ALL_FAILED, UserError

from . import tiles
from .projection import CONTEXT

SMALLEST = 48  # pixels a side: a tile that does not fit then will not fit at all
PATCH, AGREED = 48, 0.5  # pixels a side compared; levels, root mean square, that nobody sees
BLOCK, FAR = 16, 40  # BLOCK x BLOCK pixels that became black or white, FAR levels from the truth


class Careful:
    """An engine with the same `run`, `prepare`, `scale`, and help where it fails.

    Args:
        engine: An `engine.Engine`.
        spare: Function that returns the engine to ask when a tile of 8 bits goes astray, and once
            about bfloat16; it takes and gives float32 levels.
        reach: Pixels of context that finished pixels need.

    Attributes:
        largest: Side of a tile that the memory holds, None while nothing has failed.
        redone: Tiles that were computed again.
        apart: Levels, root mean square, that bfloat16 was from float32; None if not compared.
    """

    def __init__(self, engine, spare, reach: int):
        self.engine, self.scale, self._spare, self.reach = engine, engine.scale, spare, reach
        self.largest, self.redone, self.apart = None, 0, None
        self._unproven = engine.precision == "bf16"

    def prepare(self, height: int, width: int) -> None:
        """Compile for tiles of one size; if that fails, `run` will see to it."""
        with suppress(MemoryError, RuntimeError, *_cv2_errors()), ThreadPoolExecutor(1) as beside:
            proof = beside.submit(self._prove)
            self.engine.prepare(height, width)
            proof.result()

    def run(self, tile: np.ndarray) -> np.ndarray:
        """Return the enlarged tile, see `engine.Engine.run`.

        Raises:
            UserError: the memory is too small even for a small tile, or the network gives NaN.
        """
        height, width = (side - 2 * CONTEXT for side in tile.shape[:2])
        if self.largest is None or max(height, width) <= self.largest:
            try:
                self._prove()
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

    def _prove(self):
        """Compare bfloat16 with float32 once, and leave it if they differ.

        The patch is always the same, so that the choice, and with it every result, depends on the
        network and the machine alone and not on which picture comes first.
        """
        if not self._unproven:
            return
        patch = _textured()
        with ThreadPoolExecutor(1) as beside:  # both compile for the patch: half of the time
            ready = beside.submit(self.engine.prepare, PATCH, PATCH)
            wanted = np.rint(self._spare().run(patch.astype(np.float32)))
            ready.result()
        error = wanted - self.engine.run(patch)
        self.apart = float(np.sqrt(np.mean(error * error)))
        if not self.apart <= AGREED:  # NaN is not
            self.engine.use_float32()
        self._unproven = False

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
        if not _astray(tile[CONTEXT:-CONTEXT, CONTEXT:-CONTEXT], made):
            return made
        self.redone += 1
        levels = self._spare().run(tile.astype(np.float32))
        return np.rint(self._checked(tile.astype(np.float32), levels)).astype(np.uint8)


def _textured():
    """Return a patch with edges and fine texture, `(56, 56, 3)` uint8, its context included."""
    side = PATCH + 2 * CONTEXT
    blocks = 40 + _scattered(side // 8) % 176
    fine = _scattered(side) % 81 - 40
    return (blocks.repeat(8, axis=0).repeat(8, axis=1) + fine).astype(np.uint8)


def _scattered(side):
    """Return `(side, side, 3)` whole numbers without order; importing numpy.random takes 12 ms."""
    x = np.arange(1, 3 * side * side + 1, dtype=np.uint32)
    for _ in range(2):  # multiply and shift until neighbours have nothing in common
        x = (x ^ x >> 16) * np.uint32(0x45D9F3B)
    return (x >> 16).astype(int).reshape(side, side, 3)


def _astray(low, made):
    """Return whether some part of an 8-bit result is black or white, and the small picture not.

    That is what NaN becomes when it is cast to bytes. One sample a small pixel is enough.
    """
    import cv2

    shown = cv2.resize(
        made, low.shape[1::-1], interpolation=cv2.INTER_NEAREST
    )  # faster than a slice
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
