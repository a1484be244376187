"""What the columns of a table are for: label, group, time, split; and the part of each row."""

from dataclasses import dataclass

import numpy as np

from gantools.data.tables import column, read_table
from gantools.errors import UserError

from .. import manifest
from ..calibration.split import bucket
from ..loading import whole_file
from .columns import as_numbers, texts_of
from .transform import split_by_time

HELD = 2_000  # of 10 000 normals that go to the test part where nobody has divided the rows
LATEST = 0.25  # share of the rows in time that is scored where nobody has divided them


@dataclass(frozen=True)
class Roles:
    """Columns that are not features; None where there is none.

    Attributes:
        label: 0 and others, or words such as "normal".
        groups: What belongs together.
        time: What orders the rows.
        split: "train" and "test".
    """

    label: str | None = None
    groups: str | None = None
    time: str | None = None
    split: str | None = None

    def drop(self):
        """Return the columns that a detector must not see; time is read by the transform."""
        return tuple(name for name in (self.label, self.groups, self.split) if name)


def read(path):
    """Return the columns of a table; `.npz` and `.npy` of `X` (and `y`) too.

    Raises:
        UserError: it is not a table.
    """
    if not path.name.lower().endswith((".npz", ".npy")):
        return read_table(path)
    with whole_file(path), path.open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        arrays = {"X": stored} if isinstance(stored, np.ndarray) else dict(stored)
    x = next((a for name, a in arrays.items() if name.lower() in ("x", "data", "arr_0")), None)
    if x is None or x.ndim != 2:
        raise UserError(f"'{path}': expected an array X (rows, columns). Received: {list(arrays)}.")
    columns = {f"x{i}": column(values) for i, values in enumerate(x.T)}
    truth = next(
        (a for name, a in arrays.items() if name.lower() in ("y", "label", "labels")), None
    )
    return columns if truth is None else columns | {"label": column(truth.reshape(-1))}


def find_roles(columns, wanted: Roles, known=None) -> Roles:
    """Return the roles: what the user named, else what a model knew, else what the names say.

    Args:
        columns: Name -> column.
        wanted: What the user named.
        known: Role -> column of the table that a model was fitted on, or None.

    Raises:
        UserError: a named column is not there.
    """
    for option, name in (("--label", wanted.label), ("--groups", wanted.groups),
                         ("--time-col", wanted.time)):  # fmt: skip
        if name is not None and name not in columns:
            raise UserError(f"{option} {name}: the table has {', '.join(list(columns)[:20])}.")
    known = {role: name for role, name in (known or {}).items() if name in columns}
    there = {name.strip().lower(): name for name in columns}

    def named(names, fits):
        found = (there[name] for name in names if name in there)
        return next((name for name in found if fits(columns[name])), None)

    label = named((*manifest.LABELS, "labels", *manifest.KINDS), _is_label)
    division = named(("split", "part", "subset", "partition"), _is_split)
    return Roles(
        wanted.label or known.get("label") or label,
        wanted.groups or known.get("groups"),
        wanted.time or known.get("time"),
        known.get("split") or division,
    )


def labels_of(columns, name):
    """Return `(labels (n,) of 0, 1 and -1 for unknown, kinds)` of the label column.

    Raises:
        UserError: no value of it says normal.
    """
    count = len(next(iter(columns.values())))
    if name is None:
        return np.full(count, -1), [""] * count
    values, texts = columns[name], texts_of(columns[name])
    truths = np.array([manifest.truth_of(t) for t in texts], np.float64)  # None becomes NaN
    numbers = np.where(np.isnan(truths), as_numbers(values), truths)
    if not np.isnan(numbers[np.array([t != "" for t in texts])]).any():
        return np.where(np.isnan(numbers), -1, numbers != 0).astype(int), [""] * count
    known = {text: manifest.label_of(text.rstrip(".")) for text in set(texts)}
    if 0 not in known.values():
        raise UserError(
            f"Column '{name}' never says normal. Expected 0 and 1, or words such as normal, good, "
            f"ok beside others. Received: {', '.join(sorted(known)[:5])}."
        )
    labels = [-1 if t == "" else 0 if known[t] == 0 else 1 for t in texts]
    return np.array(labels), [
        t if label == 1 else "" for t, label in zip(texts, labels, strict=True)
    ]


def _is_label(values):
    try:
        labels, _ = labels_of({"label": values}, "label")
    except UserError:
        return False
    return len(set(labels[labels >= 0].tolist())) == 2


def _is_split(values):
    return all(manifest.part_of(text) for text in set(texts_of(values)))


def parts_of(columns, roles, labels, groups):
    """Return `(parts, note)`: the split column's, else by time, else some rows held back."""
    count = len(labels)
    if roles.split is not None:
        words = [manifest.part_of(text) for text in texts_of(columns[roles.split])]
        return np.array(words), ""
    if roles.time is not None:
        _, late = split_by_time(columns[roles.time], LATEST)
        parts = np.full(count, "train")
        parts[late] = "test"
        return parts, f"The latest {LATEST:.0%} of the rows by {roles.time} are scored."
    if not (labels == 1).any():
        return np.full(count, "train"), ""
    places = groups or [str(i) for i in range(count)]
    held = np.array([bucket(place, 0, "test") < HELD for place in places])
    note = "Nobody has divided the normals: 20 % of them are held back for the test."
    return np.where((labels == 1) | held, "test", "train"), note
