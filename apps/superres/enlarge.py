"""From a picture file to a larger picture file, band by band."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from gantools.data import exif, pictures
from gantools.data.pictures import Picture
from gantools.data.png import PngWriter
from gantools.errors import UserError

from . import colours, tiles
from .engine import Engine, open_engine
from .model import Network

THREADS = 2  # that compress a PNG while the engine works on the next band


class Upscaler:
    """A network with its engines, opened when the first picture of their depth comes.

    Args:
        network: The network.
        engine: "auto" or the name of an engine, see `engine.ENGINES`.
        threads: Processor threads of the engine, None for its own choice.
        largest: Largest side of a tile in pixels.
    """

    def __init__(
        self, network: Network, engine: str = "auto", threads: int | None = None,
        largest: int = tiles.LARGEST,
    ):  # fmt: skip
        self.network, self.largest = network, largest
        self._name, self._threads, self._engines = engine, threads, {}

    def engine(self, deep: bool = False) -> Engine:
        """Return the engine for 8-bit or for deep pictures."""
        if deep not in self._engines:
            self._engines[deep] = open_engine(
                self.network, self._name, deep=deep, threads=self._threads
            )
        return self._engines[deep]

    def grid(self, height: int, width: int) -> tiles.Grid:
        """Return the tiles of a picture of that size."""
        return tiles.grid(height, width, self.network.plan.radius, self.largest)

    def prepare(self, height: int, width: int, deep: bool = False) -> None:
        """Make everything ready for a picture of that size; may be called from another thread."""
        cut = self.grid(height, width)
        self.engine(deep).prepare(cut.height, cut.width)

    def bands(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the enlarged `(h, w, 1 to 4)` uint8 or uint16 pixels in bands from top to bottom.

        Each band has the channels and the dtype of `pixels` and is valid until the next one.
        """
        layers = colours.split(pixels)
        cut, engine = self.grid(*pixels.shape[:2]), self.engine(pixels.dtype != np.uint8)
        made = tiles.enlarged(layers.rgb, engine, cut, self.network.scale)
        for row, band in zip(cut.bands, made, strict=True):
            yield colours.join(band, layers, row[0].top, row[0].bottom, self.network.scale)

    def enlarge(self, picture: Picture) -> Picture:
        """Return the enlarged picture; its metadata tell the new size.

        Raises:
            UserError: floating-point pixels: their range is not known.
        """
        check_depth(picture)
        scale, (height, width) = self.network.scale, picture.pixels.shape[:2]
        bands = [band.copy() for band in self.bands(picture.pixels)]
        data = exif.changed(picture.metadata.exif, width=width * scale, height=height * scale)
        return Picture(np.concatenate(bands), replace(picture.metadata, exif=data), picture.format)


@dataclass(frozen=True)
class Result:
    """What was made of a file.

    Attributes:
        source, target: Paths.
        height, width: Of the target, pixels.
        engine: Name and precision, for example "openvino bf16".
        seconds: From the first look at the source to the finished target.
    """

    source: Path
    target: Path
    height: int
    width: int
    engine: str
    seconds: float


def enlarge_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    *,
    advance: Callable[[float], None] = lambda share: None,
    quality: int = 95,
) -> Result:
    """Enlarge one picture file; the target is whole or not there.

    Args:
        source: Picture to read.
        target: Picture to make; its suffix names the format.
        upscaler: The network and its engine.
        advance: Called after each band with the finished share, 0 to 1.
        quality: Of JPEG and WebP.

    Raises:
        UserError: the source cannot be read or the target not be written.
    """
    start, scale = perf_counter(), upscaler.network.scale
    found = pictures.header(source)
    pictures.check_writable(target, found.height * scale, found.width * scale, found.channels)
    with ThreadPoolExecutor(1) as beside:
        # The usual case, 8 bits, is made ready while the picture is decoded: 0.1 s less.
        ready = beside.submit(upscaler.prepare, found.height, found.width, found.depth > 8)
        picture = pictures.read(source)
        check_depth(picture, source)
        ready.result()
    height, width, channels = picture.pixels.shape
    kind = pictures.check_writable(target, height * scale, width * scale, channels)
    if kind == "png":
        _stream(picture, target, upscaler, advance)
    else:
        pictures.write(target, upscaler.enlarge(picture), quality=quality, threads=THREADS)
        advance(1.0)
    engine = upscaler.engine(picture.pixels.dtype != np.uint8)
    name = f"{engine.name} {engine.precision}"
    return Result(source, target, height * scale, width * scale, name, perf_counter() - start)


def check_depth(picture: Picture, source: Path | str = "The picture") -> None:
    """Raise a `UserError` if a picture is floating point: the range of its levels is not known."""
    if picture.pixels.dtype not in (np.uint8, np.uint16):
        raise UserError(
            f"'{source}' has {picture.pixels.dtype} levels; 8 or 16 bits are expected. "
            "Convert it to 16 bits first."
        )


def _stream(picture, target, upscaler, advance):
    """Write a PNG while the picture is being computed."""
    (height, width, channels), scale = picture.pixels.shape, upscaler.network.scale
    data, done = picture.metadata, 0
    with (
        pictures.atomic(target) as part,
        PngWriter(
            part, height * scale, width * scale, channels, picture.pixels.dtype, threads=THREADS,
            exif=exif.changed(data.exif, width=width * scale, height=height * scale),
            icc=pictures.icc_for(channels, data.icc), xmp=data.xmp,
        ) as writer,
    ):  # fmt: skip
        for band in upscaler.bands(picture.pixels):
            writer.rows(band)
            done += len(band)
            advance(done / (height * scale))
