"""Pixels in, enlarged pixels out, in bands from top to bottom: nothing here knows of files."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

import numpy as np

from gantools.data import exif
from gantools.data.pictures import Picture
from gantools.data.resample import Resizer
from gantools.errors import UserError

from . import colours, tiles
from .careful import Careful
from .engine import Engine, open_engine
from .family import Family
from .model import Network
from .served import bytes_a_pixel
from .views import Views

TILE_BYTES = 1 << 30  # of a tile in the engine, for networks that are wide at full size
BAND_BYTES = 1 << 26  # of a finished band: very wide pictures get flatter tiles


class Upscaler:
    """Networks with their engines, opened when the first picture of their depth comes.

    Args:
        networks: One network, or a family of several scales.
        engine: "auto" or the name of an engine, see `engine.ENGINES`.
        threads: Processor threads of the engine, None for its own choice.
        largest: Largest side of a tile in pixels.
        projection: Whether results are projected back onto the small picture.
        views: Turned and mirrored views whose mean is taken: 1, 2, 4 or 8.
        wrap: Whether pictures go on at their edges with the opposite side, as seamless textures.
        device: "cpu" or "gpu", see `engine.open_engine`.
    """

    def __init__(
        self, networks: Network | Family, engine: str = "auto", threads: int | None = None,
        largest: int = tiles.LARGEST, *, projection: bool = True, views: int = 1,
        wrap: bool = False, device: str = "cpu",
    ):  # fmt: skip
        self.family = networks if isinstance(networks, Family) else Family.of(networks)
        self.largest, self.projection, self.views, self.wrap = largest, projection, views, wrap
        self.threads, self.device, self._name = threads, device, engine
        self._engines, self._runners = {}, {}

    @cached_property
    def network(self) -> Network:
        """Return the network of the largest scale."""
        return self.family.network(self.family.scales[-1])

    def passes(self, height: int, width: int, size: tuple[int, int] | None) -> list[Network]:
        """Return the networks that enlarge a picture to a size, first to last."""
        if size is None:
            return [self.network]
        factor = max(size[0] / height, size[1] / width)
        return [self.family.network(scale) for scale in self.family.ladder(factor)]

    def engine(self, deep: bool = False, network: Network | None = None) -> Engine:
        """Return the engine of a network for 8-bit or for deep pictures."""
        network = network or self.network
        if (network.scale, deep) not in self._engines:
            self._engines[network.scale, deep] = open_engine(
                network,
                self._name,
                deep=deep,
                threads=self.threads,
                projection=self._mode(network),
                device=self.device,
            )
        return self._engines[network.scale, deep]

    def grid(
        self, height: int, width: int, network: Network | None = None, largest: int | None = None
    ) -> tiles.Grid:
        """Return the tiles of a picture of that size, at most `largest` pixels a side."""
        network = network or self.network
        tallest = BAND_BYTES // (3 * width * network.scale**2)
        reach = network.reach(self._mode(network))
        fixed = getattr(network, "fixed", None)
        most = int((TILE_BYTES / bytes_a_pixel(network.plan, deep=False)) ** 0.5)
        largest = min(self.largest, most, largest or most, *(fixed or ()))
        return tiles.grid(height, width, reach, largest, tallest)

    def prepare(
        self, height: int, width: int, deep: bool = False, size: tuple[int, int] | None = None
    ) -> None:
        """Make everything ready for a picture of that size; may be called from another thread."""
        network = self.passes(height, width, size)[0]
        pad = 2 * self._margin(network)
        cut = self.grid(height + pad, width + pad, network)
        self.runner(network, deep).prepare(cut.height, cut.width)

    def bands(
        self, pixels: np.ndarray, size: tuple[int, int] | None = None
    ) -> Iterator[np.ndarray]:
        """Yield the enlarged pixels in bands from top to bottom.

        Args:
            pixels: `(h, w, 1 to 4)` uint8, uint16 or float32. Floating point is meant to lie in
                [0, 1]; colours outside are squeezed into it for the network and stretched back,
                alpha is cut off.
            size: `(height, width)` of the result; the network's own scale if None.

        Yields:
            `(rows, width, channels)` with the channels and the dtype of `pixels`, valid until the
            next one.

        Raises:
            UserError: floating point that is not finite.
        """
        if pixels.dtype != np.float32:
            yield from self._bands(pixels, size)
            return
        if not np.isfinite(float(pixels.max()) - float(pixels.min())):
            raise UserError("The picture holds values that are no numbers (NaN or infinite).")
        solid = colours.opaque(pixels)
        least, most = float(min(solid.min(), 0)), float(max(solid.max(), 1))
        low = np.full(pixels.shape[2], least, np.float32)
        levels = np.full(pixels.shape[2], 255 / (most - least), np.float32)
        if solid is not pixels:
            low[-1], levels[-1] = 0, 255  # alpha is a share, however bright the colours are
            pixels = np.concatenate([solid, np.clip(pixels[:, :, -1:], 0, 1)], axis=2)
        for band in self._bands((pixels - low) * levels, size):
            yield band / levels + low

    def enlarge(self, picture: Picture, size: tuple[int, int] | None = None) -> Picture:
        """Return the enlarged picture; its metadata tell the new size.

        Args:
            picture: The picture.
            size: As for `bands`.
        """
        pixels = np.concatenate([band.copy() for band in self.bands(picture.pixels, size)])
        old, new = picture.pixels.shape[:2], pixels.shape[:2]
        return replace(picture, pixels=pixels, metadata=enlarged_metadata(picture, old, new))

    def redone(self) -> int:
        """Return how many tiles had to be computed again in float32."""
        return sum(careful.redone for careful, _ in self._runners.values())

    def apart(self) -> float | None:
        """Return how far bfloat16 was from float32 at most, in levels; None if not compared."""
        found = [careful.apart for careful, _ in self._runners.values()]
        return max((levels for levels in found if levels is not None), default=None)

    def _bands(self, pixels, size):
        """Yield bands of whole numbers, or of float32 levels from 0 to 255."""
        layers = colours.split(pixels)
        *first, last = self.passes(*pixels.shape[:2], size)
        rgb = layers.rgb
        for network in first:
            rgb = np.concatenate([band.copy() for band in self._pass(rgb, network)])
        made = tuple(side * last.scale for side in rgb.shape[:2])
        bands = self._pass(rgb, last)
        if size and tuple(size) != made:
            bands = _resized(bands, made, size, rgb.dtype, self.wrap)
        yield from colours.joined(bands, layers, size or made, wrap=self.wrap)

    def _pass(self, rgb, network):
        """Yield the bands that one network makes of `(h, w, 3)`."""
        pad = self._margin(network)
        if pad:
            rgb = np.pad(rgb, ((pad, pad), (pad, pad), (0, 0)), mode="wrap")
        cut, runner = (
            self.grid(*rgb.shape[:2], network),
            self.runner(network, rgb.dtype != np.uint8),
        )
        bands = tiles.enlarged(rgb, runner, cut, network.scale)
        return _inside(bands, rgb.shape[0], pad, network.scale) if pad else bands

    def _margin(self, network):
        """Return the pixels of the opposite side that a picture gets around it."""
        return network.reach(self._mode(network)) + 2 if self.wrap else 0

    def _mode(self, network):
        return network.projection if self.projection else "none"

    def runner(self, network: Network, deep: bool):
        """Return what runs tiles: the engine, made careful, on as many views as wanted."""
        if (network.scale, deep) not in self._runners:
            engine, reach = self.engine(deep, network), network.reach(self._mode(network))
            careful = Careful(engine, lambda: self.engine(True, network), reach)
            runner = Views(careful, self.views) if self.views > 1 else careful
            self._runners[network.scale, deep] = careful, runner
        return self._runners[network.scale, deep][1]


def enlarged_metadata(picture: Picture, old: tuple[int, int], new: tuple[int, int]):
    """Return the metadata of a picture whose `(height, width)` went from `old` to `new`.

    The resolution grows with the size, so that a print keeps its own.
    """
    metadata, factors = picture.metadata, (new[1] / old[1], new[0] / old[0])
    data = exif.changed(metadata.exif, width=new[1], height=new[0], factors=factors)
    density = metadata.density
    if density:
        density = tuple(value * factor for value, factor in zip(density, factors, strict=True))
    return replace(metadata, exif=data, density=density)


def _resized(bands, old, new, dtype, wrap):
    """Yield bands brought from the networks' size to the one that was asked for."""
    resizer, most = Resizer(old, new, 3, wrap=wrap), colours.top(dtype)
    for band in bands:
        rows = np.clip(resizer.rows(band), 0, most)
        if len(rows):
            yield rows if dtype == np.float32 else np.rint(rows).astype(dtype)


def _inside(bands, height, pad, scale):
    """Yield the bands without the margin of a wrapped picture, `height` rows with it."""
    first, end, at = pad * scale, (height - pad) * scale, 0
    for band in bands:
        rows = band[max(first - at, 0) : max(end - at, 0)]
        at += len(band)
        if len(rows):
            yield rows[:, first : band.shape[1] - first]
