"""The files that every fitted model has: plan, judge, inputs, and its reference rows."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from gantools.data.files import atomic, make_folder, unwritable
from gantools.errors import UserError

from .calibration.drift import Fingerprint
from .calibration.judge import Judge
from .detectors import references
from .folder import is_model

SCHEMA = 3  # since 3 with the row of an untrained network, which a model of before cannot score


@dataclass(frozen=True, eq=False)
class Stored:
    """What lies in a model folder.

    Attributes:
        plan: `plan.json`.
        judge: Of the scores.
        inputs: What the normals' own numbers looked like, or None.
        members: Folders of the detectors.
    """

    plan: dict
    judge: Judge
    inputs: Fingerprint | None
    members: tuple[Path, ...]


def save(folder, model, plan, also=None) -> None:
    """Write a model folder beside the old one, then put it in its place.

    Args:
        folder: Of the model.
        model: Has `members` (each with `rows` and `save`), `judge`, `inputs`, `facts`.
        plan: JSON values; "schema" and "facts" are added.
        also: Name -> what has `save`, each into a folder of its own; or None.

    Raises:
        UserError: the folder holds something else than a model, see `may_replace`.
    """
    folder = Path(folder)
    may_replace(folder)
    make_folder(folder.parent)
    draft = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    for number, member in enumerate(model.members):
        own = draft / "members" / str(number)
        make_folder(own / "references")
        for name, row in member.rows.items():
            references.save(own / "references" / f"{name}.npz", row)
        member.save(own / "detector")
    for name, one in (also or {}).items():
        one.save(draft / name)
    write_json(draft / "plan.json", {"schema": SCHEMA, **plan, "facts": model.facts})
    write_json(draft / "judge.json", {"schema": SCHEMA, **model.judge.to_dict()})
    if model.inputs is not None:
        write_json(draft / "inputs.json", model.inputs.to_dict())
    replace_folder(draft, folder)


def may_replace(folder) -> None:
    """Refuse a place that holds something else than a model: it would be deleted.

    Raises:
        UserError: a file, or a folder with files and without the plan of a model of any version.
    """
    folder = Path(folder)
    recover(folder)
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if is_model(folder):
        return
    raise UserError(
        f"Expected '{folder}' to be empty, a fitted model, or not there. It holds something else, "
        "which is kept. Give another name."
    )


def load(folder) -> Stored:
    """Return what lies in a model folder.

    Raises:
        UserError: the folder holds no model, or one of another version.
    """
    folder = Path(folder)
    recover(folder)
    try:
        plan = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
        stored = json.loads((folder / "judge.json").read_text(encoding="utf-8"))
        inputs = folder / "inputs.json"
        known = json.loads(inputs.read_text(encoding="utf-8")) if inputs.exists() else None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{folder} holds no fitted model ({error}). Make one with `gantools anomaly fit`."
        ) from error
    if plan.get("schema") != SCHEMA or stored.get("schema") != SCHEMA:
        raise UserError(f"{folder} is of another version. Fit the model again.")
    inputs = Fingerprint.from_dict(known) if known else None
    members = sorted((folder / "members").glob("[0-9]*"), key=lambda path: int(path.name))
    return Stored(plan, Judge.from_dict(stored), inputs, tuple(members))


def check_complete(folder, stored, rows, files) -> None:
    """Refuse a model of which only a part was copied.

    Args:
        folder: Of the model.
        stored: `Stored`, whose judge says how many members there are.
        rows: Names of the reference rows of each member.
        files: Of each member's detector.

    Raises:
        UserError: a file is missing.
    """
    wanted = ["inputs.json"]
    for number in range(len(stored.judge.scales)):
        wanted += [f"members/{number}/references/{name}.npz" for name in rows]
        wanted += [f"members/{number}/detector/{name}" for name in files]
    missing = [name for name in wanted if not (Path(folder) / name).is_file()]
    if missing:
        more = f" and {len(missing) - 1} more files are" if len(missing) > 1 else " is"
        raise UserError(
            f"The model in {folder} is incomplete: expected {len(wanted)} files beside plan.json "
            f"and judge.json, {missing[0]}{more} missing. Copy it again, or fit it again."
        )


def load_rows(member) -> dict:
    """Return name -> reference row of one member's folder."""
    return {path.stem: references.load(path) for path in (member / "references").glob("*.npz")}


def write_json(path, data) -> None:
    """Write JSON, whole or not at all; NumPy numbers become numbers."""
    with atomic(path) as part:
        part.write_text(json.dumps(data, indent=1, default=_plain), encoding="utf-8")


def replace_folder(draft, folder) -> None:
    """Put a finished folder in the place of an older one; whenever it is stopped, one is there.

    The old one is set aside, the new one takes its place, and only then the old one goes: a model
    holds a person's verdicts. See `recover` for what a killed run leaves.

    Raises:
        UserError: the place cannot be written.
    """
    try:
        recover(folder)
        if folder.exists():
            folder.rename(_aside(folder))
        draft.rename(folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    finally:
        recover(folder)


def recover(folder) -> None:
    """Put an old folder back that was set aside, or delete it where the new one is in its place.

    Raises:
        UserError: the place cannot be written.
    """
    folder = Path(folder)
    aside = _aside(folder)
    if not aside.is_dir():
        return
    try:
        if not folder.exists():
            aside.rename(folder)
        elif aside.is_symlink():
            aside.unlink()
        else:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise unwritable(folder, error) from error


def _aside(folder):
    return folder.with_name(f".{folder.name}.replaced")


def _plain(value):
    return value.item() if hasattr(value, "item") else str(value)
