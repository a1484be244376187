"""The folder of a job: whose it is, its secret, and the model of an earlier run in it."""

import json
import secrets
import shutil
from hashlib import blake2b
from pathlib import Path

from gantools.data.files import make_folder
from gantools.errors import UserError

NOTE = "job.json"  # in the folder of a training: whose it is


# What a job that was stopped leaves, or an evaluation; each is looked at before it is replaced.
UNFINISHED = {"model", "training", "evaluation.json"}


def output_folder(out) -> Path:
    """Make the output folder; refuse one that holds something else.

    Raises:
        UserError: it holds files that no job of ours wrote: maps and tables would be replaced.
    """
    out = Path(out)
    make_folder(out)
    strange = {path.name for path in out.iterdir() if not path.name.startswith(".")} - UNFINISHED
    if strange and not _is_ours(out / "plan.json"):
        raise UserError(
            f"Expected {out} to be empty or the output of an earlier job. It holds "
            f"{', '.join(sorted(strange)[:3])}. Give another -o."
        )
    return out


def _is_ours(plan):
    """Return whether a plan is that of a job: it is the first file of a result."""
    try:
        return {"schema", "command"} <= set(json.loads(plan.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return False


def project_salt(*plans) -> str:
    """Return the secret behind the codes of DICOM identifiers: the kept one, or a new one.

    It lies with the model, so that one model always gives a file the same code, and in nothing that
    is handed on: whoever has it can try out which identifier a code stands for.

    Args:
        plans: Paths of JSON files that may hold it, the first that does wins.
    """
    for path in plans:
        try:
            stored = json.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        salt = stored.get("salt") or stored.get("facts", {}).get("salt")
        if salt:
            return salt
    return secrets.token_hex(8)


def kept_model(folder, settings, looked, load, *, fresh, say):
    """Return the model of an earlier job with the same settings, or None.

    Args:
        folder: Of the model.
        settings: `settings.Settings`.
        looked: `job.Looked` or `tables.job.LookedTable`: normals that changed are told.
        load: Function from the folder to the model.
        fresh: Whether a model that is there does not count.
        say: Called with a line when it is used.

    Raises:
        UserError: the model there was fitted with other settings, or on data of another kind.
    """
    if fresh or not (folder / "plan.json").exists():
        return None
    found = load(folder)
    changed = settings.changed(found.facts["settings"])
    if found.is_table != (looked.collection.table is not None):
        changed = ["a table -> pictures" if found.is_table else "pictures -> a table"]
    if changed:
        raise UserError(
            f"{folder} was fitted with other settings ({', '.join(changed)}). Give --fresh to fit "
            "again, or another -o."
        )
    say(f"Using the model in {folder}; --fresh fits again.")
    if found.facts.get("normals") != normals_code(looked):
        say("warning: the normals are not those that it was fitted on: give --fresh to fit again.")
    return found


def training_folder(folder, settings, looked, salt, *, fresh=False) -> Path:
    """Return the folder in which a stopped training goes on, emptied if it is another's.

    Args:
        folder: Of the training.
        settings: `settings.Settings`.
        looked: What will be fitted on.
        salt: Of `project_salt`: a training that goes on knows its normals by their codes.
        fresh: Whether to start over in any case.

    Raises:
        UserError: it holds files and is no training's.
    """
    if folder.exists() and not (folder / NOTE).is_file() and (
        not folder.is_dir() or any(folder.iterdir())
    ):  # fmt: skip
        raise UserError(
            f"Expected {folder} to be free for a training, which is deleted at its end. It holds "
            "something else, which is kept. Move it, or give another name for the result."
        )
    wanted = {"normals": normals_code(looked), "settings": settings.to_dict(), "salt": salt}
    note = folder / NOTE
    try:
        stored = json.loads(note.read_text(encoding="utf-8"))
        same = stored["normals"] == wanted["normals"] and not settings.changed(stored["settings"])
    except (OSError, ValueError, KeyError):
        same = False
    if fresh or not same:
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
        note.write_text(json.dumps(wanted), encoding="utf-8")
    return folder


def normals_code(looked) -> str:
    """Return a code of the normals: their names, what belongs together, and what is in them."""
    contents = looked.contents()
    rows = sorted((i.name, i.group or "", contents[i.name]) for i in looked.normals())
    return blake2b(json.dumps(rows).encode(), digest_size=8).hexdigest()
