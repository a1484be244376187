"""Which files are clips, which part of a clip is made, and what the options mean for it."""

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gantools.errors import UserError, missing_extra

SUFFIXES = (".mp4", ".mkv", ".mov", ".webm", ".avi", ".m4v")
# What results keep; what nothing writes with all that a clip can hold becomes MKV.
KEPT = {
    ".mp4": "mp4", ".m4v": "m4v", ".mov": "mov", ".webm": "webm", ".mkv": "mkv", ".avi": "mkv",
}  # fmt: skip

FOR_CLIPS = ("start", "frames", "crf", "deinterlace", "no_damping")  # options of the command
FOR_PICTURES = ("wrap", "kind", "quality", "background", "compare")
SPELT = {"kind": "format"}


@dataclass(frozen=True)
class Take:
    """Which part of a clip is made, and how.

    Attributes:
        start: Seconds after the first frame.
        frames: How many, None for all.
        crf: Quality of the encoder: smaller is better and larger.
        deinterlace: Whether to make whole pictures of two fields.
        damped: Whether to damp flicker.
        fresh: Whether to throw away what another job has left of the target.
    """

    start: float = 0.0
    frames: int | None = None
    crf: int = 16
    deinterlace: bool = False
    damped: bool = True
    fresh: bool = False


def is_clip(path: Path) -> bool:
    """Return whether a file is a clip, by its suffix."""
    return path.suffix.lower() in SUFFIXES


def check_installed() -> None:
    """Raise a `UserError` if the extra for clips is not installed."""
    if find_spec("av") is None:
        raise missing_extra("A clip", "PyAV", "video")


def part_label(start: float | None, frames: int | None) -> str:
    """Return what a part of a clip has in its name, like "_60s_48f"; nothing of a whole one."""
    begin = f"_{start:.10g}s" if start else ""
    return begin + (f"_{frames}f" if frames else "")


def take_for(sources: list[Path], chosen: dict) -> Take | None:
    """Return what the options of the command mean for clips; None if no source is one.

    Raises:
        UserError: an option has no meaning, or the extra for clips is not installed.
    """
    clips = any(is_clip(path) for path in sources)
    said = [name for name in FOR_CLIPS if _is_said(chosen[name])]
    if said and not clips:
        raise UserError(f"{_options(said)}: only for clips, and none is given.")
    if not clips:
        return None
    said = [name for name in FOR_PICTURES if _is_said(chosen[name])]
    if said:
        raise UserError(f"{_options(said)}: for pictures, without meaning for a clip.")
    check_installed()
    return Take(
        chosen["start"] or 0.0, chosen["frames"], 16 if chosen["crf"] is None else chosen["crf"],
        chosen["deinterlace"], not chosen["no_damping"], chosen["overwrite"],
    )  # fmt: skip


def _is_said(value):
    """Return whether an option was given: 0 is a value."""
    return value is not None and value is not False


def _options(names):
    """Return parameters as they are typed."""
    return " and ".join(f"--{SPELT.get(name, name).replace('_', '-')}" for name in names)
