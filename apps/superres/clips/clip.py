"""A clip's file as it is found: what it holds, and what its codes mean."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from gantools.errors import UserError

from .planes import CENTRED, Layout, layout_of

LOOKED_AT = 32  # frames at the beginning: for the marks of interlacing
FASTEST = 240  # frames a second: files without a steady rate may say any number
UNKNOWN = 2  # of matrix, primaries and transfer, as in ISO/IEC 23091-2; 0 for the range
BT709, PAL, NTSC, LIMITED, FULL = 1, 5, 6, 1, 2
SD_LINES = 720  # from so many on an unmarked clip is taken for HD


@dataclass(frozen=True)
class Colours:
    """What the codes of a clip mean, in the numbers of ISO/IEC 23091-2; range 1 limited, 2 full."""

    space: int
    primaries: int
    transfer: int
    range: int


@dataclass(frozen=True)
class Clip:
    """What is known of a clip before it is enlarged.

    Attributes:
        path: The file.
        index: Of its stream of pictures.
        height, width: Of a frame as stored.
        layout: Of its planes.
        colours: As marked, or as players assume where it is not marked.
        time_base: Seconds of a tick.
        first: Time stamp of the first frame, ticks.
        seconds: Length, 0 if the file does not tell.
        certain: Whether that is the length of the pictures, and not of the longest stream.
        rate: Frames a second on the average.
        aspect: Width by height of a pixel.
        matrix: The nine numbers that turn the picture for display, empty if upright.
        centred: Whether chroma lies between the pixels.
        untimed: Whether the container has no time stamps: AVI, whose order is that of decoding.
        interlaced: Whether its frames are marked as made of two fields.
        notes: What will not be kept, in sentences.
    """

    path: Path
    index: int
    height: int
    width: int
    layout: Layout
    colours: Colours
    time_base: Fraction
    first: int
    seconds: float
    certain: bool
    rate: Fraction
    aspect: Fraction
    matrix: tuple[int, ...] = ()
    centred: bool = False
    untimed: bool = False
    interlaced: bool = False
    notes: tuple[str, ...] = ()

    @property
    def sideways(self) -> bool:
        """Return whether the clip is shown lying on its side."""
        return bool(self.matrix) and abs(self.matrix[1]) > abs(self.matrix[0])


@contextmanager
def opened(path: Path):
    """Yield an `av` container to read.

    Raises:
        UserError: the file cannot be opened as a clip.
    """
    import av

    with explained(path):
        container = av.open(str(path), metadata_errors="replace")
    with container:
        yield container


@contextmanager
def explained(path):
    """Turn what `av` says while it reads into one sentence."""
    import av

    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"Cannot read '{path}': there is no such file.") from error
    except (av.error.FFmpegError, IndexError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"Cannot read '{path}' as a clip: {reason[:1].lower()}{reason[1:]}. It is damaged, "
            "incomplete or of a kind that is not known."
        ) from error


def pictures_of(container):
    """Return the stream of moving pictures: no cover, no thumbnail.

    Raises:
        UserError: there is none.
    """
    import av

    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    moving = [stream for stream in container.streams.video if not stream.disposition & still]
    if not moving or not moving[0].codec_context:
        raise UserError(f"'{container.name}' holds no moving pictures.")
    return moving[0]


def look(path: Path) -> Clip:
    """Return what is known of a clip, from its first frames.

    Raises:
        UserError: it cannot be read.
    """
    import av

    with opened(path) as container, explained(path):
        stream = pictures_of(container)
        frames = []
        for frame in decoded(container, stream, Counter()):
            frames.append(frame)
            if len(frames) == LOOKED_AT:
                break
        if not frames:
            raise UserError(f"Cannot read '{path}': it has no frame that can be decoded.")
        first, layout = frames[0], layout_of(frames[0].format)
        untimed, length = container.format.name == "avi", _seconds(stream)
        seconds = length or (container.duration or 0) / av.time_base
        return Clip(
            path, stream.index, first.height, first.width, layout, colours_of(first),
            stream.time_base, 0 if untimed else first.pts or 0, seconds,
            bool(length), _rate(stream),
            stream.sample_aspect_ratio or Fraction(1), _matrix(first),
            stream.codec_context.codec.canonical_name in CENTRED, untimed,
            any(frame.interlaced_frame for frame in frames), _lost(container, stream, first),
        )  # fmt: skip


def colours_of(frame) -> Colours:
    """Return what a frame's codes mean; where it is not marked, what players take it for.

    Unmarked clips below 720 lines are in BT.601, others in BT.709. That has to be written down: an
    unmarked clip of 480 lines, enlarged to 960, would be taken for BT.709 and change its colours.
    """
    if frame.format.is_rgb or frame.format.has_palette:  # converted, see `clips.planes.planes`
        return Colours(BT709, BT709, _said(frame.color_trc, BT709), LIMITED)
    film = {480: NTSC, 486: NTSC, 576: PAL}.get(frame.height, BT709)
    space = (film if film != BT709 else NTSC) if frame.height < SD_LINES else BT709
    full = frame.color_range == FULL or frame.format.name.startswith("yuvj")
    full |= len(frame.format.components) < 3 and frame.color_range != LIMITED  # grey, as FFmpeg
    return Colours(
        _said(frame.colorspace, space), _said(frame.color_primaries, film),
        _said(frame.color_trc, BT709 if film == BT709 else NTSC), FULL if full else LIMITED,
    )  # fmt: skip


def decoded(container, stream, damaged: Counter) -> Iterator:
    """Yield the frames of a stream; damaged packets are counted and left out."""
    import av

    for packet in container.demux(stream):
        try:
            found = packet.decode()
        except av.error.InvalidDataError:
            damaged["damaged"] += 1
            continue
        for frame in found:
            damaged.update(["damaged"] * bool(frame.is_corrupt))
            yield frame


def _said(value, assumed):
    return assumed if value in (UNKNOWN, 0) else int(value)


def _seconds(stream):
    """Return the length of a stream, 0 if its file does not tell."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    parts = stream.metadata.get("DURATION", "").split(":")  # Matroska: "00:00:04.000000000"
    try:
        return sum(float(part) * 60**i for i, part in enumerate(reversed(parts)))
    except ValueError:
        return 0.0


