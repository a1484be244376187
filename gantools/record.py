"""The record of a run, `run.json`: what was asked, with which versions, and what came out.

A record is written beside its final name and renamed, so that a reader never sees half of one, and
read strictly: an unknown key or another schema is an error, never silently ignored.
"""

import hashlib
import json
import os
import platform
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gantools import __version__
from gantools.data.files import atomic
from gantools.errors import UserError

SCHEMA = 1
LARGEST_SEED = 2_147_000_000  # PyTorch takes less than 2**31, and small numbers are added to it
PACKAGES = ("numpy", "opencv-python-headless", "openvino", "keras", "tensorflow", "jax", "torch")


@dataclass(frozen=True)
class Record:
    """What `run.json` holds.

    Attributes:
        command: The command's name, for example "train".
        settings: Everything that decides the result, JSON values only; `differences` compares it.
        seed: The seed of the run.
        versions: Name -> version of Python, gantools and the packages that compute.
        hashes: File name -> SHA-256 in hexadecimal.
        results: What was measured: counts, seconds, scores.
        schema: Version of this layout.
    """

    command: str
    settings: dict[str, Any]
    seed: int = 0
    versions: dict[str, str] = field(default_factory=lambda: installed_versions())
    hashes: dict[str, str] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    schema: int = SCHEMA


def installed_versions() -> dict[str, str]:
    """Return the versions of Python, gantools and the installed packages that compute.

    Metadata only, nothing is imported; a package without metadata is left out.
    """
    found = {"python": platform.python_version(), "gantools": __version__}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def write(path: str | os.PathLike, record: Record) -> Path:
    """Write a record as JSON, whole or not at all, and return its path.

    Args:
        path: The file, usually `RUN/run.json`; its folder must exist.
        record: What to write. NaN and infinity are refused: JSON has no such numbers.

    Raises:
        ValueError: a setting is no JSON value.
        UserError: the file cannot be written.
    """
    path = Path(path)
    text = json.dumps(asdict(record), indent=2, allow_nan=False) + "\n"
    with atomic(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return path


def read(path: str | os.PathLike) -> Record:
    """Read a record.

    Raises:
        UserError: the file is no JSON, of another schema, lacks a key or has an unknown one.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path} is not a record of gantools: {error}.") from error
    if not isinstance(data, dict) or data.get("schema") != SCHEMA:
        received = data.get("schema") if isinstance(data, dict) else type(data).__name__
        raise UserError(f"{path}: expected a record of schema {SCHEMA}. Received: {received!r}.")
    known = {item.name for item in fields(Record)}
    for word, keys in (("unknown", set(data) - known), ("missing", known - set(data))):
        if keys:
            raise UserError(f"{path}: {word} keys {', '.join(sorted(keys))}.")
    return Record(**data)


def differences(old: dict, new: dict, prefix: str = "") -> dict[str, tuple[Any, Any]]:
    """Return the settings that differ: dotted name -> (old value, new value).

    A setting that one side lacks counts as None there. Tuples equal lists, as JSON has only lists.
    """
    found = {}
    for key in sorted(set(old) | set(new)):
        before, after = _plain(old.get(key)), _plain(new.get(key))
        if isinstance(before, dict) and isinstance(after, dict):
            found |= differences(before, after, f"{prefix}{key}.")
        elif before != after or isinstance(before, bool) != isinstance(after, bool):
            found[f"{prefix}{key}"] = (before, after)
    return found


def refuse_differences(path: str | os.PathLike, old: dict, new: dict, remedy: str) -> None:
    """Raise the error that names each setting in which a run and a command differ.

    Args:
        path: The run's folder, for the message.
        old: Settings of the run.
        new: Settings of the command.
        remedy: What to do about it, a sentence.

    Raises:
        UserError: at least one setting differs.
    """
    changed = differences(old, new)
    if changed:
        listed = ", ".join(f"{key} ({was!r}, now {now!r})" for key, (was, now) in changed.items())
        raise UserError(f"{path} holds a run of other settings: {listed}. {remedy}")


def sha256(path: str | os.PathLike) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
