"""From a picture file to a larger picture file, band by band."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from math import prod
from pathlib import Path
from time import perf_counter

import numpy as np

from gantools import __version__
from gantools.data import exif, files, pictures, writing
from gantools.data.headers import Header
from gantools.data.pictures import Picture
from gantools.errors import UserError

from . import colours
from .careful import AGREED
from .clips.take import Take
from .fidelity import Fidelity
from .sizes import Wish
from .upscaler import Upscaler, enlarged_metadata

__all__ = ["Output", "Result", "Upscaler", "enlarge_file"]

THREADS = 2  # that compress a file while the engine works on the next band


@dataclass(frozen=True)
class Output:
    """How results are written.

    Attributes:
        wish: The size; the network's own scale if None.
        quality: Of JPEG, WebP and AVIF, 1 to 100.
        background: RGB from 0 to 255 to put behind transparent pictures, None to keep alpha.
        strip: Whether to leave out EXIF, XMP, texts and resolution.
        measured: Whether to compare each result with its source.
        take: Of clips, which part and how, see `clips.take.Take`.
    """

    wish: Wish | None = None
    quality: int = 95
    background: tuple[int, int, int] | None = None
    strip: bool = False
    measured: bool = False
    take: Take | None = None


@dataclass(frozen=True)
class Result:
    """What was made of a file.

    Attributes:
        source, target: Paths.
        height, width: Of the target, pixels.
        engine: Name and precision, for example "openvino bf16".
        seconds: From the first look at the source to the finished target.
        notes: What the user should know, in sentences.
        fidelity: See `fidelity.Fidelity.found`; empty if not measured.
        networks: `(name, scale, digest)` of those that ran, first to last; empty if not measured.
        redone: Tiles that had to be computed again in float32.
        apart: Levels that bfloat16 is from float32 on a patch; None if not compared.
        figures: Of clips, see `clips.run.enlarge_clip`.
    """

    source: Path
    target: Path
    height: int
    width: int
    engine: str
    seconds: float
    notes: tuple[str, ...] = ()
    fidelity: dict = field(default_factory=dict)
    networks: tuple[tuple[str, int, str], ...] = ()
    redone: int = 0
    apart: float | None = None
    figures: dict = field(default_factory=dict)


def enlarge_file(
    source: Path,
    target: Path,
    upscaler: Upscaler,
    output: Output | None = None,
    *,
    advance: Callable[[float], None] = lambda share: None,
) -> Result:
    """Enlarge one picture file; the target is whole or not there.

    Args:
        source: Picture to read.
        target: Picture to make; its suffix names the format.
        upscaler: The networks and their engine.
        output: How the result is written.
        advance: Called after each band with the finished share, 0 to 1.

    Raises:
        UserError: the source cannot be read or the target not be written.
    """
    start, output = perf_counter(), output or Output()
    found = looked_at(source, target, output)
    size = target_size(found.height, found.width, upscaler, output.wish, found.orientation)
    check_target(target, found, size, output)
    files.check_place(target)
    deep = found.depth > 8 or found.floating
    with ThreadPoolExecutor(1) as beside:
        # The usual case is made ready while the picture is decoded: 0.1 s less.
        ready = beside.submit(upscaler.prepare, found.height, found.width, deep, size)
        picture, kind = pictures.read(source), writing.kind_of(target)
        ready.result()
    if output.strip or kind in writing.UPRIGHT:
        picture = picture.upright()
    if output.strip:
        picture = replace(picture, metadata=picture.metadata.without_traces())
    orientation = exif.orientation(picture.metadata.exif)
    size = target_size(*picture.pixels.shape[:2], upscaler, output.wish, orientation)
    notes = _notes(picture, kind, size, provenance(upscaler, picture.pixels.shape[:2], size))
    before = upscaler.redone()
    fidelity = _make(picture, target, upscaler, size, output, advance)
    care, more = care_taken(upscaler, before)
    networks = upscaler.passes(*picture.pixels.shape[:2], size)
    engine = upscaler.engine(picture.pixels.dtype != np.uint8, networks[-1])
    ran = tuple((n.plan.name, n.scale, n.digest) for n in networks if output.measured)
    return Result(
        source, target, *size, f"{engine.name} {engine.precision}", perf_counter() - start,
        (*notes, *more), fidelity, ran, **care,
    )  # fmt: skip


def care_taken(upscaler: Upscaler, before: int) -> tuple[dict, list[str]]:
    """Return what `careful` did for a result: fields of `Result`, and what is told of it.

    Args:
        upscaler: What made the result.
        before: Tiles that it had computed again until then.
    """
    redone, apart, notes = upscaler.redone() - before, upscaler.apart(), []
    if redone:
        notes.append("Tiles that were spoilt in 8 bits (NaN) were made again in float32.")
    if apart is not None and not apart <= AGREED:
        notes.append(f"bfloat16 is {apart:.2g} levels from float32 here, so float32 is used.")
    return {"redone": redone, "apart": apart}, notes


def looked_at(source: Path, target: Path, output: Output) -> Header:
    """Return the header of a picture, with the sides that it is enlarged with.

    Raises:
        UserError: the file cannot be read, or is not a whole picture.
    """
    found = pictures.header(source)
    if found.orientation >= 5 and (output.strip or writing.kind_of(target) in writing.UPRIGHT):
        return replace(found, height=found.width, width=found.height, orientation=1)
    return found


def target_size(
    height: int, width: int, upscaler: Upscaler, wish: Wish | None, orientation: int = 1
) -> tuple[int, int]:
    """Return the `(height, width)` that a picture of a size becomes.

    Args:
        height, width: As stored.
        upscaler: The networks.
        wish: The size, as it is to be seen; the largest network's own scale if None.
        orientation: Of EXIF.

    Raises:
        UserError: that would be no enlargement, or too large a one.
    """
    scale = upscaler.family.scales[-1]
    wish = wish.turned() if wish and orientation >= 5 else wish
    return wish.of(height, width) if wish else (height * scale, width * scale)


def check_target(target: Path, found, size: tuple[int, int], output: Output) -> None:
    """Raise a `UserError` if the target cannot hold the result, by the source's header alone."""
    channels = found.channels - (found.channels in (2, 4) and output.background is not None)
    if channels in (2, 4) and writing.SUFFIXES.get(target.suffix.lower()) in writing.NO_ALPHA:
        raise UserError(
            f"Cannot write '{target}': {target.suffix[1:].upper()} has no transparency. Give a "
            "colour to put behind it, like --background white, or choose .png or .webp."
        )
    kind = writing.check_writable(target, *size, channels)
    if found.floating and kind != "tiff":
        raise UserError(
            f"Cannot write '{target}': the picture is floating point, which {kind.upper()} does "
            "not hold. Choose a name that ends in .tif."
        )
    itemsize = 4 if found.floating else 2 if found.depth > 8 else 1
    writing.check_space(target, *size, channels, itemsize)


