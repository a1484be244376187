"""A detector's folder: NAME.npz and NAME.json, nothing that can run."""

import json
from pathlib import Path

import numpy as np

from gantools.data.files import atomic, make_folder
from gantools.errors import UserError


def write(folder, name, schema, settings, arrays) -> None:
    """Write a detector, each file whole or not at all.

    Args:
        folder: Made if missing.
        name: Of both files.
        schema: Version of the layout.
        settings: JSON values.
        arrays: Name -> array.
    """
    folder = Path(folder)
    make_folder(folder)
    with atomic(folder / f"{name}.npz") as part, part.open("wb") as file:
        np.savez(file, **arrays)
    with atomic(folder / f"{name}.json") as part:
        text = json.dumps({"schema": schema, **settings}, indent=1)
        part.write_text(text, encoding="utf-8")


def read(folder, name, schema) -> tuple[dict, dict[str, np.ndarray]]:
    """Return the settings and the arrays that `write` stored.

    Raises:
        UserError: the folder holds none, or one of another version.
    """
    folder = Path(folder)
    try:
        settings = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{name}.npz", allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError) as error:
        raise UserError(f"{folder} holds no detector '{name}' ({error}).") from error
    if settings.get("schema") != schema:
        raise another_version(folder)
    return settings, arrays


def another_version(folder) -> UserError:
    """Return the error of a detector that this version cannot read."""
    return UserError(f"{folder} is of another version. Fit the detector again.")


def under(arrays, prefix) -> dict[str, np.ndarray]:
    """Return the arrays whose names begin with `prefix`, without it."""
    return {n[len(prefix) :]: a for n, a in arrays.items() if n.startswith(prefix)}
