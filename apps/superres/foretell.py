"""A dry run: what each picture would become, and what that would need."""

from gantools.data.pictures import check_size
from gantools.data.writing import STREAMED, kind_of

from .batch import Job, is_there, told
from .clips.take import is_clip
from .engine import EngineError
from .enlarge import Output, check_target, looked_at, target_size
from .estimate import estimate
from .upscaler import Upscaler

MEGABYTE = 1e6
TEXTS = ("source", "target", "error")  # of a record: may name files


def foretold(job: Job, upscaler: Upscaler, output: Output, overwrite: bool = False) -> dict:
    """Return what a job would make and need, as JSON data; only the header is read.

    Args:
        job: The picture.
        upscaler: The networks and their engine.
        output: How results are written.
        overwrite: Whether a target that exists would be made again.

    Raises:
        EngineError: no engine runs the network.
    """
    record = {"source": str(job.source), "target": str(job.target)}
    try:
        if is_there(job) and not overwrite:
            return record | {"status": "kept"}
        if is_clip(job.source):
            from .clips.run import foretold_clip

            return record | foretold_clip(job.source, job.target, upscaler, output)
        found = looked_at(job.source, job.target, output)
        check_size(job.source, found)
        size = target_size(found.height, found.width, upscaler, output.wish, found.orientation)
        check_target(job.target, found, size, output)
        needs = estimate(
            upscaler, found.height, found.width, found.channels or 3, size,
            deep=found.depth > 8 or found.floating, whole=kind_of(job.target) not in STREAMED,
        )  # fmt: skip
    except EngineError:
        raise
    except Exception as error:  # as in `batch.outcome_of`
        return record | {"status": "failed", "error": told(job, error)}
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