def _notes(picture, kind, size, software):
    """Return what is lost on the way into a format, and what was told at reading."""
    metadata = enlarged_metadata(picture, picture.pixels.shape[:2], size)
    lost = writing.lost(metadata, kind, picture.pixels.shape[2], software)
    notes = [*picture.notes, *(f"{kind.upper()} cannot keep {what}." for what in lost)]
    if picture.pixels.dtype == np.uint16 and kind not in writing.STREAMED:
        notes.append(
            f"{kind.upper()} holds {writing.DEPTHS.get(kind, 8)} bits of the picture's 16."
        )
    return notes


def _make(picture, target, upscaler, size, output, advance):
    """Write the target; return what was found of its fidelity."""
    grey, channels = picture.pixels.shape[2] < 3, picture.pixels.shape[2]
    flat = output.background is not None and channels in (2, 4)
    channels -= flat
    kind = writing.check_writable(target, *size, channels)
    check_target(target, _Found(picture), size, output)
    metadata = enlarged_metadata(picture, picture.pixels.shape[:2], size)
    judge = Fidelity(picture.pixels, size, wrap=upscaler.wrap) if output.measured else None
    bands = upscaler.bands(picture.pixels, size)
    bands = judge.watched(bands) if judge else bands
    bands = colours.flattened(bands, output.background, grey) if flat else bands
    bands = _told(bands, size[0], advance)
    software = provenance(upscaler, picture.pixels.shape[:2], size)
    if kind in writing.STREAMED:
        shape, dtype = (*size, channels), picture.pixels.dtype
        with writing.stream(
            target, shape, dtype, metadata, threads=THREADS, software=software
        ) as writer:
            for band in bands:
                writer.rows(band)
    else:
        whole = np.empty((*size, channels), picture.pixels.dtype)
        at = 0
        for band in bands:
            whole[at : at + len(band)] = band
            at += len(band)
        made = Picture(whole, metadata)
        pictures.write(target, made, quality=output.quality, software=software)
    return judge.found() if judge else {}


def provenance(upscaler: Upscaler, old: tuple[int, int], new: tuple[int, int]) -> str:
    """Return what the file says of its making: "gantools 0.1.0 superres fast x4"."""
    networks = upscaler.passes(*old, new)
    steps = " ".join(f"x{network.scale}" for network in networks)
    made = prod(network.scale for network in networks)
    exactly = tuple(made * side for side in old) == tuple(new)
    return f"gantools {__version__} superres {upscaler.family.name} {steps}" + (
        "" if exactly else f" to {new[1]}x{new[0]}"
    )


@dataclass(frozen=True)
class _Found:
    """What a decoded picture turned out to be, in the words of a header."""

    picture: Picture

    @property
    def channels(self):
        return self.picture.pixels.shape[2]

    @property
    def floating(self):
        return self.picture.pixels.dtype == np.float32

    @property
    def depth(self):
        return 8 * self.picture.pixels.dtype.itemsize


def _told(bands, height, advance):
    """Yield the bands and tell the finished share after each."""
    done = 0
    for band in bands:
        yield band
        done += len(band)
        advance(done / height)
