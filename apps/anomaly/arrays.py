"""Files of arrays: which pictures a `.npz` or `.npy` holds, and their labels."""

import zlib
from contextlib import contextmanager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gantools.errors import ALL_FAILED, UserError

from .audit.measure import check_channels
from .items import Item
from .manifest import truth_of
from .scans.medical import ending

PAIRS = (
    ("train", ("train_images", "x_train", "X_train"), ("train_labels", "y_train")),
    ("val", ("val_images", "x_val", "X_val"), ("val_labels", "y_val")),
    ("test", ("test_images", "x_test", "X_test"), ("test_labels", "y_test")),
    ("train", ("images", "x", "X", "data", "arr_0", ""), ("labels", "y", "target", "arr_1")),
)


def array_items(path: Path) -> list[Item]:
    """Return the items in a `.npz` or `.npy` of pictures; none when it holds a table.

    `train_images`, `x_test` and the like name the parts; labels of two values, or false and true,
    are taken as 0 normal and 1 anomalous, of more as kinds without a label. NaN is unknown.

    Raises:
        UserError: no pictures under a known name, their channels are not the last axis, or the
            labels are not one a picture.
    """
    items = []
    stored = _members(path)
    for part, pictures, labels in PAIRS:
        name = next((n for n in pictures if n in stored and len(stored[n]) >= 3), None)
        if name is None or (items and part == "train"):
            continue
        if len(stored[name]) > 3:
            check_channels(stored[name], f"'{name or path.stem}' in '{path}'")
        truth = next((n for n in labels if n in stored), None)
        values = None
        if truth is not None:
            values = one_each(stored_array(path, truth), stored[name], truth, path)
        for i in range(stored[name][0]):
            kind = "" if values is None else _kind(str(values[i]))
            number = f"{name or path.stem}#{i:06d}"
            items.append(Item(path, number, part, kind=kind, index=i, member=name))
    kinds = {item.kind for item in items} - {""}
    if kinds <= {"0", "1"}:
        items = [replace(item, label=int(item.kind) if item.kind else None) for item in items]
    if not items and not any(len(shape) == 2 for shape in stored.values()):
        raise UserError(
            f"'{path}' holds no pictures under a known name. Expected images, train_images, x_train"
            f" ... Received: {', '.join(stored)}."
        )
    return items


def one_each(labels, shape, name, path) -> np.ndarray:
    """Return labels `(n,)`, of which there has to be one for each of n pictures or rows.

    Args:
        labels: `(n,)` or `(n, 1)`.
        shape: Of the pictures or rows, `(n, ...)`.
        name: Of the labels.
        path: Of the file.

    Raises:
        UserError: they are of another number, or several each, as where there is one a disease.
    """
    count = shape[0]
    if labels.shape[:1] != (count,) or labels.size != count:
        raise UserError(
            f"'{name}' in '{path}' has the shape {labels.shape} beside data of the shape "
            f"{tuple(shape)}. Expected one label each, {(count,)} or {(count, 1)}: of several "
            f"columns write whether one is anomalous, for example {name}.any(axis=1), or of one "
            f"column a class {name}.argmax(axis=1)."
        )
    return labels.reshape(-1)


def _kind(text):
    truth = truth_of(text)
    return str(truth) if truth is not None else "" if text == "nan" else text


def _members(path):
    """Return name -> shape of the arrays in a file."""
    if ending(path) == ".npy":
        return {"": stored_array(path, "").shape}
    with whole_file(path), path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
        names = stored.files
    return {name: stored_array(path, name).shape for name in names}


@lru_cache(maxsize=8)
def stored_array(path, member):
    """Return one array of a file, kept for the next time; of a `.npy` mapped from the disk.

    Args:
        path: A `.npz` or `.npy`.
        member: Which array of an `.npz`.

    Raises:
        UserError: it is not a whole file of numbers or texts.
    """
    with whole_file(path):
        if ending(path) == ".npy":
            return np.load(path, mmap_mode="r", allow_pickle=False)
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            return stored[member]


@contextmanager
def whole_file(path):
    """Say in one sentence that a file of arrays is truncated, something else, or of objects."""
    try:
        yield
    except (ValueError, TypeError, OSError, EOFError, KeyError, BadZipFile, zlib.error) as error:
        raise UserError(
            f"Cannot read '{path}': expected a whole .npz or .npy of numbers or texts "
            f"({type(error).__name__}). Write it again, without pickled objects.",
            ALL_FAILED,
        ) from error
