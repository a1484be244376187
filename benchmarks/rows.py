"""Result rows: one JSON line a measurement, with the machine, the versions and the command."""

import json
import time
from pathlib import Path

from gantools.machine import machine
from gantools.record import installed_versions

RESULTS = Path(__file__).parent / "results"


def append(name, command, **measured):
    """Append a row to `results/NAME.jsonl` and return it.

    Args:
        name: File name without suffix.
        command: The command that repeats the measurement.
        measured: Settings, seeds and figures, JSON values.
    """
    row = {
        "command": command,
        **measured,
        "machine": machine(),
        "versions": installed_versions(),
        "date": time.strftime("%Y-%m-%d"),
    }
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row
