"""From a clip to a larger clip: every frame at its own time, everything else as it was."""

from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from gantools.errors import UserError

from ..enlarge import Output, Result, care_taken
from ..estimate import estimate
from ..upscaler import Upscaler
from . import container
from .clip import look
from .streams import past_the_end
from .take import Take
from .work import Work, coding_for, job_of


def enlarge_clip(
    source: Path, target: Path, upscaler: Upscaler, output: Output | None = None, *,
    advance: Callable[..., None] = lambda *_: None,
) -> Result:  # fmt: skip
    """Enlarge a clip; what is finished lies in a folder beside the target until all is.

    Args:
        source: Clip to read.
        target: Clip to make; its suffix names the container.
        upscaler: The networks and their engine.
        output: `enlarge.Output`, of which `wish`, `strip` and `take` are meant.
        advance: Called after each frame with the finished share, 0 to 1, and the speed in words.

    Returns:
        `enlarge.Result`, whose `figures` tell the frames, their speed, and the share of the tiles
        that had not changed.

    Raises:
        UserError: the source cannot be read, or the target not be written.
        KeyboardInterrupt: with a sentence on how to go on.
    """
    begun, before, output = perf_counter(), upscaler.redone(), output or Output()
    take = output.take or Take()
    clip = _looked_at(source, take)
    coding, notes = coding_for(clip, target, upscaler, output)
    work = Work(
        clip, coding, upscaler, take, target, job_of(clip, coding, upscaler, take), advance
    )  # fmt: skip
    folder, strip = work.segments.folder, output.strip
    try:
        kept = container.check(target, clip, coding, folder, strip=strip)
        work.run()
        container.assemble(target, clip, coding, work.made, work.cut(), strip=strip)
    except Exception:
        work.segments.remove(unless_held=True)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"The first {work.done} frames of '{target}' are kept. The same command goes on."
        ) from None
    work.segments.remove()
    care, more = care_taken(upscaler, before)
    notes = (*clip.notes, *notes, *kept, *more)
    return _result(clip, target, work, perf_counter() - begun, notes, care)


def foretold_clip(source: Path, target: Path, upscaler: Upscaler, output: Output) -> dict:
    """Return what a clip would become and need, as JSON data; only its beginning is read.

    Args:
        source, target, upscaler, output: As for `enlarge_clip`.

    Raises:
        UserError: the source cannot be read or ends before what is wanted, or nothing writes such a
            target.
    """
    take = output.take or Take()
    clip = _looked_at(source, take)
    coding, notes = coding_for(clip, target, upscaler, output)
    frames = round((clip.seconds - take.start) * clip.rate)
    if clip.seconds and take.start and frames < 1:
        raise past_the_end(clip, take.start)
    frames = max(frames, 1)
    frames = min(frames, take.frames or frames)
    size = (coding.height, coding.width)
    needs = estimate(
        upscaler, clip.height, clip.width, 1, size, deep=coding.layout.bits > 8, whole=True
    )
    return {
        "status": "would be made",
        "width": coding.width,
        "height": coding.height,
        "frames": frames,
        "seconds": round(frames * needs.seconds, 2),
        "memory_mb": round(needs.memory / 1e6),
        "notes": [*clip.notes, *notes],
    }


def _looked_at(source, take):
    """Return what is known of a clip that can be made as wished."""
    clip = look(source)
    if clip.interlaced and not take.deinterlace:
        raise UserError(
            f"'{source}' is interlaced: each frame holds the lines of two moments, which would be "
            "enlarged as combs. Say --deinterlace to make whole pictures of them."
        )
    return clip


def _result(clip, target, work, seconds, notes, care):
    """Return what is told of a finished clip; `care` is from `care_taken`."""
    networks = work.upscaler.passes(clip.height, clip.width, work.size)
    engine = work.upscaler.engine(work.coding.layout.bits > 8, networks[-1])
    figures = {
        "frames": work.done,
        "frames_per_s": round(work.speed, 2),
        "tiles_reused": round(work.canvas.reused / max(work.canvas.seen, 1), 4),
    }
    return Result(
        clip.path, target, *work.size, f"{engine.name} {engine.precision}", seconds,
        (*notes, *work.trouble.notes()), figures=figures,
        networks=tuple((n.plan.name, n.scale, n.digest) for n in networks), **care,
    )  # fmt: skip
