"""The folder of a job: whose it is, its secret, and the model of an earlier run in it."""

import json
import secrets
import shutil
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

from gantools.data.files import make_folder
from gantools.errors import UserError

NOTE = "job.json"  # in the folder of a training: whose it is
FIGURES = "evaluation.json"
# What a job that was stopped leaves, or an evaluation; each is looked at before it is replaced.
UNFINISHED = {"model", "training", FIGURES}


def output_folder(out) -> Path:
    """Make the output folder; refuse one that holds something else.

    Raises:
        UserError: it holds files that no job of ours wrote: maps and tables would be replaced.
    """
    out = Path(out)
    make_folder(out)
    strange = {path.name for path in out.iterdir() if not path.name.startswith(".")} - UNFINISHED
    if (out / FIGURES).exists() and not is_evaluation(out / FIGURES):
        strange.add(FIGURES)
    if strange and not is_result(out):
        raise UserError(
            f"Expected {out} to be empty or the output of an earlier job. It holds "
            f"{', '.join(sorted(strange)[:3])}. Give another -o."
        )
    return out


def free_for_figures(out) -> Path:
    """Return where `gantools anomaly eval` writes in its folder.

    Raises:
        UserError: a file of that name is there which it did not write.
    """
    path = Path(out) / FIGURES
    if path.exists() and not is_evaluation(path):
        raise UserError(
            f"'{path}' was not written by `gantools anomaly eval` and is kept. Give another -o."
        )
    return path


def is_result(folder) -> bool:
    """Return whether a folder holds the result of a job: its plan is the first file of one."""
    return {"schema", "command"} <= set(_stored(folder / "plan.json"))


def is_model(folder) -> bool:
    """Return whether a folder holds a fitted model of any version."""
    plan = _stored(folder / "plan.json")
    # The folder of a whole job has a plan.json, too; there "detector" holds facts.
    return {"schema", "facts"} <= set(plan) and isinstance(plan.get("detector"), str)


def is_training(folder) -> bool:
    """Return whether a folder holds a training that was stopped."""
    return {"normals", "settings", "salt"} <= set(_stored(folder / NOTE))


def is_evaluation(path) -> bool:
    """Return whether a file holds the figures of `gantools anomaly eval`."""
    return {"schema", "command", "rows"} <= set(_stored(path))


def own(folder) -> str:
    """Return what of ours a folder is, in words, "" where it is none: no data of anybody's."""
    if is_result(folder):
        return "results of an earlier job"
    if is_model(folder):
        return "a fitted model"
    return "a training that was stopped" if is_training(folder) else ""


def _stored(path) -> dict:
    """Return the object in a JSON file, empty where there is none."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


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


def may_fit_again(folder, settings, looked, load, *, fresh):
    """Refuse to fit undivided data again where that would lose what an earlier job made.

    Both halves are needed to score them, and one is kept: so the same job is fitted anew.

    Args:
        folder, settings, looked, load, fresh: As for `kept_model`.

    Raises:
        UserError: the model there was fitted with other settings, or a person's verdicts are in it.
    """
    found = kept_model(folder, settings, looked, load, fresh=fresh, say=lambda line: None)
    refined = 0 if found is None else found.facts.get("refined", 0)
    if refined:
        raise UserError(
            f"{folder} holds {refined} verdicts of a person, which would be lost. Score with it by "
            "`gantools anomaly score`, give another -o, or --fresh to fit again without them."
        )


@contextmanager
def training(folder, settings, looked, salt, *, fresh=False):
    """Give the folder of a training while it runs; keep it only if it can be gone on with.

    Args and raises: as of `training_folder`.
    """
    place = training_folder(folder, settings, looked, salt, fresh=fresh)
    try:
        yield place
    except BaseException:
        if [item.name for item in place.iterdir()] == [NOTE]:
            shutil.rmtree(place, ignore_errors=True)
        raise
    shutil.rmtree(place, ignore_errors=True)


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
