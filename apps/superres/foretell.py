"""A dry run: what each picture would become, and what that would need."""

from gantools.data import pictures
from gantools.data.writing import STREAMED, kind_of
from gantools.errors import UserError

from .batch import Job
from .clips.take import is_clip
from .enlarge import Output, check_target, target_size
from .estimate import estimate
from .upscaler import Upscaler

MEGABYTE = 1e6


def foretold(job: Job, upscaler: Upscaler, output: Output, overwrite: bool = False) -> dict:
    """Return what a job would make and need, as JSON data; only the header is read.

    Args:
        job: The picture.
        upscaler: The networks and their engine.
        output: How results are written.
        overwrite: Whether a target that exists would be made again.
    """
    record = {"source": str(job.source), "target": str(job.target)}
    if job.target.exists() and not overwrite:
        return record | {"status": "kept"}
    try:
        if is_clip(job.source):
            from .clips.run import foretold_clip

            return record | foretold_clip(job.source, job.target, upscaler, output)
        found = pictures.header(job.source)
        size = target_size(found.height, found.width, upscaler, output.wish)
        check_target(job.target, found, size, output)
        needs = estimate(
            upscaler, found.height, found.width, found.channels or 3, size,
            deep=found.depth > 8 or found.floating, whole=kind_of(job.target) not in STREAMED,
        )  # fmt: skip
    except UserError as error:
        return record | {"status": "failed", "error": str(error)}
    return record | {
        "status": "would be made",
        "width": size[1],
        "height": size[0],
        "seconds": round(needs.seconds, 2),
        "memory_mb": round(needs.memory / MEGABYTE),
        "file_mb": [round(needs.smallest / MEGABYTE, 1), round(needs.largest / MEGABYTE, 1)],
    }


def sentence(record: dict) -> str:
    """Return a record of `foretold` as a line for people."""
    if record["status"] == "failed":
        return record["error"]
    if record["status"] == "kept":
        return f"{record['target']}: already there, would be left as it is"
    if "frames" in record:
        return (
            f"{record['source']} -> {record['target']}, {record['width']}x{record['height']}, "
            f"{record['frames']} frames, {record['seconds']:.0f} s if everything moves, "
            f"{record['memory_mb']} MB of memory"
        )
    least, most = record["file_mb"]
    return (
        f"{record['source']} -> {record['target']}, {record['width']}x{record['height']}, about "
        f"{record['seconds']:.1f} s, {record['memory_mb']} MB of memory, file of {least:g} to "
        f"{most:g} MB"
    )
