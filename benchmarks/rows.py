"""Result rows: one JSON line a measurement, with the machine, the versions and the command."""

import json
import shlex
import sys
import time
from pathlib import Path

from gantools.machine import machine
from gantools.record import installed_versions

RESULTS = Path(__file__).parent / "results"


def append(name, *, command=None, **measured):
    """Append a row to `results/NAME.jsonl` and return it.

    Args:
        name: File name without suffix.
        command: The command that repeats the measurement; None is the one that was given.
        measured: Settings, seeds and figures, JSON values.
    """
    row = {
        "command": command or given(),
        **measured,
        "machine": machine(),
        "versions": installed_versions(),
        "date": time.strftime("%Y-%m-%d"),
    }
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    return row


def newest(name, *keys):
    """Return the newest row of every combination of `keys` in `results/NAME.jsonl`, oldest first.

    A file that is not there has no rows.
    """
    path, found = RESULTS / f"{name}.jsonl", {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        chosen = tuple(row[key] for key in keys)
        found.pop(chosen, None)
        found[chosen] = row
    return list(found.values())


def given():
    """Return the command line of this process as it can be given again, without anybody's paths."""
    spec = sys.modules["__main__"].__spec__
    words = ["python", "-m", spec.name] if spec else [Path(sys.argv[0]).name]
    words += ["FOLDER" if Path(word).is_dir() else word for word in sys.argv[1:]]
    return shlex.join(words)
