"""The frames of a clip one by one, each with its time."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from gantools.errors import UserError

from .clip import Clip, decoded, explained, opened
from .planes import layout_of

SHORT = 0.9  # of the length that a file says: less is a file that was cut off


@dataclass
class Trouble:
    """What went wrong on the way, to be told at the end."""

    counts: Counter = field(default_factory=Counter)
    short: str = ""

    def end(self, clip: Clip, last) -> None:
        """Take note of a clip that ends after the frame `last`, earlier than its file says."""
        if last is None or not clip.certain or clip.seconds < 1:
            return
        end = float((last.pts + (last.duration or 0) - clip.first) * clip.time_base)
        if end < SHORT * clip.seconds:
            self.short = f"The clip ends after {end:.1f} s, and should after {clip.seconds:.1f} s."

    def notes(self) -> list[str]:
        """Return it in sentences."""
        said = {
            "damaged": "{} damaged frames or packets were met.",
            "untimed": "{} frames had no time stamp, or one out of order; they got the next one.",
            "interlaced": "{} frames in the middle are marked as interlaced.",
        }
        counted = [said[name].format(count) for name, count in self.counts.items()]
        return [*counted, *([self.short] if self.short else [])]


def frames(
    clip: Clip, trouble: Trouble, *, start: float = 0.0, count: int | None = None, skip: int = 0,
    threads: int | None = None, deinterlace: bool = False,
) -> Iterator:  # fmt: skip
    """Yield the frames of a clip, whose `pts` are in its time base and grow.

    Args:
        clip: From `clips.clip.look`.
        trouble: Takes note of what goes wrong.
        start: Seconds after the first frame at which the first one wanted is shown.
        count: How many frames; all if None.
        skip: How many of these are already done.
        threads: Of the decoder.
        deinterlace: Whether to make whole pictures of two fields, by bwdif.

    Raises:
        UserError: the size changes in the middle, or `start` lies behind the end.
    """
    begin = clip.first + round(start / clip.time_base)
    number = 0
    with opened(clip.path) as container, explained(clip.path):
        stream = container.streams[clip.index]
        stream.thread_type = "AUTO"
        if threads:
            stream.codec_context.thread_count = threads
        if start and not clip.untimed:
            container = _sought(container, stream, begin)
        found = decoded(container, stream, trouble.counts)
        found = _whole(found, stream, clip) if deinterlace else found
        frame = None
        for frame in _timed(found, clip, trouble):
            if frame.pts < begin:
                continue
            if count is not None and number == count:
                return
            number += 1
            if number > skip:
                _check(frame, clip)
                trouble.counts.update(["interlaced"] * _is_odd(frame, clip))
                yield frame
        trouble.end(clip, frame)
    if not number:
        raise past_the_end(clip, start)


def past_the_end(clip: Clip, start: float) -> UserError:
    """Return the error for a `start` behind the last frame."""
    return UserError(
        f"'{clip.path}' has no frame at {start:g} s or later: it is {clip.seconds:.1f} s long."
    )


def _sought(container, stream, begin):
    """Return the container at or before a time, at its beginning if seeking does not work."""
    import av

    try:
        container.seek(begin, backward=True, stream=stream)
        at = next(decoded(container, stream, Counter()), None)
        if at is not None and at.pts is not None and at.pts <= begin:
            container.seek(begin, backward=True, stream=stream)
            return container
    except (av.error.FFmpegError, OSError, OverflowError):  # the last: no such time in 64 bits
        pass
    container.seek(0)
    return container


def _whole(found, stream, clip):
    """Yield pictures made of the two fields of each frame."""
    import av

    graph, source, sink = None, None, None
    for frame in found:
        if graph is None:
            graph = av.filter.Graph()
            source = graph.add_buffer(template=stream)
            which = "interlaced" if clip.interlaced else "all"  # marked frames, or as told
            bwdif = graph.add("bwdif", f"mode=send_frame:deint={which}")
            sink = graph.add("buffersink")
            source.link_to(bwdif)
            bwdif.link_to(sink)
            graph.configure()
        source.push(frame)
        yield from _pulled(sink, stream)
    if graph is not None:
        source.push(None)
        yield from _pulled(sink, stream)


def _pulled(sink, stream):
    import av

    while True:
        try:
            frame = sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
        frame.pts = round(frame.pts * frame.time_base / stream.time_base)
        frame.time_base = stream.time_base
        yield frame


def _timed(found, clip, trouble):
    """Yield the frames with time stamps that grow.

    Of AVI, frames come in the order in which they are shown, and count the packets before them: so
    they keep their distances.
    """
    last, step, before = None, max(1, round(1 / clip.rate / clip.time_base)), None
    for frame in found:
        if clip.untimed:
            before = frame.dts if before is None else before
            known = frame.dts is not None and before is not None
            frame.pts = frame.dts - before if known else (0 if last is None else last + step)
        if frame.pts is None or (last is not None and frame.pts <= last):
            known = frame.pts is not None
            trouble.counts["untimed"] += 1
            frame.pts = clip.first if last is None else last + (1 if known else step)
        last = frame.pts
        yield frame


def _check(frame, clip):
    """Raise if a frame is not like the first one."""
    if (frame.height, frame.width) != (clip.height, clip.width):
        raise UserError(
            f"'{clip.path}' changes its size from {clip.width}x{clip.height} to {frame.width}x"
            f"{frame.height} at {float(frame.pts * clip.time_base):.1f} s. Cut it there first."
        )
    if layout_of(frame.format) != clip.layout:
        raise UserError(f"'{clip.path}' changes its pixel format in the middle. Cut it there.")


def _is_odd(frame, clip):
    return frame.interlaced_frame and not clip.interlaced
