"""The work on a clip: frame after frame through the network and the encoder, in segments."""

from collections.abc import Iterator
from dataclasses import asdict
from itertools import chain, islice
from pathlib import Path
from time import perf_counter
from zlib import crc32

import numpy as np

from gantools import __version__

from ..enlarge import Output, target_size
from ..upscaler import Upscaler
from .clip import Clip
from .container import SEGMENT, Coding, Cut, codec_for, layout_for
from .planes import enlarged_chroma, frame_of, planes, requantised
from .segments import Packet, Segments, packets
from .streams import Trouble, frames
from .take import Take
from .unchanged import Canvas

EDGE = 1 << 16  # bytes at both ends of a file that tell it from another


def coding_for(
    clip: Clip, target: Path, upscaler: Upscaler, output: Output
) -> tuple[Coding, list[str]]:
    """Return how the enlarged frames are compressed, and in sentences what that changes.

    Raises:
        UserError: the size is out of range, or nothing writes such a target.
    """
    codec, wish, notes = codec_for(target), output.wish, []
    layout = layout_for(clip, codec)
    wish = wish.turned() if wish and clip.sideways else wish
    exact = target_size(clip.height, clip.width, upscaler, wish)
    size = tuple(-(-side >> n) << n for side, n in zip(exact, layout.shifts[::-1], strict=True))
    if size != exact:
        notes.append(
            f"{exact[1]}x{exact[0]} became {size[1]}x{size[0]}: two pixels share a colour in "
            f"{layout.name}, so sides are even."
        )
    if layout.bits < clip.layout.bits:
        notes.append(f"The clip's {clip.layout.bits} bits became {layout.bits}: {codec}.")
    coding = Coding(
        codec, (output.take or Take()).crf, *size, layout, clip.colours, clip.time_base, clip.rate,
        clip.aspect,
    )  # fmt: skip
    coding.encoder()
    return coding, notes


def job_of(clip: Clip, coding: Coding, upscaler: Upscaler, take: Take) -> dict:
    """Return all that decides the result: two runs with the same can share segments."""
    import av

    size = (coding.height, coding.width)
    networks = upscaler.passes(clip.height, clip.width, size)
    engines = [upscaler.engine(coding.layout.bits > 8, network) for network in networks]
    return {
        "source": clip.path.name,
        "source_bytes": clip.path.stat().st_size,
        "source_ends": _ends(clip.path),
        "size": size,
        "networks": [network.digest for network in networks],
        "engines": [f"{engine.name} {engine.precision}" for engine in engines],
        "projection": upscaler.projection,
        "views": upscaler.views,
        **{name: value for name, value in asdict(take).items() if name != "fresh"},
        "coding": asdict(coding),
        "versions": [__version__, av.__version__],
    }


class Work:
    """Make the segments of a clip, from where an earlier run was stopped.

    Attributes:
        done: Frames in finished segments, and so far in this run.
        made: Finished segments.
        speed: Frames a second of this run.
        canvas: What enlarges, see `clips.unchanged.Canvas`.
        trouble: What went wrong.
    """

    def __init__(self, clip: Clip, coding: Coding, upscaler: Upscaler, take: Take, target: Path,
                 job: dict, advance):  # fmt: skip
        self.clip, self.coding, self.upscaler, self.take = clip, coding, upscaler, take
        self.size, self.trouble = (coding.height, coding.width), Trouble()
        self.canvas = Canvas(
            upscaler, (clip.height, clip.width), self.size, coding.layout.top, damped=take.damped
        )
        self.segments = Segments(target, job, fresh=take.fresh)
        self.made, self.done, self.speed = [], 0, 0.0
        self._advance, self._chroma, self._begun = advance, {}, None

    def run(self) -> None:
        """Make all segments that are not there."""
        self.made = self.segments.finished()
        self.done = self._kept()
        if self.made:
            self.canvas.remember(self.segments.memory(len(self.made) - 1))
        take, self._begun = self.take, (perf_counter(), self.done)
        found = frames(
            self.clip, self.trouble, start=take.start, count=take.frames, skip=self.done,
            threads=self.upscaler.threads, deinterlace=take.deinterlace,
        )  # fmt: skip
        try:
            for first in found:
                some = chain([first], islice(found, SEGMENT - 1))
                made = self._packets(some)
                self.made.append(self.segments.write(len(self.made), made, self.canvas.memory))
        except KeyboardInterrupt:
            self.done = self._kept()
            raise

    def cut(self) -> Cut:
        """Return which stretch of the clip the segments are."""
        take, base = self.take, self.clip.time_base
        if not take.start and take.frames is None:
            return Cut()
        begin = min(packet.pts for packet in packets(self.made[0], times_only=True)) * base
        ends = (p.pts + p.duration for p in packets(self.made[-1], times_only=True))
        return Cut(
            float(begin) if take.start else None,
            float(max(ends) * base) if take.frames is not None else None,
        )

    def _kept(self):
        """Return the frames in finished segments."""
        return sum(1 for path in self.made for _ in packets(path, times_only=True))

    def _packets(self, some) -> Iterator[Packet]:
        """Yield the packets of one segment: an encoder of its own starts with a key frame."""
        encoder, durations = self.coding.encoder(), {}
        step = max(1, round(1 / self.clip.rate / self.clip.time_base))
        for frame in some:
            durations[frame.pts] = frame.duration or step
            made = frame_of(self._enlarged(frame), self.coding.layout)
            made.pts, made.time_base = frame.pts, self.clip.time_base
            for packet in encoder.encode(made):
                yield _kept_packet(packet, durations)
            self.done += 1
            self._tell(frame)
        for packet in encoder.encode(None):
            yield _kept_packet(packet, durations)

    def _enlarged(self, frame):
        """Return the planes of a frame, enlarged."""
        old, new = self.clip.layout, self.coding.layout
        luma, *chroma = (requantised(plane, old.bits, new.bits) for plane in planes(frame, old))
        made = [self.canvas.enlarge(luma)]
        for i, plane in enumerate(chroma):
            before = self._chroma.get(i)
            if before is None or not np.array_equal(before[0], plane):
                large = enlarged_chroma(
                    plane, luma.shape, self.size, old, new, centred=self.clip.centred
                )
                before = self._chroma[i] = plane, large
            made.append(before[1])
        if not chroma:  # grey: the middle means no colour
            size = new.chroma_size(*self.size)
            made += 2 * [np.full(size, (new.top + 1) // 2, made[0].dtype)]
        return made

    def _tell(self, frame):
        """Tell how far the work is."""
        start, before = self._begun
        self.speed = (self.done - before) / max(perf_counter() - start, 1e-9)
        if self.take.frames:
            share = self.done / self.take.frames
        else:
            whole = self.clip.seconds - self.take.start
            gone = float((frame.pts - self.clip.first) * self.clip.time_base) - self.take.start
            share = gone / whole if whole > 0 else 0
        self._advance(min(max(share, 0), 1), f"{self.speed:.1f} frames/s")


def _kept_packet(packet, durations):
    return Packet(packet.pts, durations.pop(packet.pts, 1), packet.is_keyframe, bytes(packet))


def _ends(path):
    """Return a checksum of the first and the last bytes of a file."""
    with path.open("rb") as file:
        found = crc32(file.read(EDGE))
        file.seek(max(0, path.stat().st_size - EDGE))
        return crc32(file.read(EDGE), found)
