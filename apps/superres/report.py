"""What was done, as JSON: for programs, and for those who want to know how true a result is."""

import json
from pathlib import Path

from gantools import __version__
from gantools.data.files import atomic

from .batch import Outcome
from .upscaler import Upscaler

SCHEMA = 1


def record(outcome: Outcome) -> dict:
    """Return one picture's outcome as JSON data."""
    found = {"source": str(outcome.job.source), "target": str(outcome.job.target)}
    if outcome.error is not None:
        return found | {"status": "failed", "error": outcome.error}
    if outcome.result is None:
        return found | {"status": "kept"}
    made = outcome.result
    found |= {
        "status": "made",
        "width": made.width,
        "height": made.height,
        "engine": made.engine,
        "seconds": round(made.seconds, 3),
    }
    found |= made.fidelity | made.figures
    return found | ({"notes": list(made.notes)} if made.notes else {})


def write(path: str | Path, outcomes: list[Outcome], upscaler: Upscaler) -> None:
    """Write a report file.

    Args:
        path: JSON file to make.
        outcomes: What happened to the pictures.
        upscaler: What made them, or its like in another process.

    Raises:
        UserError: the file cannot be written.
    """
    made = [outcome.result for outcome in outcomes if outcome.result is not None]
    ran = sorted({network for result in made for network in result.networks}, key=lambda n: n[1])
    pictures = [record(outcome) for outcome in outcomes]
    document = {
        "schema": SCHEMA,
        "gantools": __version__,
        "model": upscaler.family.name,
        "networks": [dict(zip(("name", "scale", "digest"), n, strict=True)) for n in ran],
        "device": upscaler.device,
        "projection": upscaler.projection,
        "views": upscaler.views,
        "wrap": upscaler.wrap,
        "largest_tile": upscaler.largest,
        "tiles_redone": sum(result.redone for result in made),
        "bfloat16_apart": max((r.apart for r in made if r.apart is not None), default=None),
        "seconds": round(sum(picture.get("seconds", 0) for picture in pictures), 3),
        "pictures": pictures,
    }
    with atomic(path) as part:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
