"""Cut a picture into tiles for a network so that no seam can exist.

A tile carries as much context as the network can see (the plan's radius) on every side where the
picture goes on, and none where the picture ends: there the network's own zero padding stands where
it stood in training. So every finished pixel depends on exactly the numbers that the whole picture
would have given it. All tiles of a picture have one shape, because an engine compiles for a shape;
tiles at the far edges are moved inwards instead of being cut.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gantools.data.resample import resize

from .projection import CONTEXT

LARGEST = 512  # pixels a side: 0.3 GB at x4; larger ones are not faster
STEP = 32  # sizes are rounded up to this, so that a folder of many sizes needs few shapes


@dataclass(frozen=True)
class Tile:
    """One run of the network.

    Attributes:
        y, x: The tile's first row and column in the picture.
        top, bottom, left, right: The part of the picture that it finishes.
    """

    y: int
    x: int
    top: int
    bottom: int
    left: int
    right: int


@dataclass(frozen=True)
class Grid:
    """All tiles of a picture: `bands` from top to bottom, each from left to right."""

    height: int
    width: int
    bands: tuple[tuple[Tile, ...], ...]


def grid(
    height: int, width: int, radius: int, largest: int = LARGEST, tallest: int | None = None
) -> Grid:
    """Return the tiles of a picture of `height` x `width` pixels.

    Args:
        height, width: Size of the picture.
        radius: Context that the network needs, see `Network.reach`.
        largest: Largest side of a tile, context included; at least 4 times the radius is taken.
        tallest: Largest height of a tile, if it is not `largest`: for very wide pictures.
    """
    largest = max(largest, 4 * radius)
    tile_height, rows = _axis(height, radius, max(min(largest, tallest or largest), 4 * radius))
    tile_width, columns = _axis(width, radius, largest)
    bands = tuple(
        tuple(Tile(y, x, top, bottom, left, right) for x, left, right in columns)
        for y, top, bottom in rows
    )
    return Grid(tile_height, tile_width, bands)


def enlarged(pixels: np.ndarray, engine, tiles: Grid, scale: int) -> Iterator[np.ndarray]:
    """Yield the enlarged picture in finished bands, from top to bottom.

    Args:
        pixels: `(h, w, 3)` RGB: uint8, or for an engine of deep pictures uint16, or float32 levels
            from 0 to 255.
        engine: Made by `engine.open_engine` for that depth.
        tiles: Result of `grid` for this size.
        scale: Enlargement of the engine's network.

    Yields:
        `(rows, w * scale, 3)` arrays of the dtype of `pixels`, valid until the next one.
    """
    border = ((CONTEXT, CONTEXT), (CONTEXT, CONTEXT), (0, 0))
    padded = np.pad(pixels, border, mode="symmetric")
    for band in tiles.bands:
        finished = None
        for tile in band:
            rows = slice(tile.y, tile.y + tiles.height + 2 * CONTEXT)
            columns = slice(tile.x, tile.x + tiles.width + 2 * CONTEXT)
            made = _run(engine, padded[rows, columns])
            if len(band) == 1:
                finished = made[(tile.top - tile.y) * scale : (tile.bottom - tile.y) * scale]
                break
            if finished is None:
                rows = (tile.bottom - tile.top) * scale
                finished = np.empty((rows, pixels.shape[1] * scale, 3), pixels.dtype)
            put(finished, made, _lowered(tile), scale)
        yield finished


def _lowered(tile):
    """Return the tile as it lies in its own band."""
    return replace(tile, y=tile.y - tile.top, top=0, bottom=tile.bottom - tile.top)


def put(out: np.ndarray, made: np.ndarray, tile: Tile, scale: int) -> None:
    """Put the finished part of an enlarged tile into its place in `out`."""
    part = made[(tile.top - tile.y) * scale : (tile.bottom - tile.y) * scale]
    part = part[:, (tile.left - tile.x) * scale : (tile.right - tile.x) * scale]
    rows = slice(tile.top * scale, tile.bottom * scale)
    out[rows, tile.left * scale : tile.right * scale] = part


def bicubic(tile: np.ndarray, scale: int) -> np.ndarray:
    """Return the exact bicubic enlargement of a tile with 4 pixels of context, without them.

    Args:
        tile: `(h + 8, w + 8)` or `(h + 8, w + 8, c)`, any dtype.
        scale: Enlargement.

    Returns:
        `(h * scale, w * scale[, c])` float32, neither rounded nor clipped.
    """
    cut = slice(CONTEXT * scale, -CONTEXT * scale)
    return resize(tile.astype(np.float32), scale)[cut, cut]


def _axis(length: int, radius: int, largest: int) -> tuple[int, list[tuple[int, int, int]]]:
    """Return the size of the tiles along one axis, and `(start, first, end)` of each one."""
    if length <= largest:
        return length, [(0, 0, length)]
    count = -(-(length - 2 * radius) // (largest - 2 * radius))
    size = -(-(length + (count - 1) * 2 * radius) // count)
    size = min(-(-size // STEP) * STEP, largest, length)
    starts = [min(i * (size - 2 * radius), length - size) for i in range(count)]
    edges = [0, *(start + size - radius for start in starts[:-1]), length]
    return size, [(start, *ends) for start, ends in zip(starts, pairwise(edges), strict=True)]


def _run(engine, tile: np.ndarray) -> np.ndarray:
    """Return the enlarged tile in its own dtype; deep ones pass the engine as levels 0 to 255."""
    if tile.dtype != np.uint16:
        return engine.run(tile)
    levels = engine.run(tile.astype(np.float32) / np.float32(257))
    return np.rint(levels * np.float32(257)).astype(np.uint16)
