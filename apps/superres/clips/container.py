"""The file that a clip becomes: its encoder, and everything of the source that is copied into it.

Sound, subtitles, covers and attachments are copied packet by packet, never decoded.
"""

import errno
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from pathlib import Path

from gantools.data.files import atomic, unwritable
from gantools.errors import UserError

from .clip import Clip, Colours, opened
from .planes import Layout
from .segments import packets

FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".webm": "webm"}
SEGMENT = 120  # frames a segment and a group of pictures: what a kill can cost
MADE_ANEW = ("major_brand", "minor_version", "compatible_brands", "encoder", "ENCODER")
# Of a stream: sums over its packets, as mkvmerge and FFmpeg write them, with "-eng" behind or not.
COUNTED = ("BPS", "DURATION", "NUMBER_OF_BYTES", "NUMBER_OF_FRAMES", "_STATISTICS_")
# What says nothing of a container, only of the place where it is tried.
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)
# Of the encoder, whose bytes depend on it and must not depend on the machine or on --jobs. On two
# busy processors it makes 48 frames of 1708x960 a second in H.264 and 18 in VP9, `fast` x2 makes 4.
THREADS = 2
# Speed for size: at "medium" files are 3 % smaller and the encoder takes half as long again.
CODECS = {
    "libx264": {"preset": "fast"},
    "libvpx-vp9": {"b": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"},
}


@dataclass(frozen=True)
class Coding:
    """How frames are compressed.

    Attributes:
        codec: Name of the encoder.
        crf: Its quality; smaller is better.
        height, width: Pixels of a frame.
        layout: Of its planes.
        colours, time_base, rate, aspect: As of the source, see `clips.clip.Clip`.
    """

    codec: str
    crf: int
    height: int
    width: int
    layout: Layout
    colours: Colours
    time_base: Fraction
    rate: Fraction
    aspect: Fraction

    def apply(self, context) -> None:
        """Set up an `av` codec context or stream."""
        import av

        context.width, context.height = self.width, self.height
        context.pix_fmt, context.time_base = self.layout.name, self.time_base
        context.framerate, context.gop_size = self.rate, SEGMENT
        context.sample_aspect_ratio = self.aspect
        context.colorspace, context.color_range = self.colours.space, self.colours.range
        context.color_primaries, context.color_trc = self.colours.primaries, self.colours.transfer
        context.options = {"crf": str(self.crf), **CODECS[self.codec]}
        context.flags |= av.codec.context.Flags.global_header
        context.thread_count = THREADS

    def encoder(self):
        """Return an opened encoder.

        Raises:
            UserError: it does not take these frames.
        """
        import av

        context = av.CodecContext.create(self.codec, "w")
        self.apply(context)
        try:
            context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise UserError(
                f"The encoder {self.codec} does not take frames of {self.width}x{self.height} "
                f"pixels. Choose a smaller size."
            ) from error
        return context


@dataclass(frozen=True)
class Cut:
    """The stretch of a clip that is made, in seconds of the clip's own clock.

    Attributes:
        begin: Time of the first frame if it becomes zero, None where times stay as they are.
        end: Where the last frame ends, None for the end of the clip.
    """

    begin: float | None = None
    end: float | None = None

    def holds(self, seconds: float) -> bool:
        """Return whether a moment is inside."""
        return (self.begin or float("-inf")) <= seconds < (self.end or float("inf"))


def codec_for(target: Path) -> str:
    """Return the encoder for a target.

    Raises:
        UserError: the suffix is of no container that is written.
    """
    if target.suffix.lower() not in FORMATS:
        raise UserError(
            f"Cannot write the clip '{target}': choose a name that ends in "
            f"{', '.join(FORMATS)}. Received: '{target.suffix}'."
        )
    return "libvpx-vp9" if target.suffix.lower() == ".webm" else "libx264"


def layout_for(clip: Clip, codec: str) -> Layout:
    """Return how an encoder stores a clip's frames: as the source does, as far as it can."""
    import av

    known = {form.name for form in av.Codec(codec, "w").video_formats}
    wanted = clip.layout.written()
    return wanted if wanted.name in known else clip.layout.written(deep=False)


def check(target: Path, clip: Clip, coding: Coding, folder: Path, *, strip: bool) -> list[str]:
    """Try whether the target can hold all that is copied; return what it cannot, in sentences.

    Raises:
        UserError: sound or subtitles are of a kind that the container does not hold, or nothing can
            be written there.
    """
    import av

    trial = folder / "trial"
    try:
        with opened(clip.path) as source, _written(trial, target, coding) as container:
            _, notes = _add_streams(container, source, clip, coding, target, strip, Cut())
            _describe(container, source, Cut(), strip)
            container.start_encoding()
    except UserError:
        raise
    except (av.error.FFmpegError, ValueError) as error:
        if getattr(error, "errno", None) in DISK:
            raise unwritable(target, error) from error
        raise UserError(
            f"{target.suffix[1:].upper()} cannot hold what goes along with the pictures of "
            f"'{clip.path}': {error}. Choose a name that ends in .mkv."
        ) from error
    finally:
        trial.unlink(missing_ok=True)
    return notes


def assemble(
    target: Path, clip: Clip, coding: Coding, segments: list[Path], cut: Cut, *,
    strip: bool = False,
) -> None:  # fmt: skip
    """Write the target from its segments and the source.

    Args:
        target: File to make; whole or not there.
        clip: The source.
        coding: As the segments were made.
        segments: First to last.
        cut: Which stretch of the source they are.
        strip: Whether to leave out titles, also of streams, chapters and other metadata.

    Raises:
        UserError: the target cannot be written.
    """
    with (
        atomic(target) as part,
        opened(clip.path) as source,
        _written(part, target, coding) as container,
    ):
        streams, _ = _add_streams(container, source, clip, coding, target, strip, cut)
        _describe(container, source, cut, strip)
        made = _made(segments, container.streams.video[0], clip, cut)
        copied = _copied(source, streams, cut)
        for _, _, packet in merge(made, copied, key=lambda item: item[:2]):
            container.mux(packet)


def _written(path, target, coding):
    import av

    kind, options = FORMATS[target.suffix.lower()], {"fflags": "+bitexact"}  # no random numbers
    if kind in ("mp4", "mov"):
        options["video_track_timescale"] = str(coding.time_base.denominator)
    return av.open(str(path), "w", format=kind, container_options=options)


def _add_streams(container, source, clip, coding, target, strip, cut):
    """Add all streams; return those to copy, source's index to stream, and what is not kept."""
    pictures = container.add_stream(coding.codec, rate=coding.rate)
    coding.apply(pictures.codec_context)
    pictures.time_base = coding.time_base
    original = source.streams[clip.index]
    if clip.matrix:
        pictures.set_display_matrix(_scaled(clip, coding))
    _label(pictures, original, strip, anew=True)
    streams, notes = {}, []
    for stream in source.streams:
        if stream.index == clip.index or stream.type in ("data", "unknown"):
            continue
        if stream.type != "attachment":
            streams[stream.index] = container.add_stream_from_template(stream, opaque=True)
            _label(streams[stream.index], stream, strip, anew=cut != Cut())
        elif FORMATS[target.suffix.lower()] == "matroska":
            name = stream.metadata.get("filename", "attachment")
            container.add_attachment(name, stream.mimetype or "", bytes(stream.data))
        else:
            notes.append(f"{target.suffix[1:].upper()} cannot keep attached files; .mkv can.")
    return streams, list(dict.fromkeys(notes))


def _label(stream, original, strip, anew):
    """Give a stream the names and marks of the one that it comes from.

    Args:
        stream, original: The new one and the old one.
        strip: Whether only its language is kept.
        anew: Whether it holds other packets, of which the counts of the old ones are not true.
    """
    for name, text in original.metadata.items():
        stale = name.lower() == "encoder" or name == "DURATION"  # written anew
        stale |= anew and name.startswith(COUNTED)
        if not stale and (name == "language" or not strip):
            stream.metadata[name] = text
    stream.disposition = original.disposition


def _scaled(clip, coding):
    """Return the matrix for display with its shift, in pixels, for the new size."""
    matrix = list(clip.matrix)
    matrix[6] = round(matrix[6] * coding.width / clip.width)
    matrix[7] = round(matrix[7] * coding.height / clip.height)
    return [min(max(value, -(2**31)), 2**31 - 1) for value in matrix]


def _describe(container, source, cut, strip):
    """Give the file its titles and chapters."""
    if strip:
        return
    kept = {name: text for name, text in source.metadata.items() if name not in MADE_ANEW}
    container.metadata.update(kept)
    chapters, shift = [], cut.begin or 0
    for chapter in source.chapters():
        base = chapter["time_base"]
        begin, end = (float(chapter[side] * base) for side in ("start", "end"))
        if end <= (cut.begin or float("-inf")) or begin >= (cut.end or float("inf")):
            continue
        begin, end = max(begin - shift, 0), min(end, cut.end or end) - shift
        ticks = {"start": round(begin / base), "end": round(end / base)}
        chapters.append({**chapter, **ticks})
    if chapters:
        container.set_chapters(chapters)


def _made(segments, stream, clip, cut) -> Iterator:
    """Yield `(seconds, 0, packet)` of the enlarged pictures, in the order of decoding.

    A packet must be there before it is shown, and decoding times must grow across segments, each
    of which an encoder of its own has made. With s the sorted time stamps and D how many packets
    are at most sent ahead, packet i is decoded at s_{i-D}.
    """
    import av

    shown, ahead = [], 0
    for path in segments:
        stamps = [packet.pts for packet in packets(path, times_only=True)]
        places = {pts: place for place, pts in enumerate(sorted(stamps))}
        ahead = max(ahead, *(i - places[pts] for i, pts in enumerate(stamps)))
        shown += sorted(stamps)
    shift, number = round((cut.begin or 0) / clip.time_base), 0
    # Before the first one, as far apart as the first ones are.
    far = [shown[0] + shown[i] - shown[min(ahead, len(shown) - 1)] for i in range(ahead)]
    for path in segments:
        for made in packets(path):
            decoded = shown[number - ahead] if number >= ahead else far[number]
            packet = av.Packet(made.data)
            packet.pts, packet.dts = made.pts - shift, decoded - shift
            packet.duration, packet.time_base = made.duration, clip.time_base
            packet.is_keyframe, packet.stream = made.key, stream
            number += 1
            yield float(packet.dts * clip.time_base), 0, packet


def _copied(source, streams, cut) -> Iterator:
    """Yield `(seconds, 1, packet)` of all else, with the stream that each goes into."""
    import av

    if not streams:
        return
    for packet in source.demux(*(source.streams[index] for index in streams)):
        if not packet.size:  # the end of a stream
            continue
        base, into = packet.time_base, streams[packet.stream.index]
        if packet.stream.disposition & av.stream.Disposition.attached_pic:
            packet.pts = packet.dts = 0  # a cover has no time
        else:
            stamp = packet.dts if packet.pts is None else packet.pts
            if stamp is None or not cut.holds(float(stamp * base)):
                continue
            shift = round((cut.begin or 0) / base)
            packet.pts = None if packet.pts is None else packet.pts - shift
            packet.dts = None if packet.dts is None else packet.dts - shift
        packet.stream = into
        yield float((packet.pts if packet.dts is None else packet.dts) * base), 1, packet