def _rate(stream):
    """Return the frames a second that an encoder may plan with."""
    for rate in (stream.average_rate, stream.guessed_rate, stream.base_rate):
        if rate and 0 < rate <= FASTEST:
            return Fraction(rate)
    return Fraction(30)


def _matrix(frame):
    """Return the matrix that turns a frame for display."""
    import av

    for data in frame.side_data:
        if data.type == av.sidedata.sidedata.Type.DISPLAYMATRIX:
            return tuple(int(value) for value in np.frombuffer(data, np.int32)[:9])
    return ()


def _lost(container, stream, frame):
    """Return what of a clip cannot be kept, in sentences."""
    kinds, notes = {data.type.name for data in frame.side_data}, []
    if any(part.is_alpha for part in frame.format.components) or "alpha_mode" in stream.metadata:
        notes.append("Transparency is not kept: H.264 and VP9 in players have none.")
    if kinds & {"MASTERING_DISPLAY_METADATA", "CONTENT_LIGHT_LEVEL", "DYNAMIC_HDR_PLUS"}:
        notes.append("HDR10's description of the mastering display is not kept.")
    if kinds & {"DOVI_RPU_BUFFER", "DOVI_METADATA"}:
        notes.append("Dolby Vision is not kept, only the picture below it.")
    data = [other for other in container.streams if other.type == "data"]
    if len(data) > bool(container.chapters()):  # MP4 holds titles of chapters in such a one
        notes.append("Data streams (time code, sensors) are not kept.")
    return tuple(notes)
