"""What enlarging a picture will need: memory, time, bytes; and the tile that fits a budget."""

from dataclasses import dataclass
from math import prod
from time import perf_counter

import numpy as np

from gantools.errors import UserError

from . import tiles
from .model import Network
from .projection import CONTEXT
from .served import bytes_a_pixel
from .upscaler import Upscaler

PROCESS = 130 << 20  # bytes of the program with an engine, before a picture comes
PROBE = 96  # pixels a side of the tile that tells the speed
MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Estimate:
    """What one picture will need: bytes of memory, seconds, and bytes of file between two."""

    memory: int
    seconds: float
    smallest: int
    largest: int


def tile_for(budget: int, network: Network) -> int:
    """Return the largest side of tiles that keep the program within `budget` bytes.

    Two thirds of what the program itself leaves are for the tile, the rest for rows of pictures.

    Raises:
        UserError: the budget does not even hold small tiles.
    """
    left = max(budget - PROCESS, 0) * 2 / 3
    side = int((left / bytes_a_pixel(network.plan, deep=True)) ** 0.5) // tiles.STEP * tiles.STEP
    least = 4 * network.reach("smooth")
    if side < least:
        needed = PROCESS + 1.5 * least**2 * bytes_a_pixel(network.plan, deep=True)
        raise UserError(
            f"This network needs at least {needed / MEGABYTE:.0f}M of memory. "
            f"Received: --memory {budget / MEGABYTE:.0f}M."
        )
    return min(side, tiles.LARGEST)


def estimate(
    upscaler: Upscaler, height: int, width: int, channels: int, size: tuple[int, int],
    *, deep: bool = False, whole: bool = False,
) -> Estimate:  # fmt: skip
    """Return what a picture will need; a small tile is run to know the speed here.

    Args:
        upscaler: The networks and their engine.
        height, width, channels: Of the picture.
        size: `(height, width)` of the result.
        deep: Whether it has more than 8 bits.
        whole: Whether the format of the result needs it in memory as a whole.
    """
    itemsize, seconds, memory = 4 if deep else 1, 0.0, PROCESS
    scale, tile = 1, 0
    for network in upscaler.passes(height, width, size):
        cut = upscaler.grid(height * scale, width * scale, network)
        computed = sum(map(len, cut.bands)) * cut.height * cut.width * upscaler.views
        seconds += computed * seconds_a_pixel(upscaler, network, deep)
        tile = max(tile, cut.height * cut.width * bytes_a_pixel(network.plan, deep=deep))
        band = max(row[0].bottom - row[0].top for row in cut.bands) * width * scale
        memory += 2 * height * width * scale**2 * 3 * itemsize
        tile = max(tile, tile + 2 * band * network.scale**2 * 3 * itemsize)
        scale *= network.scale
    values = prod(size) * max(channels, 1) * (itemsize if deep else 1)
    memory += tile + (2 * values if whole else 0)
    return Estimate(int(memory), seconds + prod(size) * 1e-8, values // 10, values)


def seconds_a_pixel(upscaler: Upscaler, network: Network, deep: bool) -> float:
    """Return the measured seconds that a network takes for a small pixel, on this machine now."""
    engine = upscaler.engine(deep, network)
    side = PROBE + 2 * CONTEXT
    tile = np.full((side, side, 3), 128, np.float32 if deep else np.uint8)
    engine.run(tile)
    start = perf_counter()
    engine.run(tile)
    return (perf_counter() - start) / PROBE**2
