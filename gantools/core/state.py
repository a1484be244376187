"""The state of a run: every variable in one folder, written beside and renamed, never pickled.

`ROOT/state-000007-1234/` is the seventh state saved there, of cycle 1234; it holds `arrays.npz`
and `meta.json`. A folder appears under its name only when both files are complete and on disk, so
that a kill at any moment leaves the previous state usable. The newest is the one saved last,
whatever its cycle: in a folder that is used again, what was just saved is what is restored.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from gantools.core import parallel
from gantools.data.files import make_folder
from gantools.errors import UserError

try:
    import fcntl
except ImportError:  # Windows: nobody is kept away there
    fcntl = None

SCHEMA = 1
NEEDED = {"cycle", "images", "backend", "blake2b", "notes"}  # in meta.json, by its readers


@contextlib.contextmanager
def claimed(folder):
    """Keep a run's folder to one training: a second would delete drafts and write into its logs.

    The lock is on the folder itself: it leaves no file, and goes with the process, however that
    ends. Who reads a run needs none. Of several processes of one run the first holds it.

    Args:
        folder: The run's folder; made when missing.

    Raises:
        UserError: another process trains in it, or it cannot be made.
    """
    make_folder(folder)
    handle = os.open(folder, os.O_RDONLY) if fcntl and parallel.is_main() else None
    try:
        # All know it before one of several processes deletes anything.
        (taken,) = parallel.any_of(handle is not None and not _lock(handle))
        if taken:
            raise UserError(
                f"Another process trains in {folder}. Wait for its end, stop it, or choose another "
                "folder."
            )
        yield
    finally:
        if handle is not None:
            os.close(handle)


def save_state(model, root, *, keep=2, notes=None, alone=False):
    """Write the state of an `AdversarialModel`; return its folder.

    Args:
        model: The model, compiled or not.
        root: Folder that holds the states of one run.
        keep: Number of newest states that stay.
        notes: JSON-ready dict to store with it.
        alone: Whether only this process of several saves; else all call this, and wait.
    """
    root, cycle = Path(root), int(model.cycle)
    if not parallel.is_main():  # every process holds the same state
        parallel.wait()
        return newest_state(root)
    root.mkdir(parents=True, exist_ok=True)
    _sweep(root)
    arrays = {
        f"{name}/{i:04d}": _to_numpy(v)
        for name, variables in model.state_groups().items()
        for i, v in enumerate(variables)
    }
    draft = root / f".tmp-{cycle}-{os.getpid()}"
    draft.mkdir()
    with (draft / "arrays.npz").open("wb") as file:
        np.savez(file, **arrays)
        _flush(file)
    meta = {
        "schema": SCHEMA,
        "cycle": cycle,
        "images": int(model.images),
        "backend": keras.backend.backend(),
        "keras": keras.__version__,
        "arrays": len(arrays),
        "blake2b": _digest(draft / "arrays.npz"),
        "saved": time.strftime("%Y-%m-%dT%H:%M:%S"),
        "notes": notes or {},
    }
    with (draft / "meta.json").open("w") as file:
        json.dump(meta, file, indent=1)
        _flush(file)
    _flush_folder(draft)
    newest = newest_state(root)
    number = int(newest.name.split("-")[1]) + 1 if newest else 1
    place = root / f"state-{number:06d}-{cycle}"
    draft.rename(place)
    _flush_folder(root)
    for old in _states(root)[keep:]:
        shutil.rmtree(old)
    if not alone:
        parallel.wait()
    return place


def load_state(model, root):
    """Load the newest complete state under `root` into a model of the same game.

    A model that is not compiled has no optimizers: theirs are left out. A state whose files are
    missing, unreadable or not what was saved is passed over.

    Returns:
        The meta data of the state and "damaged", the names of the newer ones that were passed over;
        None if there is no complete state.

    Raises:
        UserError: the state belongs to another game: names or shapes differ.
    """
    damaged = []
    for place in _states(Path(root)):
        meta = read_meta(place)
        if meta is None or meta["blake2b"] != _digest(place / "arrays.npz"):
            damaged.append(place.name)
            continue
        with np.load(place / "arrays.npz", allow_pickle=False) as arrays:
            _assign(model, {name: arrays[name] for name in arrays.files}, place)
        return {**meta, "damaged": damaged}
    return None


def read_meta(place):
    """Return the meta data of a state folder, None where it is incomplete."""
    try:
        meta = json.loads((place / "meta.json").read_text())
    except (OSError, ValueError):
        return None
    return meta if isinstance(meta, dict) and meta.keys() >= NEEDED else None


def newest_state(root):
    """Return the folder of the newest state under `root`, None if there is none."""
    return next(iter(_states(Path(root))), None)


def _assign(model, arrays, place):
    variables = {
        f"{name}/{i:04d}": v
        for name, group in model.state_groups().items()
        for i, v in enumerate(group)
    }
    if not model.compiled:
        arrays = {n: array for n, array in arrays.items() if not n.startswith("optimizer/")}
    remedy = "Use the settings of that run or a new folder."
    fill(variables, arrays, f"{place} is the state of another game", remedy)


def fill(variables, arrays, complaint, remedy):
    """Give variables the arrays of their names.

    Args:
        variables: Name -> Keras variable.
        arrays: Name -> NumPy array.
        complaint: What to say where they do not belong together, the beginning of a sentence.
        remedy: What to do then, a sentence.

    Raises:
        UserError: names or shapes differ; no variable is changed.
    """
    wrong = sorted(set(variables) ^ set(arrays))
    wrong += [n for n in variables if n in arrays and variables[n].shape != arrays[n].shape]
    if wrong:
        raise UserError(
            f"{complaint}: {len(wrong)} of {len(variables)} variables differ in name or shape, for "
            f"example {wrong[0]}. {remedy}"
        )
    for name, v in variables.items():
        v.assign(ops.convert_to_tensor(arrays[name], v.dtype))


def _to_numpy(variable):
    array = ops.convert_to_numpy(parallel.value_of(variable))
    # npz cannot describe bfloat16; float32 holds every bfloat16 exactly
    return (
        array.astype(np.float32)
        if array.dtype.kind == "V" or "bfloat" in str(array.dtype)
        else array
    )


def _states(root):
    """Return complete-looking state folders, newest first."""
    return sorted(root.glob("state-*"), reverse=True) if root.is_dir() else []


def _sweep(root):
    """Delete drafts that a killed process left."""
    for draft in root.glob(".tmp-*"):
        shutil.rmtree(draft, ignore_errors=True)


def _digest(path):
    """Return the hash of a file's content, None where it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError:
        return None


def _lock(handle):
    """Lock an open folder until it is closed; return False where another process has done so."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # others: not every file system knows locks
        return not isinstance(error, BlockingIOError)
    return True


def _flush(file):
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(path):
    with contextlib.suppress(OSError):  # not every file system opens folders
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
