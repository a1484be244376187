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
    return found | made.fidelity | ({"notes": list(made.notes)} if made.notes else {})


def write(path: str | Path, pictures: list[dict], upscaler: Upscaler) -> None:
    """Write a report file.

    Args:
        path: JSON file to make.
        pictures: Results of `record`.
        upscaler: What made them.

    Raises:
        UserError: the file cannot be written.
    """
    networks = [
        {"name": network.plan.name, "scale": network.scale, "digest": network.digest}
        for network in upscaler.used()
    ]
    document = {
        "schema": SCHEMA,
        "gantools": __version__,
        "model": upscaler.family.name,
        "networks": networks,
        "projection": upscaler.projection,
        "views": upscaler.views,
        "wrap": upscaler.wrap,
        "largest_tile": upscaler.largest,
        "tiles_redone": upscaler.redone(),
        "seconds": round(sum(picture.get("seconds", 0) for picture in pictures), 3),
        "pictures": pictures,
    }
    with atomic(path) as part:
        part.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
